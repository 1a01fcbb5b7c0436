//! Finds the authorization that a reversal speaks of and undoes it exactly once (E2, E3, E4).
//!
//! A reversal is always accepted. One that finds nothing is remembered, so that its original is declined
//! when it comes; money never moves because of it.

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::clearings::{greater, less, lesser, plus, promised_by};
use crate::command::Caller;
use crate::decide::Context;
use crate::declined_advices::is_advised_decline;
use crate::duties::Order;
use crate::originals::SEARCH_MAX;
use crate::parts::part;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{
    Amounts, CancelCause, CardNo, Currency, DutyKind, Fact, FundingMode, MessageClass, Money, Reason,
    Reversal, ReversalMatch, Timestamp, TransactionNo, Units,
};

impl Shard {
    /// Undoes what `reversal` speaks of, and acknowledges.
    pub(crate) fn reverse(
        &self,
        card: CardNo,
        reversal: Reversal,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        if self.card_and_account(card, reversal.card).is_none() {
            effects.answer(caller, Answer::Reversal(ReversalMatch::UnknownCard));
            return;
        }
        let matched = match self.original(card, &reversal, context.now.utc) {
            Some(original) => self.undo_original(original, reversal, &mut 0, context, effects),
            None => {
                let transaction = self.next_number(context, 0);
                effects.fact(Fact::ReversalUnmatched { transaction, card, reversal });
                ReversalMatch::Unmatched
            }
        };
        effects.answer(caller, Answer::Reversal(matched));
    }

    /// Undoes what is left of a transaction, or the part above its new total (E4, E5).
    pub(crate) fn undo_original(
        &self,
        original: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        match original.state {
            TransactionState::Asked => match self.part_to_undo(original, &reversal) {
                Some(released) => self.defer(original, released, reversal, effects),
                None => self.undo_holds(original, reversal, given, context, effects),
            },
            TransactionState::Approved => self.undo_holds(original, reversal, given, context, effects),
            TransactionState::Added => self.undo_increment(original, reversal, given, context, effects),
            // The first hold of a JIT card is paid, and increments of it may stand still.
            TransactionState::Cleared if self.has_open_increments(original) => {
                self.undo_holds(original, reversal, given, context, effects)
            }
            TransactionState::Posted | TransactionState::Cleared => {
                self.undo_booked(original, reversal, given, context, effects)
            }
            TransactionState::Declined
            | TransactionState::Reversed
            | TransactionState::Expired
            | TransactionState::ReversedFirst
            | TransactionState::Answered => ReversalMatch::NothingLeft,
        }
    }

    /// A part is undone of what the balance service is still deciding: the ask stays as it was made, and once it is funded
    /// the part goes back. The processor that names a new total wants the rest, so the open request is not declined.
    fn defer(
        &self,
        asked: &Transaction,
        released: Amounts,
        reversal: Reversal,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let before = asked.more.as_ref().and_then(|more| more.deferred.as_deref());
        let before = before.and_then(|before| self.part_to_undo(asked, before));
        let is_known = before.is_some_and(|before| before.card.minor() >= released.card.minor());
        if is_known || released.card.minor() <= 0 {
            return ReversalMatch::NothingLeft;
        }
        effects.fact(Fact::ReversalDeferred { transaction: asked.number, reversal });
        ReversalMatch::Matched
    }

    /// Undoes what was to be undone as soon as the ask had ended with money. `amounts` and `part` are what was funded.
    pub(crate) fn undo_deferred(
        &self,
        asked: &Transaction,
        amounts: Amounts,
        part: Option<Money>,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(reversal) = asked.more.as_ref().and_then(|more| more.deferred.as_deref()).copied() else {
            return;
        };
        let mut funded = Transaction { state: TransactionState::Approved, ..asked.clone() };
        funded.set_part(part);
        funded.set_held(Some(amounts));
        if funded.class.is_financial() {
            funded.state = TransactionState::Cleared;
            funded.set_held(None);
            funded.more_mut(Money::new(0, amounts.card.currency())).paid = amounts;
        }
        self.undo_original(&funded, reversal, given, context, effects);
    }

