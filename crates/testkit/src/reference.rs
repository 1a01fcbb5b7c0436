//! The naive reference model: what a switch has to answer, computed the slow and obvious way.
//!
//! Written from the rules (the table of hard cases), not from the decision core. It keeps lists: every booking, every
//! message, every entry that counts for limits, every duty. A balance is the sum of the bookings; what is held is the sum
//! over the open holds; a limit's usage is added up anew from all entries that it ever counted; a repeat is found by
//! reading the whole list. There is no counter, no index and no fact, and nothing is ever forgotten but only too old, so
//! the clever ways of being wrong are not open to it.
//!
//! It shares the *words* of the decision core (commands, answers, reasons) and none of its rules. It leaves out
//! what its worlds never reach: amounts near 128 bits, and forgetting for want of memory.

mod advices;
mod arithmetic;
mod asks;
mod changes;
mod clearings;
mod limits;
mod memory;
mod pricing;
mod questions;
mod refunds;
mod requests;
mod reversals;
mod rounding;
mod rules;
mod service;
mod stand_in;
mod transaction;
mod uses;

use arithmetic::none;
use authorizer::{Answer, Caller, Command, FundingPath, NewCard, Policy, Refusal, TransactionState};
use domain::{
    AccountId, Amounts, ApprovalCode, Approver, Asset, AssetCode, Authorization, Balance, CardNo, CardStatus,
    CardToken, ClearingFlags, CountryCode, Currency, Duty, DutyKind, Failure, FundingMode, LimitLeft,
    LimitOwner, LimitRule, Moment, Money, PostingKind, Price, Rate, Reason, RefundFlags, RequestKey, Said,
    ShardId, Span, StandInOrder, Timestamp, TransactionId, TransactionNo, Units,
};
use limits::{Calendar, Limit};
use service::Heard;
use transaction::{Message, Transaction};
use uses::Use;

/// Everything the model knows.
#[derive(Debug)]
pub struct Model {
    shard: ShardId,
    policy: Policy,
    accounts: Vec<Account>,
    cards: Vec<Card>,
    rates: Vec<Rate>,
    bookings: Vec<Booking>,
    transactions: Vec<Transaction>,
    uses: Vec<Use>,
    /// Where each card was used, in order.
    used_in: Vec<(u32, CountryCode)>,
    duties: Vec<Duty>,
    /// Every duty that was ever owed.
    ordered: Vec<Duty>,
    /// What the balance service has told, and what was promised to it or by it, by account.
    heard: Vec<(u32, Heard)>,
    /// What operators have ordered.
    orders: Vec<StandInOrder>,
    keys: Vec<(Timestamp, RequestKey, (u32, PostingKind, Units))>,
    last_number: u64,
    calendar: Calendar,
}

/// What one command led to, in no particular order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// Who was answered what.
    pub answers: Vec<(Caller, Answer)>,
    /// What the balance service was asked for.
    pub asks: Vec<Asked>,
    /// What the balance service is owed from now on.
    pub duties: Vec<Duty>,
    /// What the control API was told.
    pub verdicts: Vec<(Caller, Verdict)>,
}

/// What the balance service was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The transaction.
    pub number: TransactionNo,
    /// The payment that it adds to.
    pub of: Option<TransactionNo>,
    /// How much.
    pub units: Units,
    /// At which rate.
    pub rate: Option<Rate>,
    /// What the units are made of, where that is more than the amount at one rate.
    pub price: Option<Price>,
    /// What is held of the account for other transactions.
    pub held: Units,
    /// What was approved in the service's name and it has not acknowledged (E9).
    pub outstanding: Units,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was made.
    Done,
    /// It had been made before; nothing was done now.
    Repeated,
    /// It was refused.
    Refused(Refusal),
}

