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
use crate::position::narrow;
use crate::spec::ElementSpec;
use bytes::BytesMut;
use smallvec::SmallVec;
use std::sync::Arc;

/// Room for the elements of a usual answer, so that drafting one allocates once, for their bytes.
const USUAL_BYTES: usize = 256;
const USUAL_ELEMENTS: usize = 24;

/// Which bytes of the scratch are an element's prefix and value.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub(crate) de: u8,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A message being written.
#[derive(Clone)]
pub struct Draft {
    pub(crate) table: Arc<Table>,
    /// What goes before the MTI.
    header: Vec<u8>,
    mti: Mti,
    /// Prefix and value of each element, in the order of the calls.
    pub(crate) scratch: Vec<u8>,
    /// Which bytes of the scratch belong to which element, ascending by element.
    pub(crate) elements: SmallVec<[Piece; USUAL_ELEMENTS]>,
    /// The same elements as a set.
    pub(crate) present: Bitmap,
    error: Option<Box<EncodeError>>,
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
            elements: SmallVec::new(),
            present: Bitmap::default(),
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
        self.characters(de, value.as_bytes())
    }

    /// As [`Draft::text`], for ASCII characters.
    pub fn characters(&mut self, de: u8, value: &[u8]) -> &mut Self {
        self.set(de, |spec, out| {
            if spec.content == Content::Binary {
                return Err(kind(spec, "characters"));
            }
            spec.write_text(value, out).map_err(|fault| wrong(spec, fault))
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

    /// Takes `de` out again.
    pub fn remove(&mut self, de: u8) -> &mut Self {
        self.elements.retain(|piece| piece.de != de);
        self.present.remove(de);
        self
    }

    /// The highest element that is set; 0 if none is.
    pub(crate) fn last_element(&self) -> u8 {
        self.elements.last().map_or(0, |piece| piece.de)
    }

    /// The size of what goes before the MTI.
    pub(crate) const fn header_len(&self) -> usize {
        self.header.len()
    }

    /// Prefix and value of `de`, as they will be written.
    pub(crate) fn element_wire(&self, de: u8) -> &[u8] {
        let piece = self.elements.iter().find(|piece| piece.de == de);
        piece.map_or(&[], |piece| self.between(piece.start, piece.end))
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
            return Err((**error).clone());
        }
        if !self.table.mti.can_write(self.mti) {
            return Err(EncodeError::MessageType { mti: self.mti, dialect: self.table.name.clone() });
        }
        let start = out.len();
        out.reserve(self.header.len() + MTI_AND_BITMAPS_MAX + self.scratch.len());
        out.extend_from_slice(&self.header);
        self.table.mti.write(self.mti, out);
        self.table.bitmap.write(self.present, out);
        self.write_elements(out);
        let finished = self.table.header.finish(out, start);
        if finished.is_err() {
            out.truncate(start);
        }
        finished
    }

    /// Copies the elements in order; those that were set in order lie side by side and go in one piece.
    fn write_elements(&self, out: &mut BytesMut) {
        let (mut start, mut end) = (0, 0);
        for piece in &self.elements {
            if piece.start == end {
                end = piece.end;
            } else {
                out.extend_from_slice(self.between(start, end));
                (start, end) = (piece.start, piece.end);
            }
        }
        out.extend_from_slice(self.between(start, end));
    }

    /// Bytes of the scratch.
    fn between(&self, start: u32, end: u32) -> &[u8] {
        self.scratch.get(start as usize..end as usize).unwrap_or_default()
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
            Some(spec) => write(spec, &mut self.scratch).and_then(|()| match &spec.parts {
                Some(_) => check_parts(spec, &self.scratch, start),
                None => Ok(()),
            }),
            None => Err(EncodeError::Unlisted { de, dialect: self.table.name.clone() }),
        };
        match written {
            Ok(()) => self.place(de, start),
            Err(error) => self.error = Some(Box::new(error)),
        }
        self
    }

    /// Takes what was written from `start` on for `de`. Keeps the elements in order; setting one again replaces it.
    pub(crate) fn place(&mut self, de: u8, start: usize) {
        let piece = Piece { de, start: narrow(start), end: narrow(self.scratch.len()) };
        self.present.insert(de);
        // Most callers set elements in order.
        if self.elements.last().is_none_or(|last| last.de < de) {
            self.elements.push(piece);
            return;
        }
        match self.elements.binary_search_by_key(&de, |present| present.de) {
            Ok(at) => {
                if let Some(slot) = self.elements.get_mut(at) {
                    *slot = piece;
                }
            }
            Err(at) => self.elements.insert(at, piece),
        }
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Draft({} ", self.mti)?;
        f.debug_list().entries(self.elements.iter().map(|piece| piece.de)).finish()?;
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
