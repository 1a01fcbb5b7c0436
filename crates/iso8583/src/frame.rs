//! Frames: how one message ends and the next begins on a byte stream.
//!
//! Every frame is a length header and a body. [`FrameFormat::split`] takes whole bodies off the front
//! of a receive buffer without copying; [`FrameFormat::write`] puts a header before a body that is
//! encoded in place. A length over the bound is refused before anything is waited for or allocated.
//!
//! A frame of length zero is a keep-alive: `split` returns it as an empty body, which is never a message.
//! So is a frame whose flags say that it controls the session.

use crate::error::EncodeError;
use crate::length_header::{Hint, LengthHeader};
use crate::received::cut;
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

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

/// One frame taken off a stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Frame {
    /// The body of a message.
    Message(Bytes),
    /// A frame of length zero, which keeps a quiet link open.
    KeepAlive,
    /// A frame that controls the session; its body is the network's business.
    SessionControl(Bytes),
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
        found: Box<[u8]>,
        /// How it should be written.
        allowed: &'static str,
        /// What the header looks like, if it looks like something else.
        hint: Hint,
    },
}

impl FrameFormat {
    /// Takes the next whole frame's body off the front of `buffer`, and leaves nothing of it there.
    ///
    /// `Ok(None)` means that more bytes are needed. An empty body is a keep-alive or a session control
    /// frame, and never a message.
    ///
    /// # Errors
    /// [`FrameError`] if the header is not a length or the length is out of bounds. The buffer is
    /// left as it was; nothing after this point can be trusted, so the link should be closed.
    pub fn split(&self, buffer: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        Ok(self.take(buffer)?.map(|frame| match frame {
            Frame::Message(body) => body,
            Frame::KeepAlive | Frame::SessionControl(_) => Bytes::new(),
        }))
    }

