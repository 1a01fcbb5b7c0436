//! The processor simulator against a switch that keeps its promises, and against one that breaks each of them.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, missing_docs)]

mod fake_switch;

use fake_switch::{FakeSwitch, Fault};
use simulators::processor::{
    Arrivals, EchoServer, LinkTarget, Mix, Outcome, Pace, Path, PopulationSizes, ProcessorConfig,
    ProcessorError, Progress, SimulatedCard, Skew, Strain, ViolationKind, WhenUnanswered, population, run,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

fn cards() -> Vec<SimulatedCard> {
    let sizes =
        PopulationSizes { pre_funded_cards: 40, jit_cards: 20, cards_per_refusal: 2, ..Default::default() };
    population(1, sizes).unwrap().cards
}

fn config(switch: &FakeSwitch) -> ProcessorConfig {
    ProcessorConfig {
        pace: Pace::Open { rate_per_second: 6_000, arrivals: Arrivals::Poisson },
        duration: Duration::from_millis(300),
        drain_within: Duration::from_secs(10),
        mix: of_holds_alone(),
        ..ProcessorConfig::new(vec![switch.link(), switch.link()], cards())
    }
}

/// What the fake switch keeps books of: holds, and what undoes them whole.
fn of_holds_alone() -> Mix {
    Mix {
        financial: 0,
        completions: 0,
        increments: 0,
        partial_reversals: 0,
        refunds: 0,
        forced_posts: 0,
        questions: 0,
        ..Mix::default()
    }
}

async fn run_against(fault: Fault) -> (FakeSwitch, Outcome) {
    let switch = FakeSwitch::start("ascii-1987", &cards(), fault).await;
    let mut config = config(&switch);
    if matches!(fault, Fault::Silence | Fault::NoStan) {
        config.drain_within = Duration::from_millis(50);
        config.answer_within = Duration::from_millis(30);
    }
    let outcome = run(config, Arc::default()).await.unwrap();
    (switch, outcome)
}

/// What the simulator's books hold open, in the form of the fake switch's own.
fn open_in_books(outcome: &Outcome) -> HashMap<String, (u64, i128)> {
    let open = outcome.books.cards.iter().map(|(id, entry)| (id.to_string(), entry.book.open()));
    open.filter(|(_, open)| open.count > 0).map(|(id, open)| (id, (open.count, open.minor))).collect()
}

#[tokio::test]
async fn a_switch_that_keeps_its_promises_has_the_same_books_in_every_dialect() {
    for dialect in ["ascii-1987", "binary-1987"] {
        let switch = FakeSwitch::start(dialect, &cards(), Fault::None).await;
        let outcome = run(config(&switch), Arc::default()).await.unwrap();
        assert_eq!(outcome.violations.examples, [], "{dialect}");
        let counts = outcome.counts;
        assert!(counts.sent > 1_500, "{counts:?}");
        assert_eq!((counts.answered, counts.unanswered, counts.lost_links), (counts.sent, 0, 0));
        assert_eq!(open_in_books(&outcome), switch.open_holds(), "{dialect}");
        assert!(
            outcome.sending < Duration::from_secs(5),
            "sending ends with the duration, whatever is in flight"
        );
        assert!(outcome.answered_meanwhile <= counts.answered);
        for path in Path::ALL.into_iter().filter(|path| *path != Path::Shed) {
            assert!(outcome.latencies.of(path).count() > 0, "{dialect} {path:?}");
        }
        assert_eq!(outcome.latencies.all().count(), counts.answered);
        assert_eq!(outcome.timeline.iter().map(|second| second.answered).sum::<u64>(), counts.answered);
    }
}

#[tokio::test]
async fn every_broken_promise_is_noticed() {
    for (fault, expected) in [
        (Fault::WrongEcho, ViolationKind::NotEchoed),
        (Fault::WrongType, ViolationKind::WrongType),
        (Fault::NoResponseCode, ViolationKind::NoResponseCode),
        (Fault::NoApprovalCode, ViolationKind::NoApprovalCode),
        (Fault::ApprovalCodeOnDeclines, ViolationKind::NeedlessApprovalCode),
        (Fault::AnswersTwice, ViolationKind::Unexpected),
        (Fault::DecidesRepeatsAfresh, ViolationKind::RepeatDiffers),
        (Fault::ApprovesEverything, ViolationKind::ApprovedAgainstRules),
        (Fault::RefusesFollowUps, ViolationKind::FollowUpRefused),
        (Fault::Garbage, ViolationKind::Undecodable),
        (Fault::NoStan, ViolationKind::Unmatchable),
    ] {
        let (_, outcome) = run_against(fault).await;
        let kinds: Vec<_> = outcome.violations.counts.keys().collect();
        assert!(kinds.contains(&&expected), "{fault:?}: {kinds:?}");
        assert_eq!(outcome.counts.violations, outcome.violations.total());
        let described = format!("{:?}", outcome.violations);
        assert!(!described.contains("99999900"), "no card number is shown: {described}");
    }
}

#[tokio::test]
async fn a_message_without_an_answer_is_late_unanswered_and_its_outcome_unknown() {
    let (switch, outcome) = run_against(Fault::Silence).await;
    let counts = outcome.counts;
    assert!(counts.unanswered > 100, "{counts:?}");
    assert!(counts.answered < counts.sent);
    assert!(outcome.books.unknown() > 0);
    let held: i128 = switch.open_holds().values().map(|(_, minor)| minor).sum();
    let booked: i128 = open_in_books(&outcome).values().map(|(_, minor)| minor).sum();
    assert!(held > booked, "what was approved in silence is missing from the books: {held} {booked}");
}

#[tokio::test]
async fn a_closed_loop_keeps_its_window_full_and_never_exceeds_it() {
    let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::WaitsFor(16)).await;
    let config = ProcessorConfig {
        links: vec![switch.link()],
        pace: Pace::Closed { window_per_link: 16 },
        mix: Mix::cache_only(),
        duration: Duration::from_millis(200),
        drain_within: Duration::from_millis(50),
        ..config(&switch)
    };
    let outcome = run(config, Arc::default()).await.unwrap();
    let traffic = outcome.counts.sent - 2;
    assert!(traffic > 160, "a window below 16 would have stalled: {:?}", outcome.counts);
    assert!(outcome.counts.unanswered <= 16, "{:?}", outcome.counts);
}

