//! Duties in virtual time: order, pauses, and what survives any history of failures.

use super::*;
use domain::{AccountId, Asset, AssetCode, CancelCause, DutyKind, TransactionNo, Units};
use proptest::prelude::*;

const SHARD: ShardId = ShardId(7);
const BACKOFF: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(30) };

fn duty(transaction: u64, number: u64) -> Duty {
    Duty {
        number: TransactionNo(number),
        transaction: TransactionNo(transaction),
        account: AccountId::new("acct_1").unwrap(),
        kind: DutyKind::Cancel(CancelCause::OutcomeUnknown),
        units: Units(5),
        asset: Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap(),
        sequence: 1,
        account_sequence: 1,
    }
}

fn key(number: u64) -> DutyKey {
    DutyKey { shard: SHARD, number: TransactionNo(number) }
}

fn at(ms: u64) -> Mono {
    Mono::default().plus(Duration::from_millis(ms))
}

fn owing(duties: &[(u64, u64)]) -> Duties {
    let mut owed = Duties::new(3, BACKOFF, 1);
    for (transaction, number) in duties {
        owed.owe(SHARD, duty(*transaction, *number), at(0));
    }
    owed
}

#[test]
fn a_duty_is_sent_at_once_and_owed_until_it_is_acknowledged() {
    let mut duties = owing(&[(1, 10)]);
    assert!(!duties.acknowledged(key(10), at(0)), "it was not sent yet");
    assert_eq!(duties.next(at(0)).unwrap().duty, duty(1, 10));
    assert_eq!((duties.pending(), duties.open()), (1, 1));
    assert_eq!(duties.next(at(9_000)), None, "it is open: not sent a second time meanwhile");
    assert!(duties.acknowledged(key(10), at(1)));
    assert_eq!((duties.pending(), duties.open(), duties.wake_at()), (0, 0, None));
    assert!(!duties.acknowledged(key(10), at(2)), "there is nothing left to acknowledge");
}

#[test]
fn the_later_duty_of_a_transaction_waits_for_the_earlier() {
    let mut duties = owing(&[(1, 10), (1, 11), (2, 12)]);
    assert_eq!(duties.next(at(0)).unwrap().duty.number.0, 10);
    assert_eq!(duties.next(at(0)).unwrap().duty.number.0, 12, "another transaction does not wait");
    assert_eq!(duties.next(at(0)), None);
    assert!(!duties.acknowledged(key(11), at(0)), "what was not sent cannot be acknowledged");
    assert!(duties.failed(key(10), FundingFailure::HttpError, at(0)));
    assert_eq!(duties.next(at(100)).unwrap().duty.number.0, 10, "the earlier again, not the later");
    duties.acknowledged(key(10), at(200));
    let later = duties.next(at(200)).unwrap();
    assert_eq!((later.duty.number.0, later.failures), (11, 0));
}

#[test]
fn a_duty_handed_over_twice_is_owed_once() {
    let mut duties = owing(&[(1, 10), (1, 10)]);
    assert_eq!(duties.pending(), 1);
    duties.next(at(0)).unwrap();
    duties.owe(SHARD, duty(1, 10), at(1));
    assert!(duties.acknowledged(key(10), at(2)));
    assert_eq!(duties.next(at(9)), None);
}

#[test]
fn many_failures_never_wait_longer_than_the_maximum() {
    let mut duties = owing(&[(1, 10)]);
    let mut now = at(0);
    for failures in 0..60 {
        let attempt = duties.next(now).unwrap();
        assert_eq!(attempt.failures, failures);
        duties.failed(key(10), FundingFailure::HttpError, now);
        let due = duties.wake_at().unwrap();
        assert!(due > now && due.since(now) <= BACKOFF.max);
        assert_eq!(duties.next(due.minus(Duration::from_nanos(1))), None, "not before its time");
        now = due;
    }
}

