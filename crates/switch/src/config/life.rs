//! `[decision.life]`, checked.

use super::faults::Faults;
use super::life_file::{AdviceChoice, HoldSection, LifeSection, ToleranceSection};
use super::rules::{CATEGORIES, categories};
use authorizer::{AdviceAfterReversal, HoldRule, Life, MccRange, Tolerance};
use domain::NetworkName;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// Each rule is looked at by every approval.
const ROWS_MAX: usize = 64;

/// Checks the section; what is wrong goes to `faults`.
pub(super) fn check_life(section: &LifeSection, faults: &mut Faults) -> Life {
    let key = |name: &str| format!("decision.life.{name}");
    faults.duration(&key("keep_for"), section.keep_for, HOUR, 400 * DAY);
    faults.duration(&key("keep_declines_for"), section.keep_declines_for, HOUR, 400 * DAY);
    faults.duration(&key("exact_refund_for"), section.exact_refund_for, Duration::ZERO, 400 * DAY);
    faults.duration(&key("request_keys_for"), section.request_keys_for, HOUR, 30 * DAY);
    let minor = |amount: i64| u128::try_from(amount).unwrap_or(u128::MAX);
    faults.in_range(&key("partial_minor_min"), minor(section.partial_minor_min), 1, 1_000_000_000);
    if let Some(cash) = section.cashback_minor_max {
        faults.in_range(&key("cashback_minor_max"), minor(cash), 0, 1_000_000_000);
    }
    for (name, found) in [("hold", section.hold.len()), ("tolerance", section.tolerance.len())] {
        if found > ROWS_MAX {
            faults.add(key(name), format!("{found} rows were found, {ROWS_MAX} are allowed"));
        }
    }
    let tolerances = section.tolerance.iter().enumerate().filter_map(|(index, row)| {
        let key = key(&format!("tolerance[{index}]"));
        faults.in_range(&format!("{key}.percent"), row.percent.into(), 0, 100);
        faults.in_range(&format!("{key}.at_least_minor"), minor(row.at_least_minor), 0, 1_000_000_000);
        faults.in_range(&format!("{key}.up_to_minor"), minor(row.up_to_minor), 0, 1_000_000_000);
        let mcc = range(&row.mcc, &format!("{key}.mcc"), faults)?;
        let ToleranceSection { percent, at_least_minor, up_to_minor, mcc: _ } = *row;
        Some(Tolerance { mcc, percent, at_least_minor, up_to_minor })
    });
    let tolerances = tolerances.collect();
    let hold_rules = section.hold.iter().enumerate();
    let hold_rules =
        hold_rules.map(|(index, row)| hold_rule(row, &key(&format!("hold[{index}]")), faults)).collect();
    Life {
        hold_rules,
        multi_clearing: ranges(&section.multi_clearing_mcc, &key("multi_clearing_mcc"), faults),
        tolerances,
        keep_for: section.keep_for,
        keep_declines_for: section.keep_declines_for,
        partial_minor_min: section.partial_minor_min,
        cashback_minor_max: section.cashback_minor_max,
        refunds_at_authorization: section.refunds_at_authorization,
        exact_refund_for: section.exact_refund_for,
        advice_after_reversal: match section.advice_after_reversal {
            AdviceChoice::Ignore => AdviceAfterReversal::Ignore,
            AdviceChoice::Hold => AdviceAfterReversal::Hold,
        },
        confirm: section.confirm,
        request_keys_for: section.request_keys_for,
    }
}

fn hold_rule(row: &HoldSection, key: &str, faults: &mut Faults) -> HoldRule {
    faults.duration(&format!("{key}.hold_for"), row.hold_for, HOUR, 400 * DAY);
    let network = NetworkName::new(&row.network);
    if let Err(error) = network {
        faults.add(format!("{key}.network"), format!("{:?} was found: {error}", row.network));
    }
    let some = |empty: bool| (!empty).then_some(());
    HoldRule {
        network: network.unwrap_or_default(),
        mcc: some(row.mcc.is_empty()).map(|()| ranges(&row.mcc, &format!("{key}.mcc"), faults)),
        initiators: some(row.initiator.is_empty()).map(|()| row.initiator.clone()),
        card_present: row.card_present,
        purposes: some(row.purpose.is_empty()).map(|()| row.purpose.clone()),
        hold_for: row.hold_for,
    }
}

pub(super) fn ranges(words: &[String], key: &str, faults: &mut Faults) -> Vec<MccRange> {
    let words = words.iter().enumerate();
    words.filter_map(|(index, word)| range(word, &format!("{key}[{index}]"), faults)).collect()
}

fn range(word: &str, key: &str, faults: &mut Faults) -> Option<MccRange> {
    let found = categories(word).map(|range| MccRange { from: *range.start(), to: *range.end() });
    if found.is_none() {
        faults.add(key, format!("{word:?} was found, allowed is {CATEGORIES}"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_as_written_are_the_defaults() {
        let mut faults = Faults::default();
        assert_eq!(check_life(&LifeSection::default(), &mut faults), Life::default());
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_is_allowed() {
        let mut faults = Faults::default();
        let section = LifeSection {
            multi_clearing_mcc: vec!["airlines".into()],
            partial_minor_min: 0,
            ..LifeSection::default()
        };
        check_life(&section, &mut faults);
        let keys: Vec<_> = faults.0.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["decision.life.partial_minor_min", "decision.life.multi_clearing_mcc[0]"]);
    }
}
