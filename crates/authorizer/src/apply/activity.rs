//! What velocity rules and the rule of new countries remember, folded from facts.
//!
//! Runs before a fact is applied, because a clearing counts differently by what its hold was until then. Giving back
//! is not here: it happens where limits give back, by the same amounts.

use super::decisions::difference;
use crate::shard::{ApplyError, Shard};
use crate::store::index;
use crate::velocity_ring::{Bucket, Ring, Traits, time_of};
use domain::{
    AccountNo, Amounts, Authorization, CardNo, CountryCode, Fact, LimitOwner, Money, Timestamp,
    TransactionNo, Units,
};
use std::time::Duration;

/// How a message counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Weight {
    /// An attempt that was approved.
    Approval(Amounts),
    /// An attempt that came to nothing.
    Attempt,
    /// More money for what was counted before.
    More(Amounts),
}

impl Shard {
    /// Counts what the fact says that a card did.
    pub(super) fn count_activity(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        match fact {
            Fact::Approved { transaction, card, request, hold, .. } => {
                self.note_country(
                    *card,
                    request.merchant.country.filter(|_| hold.amounts.units.is_positive()),
                )?;
                self.count((*transaction, *card), request, Weight::Approval(hold.amounts))
            }
            Fact::Asked { transaction, card, request, of, hold, .. } => {
                let weight = Weight::Approval(hold.amounts);
                let weight = if of.is_some() { Weight::More(hold.amounts) } else { weight };
                self.count((*transaction, *card), request, weight)
            }
            Fact::AskApproved { transaction, .. } => {
                let Some(asked) = self.store.find(*transaction) else { return Ok(()) };
                self.note_country(asked.card, asked.country)
            }
            Fact::Declined { transaction, card, request, .. }
            | Fact::DeclineAdvised { transaction, card, request, .. } => {
                self.count((*transaction, *card), request, Weight::Attempt)
            }
            Fact::Answered { transaction, card, request, .. } => {
                let nothing = Amounts { card: self.zero(*card)?, units: Units::ZERO };
                self.count((*transaction, *card), request, Weight::Approval(nothing))
            }
            Fact::HoldChanged { transaction, of, card, request, hold, .. } => {
                let change = difference(hold.amounts, self.held_by(*of)?);
                self.count((*transaction, *card), request, Weight::More(change))
            }
            // What approved and booked at once was counted as an approval.
            Fact::Cleared { request: None, .. } => Ok(()),
            Fact::Cleared { transaction, of, card, request: Some(request), paid, from_hold, .. } => {
                let hold = of.and_then(|of| self.store.find(of));
                let counted = hold.is_some_and(|hold| self.is_counted(hold, at));
                let surplus = difference(*paid, *from_hold);
                let weight = if counted { Weight::More(surplus) } else { Weight::Approval(surplus) };
                let traits = Traits { forced: of.is_none(), ..Traits::of(request) };
                self.count_with((*transaction, *card), traits, weight)
            }
            Fact::Refunded { transaction, card, request, amounts, .. } => {
                self.count((*transaction, *card), request, Weight::Approval(*amounts))
            }
            Fact::RefundReversed { transaction, amounts, .. } => {
                let Some(refund) = self.store.find(*transaction) else { return Ok(()) };
                self.give_back_activity(refund.card, *amounts, 1, *transaction)
            }
            Fact::AccountOpened { .. }
            | Fact::Posted { .. }
            | Fact::AccountLimitsSet { .. }
            | Fact::CardIssued { .. }
            | Fact::CardStatusSet { .. }
            | Fact::CardControlsSet { .. }
            | Fact::CardLimitsSet { .. }
            | Fact::RateSet { .. }
            | Fact::AskDeclined { .. }
            | Fact::Reversed { .. }
            | Fact::ReversalUnmatched { .. }
            | Fact::HoldExpired { .. }
            | Fact::DutyOwed { .. }
            | Fact::DutyDone { .. }
            | Fact::PartlyReversed { .. }
            | Fact::ClearingReversed { .. }
            | Fact::HoldReleased { .. }
            | Fact::BalanceTold { .. }
            | Fact::TokenKeySeen { .. }
            | Fact::AnswerWithheld { .. }
            | Fact::AnswerUndelivered { .. }
            | Fact::AnswerRepeated { .. }
            | Fact::ReversalDeferred { .. }
            | Fact::ServiceSaid { .. }
            | Fact::StandInOrdered { .. }
            | Fact::Priced { .. } => Ok(()),
        }
    }

