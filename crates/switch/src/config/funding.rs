//! The balance service's part of the configuration: endpoints, certificates, keys, bounds, programs.

use crate::config::faults::Faults;
use crate::config::file::{ConfigFile, FundingSection, HttpProtocol};
use crate::keys;
use funding::{
    Backoff, BreakerConfig, Endpoint, FundingConfig, HealthSettings, HedgeBudget, ProgramBudget, Protocol,
    RouteSettings, TlsSettings,
};
use std::path::Path;

/// A certificate is a few KiB, and a list of authorities some hundred; a longer file is some other file.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Checks the section, and reads the files that it names.
pub(super) fn check_funding(file: &ConfigFile, base: &Path, faults: &mut Faults) -> Option<FundingConfig> {
    let section = &file.funding;
    let route = route(("", ""), ("funding", &section.endpoint, &section.standby), faults);
    let ranges = ranges(section, faults);
    let mut keys_of = |key: &str, path: &Path| -> Option<funding::Keys> {
        let name = format!("keys.{key}");
        let file = keys::File::read(base, path).map_err(|error| faults.add(&name, error.to_string())).ok()?;
        funding::Keys::parse(file.text()).map_err(|error| faults.add(&name, error.to_string())).ok()
    };
    let request_keys = keys_of("funding", &file.keys.funding);
    let verifies = !file.keys.funding_answers.as_os_str().is_empty();
    let answer_keys = if verifies { keys_of("funding_answers", &file.keys.funding_answers) } else { None };
    let tls = tls(section, base, faults);
    let route = route?;
    let mut funding = FundingConfig::new(route.primary.clone(), request_keys?);
    funding.route = route;
    funding.ranges = ranges;
    funding.tls = tls;
    funding.answer_keys = answer_keys;
    settings(&mut funding, file);
    if let Err(error) = funding.check() {
        faults.add("funding", error.to_string());
    }
    check_margins(file, faults);
    check_programs(file, faults);
    Some(funding)
}

fn endpoint(key: &str, text: &str, faults: &mut Faults) -> Option<Endpoint> {
    text.parse().map_err(|error| faults.add(key, format!("{error}"))).ok()
}

fn route(
    (from, below): (&str, &str),
    (key, primary, standby): (&str, &str, &str),
    faults: &mut Faults,
) -> Option<RouteSettings> {
    let primary = endpoint(&format!("{key}.endpoint"), primary, faults);
    let standby = match standby {
        "" => None,
        standby => Some(endpoint(&format!("{key}.standby"), standby, faults)?),
    };
    Some(RouteSettings {
        accounts_from: from.into(),
        accounts_below: below.into(),
        primary: primary?,
        standby,
    })
}

fn ranges(section: &FundingSection, faults: &mut Faults) -> Vec<RouteSettings> {
    let mut ranges = Vec::new();
    for (index, range) in section.range.iter().enumerate() {
        let bounds = (range.accounts_from.as_str(), range.accounts_below.as_str());
        let key = format!("funding.range[{index}]");
        ranges.extend(route(bounds, (&key, &range.endpoint, &range.standby), faults));
    }
    ranges
}

fn tls(section: &FundingSection, base: &Path, faults: &mut Faults) -> Option<TlsSettings> {
    let given = |path: &Path| !path.as_os_str().is_empty();
    if !given(&section.tls_authorities) {
        if given(&section.tls_certificate) || given(&section.tls_key) {
            faults.add("funding.tls_authorities", "is empty; a certificate of ours is shown to nobody then");
        }
        return None;
    }
    let mut read = |key: &str, path: &Path| -> Option<Vec<u8>> {
        let path = base.join(path);
        let problem = match std::fs::metadata(&path) {
            Ok(found) if found.len() > PEM_BYTES_MAX => {
                format!("{} has {} bytes, at most {PEM_BYTES_MAX} are allowed", path.display(), found.len())
            }
            Ok(_) => match std::fs::read(&path) {
                Ok(bytes) => return Some(bytes),
                Err(error) => format!("{} cannot be read: {error}", path.display()),
            },
            Err(error) => format!("{} cannot be read: {error}", path.display()),
        };
        faults.add(format!("funding.{key}"), problem);
        None
    };
    let authorities = read("tls_authorities", &section.tls_authorities)?;
    let identity = match (given(&section.tls_certificate), given(&section.tls_key)) {
        (false, false) => None,
        (true, true) => {
            Some((read("tls_certificate", &section.tls_certificate)?, read("tls_key", &section.tls_key)?))
        }
        _ => {
            faults.add("funding.tls_certificate", "and tls_key go together; one of them is empty");
            return None;
        }
    };
    let identity = identity.as_ref().map(|(chain, key)| (chain.as_slice(), key.as_slice()));
    TlsSettings::from_pem(&authorities, identity)
        .map_err(|error| faults.add("funding.tls_authorities", error.to_string()))
        .ok()
}

