//! Crash schedules on the simulated disk: any power cut, at any operation, any number of times.
//!
//! One schedule is a few lives of a journal on one disk. Each life opens it, hands over batches, and ends by a power
//! cut, a killed process, a failed write or sync, or an orderly shutdown, at an operation drawn from the seed;
//! the power may also fail inside the recovery. After each life the facts read back must be a prefix of those
//! handed over, must hold every one that the mode promises, and must be the same when read again.
//!
//! `JOURNAL_SCHEDULES=1000000 cargo test -p journal schedules` runs for longer, `JOURNAL_SEED=n` repeats one.

mod faults;
mod life;
mod properties;
mod range;
mod repair;
mod retention;
mod schedules;
mod sealed;
