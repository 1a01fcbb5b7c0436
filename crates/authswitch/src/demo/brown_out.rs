//! The brown-out in the demo: for a few seconds the balance service takes connections and answers nothing.
//!
//! The breaker opens, and the switch approves from the last balances that the service told. Once the service is well
//! again it is told of each of these payments, and the books must be equal as if nothing had been. What happens is
//! read from the switch's own metrics, as an operator would.

use crate::api_client::{Api, Call, Connection};
use anyhow::bail;
use domain::StandInMode;
use simulators::balance_service::{BalanceService, Profile};
use simulators::processor::Population;
use std::collections::BTreeMap;
use std::time::Duration;
use switch::ConfigFile;
use tokio::time::{Instant, sleep};

const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How much longer the service hangs where the breaker takes its time, and how long the advices may take afterwards.
const PATIENCE: Duration = Duration::from_secs(15);

const BREAKER_OPEN: &str = "authswitch_funding_breaker_open{";
const STOOD_IN: &str = "authswitch_stand_in_total{outcome=\"approved\"}";
const EXPOSURE: &str = "authswitch_stand_in_exposure{";

/// When it begins, and how long it lasts at least: it ends when the breaker has been seen open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned<'s> {
    pub(super) service: &'s BalanceService,
    pub(super) normal: Profile,
    pub(super) after: Duration,
    pub(super) lasts: Duration,
}

/// What was seen of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrownOut {
    /// How long the service hung.
    lasted: Duration,
    /// From its beginning until the breaker was open.
    opened: Option<Duration>,
    /// Payments approved without the service.
    stood_in: u64,
    /// From its end until the breaker was closed again.
    closed: Option<Duration>,
    /// From its end until the service had acknowledged all that was approved in its place.
    drained: Option<Duration>,
}

/// Lets a switch stand in for the population's balance service, and notice within seconds that it should. The bounds are
/// wide: what a program would allow is its own affair, and the demo is to show what happens.
pub(super) fn configure(file: &mut ConfigFile, population: &Population) {
    file.funding.ask_within = Duration::from_millis(400);
    file.funding.breaker_window = Duration::from_secs(2);
    file.funding.breaker_open_min = Duration::from_millis(400);
    file.funding.breaker_open_max = Duration::from_secs(2);
    let much = "1000000000".to_owned();
    let by_currency: BTreeMap<String, String> =
        population.cards.iter().map(|card| (card.currency.alpha().to_owned(), much.clone())).collect();
    let by_asset: BTreeMap<String, String> =
        population.balances().map(|(_, asset, _)| (asset.code().as_str().to_owned(), much.clone())).collect();
    let stand_in = &mut file.stand_in;
    stand_in.mode = StandInMode::Automatic;
    stand_in.first_use = true;
    stand_in.card_count_max = 1_000;
    (stand_in.transaction_max, stand_in.card_max) = (by_currency.clone(), by_currency);
    (stand_in.account_max, stand_in.exposure_max) = (by_asset.clone(), by_asset);
}

