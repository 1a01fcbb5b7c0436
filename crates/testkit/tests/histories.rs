//! The decision core and the naive model play the same random histories, and agree after every step.
//!
//! `AUTHSWITCH_HISTORIES=1000000 cargo test --release -p testkit --test histories` plays more of them;
//! `AUTHSWITCH_SEED=123` begins at another seed, and with it one failing history can be repeated.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use authorizer::TransactionState;
use domain::Reason;
use std::collections::{BTreeMap, BTreeSet};
use testkit::History;

/// Reasons that a shard cannot give by itself: they belong to the links, the queues and the journal. And amounts
/// that do not fit are left to the property tests of the decision core.
const NOT_OF_A_SHARD: [Reason; 4] =
    [Reason::SignedOff, Reason::Overloaded, Reason::JournalUnavailable, Reason::AmountOutOfRange];

/// Reasons of rules and messages that the histories do not play.
const NOT_PLAYED: [Reason; 4] =
    [Reason::NoReasonToDecline, Reason::OriginalNotFound, Reason::CashLimit, Reason::DeclinedByNetwork];

/// What was reached, and how often.
#[derive(Default)]
struct Reached {
    reasons: BTreeMap<Reason, usize>,
    states: BTreeMap<&'static str, usize>,
    failures: Vec<String>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, a whole number is needed")),
        Err(_) => otherwise,
    }
}

fn play(seeds: impl Iterator<Item = u64>) -> Reached {
    let mut reached = Reached::default();
    for seed in seeds {
        let world = match History::of(seed).check() {
            Ok(world) => world,
            Err(failed) => {
                reached.failures.push(failed.to_string());
                return reached;
            }
        };
        for (_, record) in world.model().records() {
            let flagged = record.failures.iter().map(|failure| failure.reason);
            for reason in flagged.chain(record.reason) {
                *reached.reasons.entry(reason).or_default() += 1;
            }
            *reached.states.entry(word(record.state)).or_default() += 1;
        }
    }
    reached
}

const fn word(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Asked => "asked",
        TransactionState::Approved => "approved",
        TransactionState::Declined => "declined",
        TransactionState::Reversed => "reversed",
        TransactionState::Expired => "expired",
        TransactionState::ReversedFirst => "reversed first",
        TransactionState::Cleared => "cleared",
        TransactionState::Posted => "posted",
        TransactionState::Added => "added",
        TransactionState::Answered => "answered",
    }
}

#[test]
fn the_switch_and_the_naive_model_agree_in_every_history() {
    let (first, count) = (number("AUTHSWITCH_SEED", 0), number("AUTHSWITCH_HISTORIES", 2_000));
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let reached: Vec<Reached> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let step = usize::try_from(workers).unwrap();
                scope.spawn(move || play((first + worker..first + count).step_by(step)))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failures: Vec<_> = reached.iter().flat_map(|part| part.failures.iter().cloned()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if count >= 2_000 {
        assert_histories_are_rich(&reached);
    }
}

/// A history that reaches nothing finds nothing: every reason and every state must have come about.
fn assert_histories_are_rich(reached: &[Reached]) {
    let reasons: BTreeSet<_> = reached.iter().flat_map(|part| part.reasons.keys().copied()).collect();
    let states: BTreeSet<_> = reached.iter().flat_map(|part| part.states.keys().copied()).collect();
    let wanted =
        Reason::ALL.iter().filter(|reason| !NOT_OF_A_SHARD.contains(reason) && !NOT_PLAYED.contains(reason));
    // A wrong token is answered without a record, so it is in no list; the answers are compared all the same.
    let missed: Vec<_> =
        wanted.filter(|reason| **reason != Reason::UnknownCard && !reasons.contains(reason)).collect();
    assert!(missed.is_empty(), "no history reached {missed:?}");
    assert_eq!(states.len(), 7, "no history reached some state: {states:?}");
}
