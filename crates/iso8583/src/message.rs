//! A decoded message: positions over the received bytes, and typed access to the values.
//!
//! Guarantees that every value was checked against the dialect when the message was decoded, so that
//! access cannot fail except by absence. Cloning shares the bytes, and the last owner wipes them. `Debug` prints the MTI and the numbers of the
//! elements present and no value: under a wrong dialect a card number can turn up in any element.

use crate::bitmap::Bitmap;
use crate::characters::Characters;
use crate::dialect::Table;
use crate::mti::Mti;
use crate::position::Span;
use crate::received::Received;
use crate::value::{Digits, Value};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A decoded message.
#[derive(Clone)]
pub struct Message {
    pub(crate) bytes: Received,
    pub(crate) table: Arc<Table>,
    pub(crate) mti: Mti,
    pub(crate) present: Bitmap,
    /// One entry for each element present, in order.
    pub(crate) spans: Vec<Span>,
    /// Where the header ends and the MTI starts.
    pub(crate) header_end: u32,
    /// Where the first element starts.
    pub(crate) first: u32,
    /// Where reading went on behind a faulty element: the place among `spans`, and the offset.
    pub(crate) resumed: Option<(usize, u32)>,
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
    #[inline]
    pub fn has(&self, de: u8) -> bool {
        self.present.contains(de)
    }

    /// The numbers of the elements present, ascending.
    pub fn elements(&self) -> impl Iterator<Item = u8> + use<> {
        self.present.iter()
    }

    /// The value of `de`, with everything that can be read of it.
    #[must_use]
    #[inline]
    pub fn value(&self, de: u8) -> Option<Value<'_>> {
        let span = *self.spans.get(self.present.place(de)?)?;
        Value::new(self.table.element(de)?, &self.bytes, span)
    }

    /// The value of `de` as received, without its length prefix.
    #[must_use]
    #[inline]
    pub fn raw(&self, de: u8) -> Option<&[u8]> {
        let span = self.spans.get(self.present.place(de)?)?;
        self.bytes.get(span.start as usize..span.end as usize)
    }

    /// The value of `de` as [`Value::text`].
    #[must_use]
    pub fn text(&self, de: u8) -> Option<Cow<'_, str>> {
        self.value(de).map(|value| value.text())
    }

    /// The characters of `de`, as [`Value::characters`].
    #[must_use]
    #[inline]
    pub fn characters(&self, de: u8) -> Option<Characters<'_>> {
        self.value(de).map(|value| value.characters())
    }

    /// The digits of a numeric element, as [`Value::digits`].
    #[must_use]
    pub fn digits(&self, de: u8) -> Option<Digits> {
        self.value(de)?.digits()
    }

    /// The number that a numeric element holds, as [`Value::number`].
    #[must_use]
    pub fn number(&self, de: u8) -> Option<u64> {
        self.value(de)?.number()
    }

    /// The bytes of a binary element, as [`Value::binary`].
    #[must_use]
    pub fn binary(&self, de: u8) -> Option<Cow<'_, [u8]>> {
        self.value(de)?.binary()
    }

    /// A part of a composite element, as [`Value::part`]: `part(55, "9F02")`, `part(48, "38")`.
    #[must_use]
    pub fn part(&self, de: u8, path: &str) -> Option<Value<'_>> {
        self.value(de)?.part(path)
    }

    /// Bytes of the message, from one offset to another.
    pub(crate) fn between(&self, place: Range<u32>) -> &[u8] {
        self.bytes.get(place.start as usize..place.end as usize).unwrap_or_default()
    }

    /// Prefix and value of `de`, as received.
    pub(crate) fn wire(&self, de: u8) -> Option<&[u8]> {
        let place = self.present.place(de)?;
        let start = match (self.resumed, place.checked_sub(1)) {
            (Some((resumed, start)), _) if resumed == place => start,
            (_, Some(before)) => self.spans.get(before)?.end,
            (_, None) => self.first,
        };
        self.bytes.get(start as usize..self.spans.get(place)?.end as usize)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} ", self.mti)?;
        f.debug_list().entries(self.elements()).finish()?;
        f.write_str(")")
    }
}
