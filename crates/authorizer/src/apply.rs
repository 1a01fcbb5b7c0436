//! `apply`: the only way a shard changes. Holds and payments have files of their own below it.
//!
//! It trusts its facts as little as it must: a fact that does not fit the state (a journal of another shard, a
//! record lost) is an error that stops recovery, never a panic and never a guess.

mod activity;
mod decisions;
mod delivery;
mod holds;
mod payments;
mod service;
mod standing;

use crate::calendar::Calendar;
use crate::card::Issued;
use crate::limit::Usage;
use crate::limits::Limits;
use crate::shard::{Account, ApplyError, Card, Shard, Totals};
use crate::store::index;
use crate::told::Told;
use crate::transaction::{Transaction, TransactionState};
use domain::{
    AccountId, AccountNo, Amounts, Asset, AssetCode, Balance, CardNo, Controls, Fact, FundingMode,
    PostingKind, Rate, RequestKey, Timestamp, TransactionNo, Units,
};
use std::sync::Arc;

impl Shard {
    /// Makes a fact true that was recorded at `at`.
    pub fn apply(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        self.count_activity(fact, at)?;
        match fact {
            Fact::AccountOpened { account, id, asset } => self.open_account(*account, *id, *asset),
            Fact::Posted { account, kind, units, request, note: _ } => {
                self.post(*account, *kind, *units, *request, at)
            }
            Fact::AccountLimitsSet { account, limits } => {
                let before = self.account(*account)?.limits().cloned().unwrap_or_default();
                let mut replaced = before.replaced(limits, &mut self.calendar, at, self.last_number);
                replaced.share(&mut self.rule_sets);
                self.account_mut(*account)?.more_mut().limits = replaced;
                Ok(())
            }
            Fact::CardIssued { .. } => self.issue_card(fact),
            Fact::CardStatusSet { card, status } => {
                self.card_mut(*card)?.status = *status;
                Ok(())
            }
            Fact::CardControlsSet { card, controls } => {
                let unrestricted = *controls == Controls::default();
                let controls = (!unrestricted).then(|| Arc::new(controls.clone()));
                self.card_mut(*card)?.set_controls(controls);
                Ok(())
            }
            Fact::CardLimitsSet { card, limits } => {
                let before = self.card(*card)?.limits.clone();
                let mut replaced = before.replaced(limits, &mut self.calendar, at, self.last_number);
                replaced.share(&mut self.rule_sets);
                self.card_mut(*card)?.limits = replaced;
                Ok(())
            }
            // Rates are in force for all shards; whoever owns the shards publishes them.
            Fact::RateSet { .. } => Ok(()),
            Fact::Approved { .. } => self.approved(fact, at),
            Fact::Declined { .. } => self.declined(fact, at),
            Fact::Answered { .. } => self.answered(fact, at),
            Fact::Asked { .. } => self.ask(fact, at),
            Fact::AskApproved { .. } => self.ask_approved(fact),
            Fact::AskDeclined { transaction, failures, code: _ } => self.end_ask(*transaction, failures, at),
            Fact::ReversalUnmatched { transaction, card, reversal } => {
                self.remember_reversal(*transaction, *card, reversal, at)
            }
            Fact::Reversed { transaction, amounts: _, reversal: _ } => {
                self.undo(*transaction, TransactionState::Reversed, at)
            }
            Fact::HoldExpired { transaction, amounts: _ }
            | Fact::HoldReleased { transaction, amounts: _, note: _ } => {
                self.undo(*transaction, TransactionState::Expired, at)
            }
            Fact::HoldChanged { .. } => self.hold_changed(fact, at),
            Fact::PartlyReversed { .. } => self.partly_reversed(fact, at),
            Fact::Cleared { .. } => self.clear(fact, at),
            Fact::ClearingReversed { transaction, amounts, reversal } => {
                self.undo_clearing(*transaction, *amounts, reversal, at)
            }
            Fact::Refunded { .. } => self.refund(fact, at),
            Fact::RefundReversed { transaction, amounts, reversal: _ } => {
                self.undo_refund(*transaction, *amounts, at)
            }
            Fact::DutyOwed { duty } => self.owe(*duty),
            Fact::DutyDone { duty } => self.duty_done(*duty),
            Fact::BalanceTold { account, version, available, at, counts } => {
                let told = Told { version: *version, available: *available, at: *at };
                self.account_mut(*account)?.more_mut().word.get_or_insert_default().tell(told, counts);
                Ok(())
            }
            Fact::ServiceSaid { transaction, said } => self.keep_said(*transaction, *said),
            Fact::StandInOrdered { order } => {
                self.orders.set(*order);
                Ok(())
            }
            Fact::AnswerWithheld { transaction } => self.answer_withheld(*transaction),
            Fact::AnswerUndelivered { transaction, until } => self.answer_undelivered(*transaction, *until),
            Fact::AnswerRepeated { transaction } => self.answer_repeated(*transaction),
            Fact::DeclineAdvised { .. } => self.decline_advised(fact, at),
            Fact::Priced { transaction, price } => self.keep_own_price(*transaction, *price),
            Fact::ReversalDeferred { transaction, reversal } => self.defer_reversal(*transaction, reversal),
            Fact::TokenKeySeen { fingerprint } => {
                self.token_key = Some(*fingerprint);
                Ok(())
            }
        }
    }

