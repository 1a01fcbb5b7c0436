//! `apply`: the only way a shard changes.
//!
//! It trusts its facts as little as it must: a fact that does not fit the state (a journal of another shard, a
//! record lost) is an error that stops recovery, never a panic and never a guess.

use crate::limits::{Limits, Usage};
use crate::shard::{Account, ApplyError, Card, Shard};
use crate::store::index;
use crate::transaction::{Transaction, TransactionState};
use domain::{
    AccountId, AccountNo, Amounts, Asset, AssetCode, Authorization, Balance, CardNo, Controls, Fact, Failure,
    FundingMode, HoldTerms, MessageClass, Money, PartialApproval, PostingKind, ProcessingCode, Rate, Reason,
    RequestKey, Reversal, Timestamp, TransactionNo, Units,
};
use std::sync::Arc;

impl Shard {
    /// Makes a fact true that was recorded at `at`.
    pub fn apply(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        match fact {
            Fact::AccountOpened { account, id, asset } => self.open_account(*account, *id, *asset),
            Fact::Posted { account, kind, units, request, note: _ } => {
                self.post(*account, *kind, *units, *request)
            }
            Fact::AccountLimitsSet { account, limits } => {
                let before = self.account(*account)?.limits.clone();
                let replaced = before.replaced(limits, &mut self.calendar, at, self.last_number);
                self.account_mut(*account)?.limits = replaced;
                Ok(())
            }
            Fact::CardIssued { .. } => self.issue_card(fact),
            Fact::CardStatusSet { card, status } => {
                self.card_mut(*card)?.status = *status;
                Ok(())
            }
            Fact::CardControlsSet { card, controls } => {
                let unrestricted = *controls == Controls::default();
                self.card_mut(*card)?.controls = (!unrestricted).then(|| Arc::new(controls.clone()));
                Ok(())
            }
            Fact::CardLimitsSet { card, limits } => {
                let before = self.card(*card)?.limits.clone();
                let replaced = before.replaced(limits, &mut self.calendar, at, self.last_number);
                self.card_mut(*card)?.limits = replaced;
                Ok(())
            }
            // Rates are in force for all shards; whoever owns the shards publishes them.
            Fact::RateSet { .. } => Ok(()),
            Fact::Approved { transaction, card, request, hold, reason, flags } => {
                self.approve(*transaction, *card, request, hold, *reason, flags, at)
            }
            Fact::Declined { transaction, card, request, failures } => {
                self.decline(*transaction, *card, request, failures, at)
            }
            Fact::Asked { transaction, card, request, hold } => {
                self.ask(*transaction, *card, request, hold, at)
            }
            Fact::AskApproved { transaction, amounts, part, reason } => {
                self.fund(*transaction, *amounts, *part, *reason)
            }
            Fact::AskDeclined { transaction, failures, code: _ } => self.end_ask(*transaction, failures, at),
            Fact::Reversed { transaction, amounts: _, reversal: _ } => {
                self.undo(*transaction, TransactionState::Reversed, at)
            }
            Fact::HoldExpired { transaction, amounts: _ } => {
                self.undo(*transaction, TransactionState::Expired, at)
            }
            Fact::ReversalUnmatched { transaction, card, reversal } => {
                self.remember_reversal(*transaction, *card, reversal, at)
            }
            Fact::DutyOwed { duty } => {
                self.count_number(duty.number);
                self.duties.insert(duty.number, *duty);
                Ok(())
            }
            Fact::DutyDone { duty } => {
                self.duties.remove(duty);
                Ok(())
            }
        }
    }

    fn open_account(&mut self, account: AccountNo, id: AccountId, asset: Asset) -> Result<(), ApplyError> {
        self.expect_next(account.0, self.accounts.len())?;
        self.accounts.push(Account { id, asset, balance: Balance::default(), limits: Limits::default() });
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
        self.cards.push(Card {
            id: *id,
            token: *token,
            last_four: *last_four,
            account: *account,
            currency: *currency,
            expiry: *expiry,
            funding: *funding,
            status: *status,
            controls: None,
            limits: Limits::default(),
            open_holds: 0,
        });
        Ok(())
    }

    fn post(
        &mut self,
        account: AccountNo,
        kind: PostingKind,
        units: Units,
        request: RequestKey,
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
        self.requests.remember(request, (account, kind, units), self.policy.requests_per_shard_max);
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // the fields of one fact
    fn approve(
        &mut self,
        number: TransactionNo,
        card: CardNo,
        request: &Authorization,
        hold: &HoldTerms,
        reason: Reason,
        flags: &[Failure],
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.count_number(number);
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, hold.amounts.units)?;
        self.book(account, funded, hold.amounts.units)?;
        self.charge(card, hold.amounts, at)?;
        self.card_mut(card)?.open_holds += 1;
        let rate = self.intern(hold.rate);
        let mut transaction = Transaction::of(number, at, card, request, TransactionState::Approved);
        transaction.reason = Some(reason);
        transaction.held = Some(hold.amounts);
        transaction.rate = rate;
        transaction.expires_at = hold.expires_at;
        transaction.failures = flags.into();
        self.store.insert(transaction, &self.policy);
        self.store.expect_expiry(number, hold.expires_at);
        Ok(())
    }

