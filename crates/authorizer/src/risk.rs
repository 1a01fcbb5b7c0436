//! The rules of the card program: what they are, and what a request breaks of them.
//!
//! A rule has conditions and one demand: refuse, require a verification, or keep within a velocity. In mode `shadow` it
//! records what it would have done. Rules are configuration; facts carry their results, so replay asks none.

use crate::risk_conditions::When;
use crate::security::Requirement;
use crate::velocity::Velocity;
use domain::{LimitOwner, Reason, RuleMode, RuleName};
use std::time::Duration;

/// One rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// What people call it.
    pub name: RuleName,
    /// Whether it declines.
    pub mode: RuleMode,
    /// When it applies.
    pub when: When,
    /// What it demands then.
    pub demand: Demand,
}

/// What a rule demands where it applies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Demand {
    /// That there is no such request.
    Deny,
    /// That all of these were verified.
    Require(Vec<Requirement>),
    /// That not too much happens in too short a time.
    Velocity(Velocity),
}

/// All rules in force, fixed while the switch runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rules {
    refused_results: Vec<Reason>,
    rules: Vec<Rule>,
    /// How far the rules look back, on cards and on accounts; zero where none does.
    horizons: [Duration; 2],
    buckets_max: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self::new(Self::REFUSED_RESULTS.to_vec(), Vec::new(), Self::BUCKETS_MAX)
    }
}

impl Rules {
    /// Results of others' checks that decline by themselves unless configured otherwise. A wrong address does not: too
    /// many cardholders have moved, or mistype.
    pub const REFUSED_RESULTS: [Reason; 5] = [
        Reason::PinWrong,
        Reason::PinTriesExceeded,
        Reason::Cvv2Mismatch,
        Reason::CryptogramInvalid,
        Reason::AuthenticationFailed,
    ];

    /// Results that can decline by themselves.
    pub const REFUSABLE_RESULTS: [Reason; 6] = [
        Reason::PinWrong,
        Reason::PinTriesExceeded,
        Reason::Cvv2Mismatch,
        Reason::CryptogramInvalid,
        Reason::AuthenticationFailed,
        Reason::AddressMismatch,
    ];

    /// Buckets kept of one card or account.
    pub const BUCKETS_MAX: usize = 64;

    /// Rules, and results that decline by themselves.
    #[must_use]
    pub fn new(refused_results: Vec<Reason>, rules: Vec<Rule>, buckets_max: usize) -> Self {
        let horizon = |owner: LimitOwner| {
            let windows = rules.iter().filter_map(|rule| match &rule.demand {
                Demand::Velocity(velocity) if velocity.owner == owner => Some(velocity.over),
                Demand::Velocity(_) | Demand::Deny | Demand::Require(_) => None,
            });
            windows.max().unwrap_or(Duration::ZERO)
        };
        let horizons = [horizon(LimitOwner::Card), horizon(LimitOwner::Account)];
        Self { refused_results, rules, horizons, buckets_max }
    }

    /// Every rule, in the order of the configuration.
    #[must_use]
    pub fn all(&self) -> &[Rule] {
        &self.rules
    }

    /// Results of others' checks that decline by themselves.
    #[must_use]
    pub fn refused_results(&self) -> &[Reason] {
        &self.refused_results
    }

    /// How far back anything has to be kept; zero: nothing.
    pub(crate) const fn horizon(&self, owner: LimitOwner) -> Duration {
        let [card, account] = self.horizons;
        match owner {
            LimitOwner::Card => card,
            LimitOwner::Account => account,
        }
    }

    /// Whether any rule looks back, so that something has to be kept.
    pub(crate) const fn look_back(&self) -> bool {
        let [card, account] = self.horizons;
        !(card.is_zero() && account.is_zero())
    }

    pub(crate) const fn buckets_max(&self) -> usize {
        self.buckets_max
    }
}
