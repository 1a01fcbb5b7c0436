//! The asks that are open: a bounded set in which each ask ends exactly once.
//!
//! Whatever ends an ask (an answer, a time-out, a broken connection, a shutdown) comes through here, and
//! only the first has an effect. An answer that was read when its time was over is a time-out, however close
//! it was and whether or not a timer has noticed: nobody may act on an approval that cannot be committed
//! before the processor's deadline.
//!
//! Pure: it reads no clock and waits for nothing.

use domain::{FundingFailure, FundingOutcome, Mono, TransactionId};
use std::collections::HashMap;

/// Whether an ask may be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// It is open now, and will end exactly once.
    Admitted,
    /// As many asks are open as there may be.
    Full,
    /// This transaction is being asked for already; that ask will end, and this one never began.
    AlreadyOpen,
}

/// How an ask ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// It ended now, with this outcome.
    Ended(FundingOutcome),
    /// It had ended before; nothing may follow from what came now.
    EndedBefore,
}

/// The set of open asks.
#[derive(Debug)]
pub struct Resolver {
    // Looked up by key only and never walked, so its order does not matter.
    open: HashMap<TransactionId, Mono>,
    asks_max: usize,
}

impl Resolver {
    /// An empty set that holds at most `asks_max` asks.
    #[must_use]
    pub fn new(asks_max: usize) -> Self {
        Self { open: HashMap::with_capacity(asks_max), asks_max }
    }

    /// Opens an ask whose answer must be read before `answer_by`.
    pub fn admit(&mut self, transaction: TransactionId, answer_by: Mono) -> Admission {
        if self.open.contains_key(&transaction) {
            return Admission::AlreadyOpen;
        }
        if self.open.len() >= self.asks_max {
            return Admission::Full;
        }
        self.open.insert(transaction, answer_by);
        Admission::Admitted
    }

    /// Ends an ask with `outcome`, if it is still open.
    pub fn end(&mut self, transaction: TransactionId, outcome: FundingOutcome, now: Mono) -> Resolution {
        let Some(answer_by) = self.open.remove(&transaction) else {
            return Resolution::EndedBefore;
        };
        let answered = match outcome {
            FundingOutcome::Approved { .. } | FundingOutcome::Declined { .. } => true,
            FundingOutcome::NotAsked(_) | FundingOutcome::Unknown(_) => false,
        };
        if answered && now >= answer_by {
            return Resolution::Ended(FundingOutcome::Unknown(FundingFailure::TimedOut));
        }
        Resolution::Ended(outcome)
    }

    /// How many asks are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{ShardId, TransactionNo, Units};
    use proptest::prelude::*;

    const APPROVED: FundingOutcome = FundingOutcome::Approved { units: Units(5) };
    const TIMED_OUT: FundingOutcome = FundingOutcome::Unknown(FundingFailure::TimedOut);
    const RESET: FundingOutcome = FundingOutcome::Unknown(FundingFailure::Reset);

    fn tx(number: u64) -> TransactionId {
        TransactionId { shard: ShardId(1), number: TransactionNo(number) }
    }

    fn at(nanos: u64) -> Mono {
        Mono::from_nanos(nanos)
    }

    #[test]
    fn only_the_first_end_of_an_ask_counts() {
        let mut resolver = Resolver::new(2);
        assert_eq!(resolver.admit(tx(1), at(100)), Admission::Admitted);
        assert_eq!(resolver.end(tx(1), TIMED_OUT, at(100)), Resolution::Ended(TIMED_OUT));
        assert_eq!(resolver.end(tx(1), APPROVED, at(101)), Resolution::EndedBefore);
        assert_eq!(resolver.end(tx(9), APPROVED, at(1)), Resolution::EndedBefore);
    }

    #[test]
    fn an_answer_at_the_deadline_is_late_even_if_no_timer_has_noticed() {
        let mut resolver = Resolver::new(2);
        resolver.admit(tx(1), at(100));
        resolver.admit(tx(2), at(100));
        assert_eq!(resolver.end(tx(1), APPROVED, at(99)), Resolution::Ended(APPROVED));
        assert_eq!(resolver.end(tx(2), APPROVED, at(100)), Resolution::Ended(TIMED_OUT));
    }

    #[test]
    fn a_full_set_admits_nobody_until_one_ends() {
        let mut resolver = Resolver::new(1);
        assert_eq!(resolver.admit(tx(1), at(9)), Admission::Admitted);
        assert_eq!(resolver.admit(tx(1), at(9)), Admission::AlreadyOpen);
        assert_eq!(resolver.admit(tx(2), at(9)), Admission::Full);
        resolver.end(tx(1), RESET, at(3));
        assert_eq!(resolver.admit(tx(2), at(9)), Admission::Admitted);
        assert_eq!(resolver.open(), 1);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Admit(u64, u64),
        End(u64, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..6_u64, 0..60_u64).prop_map(|(number, by)| Step::Admit(number, by)),
            (0..6_u64, any::<bool>()).prop_map(|(number, answered)| Step::End(number, answered)),
        ]
    }

    proptest! {
        #[test]
        fn every_admitted_ask_ends_once_and_never_late(steps in prop::collection::vec(step(), 0..80)) {
            let mut resolver = Resolver::new(3);
            let mut open = std::collections::BTreeMap::new();
            for (now, step) in (0_u64..).zip(steps) {
                match step {
                    Step::Admit(number, by) => {
                        if resolver.admit(tx(number), at(by)) == Admission::Admitted {
                            prop_assert!(open.insert(number, by).is_none(), "opened twice");
                        }
                    }
                    Step::End(number, answered) => {
                        let outcome = if answered { APPROVED } else { RESET };
                        match (open.remove(&number), resolver.end(tx(number), outcome, at(now))) {
                            (None, resolution) => prop_assert_eq!(resolution, Resolution::EndedBefore),
                            (Some(by), Resolution::Ended(APPROVED)) => prop_assert!(now < by),
                            (Some(_), resolution) => prop_assert_ne!(resolution, Resolution::EndedBefore),
                        }
                    }
                }
                prop_assert_eq!(resolver.open(), open.len());
                prop_assert!(open.len() <= 3);
            }
        }
    }
}
