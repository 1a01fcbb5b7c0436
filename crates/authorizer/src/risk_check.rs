//! Holds one request against the results of others' checks and against every rule of the program.

use crate::risk::{Demand, Rule, Rules};
use crate::security;
use crate::shard::{Account, Card};
use crate::velocity_ring::Traits;
use domain::{
    Amounts, Asset, Authorization, Failure, LimitOwner, Reason, RuleBreach, RuleFinding, SecurityResults,
    Timestamp,
};

impl Rules {
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
        if self.all().is_empty() && *results == SecurityResults::default() {
            return;
        }
        let refused = security::wrong(results).filter(|reason| self.refused_results().contains(reason));
        failures.extend(refused.map(Failure::from));
        if self.all().is_empty() {
            return;
        }
        let traits = Traits::of(request);
        for rule in self.all() {
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
                            card.recent(),
                            Asset::of(card.currency),
                        ),
                        LimitOwner::Account => {
                            (amounts.map(|amounts| amounts.units.0), account.recent(), account.asset)
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
        let is_new = || traits.country.is_some_and(|country| card.countries().is_new(country));
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
