//! Random histories: a seed gives a world, a pool of messages and a list of steps; playing it either ends well
//! or gives a finding. A failing history is made shorter by leaving out whatever is not needed to fail.

use crate::drafts::{CARDS, Draft, FollowUp, Undo, currency, reversal_of, token};
use crate::finding::Finding;
use crate::program;
use crate::random::Random;
use crate::steps::{self, Ending, Step};
use crate::world::{Happened, World};
use authorizer::{AdviceAfterReversal, Change, Command, Life, NewCard, Policy, References, TransactionState};
use domain::{
    AccountId, AccountNo, ApprovalCode, Asset, AssetCode, Authorization, CardId, CardNo, CardStatus,
    Controls, DutyNo, Expiry, ExpiryError, FundingMode, FundingOutcome, LimitRule, MessageClass, Money,
    OriginalReferences, Pan, PostingKind, Rate, RequestKey, Stan, Text, Timestamp, TransactionNo, Units,
};
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Steps in one history.
const STEPS: usize = 60;

/// When worlds begin: shortly before something happens to the calendar. Seconds since 1970, with the reason.
const STARTS: [i64; 6] = [
    1_774_735_200, // 2026-03-28 22:00 UTC: an hour before a Berlin day of 23 hours
    1_792_875_600, // 2026-10-24 21:00 UTC: an hour before a Berlin day of 25 hours
    1_793_505_600, // 2026-11-01 04:00 UTC: New York's day of 25 hours has just begun, in its summer time
    1_798_754_400, // 2026-12-31 22:00 UTC: the end of a year, a month and, three days later, a week
    1_835_388_000, // 2028-02-28 22:00 UTC: the day before a leap day
    1_795_176_000, // 2026-11-20 12:00 UTC: a plain Friday
];

/// The pairs that are quoted.
const PAIRS: [(&str, &str); 5] =
    [("USD", "USDT"), ("EUR", "USD"), ("JPY", "USD"), ("USD", "EUR"), ("EUR", "USDT")];

/// A story to play, made from a seed.
#[derive(Clone, Debug)]
pub struct History {
    seed: u64,
    start: Timestamp,
    policy: Policy,
    pool: Vec<Draft>,
    opening: Vec<Vec<LimitRule>>,
    steps: Vec<Step>,
}

/// A history that failed, made as short as it could be.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The seed that repeats it.
    pub seed: u64,
    /// What is not as it must be.
    pub finding: Finding,
    /// The steps that are needed, one a line.
    pub trace: String,
}

impl History {
    /// The history of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let pool_size = 4 + random.below(10);
        let policy = Policy {
            open_holds_per_card_max: random.pick(&[2, 1_000, 1_000, 1_000]),
            duties_per_shard_max: random.pick(&[2, 10_000, 10_000, 10_000]),
            rules: Arc::new(program::draw(&mut random)),
            life: Arc::new(life(&mut random)),
            ..Policy::default()
        };
        Self {
            seed,
            start: Timestamp::from_seconds(random.pick(&STARTS)),
            policy,
            pool: (0..pool_size).enumerate().map(|(place, _)| Draft::draw(&mut random, place)).collect(),
            opening: (0..CARDS).map(|_| steps::limits(&mut random, 1)).collect(),
            steps: (0..STEPS).map(|_| Step::draw(&mut random, pool_size)).collect(),
        }
    }

    /// Plays it to the end, and returns the world as it is then.
    ///
    /// # Errors
    /// What was found, at which step.
    pub fn play(&self) -> Result<World, Finding> {
        let mut stage = Stage::set(self)?;
        for (place, step) in self.steps.iter().enumerate() {
            let played = stage.play(step, &self.pool);
            played.map_err(|finding| Finding(format!("step {place}, {step:?}: {finding}")))?;
        }
        stage.world.check_everything()?;
        stage.world.check_all_answered()?;
        Ok(stage.world)
    }

    /// Plays it. A panic is a finding like any other, so that its seed is told.
    fn try_to_play(&self) -> Result<World, Finding> {
        let played = std::panic::catch_unwind(|| self.play());
        played.unwrap_or_else(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
            Err(Finding(format!("the switch or the model panicked and said: {said}")))
        })
    }

    /// Plays it, and if it fails, leaves it as long as it is.
    ///
    /// # Errors
    /// The whole history.
    pub fn check_only(&self) -> Result<World, Box<Failed>> {
        let failed = |finding| Box::new(Failed { seed: self.seed, finding, trace: self.trace() });
        self.try_to_play().map_err(failed)
    }

    /// Plays it, and if it fails, finds out how little is needed to fail.
    ///
    /// # Errors
    /// The short history.
    pub fn check(&self) -> Result<World, Box<Failed>> {
        let mut finding = match self.try_to_play() {
            Ok(world) => return Ok(world),
            Err(finding) => finding,
        };
        let mut short = self.clone();
        loop {
            let before = short.steps.len();
            let mut place = before;
            while place > 0 {
                place -= 1;
                let mut shorter = short.clone();
                shorter.steps.remove(place);
                if let Err(found) = shorter.try_to_play() {
                    (short, finding) = (shorter, found);
                }
            }
            if short.steps.len() == before {
                break;
            }
        }
        Err(Box::new(Failed { seed: self.seed, finding, trace: short.trace() }))
    }

    fn trace(&self) -> String {
        let mut trace = String::new();
        for step in &self.steps {
            let _ = writeln!(trace, "  {step:?}");
            if let Some(place) = step.place() {
                let draft = &self.pool[place];
                let request = &draft.request;
                let _ = writeln!(
                    trace,
                    "      card {} amount {} stan {} sent {} acquirer {} rrn {:?} partial {:?} answer within {:?}",
                    draft.card,
                    request.amount,
                    request.stan,
                    request.transmission,
                    request.acquirer,
                    request.rrn.map(|rrn| rrn.to_string()),
                    request.partial,
                    draft.answer_within,
                );
            }
        }
        trace
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "history {} failed: {}\nas few steps as fail:\n{}", self.seed, self.finding, self.trace)
    }
}

