//! Whose turn it is to decide: the lane's own thread's, or that of whoever posts while that thread rests.
//!
//! A lane and all that it owns is one value, which lies in a [`Seat`] between turns: who holds it decides, and nobody else
//! can. A poster with few commands that finds the seat free decides them itself, because waking a thread takes longer than
//! a decision and costs both sides more. It never waits: when the seat is taken, or its commands are many, or the
//! recorder is short of room, they stay in the queue and the thread is told. Only the lane's own thread waits for its
//! seat, for one such small batch at most.

use crate::lane::{Desk, Lane, RECORDER_RETRY};
use crate::queue::Bed;
use crate::recorder::{Clock, Readiness, Recorder};
use domain::Mono;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most commands that a poster decides itself: waking the lane's thread takes as long as some five decisions.
pub(crate) const AS_GUEST_MAX: usize = 4;

/// How long a lane sleeps between two looks for requests to decline while there is no space.
const NO_SPACE_REST: Duration = Duration::from_millis(1);

/// Where a lane is between two turns; empty before its thread has begun and after it has left.
pub(crate) struct Seat<R>(Mutex<Option<Seated<R>>>);

struct Seated<R> {
    lane: Lane<R>,
    desk: Desk,
}

/// A seat, whatever its lane's recorder is.
pub(crate) trait Guests: Send + Sync {
    /// Decides up to [`AS_GUEST_MAX`] of the commands that wait, if the lane is free and its recorder has ample room.
    fn decide_as_guest(&self);
}

impl<R> Seat<R> {
    pub(crate) fn empty() -> Self {
        Self(Mutex::new(None))
    }

    fn wait_for(&self) -> MutexGuard<'_, Option<Seated<R>>> {
        // Nothing unwinds out of a turn: see `or_abort`.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Recorder> Guests for Seat<R> {
    fn decide_as_guest(&self) {
        let Ok(mut seat) = self.0.try_lock() else { return };
        let Some(Seated { lane, desk }) = seat.as_mut() else { return };
        if lane.recorder.has_ample_room() {
            or_abort(lane.number, || {
                let now = lane.clock.now();
                lane.work(now, Readiness::Ready, AS_GUEST_MAX, desk);
            });
        }
    }
}

/// A lane's thread.
pub(crate) struct LaneThread<R> {
    pub(crate) seat: Arc<Seat<R>>,
    pub(crate) bed: Bed,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) tick_every: Duration,
}

/// What a turn of the thread came to.
enum Outcome {
    Worked,
    /// There was nothing to do.
    Idle,
    /// There was nothing to do, and no more will come.
    Leave,
    NoRoom,
    NoSpace,
}

impl<R: Recorder> LaneThread<R> {
    /// Runs until the lane's inbox is closed and empty.
    pub(crate) fn run(self, lane: Lane<R>) {
        let number = lane.number;
        or_abort(number, || {
            let mut next_tick = self.clock.now().mono.plus(self.tick_every);
            let mut desk = lane.desk();
            let mut lane = lane;
            lane.resume(&mut desk);
            *self.seat.wait_for() = Some(Seated { lane, desk });
            loop {
                match self.turn(&mut next_tick) {
                    Outcome::Worked => {}
                    Outcome::Idle => self.bed.sleep(next_tick.since(self.clock.now().mono)),
                    Outcome::NoRoom => std::thread::sleep(RECORDER_RETRY),
                    // Follow-ups may be waiting that cannot be taken, so waiting for something to come is no rest.
                    Outcome::NoSpace => std::thread::sleep(NO_SPACE_REST),
                    Outcome::Leave => break,
                }
            }
            let left = self.seat.wait_for().take();
            drop(left);
        });
    }

    /// Lets time pass where it has, and decides one batch.
    fn turn(&self, next_tick: &mut Mono) -> Outcome {
        let mut seat = self.seat.wait_for();
        let Some(Seated { lane, desk }) = seat.as_mut() else { return Outcome::Leave };
        // Read in the seat: no turn is earlier than the one before it.
        let now = self.clock.now();
        if now.mono >= *next_tick {
            *next_tick = now.mono.plus(self.tick_every);
            lane.tick(now, desk);
        }
        let readiness = lane.recorder.readiness();
        if readiness == Readiness::Full {
            return Outcome::NoRoom;
        }
        let most = lane.batch_commands_max;
        match lane.work(now, readiness, most, desk) {
            true => Outcome::Worked,
            false if lane.inbox.is_closed() => Outcome::Leave,
            false if readiness == Readiness::NoSpace => Outcome::NoSpace,
            false => Outcome::Idle,
        }
    }
}

/// A panic in a lane is a bug that may have left half a fact applied: such a state must not decide anything more, and
/// the journal has everything that was acknowledged, so the process ends.
fn or_abort(lane: usize, turn: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(turn)).is_err() {
        tracing::error!(lane, "a lane panicked; its state cannot be trusted, so the process ends");
        std::process::abort();
    }
}
