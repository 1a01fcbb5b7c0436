//! What the funding part is told at start, checked once.
//!
//! Every bound is named here. Those on asks and connections hold for each endpoint by itself.

use crate::backoff::Backoff;
use crate::breaker::BreakerConfig;
use crate::budget::{Budget, ProgramBudget};
use crate::connection::Protocol;
use crate::endpoint::Endpoint;
use crate::hedge::HedgeBudget;
use crate::routes::RouteSettings;
use crate::signature::Keys;
use crate::tls::TlsSettings;
use std::time::Duration;

/// How the service says that it is well, beside its answers to asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HealthSettings {
    /// Where a GET answers 200 when all is well, below the base path.
    pub path: String,
    /// How often it is asked.
    pub every: Duration,
}

/// Everything the funding part is told. [`FundingConfig::new`] has a default for all but endpoint and keys.
#[derive(Clone, Debug)]
pub struct FundingConfig {
    /// Where the balance service is, for accounts in none of the `ranges`.
    pub route: RouteSettings,
    /// Where it is for some accounts. No two share an account.
    pub ranges: Vec<RouteSettings>,
    /// Which HTTP is spoken.
    pub protocol: Protocol,
    /// Certificates, for `https` endpoints.
    pub tls: Option<TlsSettings>,
    /// How an endpoint says that it is well; `None` when only asks can tell.
    pub health: Option<HealthSettings>,
    /// Set where the same ask twice reserves once: the slowest asks may then be sent twice.
    pub hedge: Option<HedgeBudget>,
    /// Signs what we send.
    pub request_keys: Keys,
    /// Verifies the answers to asks; `None` when the service does not sign.
    pub answer_keys: Option<Keys>,
    /// How the processor's time is split.
    pub budget: Budget,
    /// Programs whose asks may take less than that.
    pub programs: Vec<ProgramBudget>,
    /// When to leave a failing service alone; `None` to ask whatever happens.
    pub breaker: Option<BreakerConfig>,
    /// Asks of at most so much, in minor units of the card's currency, are preferred as probes of a service that
    /// has failed.
    pub probe_amount_max: i64,
    /// Asks that may be open at once to one endpoint. One more is refused at once; there is no queue.
    pub asks_in_flight_max: usize,
    /// Duties that may be under way at once, on connections of their own.
    pub duties_in_flight_max: usize,
    /// Late answers that may be awaited at once, only to be counted.
    pub late_answers_max: usize,
    /// How long a late answer is awaited.
    pub late_answer_wait: Duration,
    /// Duties that may be owed before no more asks are made (each ask may lead to one).
    pub duties_pending_max: usize,
    /// The most that one attempt at a duty may take.
    pub duty_attempt_timeout: Duration,
    /// The pauses between attempts.
    pub duty_backoff: Backoff,
    /// Seeds the spread of those pauses.
    pub seed: u64,
    /// Connections that may be open to one endpoint, for asks and duties together.
    pub connections_max: usize,
    /// Exchanges that share one connection of HTTP/2; with more, another connection is opened.
    pub streams_per_connection_max: usize,
    /// Connections that are kept open ahead of need, to each endpoint.
    pub connections_warm: usize,
    /// An idle connection older than this is not used again: most servers close theirs after 5 s or more,
    /// and a request written to a connection that is being closed has an unknown outcome.
    pub connection_idle_max: Duration,
    /// A connection older than this is not used again, so that traffic follows the host name to a new address.
    pub connection_age_max: Duration,
    /// How often a host name is looked up again.
    pub lookup_interval: Duration,
    /// The most that an answer's body may have.
    pub answer_bytes_max: usize,
}

/// A setting that cannot work.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("funding.{key} is {found}, allowed is {allowed}")]
pub struct FundingConfigError {
    key: &'static str,
    found: String,
    allowed: &'static str,
}

