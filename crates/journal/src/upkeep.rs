//! The upkeep thread: has the next segments ready before the writer needs them, lets old ones go, and watches the
//! space.
//!
//! Guarantees: the writer never creates or zero-fills a file itself. When a segment cannot be made for want of
//! space, or free space falls below its minimum, [`Space::Low`] is published; it is tried again every second, and
//! when it succeeds the state goes back by itself. That is safe because nothing was promised meanwhile. Any other
//! error of the disk is a failure of the journal.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::ending::Ending;
use crate::error::JournalError;
use crate::observer::JournalObserver;
use crate::retention::{remove, retirable};
use crate::segment::segment_name;
use crate::shared::{Shared, Space};
use crate::spare::Spare;
use crate::storage::Storage;

/// How often space is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Upkeep<R> {
    pub(crate) shared: Arc<Shared<R>>,
    pub(crate) observer: Arc<dyn JournalObserver>,
    pub(crate) storage: Arc<dyn Storage>,
    /// Serial of the next spare.
    pub(crate) next_serial: u64,
}

impl<R> Upkeep<R> {
    /// Serves until the writer thread has ended: at shutdown it may still need a new segment.
    pub(crate) fn run(mut self) {
        let ending = Ending::new("upkeep", self.shared.clone(), self.observer.clone());
        let outcome = self.serve();
        ending.tell(outcome);
    }

    fn serve(&mut self) -> Result<(), JournalError> {
        while !self.writer_ended() {
            self.look()?;
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(())
    }

    /// Makes one missing spare after another; tells how space stands.
    pub(crate) fn look(&mut self) -> Result<(), JournalError> {
        self.retire()?;
        while !self.shared.spares.is_full() && !self.writer_ended() {
            let made = Spare::make(&*self.storage, self.next_serial, self.shared.config.segment_bytes);
            self.next_serial = self.next_serial.saturating_add(1);
            match made {
                Ok(spare) => {
                    // The queue had room and this thread alone fills it.
                    let _ = self.shared.spares.push(spare);
                    self.shared.wake_writer();
                }
                Err(JournalError::NoSpace { .. }) => {
                    let none_left = self.shared.spares.is_empty() && self.shared.space() == Space::Exhausted;
                    self.tell(if none_left { Space::Exhausted } else { Space::Low });
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        let free = self.storage.bytes_available().map_err(|source| {
            JournalError::io("ask for free space", &self.storage.path(&segment_name(0)), source)
        })?;
        self.tell(if free < self.shared.config.free_bytes_min { Space::Low } else { Space::Ample });
        Ok(())
    }

    /// Recycles or removes segments that nobody needs any more.
    fn retire(&mut self) -> Result<(), JournalError> {
        let retired = self.shared.retired.load(Ordering::Acquire);
        let found = retirable(&*self.storage, retired, self.shared.config.retain_segments)?;
        let mut segments = found.segments;
        for segment in found.retirable {
            if !self.shared.spares.is_full() && segment.bytes == self.shared.config.segment_bytes {
                let spare = Spare::recycle(&*self.storage, self.next_serial, segment.number, segment.bytes)?;
                self.next_serial = self.next_serial.saturating_add(1);
                let _ = self.shared.spares.push(spare);
                self.shared.wake_writer();
            } else {
                remove(&*self.storage, segment.number)?;
            }
            segments -= 1;
        }
        self.shared.segments.store(segments, Ordering::Release);
        Ok(())
    }

    fn writer_ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    fn tell(&self, space: Space) {
        if self.shared.set_space(space) {
            self.observer.space_changed(space);
        }
    }
}