    /// Undoes a payment's holds, or what they have above its new total. That is of the whole payment: what was added last
    /// goes back first, as the limits have it too, and what was asked for at first stays longest (E5).
    fn undo_holds(
        &self,
        original: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let holds: Vec<_> = self.holds_of(original.card, Some(original)).collect();
        let Some(total) = reversal.new_total.filter(|total| total.minor() > 0) else {
            for hold in holds {
                self.undo_hold(hold, reversal, given, context, effects);
            }
            return ReversalMatch::Matched;
        };
        // A total that cannot be compared undoes nothing: too little can be undone again, too much cannot.
        let stands: Option<Vec<Money>> = holds.iter().map(|hold| stands_in(hold, total.currency())).collect();
        let Some(stands) = stands else { return ReversalMatch::NothingLeft };
        let whole = stands.iter().fold(0_i64, |sum, part| sum.saturating_add(part.minor()));
        let mut above = whole.saturating_sub(total.minor());
        let mut matched = ReversalMatch::NothingLeft;
        for (hold, stands) in holds.into_iter().zip(stands).rev() {
            let goes = above.min(stands.minor());
            if goes <= 0 {
                continue;
            }
            above -= goes;
            let left = Money::new(stands.minor() - goes, total.currency());
            let reversal = Reversal { new_total: Some(left).filter(|left| left.minor() > 0), ..reversal };
            if self.lower(hold, reversal, given, context, effects) == ReversalMatch::Matched {
                matched = ReversalMatch::Matched;
            }
        }
        matched
    }

    /// Undoes one hold, or what it has above its own new total.
    fn lower(
        &self,
        hold: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        if !hold.state.is_open() {
            // What clearings paid is theirs to undo.
            return ReversalMatch::NothingLeft;
        }
        match self.part_to_undo(hold, &reversal) {
            None => self.undo_hold(hold, reversal, given, context, effects),
            Some(released) if hold.state == TransactionState::Asked => {
                self.defer(hold, released, reversal, effects)
            }
            Some(released) => self.undo_part(hold, None, released, reversal, given, context, effects),
        }
    }

    fn undo_hold(
        &self,
        hold: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let Some(amounts) = hold.held() else { return ReversalMatch::NothingLeft };
        effects.fact(Fact::Reversed { transaction: hold.number, amounts, reversal });
        let jit = self.card(hold.card).is_ok_and(|card| card.funding == FundingMode::Jit);
        if jit {
            self.owe_cancel(hold, CancelCause::Reversed, given, context, effects);
        }
        if hold.state == TransactionState::Asked {
            // Whoever still waits for the original is told no; funds that come now find no taker.
            let answer = Answer::Authorization {
                reason: Reason::ReversedInFlight,
                approval_code: None,
                part: None,
                balances: None,
                limit: None,
                path: FundingPath::Jit,
            };
            effects.action(Action::AnswerWaiting { transaction: hold.number, answer });
        }
        ReversalMatch::Matched
    }

    fn has_open_increments(&self, payment: &Transaction) -> bool {
        self.holds_of(payment.card, Some(payment)).any(|hold| hold.state.is_open())
    }

    /// What a reversal with a new total releases of a hold; `None` where it undoes all of it. A total that is no less
    /// than what stands releases nothing.
    fn part_to_undo(&self, hold: &Transaction, reversal: &Reversal) -> Option<Amounts> {
        let total = reversal.new_total.filter(|total| total.minor() > 0)?;
        let (held, promised) = (hold.held()?, promised_by(hold)?);
        let asked = hold.standing()?;
        let Some(total) = on_card(total, asked, promised.card) else {
            return Some(Amounts { card: Money::new(0, held.card.currency()), units: Units::ZERO });
        };
        let taken = less(promised, held).card.minor();
        let left = total.minor().saturating_sub(taken).clamp(0, held.card.minor().max(0));
        let left = Money::new(left, held.card.currency());
        if left == held.card {
            return Some(less(held, held));
        }
        // The buffer stays until the last clearing.
        let units = self.units_of_part(hold, held, left)?.plus(hold.buffer())?.min(held.units);
        Some(less(held, Amounts { card: left, units }))
    }

    #[allow(clippy::too_many_arguments)] // one step's whole context
    fn undo_part(
        &self,
        hold: &Transaction,
        increment: Option<TransactionNo>,
        released: Amounts,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let Some(held) = hold.held() else { return ReversalMatch::NothingLeft };
        if released.card.minor() <= 0 && !released.units.is_positive() {
            return ReversalMatch::NothingLeft;
        }
        let (transaction, left) = (hold.number, less(held, released));
        effects.fact(Fact::PartlyReversed { transaction, increment, released, left, reversal });
        let found = self.card(hold.card).and_then(|card| Ok((card.funding, self.account(card.account)?)));
        if let Ok((FundingMode::Jit, account)) = found {
            let kind = DutyKind::Reverse { left: left.units };
            let order = Order { transaction, account, kind, units: released.units };
            self.order(order, given, context, effects);
        }
        ReversalMatch::Matched
    }

