//! The program's rules without rings: each is answered by reading the list of all transactions.

use super::Model;
use super::uses::Counting;
use authorizer::{Counted, Demand, Group, Requirement, Rule, Velocity, When};
use domain::{
    Amounts, Asset, Authorization, AvsResult, CountryCode, CryptogramResult, Cvv2Result, Failure,
    LimitBreach, LimitOwner, Measure, PinResult, Reason, RuleAmount, RuleBreach, RuleFinding,
    SecurityResults, Span, ThreeDSecure, Timestamp, TransactionType,
};

impl Model {
    /// Every verification result and every rule of the program that the request breaks, in no particular order.
    pub(super) fn broken_program_rules(
        &self,
        card: u32,
        request: &Authorization,
        amounts: Option<Amounts>,
        now: Timestamp,
    ) -> Vec<Failure> {
        let rules = &self.policy.rules;
        let results = &request.details.security;
        let mut broken: Vec<Failure> = rules
            .refused_results()
            .iter()
            .filter(|reason| says(results, **reason))
            .map(|reason| Failure::from(*reason))
            .collect();
        for rule in rules.all().iter().filter(|rule| self.applies(rule, card, request, amounts)) {
            let breach = RuleBreach { rule: rule.name, mode: rule.mode, finding: RuleFinding::Plain };
            let found = match &rule.demand {
                Demand::Deny => vec![denied(rule, request)],
                Demand::Require(requirements) => {
                    requirements.iter().filter_map(|requirement| missing(*requirement, results)).collect()
                }
                Demand::Velocity(velocity) => {
                    self.too_fast(velocity, &rule.when, card, request, amounts, now)
                }
            };
            broken.extend(
                found.into_iter().map(|failure| Failure {
                    rule: failure
                        .rule
                        .map(|found| RuleBreach { finding: found.finding, ..breach })
                        .or(Some(breach)),
                    ..failure
                }),
            );
        }
        broken
    }

    fn applies(&self, rule: &Rule, card: u32, request: &Authorization, amounts: Option<Amounts>) -> bool {
        let when = &rule.when;
        let score = match (when.score_from, request.details.score) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(from), Some(score)) => score.0 >= from.0,
        };
        let country = !when.new_country
            || request.merchant.country.is_some_and(|country| self.is_new_to(card, country));
        let amount = when.amount_above.is_empty()
            || amounts.is_none_or(|amounts| {
                let asset = Asset::of(amounts.card.currency());
                let bound = bound_of(&when.amount_above, &asset);
                bound.is_none_or(|bound| i128::from(amounts.card.minor()) > bound)
            });
        meant(when, request) && score && country && amount
    }

    /// Whether money was taken from the card before, and never in this country.
    fn is_new_to(&self, card: u32, country: CountryCode) -> bool {
        let of_card = self.used_in.iter().filter(|(used, _)| *used == card);
        let used: Vec<CountryCode> = of_card.map(|(_, country)| *country).collect();
        !used.is_empty() && !used.contains(&country)
    }

    fn too_fast(
        &self,
        velocity: &Velocity,
        when: &When,
        card: u32,
        request: &Authorization,
        amounts: Option<Amounts>,
        now: Timestamp,
    ) -> Vec<Failure> {
        if !is_counted(velocity, request, false) {
            return Vec::new();
        }
        let account = self.account_of(card);
        let asset = match velocity.owner {
            LimitOwner::Card => Asset::of(self.card(card).issued.currency),
            LimitOwner::Account => self.asset_of(account),
        };
        let of_owner = |amounts: &Amounts| match velocity.owner {
            LimitOwner::Card => i128::from(amounts.card.minor()),
            LimitOwner::Account => amounts.units.0,
        };
        let newest = Timestamp::from_micros(i64::try_from(self.last_number).expect("a time of our times"));
        let now = now.max(newest);
        let (mut amount, mut count) = (0, 0_i128);
        for found in &self.uses {
            let is_owners = match velocity.owner {
                LimitOwner::Card => found.card == card,
                LimitOwner::Account => self.account_of(found.card) == account,
            };
            let at = Timestamp::from_micros(i64::try_from(found.number).expect("a time of our times"));
            let past = &found.request;
            let is_counted = is_counted(velocity, past, found.forced) && meant(when, past);
            if is_owners && is_counted && now.since(at) < velocity.over {
                amount += of_owner(&found.left()).max(0);
                let is_approval = matches!(found.counting, Counting::Payment | Counting::Answer);
                count += i128::from(match velocity.counted {
                    Counted::Approvals => is_approval && !found.uncounted,
                    Counted::Attempts => is_approval || found.counting == Counting::Attempt,
                });
            }
        }
        let breach = |measure, max: i128, used: i128, asked: i128| {
            let seconds = u32::try_from(velocity.over.as_secs()).expect("days");
            let (owner, span) = (velocity.owner, Span::Trailing { seconds });
            let limit = LimitBreach { owner, span, measure, max, used, asked };
            (used + asked > max).then_some(Failure {
                reason: Reason::Velocity,
                limit: Some(limit),
                rule: None,
            })
        };
        let by_count = velocity.count_max.and_then(|max| breach(Measure::Count, i128::from(max), count, 1));
        let asked = amounts.as_ref().map(of_owner).filter(|_| !velocity.amount_max.is_empty());
        let by_amount = asked.and_then(|asked| {
            breach(Measure::Amount, bound_of(&velocity.amount_max, &asset).unwrap_or(0), amount, asked)
        });
        by_count.into_iter().chain(by_amount).collect()
    }
}