/// What is copied from the file as it stands.
fn settings(funding: &mut FundingConfig, file: &ConfigFile) {
    let section = &file.funding;
    funding.protocol = match section.protocol {
        HttpProtocol::Http1 => Protocol::Http1,
        HttpProtocol::Http2 => Protocol::Http2,
    };
    let (path, every) = (section.health_path.clone(), section.health_every);
    funding.health = (!path.is_empty()).then_some(HealthSettings { path, every });
    funding.hedge = match section.hedge_percent {
        0 => None,
        percent => Some(HedgeBudget { percent }),
    };
    funding.budget.commit_margin = section.commit_margin;
    funding.budget.write_margin = section.write_margin;
    funding.budget.ask_max = section.ask_within;
    funding.programs = file
        .program
        .iter()
        .filter_map(|program| {
            let account_prefix = program.account_prefix.clone();
            program.ask_within.map(|ask_max| ProgramBudget { account_prefix, ask_max })
        })
        .collect();
    funding.probe_amount_max = section.breaker_probe_amount_max;
    funding.asks_in_flight_max = section.asks_in_flight_max;
    funding.connections_max = section.connections_max;
    funding.streams_per_connection_max = section.streams_per_connection_max;
    funding.duties_in_flight_max = section.duties_in_flight_max;
    funding.duties_pending_max = section.duties_pending_max;
    funding.duty_attempt_timeout = section.duty_within;
    funding.duty_backoff.min = section.duty_pause_min;
    funding.duty_backoff.max = section.duty_pause_max;
    funding.connections_warm = section.connections_warm;
    funding.breaker = section.breaker.then_some(BreakerConfig {
        window: section.breaker_window,
        calls_min: section.breaker_calls_min,
        failure_percent_max: section.breaker_failure_percent_max,
        slow_percent_max: section.breaker_slow_percent_max,
        slow_after_percent: section.breaker_slow_after_percent,
        open_for: Backoff { min: section.breaker_open_min, max: section.breaker_open_max },
        probes_max: section.breaker_probes_max,
        probe_expires: section.breaker_probe_expires,
        probes_to_close: section.breaker_probes_to_close,
    });
}

/// Something must be left of every link's time to ask in.
fn check_margins(file: &ConfigFile, faults: &mut Faults) {
    let section = &file.funding;
    for (index, link) in file.link.iter().enumerate() {
        if link.ask_within.is_some_and(|within| within.is_zero() || within >= link.answer_within) {
            faults.add(
                format!("link[{index}].ask_within"),
                format!("more than 0s and less than answer_within ({:?}) is allowed", link.answer_within),
            );
        }
        let margins = section.commit_margin.saturating_add(section.write_margin);
        if margins >= link.answer_within {
            faults.add(
                "funding.commit_margin",
                format!(
                    "with write_margin it takes {margins:?}, and link {:?} must answer within {:?}: no time \
                     is left to ask in",
                    link.name, link.answer_within
                ),
            );
        }
    }
}

fn check_programs(file: &ConfigFile, faults: &mut Faults) {
    for (index, program) in file.program.iter().enumerate() {
        let key = format!("program[{index}]");
        if program.name.is_empty() || program.account_prefix.is_empty() {
            faults.add(&key, "name or account_prefix is empty; both are at least one character");
        }
        let earlier = || file.program.iter().take(index);
        if earlier().any(|other| other.name == program.name) {
            faults.add(&key, format!("{:?} names two programs, names differ", program.name));
        }
        if earlier().any(|other| other.account_prefix == program.account_prefix) {
            faults
                .add(&key, format!("two programs begin with {:?}, prefixes differ", program.account_prefix));
        }
        if program.ask_within.is_some_and(|within| within.is_zero() || within > file.funding.ask_within) {
            faults.add(
                format!("{key}.ask_within"),
                format!(
                    "more than 0s and at most funding.ask_within ({:?}) is allowed",
                    file.funding.ask_within
                ),
            );
        }
    }
}
