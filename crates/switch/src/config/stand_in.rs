//! `[stand_in]`, checked: one set of rules for each program that has its own, and one for all other accounts.

use super::faults::Faults;
use super::file::ConfigFile;
use super::life::ranges;
use super::rules::amounts;
use super::stand_in_file::StandInSection;
use authorizer::{StandIn, StandInProgram};
use domain::{Currency, FundingFailure, ProgramName, StandInMode};
use std::time::Duration;

/// The name of the rules for accounts that belong to no program with rules of its own.
const DEFAULT: &str = "default";
/// An older balance says nothing.
const AGE_MAX: Duration = Duration::from_secs(31 * 24 * 3_600);
/// Each is looked at by each ask that fails.
const PROGRAMS_MAX: usize = 64;

/// Checks all sections; what is wrong goes to `faults`.
pub(super) fn check_stand_in(file: &ConfigFile, faults: &mut Faults) -> StandIn {
    let own = file.program.iter().enumerate().filter_map(|(index, program)| {
        let section = program.stand_in.as_ref()?;
        Some((format!("program[{index}]"), program.name.as_str(), program.account_prefix.as_str(), section))
    });
    let all = own.collect::<Vec<_>>();
    if all.len() > PROGRAMS_MAX {
        faults.add("program", format!("{} have a stand_in, {PROGRAMS_MAX} are allowed", all.len()));
    }
    let mut programs = Vec::new();
    for (key, name, prefix, section) in all {
        if name == DEFAULT {
            faults.add(
                format!("{key}.name"),
                format!("{DEFAULT:?} names the rules of [stand_in]; any other name is allowed"),
            );
        }
        programs.extend(program(&format!("{key}.stand_in"), name, prefix, section, faults));
    }
    programs.extend(program("stand_in", DEFAULT, "", &file.stand_in, faults));
    StandIn::new(programs)
}

fn program(
    key: &str,
    name: &str,
    prefix: &str,
    section: &StandInSection,
    faults: &mut Faults,
) -> Option<StandInProgram> {
    let within = |name: &str| format!("{key}.{name}");
    if section.mode == StandInMode::Manual {
        let problem =
            "\"manual\" was found, \"off\" or \"automatic\" is allowed; an operator orders it, with a reason";
        faults.add(within("mode"), problem);
    }
    for (index, failure) in section.outcomes.iter().enumerate() {
        if matches!(failure, FundingFailure::StaleRate | FundingFailure::Interrupted) {
            let problem =
                format!("{:?} was found; what it leaves open, standing in does not mend", failure.as_str());
            faults.add(format!("{key}.outcomes[{index}]"), problem);
        }
    }
    faults.duration(&within("balance_age_max"), section.balance_age_max, Duration::from_secs(1), AGE_MAX);
    faults.in_range(&within("buffer_percent"), section.buffer_percent.into(), 0, 1_000);
    faults.in_range(&within("card_count_max"), section.card_count_max.into(), 1, 1_000);
    for (name, bound) in [
        ("transaction_max", &section.transaction_max),
        ("card_max", &section.card_max),
        ("account_max", &section.account_max),
        ("exposure_max", &section.exposure_max),
    ] {
        if section.mode == StandInMode::Automatic && bound.is_empty() {
            let problem =
                "is empty, and nothing could be stood in for; name a bound, such as { USD = \"50.00\" }";
            faults.add(within(name), problem);
        }
    }
    let currency = |code: &str| Currency::from_alpha(code).is_ok();
    // An exposure is counted for each asset, whichever account has it.
    let any = |_: &str| true;
    let read = StandInProgram {
        name: ProgramName::new(name).unwrap_or_else(|error| {
            faults.add(within("name"), format!("{name:?} was found: {error}"));
            ProgramName::default()
        }),
        account_prefix: prefix.into(),
        mode: section.mode,
        outcomes: section.outcomes.clone(),
        balance_age_max: section.balance_age_max,
        buffer_percent: section.buffer_percent,
        transaction_max: amounts(&section.transaction_max, &within("transaction_max"), currency, faults),
        card_max: amounts(&section.card_max, &within("card_max"), currency, faults),
        card_count_max: section.card_count_max,
        account_max: amounts(&section.account_max, &within("account_max"), any, faults),
        exposure_max: amounts(&section.exposure_max, &within("exposure_max"), any, faults),
        blocked_types: section.blocked_types.clone(),
        blocked_mcc: ranges(&section.blocked_mcc, &within("blocked_mcc"), faults),
        first_use: section.first_use,
    };
    Some(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<StandIn, Vec<String>> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| vec![error.to_string()])?;
        let mut faults = Faults::default();
        let rules = check_stand_in(&file, &mut faults);
        let faults: Vec<String> =
            faults.0.iter().map(|fault| format!("{}: {}", fault.key, fault.problem)).collect();
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }

    const BOUNDS: &str = r#"
        transaction_max = { USD = "50.00" }
        card_max = { USD = "100.00" }
        account_max = { USDT = "100.00" }
        exposure_max = { USDT = "10000.00" }
    "#;

    #[test]
    fn what_is_left_out_stands_in_for_nothing() {
        let rules = check("").unwrap();
        let [program] = rules.programs() else { panic!("one program") };
        assert_eq!((program.name.as_str(), program.mode), ("default", StandInMode::Off));
        assert_eq!(program.blocked_mcc, authorizer::BLOCKED_MCC);
        assert!(rules.bounds().is_empty());
    }

    #[test]
    fn a_program_has_rules_of_its_own() {
        let rules = check(&format!(
            "[stand_in]\nmode = \"automatic\"\n{BOUNDS}\n[[program]]\nname = \"gold\"\naccount_prefix = \"gold_\"\n\
             [program.stand_in]\nbuffer_percent = 0\n"
        ))
        .unwrap();
        let of = |account: &str| rules.program_of(&domain::AccountId::new(account).unwrap()).unwrap();
        assert_eq!((of("a").name.as_str(), of("a").mode), ("default", StandInMode::Automatic));
        assert_eq!((of("gold_1").name.as_str(), of("gold_1").mode), ("gold", StandInMode::Off));
        assert_eq!(of("gold_1").buffer_percent, 0);
    }

    #[test]
    fn standing_in_without_bounds_and_what_it_cannot_mend_are_refused() {
        for (text, problem) in [
            (
                "mode = \"automatic\"\ntransaction_max = { USD = \"1\" }\ncard_max = { USD = \"1\" }\naccount_max = { USD = \"1\" }",
                "stand_in.exposure_max: is empty, and nothing could be stood in for; name a bound, such as { USD = \"50.00\" }",
            ),
            (
                "mode = \"manual\"",
                "stand_in.mode: \"manual\" was found, \"off\" or \"automatic\" is allowed; an operator orders it, with a reason",
            ),
            (
                "outcomes = [\"timed_out\", \"stale_rate\"]",
                "stand_in.outcomes[1]: \"stale_rate\" was found; what it leaves open, standing in does not mend",
            ),
            ("card_count_max = 0", "stand_in.card_count_max: 0 was found, 1 to 1000 is allowed"),
            (
                "transaction_max = { USDT = \"1\" }",
                "stand_in.transaction_max.USDT: is no currency that a card can be billed in; allowed are codes such as EUR",
            ),
        ] {
            assert_eq!(check(&format!("[stand_in]\n{text}")).unwrap_err(), [problem], "{text}");
        }
    }
}
