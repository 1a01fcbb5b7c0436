//! Frames: how one message ends and the next begins on a byte stream.
//!
//! Every frame is a length header and a body. [`FrameFormat::split`] takes whole bodies off the front
//! of a receive buffer without copying; [`FrameFormat::write`] puts a header before a body that is
//! encoded in place. A length over the bound is refused before anything is waited for or allocated.
//!
//! A frame of length zero is a keep-alive: `split` returns it as an empty body, which is never a message.

use crate::error::EncodeError;
use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use thiserror::Error;

/// How the length of a frame is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum LengthHeader {
    /// Two bytes, most significant first. The commonest.
    #[serde(rename = "binary-2")]
    Binary2,
    /// Four ASCII digits.
    #[serde(rename = "ascii-4")]
    Ascii4,
}

/// How frames are cut on one link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameFormat {
    /// How the length is written.
    pub length: LengthHeader,
    /// Whether the length counts its own header.
    pub includes_itself: bool,
    /// The longest body that is accepted or sent, in bytes, without the header.
    pub max_bytes: usize,
}

/// Why a frame cannot be read. The stream cannot be trusted after it: the next frame's start is unknown.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FrameError {
    /// The announced body is longer than the link allows.
    #[error("frame length {found} exceeds the maximum of {max} bytes{hint}")]
    TooLong {
        /// The announced length of the body, in bytes.
        found: usize,
        /// The longest allowed body, in bytes.
        max: usize,
        /// What the header looks like, if it looks like something else.
        hint: Hint,
    },
    /// The length counts its own header, yet is smaller than the header.
    #[error("frame length {found} is less than its own header of {header} bytes{hint}")]
    TooShort {
        /// The announced length, in bytes.
        found: usize,
        /// The size of the header, in bytes.
        header: usize,
        /// What the header looks like, if it looks like something else.
        hint: Hint,
    },
    /// The length header is not written in the agreed digits.
    #[error("frame length header {found:02X?} is not {allowed}{hint}")]
    NotALength {
        /// The bytes of the header.
        found: [u8; 4],
        /// How it should be written.
        allowed: &'static str,
        /// What the header looks like, if it looks like something else.
        hint: Hint,
    },
}

/// A guess at what the other side sends instead, for the person who reads the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hint {
    /// Nothing to add.
    None,
    /// A binary length was expected and ASCII digits came.
    AsciiDigits,
    /// ASCII digits were expected and a small binary number came.
    BinaryLength,
}

impl std::fmt::Display for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::AsciiDigits => " (the header looks like ASCII digits read as a binary length)",
            Self::BinaryLength => " (the header looks like a binary length read as ASCII digits)",
        })
    }
}

impl LengthHeader {
    /// The size of the header in bytes.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Binary2 => 2,
            Self::Ascii4 => 4,
        }
    }

    /// The largest number that the header can hold.
    const fn largest(self) -> usize {
        match self {
            Self::Binary2 => 0xFFFF,
            Self::Ascii4 => 9_999,
        }
    }

    fn read(self, header: &[u8]) -> Result<usize, FrameError> {
        match self {
            Self::Binary2 => Ok(header.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))),
            Self::Ascii4 => header
                .iter()
                .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + usize::from(byte - b'0')))
                .ok_or_else(|| not_digits(header)),
        }
    }

    fn write(self, length: usize, header: &mut [u8]) {
        let mut rest = length;
        for byte in header.iter_mut().rev() {
            match self {
                Self::Binary2 => {
                    *byte = u8::try_from(rest & 0xFF).unwrap_or(0);
                    rest >>= 8;
                }
                Self::Ascii4 => {
                    *byte = b'0' + u8::try_from(rest % 10).unwrap_or(0);
                    rest /= 10;
                }
            }
        }
    }

    /// Guesses from the header's bytes why the length makes no sense.
    fn hint(self, header: &[u8]) -> Hint {
        match self {
            Self::Binary2 if header.iter().all(u8::is_ascii_digit) => Hint::AsciiDigits,
            Self::Ascii4 if header.first() == Some(&0) => Hint::BinaryLength,
            Self::Binary2 | Self::Ascii4 => Hint::None,
        }
    }
}

fn not_digits(header: &[u8]) -> FrameError {
    let mut found = [0; 4];
    found.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
    FrameError::NotALength { found, allowed: "four ASCII digits", hint: LengthHeader::Ascii4.hint(header) }
}

