//! Plays a scenario: a story in one file that a payments person can read, on the simulated world.
//!
//! A line either lets something happen (`0100 C1 25.00 USD stan 000123`, `funding 25.00 for 000123`, `+800ms tick`) or
//! says what must have happened (`answer 000123 approved`, `owed cancel 25.00 USD for 000123 unused`) or how
//! things stand (`expect A1 ledger 0.00 held 0.00`). **Everything that happens must be told**: an answer, ask or
//! duty that the story leaves out fails it. After each step the world's own checks run too, so each story is
//! also played by the naive model. The words are listed in `scenarios/README.md`.

mod life;
mod messages;
mod pricing;
mod rules;
mod stand_in;
mod standing;

use crate::finding::Finding;
use crate::script::{Line, duration, lines};
use crate::world::{Happened, World};
use authorizer::{Answer, AnswerLoss, Caller, Change, Command, Life, NewCard, Policy, Reply, Rule};
use domain::{
    AccountId, AccountNo, Asset, AssetCode, Authorization, CancelCause, CardId, CardNo, CardStatus,
    CardToken, Controls, CountryCode, Currency, DutyKind, Expiry, FundingMode, LimitRule, ListRule, Mcc, Pan,
    PostingKind, Rate, Reason, RequestKey, ReversalMatch, Stan, Text, Timestamp, TransactionNo, Transmission,
    ZoneName,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a line may begin with.
const VERBS: &str = "start, account, card, credit, debit, limit, allow, block, rate, rule, price, rates, stand-in, told, order, freeze, unfreeze, close, \
     0100, 0101, 0120, 0121, 0200, 0201, 0220, 0221, clearing, release, 0400, 0401, 0420, 0421, undelivered, withheld, bound, limits, funding, acknowledge, tick, restart, set-back, \
     answer, asked, owed, unanswered, refused, repeated, expect";

/// What a story may bound.
const BOUNDS: &str = "duties, holds, or part";

/// Plays the story in `text`; `file` is its name in errors.
///
/// # Errors
/// The first line that cannot be read, or does not hold, with its file and number.
pub fn play(file: &str, text: &str) -> Result<(), Finding> {
    let mut story = Story::new();
    let mut last = None;
    for mut line in lines(file, text) {
        let at = line.clone();
        story
            .line(&mut line)
            .map_err(|finding| if finding.0.starts_with(file) { finding } else { at.finding(&finding.0) })?;
        last = Some(at);
    }
    let last = last.ok_or_else(|| Finding(format!("{file}: the story is empty, allowed: {VERBS}")))?;
    let end = story.nothing_untold().and_then(|()| story.world.check_everything());
    end.map_err(|finding| last.finding(&finding.0))
}

struct Story {
    world: World,
    accounts: BTreeMap<String, (u32, Asset)>,
    cards: BTreeMap<String, (u32, Currency)>,
    limits: BTreeMap<String, Vec<LimitRule>>,
    controls: BTreeMap<String, Controls>,
    /// When a trace number was first used on a card: its transmission time, for good.
    sent: BTreeMap<(u32, Stan), Transmission>,
    callers: BTreeMap<Caller, Stan>,
    asks: BTreeMap<Stan, TransactionNo>,
    stans: BTreeMap<TransactionNo, Stan>,
    duties: BTreeMap<Stan, Vec<TransactionNo>>,
    /// What was sent last under a trace number, with its card.
    requests: BTreeMap<Stan, (u32, Authorization)>,
    /// Every duty of an account by its place in the account's order.
    ordered: BTreeMap<AccountId, BTreeMap<u64, Stan>>,
    keys: u64,
    policy: Policy,
    rules: Vec<Rule>,
    /// What happened and was not told yet, one line each.
    untold: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let noon = Timestamp::from_seconds(1_795_176_000);
        Self {
            world: World::new(noon, Policy::default()),
            accounts: BTreeMap::new(),
            cards: BTreeMap::new(),
            limits: BTreeMap::new(),
            controls: BTreeMap::new(),
            sent: BTreeMap::new(),
            callers: BTreeMap::new(),
            asks: BTreeMap::new(),
            stans: BTreeMap::new(),
            duties: BTreeMap::new(),
            requests: BTreeMap::new(),
            ordered: BTreeMap::new(),
            keys: 0,
            policy: Policy::default(),
            rules: Vec::new(),
            untold: Vec::new(),
        }
    }

    fn line(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        if let Some(delay) = line.peek().and_then(|word| word.strip_prefix('+')) {
            let delay =
                duration(delay).ok_or_else(|| line.unexpected(line.peek(), "a delay such as +800ms"))?;
            line.optional();
            self.nothing_untold()?;
            self.world.wait(delay);
        }
        match line.peek() {
            Some("answer" | "asked" | "owed" | "unanswered" | "refused" | "repeated") => {
                let told = line.text();
                let place = self.untold.iter().position(|untold| *untold == told);
                let place = place.ok_or_else(|| {
                    line.finding(&format!("told {told:?}, but what happened is {:?}", self.untold))
                })?;
                self.untold.remove(place);
                Ok(())
            }
            Some("expect") => {
                line.optional();
                self.expect(line)
            }
            _ => {
                self.nothing_untold()?;
                self.happen(line)
            }
        }
    }

    fn nothing_untold(&self) -> Result<(), Finding> {
        if self.untold.is_empty() {
            return Ok(());
        }
        Err(Finding(format!("before this line, the story does not tell: {}", self.untold.join("; "))))
    }

    fn happen(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let verb = line.word(VERBS)?;
        match verb {
            "start" => {
                if !self.has_not_begun() {
                    return Err(
                        line.finding("found \"start\" in the middle, allowed: before everything else")
                    );
                }
                self.world = World::new(line.time()?, Policy::default());
                line.end()
            }
            "rule" => self.rule(line),
            "price" => self.price(line),
            "rates" => self.rates(line),
            "stand-in" => self.stand_in(line),
            "told" => self.told(line),
            "order" => self.order(line),
            "account" => self.open_account(line),
            "card" => self.issue_card(line),
            "credit" => self.post(PostingKind::Credit, line),
            "debit" => self.post(PostingKind::Debit, line),
            "limit" => self.limit(line),
            "allow" | "block" => self.control(verb == "allow", line),
            "rate" => self.rate(line),
            "freeze" => self.status(CardStatus::Frozen, line),
            "unfreeze" => self.status(CardStatus::Active, line),
            "close" => self.status(CardStatus::Closed, line),
            "0100" | "0101" | "0120" | "0121" | "0200" | "0201" | "0220" | "0221" | "clearing" => {
                self.send(verb, line)
            }
            "release" => self.release(line),
            "undelivered" => self.lose(AnswerLoss::Undelivered, line),
            "withheld" => self.lose(AnswerLoss::Withheld, line),
            "bound" => self.bound(line),
            "limits" => self.forget_limits(line),
            "0400" | "0401" | "0420" | "0421" => self.reverse(line),
            "funding" => self.funding(line),
            "acknowledge" => self.acknowledge(line),
            "tick" => {
                line.end()?;
                self.perform(Command::Tick)
            }
            "restart" => {
                line.end()?;
                self.restart()
            }
            "set-back" => {
                self.world.set_back(line.duration()?);
                line.end()
            }
            found => Err(line.unexpected(Some(found), VERBS)),
        }
    }

    fn has_not_begun(&self) -> bool {
        self.accounts.is_empty() && self.policy == Policy::default()
    }

    /// `bound duties 2`: so many and no more, before the first account.
    fn bound(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        if !self.accounts.is_empty() {
            return Err(line.finding("found \"bound\" in the middle, allowed: before the first account"));
        }
        let mut policy = self.policy.clone();
        match line.word(BOUNDS)? {
            "duties" => {
                policy.duties_per_shard_max = line.read("a number", |word| word.parse().ok())?;
            }
            "holds" => {
                policy.open_holds_per_card_max = line.read("a number", |word| word.parse().ok())?;
            }
            "part" => {
                let least = messages::money(line)?.minor();
                policy.life = Arc::new(Life { partial_minor_min: least, ..Life::clone(&policy.life) });
            }
            found => return Err(line.unexpected(Some(found), BOUNDS)),
        }
        line.end()?;
        self.world = World::new(self.world.now().utc, policy.clone());
        self.policy = policy;
        Ok(())
    }

    /// `limits C1`: the limits that are named from now on replace those before.
    fn forget_limits(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let owner = line.peek().unwrap_or_default().to_owned();
        self.owner(line)?;
        line.end()?;
        self.limits.remove(&owner);
        Ok(())
    }

    fn open_account(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let name = self.new_name(line)?;
        let asset = line.asset()?;
        line.end()?;
        let id = line_name(line, AccountId::new(name))?;
        self.accounts.insert(name.into(), (self.world.model().accounts(), asset));
        self.change(Change::OpenAccount { id, asset, limits: Vec::new() })
    }

    fn issue_card(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let name = self.new_name(line)?;
        line.keyword("on")?;
        let (account, _) = self.account(line)?;
        let currency = line.currency()?;
        let funding = line.read("prefunded or jit", |word| match word {
            "prefunded" => Some(FundingMode::PreFunded),
            "jit" => Some(FundingMode::Jit),
            _ => None,
        })?;
        line.end()?;
        let id = line_name(line, CardId::new(name))?;
        let number = self.world.model().cards();
        self.cards.insert(name.into(), (number, currency));
        self.change(Change::IssueCard(NewCard {
            id,
            token: token(number),
            last_four: Pan::from_digits(b"4242424242424242").expect("digits").last_four(),
            account: AccountNo(account),
            currency,
            expiry: Expiry::new(2029, 12).expect("a month"),
            funding,
            status: CardStatus::Active,
            controls: Controls::default(),
            limits: Vec::new(),
        }))
    }

    /// A name that nothing in this story has yet.
    fn new_name<'a>(&self, line: &mut Line<'a>) -> Result<&'a str, Finding> {
        let name = line.word("a new name")?;
        if self.accounts.contains_key(name) || self.cards.contains_key(name) {
            return Err(line.unexpected(Some(name), "a name that is not taken yet"));
        }
        Ok(name)
    }

    fn post(&mut self, kind: PostingKind, line: &mut Line<'_>) -> Result<(), Finding> {
        let (account, asset) = self.account(line)?;
        let units = line.units(asset)?;
        self.keys += 1;
        let mut key = self.keys;
        if line.peek().is_some() {
            line.keyword("key")?;
            key =
                1_000_000 + line.read("a number for the idempotency key", |word| word.parse::<u64>().ok())?;
        }
        line.end()?;
        let request = RequestKey(u128::from(key).to_le_bytes());
        self.change(Change::Post { account: AccountNo(account), kind, units, request, note: Text::EMPTY })
    }

    /// `limit C1 day 100.00 in Europe/Berlin`, `limit C1 day 3 times`. Each line adds a limit, or replaces the one
    /// that it names again.
    fn limit(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let owner = line.peek().unwrap_or_default().to_owned();
        let (asset, is_card) = self.owner(line)?;
        let window = line.read(standing::WINDOWS, standing::window)?;
        let (mut amount_max, mut count_max) = (None, None);
        if line.clone().text().split(' ').nth(1) == Some("times") {
            count_max = Some(line.read("how many", |word| word.parse().ok())?);
            line.keyword("times")?;
        } else {
            amount_max = Some(line.units(asset)?.0);
        }
        let mut zone = ZoneName::new("UTC").expect("a zone");
        if line.peek().is_some() {
            line.keyword("in")?;
            zone = line.read("an IANA time zone such as Europe/Berlin", |word| ZoneName::new(word).ok())?;
        }
        line.end()?;
        let rule = LimitRule { window, zone, amount_max, count_max };
        let rules = self.limits.entry(owner.clone()).or_default();
        rules.retain(|known: &LimitRule| {
            (known.window, known.zone, known.count_max.is_some()) != (window, zone, count_max.is_some())
        });
        rules.push(rule);
        let limits = rules.clone();
        if is_card {
            let card = CardNo(self.cards[&owner].0);
            self.change(Change::SetCardLimits { card, limits })
        } else {
            let account = AccountNo(self.accounts[&owner].0);
            self.change(Change::SetAccountLimits { account, limits })
        }
    }

    /// `block C1 mcc 7995`, `allow C1 country 840`: one more value on the list.
    fn control(&mut self, allow: bool, line: &mut Line<'_>) -> Result<(), Finding> {
        let name = line.peek().unwrap_or_default().to_owned();
        let (number, _) = self.card(line)?;
        let what = line.word("mcc, country, currency or merchant")?;
        let controls = self.controls.entry(name).or_default();
        match what {
            "mcc" => {
                let mcc = line.read("four digits", |word| word.parse().ok().map(Mcc))?;
                add(&mut controls.mcc, mcc, allow);
            }
            "country" => {
                let country =
                    line.read("a numeric ISO 3166 code", |word| word.parse().ok().map(CountryCode))?;
                add(&mut controls.country, country, allow);
            }
            "currency" => {
                let currency = line.currency()?;
                add(&mut controls.currency, currency, allow);
            }
            "merchant" => {
                let merchant = line.read("a merchant id of up to 15 bytes", |word| Text::new(word).ok())?;
                add(&mut controls.merchant, merchant, allow);
            }
            found => return Err(line.unexpected(Some(found), "mcc, country, currency or merchant")),
        }
        line.end()?;
        let controls = controls.clone();
        self.change(Change::SetCardControls { card: CardNo(number), controls })
    }

    fn rate(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let from = line.read("an asset code such as USD", |word| AssetCode::new(word).ok())?;
        let to = line.read("an asset code such as USDT", |word| AssetCode::new(word).ok())?;
        let value = line.read("a decimal number", |word| word.parse().ok())?;
        let mut bid = None;
        if line.peek() == Some("bid") {
            line.optional();
            bid = Some(line.read("a decimal number", |word| word.parse().ok())?);
        }
        line.keyword("max-age")?;
        let max_age = line.duration()?;
        line.end()?;
        let (source, as_of) = (Text::new("desk").expect("short"), self.world.now().utc);
        self.change(Change::SetRate(Rate { from, to, value, bid, source, as_of, max_age, id: Text::EMPTY }))
    }

    fn status(&mut self, status: CardStatus, line: &mut Line<'_>) -> Result<(), Finding> {
        let (card, _) = self.card(line)?;
        line.end()?;
        self.change(Change::SetCardStatus { card: CardNo(card), status })
    }

    fn account(&self, line: &mut Line<'_>) -> Result<(u32, Asset), Finding> {
        let known: Vec<_> = self.accounts.keys().map(String::as_str).collect();
        line.read(&format!("an account of this story: {}", known.join(", ")), |word| {
            self.accounts.get(word).copied()
        })
    }

    fn card(&self, line: &mut Line<'_>) -> Result<(u32, Currency), Finding> {
        let known: Vec<_> = self.cards.keys().map(String::as_str).collect();
        line.read(&format!("a card of this story: {}", known.join(", ")), |word| {
            self.cards.get(word).copied()
        })
    }

    /// What the limits of a card or account count in, and whether it is a card.
    fn owner(&self, line: &mut Line<'_>) -> Result<(Asset, bool), Finding> {
        if line.peek().is_some_and(|name| self.accounts.contains_key(name)) {
            return self.account(line).map(|(_, asset)| (asset, false));
        }
        self.card(line).map(|(_, currency)| (Asset::of(currency), true))
    }

    fn change(&mut self, change: Change) -> Result<(), Finding> {
        let caller = self.world.caller();
        self.perform(Command::Change { change: Box::new(change), caller })
    }

    fn perform(&mut self, command: Command) -> Result<(), Finding> {
        let happened = self.world.perform(command)?;
        self.note(happened);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Finding> {
        let happened = self.world.restart()?;
        let lost = std::mem::take(&mut self.callers);
        self.untold.extend(lost.into_values().map(|stan| format!("unanswered {stan}")));
        self.note(happened);
        Ok(())
    }

    /// Writes down what happened, in the words that a story tells it with.
    fn note(&mut self, happened: Happened) {
        for (caller, answer) in happened.answers {
            let stan = self.callers.remove(&caller).expect("whoever is answered has asked");
            self.untold.push(format!("answer {stan} {}", words_of(&answer)));
        }
        for ask in happened.asks {
            let (number, stan) = (ask.transaction.number, ask.request.stan);
            self.asks.insert(stan, number);
            self.stans.insert(number, stan);
            let (amount, code) = (ask.asset.format(ask.amounts.units), ask.asset.code());
            let parent = ask.increment_of.map(|of| format!(" adding to {}", self.stan_of(of.number)));
            self.untold.push(format!("asked {amount} {code} for {stan}{}", parent.unwrap_or_default()));
        }
        for duty in happened.duties {
            let stan = self.stan_of(duty.transaction);
            self.duties.entry(stan).or_default().push(duty.number);
            self.ordered.entry(duty.account).or_default().insert(duty.account_sequence, stan);
            let (amount, code) = (duty.asset.format(duty.units), duty.asset.code());
            self.untold.push(match duty.kind {
                DutyKind::Cancel(cause) => {
                    format!("owed cancel {amount} {code} for {stan} {}", word_of(cause))
                }
                DutyKind::Advise { merchant: _ } => format!("owed advice {amount} {code} for {stan}"),
                DutyKind::Confirm => format!("owed confirm {amount} {code} for {stan}"),
                DutyKind::Reverse { left } => {
                    let left = duty.asset.format(left);
                    format!("owed reversal {amount} {code} for {stan} leaving {left}")
                }
                DutyKind::Clear { reserved, released, last, merchant: _ } => {
                    let (reserved, released) = (duty.asset.format(reserved), duty.asset.format(released));
                    let last = if last { " last" } else { "" };
                    format!(
                        "owed clearing {amount} {code} for {stan} reserved {reserved} released {released}{last}"
                    )
                }
                DutyKind::Refund { merchant: _ } => format!("owed refund {amount} {code} for {stan}"),
                DutyKind::Undo { credit: true } => format!("owed undo of a payment {amount} {code} for {stan}"),
                DutyKind::Undo { credit: false } => format!("owed undo of a refund {amount} {code} for {stan}"),
                DutyKind::Expire => format!("owed expiry {amount} {code} for {stan}"),
            });
        }
        for (_, reply) in happened.replies {
            match reply {
                Reply::Refused(refusal) => self.untold.push(format!("refused {refusal}")),
                Reply::Posted(posted) if posted.repeated => self.untold.push("repeated".into()),
                Reply::Posted(_)
                | Reply::Account(_)
                | Reply::Card(_)
                | Reply::Rate(_)
                | Reply::StandIn(_)
                | Reply::Transactions(_)
                | Reply::Totals(_) => {}
            }
        }
    }

    fn stan_of(&self, number: TransactionNo) -> Stan {
        let views = self.cards.values().flat_map(|(card, _)| self.world.transactions(*card));
        let stan = views.into_iter().find(|view| view.id.number == number).map(|view| view.stan);
        stan.expect("a duty speaks of a transaction of this story")
    }
}

