//! What time alone brings about: holds run out, and asks that nobody has ended are ended.
//!
//! Expiry is a command like any other, so a reversal at the same instant wins or loses cleanly (E20).

use crate::action::Effects;
use crate::decide::Context;
use crate::policy::END_AT_ONCE_MAX;
use crate::shard::Shard;
use domain::{Fact, Reason};

impl Shard {
    /// Ends what has run out.
    pub(crate) fn tick(&self, context: Context<'_>, effects: &mut Effects) {
        let mut given = 0;
        for transaction in self.store.expired(context.now.utc).take(END_AT_ONCE_MAX) {
            let Some(amounts) = transaction.held() else { continue };
            effects.fact(Fact::HoldExpired { transaction: transaction.number, amounts });
            self.owe_expiry(transaction, &mut given, context, effects);
        }
        let overdue = self.asked.iter().filter(|(_, open)| context.now.mono >= open.deadline);
        for (number, _) in overdue.take(END_AT_ONCE_MAX) {
            self.abandon_ask(*number, Reason::FundingTimedOut, context, &mut given, effects);
        }
    }
}