/// A transaction as anyone may see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub state: TransactionState,
    /// Its first answer.
    pub reason: Option<Reason>,
    /// Every rule that failed, the deciding one first.
    pub failures: Vec<Failure>,
    /// What is reserved or held.
    pub held: Option<Amounts>,
    /// The part approved, in the merchant's currency.
    pub part: Option<Money>,
    /// The rate of the hold.
    pub rate: Option<Rate>,
    /// What its units are made of, where that is more than the amount at one rate.
    pub price: Option<Price>,
    /// When the hold runs out.
    pub expires_at: Option<Timestamp>,
    /// Who said yes.
    pub by: Option<Approver>,
    /// The transaction that it adds to, pays or refunds.
    pub of: Option<TransactionNo>,
    /// What was paid, or what a refund brought in.
    pub paid: Option<Amounts>,
    /// What refunds have brought back.
    pub refunded: Option<Amounts>,
    /// What is remarkable about a clearing.
    pub clearing_flags: ClearingFlags,
    /// What is remarkable about a refund.
    pub refund_flags: RefundFlags,
    /// What the balance service said beside its decision.
    pub said: Option<Said>,
}

#[derive(Debug)]
struct Account {
    id: AccountId,
    asset: Asset,
    limits: Vec<Limit>,
}

#[derive(Debug)]
struct Card {
    issued: NewCard,
    limits: Vec<Limit>,
}

/// Money that moved into or out of a ledger.
#[derive(Clone, Copy, Debug)]
struct Booking {
    account: u32,
    kind: BookingKind,
    units: i128,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum BookingKind {
    Credited,
    Debited,
    Funded,
    Returned,
    /// Paid to merchants; below zero where a payment was undone.
    Settled,
    /// Brought back by merchants; below zero where a refund was undone.
    Refunded,
}

impl Model {
    /// Nothing yet.
    #[must_use]
    pub fn new(shard: ShardId, policy: Policy) -> Self {
        Self {
            shard,
            policy,
            accounts: Vec::new(),
            cards: Vec::new(),
            rates: Vec::new(),
            bookings: Vec::new(),
            transactions: Vec::new(),
            uses: Vec::new(),
            used_in: Vec::new(),
            duties: Vec::new(),
            ordered: Vec::new(),
            heard: Vec::new(),
            orders: Vec::new(),
            keys: Vec::new(),
            last_number: 0,
            calendar: Calendar::default(),
        }
    }

    /// Plays one command.
    pub fn perform(&mut self, command: &Command, now: Moment) -> Outcome {
        let mut outcome = Outcome::default();
        match command {
            Command::Authorize { card, request, caller } => {
                self.authorize(*card, *request, *caller, now, &mut outcome);
            }
            Command::Reverse { card, reversal, caller } => {
                self.reverse(*card, *reversal, *caller, now, &mut outcome);
            }
            Command::AskEnded { transaction, outcome: ended } => {
                self.ask_ended(*transaction, *ended, now, &mut outcome);
            }
            Command::DutyAcknowledged { duty } => self.acknowledged(*duty),
            Command::Change { change, caller } => {
                let verdict = self.change(change, now, &mut outcome).unwrap_or_else(Verdict::Refused);
                outcome.verdicts.push((*caller, verdict));
            }
            Command::AnswerLost { card, references, loss } => {
                self.answer_lost(*card, references, *loss, now, &mut outcome);
            }
            Command::NoteDecline { card, request, code: _, caller } => {
                self.note_decline(*card, *request, *caller, now, &mut outcome);
            }
            Command::ServiceTold { transaction, word } => self.service_told(*transaction, word, now),
            Command::Inquire { .. } => {}
            Command::Tick => self.tick(now, &mut outcome),
            Command::Resume => self.resume(now, &mut outcome),
        }
        outcome
    }

    /// The process died: nobody waits any more.
    pub fn crash(&mut self) {
        for transaction in &mut self.transactions {
            transaction.waiting.clear();
        }
    }

    /// How many accounts were opened.
    #[must_use]
    pub fn accounts(&self) -> u32 {
        u32::try_from(self.accounts.len()).unwrap_or(u32::MAX)
    }

    /// How many cards were issued.
    #[must_use]
    pub fn cards(&self) -> u32 {
        u32::try_from(self.cards.len()).unwrap_or(u32::MAX)
    }

    /// The sum of everything that was booked, and of everything that is held.
    #[must_use]
    pub fn balance(&self, account: u32) -> Balance {
        let booked = self.bookings.iter().filter(|booking| booking.account == account);
        let ledger = booked.map(|booking| match booking.kind {
            BookingKind::Credited | BookingKind::Funded | BookingKind::Refunded => booking.units,
            BookingKind::Debited | BookingKind::Returned | BookingKind::Settled => -booking.units,
        });
        let open = self.transactions.iter().filter(|found| found.state == TransactionState::Approved);
        let here = open.filter(|found| self.account_of(found.card) == account);
        let held = here.filter_map(|found| found.held).map(|held| held.units.0);
        Balance { ledger: Units(ledger.sum()), held: Units(held.sum()) }
    }

