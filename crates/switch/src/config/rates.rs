//! `[rates]`, checked.

use super::faults::Faults;
use super::life::ranges;
use super::rates_file::{PairSection, PriceSection, RatesSection};
use authorizer::{PriceRule, Pricing};
use domain::{AssetCode, Margins, PairTerms, RateTerms};
use funding::{Endpoint, Feed, TlsSettings};
use rust_decimal::Decimal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Each is looked at by each conversion.
const ROWS_MAX: usize = 64;
/// The most that may be added, in percent: more is a slip of the pen.
const PERCENT_MAX: u32 = 100;

/// Where rates come from beside the control API.
pub(crate) struct RateSources {
    pub(crate) file: Option<PathBuf>,
    pub(crate) feed: Option<Feed>,
    pub(crate) every: Duration,
    pub(crate) pause_max: Duration,
    pub(crate) bytes_max: usize,
    pub(crate) max_age: Duration,
}

impl RateSources {
    /// Whether there are any.
    pub(crate) const fn any(&self) -> bool {
        self.file.is_some() || self.feed.is_some()
    }
}

impl std::fmt::Debug for RateSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let feed = self.feed.as_ref().map(|feed| feed.endpoint().to_string());
        f.debug_struct("RateSources").field("file", &self.file).field("feed", &feed).finish_non_exhaustive()
    }
}

/// Checks the section; what is wrong goes to `faults`.
pub(super) fn check_rates(
    section: &RatesSection,
    base: &Path,
    faults: &mut Faults,
) -> (Pricing, RateSources) {
    for (name, found) in [("pair", section.pair.len()), ("price", section.price.len())] {
        if found > ROWS_MAX {
            faults.add(format!("rates.{name}"), format!("{found} rows were found, {ROWS_MAX} are allowed"));
        }
    }
    let over = match section.base.as_str() {
        "" => None,
        code => asset(code, "rates.base", faults),
    };
    let pairs = section.pair.iter().enumerate();
    let pairs = pairs.filter_map(|(index, row)| pair(row, &format!("rates.pair[{index}]"), faults)).collect();
    let rules = section.price.iter().enumerate();
    let rules = rules.map(|(index, row)| price(row, &format!("rates.price[{index}]"), faults)).collect();
    let second = Duration::from_secs(1);
    faults.duration("rates.every", section.every, Duration::from_millis(100), second * 3_600);
    faults.duration("rates.within", section.within, Duration::from_millis(10), second * 60);
    faults.duration("rates.pause_max", section.pause_max, section.every, second * 3_600);
    faults.duration("rates.max_age", section.max_age, second, second * 86_400);
    faults.in_range(
        "rates.bytes_max",
        u128::try_from(section.bytes_max).unwrap_or(u128::MAX),
        1_024,
        1 << 20,
    );
    let file = (!section.file.as_os_str().is_empty()).then(|| base.join(&section.file));
    let sources = RateSources {
        file,
        feed: feed(section, base, faults),
        every: section.every,
        pause_max: section.pause_max,
        bytes_max: section.bytes_max,
        max_age: section.max_age,
    };
    (Pricing { terms: RateTerms { base: over, pairs }, rules }, sources)
}

fn feed(section: &RatesSection, base: &Path, faults: &mut Faults) -> Option<Feed> {
    if section.feed.is_empty() {
        return None;
    }
    let endpoint: Endpoint =
        section.feed.parse().map_err(|error| faults.add("rates.feed", format!("{error}"))).ok()?;
    let tls = if section.feed_authorities.as_os_str().is_empty() {
        None
    } else {
        let read = std::fs::read(base.join(&section.feed_authorities)).map_err(|error| error.to_string());
        let tls = read.and_then(|pem| TlsSettings::from_pem(&pem, None).map_err(|error| error.to_string()));
        Some(tls.map_err(|error| faults.add("rates.feed_authorities", error)).ok()?)
    };
    let feed = Feed::new(endpoint, tls.as_ref(), section.within, section.bytes_max);
    feed.map_err(|error| faults.add("rates.feed", error.to_string())).ok()
}

fn pair(row: &PairSection, key: &str, faults: &mut Faults) -> Option<PairTerms> {
    let (from, to) =
        (asset(&row.from, &format!("{key}.from"), faults), asset(&row.to, &format!("{key}.to"), faults));
    let band = match &row.band {
        None => None,
        Some((low, high)) => {
            let ends = decimal(low).zip(decimal(high)).filter(|(low, high)| low <= high);
            if ends.is_none() {
                let problem = format!(
                    "[{low:?}, {high:?}] was found, two decimals above zero in their order are allowed"
                );
                faults.add(format!("{key}.band"), problem);
            }
            ends
        }
    };
    if let Some(age) = row.max_age {
        faults.duration(
            &format!("{key}.max_age"),
            age,
            Duration::from_millis(1),
            Duration::from_secs(86_400),
        );
    }
    Some(PairTerms { from: from?, to: to?, max_age: row.max_age, band })
}

