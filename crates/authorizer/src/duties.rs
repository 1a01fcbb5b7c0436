//! Orders what the balance service must be told: durable, in order for each transaction and each account.

use crate::action::{Action, Effects};
use crate::decide::Context;
use crate::shard::{Account, Shard};
use crate::transaction::Transaction;
use domain::{Duty, DutyKind, Fact, FundingMode, TransactionNo, Units};

/// One thing to tell.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) transaction: TransactionNo,
    pub(crate) account: &'a Account,
    pub(crate) kind: DutyKind,
    pub(crate) units: Units,
}

impl Shard {
    /// Makes it a duty. `given` counts the numbers that this very decision has used already.
    pub(crate) fn order(
        &self,
        order: Order<'_>,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Order { transaction, account, kind, units } = order;
        let before = self.store.find(transaction).map_or(0, Transaction::duties);
        let name = self.account_id(account);
        let of_transaction = self.ordered_now(effects, |duty| duty.transaction == transaction);
        let of_account = self.ordered_now(effects, |duty| duty.account == name);
        let duty = Duty {
            number: self.next_number(context, *given),
            transaction,
            account: name,
            kind,
            units,
            asset: account.asset,
            sequence: before.saturating_add(of_transaction).saturating_add(1),
            account_sequence: account.duties().saturating_add(of_account.into()).saturating_add(1),
        };
        *given = given.saturating_add(1);
        effects.fact(Fact::DutyOwed { duty });
        effects.action(Action::Owe(duty));
    }

    /// Tells the balance service that a hold has ended without a payment: what it reserved is free again (E20).
    pub(crate) fn owe_expiry(
        &self,
        hold: &Transaction,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let found = self.card(hold.card).and_then(|card| Ok((card.funding, self.account(card.account)?)));
        let (Ok((FundingMode::Jit, account)), Some(held)) = (found, hold.held()) else { return };
        let order = Order { transaction: hold.number, account, kind: DutyKind::Expire, units: held.units };
        self.order(order, given, context, effects);
    }

    /// How many such duties this very decision has ordered. What earlier decisions of the batch have ordered is
    /// applied, and its numbers are given.
    fn ordered_now(&self, effects: &Effects, which: impl Fn(&Duty) -> bool) -> u32 {
        let now = effects.facts.iter().filter(
            |fact| matches!(fact, Fact::DutyOwed { duty } if duty.number > self.last_number && which(duty)),
        );
        u32::try_from(now.count()).unwrap_or(u32::MAX)
    }
}