impl FundingConfig {
    /// The defaults, for a service on the same network.
    #[must_use]
    pub const fn new(endpoint: Endpoint, request_keys: Keys) -> Self {
        Self {
            route: RouteSettings::everybody(endpoint, None),
            ranges: Vec::new(),
            protocol: Protocol::Http1,
            tls: None,
            health: None,
            hedge: None,
            request_keys,
            answer_keys: None,
            budget: Budget {
                commit_margin: Duration::from_millis(50),
                write_margin: Duration::from_millis(150),
                ask_max: Duration::from_millis(1_800),
                ask_min: Duration::from_millis(5),
            },
            programs: Vec::new(),
            breaker: None,
            probe_amount_max: 5_000,
            asks_in_flight_max: 256,
            duties_in_flight_max: 16,
            late_answers_max: 64,
            late_answer_wait: Duration::from_secs(2),
            duties_pending_max: 100_000,
            duty_attempt_timeout: Duration::from_secs(5),
            duty_backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) },
            seed: 0,
            connections_max: 1_024,
            streams_per_connection_max: 64,
            connections_warm: 8,
            connection_idle_max: Duration::from_secs(4),
            connection_age_max: Duration::from_mins(5),
            lookup_interval: Duration::from_secs(30),
            answer_bytes_max: 16 * 1024,
        }
    }

    /// Checks what cannot work, and returns the first such setting.
    pub fn check(&self) -> Result<(), FundingConfigError> {
        // More sockets than a host has ports towards one address are a mistake, and so is memory without end.
        let counts = [
            ("asks_in_flight_max", self.asks_in_flight_max, 1..=65_535, "1 to 65535"),
            ("duties_in_flight_max", self.duties_in_flight_max, 1..=65_535, "1 to 65535"),
            ("late_answers_max", self.late_answers_max, 0..=65_535, "0 to 65535"),
            ("duties_pending_max", self.duties_pending_max, 1..=10_000_000, "1 to 10000000"),
            ("connections_max", self.connections_max, 1..=65_535, "1 to 65535"),
            ("streams_per_connection_max", self.streams_per_connection_max, 1..=10_000, "1 to 10000"),
            ("answer_bytes_max", self.answer_bytes_max, 1..=1_048_576, "1 to 1048576"),
        ];
        for (key, found, range, allowed) in counts {
            if !range.contains(&found) {
                return Err(FundingConfigError { key, found: found.to_string(), allowed });
            }
        }
        let some_time = [
            ("ask_max", self.budget.ask_max),
            ("duty_attempt_timeout", self.duty_attempt_timeout),
            ("duty_backoff.min", self.duty_backoff.min),
            ("connection_idle_max", self.connection_idle_max),
            ("connection_age_max", self.connection_age_max),
            ("lookup_interval", self.lookup_interval),
        ];
        for (key, found) in some_time {
            if found < Duration::from_millis(1) {
                let found = format!("{found:?}");
                return Err(FundingConfigError { key, found, allowed: "1ms or more" });
            }
        }
        if self.duty_backoff.max < self.duty_backoff.min {
            let found = format!("{:?}", self.duty_backoff.max);
            let allowed = "at least duty_backoff.min";
            return Err(FundingConfigError { key: "duty_backoff.max", found, allowed });
        }
        if self.connections_warm > self.asks_in_flight_max.min(self.connections_max) {
            let found = self.connections_warm.to_string();
            let allowed = "at most asks_in_flight_max and connections_max";
            return Err(FundingConfigError { key: "connections_warm", found, allowed });
        }
        self.check_health()?;
        self.check_routes()?;
        self.breaker.map_or(Ok(()), check_breaker)
    }
}

impl FundingConfig {
    fn check_health(&self) -> Result<(), FundingConfigError> {
        if let Some(HedgeBudget { percent }) = self.hedge
            && !(1..=5).contains(&percent)
        {
            let found = percent.to_string();
            return Err(FundingConfigError { key: "hedge_percent", found, allowed: "1 to 5" });
        }
        let Some(health) = &self.health else { return Ok(()) };
        let path = &health.path;
        if !path.starts_with('/') || path.parse::<http::uri::PathAndQuery>().is_err() {
            let allowed = "a path that starts with a slash";
            return Err(FundingConfigError { key: "health_path", found: format!("{path:?}"), allowed });
        }
        if health.every < Duration::from_millis(10) {
            let found = format!("{:?}", health.every);
            return Err(FundingConfigError { key: "health_every", found, allowed: "10ms or more" });
        }
        Ok(())
    }

    fn check_routes(&self) -> Result<(), FundingConfigError> {
        let all = || std::iter::once(&self.route).chain(&self.ranges);
        let encrypted = all()
            .flat_map(|route| std::iter::once(&route.primary).chain(&route.standby))
            .find(|endpoint| endpoint.scheme() == crate::endpoint::Scheme::Https);
        if let (None, Some(endpoint)) = (&self.tls, encrypted) {
            let allowed = "http, or https with a file of authorities";
            return Err(FundingConfigError { key: "endpoint", found: endpoint.to_string(), allowed });
        }
        for (index, range) in self.ranges.iter().enumerate() {
            let named = || format!("{:?} to {:?}", range.accounts_from, range.accounts_below);
            if !range.accounts_below.is_empty() && range.accounts_from >= range.accounts_below {
                let allowed = "accounts_from before accounts_below";
                return Err(FundingConfigError { key: "range", found: named(), allowed });
            }
            if self.ranges.iter().take(index).any(|other| other.overlaps(range)) {
                let allowed = "ranges that share no account";
                return Err(FundingConfigError { key: "range", found: named(), allowed });
            }
        }
        Ok(())
    }
}

