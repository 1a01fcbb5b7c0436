//! The naive reference model: what a switch has to answer, computed the slow and obvious way.
//!
//! Written from the rules (DESIGN, the table of edges), not from the decision core. It keeps lists: every
//! booking, every transaction, every duty. A balance is the sum of the bookings; what is held is the sum over
//! the open transactions; a limit's usage is added up anew from all transactions that it ever counted; a repeat
//! is found by reading the whole list. There is no counter, no index and no fact, so the clever ways of being
//! wrong are not open to it.
//!
//! It shares the *words* of the decision core (commands, answers, reasons) and none of its rules. It leaves out
//! what its worlds never reach: amounts near 128 bits, and forgetting for want of memory.

mod changes;
mod follow_ups;
mod limits;
mod questions;
mod requests;
mod rules;

use authorizer::{Answer, Caller, Command, FundingPath, NewCard, Policy, Refusal, TransactionState};
use domain::{
    AccountId, AcquirerId, Amounts, ApprovalCode, Asset, AssetCode, Authorization, Balance, Balances, CardNo,
    CardStatus, Duty, DutyKind, Failure, FundingMode, LimitOwner, LimitRule, Moment, Money, PostingKind,
    Rate, Reason, RequestKey, Reversal, Rrn, ShardId, Stan, Timestamp, TransactionId, TransactionNo,
    Transmission, Units,
};
use limits::{Calendar, Limit};

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
    duties: Vec<Duty>,
    /// Every duty that was ever owed.
    ordered: Vec<Duty>,
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
    pub asks: Vec<(TransactionNo, Units)>,
    /// What the balance service is owed from now on.
    pub duties: Vec<Duty>,
    /// What the control API was told.
    pub verdicts: Vec<(Caller, Verdict)>,
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
}

#[derive(Clone, Debug)]
struct Transaction {
    number: u64,
    at: Timestamp,
    ended_at: Timestamp,
    card: u32,
    message: Message,
    state: TransactionState,
    reason: Option<Reason>,
    failures: Vec<Failure>,
    /// What was reserved at first.
    charged: Option<Amounts>,
    owed: Option<Amounts>,
    part: Option<Money>,
    /// The balances that its answer carried.
    told: Option<Balances>,
    rate: Option<Rate>,
    expires_at: Timestamp,
    waiting: Vec<Caller>,
}

/// The message that a transaction began with.
#[derive(Clone, Copy, Debug)]
enum Message {
    Asked(Authorization),
    /// A reversal whose original was never seen.
    Reversal(Reversal),
}

impl Transaction {
    /// Whether money was taken for it, whatever became of it.
    fn was_approved(&self) -> bool {
        let took = self.charged.is_some_and(|amounts| amounts.units.is_positive());
        took && self.reason.is_some_and(Reason::is_approval)
    }
}

impl Message {
    fn stan(&self) -> Stan {
        match self {
            Self::Asked(request) => request.stan,
            Self::Reversal(reversal) => reversal.stan,
        }
    }

    fn transmission(&self) -> Option<Transmission> {
        match self {
            Self::Asked(request) => Some(request.transmission),
            Self::Reversal(reversal) => reversal.transmission,
        }
    }

    fn acquirer(&self) -> Option<AcquirerId> {
        match self {
            Self::Asked(request) => Some(request.acquirer),
            Self::Reversal(reversal) => reversal.acquirer,
        }
    }

    fn amount(&self) -> Option<Money> {
        match self {
            Self::Asked(request) => Some(request.amount),
            Self::Reversal(reversal) => reversal.amount,
        }
    }

    fn rrn(&self) -> Option<Rrn> {
        match self {
            Self::Asked(request) => request.rrn,
            Self::Reversal(reversal) => reversal.rrn,
        }
    }
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
            duties: Vec::new(),
            ordered: Vec::new(),
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
            Command::DutyAcknowledged { duty } => self.duties.retain(|owed| owed.number != *duty),
            Command::Change { change, caller } => {
                let verdict = self.change(change, now).unwrap_or_else(Verdict::Refused);
                outcome.verdicts.push((*caller, verdict));
            }
            // Whether answers arrive, what the network declined, and what the service says beside its decisions, is
            // beyond this model.
            Command::Inquire { .. }
            | Command::AnswerLost { .. }
            | Command::NoteDecline { .. }
            | Command::ServiceTold { .. } => {}
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
            BookingKind::Credited | BookingKind::Funded => booking.units,
            BookingKind::Debited | BookingKind::Returned => -booking.units,
        });
        let open = self.transactions.iter().filter(|found| found.state == TransactionState::Approved);
        let here = open.filter(|found| self.account_of(found.card) == account);
        let held = here.filter_map(|found| found.owed).map(|owed| owed.units.0);
        Balance { ledger: Units(ledger.sum()), held: Units(held.sum()) }
    }

    /// What moved in one asset: credited, debited, funded and returned.
    #[must_use]
    pub fn flows(&self, asset: AssetCode) -> [i128; 4] {
        let kinds = [BookingKind::Credited, BookingKind::Debited, BookingKind::Funded, BookingKind::Returned];
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
                held: found.owed,
                part: found.part,
                rate: found.rate,
            };
            (TransactionNo(found.number), record)
        })
    }

    /// Whether the switch may have forgotten a transaction by now: it is finished, and older than a repeat may be.
    #[must_use]
    pub fn may_be_forgotten(&self, number: TransactionNo, now: Timestamp) -> bool {
        let found = self.transactions.iter().find(|found| found.number == number.0);
        found.is_none_or(|found| !self.is_remembered(found, now))
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
    fn known_card(&self, card: CardNo, token: domain::CardToken) -> bool {
        self.cards.get(card.0 as usize).is_some_and(|card| card.issued.token == token)
    }

    fn approval(&self, number: u64, reason: Reason, part: Option<Money>, card: u32) -> Answer {
        let id = TransactionId { shard: self.shard, number: TransactionNo(number) };
        Answer::Authorization {
            reason,
            approval_code: reason.is_approval().then(|| ApprovalCode::of(id)),
            part,
            balances: self
                .transactions
                .iter()
                .rev()
                .find(|found| found.number == number)
                .and_then(|found| found.told),
            limit: None,
            path: self.path(card),
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
        self.ordered.push(duty);
        self.duties.push(duty);
        out.duties.push(duty);
    }

    /// The number of the next duty of those that `which` chooses, from 1.
    fn nth_duty_of(&self, which: impl Fn(&Duty) -> bool) -> u32 {
        let before = self.ordered.iter().filter(|duty| which(duty)).count();
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn book(&mut self, card: u32, kind: BookingKind, units: Units) {
        let account = self.account_of(card);
        self.bookings.push(Booking { account, kind, units: units.0 });
    }

    /// Whether a message of then can still be told apart from a new one. What was forgotten stays forgotten when
    /// the clock is set back; the newest number tells how late it has been.
    fn is_remembered(&self, found: &Transaction, now: Timestamp) -> bool {
        let newest = i64::try_from(self.last_number).map_or(Timestamp::MAX, Timestamp::from_micros);
        found.state.is_open() || now.max(newest).since(found.ended_at) <= self.policy.repeat_window
    }
}

fn money(minor: i128, currency: domain::Currency) -> Money {
    Money::new(i64::try_from(minor).expect("worlds use amounts that fit"), currency)
}