#[tokio::test]
async fn after_a_lost_link_repeats_or_reversals_settle_what_was_unknown() {
    for policy in [WhenUnanswered::Repeat, WhenUnanswered::Reverse, WhenUnanswered::Leave] {
        let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::HangsUpAfter(400)).await;
        let config = ProcessorConfig {
            links: vec![switch.link()],
            when_unanswered: policy,
            keep_approvals: true,
            ..config(&switch)
        };
        let outcome = run(config, Arc::default()).await.unwrap();
        assert_eq!(outcome.counts.lost_links, 1, "{policy:?}");
        assert_eq!(outcome.violations.examples, [], "{policy:?}");
        let approved: u64 = outcome
            .books
            .cards
            .values()
            .map(|entry| entry.book.approved.count + entry.book.advised.count)
            .sum();
        assert_eq!(outcome.approvals.len() as u64, approved);
        if policy == WhenUnanswered::Leave {
            assert!(outcome.counts.unanswered > 0 && outcome.books.unknown() > 0);
        } else {
            assert_eq!((outcome.counts.unanswered, outcome.books.unknown()), (0, 0), "{policy:?}");
            assert_eq!(open_in_books(&outcome), switch.open_holds(), "{policy:?}");
        }
    }
}

#[tokio::test]
async fn a_link_that_cannot_be_opened_is_named() {
    let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::RefusesSignOn).await;
    let refused = run(config(&switch), Arc::default()).await.unwrap_err();
    assert!(refused.to_string().ends_with("sign-on was answered with 05"), "{refused}");

    let mut unreachable = config(&switch);
    unreachable.links[0].addr = "127.0.0.1:1".into();
    let error = run(unreachable, Arc::default()).await.unwrap_err();
    assert!(error.to_string().starts_with("link 0 to 127.0.0.1:1: "), "{error}");
}

