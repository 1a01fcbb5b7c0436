//! Kill -9 in the middle of traffic, again and again: nothing that the processor has seen approved is forgotten.
//!
//! The client keeps every answer. The switch is killed, and started again on the same journal; then every request is
//! repeated: those that were answered must get the very same bytes, and the others get their one answer now. In the
//! end each approval is one hold, in the control API's balances, in the journal, and at the balance service.

use crate::daemon::{Daemon, FUNDING_KEY, PATIENCE, Site};
use crate::processor::{Answer, Link, Purchase};
use crate::tool::authswitch;
use domain::{AccountId, AssetCode, Units};
use funding::{Keys, Secret};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use simulators::balance_service::{AnswerSigning, BalanceService, Books, Opening, Options, Profile};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc;
use std::time::Duration;

/// Kills, unless AUTHSWITCH_KILLS says otherwise; hundreds take some minutes. At most 330: each takes STANs of its own.
const KILLS: usize = 6;
const LINKS: u32 = 2;
const STANS: u32 = 1_500;
/// Requests of one link that wait for their answers.
const WINDOW: usize = 24;

/// Repeats that are sent at once: fewer than a connection may have in flight.
const REPEATS: usize = 100;

/// How often a repeat is asked again that a busy machine could not take up in time.
const ASK_AGAIN: usize = 50;

/// Whole dollars on each account: enough until the last rounds, so that both answers occur.
const DOLLARS: i128 = 20_000;

/// A card, its account, and who has the money.
#[derive(Clone)]
pub(crate) struct Card {
    id: String,
    number: String,
    account: String,
    pub(crate) jit: bool,
}

impl Card {
    pub(crate) fn number(&self) -> &str {
        &self.number
    }

    pub(crate) fn account(&self) -> &str {
        &self.account
    }
}

pub(crate) fn cards() -> Vec<Card> {
    let card = |place: usize| {
        // Two cards share each account, so that they compete for its money.
        let (jit, account) = (place % 4 >= 2, place / 2);
        let prefix = if jit { "jit" } else { "cache" };
        Card {
            id: format!("card-{place}"),
            number: with_check_digit(place),
            account: format!("{prefix}-{account}"),
            jit,
        }
    };
    (0..8).map(card).collect()
}

fn with_check_digit(place: usize) -> String {
    let payload = format!("999999{place:09}");
    let digit = (0..10).map(|digit| format!("{payload}{digit}")).find(|number| is_luhn(number));
    digit.unwrap()
}

fn is_luhn(number: &str) -> bool {
    let value = |(place, digit): (usize, u8)| {
        let value = u32::from(digit - b'0') * if place % 2 == 1 { 2 } else { 1 };
        value / 10 + value % 10
    };
    number.bytes().rev().enumerate().map(value).sum::<u32>() % 10 == 0
}

pub(crate) fn import_lines(cards: &[Card]) -> String {
    let mut lines = Vec::new();
    for card in cards {
        if !lines.iter().any(|line: &Value| line["account"]["id"] == card.account.as_str()) {
            lines.push(json!({"account": {"id": card.account, "asset": "USD"}}));
            if !card.jit {
                lines.push(json!({"credit": {"account": card.account, "amount": format!("{DOLLARS}.00")}}));
            }
        }
        let funding = if card.jit { "jit" } else { "pre_funded" };
        lines.push(json!({"card": {"id": card.id, "number": card.number,
            "account": card.account, "currency": "USD", "expiry": "2088-12", "funding": funding, "status": "active"}}));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What the client has seen: every request that it sent, and the first answer to each.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) sent: BTreeMap<u32, Purchase>,
    pub(crate) answers: HashMap<u32, Answer>,
}

impl Seen {
    /// Notes an event; whether it was an answer.
    pub(crate) fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Sent(purchase) => {
                self.sent.insert(purchase.stan, purchase);
                false
            }
            Event::Answered(answer) if came_too_late(&answer) => true,
            Event::Answered(answer) => {
                assert!(self.answers.insert(answer.stan, answer).is_none(), "answered twice");
                true
            }
        }
    }
}

pub(crate) enum Event {
    Sent(Purchase),
    Answered(Answer),
}

