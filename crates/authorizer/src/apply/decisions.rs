//! What was decided about a request: approved, declined, asked for, or noted.

use crate::held::Held;
use crate::shard::{ApplyError, OpenAsk, Shard};
use crate::transaction::{Transaction, TransactionState};
use domain::{
    Amounts, Approver, Authorization, Balances, CardNo, Fact, Failure, HoldTerms, MessageClass, Money,
    PartialApproval, ProcessingCode, Reason, Reversal, Timestamp, TransactionNo, TransactionType,
};

impl Shard {
    pub(super) fn approved(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Approved { transaction, card, request, hold, reason, part, by, told, flags } = fact else {
            return Ok(());
        };
        self.begin_row(*transaction, *card)?;
        let mut row = self.row(*transaction, *card, request, TransactionState::Approved, at);
        (row.reason, row.by) = (Some(*reason), *by);
        row.set_part(*part);
        row.set_failures(flags);
        self.keep_told(&mut row, *told)?;
        let code = request.details.original.and_then(|original| original.approval_code);
        if *by == Approver::Network && code.is_some() {
            let zero = self.zero(*card)?;
            row.more_mut(zero).network_code = code;
        }
        self.approve(&mut row, hold)?;
        self.store.insert(row, &self.policy);
        self.store.expect_expiry(*transaction, hold.expires_at);
        Ok(())
    }

    pub(super) fn declined(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Declined { transaction, card, request, failures } = fact else { return Ok(()) };
        self.begin_row(*transaction, *card)?;
        let mut row = self.row(*transaction, *card, request, TransactionState::Declined, at);
        row.reason = failures.first().map(|failure| failure.reason);
        row.set_failures(failures);
        self.store.insert(row, &self.policy);
        Ok(())
    }

    pub(super) fn decline_advised(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::DeclineAdvised { transaction, of, card, request, code: _ } = fact else { return Ok(()) };
        self.begin_row(*transaction, *card)?;
        let mut row = self.row(*transaction, *card, request, TransactionState::Declined, at);
        (row.reason, row.by) = (Some(Reason::DeclinedByNetwork), Approver::Network);
        row.set_parent(*of);
        row.set_failures(&[Reason::DeclinedByNetwork.into()]);
        self.store.insert(row, &self.policy);
        Ok(())
    }

    pub(super) fn answered(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Answered { transaction, card, request, reason, told, flags } = fact else { return Ok(()) };
        self.begin_row(*transaction, *card)?;
        let mut row = self.row(*transaction, *card, request, TransactionState::Answered, at);
        row.reason = Some(*reason);
        row.set_failures(flags);
        self.keep_told(&mut row, *told)?;
        self.store.insert(row, &self.policy);
        Ok(())
    }

    pub(super) fn ask_approved(&mut self, fact: &Fact) -> Result<(), ApplyError> {
        let Fact::AskApproved { transaction, amounts, part, reason, by, told } = fact else { return Ok(()) };
        self.fund(*transaction, *amounts)?;
        self.renew_end_of_parent(*transaction);
        self.service_promised(*transaction, *by, amounts.units)?;
        let zero = Money::new(0, amounts.card.currency());
        if let Some(row) = self.store.find_mut(*transaction) {
            (row.reason, row.by) = (Some(*reason), *by);
            row.set_part(*part);
            if told.is_some() {
                row.more_mut(zero).told = *told;
            }
        }
        Ok(())
    }

    /// Counts the number of a message of a card, which there must be.
    pub(super) fn begin_row(&mut self, number: TransactionNo, card: CardNo) -> Result<(), ApplyError> {
        self.count_number(number);
        self.card(card).map(|_| ())
    }

    /// A new row for a message, once [`Shard::begin_row`] has let it.
    pub(super) fn row(
        &self,
        number: TransactionNo,
        card: CardNo,
        request: &Authorization,
        state: TransactionState,
        at: Timestamp,
    ) -> Transaction {
        let mut row = Transaction::of(number, at, card, request, state);
        if request.class.is_financial()
            && let Ok(zero) = self.zero(card)
        {
            row.more_mut(zero).merchant = request.merchant.id;
        }
        row
    }

    pub(super) fn keep_told(&self, row: &mut Transaction, told: Option<Balances>) -> Result<(), ApplyError> {
        if told.is_some() {
            let zero = self.zero(row.card)?;
            row.more_mut(zero).told = told;
        }
        Ok(())
    }

    /// Nothing, in the currency of a card.
    pub(super) fn zero(&self, card: CardNo) -> Result<Money, ApplyError> {
        Ok(Money::new(0, self.card(card)?.currency))
    }

    fn keep_price(&self, row: &mut Transaction, hold: &HoldTerms) -> Result<(), ApplyError> {
        if hold.price.is_some() {
            let zero = self.zero(row.card)?;
            row.more_mut(zero).price = hold.price.as_deref().copied();
        }
        Ok(())
    }

