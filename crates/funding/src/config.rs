//! What the funding part is told at start, checked once.
//!
//! Every bound is named here. The number of sockets follows from three of them, because HTTP/1.1 carries one
//! exchange at a time on a connection: [`FundingConfig::connections_max`].

use crate::backoff::Backoff;
use crate::breaker::BreakerConfig;
use crate::budget::Budget;
use crate::signature::Keys;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Where the balance service is: `http://host[:port][/base]`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    host: String,
    port: u16,
    base: String,
}

/// Why an endpoint was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "endpoint {found:?}: {problem}; allowed is http://host[:port][/base], such as \"http://127.0.0.1:8584\""
)]
pub struct EndpointError {
    found: String,
    problem: &'static str,
}

impl Endpoint {
    /// Host and port, as the `Host` header carries them.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The name or address to connect to.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What stands before the paths of the contract: empty, or `/base` without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let refused = |problem| EndpointError { found: text.chars().take(200).collect(), problem };
        let uri: http::Uri = text.parse().map_err(|_| refused("not a URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some(_) | None => return Err(refused("the scheme is not http")),
        }
        let authority = uri.authority().ok_or_else(|| refused("there is no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("a user name or password does not belong here"));
        }
        if authority.host().is_empty() {
            return Err(refused("there is no host"));
        }
        if uri.query().is_some() {
            return Err(refused("a query does not belong here"));
        }
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { host: authority.host().to_owned(), port: uri.port_u16().unwrap_or(80), base })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.base)
    }
}

/// Everything the funding part is told. [`FundingConfig::new`] has a default for all but endpoint and keys.
#[derive(Clone, Debug)]
pub struct FundingConfig {
    /// Where the balance service is.
    pub endpoint: Endpoint,
    /// Signs what we send.
    pub request_keys: Keys,
    /// Verifies the answers to asks; `None` when the service does not sign.
    pub answer_keys: Option<Keys>,
    /// How the processor's time is split.
    pub budget: Budget,
    /// When to leave a failing service alone; `None` to ask whatever happens.
    pub breaker: Option<BreakerConfig>,
    /// Asks that may be open at once. One more is refused at once; there is no queue.
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
    /// Connections that are kept open ahead of need.
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
            endpoint,
            request_keys,
            answer_keys: None,
            budget: Budget {
                commit_margin: Duration::from_millis(50),
                write_margin: Duration::from_millis(150),
                ask_max: Duration::from_millis(1_800),
                ask_min: Duration::from_millis(5),
            },
            breaker: None,
            asks_in_flight_max: 256,
            duties_in_flight_max: 16,
            late_answers_max: 64,
            late_answer_wait: Duration::from_secs(2),
            duties_pending_max: 100_000,
            duty_attempt_timeout: Duration::from_secs(5),
            duty_backoff: Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) },
            seed: 0,
            connections_warm: 8,
            connection_idle_max: Duration::from_secs(4),
            connection_age_max: Duration::from_mins(5),
            lookup_interval: Duration::from_secs(30),
            answer_bytes_max: 16 * 1024,
        }
    }

    /// The most sockets that can be open to the service at once.
    #[must_use]
    pub const fn connections_max(&self) -> usize {
        self.asks_in_flight_max
            .saturating_add(self.duties_in_flight_max)
            .saturating_add(self.late_answers_max)
    }

    /// Checks what cannot work, and returns the first such setting.
    pub fn check(&self) -> Result<(), FundingConfigError> {
        // More sockets than a host has ports towards one address are a mistake, and so is memory without end.
        let counts = [
            ("asks_in_flight_max", self.asks_in_flight_max, 1..=65_535, "1 to 65535"),
            ("duties_in_flight_max", self.duties_in_flight_max, 1..=65_535, "1 to 65535"),
            ("late_answers_max", self.late_answers_max, 0..=65_535, "0 to 65535"),
            ("duties_pending_max", self.duties_pending_max, 1..=10_000_000, "1 to 10000000"),
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
        if self.connections_warm > self.asks_in_flight_max {
            let found = self.connections_warm.to_string();
            let allowed = "at most asks_in_flight_max";
            return Err(FundingConfigError { key: "connections_warm", found, allowed });
        }
        self.breaker.map_or(Ok(()), check_breaker)
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
    fn an_endpoint_is_read_with_its_base_path() {
        let endpoint: Endpoint = "http://balance.internal/cards/".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.port(), endpoint.base()), ("balance.internal", 80, "/cards"));
        let endpoint: Endpoint = "http://[::1]:8584".parse().unwrap();
        assert_eq!((endpoint.host(), endpoint.base()), ("::1", ""));
        assert_eq!(endpoint.authority(), "[::1]:8584");
        assert_eq!(endpoint.to_string(), "http://[::1]:8584");
    }

    #[test]
    fn other_endpoints_are_refused_with_a_reason() {
        for (bad, problem) in [
            ("https://127.0.0.1", "the scheme is not http"),
            ("127.0.0.1:8584", "the scheme is not http"),
            ("http://", "not a URL"),
            ("http://user:password@host", "a user name or password does not belong here"),
            ("http://host/?key=1", "a query does not belong here"),
        ] {
            let error = bad.parse::<Endpoint>().unwrap_err();
            assert_eq!(error.problem, problem, "{bad}");
        }
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
        assert_eq!(config().connections_max(), 336);
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