/// Sends purchases on one connection until it breaks, with `WINDOW` of them in flight.
pub(crate) fn keep_buying(
    mut link: Link,
    cards: &[Card],
    stans: std::ops::Range<u32>,
    seed: u64,
    events: &mpsc::Sender<Event>,
) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut in_flight = 0;
    for stan in stans {
        let card = &cards[random.random_range(0..cards.len())];
        let purchase = Purchase::new(&card.number, random.random_range(100..10_000), stan);
        let message = purchase.message("0100");
        // Noted before it is sent: what may have left may have been seen.
        events.send(Event::Sent(purchase)).unwrap();
        if link.send(&message).is_err() {
            return;
        }
        in_flight += 1;
        while in_flight == WINDOW {
            let Ok(answer) = link.receive() else { return };
            in_flight -= 1;
            events.send(Event::Answered(answer)).unwrap();
        }
    }
}

/// One round: traffic on all links until `answers` have been seen, then the kill.
fn buy_and_kill(daemon: Daemon, cards: &[Card], round: usize, answers: usize, seed: u64, seen: &mut Seen) {
    let (events, inbox) = mpsc::channel();
    std::thread::scope(|scope| {
        for link in 0..LINKS {
            let start = (u32::try_from(round).unwrap() * LINKS + link) * STANS + 1;
            let (events, connection) = (events.clone(), daemon.connect());
            scope.spawn(move || {
                keep_buying(connection, cards, start..start + STANS, seed + u64::from(link), &events)
            });
        }
        drop(events);
        let mut daemon = Some(daemon);
        let mut count = 0;
        while let Ok(event) = inbox.recv_timeout(PATIENCE) {
            count += usize::from(seen.take(event));
            if count >= answers
                && let Some(daemon) = daemon.take()
            {
                daemon.kill();
            }
        }
        assert!(daemon.is_none(), "only {count} of {answers} answers came");
    });
}

/// Whether a message waited past its deadline on a busy machine: that is said, and nothing is decided or recorded.
fn came_too_late(answer: &Answer) -> bool {
    answer.code == "91" && answer.bytes.windows(15).any(|part| part == b"deadline_passed")
}

/// Repeats every request. An answer that was seen must come again byte for byte; one that was not is seen now.
pub(crate) fn repeat_all(daemon: &Daemon, seen: &mut Seen) {
    repeat(daemon, seen, |_| true);
}

/// Repeats the requests from `stan` on, and every 20th of the older ones.
fn repeat_latest(daemon: &Daemon, seen: &mut Seen, stan: u32) {
    repeat(daemon, seen, |purchase| purchase.stan >= stan || purchase.stan.is_multiple_of(20));
}

fn repeat(daemon: &Daemon, seen: &mut Seen, which: impl Fn(&Purchase) -> bool) {
    let mut link = daemon.connect();
    let mut waiting: Vec<&Purchase> = seen.sent.values().filter(|purchase| which(purchase)).collect();
    let mut patience = ASK_AGAIN;
    while !waiting.is_empty() {
        let part = waiting.split_off(waiting.len().saturating_sub(REPEATS));
        for purchase in &part {
            link.send(&purchase.message("0101")).unwrap();
        }
        for _ in 0..part.len() {
            let answer = link.receive().unwrap();
            if came_too_late(&answer) && !seen.answers.contains_key(&answer.stan) && patience > 0 {
                patience -= 1;
                waiting.push(&seen.sent[&answer.stan]);
                continue;
            }
            let first = seen.answers.entry(answer.stan).or_insert_with(|| answer.clone());
            assert_eq!(*first, answer, "STAN {} was answered differently after a kill", answer.stan);
        }
    }
}

