//! Finds the authorization that a reversal speaks of and undoes it exactly once (E2, E3, E4).
//!
//! A reversal is always accepted. One that finds nothing is remembered, so that its original is declined
//! when it comes; money never moves because of it.

use crate::action::{Action, Answer, Effects, FundingPath};
use crate::command::Caller;
use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{CancelCause, CardNo, Fact, FundingMode, Reason, Reversal, ReversalMatch, Timestamp};

/// How many of a card's recent transactions are searched when a reversal names no transmission time.
const SEARCH_MAX: usize = 1_000;

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
            Some(original) if original.state.is_open() => {
                self.undo_original(original, reversal, context, effects);
                ReversalMatch::Matched
            }
            Some(_) => ReversalMatch::NothingLeft,
            None => {
                let transaction = self.next_number(context, 0);
                effects.fact(Fact::ReversalUnmatched { transaction, card, reversal });
                ReversalMatch::Unmatched
            }
        };
        effects.answer(caller, Answer::Reversal(matched));
    }

    fn undo_original(
        &self,
        original: &Transaction,
        reversal: Reversal,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(amounts) = original.held else { return };
        effects.fact(Fact::Reversed { transaction: original.number, amounts, reversal });
        let jit = self.card(original.card).is_ok_and(|card| card.funding == FundingMode::Jit);
        if jit {
            self.owe_cancel(original, CancelCause::Reversed, context, 0, effects);
        }
        if original.state == TransactionState::Asked {
            // Whoever still waits for the original is told no; funds that come now find no taker.
            let answer = Answer::Authorization {
                reason: Reason::ReversedInFlight,
                approval_code: None,
                part: None,
                balances: None,
                path: FundingPath::Jit,
            };
            effects.action(Action::AnswerWaiting { transaction: original.number, answer });
        }
    }

    /// The transaction a reversal speaks of. By STAN and transmission time; where the latter was not sent, by STAN
    /// among the card's recent transactions. Of several, the one that fits best; see [`fit`].
    fn original(&self, card: CardNo, reversal: &Reversal, now: Timestamp) -> Option<&Transaction> {
        let matches = |found: &&Transaction| {
            self.is_within_window(found, now)
                && reversal.acquirer.is_none_or(|acquirer| found.acquirer == Some(acquirer))
        };
        if reversal.transmission.is_some() {
            let key = MatchKey { card, stan: reversal.stan, transmission: reversal.transmission };
            return best_fit(reversal, self.store.with_key(key).filter(matches));
        }
        let same = |found: &&Transaction| {
            let rrn = reversal.rrn.is_none() || found.rrn.is_none() || found.rrn == reversal.rrn;
            found.stan == reversal.stan && rrn
        };
        let recent = self.store.of_card(card).take(SEARCH_MAX).filter(same);
        best_fit(reversal, recent.filter(matches))
    }
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
        reversal.amount.is_some() && (found.amount == reversal.amount || found.part == reversal.amount);
    (rrn, amount, found.state.is_open())
}
