//! A desk to decide at: one shard, one clock and one rate table, and the short forms that tests read well with.
//!
//! Every command is decided and applied at once, as a lane would. The facts are kept, so that a test can
//! start the same shard afresh from them.
#![allow(dead_code)] // each test file uses its own part of the desk

use authorizer::{
    AccountView, Action, Answer, Caller, CardView, Change, Command, Context, Effects, Inquiry, NewCard,
    Policy, Reply, Shard, Standing, TransactionView,
};
use domain::*;
use std::time::Duration;

/// 2026-11-20, 12:00 UTC: a Friday.
pub const NOON: i64 = 1_795_176_000;

/// One shard with all that it needs.
pub struct Desk {
    pub shard: Shard,
    pub facts: Vec<(Timestamp, Fact)>,
    pub now: Moment,
    pub rates: RateTable,
    pub orders: StandInOrders,
    policy: Policy,
    callers: u64,
}

impl Desk {
    /// An empty shard at noon.
    pub fn new() -> Self {
        Self::with_policy(Policy::default())
    }

    /// An empty shard with settings of its own.
    pub fn with_policy(policy: Policy) -> Self {
        Self {
            shard: Shard::new(ShardId(7), policy.clone()),
            facts: Vec::new(),
            now: Moment { utc: Timestamp::from_seconds(NOON), mono: Mono::from_nanos(1_000_000_000) },
            rates: RateTable::default(),
            orders: StandInOrders::new(),
            policy,
            callers: 0,
        }
    }

    /// A shard with one account that holds `units` in dollars and one card on it.
    pub fn with_card(funding: FundingMode, units: i128) -> Self {
        let mut desk = Self::new();
        desk.open("A", usd_asset());
        if units > 0 {
            desk.credit(0, units);
        }
        desk.issue("C", 0, funding, Vec::new());
        desk
    }

    /// Lets time pass on both clocks.
    pub fn wait(&mut self, duration: Duration) {
        self.now.utc = self.now.utc.plus(duration);
        self.now.mono = self.now.mono.plus(duration);
    }

    /// Decides and applies one command.
    pub fn run(&mut self, command: Command) -> Vec<Action> {
        let mut effects = Effects::default();
        let headroom = self.shard.room_alone(&command, &self.orders);
        let stand_in = Standing { orders: &self.orders, headroom };
        let context = Context { stand_in, ..Context::new(self.now, &self.rates) };
        self.shard
            .execute(command, context, &mut effects)
            .expect("a decision fits the state it was made from");
        for fact in effects.facts {
            if let Fact::RateSet { rate } = &fact {
                self.rates.set(*rate);
            }
            if let Fact::StandInOrdered { order } = &fact {
                self.orders.set(*order);
            }
            self.facts.push((self.now.utc, fact));
        }
        effects.actions
    }

    /// The same shard, built afresh from its facts.
    pub fn rebuilt(&self) -> Shard {
        let mut shard = Shard::new(ShardId(7), self.policy.clone());
        for (at, fact) in &self.facts {
            shard.apply(fact, *at).expect("recorded facts fit");
        }
        shard
    }

    pub fn change(&mut self, change: Change) -> Reply {
        let caller = self.caller();
        match self.run(Command::Change { change: Box::new(change), caller }).pop() {
            Some(Action::Reply { reply, .. }) => *reply,
            other => panic!("a change is replied to, found {other:?}"),
        }
    }

    pub fn open(&mut self, id: &str, asset: Asset) {
        self.change(Change::OpenAccount { id: AccountId::new(id).unwrap(), asset, limits: Vec::new() });
    }

    pub fn credit(&mut self, account: u32, units: i128) {
        let key = RequestKey(u128::from(self.callers).to_le_bytes());
        let reply = self.change(Change::Post {
            account: AccountNo(account),
            kind: PostingKind::Credit,
            units: Units(units),
            request: key,
            note: Text::EMPTY,
        });
        assert!(matches!(reply, Reply::Posted(_)), "{reply:?}");
    }

    pub fn issue(&mut self, id: &str, account: u32, funding: FundingMode, limits: Vec<LimitRule>) {
        let card = NewCard {
            id: CardId::new(id).unwrap(),
            token: token(id),
            last_four: Pan::from_digits(b"4242424242424242").unwrap().last_four(),
            account: AccountNo(account),
            currency: usd(),
            expiry: Expiry::new(2029, 12).unwrap(),
            funding,
            status: CardStatus::Active,
            controls: Controls::default(),
            limits,
        };
        let reply = self.change(Change::IssueCard(card));
        assert!(matches!(reply, Reply::Card(_)), "{reply:?}");
    }

    pub fn limit_card(&mut self, limits: Vec<LimitRule>) {
        self.change(Change::SetCardLimits { card: CardNo(0), limits });
    }

    /// Sends a request or advice for the first card, and returns everything that is to happen.
    pub fn send(&mut self, request: Authorization) -> Vec<Action> {
        let caller = self.caller();
        self.run(Command::Authorize { card: CardNo(0), request, caller })
    }

    /// Sends a request or advice that is answered at once.
    pub fn answer(&mut self, request: Authorization) -> Answer {
        let actions = self.send(request);
        answers(&actions).into_iter().next().unwrap_or_else(|| panic!("no answer in {actions:?}"))
    }

