//! What stands between the frame's length and the MTI: a TPDU, a BASE I header, or fixed text.
//!
//! Guarantees that the header of an answer goes back the way the request came: addresses swapped, a
//! length that it repeats kept right. The rest of a header is the network's business and is echoed.
//!
//! A BASE I header, as Visa-style links use it (offsets in bytes, numbers big-endian):
//!
//! ```text
//! 0   header length: 0x16 (22), or 0x1A (26) for a reject header, which another header follows
//! 1   header format
//! 2   text format
//! 3   2 bytes: length of everything from offset 0 to the end of the message
//! 5   3 bytes: destination station
//! 8   3 bytes: source station
//! 11  11 bytes: flags, status and user information
//! 22  reject header only, 2 bytes: which fields are wrong; 24, 2 bytes: the reject code
//! ```

use crate::encoding::Encoding;
use crate::error::{EncodeError, Fault};
use bytes::BytesMut;

const TPDU: usize = 5;
const BASE_I: usize = 22;
const BASE_I_REJECT: usize = 26;

/// The header in front of every message of a dialect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum HeaderFormat {
    /// The MTI comes first.
    #[default]
    None,
    /// Always the same number of bytes.
    Fixed {
        /// What is sent when a message is not an answer; its size is the header's.
        value: Box<[u8]>,
        /// The character set, or binary for bytes that mean nothing to us.
        encoding: Encoding,
    },
    /// Five bytes: an identifier, the destination, the source.
    Tpdu,
    /// Twenty-two bytes, after a reject header of twenty-six if the message comes back refused.
    BaseI,
}

impl HeaderFormat {
    /// Reads the header at the start of a message; returns where the MTI starts.
    #[inline]
    pub(crate) fn read(&self, input: &[u8]) -> Result<usize, (usize, Fault)> {
        match self {
            Self::None => Ok(0),
            Self::Fixed { value, encoding } => {
                read_fixed(input, value.len(), *encoding).map_err(|fault| (0, fault))
            }
            Self::Tpdu => need(input, 0, TPDU).map(|_| TPDU),
            Self::BaseI => read_base_i(input),
        }
    }

    /// The header of an answer to a message with the header `request`.
    pub(crate) fn answer(&self, request: &[u8]) -> Vec<u8> {
        let mut header = match (self, request.len().checked_sub(BASE_I)) {
            (Self::BaseI, Some(last)) => request.get(last..).unwrap_or_default().to_vec(),
            _ => request.to_vec(),
        };
        match self {
            Self::None | Self::Fixed { .. } => {}
            Self::Tpdu => swap(&mut header, 1, 3, 2),
            Self::BaseI => swap(&mut header, 5, 8, 3),
        }
        header
    }

    /// The header of a message that starts an exchange.
    pub(crate) fn initial(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Fixed { value, .. } => value.to_vec(),
            Self::Tpdu => vec![0x60, 0, 0, 0, 0],
            Self::BaseI => {
                let mut header = vec![0; BASE_I];
                header.splice(..3, [0x16, 0x01, 0x02]);
                header
            }
        }
    }

    /// Puts right what a header says of the message's length, once the message is written from
    /// `start` to the end of `out`.
    ///
    /// # Errors
    /// The message is longer than a header can say.
    pub(crate) fn finish(&self, out: &mut BytesMut, start: usize) -> Result<(), EncodeError> {
        if *self != Self::BaseI {
            return Ok(());
        }
        let end = out.len();
        let mut at = start;
        while let Some([size, _, _, high, low]) = out.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
            let found = end - at;
            let max = usize::from(u16::MAX);
            let length = u16::try_from(found).map_err(|_| EncodeError::FrameTooLong { found, max })?;
            let header = usize::from(*size);
            [*high, *low] = length.to_be_bytes();
            if header != BASE_I_REJECT {
                break;
            }
            at += header;
        }
        Ok(())
    }

    /// The code with which the network refused a message that comes back.
    pub(crate) fn reject_code(&self, header: &[u8]) -> Option<u16> {
        match (self, header) {
            (Self::BaseI, [size, ..]) if usize::from(*size) == BASE_I_REJECT => {
                header.get(24..)?.first_chunk().map(|code| u16::from_be_bytes(*code))
            }
            _ => None,
        }
    }
}

