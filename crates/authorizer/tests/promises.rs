//! The promises of the decision core under random interleavings: money is conserved (P4), nobody overspends
//! (P3), a repeat gets the first answer byte for byte (P5), every ask ends once (P6), reasons stand in their
//! documented order (P8), and replaying the facts gives the same state (P2).
//!
//! These tests know nothing of how a decision is made; the reference model of `testkit` says what it must be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod desk;

use authorizer::{Action, Answer, Caller, Command, TransactionState};
use desk::*;
use domain::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// What may happen to a card and its money.
#[derive(Clone, Debug)]
enum Event {
    Purchase { stan: u64, minor: i64 },
    Advice { stan: u64, minor: i64 },
    Reversal { stan: u64, minor: i64 },
    Funding { nth: usize, percent: i128 },
    NoFunding { nth: usize },
    Wait { seconds: u64 },
    Credit { units: i128 },
    Tick,
}

fn event() -> impl Strategy<Value = Event> {
    let (stan, minor) = (0_u64..8, 1_i64..4_000);
    prop_oneof![
        6 => (stan.clone(), minor.clone()).prop_map(|(stan, minor)| Event::Purchase { stan, minor }),
        1 => (stan.clone(), minor.clone()).prop_map(|(stan, minor)| Event::Advice { stan, minor }),
        3 => (stan, minor).prop_map(|(stan, minor)| Event::Reversal { stan, minor }),
        3 => (0_usize..8, 0_i128..130).prop_map(|(nth, percent)| Event::Funding { nth, percent }),
        1 => (0_usize..8).prop_map(|nth| Event::NoFunding { nth }),
        2 => (0_u64..200_000).prop_map(|seconds| Event::Wait { seconds }),
        1 => (1_i128..5_000).prop_map(|units| Event::Credit { units }),
        1 => Just(Event::Tick),
    ]
}

/// Whether no time passes: repeats are told apart for ever then.
fn is_now(event: &Event) -> bool {
    !matches!(event, Event::Wait { .. })
}

fn funding() -> impl Strategy<Value = FundingMode> {
    prop_oneof![Just(FundingMode::PreFunded), Just(FundingMode::Jit)]
}

/// A desk, and what the balance service was asked.
struct Play {
    desk: Desk,
    asks: Vec<(TransactionNo, i128)>,
}

impl Play {
    fn new(funding: FundingMode) -> Self {
        let mut desk = Desk::with_card(funding, 10_000);
        desk.limit_card(vec![
            limit(Window::Day, Some(9_000), Some(9)),
            limit(Window::Month, Some(30_000), None),
        ]);
        Self { desk, asks: Vec::new() }
    }

    fn happen(&mut self, event: &Event) -> Vec<Action> {
        let actions = match *event {
            Event::Purchase { stan, minor } => {
                let partial =
                    if minor % 2 == 0 { PartialApproval::Supported } else { PartialApproval::NotSupported };
                let deadline = self.desk.now.mono.plus(Duration::from_secs(2));
                self.desk.send(Authorization { partial, deadline, ..purchase(stan, minor) })
            }
            Event::Advice { stan, minor } => self.desk.send(advice(stan, minor)),
            Event::Reversal { stan, minor } => {
                let reversal = reversal_of(&purchase(stan, minor));
                self.desk.run(Command::Reverse { card: CardNo(0), reversal, caller: Caller(0) })
            }
            Event::Funding { nth, percent } => match self.nth_ask(nth) {
                Some((number, units)) => self.desk.fund(number, units * percent / 100),
                None => Vec::new(),
            },
            Event::NoFunding { nth } => match self.nth_ask(nth) {
                Some((transaction, _)) => {
                    let outcome = FundingOutcome::Unknown(FundingFailure::TimedOut);
                    self.desk.run(Command::AskEnded { transaction, outcome })
                }
                None => Vec::new(),
            },
            Event::Wait { seconds } => {
                self.desk.wait(Duration::from_secs(seconds));
                Vec::new()
            }
            Event::Credit { units } => {
                self.desk.credit(0, units);
                Vec::new()
            }
            Event::Tick => self.desk.run(Command::Tick),
        };
        for action in &actions {
            if let Action::Ask(ask) = action {
                self.asks.push((ask.transaction.number, ask.amounts.units.0));
            }
        }
        actions
    }