fn check_breaker(breaker: BreakerConfig) -> Result<(), FundingConfigError> {
    let counts = [
        ("breaker.calls_min", breaker.calls_min, u32::MAX, "1 or more"),
        ("breaker.probes_max", breaker.probes_max, u32::MAX, "1 or more"),
        ("breaker.probes_to_close", breaker.probes_to_close, u32::MAX, "1 or more"),
        ("breaker.failure_percent_max", breaker.failure_percent_max, 100, "1 to 100"),
        ("breaker.slow_percent_max", breaker.slow_percent_max, 100, "1 to 100"),
        ("breaker.slow_after_percent", breaker.slow_after_percent, 100, "1 to 100"),
    ];
    for (key, found, most, allowed) in counts {
        if found == 0 || found > most {
            return Err(FundingConfigError { key, found: found.to_string(), allowed });
        }
    }
    let times = [
        ("breaker.window", breaker.window),
        ("breaker.open_for.min", breaker.open_for.min),
        ("breaker.probe_expires", breaker.probe_expires),
    ];
    for (key, found) in times {
        if found < Duration::from_millis(1) {
            return Err(FundingConfigError { key, found: format!("{found:?}"), allowed: "1ms or more" });
        }
    }
    if breaker.open_for.max < breaker.open_for.min {
        let (key, found) = ("breaker.open_for.max", format!("{:?}", breaker.open_for.max));
        return Err(FundingConfigError { key, found, allowed: "at least breaker.open_for.min" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Secret;

    fn config() -> FundingConfig {
        let secret = Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap();
        FundingConfig::new("http://127.0.0.1:8584".parse().unwrap(), Keys::new(secret))
    }

    #[test]
    fn a_printed_configuration_holds_no_key() {
        let printed = format!("{:?}", FundingConfig { answer_keys: Some(config().request_keys), ..config() });
        assert_eq!(printed.matches("Secret(****)").count(), 2, "{printed}");
        assert!(!printed.contains("whsec_") && !printed.contains("AAAA"));
    }

    #[test]
    fn the_defaults_work_and_what_cannot_work_is_named() {
        assert_eq!(config().check(), Ok(()));
        let broken = FundingConfig { asks_in_flight_max: 0, ..config() };
        let error = broken.check().unwrap_err().to_string();
        assert_eq!(error, "funding.asks_in_flight_max is 0, allowed is 1 to 65535");
        let broken = FundingConfig { late_answers_max: usize::MAX, ..config() };
        assert!(broken.check().unwrap_err().to_string().ends_with("allowed is 0 to 65535"));
        let broken = FundingConfig { connections_warm: 257, ..config() };
        assert!(broken.check().unwrap_err().to_string().contains("at most asks_in_flight_max"));
        let backoff = Backoff { min: Duration::from_secs(2), max: Duration::from_secs(1) };
        let broken = FundingConfig { duty_backoff: backoff, ..config() };
        assert!(broken.check().unwrap_err().to_string().contains("duty_backoff.max is 1s"));
        let https = RouteSettings::everybody("https://balance".parse().unwrap(), None);
        let error = FundingConfig { route: https, ..config() }.check().unwrap_err().to_string();
        assert!(error.contains("https with a file of authorities"), "{error}");
        let range = |from: &str, below: &str| RouteSettings {
            accounts_from: from.into(),
            accounts_below: below.into(),
            ..config().route
        };
        for (ranges, problem) in [
            (vec![range("m", "a")], "accounts_from before accounts_below"),
            (vec![range("a", "m"), range("l", "")], "ranges that share no account"),
        ] {
            let error = FundingConfig { ranges, ..config() }.check().unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
        let hedge = Some(HedgeBudget { percent: 6 });
        assert!(FundingConfig { hedge, ..config() }.check().is_err());
        let budget = Budget { ask_max: Duration::ZERO, ..config().budget };
        assert!(FundingConfig { budget, ..config() }.check().is_err());
        let sound = BreakerConfig::default();
        assert_eq!(FundingConfig { breaker: Some(sound), ..config() }.check(), Ok(()));
        let breaker = Some(BreakerConfig { slow_percent_max: 101, ..sound });
        let error = FundingConfig { breaker, ..config() }.check().unwrap_err().to_string();
        assert_eq!(error, "funding.breaker.slow_percent_max is 101, allowed is 1 to 100");
        let breaker = Some(BreakerConfig { probes_max: 0, ..sound });
        assert!(FundingConfig { breaker, ..config() }.check().is_err());
    }
}