    /// Places the hold of an approval.
    fn approve(&mut self, row: &mut Transaction, hold: &HoldTerms) -> Result<(), ApplyError> {
        let card = row.card;
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, hold.amounts.units)?;
        self.book(account, funded, hold.amounts.units)?;
        self.charge(card, hold.amounts, 1, row.at)?;
        self.card_mut(card)?.open_holds += 1;
        row.rate = self.intern(hold.rate.as_deref());
        row.set_held(Some(hold.amounts));
        row.expires_at = hold.expires_at;
        self.keep_price(row, hold)
    }

    pub(super) fn ask(&mut self, fact: &Fact, at: Timestamp) -> Result<(), ApplyError> {
        let Fact::Asked { transaction, card, request, of, hold, flags } = fact else { return Ok(()) };
        let (number, card) = (*transaction, *card);
        self.begin_row(number, card)?;
        let mut row = self.row(number, card, request, TransactionState::Asked, at);
        // An increment is more of a payment that is counted already.
        self.charge(card, hold.amounts, u32::from(of.is_none()), at)?;
        self.card_mut(card)?.open_holds += 1;
        row.rate = self.intern(hold.rate.as_deref());
        row.set_held(Some(hold.amounts));
        row.expires_at = hold.expires_at;
        row.set_failures(flags);
        row.set_parent(*of);
        self.keep_price(&mut row, hold)?;
        self.store.insert(row, &self.policy);
        let merchant = request.merchant.name;
        self.asked.insert(number, OpenAsk { deadline: request.deadline, merchant });
        Ok(())
    }

    /// The money of an ask moves in, and the hold promises it on.
    fn fund(&mut self, number: TransactionNo, amounts: Amounts) -> Result<(), ApplyError> {
        let transaction = self.in_state(number, TransactionState::Asked)?;
        let (card, at, expires_at) = (transaction.card, transaction.at, transaction.expires_at);
        let reserved = transaction.held().unwrap_or(amounts);
        let account = self.card(card)?.account;
        let funded = self.funded_units(card, amounts.units)?;
        self.book(account, funded, amounts.units)?;
        self.asked.remove(&number);
        self.give_back(card, difference(reserved, amounts), 0, (number, at))?;
        self.store.expect_expiry(number, expires_at);
        if let Some(transaction) = self.store.find_mut(number) {
            transaction.state = TransactionState::Approved;
            transaction.set_held(Some(amounts));
            if let Some(price) = transaction.more.as_mut().and_then(|more| more.price.as_mut())
                && amounts != reserved
            {
                *price = price.share(amounts.units, reserved.units);
            }
        }
        Ok(())
    }

    /// The hold that an increment adds to lasts as long as the increment (E20).
    fn renew_end_of_parent(&mut self, number: TransactionNo) {
        let Some((of, end)) = self.store.find(number).and_then(|row| Some((row.parent()?, row.expires_at)))
        else {
            return;
        };
        let parent = self.store.find(of).filter(|parent| parent.state == TransactionState::Approved);
        let Some(before) = parent.map(|parent| parent.expires_at).filter(|before| *before < end) else {
            return;
        };
        if let Some(parent) = self.store.find_mut(of) {
            parent.expires_at = end;
        }
        self.store.cancel_expiry(of, before);
        self.store.expect_expiry(of, end);
    }

    pub(super) fn end_ask(
        &mut self,
        number: TransactionNo,
        failures: &[Failure],
        at: Timestamp,
    ) -> Result<(), ApplyError> {
        self.in_state(number, TransactionState::Asked)?;
        self.asked.remove(&number);
        self.end_hold(number, TransactionState::Declined, at)?;
        if let Some(transaction) = self.store.find_mut(number) {
            transaction.reason = failures.first().map(|failure| failure.reason);
            // What rules in shadow mode recorded when the ask began stays recorded.
            let all: Vec<Failure> = failures.iter().chain(transaction.failures()).copied().collect();
            transaction.set_failures(&all);
        }
        Ok(())
    }

    pub(super) fn remember_reversal(
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
            country: None,
            partial: PartialApproval::NotSupported,
            amount: reversal.amount,
            state: TransactionState::ReversedFirst,
            reason: None,
            held: Held::default(),
            rate: None,
            expires_at: Timestamp::MAX,
            kind: TransactionType::Other,
            by: Approver::Switch,
            network_reference: reversal.network_reference,
            balances_wanted: false,
            unusual: None,
            more: None,
        };
        self.store.insert(tombstone, &self.policy);
        Ok(())
    }
}

/// One amount less another, held at the ends of the range: both were checked when they were recorded.
pub(super) fn difference(from: Amounts, taken: Amounts) -> Amounts {
    Amounts {
        card: Money::new(from.card.minor().saturating_sub(taken.card.minor()), from.card.currency()),
        units: domain::Units(from.units.0.saturating_sub(taken.units.0)),
    }
}

/// Two amounts together, held at the ends of the range.
pub(super) fn sum(one: Amounts, other: Amounts) -> Amounts {
    Amounts {
        card: Money::new(one.card.minor().saturating_add(other.card.minor()), one.card.currency()),
        units: domain::Units(one.units.0.saturating_add(other.units.0)),
    }
}