/// A world with its accounts, cards and rates, and what the balance service has heard.
struct Stage {
    world: World,
    sent: Vec<Draft>,
    asks: Vec<(TransactionNo, Units)>,
    duties: Vec<DutyNo>,
}

impl Stage {
    /// Dollars, and three accounts in a token, of which two are asked for at authorization time; six cards.
    fn set(history: &History) -> Result<Self, Finding> {
        let mut stage = Self {
            world: World::new(history.start, history.policy.clone()),
            sent: Vec::new(),
            asks: Vec::new(),
            duties: Vec::new(),
        };
        let usdt = Asset::new(AssetCode::new("USDT").expect("a code"), 6).expect("few decimals");
        for (number, asset) in (0..).zip([Asset::of(currency("USD")), usdt, usdt, usdt]) {
            let id = AccountId::new(&format!("A{number}")).expect("a name");
            stage.change(Change::OpenAccount { id, asset, limits: Vec::new() })?;
        }
        stage.post(0, 20_000, 200)?;
        stage.post(1, 150_000_000, 201)?;
        for pair in 0..PAIRS.len() {
            stage.quote(pair, 1_000)?;
        }
        let (pre_funded, jit) = (FundingMode::PreFunded, FundingMode::Jit);
        let cards =
            [(0, "USD", pre_funded), (0, "USD", pre_funded), (0, "EUR", pre_funded), (1, "USD", pre_funded)];
        let cards = cards.into_iter().chain([(2, "USD", jit), (3, "EUR", jit)]);
        for ((number, (account, code, funding)), limits) in (0..).zip(cards).zip(&history.opening) {
            stage.issue(number, account, code, funding, limits.clone())?;
        }
        Ok(stage)
    }

    fn issue(
        &mut self,
        number: u32,
        account: u32,
        code: &str,
        funding: FundingMode,
        limits: Vec<LimitRule>,
    ) -> Result<(), Finding> {
        // One card runs out at the end of the month in which the world begins.
        let expiry = if number == 4 { month_of(self.world.now().utc) } else { Expiry::new(2029, 12) };
        let expiry = expiry.expect("a month of this century");
        self.change(Change::IssueCard(NewCard {
            id: CardId::new(&format!("C{number}")).expect("a name"),
            token: token(number),
            last_four: Pan::from_digits(b"4242424242424242").expect("digits").last_four(),
            account: AccountNo(account),
            currency: currency(code),
            expiry,
            funding,
            status: CardStatus::Active,
            controls: Controls::default(),
            limits,
        }))
    }