#[tokio::test]
async fn a_configuration_out_of_bounds_names_the_key() {
    let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::None).await;
    let good = config(&switch);
    let no_rate = Pace::Open { rate_per_second: 0, arrivals: Arrivals::Even };
    for (bad, expected) in [
        (ProcessorConfig { links: vec![], ..good.clone() }, "links: found none"),
        (ProcessorConfig { acquirer: 100_000_000_000, ..good.clone() }, "acquirer: found 100000000000"),
        (ProcessorConfig { pace: no_rate, ..good.clone() }, "rate_per_second: found 0"),
        (ProcessorConfig { duration: Duration::MAX, ..good.clone() }, "duration: found"),
        (
            ProcessorConfig { cards: vec![], mix: Mix::cache_only(), ..good.clone() },
            "mix: none of the 0 cards",
        ),
    ] {
        let error = run(bad, Arc::default()).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn whoever_watches_can_end_a_run_early() {
    let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::None).await;
    let progress = Arc::new(Progress::default());
    let endless = ProcessorConfig { duration: Duration::from_secs(3_600), ..config(&switch) };
    let running = tokio::spawn(run(endless, Arc::clone(&progress)));
    while progress.snapshot().counts.answered < 100 {
        tokio::task::yield_now().await;
    }
    progress.stop();
    let outcome: Result<Outcome, ProcessorError> = running.await.unwrap();
    assert_eq!(outcome.unwrap().counts.unanswered, 0);
}

#[tokio::test]
async fn the_echo_server_says_yes_to_everything_and_breaks_no_promise_in_any_dialect() {
    let targets = ["ascii-1987", "binary-1987"]
        .map(|dialect| LinkTarget::new("", iso8583::shipped(dialect).unwrap().unwrap(), fake_switch::FRAME));
    let server = EchoServer::start(targets.to_vec()).unwrap();
    let config = ProcessorConfig {
        pace: Pace::Open { rate_per_second: 2_000, arrivals: Arrivals::Even },
        duration: Duration::from_millis(300),
        drain_within: Duration::from_secs(10),
        answer_within: Duration::from_secs(10),
        mix: Mix { declines: 0, ..Mix::default() },
        ..ProcessorConfig::new(server.links().to_vec(), cards())
    };
    let (rate, duration) = (2_000, config.duration);
    let outcome = run(config, Arc::default()).await.unwrap();
    assert_eq!(outcome.violations.examples, []);
    assert_eq!(outcome.counts.declined, 0);
    assert_eq!((outcome.counts.answered, outcome.counts.unanswered), (outcome.counts.sent, 0));
    assert_eq!(Strain::of(&outcome, Duration::from_secs(10), rate, duration), None);
    assert!(matches!(Strain::of(&outcome, Duration::ZERO, rate, duration), Some(Strain::Slow(_))));
    assert!(matches!(Strain::of(&outcome, Duration::MAX, 2 * rate, duration), Some(Strain::Unsent(_))));
    assert!(server.stop() > Duration::ZERO, "it says what it cost");
}

#[tokio::test]
async fn traffic_on_one_hot_account_names_no_other_card_but_those_that_are_refused() {
    let switch = FakeSwitch::start("ascii-1987", &cards(), Fault::None).await;
    let skew = Skew::Hot { accounts: 1, percent: 100 };
    let mix = Mix::cache_only();
    let outcome = run(ProcessorConfig { skew, mix, ..config(&switch) }, Arc::default()).await.unwrap();
    let accounts: std::collections::BTreeSet<_> = outcome
        .books
        .cards
        .keys()
        .map(|id| cards().iter().find(|card| card.id == *id).unwrap().account.to_string())
        .collect();
    assert_eq!(accounts.len(), 1, "{accounts:?}");
}