    /// As [`FrameFormat::split`], and says what kind of frame it was, for who answers those without a message.
    ///
    /// # Errors
    /// As [`FrameFormat::split`].
    pub fn take(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let header_bytes = self.length.bytes();
        let Some(header) = buffer.get(..header_bytes) else {
            return Ok(None);
        };
        let (layout, hint) = (self.length.layout(), self.length.hint(header));
        let Some(announced) = layout.read(header) else {
            let found = layout.length_of(header).into();
            return Err(FrameError::NotALength { found, allowed: layout.digits.describe(), hint });
        };
        let is_control = self.length.is_control(header);
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
        let body = cut(buffer, body);
        Ok(Some(match (is_control, body.is_empty()) {
            (true, _) => Frame::SessionControl(body),
            (false, true) => Frame::KeepAlive,
            (false, false) => Frame::Message(body),
        }))
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

    /// Writes a frame that controls the session, where the length header has flags for that.
    ///
    /// # Errors
    /// [`EncodeError::FrameTooLong`] if the body exceeds `max_bytes`, or if the header cannot say what kind of
    /// frame it is: a body that is longer than nothing would be taken for a message.
    pub fn write_session_control(&self, out: &mut BytesMut, body: &[u8]) -> Result<(), EncodeError> {
        let start = out.len();
        if !self.length.has_control_flags() {
            return Err(EncodeError::FrameTooLong { found: body.len(), max: 0 });
        }
        self.write(out, |out| {
            out.extend_from_slice(body);
            Ok(())
        })?;
        if let Some(header) = out.get_mut(start..start + self.length.bytes()) {
            self.length.mark_control(header);
        }
        Ok(())
    }

    /// Writes a frame of length zero, which keeps a quiet link open.
    pub fn write_keep_alive(&self, out: &mut BytesMut) {
        let start = out.len();
        out.resize(start + self.length.bytes(), 0);
        if let Some(header) = out.get_mut(start..) {
            let own = if self.includes_itself { header.len() } else { 0 };
            self.length.layout().write(own, header);
        }
    }

    fn write_or_leave_half(
        &self,
        out: &mut BytesMut,
        start: usize,
        body: impl FnOnce(&mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let (layout, header_bytes) = (self.length.layout(), self.length.bytes());
        out.resize(start + header_bytes, 0);
        body(out)?;
        let found = out.len() - start - header_bytes;
        let own = if self.includes_itself { header_bytes } else { 0 };
        let max = self.max_bytes.min(layout.largest() - own);
        if found > max {
            return Err(EncodeError::FrameTooLong { found, max });
        }
        if let Some(header) = out.get_mut(start..start + header_bytes) {
            layout.write(found + own, header);
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
    fn every_length_header_is_written_and_read_back() {
        for (length, header) in [
            (LengthHeader::Binary2, &b"\x01\x3F"[..]),
            (LengthHeader::Binary2Little, b"\x3F\x01"),
            (LengthHeader::Binary4, b"\0\0\x01\x3F"),
            (LengthHeader::Bcd2, b"\x03\x19"),
            (LengthHeader::Ascii4, b"0319"),
            (LengthHeader::Hex4, b"013F"),
            (LengthHeader::Vml, b"\x01\x3F\0\0"),
            (LengthHeader::Flags2Binary2, b"\0\0\x01\x3F"),
            (LengthHeader::Flags2Binary2Flags2, b"\0\0\x01\x3F\0\0"),
        ] {
            let format = FrameFormat { length, includes_itself: false, max_bytes: 2_048 };
            let mut stream = BytesMut::new();
            put(format, &mut stream, &[b'x'; 319]).unwrap();
            assert_eq!(&stream[..header.len()], header, "{length:?}");
            assert_eq!(format.split(&mut stream).unwrap().unwrap(), [b'x'; 319][..]);
            format.write_keep_alive(&mut stream);
            assert_eq!(format.split(&mut stream), Ok(Some(Bytes::new())));
            let itself = FrameFormat { includes_itself: true, ..format };
            itself.write_keep_alive(&mut stream);
            put(itself, &mut stream, b"x").unwrap();
            assert_eq!(itself.split(&mut stream), Ok(Some(Bytes::new())));
            assert_eq!(itself.split(&mut stream).unwrap().unwrap(), "x");
        }
    }

    #[test]
    fn a_body_that_the_header_cannot_count_is_not_sent() {
        let format = FrameFormat { length: LengthHeader::Ascii2, includes_itself: true, max_bytes: 2_048 };
        let mut out = BytesMut::new();
        let error = put(format, &mut out, &[0; 98]).unwrap_err();
        assert_eq!(error.to_string(), "frame body of 98 bytes exceeds the maximum of 97");
    }

    #[test]
    fn a_session_control_frame_is_not_a_message() {
        let format = FrameFormat { length: LengthHeader::Vml, includes_itself: false, max_bytes: 2_048 };
        let wire = &b"\0\x03\x20\0abc\0\x01\0\0x\0\0\0\0"[..];
        let mut stream = BytesMut::from(wire);
        assert_eq!(format.split(&mut stream), Ok(Some(Bytes::new())));
        assert_eq!(format.split(&mut stream).unwrap().unwrap(), "x");
        let mut stream = BytesMut::from(wire);
        assert_eq!(format.take(&mut stream), Ok(Some(Frame::SessionControl("abc".into()))));
        assert_eq!(format.take(&mut stream), Ok(Some(Frame::Message("x".into()))));
        assert_eq!(format.take(&mut stream), Ok(Some(Frame::KeepAlive)));
    }

    #[test]
    fn a_session_control_frame_is_written_with_its_flag_or_not_at_all() {
        let format = FrameFormat { length: LengthHeader::Vml, includes_itself: false, max_bytes: 2_048 };
        let mut out = BytesMut::new();
        format.write_session_control(&mut out, b"abc").unwrap();
        assert_eq!(&out[..], b"\0\x03\x20\0abc");
        assert!(BINARY.write_session_control(&mut out, b"abc").is_err());
        assert_eq!(out.len(), 7);
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for (length, header) in [
            (LengthHeader::Bcd2, &b"\x0A\x00"[..]),
            (LengthHeader::Hex4, b"00G0"),
            (LengthHeader::Ascii4, b"-001"),
        ] {
            let format = FrameFormat { length, includes_itself: false, max_bytes: 2_048 };
            assert!(
                matches!(format.split(&mut header.into()), Err(FrameError::NotALength { .. })),
                "{length:?}"
            );
        }
    }

    #[test]
    fn a_failed_body_leaves_nothing_behind() {
        let mut out = BytesMut::from(&b"before"[..]);
        assert!(put(DIGITS, &mut out, &[b'x'; 101]).is_err());
        assert_eq!(&out[..], b"before");
    }
}