/// What a bound is in the smallest units of an asset.
fn bound_of(amounts: &[RuleAmount], asset: &Asset) -> Option<i128> {
    let amount = amounts.iter().find(|amount| amount.code == asset.code())?;
    let text = amount.value.trunc_with_scale(u32::from(asset.decimals())).to_string();
    asset.parse(&text).ok().map(|units| units.0)
}

/// Whether the conditions that the past can be asked about hold for a request.
fn meant(when: &When, request: &Authorization) -> bool {
    let mcc = request.merchant.mcc.map(|mcc| mcc.0);
    let country = request.merchant.country;
    let listed = |ranges: &[std::ops::RangeInclusive<u16>]| {
        mcc.is_some_and(|mcc| ranges.iter().any(|range| *range.start() <= mcc && mcc <= *range.end()))
    };
    let conditions = [
        when.types.is_empty() || when.types.contains(&request.transaction_type()),
        when.mcc.is_empty() || listed(&when.mcc),
        !listed(&when.mcc_except),
        when.countries.is_empty() || country.is_some_and(|country| when.countries.contains(&country)),
        !country.is_some_and(|country| when.countries_except.contains(&country)),
        when.presence.is_empty() || when.presence.contains(&request.details.presence),
        when.initiator.is_empty() || when.initiator.contains(&request.details.initiator),
        when.entry_modes.is_empty()
            || request.entry_mode.is_some_and(|mode| when.entry_modes.contains(&(mode.0 / 10))),
    ];
    conditions.iter().all(|holds| *holds)
}

fn is_counted(velocity: &Velocity, request: &Authorization, forced: bool) -> bool {
    let kind = request.transaction_type();
    let group = if forced {
        Group::Forced
    } else if kind == TransactionType::Cash {
        Group::Cash
    } else if kind.is_debit() {
        Group::Purchases
    } else if kind.is_credit() {
        Group::Credits
    } else if kind.is_inquiry() {
        Group::Inquiries
    } else {
        return false;
    };
    velocity.include.contains(&group)
}

fn denied(rule: &Rule, request: &Authorization) -> Failure {
    let (reason, finding) = match (rule.when.score_from, request.details.score, request.merchant.country) {
        (Some(refused_from), Some(found), _) => {
            (Reason::RiskScore, RuleFinding::Score { found, refused_from })
        }
        (_, _, Some(country)) if rule.when.new_country => {
            (Reason::NewCountry, RuleFinding::NewCountry(country))
        }
        _ => (Reason::RuleDenied, RuleFinding::Plain),
    };
    let breach = RuleBreach { rule: rule.name, mode: rule.mode, finding };
    Failure { reason, limit: None, rule: Some(breach) }
}

/// Whether the results say that something is wrong in this way.
fn says(results: &SecurityResults, reason: Reason) -> bool {
    let wrong_address = [AvsResult::NoMatch, AvsResult::PostalCodeOnly, AvsResult::AddressOnly];
    [
        (Reason::PinWrong, results.pin == PinResult::Wrong),
        (Reason::PinTriesExceeded, results.pin == PinResult::TriesExceeded),
        (Reason::Cvv2Mismatch, results.cvv2 == Cvv2Result::NoMatch),
        (Reason::CryptogramInvalid, results.cryptogram == CryptogramResult::Invalid),
        (
            Reason::AuthenticationFailed,
            results.three_d_secure == ThreeDSecure::Failed
                || results.authentication_value == CryptogramResult::Invalid,
        ),
        (Reason::AddressMismatch, wrong_address.contains(&results.avs)),
    ]
    .contains(&(reason, true))
}

/// What is said when a demand is not met: that something is wrong, or that it is missing.
fn missing(requirement: Requirement, results: &SecurityResults) -> Option<Failure> {
    let protected = [ThreeDSecure::Authenticated, ThreeDSecure::Attempted].contains(&results.three_d_secure);
    let forged = results.authentication_value == CryptogramResult::Invalid;
    let exempt = results.three_d_secure == ThreeDSecure::Exempt;
    let (met, wrong, otherwise) = match requirement {
        Requirement::ThreeDSecure | Requirement::ThreeDSecureOrExempt => (
            protected && !forged || exempt && requirement == Requirement::ThreeDSecureOrExempt,
            (results.three_d_secure == ThreeDSecure::Failed || protected && forged)
                .then_some(Reason::AuthenticationFailed),
            Reason::AuthenticationRequired,
        ),
        Requirement::Cvv2Match => (
            results.cvv2 == Cvv2Result::Match,
            (results.cvv2 == Cvv2Result::NoMatch).then_some(Reason::Cvv2Mismatch),
            Reason::VerificationRequired,
        ),
        Requirement::AvsMatch | Requirement::PostalCodeMatch => (
            results.avs == AvsResult::Match
                || results.avs == AvsResult::PostalCodeOnly && requirement == Requirement::PostalCodeMatch,
            says(results, Reason::AddressMismatch).then_some(Reason::AddressMismatch),
            Reason::VerificationRequired,
        ),
        Requirement::CryptogramValid => (
            results.cryptogram == CryptogramResult::Valid,
            (results.cryptogram == CryptogramResult::Invalid).then_some(Reason::CryptogramInvalid),
            Reason::VerificationRequired,
        ),
        Requirement::PinVerified => (
            results.pin == PinResult::Verified,
            match results.pin {
                PinResult::Wrong => Some(Reason::PinWrong),
                PinResult::TriesExceeded => Some(Reason::PinTriesExceeded),
                PinResult::Absent | PinResult::Verified | PinResult::NotChecked => None,
            },
            Reason::VerificationRequired,
        ),
    };
    (!met).then(|| Failure::from(wrong.unwrap_or(otherwise)))
}
