//! What the balance service says beside its decisions, or by itself: taken in where it is news (E32).

use crate::action::Effects;
use crate::command::ServiceWord;
use crate::decide::Context;
use crate::shard::Shard;
use domain::{AccountNo, Counts, Fact, Said, TransactionNo, Units};

impl Shard {
    /// The answer to an ask said more than its decision. It counts whatever has become of the ask.
    pub(crate) fn service_told(
        &self,
        transaction: TransactionNo,
        word: ServiceWord,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Some(row) = self.store.find(transaction) else { return };
        let Ok(account_no) = self.card(row.card).map(|card| card.account) else { return };
        let Ok(account) = self.account(account_no) else { return };
        // Where the money comes from another account, the balance is that one's.
        let own = word.said.account.is_none_or(|other| other == self.account_id(account));
        if let Some(balance) = word.balance.filter(|_| own) {
            self.tell_balance(account_no, balance, Counts::Ask(transaction), context, effects);
        }
        if word.said != Said::default() {
            effects.fact(Fact::ServiceSaid { transaction, said: word.said });
        }
    }

    /// Takes a balance in, unless a newer one is known.
    pub(crate) fn tell_balance(
        &self,
        account: AccountNo,
        (version, available): (u64, Units),
        counts: Counts,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let known = self.account(account).ok().and_then(|account| account.word()?.told);
        if known.is_none_or(|known| known.version < version) {
            effects.fact(Fact::BalanceTold { account, version, available, at: context.now.utc, counts });
        }
    }
}
