//! The rules of the card program, checked: every word understood, every number in range, each rule with one demand.

use super::faults::Faults;
use super::file::ConfigFile;
use super::rules_file::{RuleSection, VelocitySection, WhenSection};
use authorizer::{Counted, Demand, Rule, Rules, Velocity, When};
use domain::{AssetCode, CountryCode, Currency, LimitOwner, RiskScore, RuleAmount, RuleName};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Each rule costs some 10 ns of every decision and two label values on the metrics page.
const RULES_MAX: usize = 64;
/// What happened longer ago is for reports, not for a decision.
const WINDOW_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);
/// The highest risk score.
const SCORE_MAX: u16 = 999;

/// Checks all rules; what is wrong goes to `faults`.
pub(super) fn check_rules(file: &ConfigFile, faults: &mut Faults) -> Rules {
    for (index, reason) in file.security.refuse.iter().enumerate() {
        if !Rules::REFUSABLE_RESULTS.contains(reason) {
            let allowed: Vec<_> = Rules::REFUSABLE_RESULTS.iter().map(|reason| reason.as_str()).collect();
            let problem = format!("{:?} was found, allowed is {}", reason.as_str(), allowed.join(", "));
            faults.add(format!("security.refuse[{index}]"), problem);
        }
    }
    let found = file.rule.len();
    if found > RULES_MAX {
        faults.add("rule", format!("{found} rules were found, {RULES_MAX} are allowed"));
    }
    let buckets = u128::try_from(file.decision.velocity_buckets_max).unwrap_or(u128::MAX);
    faults.in_range("decision.velocity_buckets_max", buckets, 8, 1_024);
    let mut names = BTreeSet::new();
    let rules = file.rule.iter().enumerate().filter_map(|(index, section)| {
        let key = format!("rule[{index}]");
        if !names.insert(section.name.clone()) {
            faults.add(format!("{key}.name"), format!("{:?} is the name of an earlier rule", section.name));
        }
        check_rule(section, &key, faults)
    });
    let rules = rules.collect();
    Rules::new(file.security.refuse.clone(), rules, file.decision.velocity_buckets_max)
}

fn check_rule(section: &RuleSection, key: &str, faults: &mut Faults) -> Option<Rule> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let name = RuleName::new(&section.name).ok().filter(|_| section.name.bytes().all(plain));
    if name.is_none() {
        let found = &section.name;
        let problem = format!("{found:?} was found, 1 to 24 of a-z, 0-9, - and _ are allowed");
        faults.add(format!("{key}.name"), problem);
    }
    let when = check_when(&section.when, &format!("{key}.when"), faults);
    let demands = [section.deny, !section.require.is_empty(), section.velocity.is_some()];
    let demand = match demands {
        [true, false, false] => Some(Demand::Deny),
        [false, true, false] => Some(Demand::Require(section.require.clone())),
        [false, false, true] => section
            .velocity
            .as_ref()
            .and_then(|velocity| check_velocity(velocity, &section.when, key, faults).map(Demand::Velocity)),
        _ => {
            let found = demands.into_iter().filter(|demand| *demand).count();
            let problem = format!("has {found} of deny = true, require and velocity, exactly one is allowed");
            faults.add(key, problem);
            None
        }
    };
    if section.deny && section.when == WhenSection::default() {
        faults.add(format!("{key}.when"), "names no condition, and the rule would refuse everything");
    }
    Some(Rule { name: name?, mode: section.mode, when, demand: demand? })
}

fn check_when(section: &WhenSection, key: &str, faults: &mut Faults) -> When {
    if let Some(score) = section.score_from {
        faults.in_range(&format!("{key}.score_from"), u128::from(score), 1, u128::from(SCORE_MAX));
    }
    let currencies = |code: &str| Currency::from_alpha(code).is_ok();
    When {
        types: section.types.clone(),
        mcc: each(&section.mcc, &format!("{key}.mcc"), CATEGORIES, categories, faults),
        mcc_except: each(&section.mcc_except, &format!("{key}.mcc_except"), CATEGORIES, categories, faults),
        countries: each(&section.countries, &format!("{key}.countries"), COUNTRY, country, faults),
        countries_except: each(
            &section.countries_except,
            &format!("{key}.countries_except"),
            COUNTRY,
            country,
            faults,
        ),
        presence: section.presence.clone(),
        initiator: section.initiator.clone(),
        entry_modes: each(
            &section.entry_modes,
            &format!("{key}.entry_modes"),
            ENTRY_MODE,
            entry_mode,
            faults,
        ),
        amount_above: amounts(&section.amount_above, &format!("{key}.amount_above"), currencies, faults),
        score_from: section.score_from.map(RiskScore),
        new_country: section.new_country,
    }
}