    fn open_account(&mut self, account: AccountNo, id: AccountId, asset: Asset) -> Result<(), ApplyError> {
        self.expect_next(account.0, self.accounts.len())?;
        let name = self.names.keep(id.as_str());
        self.add_account(Account::new(name, asset, Balance::default()));
        Ok(())
    }

    fn issue_card(&mut self, fact: &Fact) -> Result<(), ApplyError> {
        let Fact::CardIssued { card, id, token, last_four, account, currency, expiry, funding, status } =
            fact
        else {
            return Ok(());
        };
        self.expect_next(card.0, self.cards.len())?;
        self.account(*account)?;
        let issued = Issued {
            name: self.names.keep(id.as_str()),
            token: *token,
            last_four: *last_four,
            account: *account,
            currency: *currency,
            expiry: *expiry,
            funding: *funding,
        };
        self.cards.push(Card::new(issued, *status));
        Ok(())
    }

    fn post(
        &mut self,
        account: AccountNo,
        kind: PostingKind,
        units: Units,
        request: RequestKey,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let signed = match kind {
            PostingKind::Credit => units,
            PostingKind::Debit => Units(-units.0),
        };
        let asset = self.account(account)?.asset;
        self.book(account, signed, Units::ZERO)?;
        let flows = self.flows.entry(asset.code()).or_default();
        match kind {
            PostingKind::Credit => flows.credited.grow(units),
            PostingKind::Debit => flows.debited.grow(units),
        }
        let (max, keep_for) = (self.policy.requests_per_shard_max, self.policy.life.request_keys_for);
        self.requests.remember(request, at, (account, kind, units));
        self.requests.forget(at, max, keep_for);
        Ok(())
    }

    /// Changes both parts of a balance in one step.
    pub(super) fn book(&mut self, account: AccountNo, ledger: Units, held: Units) -> Result<(), ApplyError> {
        let shard = self.id;
        let account = self.account_mut(account)?;
        let booked = account.balance().moved(ledger, held);
        account.set_balance(booked.map_err(|source| ApplyError::Balance { shard, source })?);
        Ok(())
    }

    /// What a hold moves into the ledger: for a JIT card the money comes from outside, at this moment.
    pub(super) fn funded_units(&mut self, card: CardNo, units: Units) -> Result<Units, ApplyError> {
        let Some(asset) = self.jit_asset(card)? else { return Ok(Units::ZERO) };
        self.flows.entry(asset).or_default().funded.grow(units);
        Ok(units)
    }

