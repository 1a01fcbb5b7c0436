//! Bytes to [`Message`]: one walk over the received bytes, no value copied.
//!
//! Guarantees: one allocation, sized by the number of elements present; every value checked against
//! the dialect; on a fault, everything that was read before it is handed back, and what comes after it where
//! the fault leaves no doubt about where that starts.

use crate::bitmap::Bitmap;
use crate::dialect::Dialect;
use crate::error::{DecodeError, Fault, Place};
use crate::message::Message;
use crate::position::{FaultAt, narrow};
use crate::received::Received;
use crate::walk::walk;
use bytes::Bytes;
use std::sync::Arc;
use thiserror::Error;

/// A message that breaks its dialect: the fault, and what could be read before it.
#[derive(Clone, Debug, Error)]
#[error("{error}")]
pub struct Rejected {
    /// Where and what the fault is.
    pub error: DecodeError,
    /// The MTI and the elements around the fault, so that a format error can be answered: those before it,
    /// and those after it when only the value is wrong and its end is known. `None` if not even the MTI could
    /// be read.
    pub partial: Option<Message>,
}

impl Dialect {
    /// Decodes one message body.
    ///
    /// # Errors
    /// [`Rejected`], with the first fault in the order of the message and the part before it.
    pub fn decode(&self, bytes: Bytes) -> Result<Message, Box<Rejected>> {
        let bytes = Received::new(bytes);
        let start = match self.table.header.read(&bytes) {
            Ok(start) => start,
            Err((offset, fault)) => return Err(unanswerable(Place::Header, offset, fault)),
        };
        let (mti, at) = match self.table.mti.read(&bytes, start) {
            Ok(read) => read,
            Err(fault) => return Err(unanswerable(Place::Mti, start, fault)),
        };
        let mut message = Message {
            bytes,
            table: Arc::clone(&self.table),
            mti,
            present: Bitmap::default(),
            spans: Vec::new(),
            header_end: narrow(start),
            first: 0,
            resumed: None,
        };
        match message.read_elements(at) {
            Ok(()) => Ok(message),
            Err(error) => Err(Box::new(Rejected { error, partial: Some(message) })),
        }
    }
}

#[cold]
fn unanswerable(place: Place, offset: usize, fault: Fault) -> Box<Rejected> {
    Box::new(Rejected { error: DecodeError::new(place, offset, fault), partial: None })
}

impl Message {
    /// Reads bitmaps and elements. On a fault `self` holds the elements before it.
    fn read_elements(&mut self, start: usize) -> Result<(), DecodeError> {
        let (present, at) = self
            .table
            .bitmap
            .read(&self.bytes, start)
            .map_err(|(level, start, fault)| DecodeError::new(Place::Bitmap(level), start, fault))?;
        self.first = narrow(at);
        match walk(&self.table, &self.bytes, present, at) {
            Some(spans) => {
                (self.present, self.spans) = (present, spans);
                Ok(())
            }
            None => self.read_plainly(present, start, at),
        }
    }

    /// Reads the elements one by one, whatever their form, up to the first fault. The bitmaps start at `start`, the
    /// elements at `at`.
    #[cold]
    pub(crate) fn read_plainly(
        &mut self,
        present: Bitmap,
        start: usize,
        mut at: usize,
    ) -> Result<(), DecodeError> {
        self.spans.reserve_exact(present.len());
        for de in present.iter() {
            let located = match self.table.element(de) {
                Some(spec) => spec.locate_any(&self.bytes, at),
                None => Err(FaultAt::new(at, Fault::Unlisted)),
            };
            match located {
                Ok(span) => {
                    at = span.end as usize;
                    self.spans.push(span);
                }
                Err(fault) => {
                    self.present = present.below(de);
                    self.read_after(present, de, at);
                    return Err(self.error_at(de, *fault));
                }
            }
        }
        self.present = present;
        if at < self.bytes.len() {
            return Err(self.trailing(start, at));
        }
        Ok(())
    }

    /// Bytes from `at` on that nothing announces: they are laid to what was read last, an element or a bitmap.
    #[cold]
    fn trailing(&self, start: usize, at: usize) -> DecodeError {
        let fault = Fault::Trailing { bytes: self.bytes.len() - at };
        match self.present.iter().last() {
            Some(last) => self.error_at(last, *FaultAt::new(at, fault)),
            None => DecodeError::new(Place::Bitmap(self.table.bitmap.count_in(at - start)), at, fault),
        }
    }

    /// Reads on after a value that is wrong but whose end is known, so that the answer to a format error can
    /// carry the references that come later in the message. Stops at the next fault.
    #[cold]
    fn read_after(&mut self, present: Bitmap, faulty: u8, at: usize) {
        let end = self.table.element(faulty).and_then(|spec| spec.end(&self.bytes, at));
        let Some(mut at) = end else { return };
        self.resumed = Some((self.spans.len(), narrow(at)));
        for de in present.iter().filter(|de| *de > faulty) {
            let located = self.table.element(de).map(|spec| spec.locate(&self.bytes, at));
            let Some(Ok(span)) = located else { return };
            at = span.end as usize;
            self.present.insert(de);
            self.spans.push(span);
        }
    }

    #[cold]
    fn error_at(&self, de: u8, fault: FaultAt) -> DecodeError {
        let FaultAt { offset, path, fault } = fault;
        let name = self.table.element(de).map_or_else(Box::default, |spec| spec.name.clone());
        DecodeError::new(Place::Element { de, name, path }, offset, fault)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, shipped};
    use proptest::prelude::*;

    /// Elements of every common form, and bytes near enough to valid ones.
    fn dialects() -> Vec<Dialect> {
        ["ascii-1987", "binary-1987", "ebcdic-1987", "visa-like"]
            .into_iter()
            .filter_map(|name| shipped(name)?.ok())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_quick_way_never_says_anything_else_than_the_plain_way(
            seed in proptest::collection::vec(any::<u8>(), 60), at in 0..4_usize,
        ) {
            for dialect in dialects() {
                for (zero, mask) in [(0x30, 0x07), (0xF0, 0x07), (0x00, 0x77), (0x30, 0x1F), (0x00, 0xFF)] {
                    let mut input: Vec<u8> = seed.iter().map(|byte| zero | (byte & mask)).collect();
                    // A likely length, so that variable elements are reached.
                    input.splice(at..at + 2, [zero, zero | (seed[0] & 0x07)]);
                    for spec in (2..=128).filter_map(|de| dialect.element(de)) {
                        if let Some(span) = spec.quick.locate(&input, at) {
                            prop_assert_eq!(spec.locate_any(&input, at).ok(), Some(span), "DE {}", spec.number());
                        }
                    }
                }
            }
        }
    }
}