#[test]
fn a_wait_that_is_cut_short_does_not_shorten_the_pauses_after_it() {
    let mut duties = owing(&[(1, 10), (2, 11)]);
    for _ in 0..9 {
        duties.next(duties.wake_at().unwrap()).unwrap();
        duties.next(duties.wake_at().unwrap()).unwrap();
        duties.failed(key(10), FundingFailure::HttpError, at(0));
        duties.failed(key(11), FundingFailure::HttpError, at(0));
    }
    assert_eq!(duties.next(at(1)), None);
    duties.hasten();
    assert!(duties.wake_at().unwrap() <= at(1));
    assert_eq!(duties.next(at(1)).unwrap().failures, 9);
    duties.hasten();
    assert_eq!(duties.next(at(1)).unwrap().failures, 9);
    assert_eq!(duties.next(at(1)), None, "each is sent once");
    duties.failed(key(10), FundingFailure::HttpError, at(1));
    assert!(duties.wake_at().unwrap() >= at(12_000));
}

#[test]
fn full_is_a_word_to_the_asker_and_not_a_reason_to_forget() {
    let mut duties = owing(&[(1, 10), (2, 11)]);
    assert!(!duties.is_full());
    duties.owe(SHARD, duty(3, 12), at(40));
    assert!(duties.is_full());
    duties.owe(SHARD, duty(4, 13), at(50));
    assert_eq!(duties.pending(), 4);
    assert_eq!(duties.oldest(Timestamp::from_micros(60_010)), Some(Duration::from_millis(60)));
}

proptest! {
    /// Whatever fails, and in whatever order attempts end: each duty is acknowledged once, and the duties of
    /// one transaction in the order in which they came.
    #[test]
    fn every_duty_is_acknowledged_once_and_in_order(
        owed in prop::collection::vec(0..4_u64, 1..25),
        luck in prop::collection::vec(any::<u8>(), 40..200),
        seed in any::<u64>(),
    ) {
        let mut duties = Duties::new(10, BACKOFF, seed);
        for (number, transaction) in (0..).zip(&owed) {
            duties.owe(SHARD, duty(*transaction, number), at(0));
        }
        let mut now = at(0);
        let mut open = Vec::new();
        let mut done: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut luck = luck.into_iter();
        while duties.pending() > 0 {
            while let Some(attempt) = duties.next(now) {
                open.push(attempt.duty);
            }
            prop_assert_eq!(open.len(), duties.open());
            // When luck has run out, everything succeeds.
            let throw = luck.next().unwrap_or(0);
            if throw % 8 == 7 {
                duties.hasten();
            }
            if open.is_empty() {
                now = duties.wake_at().unwrap();
                continue;
            }
            let ended = open.remove(usize::from(throw / 2) % open.len());
            if throw % 2 == 1 {
                prop_assert!(duties.failed(key(ended.number.0), FundingFailure::HttpError, now));
            } else {
                prop_assert!(duties.acknowledged(key(ended.number.0), now));
                done.entry(ended.transaction.0).or_default().push(ended.number.0);
            }
        }
        prop_assert!(done.values().all(|numbers| numbers.is_sorted()));
        prop_assert_eq!(done.values().map(Vec::len).sum::<usize>(), owed.len());
        prop_assert_eq!((duties.open(), duties.wake_at()), (0, None));
    }
}

#[test]
fn what_is_owed_can_be_looked_at_page_by_page_and_one_can_be_hastened() {
    let mut duties = owing(&[(1, 10), (1, 11), (2, 12)]);
    duties.next(at(0));
    assert!(duties.failed(key(10), FundingFailure::HttpError, at(0)));
    duties.next(at(0));
    let listed = duties.list(None, 10, at(0));
    let numbers: Vec<u64> = listed.iter().map(|owed| owed.duty.number.0).collect();
    assert_eq!(numbers, [10, 11, 12]);
    assert!(matches!(listed[0].standing, Standing::Waiting(pause) if pause >= Duration::from_millis(50)));
    assert_eq!((listed[0].failures, listed[0].last_failure), (1, Some(FundingFailure::HttpError)));
    assert_eq!((listed[1].standing, listed[2].standing), (Standing::Behind, Standing::UnderWay));
    assert_eq!(duties.list(Some(key(10)), 1, at(0))[0].duty.number.0, 11);
    assert_eq!(duties.next(at(0)), None);
    assert_eq!(duties.hasten_one(key(11), at(0)), Some(Standing::Behind), "the earlier one comes first");
    assert_eq!(duties.next(at(0)).unwrap().duty.number.0, 10);
    assert_eq!(duties.hasten_one(key(10), at(0)), Some(Standing::UnderWay));
    assert_eq!(duties.hasten_one(key(99), at(0)), None);
}