    fn decline(
        &mut self,
        number: TransactionNo,
        card: CardNo,
        request: &Authorization,
        failures: &[Failure],
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.count_number(number);
        self.card(card)?;
        let mut transaction = Transaction::of(number, at, card, request, TransactionState::Declined);
        transaction.reason = failures.first().map(|failure| failure.reason);
        transaction.failures = failures.into();
        self.store.insert(transaction, &self.policy);
        Ok(())
    }

    fn ask(
        &mut self,
        number: TransactionNo,
        card: CardNo,
        request: &Authorization,
        hold: &HoldTerms,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.count_number(number);
        self.charge(card, hold.amounts, at)?;
        self.card_mut(card)?.open_holds += 1;
        let rate = self.intern(hold.rate);
        let mut transaction = Transaction::of(number, at, card, request, TransactionState::Asked);
        transaction.held = Some(hold.amounts);
        transaction.rate = rate;
        transaction.expires_at = hold.expires_at;
        self.store.insert(transaction, &self.policy);
        self.asked.insert(number, request.deadline);
        Ok(())
    }

    /// The balance service moved money in, and the hold promises it on.
    fn fund(
        &mut self,
        number: TransactionNo,
        amounts: Amounts,
        part: Option<Money>,
        reason: Reason,
    ) -> Result<(), ApplyError> {
        let transaction = self.in_state(number, TransactionState::Asked)?;
        let (card, at, expires_at) = (transaction.card, transaction.at, transaction.expires_at);
        let reserved = transaction.held.unwrap_or(amounts);
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, amounts.units)?;
        self.book(account, funded, amounts.units)?;
        self.asked.remove(&number);
        let surplus =
            Usage { amount: i128::from(reserved.card.minor()) - i128::from(amounts.card.minor()), count: 0 };
        let surplus_units = Usage { amount: reserved.units.0.saturating_sub(amounts.units.0), count: 0 };
        self.give_back(card, surplus, surplus_units, number, at)?;
        self.store.expect_expiry(number, expires_at);
        if let Some(transaction) = self.store.find_mut(number) {
            transaction.state = TransactionState::Approved;
            transaction.reason = Some(reason);
            transaction.part = part;
            transaction.held = Some(amounts);
        }
        Ok(())
    }

    fn end_ask(
        &mut self,
        number: TransactionNo,
        failures: &[Failure],
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let transaction = self.in_state(number, TransactionState::Asked)?;
        let (card, asked_at, held) = (transaction.card, transaction.at, transaction.held);
        self.asked.remove(&number);
        self.release_limits(card, held, number, asked_at)?;
        if let Some(transaction) = self.store.find_mut(number) {
            transaction.state = TransactionState::Declined;
            transaction.reason = failures.first().map(|failure| failure.reason);
            transaction.failures = failures.into();
            transaction.held = None;
            transaction.ended_at = at;
        }
        self.store.finish(number, at);
        Ok(())
    }

    /// Releases what a transaction still reserves or holds.
    fn undo(
        &mut self,
        number: TransactionNo,
        state: TransactionState,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        let id = self.transaction_id(number);
        let missing = ApplyError::NoSuchTransition { transaction: id };
        let transaction = self.store.find(number).filter(|found| found.state.is_open()).ok_or(missing)?;
        let (card, approved_at, held) = (transaction.card, transaction.at, transaction.held);
        let (was, expires_at) = (transaction.state, transaction.expires_at);
        match was {
            TransactionState::Asked => {
                self.asked.remove(&number);
            }
            TransactionState::Approved => {
                let units = held.map_or(Units::ZERO, |held| held.units);
                let account = self.card(card)?.account;
                let returned = self.returned_units(card, units)?;
                self.book(account, returned, Units(-units.0))?;
                self.store.cancel_expiry(number, expires_at);
            }
            TransactionState::Declined
            | TransactionState::Reversed
            | TransactionState::Expired
            | TransactionState::ReversedFirst => return Err(missing),
        }
        self.release_limits(card, held, number, approved_at)?;
        if let Some(transaction) = self.store.find_mut(number) {
            transaction.state = state;
            transaction.held = None;
            transaction.ended_at = at;
            if was == TransactionState::Asked {
                transaction.reason = Some(Reason::ReversedInFlight);
            }
        }
        self.store.finish(number, at);
        Ok(())
    }

    fn remember_reversal(
        &mut self,
        number: TransactionNo,
        card: CardNo,
        reversal: &Reversal,
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.count_number(number);
        self.card(card)?;
        let tombstone = Transaction {
            number,
            at,
            ended_at: at,
            card,
            class: MessageClass::AuthorizationRequest,
            processing_code: ProcessingCode(0),
            stan: reversal.stan,
            transmission: reversal.transmission,
            acquirer: reversal.acquirer,
            rrn: reversal.rrn,
            mcc: None,
            partial: PartialApproval::NotSupported,
            amount: reversal.amount,
            state: TransactionState::ReversedFirst,
            reason: None,
            part: None,
            held: None,
            rate: None,
            expires_at: Timestamp::MAX,
            failures: Box::default(),
        };
        self.store.insert(tombstone, &self.policy);
        Ok(())
    }

    /// Changes both parts of a balance in one step.
    fn book(&mut self, account: AccountNo, ledger: Units, held: Units) -> Result<(), ApplyError> {
        let shard = self.id;
        let account = self.account_mut(account)?;
        let booked = account.balance.credit(ledger).and_then(|balance| balance.place(held));
        account.balance = booked.map_err(|source| ApplyError::Balance { shard, source })?;
        Ok(())
    }

    /// What a hold moves into the ledger: for a JIT card the money comes from outside, at this moment.
    fn funded_units(&mut self, card: CardNo, units: Units) -> Result<Units, ApplyError> {
        let Some(asset) = self.jit_asset(card)? else { return Ok(Units::ZERO) };
        self.flows.entry(asset).or_default().funded.grow(units);
        Ok(units)
    }

    /// What the end of a hold moves out of the ledger again: for a JIT card the money goes back.
    fn returned_units(&mut self, card: CardNo, units: Units) -> Result<Units, ApplyError> {
        let Some(asset) = self.jit_asset(card)? else { return Ok(Units::ZERO) };
        self.flows.entry(asset).or_default().returned.grow(units);
        Ok(Units(-units.0))
    }

    fn jit_asset(&self, card: CardNo) -> Result<Option<AssetCode>, ApplyError> {
        let card = self.card(card)?;
        let asset = self.account(card.account)?.asset.code();
        Ok((card.funding == FundingMode::Jit).then_some(asset))
    }

    fn charge(&mut self, card: CardNo, amounts: Amounts, at: Timestamp) -> Result<(), ApplyError> {
        let account = self.card(card)?.account;
        self.account(account)?;
        let on_card = Usage { amount: i128::from(amounts.card.minor()), count: 1 };
        let on_account = Usage { amount: amounts.units.0, count: 1 };
        if let Some(card) = self.cards.get_mut(index(card.0)) {
            card.limits.charge(on_card, &self.calendar, at);
        }
        if let Some(account) = self.accounts.get_mut(index(account.0)) {
            account.limits.charge(on_account, &self.calendar, at);
        }
        Ok(())
    }

    fn release_limits(
        &mut self,
        card: CardNo,
        held: Option<Amounts>,
        number: TransactionNo,
        approved_at: Timestamp,
    ) -> Result<(), ApplyError> {
        let (minor, units) = held.map_or((0, 0), |held| (i128::from(held.card.minor()), held.units.0));
        let card_usage = Usage { amount: minor, count: 1 };
        let account_usage = Usage { amount: units, count: 1 };
        self.give_back(card, card_usage, account_usage, number, approved_at)?;
        let card = self.card_mut(card)?;
        card.open_holds = card.open_holds.saturating_sub(1);
        Ok(())
    }

    fn give_back(
        &mut self,
        card: CardNo,
        on_card: Usage,
        on_account: Usage,
        number: TransactionNo,
        approved_at: Timestamp,
    ) -> Result<(), ApplyError> {
        let account = self.card(card)?.account;
        if let Some(card) = self.cards.get_mut(index(card.0)) {
            card.limits.give_back(on_card, &self.calendar, number, approved_at);
        }
        if let Some(account) = self.accounts.get_mut(index(account.0)) {
            account.limits.give_back(on_account, &self.calendar, number, approved_at);
        }
        Ok(())
    }

    /// The rate of a hold, shared with the holds before it when it is the same quotation.
    fn intern(&mut self, rate: Option<Rate>) -> Option<Arc<Rate>> {
        let rate = rate?;
        match &self.newest_rate {
            Some(seen) if **seen == rate => {}
            Some(_) | None => self.newest_rate = Some(Arc::new(rate)),
        }
        self.newest_rate.clone()
    }

    fn in_state(&self, number: TransactionNo, state: TransactionState) -> Result<&Transaction, ApplyError> {
        let missing = ApplyError::NoSuchTransition { transaction: self.transaction_id(number) };
        self.store.find(number).filter(|found| found.state == state).ok_or(missing)
    }

    fn count_number(&mut self, number: TransactionNo) {
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
