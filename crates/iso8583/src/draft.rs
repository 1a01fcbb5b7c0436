//! A message being written: elements in any order in, bytes in the dialect's order out.
//!
//! Guarantees that what is written decodes again in the same dialect. Values are checked as they come;
//! the first wrong one is remembered and returned by [`Draft::encode_into`], so that a draft reads as a
//! plain list of elements.

use crate::bitmap::Bitmap;
use crate::compose::{PartValue, compose};
use crate::content::Content;
use crate::dialect::{Dialect, Table};
use crate::error::{EncodeError, Fault};
use crate::length::Length;
use crate::message::Message;
use crate::mti::Mti;
use crate::spec::ElementSpec;
use bytes::BytesMut;
use std::ops::Range;
use std::sync::Arc;

/// Room for the elements of a usual answer, so that drafting one allocates twice and never again.
const USUAL_BYTES: usize = 256;
const USUAL_ELEMENTS: usize = 24;

/// A message being written.
#[derive(Clone)]
pub struct Draft {
    pub(crate) table: Arc<Table>,
    /// What goes before the MTI.
    header: Vec<u8>,
    mti: Mti,
    /// Prefix and value of each element, in the order of the calls.
    scratch: Vec<u8>,
    /// Which bytes of the scratch belong to which element, ascending by element.
    elements: Vec<(u8, Range<usize>)>,
    error: Option<EncodeError>,
}

impl Draft {
    /// Begins a message.
    #[must_use]
    pub fn new(dialect: &Dialect, mti: Mti) -> Self {
        Self::with_header(&dialect.table, dialect.table.header.initial(), mti)
    }

    /// Begins the answer to `request`, in its dialect, with its header turned round. `None` if the request is
    /// itself an answer.
    #[must_use]
    pub fn answer(request: &Message) -> Option<Self> {
        let header = request.table.header.answer(request.header());
        Some(Self::with_header(&request.table, header, request.mti().answer()?))
    }

    fn with_header(table: &Arc<Table>, header: Vec<u8>, mti: Mti) -> Self {
        Self {
            table: Arc::clone(table),
            header,
            mti,
            scratch: Vec::with_capacity(USUAL_BYTES),
            elements: Vec::with_capacity(USUAL_ELEMENTS),
            error: None,
        }
    }

    /// Sets what goes before the MTI, byte for byte. A length inside a BASE I header is put right.
    pub fn header(&mut self, header: &[u8]) -> &mut Self {
        self.header = header.to_vec();
        self
    }

    /// Sets `de` to characters. Text of a fixed length is filled up with spaces on the right; digits
    /// must be exactly as many as the element has.
    pub fn text(&mut self, de: u8, value: &str) -> &mut Self {
        self.set(de, |spec, out| {
            if spec.content == Content::Binary {
                return Err(kind(spec, "characters"));
            }
            spec.write_text(value.as_bytes(), out).map_err(|fault| wrong(spec, fault))
        })
    }

    /// Sets `de` to a number, with leading zeros up to the fixed length; a variable element gets as
    /// many digits as the number has.
    pub fn number(&mut self, de: u8, value: u64) -> &mut Self {
        self.set(de, |spec, out| {
            if !spec.content.is_numeric() {
                return Err(kind(spec, "a number"));
            }
            let width = match spec.length {
                Length::Fixed(width) => spec.encoding.characters(spec.unit, width as usize),
                Length::Variable { .. } | Length::Enclosed { .. } => 1,
            };
            let (digits, significant) = decimal(value);
            let shown = significant.max(width).min(DIGITS_MAX);
            let text = digits.get(DIGITS_MAX - shown..).unwrap_or_default();
            spec.write_text(text, out).map_err(|fault| wrong(spec, fault))
        })
    }

    /// Sets `de` to bytes.
    pub fn binary(&mut self, de: u8, value: &[u8]) -> &mut Self {
        self.set(de, |spec, out| {
            if spec.content != Content::Binary {
                return Err(kind(spec, "bytes"));
            }
            spec.write_bytes(value, out).map_err(|fault| wrong(spec, fault))
        })
    }

