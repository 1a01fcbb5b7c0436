//! What the naive model knows of questions that move nothing, of parts, and of how long holds last.

use super::{Model, Outcome};
use authorizer::{Answer, Caller, Change, Command, TransactionState};
use domain::{
    Amounts, ApprovalCode, Asset, Authorization, Balances, Failure, Initiator, Moment, Money,
    PartialApproval, Presence, Purpose, Reason, TransactionId, TransactionNo, Units,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

impl Model {
    /// Whether the model plays this command. What it does not play is checked by the invariants alone.
    #[must_use]
    pub fn plays(&self, command: &Command) -> bool {
        match command {
            Command::Authorize { request, .. } => {
                let details = &request.details;
                let kind = request.processing_code.0 / 10_000;
                !request.class.is_financial()
                    && !matches!(kind, 20 | 26 | 28 | 33 | 39)
                    && details.purpose != Purpose::Verification
                    && !details.incremental
                    && !details.balances_wanted
                    && details.original.is_none()
            }
            Command::Reverse { reversal, .. } => reversal.new_total.is_none(),
            Command::Change { change, .. } => !matches!(
                **change,
                Change::ReleaseHold { .. } | Change::TellBalance { .. } | Change::OrderStandIn(_)
            ),
            Command::AnswerLost { .. } | Command::NoteDecline { .. } | Command::ServiceTold { .. } => false,
            // It declines whatever the service leaves open.
            Command::AskEnded { .. } => self.policy.stand_in.programs().is_empty(),
            Command::DutyAcknowledged { .. } | Command::Inquire { .. } | Command::Tick | Command::Resume => {
                true
            }
        }
    }

    /// A balance inquiry. The card must be good and its controls must let it pass; money is not asked for.
    pub(super) fn question(
        &mut self,
        card: u32,
        request: Authorization,
        refused: Option<Reason>,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let nothing = super::requests::Price::nothing();
        let mut failures = self.broken_rules(card, &request, &nothing, now);
        failures.retain(|failure| failure.reason != Reason::TooManyHolds);
        failures.extend(refused.map(Failure::from));
        let inquiry = is_question(&request);
        let told = self.balances_in_card_currency(card, now).filter(|_| inquiry);
        if inquiry && told.is_none() {
            failures.push(Reason::FundingUnavailable.into());
        }
        let nothing = Amounts { card: super::money(0, self.card(card).issued.currency), units: Units::ZERO };
        failures.extend(self.broken_program_rules(card, &request, Some(nothing), now.utc));
        let failures = super::requests::in_order_of_precedence(&failures);
        let passes = !request.class.is_request() || failures.iter().all(super::requests::is_shadow);
        let mut new = self.new_transaction(card, request, now);
        new.state = if passes { TransactionState::Answered } else { TransactionState::Declined };
        let reason = if passes { Reason::Approved } else { failures[0].reason };
        (new.reason, new.failures) = (Some(reason), failures);
        new.told = told.filter(|_| passes);
        let id = TransactionId { shard: self.shard, number: TransactionNo(new.number) };
        let answer = Answer::Authorization {
            reason,
            approval_code: passes.then(|| ApprovalCode::of(id)),
            part: None,
            balances: new.told,
            limit: None,
            path: self.path(card),
        };
        self.transactions.push(new);
        out.answers.push((caller, answer));
    }

    /// Both balances of a pre-funded card's account, rounded down to the card's currency.
    fn balances_in_card_currency(&self, card: u32, now: Moment) -> Option<Balances> {
        if self.is_jit(card) {
            return None;
        }
        let (account, currency) = (self.account_of(card), self.card(card).issued.currency);
        let (asset, near) = (self.asset_of(account), Asset::of(currency));
        let balance = self.balance(account);
        let rate = self.rates.iter().rev().find(|rate| (rate.from, rate.to) == (near.code(), asset.code()));
        let rate = rate.filter(|rate| now.utc.since(rate.as_of) <= rate.max_age);
        let money = |units: i128| -> Option<Money> {
            if asset == near {
                return Some(super::money(units, currency));
            }
            let value = rate?.value;
            let up = units * 10_i128.pow(u32::from(near.decimals())) * 10_i128.pow(value.scale());
            let down = 10_i128.pow(u32::from(asset.decimals())) * value.mantissa();
            Some(super::money(up.div_euclid(down), currency))
        };
        Some(Balances { ledger: money(balance.ledger.0)?, available: money(balance.available().0)? })
    }

    /// The part of a purchase that the account can pay, if money is all that is missing (E7).
    pub(super) fn part(
        &self,
        card: u32,
        request: &Authorization,
        whole: Amounts,
        failures: &[Failure],
    ) -> Option<(Amounts, Money)> {
        let deciding = || failures.iter().filter(|failure| !super::requests::is_shadow(failure));
        if request.partial != PartialApproval::Supported
            || self.is_jit(card)
            || deciding().any(|failure| failure.reason != Reason::InsufficientFunds)
        {
            return None;
        }
        let available = self.balance(self.account_of(card)).available().0;
        let minor = i128::from(whole.card.minor());
        let covered = minor * available / whole.units.0;
        if available <= 0 || covered <= 0 {
            return None;
        }
        // Rounded up: the part costs at least its share of the whole.
        let units = (whole.units.0 * covered + minor - 1) / minor;
        let asked = i128::from(request.amount.minor());
        let merchant = if request.amount == whole.card { covered } else { asked * covered / minor };
        let amounts = Amounts { card: super::money(covered, whole.card.currency()), units: Units(units) };
        (merchant > 0 && units <= available)
            .then(|| (amounts, super::money(merchant, request.amount.currency())))
    }

    /// How long a hold lasts: the networks' table (E20).
    pub(super) fn hold_for(&self, request: &Authorization) -> Duration {
        let mcc = request.merchant.mcc.map_or(0, |mcc| mcc.0);
        let travel = matches!(mcc, 3351..=3441 | 3501..=3999 | 4411 | 7011..=7012 | 7512..=7519);
        let by_merchant = matches!(request.details.initiator, Initiator::Merchant | Initiator::Recurring);
        if travel || request.details.purpose == Purpose::PreAuthorization {
            30 * DAY
        } else if by_merchant || request.details.presence == Presence::CardPresent {
            5 * DAY
        } else {
            self.policy.hold_for
        }
    }
}

pub(super) fn is_question(request: &Authorization) -> bool {
    matches!(request.processing_code.0 / 10_000, 30 | 31)
}

/// A part is of use to a cardholder who buys something; cash back, quasi-cash and merchants on their own get none.
pub(super) fn with_useful_part(request: Authorization) -> Authorization {
    let kind = matches!(request.processing_code.0 / 10_000, 0 | 1 | 17 | 50..=59);
    let useful = kind && request.details.initiator == Initiator::Cardholder;
    let partial = if useful { request.partial } else { PartialApproval::NotSupported };
    Authorization { partial, ..request }
}
