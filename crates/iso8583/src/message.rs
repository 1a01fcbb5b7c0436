//! A decoded message: positions over the received bytes, and typed access to the values.
//!
//! Guarantees that every value was checked against the dialect when the message was decoded, so that
//! access cannot fail except by absence. Cloning shares the bytes. `Debug` prints the MTI and the numbers of the
//! elements present and no value: under a wrong dialect a card number can turn up in any element.

use crate::bitmap::Bitmap;
use crate::content::Content;
use crate::dialect::Table;
use crate::element::{ElementSpec, Span};
use crate::encoding::{Encoding, character, nibbles};
use crate::mti::Mti;
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A decoded message.
#[derive(Clone)]
pub struct Message {
    pub(crate) bytes: Bytes,
    pub(crate) table: Arc<Table>,
    pub(crate) mti: Mti,
    pub(crate) present: Bitmap,
    /// One entry for each element present, in order.
    pub(crate) spans: Vec<Span>,
    /// Where the header ends and the MTI starts.
    pub(crate) header_end: u32,
    /// Where the first element starts.
    pub(crate) first: u32,
}

impl Message {
    /// The message type indicator.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// What came before the MTI; empty if the dialect has no header.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        self.bytes.get(..self.header_end as usize).unwrap_or_default()
    }

    /// The code with which the network refused this message, if it came back under a reject header.
    #[must_use]
    pub fn reject_code(&self) -> Option<u16> {
        self.table.header.reject_code(self.header())
    }

    /// The name of the dialect that the message was decoded with.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.table.name
    }

    /// Whether data element `de` is present.
    #[must_use]
    pub fn has(&self, de: u8) -> bool {
        self.present.contains(de)
    }

    /// The numbers of the elements present, ascending.
    pub fn elements(&self) -> impl Iterator<Item = u8> + use<> {
        self.present.iter()
    }

    /// The value of `de` as received, without its length prefix.
    #[must_use]
    pub fn raw(&self, de: u8) -> Option<&[u8]> {
        self.value(de).map(|(_, _, wire)| wire)
    }

    /// The value of `de` as text: digits unpacked, bytes as upper-case hexadecimal digits.
    ///
    /// Borrowed where the wire holds the very characters, which is so for every ASCII element.
    #[must_use]
    pub fn text(&self, de: u8) -> Option<Cow<'_, str>> {
        let (spec, span, wire) = self.value(de)?;
        Some(match spec.encoding {
            Encoding::Ascii => String::from_utf8_lossy(wire),
            Encoding::Bcd => nibbles(wire, span.characters as usize, spec.pad)
                .map(|nibble| char::from(character(nibble)))
                .collect(),
            Encoding::Ebcdic(page) => wire.iter().map(|byte| char::from(page.to_ascii(*byte))).collect(),
            Encoding::Binary => Cow::Owned(const_hex::encode_upper(wire)),
            Encoding::Hex => {
                let text = String::from_utf8_lossy(wire);
                if wire.iter().any(u8::is_ascii_lowercase) {
                    Cow::Owned(text.to_ascii_uppercase())
                } else {
                    text
                }
            }
        })
    }

    /// The digits of a numeric element, without allocating. `None` if the element is absent, is not
    /// numeric, or is longer than [`Digits::MAX`].
    #[must_use]
    pub fn digits(&self, de: u8) -> Option<Digits> {
        let (spec, span, wire) = self.value(de)?;
        if !spec.content.is_numeric() {
            return None;
        }
        let mut digits = Digits { bytes: [0; Digits::MAX], len: 0 };
        let room = digits.bytes.get_mut(..span.characters as usize)?;
        match spec.encoding {
            Encoding::Bcd => room
                .iter_mut()
                .zip(nibbles(wire, span.characters as usize, spec.pad))
                .for_each(|(to, nibble)| *to = character(nibble)),
            Encoding::Ebcdic(page) => {
                room.iter_mut().zip(wire).for_each(|(to, byte)| *to = page.to_ascii(*byte));
            }
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => {
                room.copy_from_slice(wire.get(..room.len())?)
            }
        }
        digits.len = u8::try_from(span.characters).ok()?;
        Some(digits)
    }

    /// The number that a numeric element holds. `None` if the element is absent, is not numeric, or
    /// exceeds 64 bits.
    #[must_use]
    pub fn number(&self, de: u8) -> Option<u64> {
        let (spec, span, wire) = self.value(de)?;
        if !spec.content.is_numeric() {
            return None;
        }
        let push = |sum: u64, digit: u8| sum.checked_mul(10)?.checked_add(u64::from(digit & 0x0F));
        match spec.encoding {
            Encoding::Bcd => nibbles(wire, span.characters as usize, spec.pad).try_fold(0, push),
            // The low half of a digit's byte is its value, in ASCII and in EBCDIC alike.
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Binary | Encoding::Hex => {
                wire.iter().copied().try_fold(0, push)
            }
        }
    }

    /// The bytes of a binary element, also where the wire holds them as hexadecimal text. `None` if
    /// the element is absent or is not binary.
    #[must_use]
    pub fn binary(&self, de: u8) -> Option<Cow<'_, [u8]>> {
        let (spec, _, wire) = self.value(de)?;
        if spec.content != Content::Binary {
            return None;
        }
        match spec.encoding {
            Encoding::Hex => const_hex::decode(wire).ok().map(Cow::Owned),
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Bcd | Encoding::Binary => {
                Some(Cow::Borrowed(wire))
            }
        }
    }

    /// Prefix and value of `de`, as received.
    pub(crate) fn wire(&self, de: u8) -> Option<&[u8]> {
        if !self.has(de) {
            return None;
        }
        let rank = self.present.rank(de);
        let start = match rank.checked_sub(1) {
            Some(before) => self.spans.get(before)?.end,
            None => self.first,
        };
        self.bytes.get(start as usize..self.spans.get(rank)?.end as usize)
    }

    #[inline]
    fn value(&self, de: u8) -> Option<(&ElementSpec, Span, &[u8])> {
        if !self.has(de) {
            return None;
        }
        let span = *self.spans.get(self.present.rank(de))?;
        let wire = self.bytes.get(span.start as usize..span.end as usize)?;
        Some((self.table.element(de)?, span, wire))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} ", self.mti)?;
        f.debug_list().entries(self.elements()).finish()?;
        f.write_str(")")
    }
}

/// The digits of a numeric element, in ASCII, held inline. `Debug` shows their number only: they may
/// be a card number.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Digits {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Digits {
    /// The most digits that fit; DE 90 and 95 are the longest of the standard, with 42.
    pub const MAX: usize = 48;

    /// The digits as ASCII bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The digits as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digits({} of them)", self.len)
    }
}