    /// Sets a composite `de` from its parts: `parts(48, &[("tcc", PartValue::Text("R")), ("38", PartValue::Text("Z"))])`.
    /// The parts of a part have paths with dots.
    pub fn parts(&mut self, de: u8, parts: &[(&str, PartValue<'_>)]) -> &mut Self {
        self.set(de, |spec, out| {
            let Some(composite) = &spec.parts else {
                return Err(kind(spec, "parts"));
            };
            let in_part = |(path, fault)| EncodeError::Part { de, path, name: spec.name.clone(), fault };
            let value = compose(composite, parts).map_err(in_part)?;
            spec.write_wire(&value, out).map_err(|fault| wrong(spec, fault))
        })
    }

    /// Sets `de` to what `request` has there, byte for byte if both speak the same dialect. An element
    /// that the request does not have is not set.
    pub fn echo(&mut self, de: u8, request: &Message) -> &mut Self {
        if !Arc::ptr_eq(&self.table, &request.table) {
            return self.translate(de, request);
        }
        match request.wire(de) {
            Some(wire) => self.set(de, |_, out| {
                out.extend_from_slice(wire);
                Ok(())
            }),
            None => self,
        }
    }

    /// Sets every element that the dialect's rules say the answer to `request` gives back.
    pub fn echo_by_rule(&mut self, request: &Message) -> &mut Self {
        let table = Arc::clone(&self.table);
        for de in table.rules(request.mti()).map_or(&[][..], |rules| rules.echo()) {
            self.echo(*de, request);
        }
        self
    }

    /// Sets `de` to the same value in this dialect's own form.
    fn translate(&mut self, de: u8, request: &Message) -> &mut Self {
        let binary = self.table.element(de).is_some_and(|spec| spec.content == Content::Binary);
        if binary && let Some(bytes) = request.binary(de) {
            return self.binary(de, &bytes);
        }
        match request.text(de) {
            Some(text) => self.text(de, &text),
            None => self,
        }
    }

    /// Takes `de` out again.
    pub fn remove(&mut self, de: u8) -> &mut Self {
        self.elements.retain(|(present, _)| *present != de);
        self
    }

    /// The highest element that is set; 0 if none is.
    pub(crate) fn last_element(&self) -> u8 {
        self.elements.last().map_or(0, |(de, _)| *de)
    }

    /// The size of what goes before the MTI.
    pub(crate) const fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Prefix and value of `de`, as they will be written.
    pub(crate) fn element_wire(&self, de: u8) -> &[u8] {
        let place = self.elements.iter().find(|(present, _)| *present == de);
        place.and_then(|(_, range)| self.scratch.get(range.clone())).unwrap_or_default()
    }

    /// The message type that is being written.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// Appends the message to `out`.
    ///
    /// # Errors
    /// The first [`EncodeError`] of the values that were set, or a message longer than its header can say. `out`
    /// is then left as it was.
    pub fn encode_into(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        if !self.table.mti.can_write(self.mti) {
            return Err(EncodeError::MessageType { mti: self.mti, dialect: self.table.name.clone() });
        }
        let mut present = Bitmap::default();
        self.elements.iter().for_each(|(de, _)| present.insert(*de));
        let start = out.len();
        out.reserve(self.header.len() + MTI_AND_BITMAPS_MAX + self.scratch.len());
        out.extend_from_slice(&self.header);
        self.table.mti.write(self.mti, out);
        self.table.bitmap.write(present, out);
        self.write_elements(out);
        let finished = self.table.header.finish(out, start);
        if finished.is_err() {
            out.truncate(start);
        }
        finished
    }

    /// Copies the elements in order; those that were set in order lie side by side and go in one piece.
    fn write_elements(&self, out: &mut BytesMut) {
        let mut piece = 0..0;
        for (_, range) in &self.elements {
            if range.start == piece.end {
                piece.end = range.end;
            } else {
                out.extend_from_slice(self.scratch.get(piece).unwrap_or_default());
                piece = range.clone();
            }
        }
        out.extend_from_slice(self.scratch.get(piece).unwrap_or_default());
    }

    fn set(
        &mut self,
        de: u8,
        write: impl FnOnce(&ElementSpec, &mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> &mut Self {
        if self.error.is_some() {
            return self;
        }
        let start = self.scratch.len();
        let written = match self.table.element(de) {
            Some(spec) => {
                write(spec, &mut self.scratch).and_then(|()| check_parts(spec, &self.scratch, start))
            }
            None => Err(EncodeError::Unlisted { de, dialect: self.table.name.clone() }),
        };
        match written {
            Ok(()) => self.place(de, start..self.scratch.len()),
            Err(error) => self.error = Some(error),
        }
        self
    }

    /// Keeps the elements in order; setting an element again replaces it.
    fn place(&mut self, de: u8, range: Range<usize>) {
        // Most callers set elements in order.
        if self.elements.last().is_none_or(|(last, _)| *last < de) {
            self.elements.push((de, range));
            return;
        }
        match self.elements.binary_search_by_key(&de, |(present, _)| *present) {
            Ok(at) => {
                if let Some(slot) = self.elements.get_mut(at) {
                    slot.1 = range;
                }
            }
            Err(at) => self.elements.insert(at, (de, range)),
        }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({} ", self.mti)?;
        f.debug_list().entries(self.elements.iter().map(|(de, _)| de)).finish()?;
        f.write_str(")")
    }
}

/// An MTI of four characters and three bitmaps of sixteen.
const MTI_AND_BITMAPS_MAX: usize = 4 + 3 * 16;

/// More digits than any number has and any fixed numeric element of the standard wants.
const DIGITS_MAX: usize = 48;

/// The decimal digits of `value`, at the end of an array of zeros, and how many there are: one at least.
fn decimal(value: u64) -> ([u8; DIGITS_MAX], usize) {
    let mut digits = [b'0'; DIGITS_MAX];
    let (mut rest, mut significant) = (value, 0);
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        significant += 1;
        if rest == 0 {
            break;
        }
    }
    (digits, significant)
}

/// Checks the parts of a composite that was written from `start`, so that what is sent can be read.
fn check_parts(spec: &ElementSpec, scratch: &[u8], start: usize) -> Result<(), EncodeError> {
    if !spec.is_composite() {
        return Ok(());
    }
    spec.locate(scratch, start).map(|_| ()).map_err(|fault| EncodeError::Part {
        de: spec.de,
        path: fault.path.trim_start_matches('.').to_owned(),
        name: spec.name.clone(),
        fault: fault.fault,
    })
}

#[cold]
fn wrong(spec: &ElementSpec, fault: Fault) -> EncodeError {
    EncodeError::Value { de: spec.de, name: spec.name.clone(), fault }
}

#[cold]
fn kind(spec: &ElementSpec, found: &'static str) -> EncodeError {
    EncodeError::Kind { de: spec.de, name: spec.name.clone(), found, allowed: spec.content.describe() }
}
