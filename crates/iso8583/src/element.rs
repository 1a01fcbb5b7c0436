//! One data element of a dialect: how to find its end, check its value and write it.
//!
//! Guarantees that [`ElementSpec::locate`] reads nothing outside the message and that a value it
//! accepted can be read back by every accessor of the message without a further check.

use crate::encoding::{Encoding, check_packed, pack, without_filler};
use crate::error::Fault;
use crate::length::{Length, Unit};
use crate::position::{FaultAt, Span, narrow};
use crate::spec::ElementSpec;

impl ElementSpec {
    /// Finds and checks the element's value that starts, with its prefix, at `at`.
    #[inline(always)]
    pub(crate) fn locate(&self, input: &[u8], at: usize) -> Result<Span, Box<FaultAt>> {
        match self.quick.locate(input, at) {
            Some(span) => Ok(span),
            None => self.locate_any(input, at),
        }
    }

    /// Every form, and what is wrong if something is.
    pub(crate) fn locate_any(&self, input: &[u8], at: usize) -> Result<Span, Box<FaultAt>> {
        let (start, count) = self.read_length(input, at)?;
        self.accept(input, at, start, count)
    }

    /// Where the element that starts at `at` ends, by its length alone; `None` when that cannot be told.
    pub(crate) fn end(&self, input: &[u8], at: usize) -> Option<usize> {
        let (start, count) = self.read_length(input, at).ok()?;
        let size = self.encoding.wire_bytes(self.unit, count)?;
        start.checked_add(size).filter(|end| *end <= input.len())
    }

    /// Checks a value of `size` bytes at `start`, whose length was announced by what encloses it.
    pub(crate) fn accept_bytes(&self, input: &[u8], start: usize, size: usize) -> Result<Span, Box<FaultAt>> {
        let count = self.encoding.units_of_bytes(self.unit, size);
        let (min, max) = match self.length {
            Length::Fixed(exact) => (exact, exact),
            Length::Variable { min, max, .. } | Length::Enclosed { min, max } => (min, max),
        };
        self.check_bounds(narrow(count), min, max).map_err(|fault| FaultAt::new(start, fault))?;
        if self.encoding.wire_bytes(self.unit, count) != Some(size) {
            return Err(FaultAt::new(start, Fault::Odd { found: size, unit: "bytes" }));
        }
        let end = start.saturating_add(size).min(input.len());
        self.accept(input.get(..end).unwrap_or_default(), start, start, count)
    }

    /// Checks a value of `count` units at `start`; `at` is where its prefix starts.
    #[inline]
    fn accept(&self, input: &[u8], at: usize, start: usize, count: usize) -> Result<Span, Box<FaultAt>> {
        let Some(size) = self.encoding.wire_bytes(self.unit, count) else {
            return Err(FaultAt::new(at, Fault::Odd { found: count, unit: self.unit.describe() }));
        };
        let rest = input.get(start..).unwrap_or_default();
        let Some(value) = rest.get(..size) else {
            return Err(FaultAt::new(start, Fault::Short { needed: size, left: rest.len() }));
        };
        let characters = match (self.encoding, self.unit) {
            (Encoding::Bcd, Unit::Bytes) => without_filler(value, self.pad),
            (encoding, unit) => encoding.characters(unit, count),
        };
        self.check(value, start, characters).map_err(|fault| FaultAt::new(start, fault))?;
        let end = start + size;
        if let Some(parts) = &self.parts {
            parts.each(input.get(..end).unwrap_or_default(), start, &mut |_, _, _| {})?;
        }
        Ok(Span { start: narrow(start), end: narrow(end), characters: narrow(characters) })
    }

    /// Where the value starts and how long it is, in units.
    #[inline]
    fn read_length(&self, input: &[u8], at: usize) -> Result<(usize, usize), Box<FaultAt>> {
        match self.length {
            Length::Fixed(count) => Ok((at, count as usize)),
            Length::Variable { prefix, min, max } => {
                let rest = input.get(at..).unwrap_or_default();
                let needed = prefix.bytes();
                let Some(wire) = rest.get(..needed) else {
                    return Err(FaultAt::new(at, Fault::Short { needed, left: rest.len() }));
                };
                let count = prefix.read(wire).map_err(|fault| FaultAt::new(at, fault))?;
                self.check_bounds(count, min, max).map_err(|fault| FaultAt::new(at, fault))?;
                Ok((at + needed, count as usize))
            }
            Length::Enclosed { min, max } => {
                let size = input.len().saturating_sub(at);
                let count = self.encoding.units_of_bytes(self.unit, size);
                self.check_bounds(narrow(count), min, max).map_err(|fault| FaultAt::new(at, fault))?;
                Ok((at, count))
            }
        }
    }

