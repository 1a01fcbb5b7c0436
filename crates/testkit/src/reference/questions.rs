//! What the naive model knows of questions that move nothing, of parts, and of how long holds last.

use super::arithmetic::{self, Exact, Side};
use super::pricing::{self, Terms};
use super::requests::{Incoming, is_shadow};
use super::uses::Counting;
use super::{Model, Outcome, Transaction};
use authorizer::TransactionState;
use domain::{
    Amounts, Asset, Authorization, Balances, Failure, Initiator, Margins, MessageClass, Moment, Money,
    PartialApproval, Presence, Purpose, Reason, Timestamp, TransactionType, Units,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

impl Model {
    /// A balance inquiry or a verification. The card must be good and its controls must let it pass; no money is asked
    /// for. And what tells of a kind that is not served: it is taken note of.
    pub(super) fn question(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, refused, now, .. } = incoming;
        let kind = request.transaction_type();
        let mut failures = self.broken_card_rules(card, &request, now);
        failures.extend(refused.map(Failure::from));
        if request.class.is_request() && now.mono >= request.deadline {
            failures.push(Reason::DeadlinePassed.into());
        }
        let inquiry = kind == TransactionType::BalanceInquiry;
        let wanted = inquiry || request.details.balances_wanted;
        let margins = self.margins_of(card, &request);
        let told = self.balances_in_card_currency(card, (Units::ZERO, Units::ZERO), margins, now);
        let told = told.filter(|_| wanted);
        if inquiry && told.is_none() {
            failures.push(Reason::FundingUnavailable.into());
        }
        let nothing = self.nothing(card);
        let failures = self.with_program_rules(card, &request, Some(nothing), failures, now.utc);
        if request.class.is_request() && !failures.iter().all(is_shadow) {
            return self.decline(incoming, failures, out);
        }
        let verified = kind == TransactionType::AccountVerification;
        let reason = if verified { Reason::NoReasonToDecline } else { Reason::Approved };
        self.note(incoming, reason, told, failures, out);
    }

    /// Says yes and moves nothing.
    pub(super) fn note(
        &mut self,
        incoming: Incoming,
        reason: Reason,
        told: Option<Balances>,
        flags: Vec<Failure>,
        out: &mut Outcome,
    ) {
        let mut new = self.new_transaction(incoming.card, incoming.request, incoming.now);
        (new.state, new.reason) = (TransactionState::Answered, Some(reason));
        (new.told, new.failures) = (told, flags);
        self.enter(&new, self.nothing(incoming.card), Counting::Answer);
        self.answer_with(new, incoming.caller, out);
    }

    /// The balances after `taken` was promised, or booked, where the request wants them.
    pub(super) fn told(
        &self,
        card: u32,
        request: &Authorization,
        taken: Units,
        now: Moment,
    ) -> Option<Balances> {
        let books = request.class.is_financial() && !request.details.incremental
            || request.transaction_type().is_credit();
        let booked = if books { taken } else { Units::ZERO };
        let told = self.balances_in_card_currency(card, (taken, booked), self.margins_of(card, request), now);
        told.filter(|_| request.details.balances_wanted)
    }

    /// The same once the balance service has decided, or the switch in its place. A balance that came with the answer to
    /// this very ask has it taken off.
    pub(super) fn told_of_ask(&self, index: usize, taken: Units, now: Moment) -> Option<Balances> {
        let found = &self.transactions[index];
        let taken = if self.was_told_with(index) { Units::ZERO } else { taken };
        let booked = if found.request().class.is_financial() { taken } else { Units::ZERO };
        let margins = self.margins_of(found.card, found.request());
        let told = self.balances_in_card_currency(found.card, (taken, booked), margins, now);
        told.filter(|_| found.request().details.balances_wanted)
    }

    /// Both balances of a card's account, rounded down to the card's currency. Of a JIT card the switch knows what is
    /// available at its service, if that has told it. What is shown as available can be paid with all that is added.
    fn balances_in_card_currency(
        &self,
        card: u32,
        (taken, booked): (Units, Units),
        margins: Margins,
        now: Moment,
    ) -> Option<Balances> {
        let (account, currency) = (self.account_of(card), self.currency_of(card));
        let (asset, near) = (self.asset_of(account), Asset::of(currency));
        let (ledger, available) = if self.is_jit(card) {
            let available = self.available_at_service(account)?;
            (available, available)
        } else {
            let balance = self.balance(account);
            (balance.ledger, balance.available())
        };
        let legs = self.legs(near, asset)?;
        if legs.iter().any(|rate| self.why_not_believed(rate, now.utc).is_some()) {
            return None;
        }
        let money = |units: i128, margins: Margins| {
            let charged = i128::from(margins.markup) + i128::from(margins.fee);
            let one = Exact::over(1, &legs, Side::Debit, near, asset)
                .hundredths_of_percent(10_000 + charged)
                .hundredths_of_percent(10_000 + i128::from(margins.buffer));
            arithmetic::money(one.within(units), currency)
        };
        Some(Balances {
            ledger: money(ledger.0 - booked.0, Margins::default()),
            available: money(available.0 - taken.0, margins),
        })
    }

    /// The part of a purchase that the account can pay, if money is all that is missing (E7).
    pub(super) fn part(
        &self,
        card: u32,
        request: &Authorization,
        terms: Terms,
        failures: &[Failure],
    ) -> Option<(Terms, Money)> {
        let deciding = || failures.iter().filter(|failure| !is_shadow(failure));
        if request.partial != PartialApproval::Supported
            || self.is_jit(card)
            || deciding().any(|failure| failure.reason != Reason::InsufficientFunds)
        {
            return None;
        }
        let whole = terms.amounts;
        let available = self.balance(self.account_of(card)).available().0;
        let minor = i128::from(whole.card.minor());
        let covered = minor * available / whole.units.0;
        if available <= 0 || covered < i128::from(self.policy.life.partial_minor_min.max(1)) {
            return None;
        }
        // Rounded up: what the part costs by itself, and where no rate is known its share of the whole.
        let share = (whole.units.0 * covered + minor - 1) / minor;
        let (from, to) = (Asset::of(whole.card.currency()), self.asset_of(self.account_of(card)));
        let locked = (terms.rate.as_ref(), terms.price.as_ref());
        let exact = Exact::locked(covered, locked, Side::Debit, from, to);
        // A buffer keeps its share.
        let exact = exact.filter(|_| terms.price.is_none_or(|price| price.buffer.0 == 0));
        let units = exact.map_or(share, |exact| exact.up().min(share));
        let price = terms.price.map(|price| pricing::share(price, units, whole.units.0));
        let asked = i128::from(request.amount.minor());
        let merchant = if request.amount == whole.card { covered } else { asked * covered / minor };
        let amounts =
            Amounts { card: arithmetic::money(covered, whole.card.currency()), units: Units(units) };
        let terms = Terms { amounts, price, ..terms };
        (merchant > 0 && units <= available)
            .then(|| (terms, arithmetic::money(merchant, request.amount.currency())))
    }

    /// How long a hold was to last from its last approved amount on, which is how long it lasts once more is added.
    pub(super) fn lasts(&self, index: usize, now: Timestamp) -> Duration {
        let hold = &self.transactions[index];
        let adds = |found: &&Transaction| {
            found.of == Some(hold.number)
                && (found.is_approved() || found.withheld)
                && self.is_kept(found, now)
                && found.asked().is_some_and(|asked| {
                    let adds = asked.class.is_request() || asked.class == MessageClass::AuthorizationAdvice;
                    adds && asked.transaction_type().is_debit()
                })
        };
        let begun = self.transactions.iter().filter(adds).map(|found| found.at).fold(hold.at, Timestamp::max);
        let end = hold.ends_when_delivered.unwrap_or(hold.expires_at);
        end.since(begun).min(self.policy.hold_for.max(30 * DAY))
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

/// A part is of use to a cardholder who buys something; cash back, quasi-cash, increments and merchants on their own
/// get none.
pub(super) fn with_useful_part(request: Authorization) -> Authorization {
    let kinds = [TransactionType::Purchase, TransactionType::Cash, TransactionType::Payment];
    let useful = kinds.contains(&request.transaction_type())
        && request.details.initiator == Initiator::Cardholder
        && !request.details.incremental;
    let partial = if useful { request.partial } else { PartialApproval::NotSupported };
    Authorization { partial, ..request }
}
