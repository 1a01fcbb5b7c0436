//! Advices of declines: the network declined in our name, and tells us.
//!
//! There is nothing to move. It is recorded all the same, because the cardholder who was refused will ask why, because
//! velocity rules count attempts, and because a clearing may come in spite of it (E19).

use crate::action::{Effects, FundingPath};
use crate::case::{path_of, refusal};
use crate::command::Caller;
use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{Authorization, CardNo, Fact, Reason, Text};

impl Shard {
    /// Records the decline, once, and acknowledges.
    pub(crate) fn note_decline(
        &self,
        card_no: CardNo,
        request: &Authorization,
        code: Text<4>,
        caller: Caller,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some((card, _)) = self.card_and_account(card_no, request.card) else {
            effects.answer(caller, refusal(Reason::UnknownCard, None, FundingPath::Cache));
            return;
        };
        let key = MatchKey { card: card_no, stan: request.stan, transmission: Some(request.transmission) };
        let recent =
            || self.store.with_key(key).filter(|found| self.is_within_window(found, context.now.utc));
        let is_repeat = recent().any(|found| is_advised_decline(found) && found.same_references(request));
        if !is_repeat {
            let speaks_of = |found: &&Transaction| {
                found.class.is_request()
                    && found.acquirer == Some(request.acquirer)
                    && found.parent().is_none()
                    && found.state != TransactionState::ReversedFirst
            };
            let of = recent().find(speaks_of).map(|found| found.number);
            let transaction = self.next_number(context, 0);
            effects.fact(Fact::DeclineAdvised { transaction, of, card: card_no, request: *request, code });
        }
        effects.answer(caller, refusal(Reason::DeclinedByNetwork, None, path_of(card)));
    }
}

/// Whether a transaction is known only because the network declined it. It answers no request and no other advice.
pub(crate) fn is_advised_decline(found: &Transaction) -> bool {
    found.reason == Some(Reason::DeclinedByNetwork)
}