    /// Takes an increment out of the hold that it raised, as far as it is still there.
    fn undo_increment(
        &self,
        increment: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let hold = increment.parent().and_then(|of| self.store.find(of));
        let hold = hold.filter(|hold| hold.state == TransactionState::Approved);
        let added = hold.and_then(|hold| {
            let increments = &hold.more.as_ref()?.increments;
            let part = increments.iter().find(|part| part.number == increment.number)?;
            let held = hold.held()?;
            let card = Money::new(part.amounts.card.minor().min(held.card.minor()), held.card.currency());
            Some((hold, Amounts { card, units: part.amounts.units.min(held.units) }))
        });
        match added {
            Some((hold, added)) => {
                self.undo_part(hold, Some(increment.number), added, reversal, given, context, effects)
            }
            None => ReversalMatch::NothingLeft,
        }
    }

    /// Undoes what was booked by one message, or what it has above its new total. A completion may have been paid from several
    /// holds, and is booked piece by piece: what was paid last goes back first.
    fn undo_booked(
        &self,
        original: &Transaction,
        reversal: Reversal,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> ReversalMatch {
        let Some(more) = original.more.as_ref() else { return ReversalMatch::NothingLeft };
        let paid = |piece: &Transaction| piece.more.as_ref().map_or(0, |more| more.paid.card.minor());
        let currency = more.paid.card.currency();
        let pieces = self.booked_with(original);
        let whole = pieces.iter().map(|piece| paid(piece)).fold(0, i64::saturating_add);
        // A total in the merchant's currency is a share of each piece.
        let total = reversal.new_total.filter(|total| total.minor() > 0 && total.currency() == currency);
        let mut above = total.filter(|_| pieces.len() > 1).map(|total| whole.saturating_sub(total.minor()));
        let (mut undone, mut matched) = (less(more.paid, more.paid), ReversalMatch::NothingLeft);
        for piece in pieces.into_iter().rev() {
            let mut reversal = reversal;
            if let Some(above) = &mut above {
                let goes = (*above).clamp(0, paid(piece).max(0));
                if goes == 0 {
                    continue;
                }
                *above -= goes;
                let left = Money::new(paid(piece) - goes, currency);
                reversal.new_total = Some(left).filter(|left| left.minor() > 0);
            }
            if let Some(amounts) = self.undo_payment(piece, reversal, undone, given, context, effects) {
                (undone, matched) = (plus(undone, amounts), ReversalMatch::Matched);
            }
        }
        matched
    }

    /// What was booked by the same message, the first piece first.
    fn booked_with<'a>(&'a self, original: &'a Transaction) -> Vec<&'a Transaction> {
        if original.state != TransactionState::Posted || original.kind.is_credit() {
            return vec![original];
        }
        let same = |found: &&Transaction| {
            found.at == original.at
                && found.class == original.class
                && found.acquirer == original.acquirer
                && found.rrn == original.rrn
                && found.processing_code == original.processing_code
                && found.amount == original.amount
        };
        self.store.with_key(original.key()).filter(same).collect()
    }

    /// Undoes a payment that was booked, or a refund. What clearings paid of a hold is theirs to undo.
    /// `before` was undone of the same payment by this very decision. What is undone.
    #[allow(clippy::too_many_arguments)] // one step's whole context
    fn undo_payment(
        &self,
        payment: &Transaction,
        reversal: Reversal,
        before: Amounts,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Option<Amounts> {
        let transaction = payment.number;
        let paid = self.left_of(payment, before, context.now.utc)?;
        if !payment.class.is_financial() && payment.state == TransactionState::Cleared {
            return None;
        }
        let credit = payment.kind.is_credit();
        let amounts = match reversal.new_total.filter(|total| total.minor() > 0 && !credit) {
            Some(total) => {
                let first = payment.more.as_ref().map_or(paid.card, |more| more.paid.card);
                let asked = payment.standing().unwrap_or(first);
                // A total that cannot be compared undoes nothing: too little can be undone again, too much cannot.
                let left = on_card(total, asked, first).map_or(paid.card.minor(), Money::minor);
                let left = Money::new(left.clamp(0, paid.card.minor()), paid.card.currency());
                self.units_of_rest(payment, paid, left)
                    .map_or(paid, |units| less(paid, Amounts { card: left, units }))
            }
            None => paid,
        };
        if amounts.card.minor() <= 0 && !amounts.units.is_positive() {
            return None;
        }
        effects.fact(if credit {
            Fact::RefundReversed { transaction, amounts, reversal }
        } else {
            Fact::ClearingReversed { transaction, amounts, reversal }
        });
        let found = self.card(payment.card).and_then(|card| Ok((card.funding, self.account(card.account)?)));
        if let Ok((FundingMode::Jit, account)) = found {
            let kind = DutyKind::Undo { credit: !credit };
            let hold = self.parent_of(payment, context.now.utc);
            let told_as = hold.map_or(transaction, |hold| hold.number);
            self.order(
                Order { transaction: told_as, account, kind, units: amounts.units },
                given,
                context,
                effects,
            );
        }
        Some(amounts)
    }

    /// What is left to be undone of money that was booked: no more than refunds have left of its payment.
    fn left_of(&self, booked: &Transaction, before: Amounts, now: Timestamp) -> Option<Amounts> {
        let paid = booked.more.as_ref()?.paid;
        let of_payment = self.payment_of(booked, now).more.as_ref().filter(|_| booked.kind.is_debit());
        // Refunds may have brought more than was paid: then nothing is left, and not less than that.
        let none = less(paid, paid);
        let left = of_payment.map(|more| less(less(more.paid, more.refunded), before));
        Some(left.map_or(paid, |left| greater(none, lesser(paid, left))))
    }

    /// The transaction a reversal speaks of. By STAN and transmission time; where the latter was not sent, by STAN
    /// among the card's recent transactions. Of several, the one that fits best; see [`fit`].
    fn original(&self, card: CardNo, reversal: &Reversal, now: Timestamp) -> Option<&Transaction> {
        let matches = |found: &&Transaction| {
            self.is_within_window(found, now)
                && !is_advised_decline(found)
                && !self.tells_of_its_hold(found)
                && reversal.acquirer.is_none_or(|acquirer| found.acquirer == Some(acquirer))
        };
        if reversal.transmission.is_some() {
            let key = MatchKey { card, stan: reversal.stan, transmission: reversal.transmission };
            let by_trace = best_fit(reversal, self.store.with_key(key).filter(matches));
            return by_trace.or_else(|| self.original_by_network(card, reversal, now));
        }
        let same = |found: &&Transaction| {
            let rrn = reversal.rrn.is_none() || found.rrn.is_none() || found.rrn == reversal.rrn;
            found.stan == reversal.stan && rrn
        };
        let recent = self.store.of_card(card).take(SEARCH_MAX).filter(same);
        best_fit(reversal, recent.filter(matches))
    }
}

impl Shard {
    /// Whether it is an advice with the references of the request whose hold it changed: what is reversed is the hold.
    fn tells_of_its_hold(&self, found: &Transaction) -> bool {
        let hold = found.parent().and_then(|of| self.store.find(of));
        found.class == MessageClass::AuthorizationAdvice && hold.is_some_and(|hold| hold.key() == found.key())
    }

    /// By the network's transaction id, where one open transaction of the card has it and the amount is the same.
    fn original_by_network(&self, card: CardNo, reversal: &Reversal, now: Timestamp) -> Option<&Transaction> {
        let reference = reversal.network_reference?;
        let mut found = self.store.of_card(card).take(SEARCH_MAX).filter(|found| {
            found.network_reference == Some(reference)
                && found.state.is_open()
                && found.parent().is_none()
                && self.is_within_window(found, now)
                && (reversal.amount.is_none() || found.amount == reversal.amount)
        });
        let only = found.next()?;
        found.next().is_none().then_some(only)
    }
}

/// What stands of a hold in that currency; `None` where it is a third one. Of an ask, what is to stand once it is funded.
fn stands_in(hold: &Transaction, currency: Currency) -> Option<Money> {
    let deferred = hold.more.as_ref().and_then(|more| more.deferred.as_deref()?.new_total);
    let of_ask = deferred.filter(|_| hold.state == TransactionState::Asked);
    [of_ask, promised_by(hold).map(|promised| promised.card), hold.standing()]
        .into_iter()
        .flatten()
        .find(|stands| stands.currency() == currency)
}

/// A new total on the card's side: as it is, or by its share of what the merchant had `asked`. `None` where it is in a third
/// currency.
fn on_card(total: Money, asked: Money, promised: Money) -> Option<Money> {
    if total.currency() == promised.currency() {
        return Some(total);
    }
    if total.currency() != asked.currency() {
        return None;
    }
    part(promised, Units(total.minor().into()), Units(asked.minor().into()))
}

/// The first of those that fit best.
fn best_fit<'a>(
    reversal: &Reversal,
    candidates: impl Iterator<Item = &'a Transaction>,
) -> Option<&'a Transaction> {
    let mut best: Option<&Transaction> = None;
    for found in candidates {
        if best.is_none_or(|best| fit(reversal, found) > fit(reversal, best)) {
            best = Some(found);
        }
    }
    best
}

/// How well a transaction fits a reversal: the same retrieval reference before another, then the same amount, and
/// only then one that is open. So the repeat of a reversal finds what it undid, and never undoes a second one.
fn fit(reversal: &Reversal, found: &Transaction) -> (bool, bool, bool) {
    let rrn = reversal.rrn.is_some() && found.rrn == reversal.rrn;
    let amount =
        reversal.amount.is_some() && (found.amount == reversal.amount || found.part() == reversal.amount);
    (rrn, amount, found.state.is_open())
}
