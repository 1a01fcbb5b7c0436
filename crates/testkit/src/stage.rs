//! Where a history is played: a world with accounts, cards and rates, and what was sent and heard so far, from which
//! steps choose what they are about.

mod unserved;

use crate::drafts::{CARDS, Draft, FollowUp, Undo, currency, reversal_of, token};
use crate::endings::Ending;
use crate::finding::Finding;
use crate::standing_in::{Counted, Tell};
use crate::steps::Step;
use crate::world::{Happened, World};
use authorizer::{Change, Command, NewCard, References, TransactionState};
use domain::{
    AccountId, AccountNo, ApprovalCode, Asset, AssetCode, Authorization, CardId, CardNo, CardStatus,
    Controls, DutyNo, Expiry, ExpiryError, FundingMode, FundingOutcome, LimitRule, MessageClass, Money,
    OriginalReferences, Pan, PostingKind, Rate, RequestKey, Stan, Text, Timestamp, TransactionNo, Units,
};
use rust_decimal::Decimal;
use std::collections::HashSet;
use std::time::Duration;

/// The pairs that are quoted.
const PAIRS: [(&str, &str); 6] =
    [("USD", "USDT"), ("EUR", "USD"), ("JPY", "USD"), ("USD", "EUR"), ("EUR", "USDT"), ("GBP", "EUR")];

/// The one of them that is not quoted at first where there is a base: the euro goes over it until somebody quotes it.
const OVER_THE_BASE: usize = 4;

/// A world with its accounts, cards and rates, and what the balance service has heard.
pub(crate) struct Stage {
    world: World,
    sent: Vec<Draft>,
    asks: Vec<(TransactionNo, Units)>,
    duties: Vec<DutyNo>,
    /// What was asked for or promised, with its account.
    promised: Vec<(u32, TransactionNo)>,
}

impl Stage {
    /// Dollars, and three accounts in a token, of which two are asked for at authorization time; seven cards with
    /// the limits of `opening`. Where the switch may stand in, the service tells `told` cents.
    pub(crate) fn set(world: World, opening: &[Vec<LimitRule>], told: i64) -> Result<Self, Finding> {
        let mut stage =
            Self { world, sent: Vec::new(), asks: Vec::new(), duties: Vec::new(), promised: Vec::new() };
        let usdt = Asset::new(AssetCode::new("USDT").expect("a code"), 6).expect("few decimals");
        for (number, asset) in (0..).zip([Asset::of(currency("USD")), usdt, usdt, usdt]) {
            let id = AccountId::new(&format!("A{number}")).expect("a name");
            stage.change(Change::OpenAccount { id, asset, limits: Vec::new() })?;
        }
        stage.post(0, 20_000, 200)?;
        stage.post(1, 150_000_000, 201)?;
        for pair in stage.quoted() {
            stage.quote(pair, 1_000, None)?;
        }
        let (pre_funded, jit) = (FundingMode::PreFunded, FundingMode::Jit);
        let cards =
            [(0, "USD", pre_funded), (0, "USD", pre_funded), (0, "EUR", pre_funded), (1, "USD", pre_funded)];
        let cards = cards.into_iter().chain([(2, "USD", jit), (3, "EUR", jit)]);
        let cards = cards.chain([(2, "USD", jit)]);
        for ((number, (account, code, funding)), limits) in (0..).zip(cards).zip(opening) {
            stage.issue(number, account, code, funding, limits.clone())?;
        }
        if !stage.world.policy().stand_in.programs().is_empty() {
            let tell = Tell { newer: 1, hundredths: told, counted: Counted::None };
            stage.tell(2, tell)?;
            stage.tell(3, tell)?;
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
        let expiry = if number == 1 { month_of(self.world.now().utc) } else { Expiry::new(2029, 12) };
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

    /// The world as it is now.
    pub(crate) fn into_world(self) -> World {
        self.world
    }

    /// Plays a step.
    pub(crate) fn play(&mut self, step: &Step, pool: &[Draft]) -> Result<(), Finding> {
        match step {
            Step::Wait(duration) => self.world.wait(*duration),
            Step::SetBack(duration) => self.world.set_back(*duration),
            Step::SetForward(duration) => self.world.set_forward(*duration),
            Step::Send(place) => self.send(&pool[*place], |_| {})?,
            Step::SendFunded(place) => self.send_funded(&pool[*place])?,
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
            Step::Unserved(unserved) => self.play_unserved(unserved)?,
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
            Step::Quote { pair, thousandths, spread } => {
                // One pair moves, and the others are quoted again as they stood at first: a desk quotes them all.
                for other in self.quoted().into_iter().filter(|other| other != pair) {
                    self.quote(other, 1_000, None)?;
                }
                self.quote(*pair, *thousandths, *spread)?;
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

    /// Where the balance service is asked, it grants at once.
    fn send_funded(&mut self, draft: &Draft) -> Result<(), Finding> {
        let before = self.asks.len();
        self.send(draft, |_| {})?;
        if self.asks.len() > before { self.end_ask(NEWEST, Ending::InFull) } else { Ok(()) }
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

    /// The pairs that a desk quotes.
    fn quoted(&self) -> Vec<usize> {
        let (from, to) = codes(OVER_THE_BASE);
        let goes_over =
            self.world.policy().pricing.terms.base.is_some() && self.world.rates().latest(from, to).is_none();
        (0..PAIRS.len()).filter(|pair| !(goes_over && *pair == OVER_THE_BASE)).collect()
    }

    fn quote(&mut self, pair: usize, thousandths: i64, spread: Option<i64>) -> Result<(), Finding> {
        let (from, to) = codes(pair);
        // A yen is worth about a hundredth of the others.
        let thousandths_of = if PAIRS[pair].0 == "JPY" { 5 } else { 3 };
        let rate = Rate {
            from,
            to,
            value: Decimal::new(thousandths, thousandths_of),
            bid: spread.map(|spread| Decimal::new(thousandths - spread, thousandths_of)),
            source: Text::new("desk").expect("short"),
            as_of: self.world.now().utc,
            max_age: Duration::from_secs(30 * 3_600),
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
        let asked = happened.asks.iter().map(|ask| (ask.account, ask.transaction.number));
        let owed = happened.duties.iter().map(|duty| (duty.account, duty.transaction));
        for (account, transaction) in asked.chain(owed) {
            let number = if account.as_str() == "A3" { 3 } else { 2 };
            self.promised.push((number, transaction));
        }
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

/// The assets of a pair.
fn codes(pair: usize) -> (AssetCode, AssetCode) {
    let (from, to) = PAIRS[pair];
    (AssetCode::new(from).expect("a code"), AssetCode::new(to).expect("a code"))
}

fn month_of(at: Timestamp) -> Result<Expiry, ExpiryError> {
    let time = jiff::Timestamp::from_microsecond(at.micros()).expect("a time of our times");
    let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
    Expiry::new(date.year().unsigned_abs(), date.month().unsigned_abs())
}