impl FrameFormat {
    /// Takes the next whole frame's body off the front of `buffer`, without copying it.
    ///
    /// `Ok(None)` means that more bytes are needed. An empty body is a keep-alive.
    ///
    /// # Errors
    /// [`FrameError`] if the header is not a length or the length is out of bounds. The buffer is
    /// left as it was; nothing after this point can be trusted, so the link should be closed.
    pub fn split(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let header_bytes = self.length.bytes();
        let Some(header) = buffer.get(..header_bytes) else {
            return Ok(None);
        };
        let announced = self.length.read(header)?;
        let hint = self.length.hint(header);
        let own = if self.includes_itself && announced > 0 { header_bytes } else { 0 };
        let Some(body) = announced.checked_sub(own) else {
            return Err(FrameError::TooShort { found: announced, header: own, hint });
        };
        if body > self.max_bytes {
            return Err(FrameError::TooLong { found: body, max: self.max_bytes, hint });
        }
        if buffer.len() - header_bytes < body {
            return Ok(None);
        }
        buffer.advance(header_bytes);
        Ok(Some(buffer.split_to(body).freeze()))
    }

    /// Writes one frame: room for the header, the body by `body`, then the length into the header.
    ///
    /// # Errors
    /// Whatever `body` returns, or [`EncodeError::FrameTooLong`] if the body exceeds `max_bytes` or
    /// what the header can hold. On error `out` is as it was before the call.
    pub fn write(
        &self,
        out: &mut BytesMut,
        body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.write_or_leave_half(out, start, body);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn write_or_leave_half(
        &self,
        out: &mut BytesMut,
        start: usize,
        body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let header_bytes = self.length.bytes();
        out.resize(start + header_bytes, 0);
        body(out)?;
        let found = out.len() - start - header_bytes;
        let own = if self.includes_itself { header_bytes } else { 0 };
        let max = self.max_bytes.min(self.length.largest() - own);
        if found > max {
            return Err(EncodeError::FrameTooLong { found, max });
        }
        if let Some(header) = out.get_mut(start..start + header_bytes) {
            self.length.write(found + own, header);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BINARY: FrameFormat =
        FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 8_192 };
    const DIGITS: FrameFormat =
        FrameFormat { length: LengthHeader::Ascii4, includes_itself: true, max_bytes: 100 };

    fn put(format: FrameFormat, out: &mut BytesMut, body: &[u8]) -> Result<(), EncodeError> {
        format.write(out, |out| {
            out.extend_from_slice(body);
            Ok(())
        })
    }

    #[test]
    fn frames_come_back_in_order_and_half_a_frame_waits() {
        let mut stream = BytesMut::new();
        put(BINARY, &mut stream, b"one").unwrap();
        put(BINARY, &mut stream, b"three").unwrap();
        let late = stream.split_off(stream.len() - 2);
        assert_eq!(BINARY.split(&mut stream).unwrap().unwrap(), "one");
        assert_eq!(BINARY.split(&mut stream), Ok(None));
        stream.unsplit(late);
        assert_eq!(BINARY.split(&mut stream).unwrap().unwrap(), "three");
        assert_eq!(BINARY.split(&mut stream), Ok(None));
    }

    #[test]
    fn a_length_that_counts_itself_is_patched_and_read_back() {
        let mut stream = BytesMut::new();
        put(DIGITS, &mut stream, b"MESSAGE").unwrap();
        assert_eq!(&stream[..], b"0011MESSAGE");
        assert_eq!(DIGITS.split(&mut stream).unwrap().unwrap(), "MESSAGE");
    }

    #[test]
    fn a_length_over_the_bound_is_refused_before_its_body_arrives() {
        let mut stream = BytesMut::from(&b"\xFF\xFF"[..]);
        let error = BINARY.split(&mut stream).unwrap_err();
        assert_eq!(error.to_string(), "frame length 65535 exceeds the maximum of 8192 bytes");
    }

    #[test]
    fn ascii_digits_in_a_binary_header_are_recognised() {
        let mut stream = BytesMut::from(&b"0101"[..]);
        let error = BINARY.split(&mut stream).unwrap_err();
        assert!(error.to_string().contains("looks like ASCII digits"), "{error}");
    }

    #[test]
    fn a_binary_length_in_a_digit_header_is_recognised() {
        let mut stream = BytesMut::from(&b"\x00\x3C01"[..]);
        let error = DIGITS.split(&mut stream).unwrap_err();
        assert!(error.to_string().contains("looks like a binary length"), "{error}");
    }

    #[test]
    fn a_length_smaller_than_its_own_header_is_refused() {
        let mut stream = BytesMut::from(&b"0003"[..]);
        let error = DIGITS.split(&mut stream).unwrap_err();
        assert_eq!(error.to_string(), "frame length 3 is less than its own header of 4 bytes");
    }

    #[test]
    fn a_frame_of_length_zero_is_an_empty_body() {
        for (format, header) in [(BINARY, &b"\x00\x00"[..]), (DIGITS, b"0000"), (DIGITS, b"0004")] {
            let mut stream = BytesMut::from(header);
            assert_eq!(format.split(&mut stream), Ok(Some(Bytes::new())));
        }
    }

    #[test]
    fn a_failed_body_leaves_nothing_behind() {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(put(DIGITS, &mut out, &[b'x'; 101]).is_err());
        assert_eq!(&out[..], b"before");
    }
}