    fn nth_ask(&self, nth: usize) -> Option<(TransactionNo, i128)> {
        self.asks.get(nth % self.asks.len().max(1)).copied()
    }
}

/// Sums of all postings so far: the ledger as the facts tell it, and what they hold.
#[allow(clippy::wildcard_enum_match_arm)] // whatever else moves something must be told here first
fn books(desk: &Desk) -> (i128, i128) {
    let jit = desk.card().funding == FundingMode::Jit;
    let (mut ledger, mut held) = (0, 0);
    let (mut asked, mut holds) = (BTreeMap::new(), BTreeMap::new());
    for (_, fact) in &desk.facts {
        if fact.moves_nothing() {
            continue;
        }
        match fact {
            Fact::Posted { kind: PostingKind::Credit, units, .. } => ledger += units.0,
            Fact::Posted { kind: PostingKind::Debit, units, .. } => ledger -= units.0,
            Fact::Approved { transaction, hold, .. } => {
                holds.insert(*transaction, hold.amounts.units.0);
                held += hold.amounts.units.0;
                ledger += if jit { hold.amounts.units.0 } else { 0 };
            }
            // An advice of our own approval tells of another amount.
            Fact::HoldChanged { of, hold, .. } => {
                let before = holds.insert(*of, hold.amounts.units.0).unwrap();
                held += hold.amounts.units.0 - before;
                ledger += if jit { hold.amounts.units.0 - before } else { 0 };
            }
            Fact::Asked { transaction, .. } => {
                asked.insert(*transaction, ());
            }
            Fact::AskApproved { transaction, amounts, .. } => {
                asked.remove(transaction);
                holds.insert(*transaction, amounts.units.0);
                (ledger, held) = (ledger + amounts.units.0, held + amounts.units.0);
            }
            Fact::AskDeclined { transaction, .. } => {
                asked.remove(transaction);
            }
            // What is reversed while it is asked for was never held.
            Fact::Reversed { transaction, amounts, .. } | Fact::HoldExpired { transaction, amounts } => {
                if asked.remove(transaction).is_none() {
                    held -= amounts.units.0;
                    ledger -= if jit { amounts.units.0 } else { 0 };
                }
            }
            other => panic!("these books do not know {other:?}"),
        }
    }
    (ledger, held)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn money_is_conserved(funding in funding(), events in prop::collection::vec(event(), 1..60)) {
        let mut play = Play::new(funding);
        for event in &events {
            play.happen(event);
            let balance = play.desk.account(0).balance;
            prop_assert_eq!((balance.ledger.0, balance.held.0), books(&play.desk), "after {:?}", event);
            prop_assert!(balance.held.0 >= 0, "what is held is never below nothing");
        }
    }

    #[test]
    fn no_request_is_approved_past_the_balance_or_a_limit(
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut play = Play::new(FundingMode::PreFunded);
        for event in &events {
            let facts_before = play.desk.facts.len();
            play.happen(event);
            let approved = play.desk.facts[facts_before..].iter().any(|(_, fact)| {
                matches!(fact, Fact::Approved { request, .. } if request.class == MessageClass::AuthorizationRequest)
            });
            if approved {
                prop_assert!(play.desk.account(0).balance.available() >= Units::ZERO, "overspent by {:?}", event);
                for limit in play.desk.card().limits {
                    prop_assert!(limit.rule.amount_max.is_none_or(|max| limit.used_amount <= max), "{:?}", limit);
                    prop_assert!(limit.rule.count_max.is_none_or(|max| limit.used_count <= max), "{:?}", limit);
                }
            }
            for limit in play.desk.card().limits {
                prop_assert!(limit.used_amount >= 0, "usage below nothing: {:?}", limit);
            }
        }
    }

    #[test]
    fn asks_in_flight_never_reserve_more_than_a_limit_allows(
        amounts in prop::collection::vec(1_i64..4_000, 1..20),
        answers in prop::collection::vec((0_usize..20, 0_i128..120), 0..40),
    ) {
        let mut play = Play::new(FundingMode::Jit);
        for (stan, minor) in (0..).zip(amounts) {
            play.happen(&Event::Purchase { stan, minor });
            prop_assert!(play.desk.card().limits[0].used_amount <= 9_000);
        }
        for (nth, percent) in answers {
            play.happen(&Event::Funding { nth, percent });
            let (used, held) = (play.desk.card().limits[0].used_amount, play.desk.account(0).balance.held.0);
            prop_assert!(held <= used && used <= 9_000, "held {held}, counted {used}");
        }
    }

    #[test]
    fn a_repeat_gets_the_first_answer_byte_for_byte_and_moves_nothing(
        funding in funding(), events in prop::collection::vec(event().prop_filter("all at once", is_now), 1..40),
    ) {
        let mut play = Play::new(funding);
        let mut first: BTreeMap<(u64, i64), Answer> = BTreeMap::new();
        for event in &events {
            play.happen(event);
            let Event::Purchase { stan, minor } = *event else { continue };
            let facts = play.desk.facts.len();
            let again = play.happen(event);
            let moved = |(_, fact): &&(Timestamp, Fact)| !matches!(fact, Fact::AnswerRepeated { .. });
            let recorded = play.desk.facts[facts..].iter().find(moved);
            prop_assert!(recorded.is_none(), "a repeat recorded {:?}: {:?}", recorded, event);
            // One that waits for the balance service has no answer yet.
            if let Some(answer) = answers(&again).first() {
                let known = *first.entry((stan, minor)).or_insert(*answer);
                prop_assert_eq!(known, *answer, "the answer to {:?} changed", event);
            }
        }
    }

    #[test]
    fn reasons_stand_in_their_documented_order_and_the_first_one_answers(
        stan in 0_u64..1_000_000, minor in -5_i64..20_000, kind in prop::sample::select(vec![0_u32, 400_000, 630_000]),
        frozen: bool, wrong_expiry: bool, late: bool, blocked: bool,
    ) {
        let mut desk = Desk::with_card(FundingMode::PreFunded, 5_000);
        desk.limit_card(vec![
            limit(Window::Transaction, Some(4_000), None),
            limit(Window::Day, Some(3_000), Some(0)),
            limit(Window::Week, Some(2_000), None),
        ]);
        if frozen {
            desk.change(authorizer::Change::SetCardStatus { card: CardNo(0), status: CardStatus::Frozen });
        }
        if blocked {
            let controls = Controls {
                country: ListRule { allowed: Some(vec![CountryCode(276)]), blocked: Vec::new() },
                mcc: ListRule { allowed: None, blocked: vec![Mcc(5411)] },
                ..Controls::default()
            };
            desk.change(authorizer::Change::SetCardControls { card: CardNo(0), controls });
        }
        let request = Authorization {
            processing_code: ProcessingCode(kind),
            expiry: wrong_expiry.then(|| Expiry::new(2030, 1).unwrap()),
            deadline: if late { desk.now.mono } else { Mono::MAX },
            ..purchase(stan, minor)
        };
        let answered = reason(desk.answer(request));
        let reasons: Vec<_> = desk.transactions()[0].failures.iter().map(|failure| failure.reason).collect();
        prop_assert!(reasons.is_sorted(), "{:?}", reasons);
        prop_assert_eq!(reasons.first().copied(), Some(answered));
        prop_assert_eq!(reasons.contains(&Reason::CardFrozen), frozen);
        prop_assert_eq!(reasons.contains(&Reason::ExpiryMismatch), wrong_expiry);
        prop_assert_eq!(reasons.contains(&Reason::DeadlinePassed), late);
        prop_assert_eq!(reasons.contains(&Reason::CountryNotAllowed), blocked);
        prop_assert_eq!(reasons.contains(&Reason::MccNotAllowed), blocked);
        prop_assert_eq!(reasons.contains(&Reason::InvalidAmount), minor <= 0);
        prop_assert_eq!(reasons.contains(&Reason::TransactionTypeNotAllowed), kind != 0);
        prop_assert_eq!(reasons.contains(&Reason::TransactionLimit), minor > 4_000);
        prop_assert_eq!(reasons.contains(&Reason::InsufficientFunds), minor > 5_000);
        let broken_amounts = usize::from(minor > 3_000) + usize::from(minor > 2_000);
        prop_assert_eq!(reasons.iter().filter(|reason| **reason == Reason::AmountLimit).count(), broken_amounts);
        prop_assert!(reasons.contains(&Reason::CountLimit));
    }

    #[test]
    fn every_ask_ends_exactly_once(events in prop::collection::vec(event(), 1..60)) {
        let mut play = Play::new(FundingMode::Jit);
        for event in &events {
            play.happen(event);
        }
        play.desk.wait(Duration::from_secs(60));
        play.desk.run(Command::Tick);
        let mut ends: BTreeMap<TransactionNo, u32> = BTreeMap::new();
        for (_, fact) in &play.desk.facts {
            if let Fact::Asked { transaction, .. } = fact {
                prop_assert_eq!(ends.insert(*transaction, 0), None);
            } else if let Fact::AskApproved { transaction, .. } | Fact::AskDeclined { transaction, .. } = fact {
                *ends.entry(*transaction).or_insert(9) += 1;
            } else if let Fact::Reversed { transaction, .. } = fact
                && ends.get(transaction) == Some(&0)
            {
                ends.insert(*transaction, 1);
            }
        }
        prop_assert!(ends.values().all(|ends| *ends == 1), "{:?}", ends);
        let open = play.desk.transactions().iter().any(|view| view.state == TransactionState::Asked);
        prop_assert!(!open, "an ask outlived its deadline");
    }

    #[test]
    fn replaying_the_facts_gives_the_same_shard(
        funding in funding(), events in prop::collection::vec(event(), 1..60),
    ) {
        let mut play = Play::new(funding);
        for event in &events {
            play.happen(event);
        }
        let mut again = Play::new(funding);
        again.desk.shard = play.desk.rebuilt();
        again.desk.now = play.desk.now;
        prop_assert_eq!(again.desk.account(0), play.desk.account(0));
        prop_assert_eq!(again.desk.card(), play.desk.card());
        prop_assert_eq!(again.desk.transactions(), play.desk.transactions());
        prop_assert_eq!(again.desk.shard.totals(), play.desk.shard.totals());
        prop_assert_eq!(again.desk.shard.duties_pending(), play.desk.shard.duties_pending());
    }

    #[test]
    fn amounts_at_the_edge_of_their_integers_are_refused_and_never_wrap(
        minor in prop::sample::select(vec![i64::MAX, i64::MAX - 1, i64::MIN, i64::MIN + 1, 0, -1]),
        advised: bool, funding in funding(), rate in prop::sample::select(vec!["0.0000000000000000000000000001", "1", "79228162514264337593543950335"]),
    ) {
        let mut desk = Desk::new();
        desk.open("A", Asset::new(AssetCode::new("ETH").unwrap(), 18).unwrap());
        desk.rates.set(Rate {
            from: AssetCode::new("USD").unwrap(),
            to: AssetCode::new("ETH").unwrap(),
            value: rate.parse().unwrap(),
            bid: None,
            source: Text::EMPTY,
            as_of: desk.now.utc,
            max_age: Duration::from_secs(60),
            id: Text::EMPTY,
        });
        desk.issue("C", 0, funding, vec![limit(Window::Day, Some(i128::MAX), None)]);
        let request = if advised { advice(1, minor) } else { purchase(1, minor) };
        let actions = desk.send(request);
        if let [Answer::Authorization { reason, .. }] = answers(&actions).as_slice() {
            prop_assert!(advised || !reason.is_approval(), "{:?}", reason);
        }
        prop_assert!(desk.account(0).balance.held >= Units::ZERO);
        desk.reverse(&request);
        prop_assert_eq!(desk.account(0).balance, Balance::default());
        prop_assert!(desk.card().limits[0].used_amount >= 0);
    }
}
