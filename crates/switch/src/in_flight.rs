//! The requests of one connection that are not answered yet, in numbered slots.
//!
//! Bounded by the connection's maximum. A slot is used again only after its answer was taken, and every request
//! gets exactly one answer, so an answer never finds another request in its slot.

use domain::Mono;
use iso8583::Message;

/// A request that waits for its answer.
pub(crate) struct Waiting {
    /// The request; its elements are echoed in the answer.
    pub(crate) message: Message,
    /// When its frame was read.
    pub(crate) received: Mono,
    /// When its answer must have left.
    pub(crate) deadline: Mono,
}

/// Numbered slots.
pub(crate) struct InFlight {
    slots: Vec<Option<Waiting>>,
    free: Vec<u32>,
    max: usize,
}

impl InFlight {
    /// No requests, and room for `max`.
    pub(crate) fn new(max: usize) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), max }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no more fit.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.max
    }

    /// Keeps a request and returns its slot, or gives it back when there is no room.
    pub(crate) fn insert(&mut self, waiting: Waiting) -> Result<u32, Box<Waiting>> {
        if self.is_full() {
            return Err(Box::new(waiting));
        }
        if let Some(slot) = self.free.pop() {
            if let Some(place) = usize::try_from(slot).ok().and_then(|slot| self.slots.get_mut(slot)) {
                *place = Some(waiting);
            }
            return Ok(slot);
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Some(waiting));
        Ok(slot)
    }

    /// Takes the request of a slot out.
    pub(crate) fn take(&mut self, slot: u32) -> Option<Waiting> {
        let waiting = self.slots.get_mut(usize::try_from(slot).ok()?)?.take()?;
        self.free.push(slot);
        Some(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn waiting(at: u64) -> Waiting {
        let dialect = iso8583::shipped("ascii-1987").unwrap().unwrap();
        let message = dialect.decode(Bytes::from_static(b"08000020000000000000000001")).unwrap();
        Waiting { message, received: Mono::from_nanos(at), deadline: Mono::from_nanos(at + 1) }
    }

    fn received(waiting: Option<Waiting>) -> Option<u64> {
        waiting.map(|waiting| waiting.received.nanos())
    }

    #[test]
    fn each_request_comes_back_from_its_slot_once() {
        let mut in_flight = InFlight::new(3);
        let slots = [10, 20, 30].map(|at| in_flight.insert(waiting(at)).ok().unwrap());
        assert!(in_flight.is_full());
        assert_eq!(received(in_flight.take(slots[1])), Some(20));
        assert_eq!(received(in_flight.take(slots[1])), None);
        assert_eq!(received(in_flight.take(99)), None);
        assert_eq!(in_flight.len(), 2);
    }

    #[test]
    fn a_slot_is_used_again_only_after_its_request_was_taken() {
        let mut in_flight = InFlight::new(2);
        let first = in_flight.insert(waiting(1)).ok().unwrap();
        let second = in_flight.insert(waiting(2)).ok().unwrap();
        assert_ne!(first, second);
        assert_eq!(received(in_flight.insert(waiting(3)).err().map(|refused| *refused)), Some(3));
        in_flight.take(first);
        assert_eq!(in_flight.insert(waiting(4)).ok(), Some(first));
        assert_eq!(received(in_flight.take(second)), Some(2));
        assert_eq!(received(in_flight.take(first)), Some(4));
        assert_eq!(in_flight.len(), 0);
    }
}
