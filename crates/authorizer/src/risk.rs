//! The rules of the card program: what they are, and what a request breaks of them.
//!
//! A rule has conditions and one demand: refuse, require a verification, or keep within a velocity. In mode `shadow` it
//! records what it would have done. Rules are configuration; facts carry their results, so replay asks none.

use crate::risk_conditions::When;
use crate::security::{self, Requirement};
use crate::shard::{Account, Card};
use crate::velocity::Velocity;
use crate::velocity_ring::Traits;
use domain::{
    Amounts, Asset, Authorization, Failure, LimitOwner, Reason, RuleBreach, RuleFinding, RuleMode, RuleName,
    Timestamp,
};
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

    pub(crate) const fn buckets_max(&self) -> usize {
        self.buckets_max
    }

    /// Adds every result and every rule that `request` breaks. `amounts` is what it would take, where that can be
    /// told; `now` never lies before the newest transaction.
    pub(crate) fn check(
        &self,
        request: &Authorization,
        amounts: Option<Amounts>,
        card: &Card,
        account: &Account,
        now: Timestamp,
        failures: &mut Vec<Failure>,
    ) {
        let results = &request.details.security;
        let refused = security::wrong(results).filter(|reason| self.refused_results.contains(reason));
        failures.extend(refused.map(Failure::from));
        if self.rules.is_empty() {
            return;
        }
        let traits = Traits::of(request);
        for rule in &self.rules {
            if !rule.applies(request, &traits, amounts, card) {
                continue;
            }
            let breach = RuleBreach { rule: rule.name, mode: rule.mode, finding: RuleFinding::Plain };
            let by_rule = |failure: Failure| Failure { rule: Some(breach), ..failure };
            match &rule.demand {
                Demand::Deny => {
                    let (reason, finding) = rule.why_denied(request);
                    let breach = RuleBreach { finding, ..breach };
                    failures.push(Failure { reason, limit: None, rule: Some(breach) });
                }
                Demand::Require(requirements) => {
                    let unmet = requirements.iter().filter_map(|requirement| requirement.unmet(results));
                    failures.extend(unmet.map(Failure::from).map(by_rule));
                }
                Demand::Velocity(velocity) => {
                    let (asked, ring, asset) = match velocity.owner {
                        LimitOwner::Card => (
                            amounts.map(|amounts| i128::from(amounts.card.minor())),
                            card.recent.as_deref(),
                            Asset::of(card.currency),
                        ),
                        LimitOwner::Account => {
                            (amounts.map(|amounts| amounts.units.0), account.recent.as_deref(), account.asset)
                        }
                    };
                    let broken = velocity.check(&rule.when, &traits, asked, ring, &asset, now);
                    failures.extend(broken.into_iter().flatten().map(by_rule));
                }
            }
        }
    }
}

impl Rule {
    fn applies(
        &self,
        request: &Authorization,
        traits: &Traits,
        amounts: Option<Amounts>,
        card: &Card,
    ) -> bool {
        let when = &self.when;
        let score_reached = || request.details.score >= when.score_from;
        let is_new = || traits.country.is_some_and(|country| card.countries.is_new(country));
        when.matches(traits)
            && (when.score_from.is_none() || score_reached())
            && (!when.new_country || is_new())
            && (when.amount_above.is_empty() || when.is_above(amounts))
    }

    /// The reason of a refusal: the most telling of the rule's conditions.
    fn why_denied(&self, request: &Authorization) -> (Reason, RuleFinding) {
        if let (Some(refused_from), Some(found)) = (self.when.score_from, request.details.score) {
            return (Reason::RiskScore, RuleFinding::Score { found, refused_from });
        }
        match request.merchant.country.filter(|_| self.when.new_country) {
            Some(country) => (Reason::NewCountry, RuleFinding::NewCountry(country)),
            None => (Reason::RuleDenied, RuleFinding::Plain),
        }
    }
}
