//! Messages that carry a message authentication code: checked when they come, sealed when they go.
//!
//! The code is the last element: DE 128 where elements above 64 are present, and DE 64 otherwise. It covers every byte from
//! the message type to the byte before it, as they are on the wire, bitmaps included; what stands before the message
//! type does not belong to it, because addresses there change on the way.

use crate::bitmap::BitmapLayout;
use crate::content::Content;
use crate::draft::Draft;
use crate::error::EncodeError;
use crate::length::Length;
use crate::mac::MacKey;
use crate::message::Message;
use bytes::BytesMut;
use thiserror::Error;

/// Where the code is in a message with one bitmap, and in one with two.
const FIRST: u8 = 64;
const SECOND: u8 = 128;

/// Why a message is not what its sender made it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum MacError {
    /// There is no code at the message's end.
    #[error("DE {de} message authentication code: is missing at the end of the message")]
    Missing {
        /// Where it belongs.
        de: u8,
    },
    /// The code is another message's, or another key's.
    #[error("DE {de} message authentication code: is wrong")]
    Wrong {
        /// Where it is.
        de: u8,
    },
}

impl MacError {
    /// The data element at fault.
    #[must_use]
    pub const fn element(self) -> u8 {
        match self {
            Self::Missing { de } | Self::Wrong { de } => de,
        }
    }
}

impl Message {
    /// Checks the message authentication code.
    ///
    /// # Errors
    /// [`MacError`] if there is none at the end of the message, or it is wrong. The message can still be answered, with the
    /// dialect's response code for `wrong_mac`.
    pub fn verify_mac(&self, key: &MacKey) -> Result<(), MacError> {
        let last = self.elements().last().unwrap_or_default();
        let de = if last > FIRST { SECOND } else { FIRST };
        let missing = MacError::Missing { de };
        let (code, wire) = match (self.binary(de), self.wire(de)) {
            (Some(code), Some(wire)) if last == de => (code, wire),
            _ => return Err(missing),
        };
        // The code is the last element, so it starts where the rest of the message ends.
        let end = self.bytes.len().checked_sub(wire.len()).ok_or(missing)?;
        let covered = self.bytes.get(self.header_end as usize..end).ok_or(missing)?;
        if key.agrees(covered, &code) { Ok(()) } else { Err(MacError::Wrong { de }) }
    }
}

impl Draft {
    /// As [`Draft::encode_into`], with a message authentication code as the last element.
    ///
    /// # Errors
    /// As [`Draft::encode_into`]; also where the dialect's element for the code does not hold bytes of a fixed length, or
    /// an element is set behind it.
    pub fn encode_sealed_into(&mut self, key: &MacKey, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.remove(FIRST).remove(SECOND);
        let last = self.last_element();
        let has_second = last > FIRST || self.table.bitmap.layout == BitmapLayout::Always128;
        let de = if has_second { SECOND } else { FIRST };
        let width = self.code_width(de).filter(|_| last < de);
        let Some((characters, wire)) = width else {
            return Err(EncodeError::NoPlaceForMac { de, dialect: self.table.name.clone() });
        };
        self.binary(de, &vec![0; characters]);
        let start = out.len();
        self.encode_into(out)?;
        let covered = start + self.header_len()..out.len() - wire;
        let code = key.code(out.get(covered.clone()).unwrap_or_default(), characters);
        self.binary(de, &code);
        let written = self.element_wire(de);
        if let Some(place) = out.get_mut(covered.end..).filter(|place| place.len() == written.len()) {
            place.copy_from_slice(written);
        }
        Ok(())
    }

    /// How many bytes the code's element holds, and how many it takes on the wire.
    fn code_width(&self, de: u8) -> Option<(usize, usize)> {
        let spec = self.table.element(de).filter(|spec| spec.content == Content::Binary)?;
        let Length::Fixed(count) = spec.length else { return None };
        let count = count as usize;
        Some((spec.encoding.characters(spec.unit, count), spec.encoding.wire_bytes(spec.unit, count)?))
    }
}