fn price(row: &PriceSection, key: &str, faults: &mut Faults) -> PriceRule {
    let assets = row.assets.iter().enumerate();
    let assets = assets.filter_map(|(index, code)| asset(code, &format!("{key}.assets[{index}]"), faults));
    PriceRule {
        assets: assets.collect(),
        mcc: ranges(&row.mcc, &format!("{key}.mcc"), faults),
        foreign: row.foreign,
        margins: Margins {
            markup: percent(&row.markup_percent, &format!("{key}.markup_percent"), faults),
            fee: percent(&row.fee_percent, &format!("{key}.fee_percent"), faults),
            buffer: percent(&row.buffer_percent, &format!("{key}.buffer_percent"), faults),
        },
    }
}

fn asset(code: &str, key: &str, faults: &mut Faults) -> Option<AssetCode> {
    AssetCode::new(code).map_err(|error| faults.add(key, error.to_string())).ok()
}

fn decimal(text: &str) -> Option<Decimal> {
    Decimal::from_str_exact(text).ok().filter(|value| *value > Decimal::ZERO)
}

/// Percent with two decimals as hundredths of one.
fn percent(text: &str, key: &str, faults: &mut Faults) -> u16 {
    let value = Decimal::from_str_exact(text).ok();
    let value = value.filter(|value| *value >= Decimal::ZERO && *value <= Decimal::from(PERCENT_MAX));
    let hundredths = value.map(|value| value * Decimal::ONE_HUNDRED).filter(|value| value.fract().is_zero());
    match hundredths.and_then(|value| u16::try_from(value).ok()) {
        Some(hundredths) => hundredths,
        None => {
            faults.add(
                key,
                format!(
                    "{text:?} was found, \"0\" to \"{PERCENT_MAX}\" with two decimals at most is allowed"
                ),
            );
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(Pricing, RateSources), Vec<String>> {
        let section: RatesSection = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mut faults = Faults::default();
        let checked = check_rates(&section, Path::new("/etc/authswitch"), &mut faults);
        let faults: Vec<String> =
            faults.0.iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect();
        if faults.is_empty() { Ok(checked) } else { Err(faults) }
    }

    #[test]
    fn what_is_written_is_what_is_added() {
        let (pricing, sources) = check(
            r#"
            base = "USD"
            file = "rates.json"
            feed = "http://rates.internal/v1/rates"
            [[pair]]
            from = "USD"
            to = "USDT"
            max_age = "30s"
            band = ["0.98", "1.02"]
            [[price]]
            mcc = ["5812-5814"]
            buffer_percent = "20"
            [[price]]
            foreign = true
            markup_percent = "0.75"
            fee_percent = "1.5"
            "#,
        )
        .unwrap();
        assert_eq!(pricing.terms.base.unwrap().as_str(), "USD");
        assert_eq!(pricing.terms.pairs[0].max_age, Some(Duration::from_secs(30)));
        assert_eq!(pricing.rules[0].margins, Margins { markup: 0, fee: 0, buffer: 2_000 });
        assert_eq!(pricing.rules[1].margins, Margins { markup: 75, fee: 150, buffer: 0 });
        assert_eq!(sources.file.unwrap(), Path::new("/etc/authswitch/rates.json"));
        assert_eq!(sources.feed.unwrap().endpoint().to_string(), "http://rates.internal:80/v1/rates");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, problem) in [
            ("[[price]]\nmarkup_percent = \"0.005\"", "rates.price[0].markup_percent: \"0.005\" was found"),
            ("[[price]]\nbuffer_percent = \"-1\"", "rates.price[0].buffer_percent: \"-1\" was found"),
            ("[[pair]]\nfrom = \"USD\"\nto = \"USDT\"\nband = [\"1.02\", \"0.98\"]", "rates.pair[0].band: "),
            ("feed = \"https://rates.internal\"", "rates.feed: an https address needs"),
            ("base = \"usd\"", "rates.base: "),
        ] {
            let faults = check(text).unwrap_err();
            assert!(faults[0].starts_with(problem), "{text}: {faults:?}");
        }
    }
}