    fn play(&mut self, step: &Step, pool: &[Draft]) -> Result<(), Finding> {
        match step {
            Step::Wait(duration) => self.world.wait(*duration),
            Step::SetBack(duration) => self.world.set_back(*duration),
            Step::SetForward(duration) => self.world.set_forward(*duration),
            Step::Send(place) => self.send(&pool[*place], |_| {})?,
            Step::SendRest(place, more) => {
                let draft = &pool[*place];
                let rest = self.rest(draft.card);
                self.send(draft, |request| {
                    request.amount =
                        rest.map_or(request.amount, |rest| Money::new(rest + more, currency("USD")));
                })?;
            }
            Step::SendOtherAmount(place) => self.send(&pool[*place], |request| {
                request.amount = Money::new(request.amount.minor() + 1, request.amount.currency());
            })?,
            Step::Advise(place) => self.send(&pool[*place], |request| {
                request.class = MessageClass::AuthorizationAdvice;
                // Every third tells of another amount than was asked.
                let minor = request.amount.minor();
                let told = if place % 3 == 0 { minor / 2 + 1_500 } else { minor };
                request.amount = Money::new(told, request.amount.currency());
                // Every other advice comes with a code of the network's, which need not be unique.
                let code = ApprovalCode::parse("STNDIN").filter(|_| place % 2 == 0);
                let original = OriginalReferences { approval_code: code, ..OriginalReferences::default() };
                request.details.original = code.map(|_| original);
            })?,
            Step::AdviseDecline(place) => {
                let Draft { card, mut request, .. } = pool[*place];
                request.class = MessageClass::AuthorizationAdvice;
                let (code, caller) = (Text::new("51").expect("short"), self.world.caller());
                self.perform(Command::NoteDecline { card: CardNo(card), request, code, caller })?;
            }
            Step::Reverse(place, undo) => self.reverse(pool[*place], *undo)?,
            Step::Follow(follow_up) => self.follow(&pool[follow_up.of], follow_up)?,
            Step::FollowHold(any, follow_up) => {
                if let Some(draft) = chosen(&self.sent_and_held(), *any) {
                    self.follow(&draft, follow_up)?;
                    // Where the balance service was asked, it mostly grants at once.
                    if !any.is_multiple_of(4) {
                        self.end_ask(NEWEST, Ending::InFull)?;
                    }
                }
            }
            Step::Repeat(any) => {
                if let Some(draft) = chosen(&self.sent, *any) {
                    self.send(&draft, |_| {})?;
                }
            }
            Step::ReverseSent(any, undo) => {
                if let Some(draft) = chosen(&self.sent, *any) {
                    self.reverse(draft, *undo)?;
                }
            }
            Step::Lose(any, loss) => {
                if let Some(Draft { card, request, .. }) = chosen(&self.sent, *any) {
                    let (card, references) = (CardNo(card), References::of(&request));
                    self.perform(Command::AnswerLost { card, references, loss: *loss })?;
                }
            }
            Step::Release(any) => {
                let kept: Vec<TransactionNo> = self.world.kept();
                if let Some(transaction) = chosen(&kept, *any) {
                    self.change(Change::ReleaseHold { transaction, note: Text::EMPTY })?;
                }
            }
            Step::AskEnds(any, ending) => self.end_ask(*any, *ending)?,
            Step::Acknowledge(any) => {
                if let Some(duty) = chosen(&self.duties, *any) {
                    self.perform(Command::DutyAcknowledged { duty })?;
                }
            }
            Step::Status(card, status) => {
                self.change(Change::SetCardStatus { card: CardNo(*card), status: *status })?;
            }
            Step::LimitCard(card, limits) => {
                self.change(Change::SetCardLimits { card: CardNo(*card), limits: limits.clone() })?;
            }
            Step::LimitAccount(account, limits) => {
                let account = AccountNo(*account);
                self.change(Change::SetAccountLimits { account, limits: limits.clone() })?;
            }
            Step::Control(card, controls) => {
                self.change(Change::SetCardControls { card: CardNo(*card), controls: controls.clone() })?;
            }
            Step::Post { account, units, key } => self.post(*account, *units, *key)?,
            Step::Quote { pair, thousandths } => {
                // One pair moves, and the others are quoted again as they stood at first: a desk quotes them all.
                for other in (0..PAIRS.len()).filter(|other| other != pair) {
                    self.quote(other, 1_000)?;
                }
                self.quote(*pair, *thousandths)?;
            }
            Step::Tick => self.perform(Command::Tick)?,
            Step::Restart => {
                let happened = self.world.restart()?;
                self.hear(&happened);
            }
        }
        Ok(())
    }

    fn send(&mut self, draft: &Draft, change: impl Fn(&mut Authorization)) -> Result<(), Finding> {
        let mut request = draft.request;
        change(&mut request);
        self.sent.push(Draft { request, ..*draft });
        request.deadline = self.world.now().mono.plus(draft.answer_within);
        let caller = self.world.caller();
        self.perform(Command::Authorize { card: CardNo(draft.card), request, caller })
    }

    /// The messages sent so far whose hold stands.
    fn sent_and_held(&self) -> Vec<Draft> {
        let open = |view: &authorizer::TransactionView| view.state == TransactionState::Approved;
        let views = (0..CARDS).map(|card| self.world.transactions(card).into_iter().filter(open));
        let held: Vec<HashSet<Stan>> = views.map(|open| open.map(|view| view.stan).collect()).collect();
        let mut sent = self.sent.clone();
        sent.retain(|draft| held[usize::try_from(draft.card).expect("small")].contains(&draft.request.stan));
        sent
    }