fn check_velocity(
    section: &VelocitySection,
    when: &WhenSection,
    rule: &str,
    faults: &mut Faults,
) -> Option<Velocity> {
    let key = format!("{rule}.velocity");
    faults.duration(&format!("{key}.over"), section.over, Duration::from_secs(1), WINDOW_MAX);
    if section.over.subsec_nanos() > 0 {
        faults.add(format!("{key}.over"), format!("{:?} was found, whole seconds are allowed", section.over));
    }
    if section.count_max.is_none() && section.amount_max.is_empty() {
        faults.add(&key, "bounds nothing; count_max, amount_max or both are needed");
    }
    if section.count_max == Some(0) {
        let problem = "0 was found, 1 and more are allowed; to refuse everything there is deny = true";
        faults.add(format!("{key}.count_max"), problem);
    }
    if section.counted == Counted::Attempts && !section.amount_max.is_empty() {
        let problem = "was found with counted = \"attempts\": money is added up for approvals only";
        faults.add(format!("{key}.amount_max"), problem);
    }
    if section.include.is_empty() {
        faults.add(format!("{key}.include"), "names no group, and nothing would be counted");
    }
    for (name, given) in [
        ("score_from", when.score_from.is_some()),
        ("new_country", when.new_country),
        ("amount_above", !when.amount_above.is_empty()),
    ] {
        if given {
            let problem = "was found in a rule with velocity, which cannot tell it of the past";
            faults.add(format!("{rule}.when.{name}"), problem);
        }
    }
    let is_code = |code: &str| match section.of {
        LimitOwner::Card => Currency::from_alpha(code).is_ok(),
        LimitOwner::Account => true,
    };
    Some(Velocity {
        owner: section.of,
        over: section.over,
        count_max: section.count_max,
        amount_max: amounts(&section.amount_max, &format!("{key}.amount_max"), is_code, faults),
        counted: section.counted,
        include: section.include.clone(),
    })
}

/// Reads each text of a list.
fn each<T>(
    texts: &[String],
    key: &str,
    allowed: &str,
    read: impl Fn(&str) -> Option<T>,
    faults: &mut Faults,
) -> Vec<T> {
    let values = texts.iter().enumerate().filter_map(|(index, text)| {
        let value = read(text);
        if value.is_none() {
            faults.add(format!("{key}[{index}]"), format!("{text:?} was found, allowed is {allowed}"));
        }
        value
    });
    values.collect()
}

pub(super) const CATEGORIES: &str = "four digits, or a range such as \"7800-7999\"";

pub(super) fn categories(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |text: &str| digits(text, 4);
    Some(code(first)?..=code(last)?).filter(|range| !range.is_empty())
}

const COUNTRY: &str = "an ISO 3166 code such as \"DE\", \"DEU\" or \"276\"";

fn country(text: &str) -> Option<CountryCode> {
    let country = match text.len() {
        2 => rust_iso3166::from_alpha2(text),
        3 if text.bytes().all(|byte| byte.is_ascii_digit()) => rust_iso3166::from_numeric_str(text),
        3 => rust_iso3166::from_alpha3(text),
        _ => None,
    };
    country.map(|country| CountryCode(country.numeric))
}

const ENTRY_MODE: &str = "the first two digits of DE 22, such as \"05\" for a chip";

fn entry_mode(text: &str) -> Option<u16> {
    digits(text, 2)
}