    /// What moved in one asset: credited, debited, funded, returned, settled and refunded.
    #[must_use]
    pub fn flows(&self, asset: AssetCode) -> [i128; 6] {
        let kinds = [
            BookingKind::Credited,
            BookingKind::Debited,
            BookingKind::Funded,
            BookingKind::Returned,
            BookingKind::Settled,
            BookingKind::Refunded,
        ];
        kinds.map(|kind| {
            let of_kind = self.bookings.iter().filter(|booking| booking.kind == kind);
            let here = of_kind.filter(|booking| self.asset_of(booking.account).code() == asset);
            here.map(|booking| booking.units).sum()
        })
    }

    /// How many reservations and holds are open on a card.
    #[must_use]
    pub fn open_holds(&self, card: u32) -> u32 {
        let open = self.transactions.iter().filter(|found| found.card == card && found.state.is_open());
        u32::try_from(open.count()).unwrap_or(u32::MAX)
    }

    /// The status that a card was last given.
    #[must_use]
    pub fn status(&self, card: u32) -> CardStatus {
        self.card(card).issued.status
    }

    /// How many messages the balance service has not acknowledged.
    #[must_use]
    pub fn duties_pending(&self) -> usize {
        self.duties.len()
    }

    /// What the owner's limits have used at `now`: rule, amount, count.
    #[must_use]
    pub fn usage(&self, owner: LimitOwner, index: u32, now: Timestamp) -> Vec<(LimitRule, i128, u32)> {
        let limits = match owner {
            LimitOwner::Card => &self.card(index).limits,
            LimitOwner::Account => &self.account(index).limits,
        };
        let used = limits.iter().map(|limit| {
            let (amount, count) = self.used(owner, index, limit, now);
            (limit.rule, amount, count)
        });
        used.collect()
    }

    /// Every transaction there ever was, by number.
    pub fn records(&self) -> impl Iterator<Item = (TransactionNo, Record)> + '_ {
        self.transactions.iter().map(|found| {
            let record = Record {
                state: found.state,
                reason: found.reason,
                failures: found.failures.clone(),
                held: found.held,
                part: found.part,
                rate: found.rate,
                price: found.price,
                expires_at: found.held.map(|_| found.expires_at),
                by: found.is_approved().then_some(found.by),
                of: found.of.map(TransactionNo),
                paid: moved(found.paid),
                refunded: moved(found.refunded),
                clearing_flags: found.clearing_flags,
                refund_flags: found.refund_flags,
                said: found.said,
            };
            (TransactionNo(found.number), record)
        })
    }

    /// Whether the switch may have forgotten a transaction by now: it is finished, and older than a repeat may be.
    #[must_use]
    pub fn may_be_forgotten(&self, number: TransactionNo, now: Timestamp) -> bool {
        let found = self.transactions.iter().find(|found| found.number == number.0);
        found.is_none_or(|found| !self.is_kept(found, now))
    }

    fn account(&self, index: u32) -> &Account {
        &self.accounts[index as usize]
    }

    fn card(&self, index: u32) -> &Card {
        &self.cards[index as usize]
    }

    fn account_of(&self, card: u32) -> u32 {
        self.card(card).issued.account.0
    }

    fn asset_of(&self, account: u32) -> Asset {
        self.account(account).asset
    }

    fn currency_of(&self, card: u32) -> Currency {
        self.card(card).issued.currency
    }

    fn nothing(&self, card: u32) -> Amounts {
        none(self.currency_of(card))
    }

    fn is_jit(&self, card: u32) -> bool {
        self.card(card).issued.funding == FundingMode::Jit
    }

    fn path(&self, card: u32) -> FundingPath {
        if self.is_jit(card) { FundingPath::Jit } else { FundingPath::Cache }
    }

    /// The number of the next transaction or duty: the time in microseconds, and always above the one before.
    fn next_number(&mut self, now: Moment) -> u64 {
        let clock = u64::try_from(now.utc.micros()).unwrap_or(0);
        self.last_number = clock.max(self.last_number + 1);
        self.last_number
    }

