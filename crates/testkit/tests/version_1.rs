//! Facts as version 1 of the payload wrote them, byte by byte, and what they are today.
//!
//! `golden/facts-version-1.txt` holds short stories: each fact with its time, its bytes, and what it said in words;
//! at the end of each story, the balances that it led to.
#![allow(clippy::unwrap_used, missing_docs)]

use authorizer::{Inquiry, Policy, Reply, Shard};
use domain::{AccountNo, Fact, ShardId, Timestamp, version_1};

const GOLDEN: &str = include_str!("golden/facts-version-1.txt");

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let byte = |place: usize| u8::from_str_radix(&hexadecimal[place..place + 2], 16).unwrap();
    (0..hexadecimal.len()).step_by(2).map(byte).collect()
}

#[test]
fn every_fact_of_version_1_still_says_what_it_said() {
    let mut facts = 0;
    let mut lines = GOLDEN.lines().peekable();
    while let Some(line) = lines.next() {
        let ["fact", _, hexadecimal] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let old: version_1::Fact = journal::payload::decode(1, &bytes(hexadecimal)).unwrap();
        assert_eq!(format!("  {old:?}"), *lines.peek().unwrap());
        facts += 1;
    }
    assert!(facts > 150, "only {facts} facts are kept");
}

#[test]
fn a_journal_of_version_1_leads_to_the_same_balances() {
    let mut shard = Shard::new(ShardId(17), Policy::default());
    let (mut story, mut accounts, mut checked) = ("", 0, 0);
    for line in GOLDEN.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["story", name] => {
                (shard, story, accounts) = (Shard::new(ShardId(17), Policy::default()), name, 0);
            }
            ["fact", at, hexadecimal] => {
                let fact = journal::payload::decode_since::<version_1::Fact, Fact>(1, &bytes(hexadecimal));
                let at = Timestamp::from_micros(at.parse().unwrap());
                shard.apply(&fact.unwrap(), at).unwrap();
            }
            ["account", id, "ledger", ledger, "held", held] => {
                let reply = shard.inquire(Inquiry::Account(AccountNo(accounts)), Timestamp::default());
                let Reply::Account(account) = reply else { panic!("{story}: {reply:?}") };
                let found = (account.balance.ledger.0.to_string(), account.balance.held.0.to_string());
                assert_eq!((found.0.as_str(), found.1.as_str()), (ledger, held), "{story}: {id}");
                (accounts, checked) = (accounts + 1, checked + 1);
            }
            _ => {}
        }
    }
    assert!(checked >= 15, "only {checked} balances were compared");
}