    pub fn reverse(&mut self, original: &Authorization) -> Answer {
        let reversal = reversal_of(original);
        let caller = self.caller();
        let actions = self.run(Command::Reverse { card: CardNo(0), reversal, caller });
        answers(&actions).into_iter().next_back().unwrap_or_else(|| panic!("no answer in {actions:?}"))
    }

    /// The balance service reserved `units` for a transaction.
    pub fn fund(&mut self, transaction: TransactionNo, units: i128) -> Vec<Action> {
        let outcome = FundingOutcome::Approved { units: Units(units) };
        self.run(Command::AskEnded { transaction, outcome })
    }

    pub fn account(&self, account: u32) -> AccountView {
        let Reply::Account(view) = self.shard.inquire(Inquiry::Account(AccountNo(account)), self.now.utc)
        else {
            panic!("not found")
        };
        view
    }

    pub fn card(&self) -> CardView {
        let Reply::Card(view) = self.shard.inquire(Inquiry::Card(CardNo(0)), self.now.utc) else {
            panic!("not found")
        };
        view
    }

    /// The card's transactions, newest first.
    pub fn transactions(&self) -> Vec<TransactionView> {
        let inquiry = Inquiry::TransactionsOf { card: CardNo(0), count_max: 1_000 };
        let Reply::Transactions(views) = self.shard.inquire(inquiry, self.now.utc) else {
            panic!("not found")
        };
        views
    }

    fn caller(&mut self) -> Caller {
        self.callers += 1;
        Caller(self.callers)
    }
}

/// What stands for a card's number, made from its name.
pub fn token(id: &str) -> CardToken {
    let mut bytes = [0; 16];
    for (place, byte) in bytes.iter_mut().zip(id.bytes()) {
        *place = byte;
    }
    CardToken(bytes)
}

/// A purchase in dollars on the card `C`; the trace number makes it itself.
pub fn purchase(stan: u64, minor: i64) -> Authorization {
    Authorization {
        class: MessageClass::AuthorizationRequest,
        card: token("C"),
        processing_code: ProcessingCode(0),
        amount: Money::new(minor, usd()),
        billing: None,
        transmission: Transmission::new(1_120_120_000).unwrap(),
        stan: Stan::new(stan).unwrap(),
        acquirer: AcquirerId::new(476_135).unwrap(),
        rrn: None,
        entry_mode: None,
        merchant: Merchant { mcc: Some(Mcc(5411)), country: Some(CountryCode(840)), ..Merchant::default() },
        partial: PartialApproval::NotSupported,
        details: domain::Details::default(),
        expiry: None,
        deadline: Mono::MAX,
    }
}

/// The same as an advice: the network approved it for us.
pub fn advice(stan: u64, minor: i64) -> Authorization {
    Authorization { class: MessageClass::AuthorizationAdvice, ..purchase(stan, minor) }
}

/// The reversal of a message, with all its references.
pub fn reversal_of(original: &Authorization) -> Reversal {
    Reversal {
        card: original.card,
        stan: original.stan,
        transmission: Some(original.transmission),
        acquirer: Some(original.acquirer),
        rrn: original.rrn,
        amount: Some(original.amount),
        new_total: None,
        network_reference: None,
        approval_code: None,
        original_class: None,
    }
}

/// A limit in UTC.
pub fn limit(window: Window, amount_max: Option<i128>, count_max: Option<u32>) -> LimitRule {
    LimitRule { window, zone: ZoneName::new("UTC").unwrap(), amount_max, count_max }
}

pub fn usd() -> Currency {
    Currency::from_alpha("USD").unwrap()
}

pub fn usd_asset() -> Asset {
    Asset::of(usd())
}

/// Every answer among `actions`, to whomever.
pub fn answers(actions: &[Action]) -> Vec<Answer> {
    let answers = actions.iter().filter_map(|action| match action {
        Action::Answer { answer, .. } | Action::AnswerWaiting { answer, .. } => Some(*answer),
        Action::Wait { .. }
        | Action::Ask(_)
        | Action::Owe(_)
        | Action::Show { .. }
        | Action::Reply { .. } => None,
    });
    answers.collect()
}

/// The deciding reason of an answer to an authorization.
pub fn reason(answer: Answer) -> Reason {
    match answer {
        Answer::Authorization { reason, .. } => reason,
        Answer::Reversal(matched) => panic!("an answer to a reversal: {matched:?}"),
    }
}

/// Every transaction that the balance service is asked for.
pub fn asks(actions: &[Action]) -> Vec<TransactionNo> {
    let asked = actions.iter().filter_map(|action| match action {
        Action::Ask(ask) => Some(ask.transaction.number),
        Action::Answer { .. }
        | Action::Wait { .. }
        | Action::AnswerWaiting { .. }
        | Action::Owe(_)
        | Action::Show { .. }
        | Action::Reply { .. } => None,
    });
    asked.collect()
}

/// The one transaction that the balance service is asked for.
pub fn asked(actions: &[Action]) -> TransactionNo {
    match asks(actions).as_slice() {
        [one] => *one,
        _ => panic!("one ask was expected in {actions:?}"),
    }
}