    /// Takes money, and where `count` is not zero the transaction too, out of what velocity rules see.
    pub(super) fn give_back_activity(
        &mut self,
        card: CardNo,
        amounts: Amounts,
        count: u32,
        number: TransactionNo,
    ) -> Result<(), ApplyError> {
        let account = self.card(card)?.account;
        let whole = count > 0;
        if let Some(ring) = self.card_mut(card)?.recent_mut() {
            ring.give_back(number, i128::from(amounts.card.minor()), whole);
        }
        if let Some(ring) = self.account_mut(account)?.more.as_mut().and_then(|more| more.recent.as_mut()) {
            ring.give_back(number, amounts.units.0, whole);
        }
        Ok(())
    }

    fn count(
        &mut self,
        of: (TransactionNo, CardNo),
        request: &Authorization,
        weight: Weight,
    ) -> Result<(), ApplyError> {
        if !self.policy.rules.look_back() {
            return Ok(());
        }
        self.count_with(of, Traits::of(request), weight)
    }

    fn count_with(
        &mut self,
        (number, card): (TransactionNo, CardNo),
        traits: Traits,
        weight: Weight,
    ) -> Result<(), ApplyError> {
        let rules = &self.policy.rules;
        let (on_card, on_account) = (rules.horizon(LimitOwner::Card), rules.horizon(LimitOwner::Account));
        let max = rules.buckets_max();
        if on_card.is_zero() && on_account.is_zero() {
            return Ok(());
        }
        let bucket = |amount: i128| match weight {
            Weight::Approval(_) => Some(Bucket::approval(number, amount, traits)),
            Weight::Attempt => Some(Bucket::attempt(number, traits)),
            Weight::More(_) => (amount > 0).then(|| Bucket::more(number, amount, traits)),
        };
        let amounts = match weight {
            Weight::Approval(amounts) | Weight::More(amounts) => amounts,
            Weight::Attempt => Amounts { card: Money::new(0, self.card(card)?.currency), units: Units::ZERO },
        };
        let account = self.card(card)?.account;
        if !on_card.is_zero()
            && let Some(bucket) = bucket(i128::from(amounts.card.minor()))
        {
            self.card_mut(card)?.recent_or_new().count(bucket, on_card, max);
            self.forget_a_card(number, on_card);
        }
        if !on_account.is_zero()
            && let Some(bucket) = bucket(amounts.units.0)
        {
            self.account_mut(account)?
                .more_mut()
                .recent
                .get_or_insert_default()
                .count(bucket, on_account, max);
            self.forget_an_account(number, on_account);
        }
        Ok(())
    }

    fn note_country(&mut self, card: CardNo, country: Option<CountryCode>) -> Result<(), ApplyError> {
        match country {
            Some(country) if !self.card(card)?.countries().is_latest(country) => {
                let card = self.card_mut(card)?;
                let mut countries = card.countries();
                countries.note(country);
                card.set_countries(countries);
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    /// Looks at one card, a different one each time, and drops its ring if no rule can see anything in it any more. So
    /// memory follows the cards in use, and no transaction pays for more than one look. Which one is looked at depends
    /// on the facts alone, and what is dropped would not be counted.
    fn forget_a_card(&mut self, number: TransactionNo, horizon: Duration) {
        let Some(place) = any_of(self.cards.len(), number) else { return };
        let is_over = |found: &Ring| found.is_over(horizon, time_of(number));
        if self.card(CardNo(place)).is_ok_and(|card| card.recent().is_some_and(is_over))
            && let Ok(card) = self.card_mut(CardNo(place))
        {
            card.set_recent(None);
        }
    }

    fn forget_an_account(&mut self, number: TransactionNo, horizon: Duration) {
        let Some(place) = any_of(self.accounts.len(), number) else { return };
        let is_over = |found: &Ring| found.is_over(horizon, time_of(number));
        if self.account(AccountNo(place)).is_ok_and(|found| found.recent().is_some_and(is_over))
            && let Ok(account) = self.account_mut(AccountNo(place))
        {
            account.more_mut().recent = None;
        }
    }
}

/// A place among `len`, scattered by multiplying with a large odd constant (Fibonacci hashing).
fn any_of(len: usize, number: TransactionNo) -> Option<u32> {
    let scattered = number.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let place = scattered.checked_rem(u64::try_from(len).ok()?)?;
    u32::try_from(place).ok().filter(|place| index(*place) < len)
}