    /// What the end of a hold moves out of the ledger again: for a JIT card the money goes back.
    pub(super) fn returned_units(&mut self, card: CardNo, units: Units) -> Result<Units, ApplyError> {
        let Some(asset) = self.jit_asset(card)? else { return Ok(Units::ZERO) };
        self.flows.entry(asset).or_default().returned.grow(units);
        Ok(Units(-units.0))
    }

    /// The running totals of the asset behind a card.
    pub(super) fn flows_of(&mut self, card: CardNo) -> Result<&mut Totals, ApplyError> {
        let account = self.card(card)?.account;
        let asset = self.account(account)?.asset.code();
        Ok(self.flows.entry(asset).or_default())
    }

    fn jit_asset(&self, card: CardNo) -> Result<Option<AssetCode>, ApplyError> {
        let card = self.card(card)?;
        match card.funding {
            FundingMode::PreFunded => Ok(None),
            FundingMode::Jit => Ok(Some(self.account(card.account)?.asset.code())),
        }
    }

    /// Lets `change` work on the limits of a card and on those of its account. `amounts` and `count` are what it
    /// adds to them or takes from them.
    pub(super) fn on_limits(
        &mut self,
        card: CardNo,
        amounts: Amounts,
        count: u32,
        change: impl Fn(&mut Limits, Usage, &Calendar),
    ) -> Result<(), ApplyError> {
        let Self { id, calendar, rule_sets, cards, accounts, .. } = self;
        let mut change = |limits: &mut Limits, usage| {
            change(limits, usage, calendar);
            limits.share(rule_sets);
        };
        let unknown = ApplyError::UnknownCard { shard: *id, card };
        let card = cards.get_mut(index(card.0)).ok_or(unknown)?;
        change(&mut card.limits, Usage { amount: i128::from(amounts.card.minor()), count });
        let unknown = ApplyError::UnknownAccount { shard: *id, account: card.account };
        let account = accounts.get_mut(index(card.account.0)).ok_or(unknown)?;
        if let Some(more) = &mut account.more {
            change(&mut more.limits, Usage { amount: amounts.units.0, count });
        }
        Ok(())
    }

    /// Counts money and transactions into the windows of `at`.
    pub(super) fn charge(
        &mut self,
        card: CardNo,
        amounts: Amounts,
        count: u32,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.on_limits(card, amounts, count, |limits, usage, calendar| limits.charge(usage, calendar, at))
    }

    /// Gives back what the transaction `number` of `approved_at` had used, in its own windows.
    pub(super) fn give_back(
        &mut self,
        card: CardNo,
        amounts: Amounts,
        count: u32,
        (number, approved_at): (TransactionNo, Timestamp),
    ) -> Result<(), ApplyError> {
        self.give_back_activity(card, amounts, count, number)?;
        self.on_limits(card, amounts, count, |limits, usage, calendar| {
            limits.give_back(usage, calendar, number, approved_at);
        })
    }

    /// The rate of a hold, shared with the holds before it when it is the same quotation.
    pub(super) fn intern(&mut self, rate: Option<&Rate>) -> Option<Arc<Rate>> {
        let rate = rate?;
        match &self.newest_rate {
            Some(seen) if **seen == *rate => {}
            Some(_) | None => self.newest_rate = Some(Arc::new(*rate)),
        }
        self.newest_rate.clone()
    }

    pub(super) fn in_state(
        &self,
        number: TransactionNo,
        state: TransactionState,
    ) -> Result<&Transaction, ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        self.store.find(number).filter(|found| found.state == state).ok_or(missing)
    }

    pub(super) fn count_number(&mut self, number: TransactionNo) {
        self.last_number = self.last_number.max(number);
    }

    fn expect_next(&self, found: u32, len: usize) -> Result<(), ApplyError> {
        let expected = u32::try_from(len).unwrap_or(u32::MAX);
        if found == expected {
            Ok(())
        } else {
            Err(ApplyError::NumberOutOfOrder { shard: self.id, found, expected })
        }
    }
}