impl Planned<'_> {
    /// Lets it happen, and waits until the switch is over it.
    pub(super) async fn happen(self, api: &Api) -> anyhow::Result<BrownOut> {
        let mut connection = api.connection();
        sleep(self.after).await;
        self.service.set_profile(Profile::hung());
        let began = Instant::now();
        let mut opened = None;
        loop {
            let seen = Gauges::read(&mut connection).await?;
            if seen.breaker_open {
                opened.get_or_insert_with(|| began.elapsed());
            }
            let enough = opened.is_some() || began.elapsed() > self.lasts + PATIENCE;
            if began.elapsed() >= self.lasts && enough {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        self.service.set_profile(self.normal);
        let (lasted, ended) = (began.elapsed(), Instant::now());
        let (mut closed, mut drained, mut stood_in) = (None, None, 0);
        while (closed.is_none() || drained.is_none()) && ended.elapsed() < PATIENCE {
            let seen = Gauges::read(&mut connection).await?;
            stood_in = seen.stood_in;
            if !seen.breaker_open {
                closed.get_or_insert_with(|| ended.elapsed());
                // What the last probes of an open breaker left is drained now, too.
                if seen.exposed == 0 {
                    drained.get_or_insert_with(|| ended.elapsed());
                }
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(BrownOut { lasted, opened, stood_in, closed, drained })
    }
}

impl BrownOut {
    /// Lines of the report.
    pub(super) fn in_words(&self) -> Vec<(String, String)> {
        let after = |time: Option<Duration>| {
            time.map_or("never".to_owned(), |time| format!("after {:.2} s", time.as_secs_f64()))
        };
        let Self { lasted, opened, stood_in, closed, drained } = self;
        let breaker = format!(
            "balance service hung for {:.1} s; breaker open {}, closed {}",
            lasted.as_secs_f64(),
            after(*opened),
            after(*closed)
        );
        let advices =
            format!("{stood_in} payments from the last balance told; all acknowledged {}", after(*drained));
        [("brown-out", breaker), ("stood in", advices)].map(|(name, words)| (name.to_owned(), words)).to_vec()
    }

    /// Fails unless all happened that should.
    pub(super) fn judge(&self) -> anyhow::Result<()> {
        if self.opened.is_none() {
            bail!("the breaker did not open in the brown-out");
        }
        if self.stood_in == 0 {
            bail!("nothing was approved in the place of the balance service that hung");
        }
        if self.closed.is_none() || self.drained.is_none() {
            bail!("{PATIENCE:?} after the brown-out the switch was not over it");
        }
        Ok(())
    }
}

/// What the metrics page says.
struct Gauges {
    breaker_open: bool,
    stood_in: u64,
    /// Programs and assets with something that is not acknowledged.
    exposed: usize,
}

impl Gauges {
    async fn read(connection: &mut Connection) -> anyhow::Result<Self> {
        let page = connection.send(&Call::show("/metrics")).await?.text();
        Self::of(&page)
    }

    fn of(page: &str) -> anyhow::Result<Self> {
        if ![BREAKER_OPEN, STOOD_IN, EXPOSURE].iter().all(|name| page.contains(name)) {
            bail!("the metrics page does not show {BREAKER_OPEN}}}, {STOOD_IN} and {EXPOSURE}}}");
        }
        let values = |name: &'static str| {
            let lines = page.lines().filter(move |line| line.starts_with(name));
            lines.filter_map(|line| line.rsplit(' ').next())
        };
        Ok(Self {
            breaker_open: values(BREAKER_OPEN).any(|value| value != "0"),
            stood_in: values(STOOD_IN).filter_map(|value| value.parse::<u64>().ok()).sum(),
            exposed: values(EXPOSURE).filter(|value| *value != "0").count(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_say_how_the_switch_takes_it() {
        let page = "authswitch_funding_breaker_open{endpoint=\"1\"} 0\n\
                    authswitch_funding_breaker_open{endpoint=\"2\"} 1\n\
                    authswitch_stand_in_total{outcome=\"approved\"} 17\n\
                    authswitch_stand_in_total{outcome=\"funds\"} 3\n\
                    authswitch_stand_in_exposure{program=\"default\",asset=\"USD\"} 12.5\n\
                    authswitch_stand_in_exposure{program=\"default\",asset=\"EUR\"} 0\n";
        let seen = Gauges::of(page).unwrap();
        assert_eq!((seen.breaker_open, seen.stood_in, seen.exposed), (true, 17, 1));
        assert!(Gauges::of("authswitch_up 1\n").is_err());
    }

    #[test]
    fn a_brown_out_in_which_nothing_was_seen_is_no_brown_out() {
        let second = Some(Duration::from_secs(1));
        let good = BrownOut {
            lasted: Duration::from_secs(4),
            opened: second,
            stood_in: 5,
            closed: second,
            drained: second,
        };
        good.judge().unwrap();
        for bad in [
            BrownOut { opened: None, ..good },
            BrownOut { stood_in: 0, ..good },
            BrownOut { closed: None, ..good },
            BrownOut { drained: None, ..good },
        ] {
            assert!(bad.judge().is_err(), "{bad:?}");
        }
        assert!(good.in_words()[1].1.contains("5 payments"));
    }
}
