//! One value of a message, whole or part: its bytes and the dialect's words for them.
//!
//! Guarantees that the value was checked when the message was decoded, so that reading it cannot fail
//! except by asking for a kind that it is not.

use crate::characters::Characters;
use crate::content::Content;
use crate::digits;
use crate::encoding::{Encoding, character, nibbles};
use crate::position::Span;
use crate::short_text::ShortText;
use crate::spec::ElementSpec;
use std::borrow::Cow;
use std::fmt;

/// A value of a message. `Debug` shows its name and not its content.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    pub(crate) spec: &'a ElementSpec,
    pub(crate) wire: &'a [u8],
    pub(crate) characters: usize,
}

impl<'a> Value<'a> {
    /// The value at `span` of `bytes`.
    #[inline]
    pub(crate) fn new(spec: &'a ElementSpec, bytes: &'a [u8], span: Span) -> Option<Self> {
        let wire = bytes.get(span.start as usize..span.end as usize)?;
        Some(Self { spec, wire, characters: span.characters as usize })
    }

    /// What the dialect says of it.
    #[must_use]
    pub const fn spec(&self) -> &'a ElementSpec {
        self.spec
    }

    /// The bytes as received, without a length prefix.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.wire
    }

    /// The value as text: digits unpacked, bytes as upper-case hexadecimal digits.
    ///
    /// Borrowed where the wire holds the very characters, which is so for every ASCII element.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        let wire = self.wire;
        match self.spec.encoding {
            Encoding::Ascii => characters(wire),
            Encoding::Ebcdic(page) => wire.iter().map(|byte| char::from(page.to_ascii(*byte))).collect(),
            Encoding::Bcd => self.nibbles().map(|nibble| char::from(character(nibble))).collect(),
            Encoding::Binary => Cow::Owned(const_hex::encode_upper(wire)),
            Encoding::Hex if wire.iter().any(u8::is_ascii_lowercase) => {
                Cow::Owned(String::from_utf8_lossy(wire).to_ascii_uppercase())
            }
            Encoding::Hex => characters(wire),
        }
    }

    /// How many characters [`Value::text`] has.
    #[inline]
    fn text_len(&self) -> usize {
        match self.spec.encoding {
            Encoding::Bcd => self.characters,
            Encoding::Binary => self.wire.len() * 2,
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Hex => self.wire.len(),
        }
    }

    /// Writes the characters of [`Value::text`] from `from` on into `room`.
    fn write_characters(&self, from: usize, room: &mut [u8]) {
        let wire = || self.wire.iter().skip(from);
        let put = |(to, character): (&mut u8, u8)| *to = character;
        match self.spec.encoding {
            Encoding::Ascii => room.iter_mut().zip(wire().copied()).for_each(put),
            Encoding::Ebcdic(page) => {
                room.iter_mut().zip(wire().map(|byte| page.to_ascii(*byte))).for_each(put)
            }
            Encoding::Hex => room.iter_mut().zip(wire().map(u8::to_ascii_uppercase)).for_each(put),
            Encoding::Binary => {
                let halves = self.wire.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                room.iter_mut().zip(halves.skip(from).map(character)).for_each(put);
            }
            Encoding::Bcd => room.iter_mut().zip(self.nibbles().skip(from).map(character)).for_each(put),
        }
    }

    /// The characters of [`Value::text`], without allocating unless they are many and written otherwise than in ASCII.
    #[must_use]
    #[inline]
    pub fn characters(&self) -> Characters<'a> {
        if self.spec.encoding == Encoding::Ascii {
            return Characters::on_wire(self.wire);
        }
        self.copied(0, self.text_len()).unwrap_or_else(|| Characters::long(self.text().into_owned()))
    }

    /// A part of [`Value::text`] without allocating: `length` characters from `from`, counted from 0, or all from
    /// there on. `None` if the value does not have them, or they are more than 64.
    #[must_use]
    #[inline]
    pub fn excerpt(&self, from: usize, length: Option<usize>) -> Option<Characters<'a>> {
        let end = match length {
            Some(length) => from.checked_add(length)?,
            None => self.text_len(),
        };
        if end > self.text_len() || end.checked_sub(from)? > ShortText::MAX {
            return None;
        }
        if self.spec.encoding == Encoding::Ascii {
            return self.wire.get(from..end).map(Characters::on_wire);
        }
        self.copied(from, end)
    }

    /// A copy of the characters in between. `None` if they are too many, or one is not of seven bits.
    fn copied(&self, from: usize, end: usize) -> Option<Characters<'a>> {
        ShortText::filled(end.checked_sub(from)?, |room| self.write_characters(from, room))
            .map(Characters::short)
    }

    /// The digits of a numeric value, without allocating. `None` if it is not numeric or is longer than
    /// [`Digits::MAX`].
    #[must_use]
    pub fn digits(&self) -> Option<Digits> {
        if self.spec.content != Content::Numeric {
            return None;
        }
        let mut digits = Digits { bytes: [0; Digits::MAX], len: u8::try_from(self.characters).ok()? };
        let room = digits.bytes.get_mut(..self.characters)?;
        match self.spec.encoding {
            Encoding::Bcd => {
                room.iter_mut().zip(self.nibbles()).for_each(|(to, nibble)| *to = character(nibble));
            }
            Encoding::Ebcdic(page) => {
                room.iter_mut().zip(self.wire).for_each(|(to, byte)| *to = page.to_ascii(*byte));
            }
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => {
                room.copy_from_slice(self.wire.get(..room.len())?);
            }
        }
        Some(digits)
    }

    /// The number that a numeric value is. `None` if it is not numeric or exceeds 64 bits.
    #[must_use]
    #[inline]
    pub fn number(&self) -> Option<u64> {
        if self.spec.content != Content::Numeric {
            return None;
        }
        match self.spec.encoding {
            Encoding::Bcd => digits::number_of_packed(self.wire, self.characters, self.spec.pad),
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Binary | Encoding::Hex => {
                digits::number_of(self.wire)
            }
        }
    }

    /// The bytes of a binary value, also where the wire holds them as hexadecimal text. `None` if it is
    /// not binary.
    #[must_use]
    pub fn binary(&self) -> Option<Cow<'a, [u8]>> {
        if self.spec.content != Content::Binary {
            return None;
        }
        match self.spec.encoding {
            Encoding::Hex => const_hex::decode(self.wire).ok().map(Cow::Owned),
            Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Bcd | Encoding::Binary => {
                Some(Cow::Borrowed(self.wire))
            }
        }
    }

    /// The parts of a composite, in the order of the wire, each with its key: a name, a bit, or a tag.
    /// Empty for a value that is no composite.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, Value<'a>)> {
        let mut found = Vec::new();
        if let Some(parts) = &self.spec.parts {
            // Decoding has checked every part, so this walk meets no fault.
            let _ = parts.each(self.wire, 0, &mut |key, spec, span| {
                found.extend(Value::new(spec, self.wire, span).map(|value| (key.to_string(), value)));
            });
        }
        found
    }

    /// The part at `path`, whose keys are joined by dots: `38`, `01.9F02`. Does not allocate.
    #[must_use]
    pub fn part(&self, path: &str) -> Option<Value<'a>> {
        let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
        let mut value = None;
        // As above, this walk meets no fault. Where a tag comes twice, the first is meant.
        let _ = self.spec.parts.as_ref()?.each(self.wire, 0, &mut |found, spec, span| {
            if value.is_none() && found.is(key) {
                value = Value::new(spec, self.wire, span);
            }
        });
        rest.map_or(value, |rest| value?.part(rest))
    }

    fn nibbles(&self) -> impl Iterator<Item = u8> + use<'a> {
        nibbles(self.wire, self.characters, self.spec.pad)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({}, {} bytes)", self.spec.name, self.wire.len())
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

/// The characters that bytes are. Nearly always they are text as they stand, which is quicker to find out than to mend.
fn characters(wire: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(wire).map_or_else(|_| String::from_utf8_lossy(wire), Cow::Borrowed)
}
