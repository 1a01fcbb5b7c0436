//! What the control API and support look up: copies of the state as it is now.

use crate::command::{Inquiry, Refusal, Reply};
use crate::originals::SEARCH_MAX;
use crate::shard::Shard;
use crate::transaction::{More, Transaction, TransactionState};
use crate::view::{AccountView, CardView, PostingView, TransactionView};
use domain::{
    AccountNo, Amounts, ApprovalCode, CardNo, ClearingFlags, Controls, Reason, RefundFlags, Timestamp,
    TransactionNo,
};

impl Shard {
    /// Looks something up.
    #[must_use]
    pub fn inquire(&self, inquiry: Inquiry, now: Timestamp) -> Reply {
        let found = match inquiry {
            Inquiry::Account(account) => self.account_view(account, now).map(Reply::Account),
            Inquiry::Posting { account, repeated } => {
                let view = self.account_view(account, now);
                view.map(|account| Reply::Posted(PostingView { repeated, account }))
            }
            Inquiry::Card(card) => self.card_view(card, now).map(Reply::Card),
            Inquiry::TransactionsOf { card, count_max } => {
                let recent = self.store.of_card(card).take(count_max);
                Ok(Reply::Transactions(recent.filter_map(|found| self.transaction_view(found)).collect()))
            }
            Inquiry::Transaction(number) => {
                let found = self.store.find(number).and_then(|found| self.transaction_view(found));
                found.map(|view| Reply::Transactions(vec![view])).ok_or(Refusal::NoSuchTransaction)
            }
            Inquiry::FollowUpsOf(number) => self.follow_ups(number).map(Reply::Transactions),
            Inquiry::Totals => Ok(Reply::Totals(self.totals())),
        };
        found.unwrap_or_else(Reply::Refused)
    }

    fn follow_ups(&self, number: TransactionNo) -> Result<Vec<TransactionView>, Refusal> {
        let found = self.store.find(number).ok_or(Refusal::NoSuchTransaction)?;
        let of_card = self.store.of_card(found.card).take(SEARCH_MAX);
        let linked = of_card.filter(|other| other.parent() == Some(number));
        Ok(linked.filter_map(|other| self.transaction_view(other)).collect())
    }

    fn account_view(&self, account: AccountNo, now: Timestamp) -> Result<AccountView, Refusal> {
        let account = self.account(account).map_err(|_| Refusal::NoSuchAccount)?;
        Ok(AccountView {
            id: self.account_id(account),
            asset: account.asset,
            balance: account.balance(),
            limits: account.limits().map_or_else(Vec::new, |limits| limits.view(&self.calendar, now)),
            told: account.word().and_then(|word| word.told),
            outstanding: account.outstanding(),
        })
    }

    fn card_view(&self, card: CardNo, now: Timestamp) -> Result<CardView, Refusal> {
        let card = self.card(card).map_err(|_| Refusal::NoSuchCard)?;
        let account = self.account(card.account).map_err(|_| Refusal::NoSuchAccount)?;
        Ok(CardView {
            id: self.card_id(card),
            token: card.token,
            last_four: card.last_four,
            account: self.account_id(account),
            currency: card.currency,
            expiry: card.expiry,
            funding: card.funding,
            status: card.status,
            controls: card.controls().map_or_else(Controls::default, |controls| Controls::clone(controls)),
            limits: card.limits.view(&self.calendar, now),
            open_holds: card.open_holds,
        })
    }

    fn transaction_view(&self, found: &Transaction) -> Option<TransactionView> {
        let id = self.transaction_id(found.number);
        let card = self.card(found.card).ok()?;
        let account = self.account(card.account).ok()?;
        let approved = found.reason.is_some_and(Reason::is_approval);
        Some(TransactionView {
            id,
            at: found.at,
            card: self.card_id(card),
            account: self.account_id(account),
            card_currency: card.currency,
            asset: account.asset,
            class: (found.state != TransactionState::ReversedFirst).then_some(found.class),
            state: found.state,
            amount: found.amount,
            part: found.part(),
            held: found.held(),
            rate: found.rate.as_deref().copied(),
            expires_at: found.held().map(|_| found.expires_at),
            reason: found.reason,
            failures: found.failures().to_vec(),
            approval_code: approved.then(|| found.network_code().unwrap_or_else(|| ApprovalCode::of(id))),
            mcc: found.mcc,
            stan: found.stan,
            transmission: found.transmission,
            rrn: found.rrn,
            kind: found.kind,
            by: approved.then_some(found.by),
            of: found.parent().map(|of| self.transaction_id(of)),
            network_reference: found.network_reference,
            paid: moved(found, |more| more.paid),
            refunded: moved(found, |more| more.refunded),
            arn: found.more.as_ref().and_then(|more| more.arn),
            sequence: found.more.as_ref().map_or(0, |more| more.sequence),
            price: found.more.as_ref().and_then(|more| more.price),
            said: found.more.as_ref().and_then(|more| more.said.as_deref().copied()),
            clearing_flags: found
                .more
                .as_ref()
                .map_or_else(ClearingFlags::default, |more| more.clearing_flags),
            refund_flags: found.more.as_ref().map_or_else(RefundFlags::default, |more| more.refund_flags),
        })
    }
}

/// An amount that has moved, if any has.
fn moved(found: &Transaction, which: impl Fn(&More) -> Amounts) -> Option<Amounts> {
    found.more.as_deref().map(which).filter(|amounts| !amounts.card.is_zero() || amounts.units.is_positive())
}