#[test]
fn nothing_that_was_approved_is_forgotten_when_the_switch_is_killed() {
    let seed = std::env::var("AUTHSWITCH_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("AUTHSWITCH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let cards = cards();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(BalanceService::start(options(&cards, seed))).unwrap();
    let site = Site::new(&service.url());
    let mut seen = Seen::default();

    let mut daemon = site.start();
    site.import(&import_lines(&cards)).ended(0);
    let kills = std::env::var("AUTHSWITCH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for round in 0..kills {
        buy_and_kill(daemon, &cards, round, random.random_range(100..600), random.random(), &mut seen);
        daemon = site.start();
        repeat_latest(&daemon, &mut seen, u32::try_from(round).unwrap() * LINKS * STANS + 1);
    }
    daemon.settle();
    repeat_all(&daemon, &mut seen);

    let held = held_by_account(&cards, &seen);
    let approvals = seen.answers.values().filter(|answer| answer.is_approval()).count();
    let declines = seen.answers.len() - approvals;
    println!("{} requests, {approvals} approvals, {declines} declines", seen.sent.len());
    assert!(approvals > 500 && declines > 0, "both occur");
    assert_eq!(seen.answers.len(), seen.sent.len(), "every request has its answer");
    let books = service.books();
    for card in &cards {
        let held = held[&card.account];
        let (ledger, found) = daemon.balance(&card.account);
        assert_eq!(
            found, held,
            "{}: what the switch holds is not what the processor saw approved",
            card.account
        );
        if card.jit {
            let account = AccountId::new(&card.account).unwrap();
            let usd = AssetCode::new("USD").unwrap();
            assert_eq!(books.held(&account, usd), Units(held), "{} at the balance service", card.account);
        } else {
            assert_eq!(ledger, DOLLARS * 100, "{}: the ledger moves by credits alone", card.account);
        }
    }
    let balances = cards.iter().map(|card| (card.account.clone(), daemon.balance(&card.account))).collect();
    assert_eq!(daemon.stop(), Some(0));
    journal_holds_every_approval_once(&site, &seen);
    another_reader_finds_the_balances(&site, &balances);
    runtime.block_on(service.shutdown(Duration::from_secs(5)));
}

fn options(cards: &[Card], seed: u64) -> Options {
    let opening = |card: &Card| Opening {
        account: AccountId::new(&card.account).unwrap(),
        asset: AssetCode::new("USD").unwrap(),
        // Each account is named by both of its cards.
        units: Units(DOLLARS * 50),
    };
    Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        profile: Profile {
            latency_p50: Duration::from_millis(2),
            latency_p99: Duration::from_millis(6),
            error_rate: 0.02,
            reset_rate: 0.02,
            ..Profile::default()
        },
        books: Books::with(cards.iter().filter(|card| card.jit).map(opening)),
        keys: Keys::new(Secret::parse(FUNDING_KEY).unwrap()),
        answers: AnswerSigning::Unsigned,
        tls: None,
        seed,
    }
}

/// What the processor saw approved, in cents.
pub(crate) fn held_by_account(cards: &[Card], seen: &Seen) -> HashMap<String, i128> {
    let mut held: HashMap<String, i128> = cards.iter().map(|card| (card.account.clone(), 0)).collect();
    for (stan, answer) in &seen.answers {
        if answer.is_approval() {
            let purchase = &seen.sent[stan];
            let card = cards.iter().find(|card| card.number == purchase.number).unwrap();
            *held.get_mut(&card.account).unwrap() += i128::from(purchase.amount);
        }
    }
    held
}

/// Exactly the approvals that the processor saw are facts, and none of them twice.
pub(crate) fn journal_holds_every_approval_once(site: &Site, seen: &Seen) {
    let folder = site.text("journal");
    authswitch(&["journal", "verify", &folder]).ended(0);
    let dump = authswitch(&["journal", "dump", &folder]).ended(0).out;
    let mut asked: HashMap<(u64, String), u64> = HashMap::new();
    let mut approved = HashSet::new();
    for line in dump.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let stan = |fact: &Value| fact["request"]["stan"].as_u64().unwrap();
        let place = |fact: &Value| (line["shard"].as_u64().unwrap(), fact["transaction"].to_string());
        let (kind, fact) = line["fact"].as_object().unwrap().iter().next().unwrap();
        let stan = match kind.as_str() {
            "Approved" => stan(fact),
            "Asked" => {
                asked.insert(place(fact), stan(fact));
                continue;
            }
            "AskApproved" => asked[&place(fact)],
            _ => continue,
        };
        assert!(approved.insert(u32::try_from(stan).unwrap()), "STAN {stan} was approved twice");
    }
    let seen: HashSet<u32> =
        seen.answers.values().filter(|answer| answer.is_approval()).map(|answer| answer.stan).collect();
    assert_eq!(approved, seen);
}

/// A reader that shares no line with the switch makes the same balances of the journal.
pub(crate) fn another_reader_finds_the_balances(site: &Site, balances: &BTreeMap<String, (i128, i128)>) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../journal/tests/read_journal.py");
    let Ok(output) = std::process::Command::new("python3").args([script, &site.text("journal")]).output()
    else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let units = |name: &str| i128::from(line[name].as_i64().unwrap());
        found.insert(line["account"].as_str().unwrap().to_owned(), (units("ledger"), units("held")));
    }
    assert_eq!(found, *balances);
}