fn read_fixed(input: &[u8], size: usize, encoding: Encoding) -> Result<usize, Fault> {
    let Some(header) = input.get(..size) else {
        return Err(Fault::Short { needed: size, left: input.len() });
    };
    let wrong = match encoding {
        Encoding::Ascii => header.iter().position(|byte| !byte.is_ascii()),
        Encoding::Ebcdic(page) => header.iter().position(|byte| !page.to_ascii(*byte).is_ascii()),
        Encoding::Bcd | Encoding::Binary | Encoding::Hex => None,
    };
    match wrong {
        None => Ok(size),
        Some(at) => {
            let found = header.get(at).copied();
            Err(Fault::Content { at, found, allowed: "characters of the header's set" })
        }
    }
}

fn read_base_i(input: &[u8]) -> Result<usize, (usize, Fault)> {
    let first = base_i_size(input, 0)?;
    if first == BASE_I {
        return Ok(BASE_I);
    }
    let second = base_i_size(input, BASE_I_REJECT)?;
    if second == BASE_I {
        return Ok(BASE_I_REJECT + BASE_I);
    }
    Err((BASE_I_REJECT, Fault::HeaderSize { found: second, allowed: "22 after a reject header" }))
}

/// The size of the BASE I header at `at`, whose own account of the message's length must be right.
fn base_i_size(input: &[u8], at: usize) -> Result<usize, (usize, Fault)> {
    let header = need(input, at, BASE_I)?;
    let [size, _, _, high, low, ..] = header else {
        return Err((at, Fault::Short { needed: BASE_I, left: header.len() }));
    };
    let size = usize::from(*size);
    if size != BASE_I && size != BASE_I_REJECT {
        return Err((at, Fault::HeaderSize { found: size, allowed: "22, or 26 for a reject header" }));
    }
    need(input, at, size)?;
    let (announced, found) = (usize::from(u16::from_be_bytes([*high, *low])), input.len() - at);
    if announced != found {
        return Err((at + 3, Fault::HeaderLength { announced, found }));
    }
    Ok(size)
}

fn need(input: &[u8], at: usize, needed: usize) -> Result<&[u8], (usize, Fault)> {
    let rest = input.get(at..).unwrap_or_default();
    rest.get(..needed).ok_or((at, Fault::Short { needed, left: rest.len() }))
}

/// Swaps two addresses of `size` bytes.
fn swap(header: &mut [u8], first: usize, second: usize, size: usize) {
    for at in 0..size {
        if second + at < header.len() {
            header.swap(first + at, second + at);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_tpdu_goes_back_with_its_addresses_swapped() {
        let request = [0x60, 0x00, 0x08, 0x12, 0x34];
        assert_eq!(HeaderFormat::Tpdu.read(&request), Ok(5));
        assert_eq!(HeaderFormat::Tpdu.answer(&request), [0x60, 0x12, 0x34, 0x00, 0x08]);
        assert_eq!(HeaderFormat::Tpdu.read(&request[..4]), Err((0, Fault::Short { needed: 5, left: 4 })));
    }

    #[test]
    fn a_base_i_header_that_lies_about_the_length_is_refused() {
        let mut message = HeaderFormat::BaseI.initial();
        message.extend([1, 0]);
        let mut out = BytesMut::from(&message[..]);
        HeaderFormat::BaseI.finish(&mut out, 0).unwrap();
        assert_eq!(out[3..5], [0, 24]);
        assert_eq!(HeaderFormat::BaseI.read(&out), Ok(22));
        for wrong in [23, 25] {
            out[4] = wrong;
            let (offset, fault) = HeaderFormat::BaseI.read(&out).unwrap_err();
            assert_eq!((offset, fault.to_string()), (3, format!("announces {wrong} bytes, 24 are there")));
        }
    }

    #[test]
    fn a_message_that_a_base_i_header_cannot_count_is_not_sent() {
        let mut out = BytesMut::from(&HeaderFormat::BaseI.initial()[..]);
        out.resize(65_536, 0);
        let error = HeaderFormat::BaseI.finish(&mut out, 0).unwrap_err();
        assert_eq!(error, EncodeError::FrameTooLong { found: 65_536, max: 65_535 });
    }

    #[test]
    fn an_answer_drops_the_reject_header_and_swaps_the_stations() {
        let mut request = vec![0x1A; 26];
        request.extend(HeaderFormat::BaseI.initial());
        request[26 + 5..26 + 11].copy_from_slice(&[1, 2, 3, 4, 5, 6]);
        let answer = HeaderFormat::BaseI.answer(&request);
        assert_eq!(answer.len(), 22);
        assert_eq!(answer[5..11], [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn garbage_is_no_base_i_header() {
        for wire in [&b""[..], b"\x16", &[0x16; 22], &[0x1A; 60], &[0xFF; 300]] {
            assert!(HeaderFormat::BaseI.read(wire).is_err());
        }
    }
}