    #[inline]
    fn check_bounds(&self, count: u32, min: u32, max: u32) -> Result<(), Fault> {
        let (found, unit) = (count as usize, self.unit.describe());
        if count > max {
            return Err(Fault::TooLong { found, max: max as usize, unit });
        }
        if count < min {
            return Err(Fault::TooLittle { found, min: min as usize, unit });
        }
        Ok(())
    }

    /// Checks that the value holds only what the element may hold.
    #[inline]
    fn check(&self, value: &[u8], at: usize, characters: usize) -> Result<(), Fault> {
        let wrong = match self.encoding {
            Encoding::Ascii => self.content.first_wrong(value),
            Encoding::Ebcdic(page) => {
                self.content.first_wrong_of(value.iter().map(|byte| page.to_ascii(*byte)))
            }
            Encoding::Bcd => {
                return check_packed(value, at, characters, self.pad, self.content, self.sensitive);
            }
            Encoding::Binary => None,
            Encoding::Hex => value.iter().position(|byte| !byte.is_ascii_hexdigit()),
        };
        match wrong {
            None => Ok(()),
            Some(wrong) => Err(Fault::Content {
                at: at + wrong,
                found: value.get(wrong).copied().filter(|_| !self.sensitive),
                allowed: if self.encoding == Encoding::Hex {
                    "hexadecimal digits"
                } else {
                    self.content.describe()
                },
            }),
        }
    }

    /// Writes prefix and value of `text`, which is padded with spaces where the element is fixed text.
    pub(crate) fn write_text(&self, text: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        if let Some(at) = self.content.first_wrong(text) {
            let found = text.get(at).copied().filter(|_| !self.sensitive);
            return Err(Fault::Content { at, found, allowed: self.content.describe() });
        }
        let spaces = match self.length {
            Length::Fixed(count) if self.content.pads_with_spaces() => {
                self.encoding.characters(self.unit, count as usize).saturating_sub(text.len())
            }
            Length::Fixed(_) | Length::Variable { .. } | Length::Enclosed { .. } => 0,
        };
        self.write_length(self.encoding.units(self.unit, text.len() + spaces), out)?;
        match self.encoding {
            Encoding::Bcd => pack(text, self.pad, self.content, out),
            Encoding::Ebcdic(page) => {
                out.extend(text.iter().map(|character| page.to_ebcdic(*character)));
                out.resize(out.len() + spaces, page.to_ebcdic(b' '));
                Ok(())
            }
            Encoding::Ascii | Encoding::Binary | Encoding::Hex => {
                out.extend_from_slice(text);
                out.resize(out.len() + spaces, b' ');
                Ok(())
            }
        }
    }

    /// Writes prefix and value of `bytes`.
    pub(crate) fn write_bytes(&self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.write_length(self.encoding.units(self.unit, bytes.len()), out)?;
        if self.encoding == Encoding::Hex {
            out.extend_from_slice(const_hex::encode_upper(bytes).as_bytes());
        } else {
            out.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Writes prefix and value of `wire`, which is already in the element's own form.
    pub(crate) fn write_wire(&self, wire: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        self.write_length(self.encoding.units_of_bytes(self.unit, wire.len()), out)?;
        out.extend_from_slice(wire);
        Ok(())
    }

    /// Writes the length prefix of a value of `count` units, or checks the fixed length.
    fn write_length(&self, count: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
        let counted = u32::try_from(count).unwrap_or(u32::MAX);
        match self.length {
            Length::Fixed(exact) => self.check_bounds(counted, exact, exact),
            Length::Variable { prefix, min, max } => {
                self.check_bounds(counted, min, max)?;
                prefix.write(counted, out);
                Ok(())
            }
            Length::Enclosed { min, max } => self.check_bounds(counted, min, max),
        }
    }
}
