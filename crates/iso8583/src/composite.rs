//! Elements made of parts: in a fixed order, by tag, or by a bitmap of their own; and parts in parts.
//!
//! Guarantees that every part of a composite is checked when the message is decoded, and that the path of
//! a fault leads to it. Recursion follows the dialect, never the input, so that its depth is bounded by the
//! dialect file. Parts are not stored: they are found again when asked for.

use crate::bitmap::BitmapEncoding;
use crate::encoding::Encoding;
use crate::error::Fault;
use crate::position::{FaultAt, Span};
use crate::spec::{ElementSpec, Part, Parts, Rest};
use crate::tlv::TagFormat;
use std::fmt;

/// The key of a part as found.
#[derive(Clone, Copy)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    Tag(&'a [u8], Encoding),
}

impl Key<'_> {
    /// Whether a path writes the key so.
    pub(crate) fn is(self, text: &str) -> bool {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |half: u8| DIGITS.get(usize::from(half)).copied();
        match self {
            Self::Name(name) => name == text,
            Self::Tag(tag, Encoding::Ebcdic(page)) => {
                tag.iter().map(|byte| page.to_ascii(*byte)).eq(text.bytes())
            }
            Self::Tag(tag, Encoding::Ascii) => tag == text.as_bytes(),
            Self::Tag(tag, Encoding::Bcd | Encoding::Binary | Encoding::Hex) => {
                let halves = tag.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]);
                halves.map(digit).eq(text.bytes().map(|character| Some(character.to_ascii_uppercase())))
            }
        }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Tag(tag, Encoding::Ebcdic(page)) => {
                tag.iter().try_for_each(|byte| write!(f, "{}", char::from(page.to_ascii(*byte))))
            }
            Self::Tag(tag, Encoding::Ascii) => {
                tag.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
            }
            Self::Tag(tag, Encoding::Bcd | Encoding::Binary | Encoding::Hex) => {
                tag.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
            }
        }
    }
}

impl Parts {
    /// Finds and checks every part of a value that starts at `start` and ends with `input`, and shows
    /// each to `visit`.
    pub(crate) fn each<'s>(
        &'s self,
        input: &[u8],
        start: usize,
        visit: &mut dyn FnMut(Key<'_>, &'s ElementSpec, Span),
    ) -> Result<(), Box<FaultAt>> {
        let mut at = start;
        for part in &self.order {
            if self.may_end_early && at == input.len() {
                return Ok(());
            }
            let span = part.spec.locate(input, at).map_err(|fault| fault.inside(&part.key))?;
            at = span.end as usize;
            visit(Key::Name(&part.key), &part.spec, span);
        }
        match &self.rest {
            Rest::Nothing if at < input.len() => {
                Err(FaultAt::new(at, Fault::AfterParts { bytes: input.len() - at }))
            }
            Rest::Nothing => Ok(()),
            Rest::Tags { format, known, unknown } => each_tag(input, at, *format, known, unknown, visit),
            Rest::Bits { bytes, encoding, known } => {
                each_bit(input, at, (usize::from(*bytes), *encoding), known, visit)
            }
        }
    }
}

fn each_tag<'s>(
    input: &[u8],
    start: usize,
    format: TagFormat,
    known: &'s [(Box<[u8]>, Part)],
    unknown: &'s ElementSpec,
    visit: &mut dyn FnMut(Key<'_>, &'s ElementSpec, Span),
) -> Result<(), Box<FaultAt>> {
    let mut at = start;
    while let Some(found) = format.read(input, at)? {
        let part = known.iter().find(|(tag, _)| **tag == *found.tag);
        let spec = part.map_or(unknown, |(_, part)| &part.spec);
        let key = Key::Tag(found.tag, format.encoding());
        let span = spec
            .accept_bytes(input, found.start, found.size)
            .map_err(|fault| fault.inside(&key.to_string()))?;
        visit(key, spec, span);
        at = found.start + found.size;
    }
    Ok(())
}

fn each_bit<'s>(
    input: &[u8],
    start: usize,
    (bytes, encoding): (usize, BitmapEncoding),
    known: &'s [(u8, Part)],
    visit: &mut dyn FnMut(Key<'_>, &'s ElementSpec, Span),
) -> Result<(), Box<FaultAt>> {
    let rest = input.get(start..).unwrap_or_default();
    let size = encoding.wire_bytes(bytes);
    let Some(wire) = rest.get(..size) else {
        return Err(FaultAt::new(start, Fault::Short { needed: size, left: rest.len() }));
    };
    let Some(bitmap) = encoding.unpack(wire) else {
        let fault = Fault::Content { at: start, found: None, allowed: "hexadecimal digits" };
        return Err(FaultAt::new(start, fault));
    };
    let mut at = start + size;
    for (index, byte) in bitmap.iter().take(bytes).enumerate() {
        for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
            let number = index * 8 + bit + 1;
            let Some((_, part)) = known.iter().find(|(known, _)| usize::from(*known) == number) else {
                return Err(FaultAt::new(at, Fault::Unlisted).inside(&number.to_string()));
            };
            let span = part.spec.locate(input, at).map_err(|fault| fault.inside(&part.key))?;
            at = span.end as usize;
            visit(Key::Name(&part.key), &part.spec, span);
        }
    }
    if at < input.len() {
        return Err(FaultAt::new(at, Fault::AfterParts { bytes: input.len() - at }));
    }
    Ok(())
}