fn digits(text: &str, length: usize) -> Option<u16> {
    let all = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

pub(super) fn amounts(
    table: &BTreeMap<String, String>,
    key: &str,
    is_code: impl Fn(&str) -> bool,
    faults: &mut Faults,
) -> Vec<RuleAmount> {
    let amounts = table.iter().filter_map(|(code, text)| {
        let key = format!("{key}.{code}");
        let Some(code) = AssetCode::new(code).ok().filter(|_| is_code(code)) else {
            faults.add(key, "is no currency that a card can be billed in; allowed are codes such as EUR");
            return None;
        };
        let value = Decimal::from_str_exact(text).ok().filter(|value| !value.is_sign_negative());
        if value.is_none() {
            faults.add(key, format!("{text:?} was found, a decimal number such as \"50.00\" is allowed"));
        }
        Some(RuleAmount { code, value: value? })
    });
    amounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Presence, RuleMode};

    /// The rules of a configuration, or what is wrong with it.
    fn check(text: &str) -> Result<Rules, Vec<String>> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mut faults = Faults::default();
        let rules = check_rules(&file, &mut faults);
        let faults: Vec<String> =
            faults.0.iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect();
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }

    #[test]
    fn a_rule_is_read_with_its_conditions_and_its_demand() {
        let rules = check(
            r#"
            [[rule]]
            name = "web-without-3ds"
            mode = "shadow"
            require = ["three_d_secure"]
            when = { presence = ["ecommerce"], mcc_except = ["4111", "7800-7999"], countries = ["DE", "840"], amount_above = { EUR = "30" } }
            "#,
        )
        .unwrap();
        let [rule] = rules.all() else { panic!("one rule") };
        assert_eq!((rule.name.as_str(), rule.mode), ("web-without-3ds", RuleMode::Shadow));
        assert_eq!(rule.when.presence, [Presence::Ecommerce]);
        assert_eq!(rule.when.mcc_except, [4111..=4111, 7800..=7999]);
        assert_eq!(rule.when.countries, [CountryCode(276), CountryCode(840)]);
        assert!(matches!(&rule.demand, Demand::Require(requirements) if requirements.len() == 1));
    }

    #[test]
    fn every_wrong_value_is_named_with_what_is_allowed() {
        for (text, problem) in [
            ("deny = true", "rule[0].when: names no condition, and the rule would refuse everything"),
            (
                "when = { mcc = [\"5411\"] }",
                "rule[0]: has 0 of deny = true, require and velocity, exactly one is allowed",
            ),
            (
                "deny = true\nrequire = [\"pin_verified\"]\nwhen = { mcc = [\"5411\"] }",
                "rule[0]: has 2 of deny = true, require and velocity, exactly one is allowed",
            ),
            (
                "deny = true\nwhen = { mcc = [\"7999-7800\"] }",
                "rule[0].when.mcc[0]: \"7999-7800\" was found, allowed is four digits, or a range such as \"7800-7999\"",
            ),
            (
                "deny = true\nwhen = { countries = [\"XX\"] }",
                "rule[0].when.countries[0]: \"XX\" was found, allowed is an ISO 3166 code such as \"DE\", \"DEU\" or \"276\"",
            ),
            (
                "deny = true\nwhen = { score_from = 1000 }",
                "rule[0].when.score_from: 1000 was found, 1 to 999 is allowed",
            ),
            (
                "deny = true\nwhen = { amount_above = { EUR = \"-1\" } }",
                "rule[0].when.amount_above.EUR: \"-1\" was found, a decimal number such as \"50.00\" is allowed",
            ),
            (
                "velocity = { over = \"1h\" }",
                "rule[0].velocity: bounds nothing; count_max, amount_max or both are needed",
            ),
            (
                "velocity = { over = \"960h\", count_max = 3 }",
                "rule[0].velocity.over: 3456000s was found, 1s to 2678400s is allowed",
            ),
            (
                "velocity = { over = \"1h\", count_max = 3 }\nwhen = { new_country = true }",
                "rule[0].when.new_country: was found in a rule with velocity, which cannot tell it of the past",
            ),
            (
                "velocity = { over = \"1h\", counted = \"attempts\", amount_max = { USD = \"5\" } }",
                "rule[0].velocity.amount_max: was found with counted = \"attempts\": money is added up for approvals only",
            ),
        ] {
            let faults = check(&format!("[[rule]]\nname = \"r\"\n{text}")).unwrap_err();
            assert_eq!(faults, [problem], "{text}");
        }
    }

    #[test]
    fn names_are_labels_and_so_they_are_short_plain_and_different() {
        let rule = |name: &str| {
            format!("[[rule]]\nname = \"{name}\"\ndeny = true\nwhen = {{ new_country = true }}\n")
        };
        assert!(check(&rule("Not Plain")).unwrap_err()[0].contains("1 to 24 of a-z"));
        let twice = check(&format!("{}{}", rule("a"), rule("a"))).unwrap_err();
        assert_eq!(twice, ["rule[1].name: \"a\" is the name of an earlier rule"]);
        let many: String = (0..65).map(|number| rule(&format!("r{number}"))).collect();
        assert_eq!(check(&many).unwrap_err(), ["rule: 65 rules were found, 64 are allowed"]);
    }

    #[test]
    fn the_examples_in_the_shipped_configuration_are_rules() {
        let shipped = include_str!("../../../../config/authswitch.toml");
        let examples = shipped.lines().skip_while(|line| *line != "# [[rule]]");
        let examples: Vec<&str> = examples.map_while(|line| line.strip_prefix('#')).collect();
        let rules = check(&examples.join("\n")).unwrap();
        assert_eq!(rules.all().len(), 5, "{examples:?}");
    }

    #[test]
    fn unknown_words_fail_and_the_error_lists_the_known() {
        let error = check("[[rule]]\nname = \"r\"\nrequire = [\"face\"]").unwrap_err();
        assert!(error[0].contains("three_d_secure"), "{error:?}");
        let error = check("[security]\nrefuse = [\"card_closed\"]").unwrap_err();
        assert!(
            error[0].starts_with("security.refuse[0]: \"card_closed\" was found, allowed is"),
            "{error:?}"
        );
    }
}