    fn follow(&mut self, first: &Draft, follow_up: &FollowUp) -> Result<(), Finding> {
        let of_first = |view: &authorizer::TransactionView| view.stan == first.request.stan;
        let all = self.world.transactions(first.card);
        let approval = all.iter().find(|view| of_first(view)).and_then(|view| view.approval_code);
        let request = first.followed_by(follow_up, approval);
        self.send(&Draft { request, ..*first }, |_| {})
    }

    fn reverse(&mut self, draft: Draft, undo: Undo) -> Result<(), Finding> {
        let (reversal, caller) = (reversal_of(&draft.request, undo), self.world.caller());
        self.perform(Command::Reverse { card: CardNo(draft.card), reversal, caller })
    }

    /// What a card that is billed in dollars can still spend from an account that is kept in them: what is
    /// available, or the least that any limit leaves.
    fn rest(&self, card: u32) -> Option<i64> {
        let (spender, account) = (self.world.card(card), self.world.account(0));
        let limits = spender.limits.iter().chain(&account.limits);
        let left = limits.filter_map(|limit| Some(limit.rule.amount_max? - limit.used_amount));
        let rest = left.chain([account.balance.available().0]).min()?;
        i64::try_from(rest).ok().filter(|rest| card < 2 && *rest > 0)
    }

    fn end_ask(&mut self, any: usize, ending: Ending) -> Result<(), Finding> {
        let Some((transaction, asked)) = chosen(&self.asks, any) else { return Ok(()) };
        let outcome = match ending {
            Ending::InFull => FundingOutcome::Approved { units: asked },
            Ending::Part(hundredths) => FundingOutcome::Approved { units: Units(asked.0 * hundredths / 100) },
            Ending::Declined(code) => FundingOutcome::Declined { code: Text::new(code).expect("short") },
            Ending::NotAsked(failure) => FundingOutcome::NotAsked(failure),
            Ending::Unknown(failure) => FundingOutcome::Unknown(failure),
        };
        self.perform(Command::AskEnded { transaction, outcome })
    }

    fn post(&mut self, account: u32, units: i128, key: u8) -> Result<(), Finding> {
        self.change(Change::Post {
            account: AccountNo(account),
            kind: if units < 0 { PostingKind::Debit } else { PostingKind::Credit },
            units: Units(units.abs()),
            request: RequestKey([key; 16]),
            note: Text::EMPTY,
        })
    }

    fn quote(&mut self, pair: usize, thousandths: i64) -> Result<(), Finding> {
        let (from, to) = PAIRS[pair % PAIRS.len()];
        // A yen is worth about a hundredth of the others.
        let thousandths_of = if from == "JPY" { 5 } else { 3 };
        let rate = Rate {
            from: AssetCode::new(from).expect("a code"),
            to: AssetCode::new(to).expect("a code"),
            value: Decimal::new(thousandths, thousandths_of),
            bid: None,
            source: Text::new("desk").expect("short"),
            as_of: self.world.now().utc,
            max_age: Duration::from_secs(8 * 3_600),
            id: Text::EMPTY,
        };
        self.change(Change::SetRate(rate))
    }

    fn change(&mut self, change: Change) -> Result<(), Finding> {
        let caller = self.world.caller();
        self.perform(Command::Change { change: Box::new(change), caller })
    }

    fn perform(&mut self, command: Command) -> Result<(), Finding> {
        let happened = self.world.perform(command)?;
        self.hear(&happened);
        Ok(())
    }

    fn hear(&mut self, happened: &Happened) {
        self.asks.extend(happened.asks.iter().map(|ask| (ask.transaction.number, ask.amounts.units)));
        self.duties.extend(happened.duties.iter().map(|duty| duty.number));
    }
}

/// What [`chosen`] takes for the latest.
const NEWEST: usize = 0;

/// One of the things so far, if there are any; the latest more often than the others.
fn chosen<T: Copy>(all: &[T], any: usize) -> Option<T> {
    let len = all.len();
    if any.is_multiple_of(2) {
        all.get(len.checked_sub(1 + any / 2 % 4)?).copied()
    } else {
        all.get(any % len.max(1)).copied()
    }
}

/// What a program decides about the life of a transaction; mostly the defaults.
fn life(random: &mut Random) -> Life {
    Life {
        partial_minor_min: random.pick(&[1, 1, 1, 500]),
        cashback_minor_max: random.pick(&[None, Some(500)]),
        refunds_at_authorization: random.once_in(4),
        advice_after_reversal: random.pick(&[AdviceAfterReversal::Ignore, AdviceAfterReversal::Hold]),
        confirm: random.once_in(4),
        ..Life::default()
    }
}

fn month_of(at: Timestamp) -> Result<Expiry, ExpiryError> {
    let time = jiff::Timestamp::from_microsecond(at.micros()).expect("a time of our times");
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    Expiry::new(date.year().unsigned_abs(), date.month().unsigned_abs())
}
