//! The decision core and the naive model play the same random histories, and agree after every step.
//!
//! `cargo test --release -p testkit --test histories` plays ten thousand of them, as `.ci/run` does; without `--release`
//! a few hundred, because they are ten times as slow. `AUTHSWITCH_HISTORIES=1000000` plays more; `AUTHSWITCH_SEED=123`
//! begins at another seed, and with it one failing history can be repeated: the failure says how. With
//! `AUTHSWITCH_SHRINK=no` the first failure ends everything and is not made shorter: enough for a planted bug.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use authorizer::TransactionState;
use domain::Reason;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::History;
use testkit::reference::Record;

/// Reasons that a shard cannot give by itself: they belong to the links, the queues and the journal. And amounts
/// that do not fit are left to the property tests of the decision core.
const NOT_OF_A_SHARD: [Reason; 4] =
    [Reason::SignedOff, Reason::Overloaded, Reason::JournalUnavailable, Reason::AmountOutOfRange];

/// How many failures one worker shows before it stops.
const FAILURES_MAX: usize = 3;

/// How many histories are played where nothing else is asked for.
const HISTORIES: u64 = if cfg!(debug_assertions) { 500 } else { 10_000 };

/// So many reach every reason and every state, whatever the first seed.
const RICH_FROM: u64 = 2_000;

/// What was reached, and how often.
#[derive(Default)]
struct Reached {
    reasons: BTreeMap<Reason, usize>,
    states: BTreeMap<&'static str, usize>,
    flags: BTreeSet<&'static str>,
    approvers: BTreeSet<&'static str>,
    failures: Vec<String>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, a whole number is needed")),
        Err(_) => otherwise,
    }
}

fn play(seeds: impl Iterator<Item = u64>, failed: &AtomicBool) -> Reached {
    let mut reached = Reached::default();
    let shrinks = std::env::var("AUTHSWITCH_SHRINK").map_or(true, |word| word != "no");
    for seed in seeds {
        if !shrinks && failed.load(Ordering::Relaxed) {
            break;
        }
        let history = History::of(seed);
        let played = if shrinks { history.check() } else { history.check_only() };
        let world = match played {
            Ok(world) => world,
            Err(wrong) => {
                failed.store(true, Ordering::Relaxed);
                let again = format!(
                    "AUTHSWITCH_SEED={seed} AUTHSWITCH_HISTORIES=1 cargo test -p testkit --test histories"
                );
                reached.failures.push(format!("{wrong}\nrepeat it with: {again}"));
                if reached.failures.len() < FAILURES_MAX {
                    continue;
                }
                return reached;
            }
        };
        for (_, record) in world.model().records() {
            let flagged = record.failures.iter().map(|failure| failure.reason);
            for reason in flagged.chain(record.reason) {
                *reached.reasons.entry(reason).or_default() += 1;
            }
            *reached.states.entry(word(record.state)).or_default() += 1;
            reached.flags.extend(flags_of(&record));
            reached.approvers.extend(record.by.map(|by| by.as_str()));
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

/// What is remarkable about a clearing or a refund, in words.
fn flags_of(record: &Record) -> impl Iterator<Item = &'static str> {
    let (clearing, refund) = (record.clearing_flags, record.refund_flags);
    let flags = [
        (clearing.forced, "forced"),
        (clearing.over_capture, "over capture"),
        (clearing.inside_tolerance, "inside the tolerance"),
        (clearing.after_expiry, "after expiry"),
        (clearing.after_reversal, "after a reversal"),
        (clearing.after_decline, "after a decline"),
        (clearing.overdrawn, "overdrawn"),
        (refund.unmatched, "unmatched"),
        (refund.above_original, "above the original"),
        (refund.card_not_active, "card not active"),
    ];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, word)| word)
}

#[test]
fn the_switch_and_the_naive_model_agree_in_every_history() {
    let (first, count) = (number("AUTHSWITCH_SEED", 0), number("AUTHSWITCH_HISTORIES", HISTORIES));
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    println!("{count} histories from seed {first}");
    let failed = AtomicBool::new(false);
    let reached: Vec<Reached> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|worker| {
                let step = usize::try_from(workers).unwrap();
                let failed = &failed;
                scope.spawn(move || play((first + worker..first + count).step_by(step), failed))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failures: Vec<_> = reached.iter().flat_map(|part| part.failures.iter().cloned()).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    if count >= RICH_FROM {
        assert_histories_are_rich(&reached);
    }
}

/// A history that reaches nothing finds nothing: every reason and every state must have come about.
fn assert_histories_are_rich(reached: &[Reached]) {
    let reasons: BTreeSet<_> = reached.iter().flat_map(|part| part.reasons.keys().copied()).collect();
    let states: BTreeSet<_> = reached.iter().flat_map(|part| part.states.keys().copied()).collect();
    let wanted = Reason::ALL.iter().filter(|reason| !NOT_OF_A_SHARD.contains(reason));
    // A wrong token is answered without a record, so it is in no list; the answers are compared all the same.
    let missed: Vec<_> =
        wanted.filter(|reason| **reason != Reason::UnknownCard && !reasons.contains(reason)).collect();
    assert!(missed.is_empty(), "no history reached {missed:?}");
    let flags: BTreeSet<_> = reached.iter().flat_map(|part| part.flags.iter().copied()).collect();
    assert_eq!(flags.len(), 10, "no history had some flag: {flags:?}");
    let approvers: BTreeSet<_> = reached.iter().flat_map(|part| part.approvers.iter().copied()).collect();
    assert_eq!(approvers.len(), 4, "somebody never said yes: {approvers:?}");
    assert_eq!(states.len(), 10, "no history reached some state: {states:?}");
}
