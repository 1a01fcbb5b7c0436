//! Each target plays its committed corpus, and changed copies of each input. Repeat a failure with AUTHSWITCH_SEED; play more
//! with AUTHSWITCH_INPUTS, the number of changed copies of each input.

use fuzz::{TARGETS, Target};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

#[test]
fn nothing_in_the_corpus_and_nothing_near_it_breaks_a_target() {
    let number = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a whole number"))
    };
    let (seed, copies) = (number("AUTHSWITCH_SEED", 1), number("AUTHSWITCH_INPUTS", 500));
    for (name, run) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for (at, input) in (0_u64..).zip(&corpus) {
            play((name, run), input, "as committed");
            for copy in 0..copies {
                let of_this_copy = seed + at * 1_000_003 + copy;
                let changed = changed(input, &corpus, &mut StdRng::seed_from_u64(of_this_copy));
                play((name, run), &changed, &format!("seed {seed}, input {at}, copy {copy}"));
            }
        }
    }
}

fn play((name, run): Target, input: &[u8], which: &str) {
    let played = catch_unwind(AssertUnwindSafe(|| run(input)));
    assert!(played.is_ok(), "{name}, {which}: {}", hex(input));
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file that can be read")).collect()
}

/// Some bytes changed, cut, doubled, or taken from another input.
fn changed(input: &[u8], corpus: &[Vec<u8>], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=4) {
        let at = random.random_range(0..=bytes.len());
        let end = random.random_range(at..=bytes.len().min(at + 16));
        match random.random_range(0..5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            3 => {
                let other = &corpus[random.random_range(0..corpus.len())];
                let from = random.random_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => bytes[at..end].iter_mut().for_each(|byte| *byte ^= 1 << random.random_range(0..8)),
        }
    }
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