fn add<T>(rule: &mut ListRule<T>, value: T, allow: bool) {
    if allow {
        rule.allowed.get_or_insert_default().push(value);
    } else {
        rule.blocked.push(value);
    }
}

fn token(card: u32) -> CardToken {
    crate::drafts::token(card)
}

fn line_name<T>(line: &Line<'_>, name: Result<T, domain::TextError>) -> Result<T, Finding> {
    name.map_err(|error| line.finding(&format!("a name of 1 to 40 bytes is allowed: {error}")))
}

fn words_of(answer: &Answer) -> String {
    match answer {
        Answer::Authorization { reason: Reason::NoReasonToDecline, .. } => "no reason to decline".into(),
        Answer::Authorization { reason, balances: Some(balances), .. } if reason.is_approval() => {
            format!("{reason} ledger {} available {}", balances.ledger, balances.available)
        }
        Answer::Authorization { reason, part, .. } if reason.is_approval() => {
            part.map_or("approved".into(), |part| format!("approved {part}"))
        }
        Answer::Authorization { reason, .. } => format!("declined {reason}"),
        Answer::Reversal(ReversalMatch::Matched) => "reversed".into(),
        Answer::Reversal(ReversalMatch::NothingLeft) => "nothing left to reverse".into(),
        Answer::Reversal(ReversalMatch::Unmatched) => "reversal remembered".into(),
        Answer::Reversal(ReversalMatch::UnknownCard) => "unknown card".into(),
    }
}

const fn word_of(cause: CancelCause) -> &'static str {
    match cause {
        CancelCause::OutcomeUnknown => "outcome_unknown",
        CancelCause::Unused => "unused",
        CancelCause::Reversed => "reversed",
        CancelCause::Expired => "expired",
    }
}