    /// The card, if there is one of that number and it is this very card.
    fn known_card(&self, card: CardNo, token: CardToken) -> bool {
        self.cards.get(card.0 as usize).is_some_and(|card| card.issued.token == token)
    }

    fn approval_code(&self, found: &Transaction) -> ApprovalCode {
        ApprovalCode::of(TransactionId { shard: self.shard, number: TransactionNo(found.number) })
    }

    /// The answer to a message that was decided: the same each time.
    fn answer_of(&self, index: usize) -> Answer {
        let found = &self.transactions[index];
        Answer::Authorization {
            reason: found.reason.expect("what is decided has a reason"),
            approval_code: found.is_approved().then(|| self.approval_code(found)),
            part: found.part,
            balances: found.told,
            limit: limit_left(found),
            path: self.path(found.card),
        }
    }

    /// Enters a message that is decided, and answers it.
    fn answer_with(&mut self, new: Transaction, caller: Caller, out: &mut Outcome) {
        self.transactions.push(new);
        out.answers.push((caller, self.answer_of(self.transactions.len() - 1)));
    }

    /// A row for a message, with everything else still to be filled in.
    fn new_transaction(&mut self, card: u32, request: Authorization, now: Moment) -> Transaction {
        self.empty_transaction(card, Message::Asked(request), now)
    }

    fn empty_transaction(&mut self, card: u32, message: Message, now: Moment) -> Transaction {
        let nothing = self.nothing(card);
        Transaction {
            number: self.next_number(now),
            at: now.utc,
            ended_at: now.utc,
            card,
            message,
            state: TransactionState::Asked,
            reason: None,
            failures: Vec::new(),
            by: Approver::Switch,
            of: None,
            held: None,
            taken: nothing,
            lapsed: 0,
            added: 0,
            paid: nothing,
            refunded: nothing,
            part: None,
            told: None,
            rate: None,
            price: None,
            expires_at: Timestamp::MAX,
            ends_when_delivered: None,
            repeated: false,
            withheld: false,
            total_to_come: None,
            stands: None,
            clearing_flags: ClearingFlags::default(),
            refund_flags: RefundFlags::default(),
            said: None,
            waiting: Vec::new(),
        }
    }

    fn owe(
        &mut self,
        kind: DutyKind,
        transaction: u64,
        card: u32,
        units: Units,
        now: Moment,
        out: &mut Outcome,
    ) {
        let account = self.account_of(card);
        let duty = Duty {
            number: TransactionNo(self.next_number(now)),
            transaction: TransactionNo(transaction),
            account: self.account(account).id,
            kind,
            units,
            asset: self.asset_of(account),
            sequence: self.nth_duty_of(|duty| duty.transaction.0 == transaction),
            account_sequence: self.nth_duty_of(|duty| duty.account == self.account(account).id).into(),
        };
        self.promised_by_duty(account, &duty);
        self.ordered.push(duty);
        self.duties.push(duty);
        out.duties.push(duty);
    }

    /// The number of the next duty of those that `which` chooses, from 1.
    fn nth_duty_of(&self, which: impl Fn(&Duty) -> bool) -> u32 {
        let before = self.ordered.iter().filter(|duty| which(duty)).count();
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn book(&mut self, card: u32, kind: BookingKind, units: i128) {
        let account = self.account_of(card);
        self.bookings.push(Booking { account, kind, units });
    }
}

/// A decline tells what was left of the limit that decided, if it is one of the card's or the account's own.
fn limit_left(found: &Transaction) -> Option<LimitLeft> {
    let deciding = found.failures.first().filter(|failure| Some(failure.reason) == found.reason)?;
    let broken = deciding.limit?;
    match broken.span {
        Span::Calendar(window) => {
            let left = (broken.max - broken.used).max(0);
            Some(LimitLeft { owner: broken.owner, window, measure: broken.measure, left })
        }
        Span::Trailing { .. } => None,
    }
}

/// An amount that has moved, if any has.
fn moved(amounts: Amounts) -> Option<Amounts> {
    (!amounts.card.is_zero() || amounts.units.is_positive()).then_some(amounts)
}
