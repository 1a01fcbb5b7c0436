//! The bytes of a message from what a person pasted or captured: hexadecimal text, or the bytes themselves.
//!
//! An all-ASCII message may look like hexadecimal text too, so detection does not guess from the look: it takes the
//! form in which the message can be read, and hexadecimal text where both or none can.

use std::fmt;

/// How the input is to be understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// Hexadecimal text.
    Hex,
    /// The bytes themselves.
    Raw,
    /// Whichever can be read.
    Detect,
}

/// Why input is no hexadecimal text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HexError {
    /// A byte that is no hexadecimal digit. It is not shown: it may be part of a card number.
    NotADigit {
        /// Where, from 0.
        offset: usize,
    },
    /// Half a byte is missing.
    Odd {
        /// Digits found.
        digits: usize,
    },
}

impl fmt::Display for HexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADigit { offset } => {
                write!(f, "input: the byte at offset {offset} is no hexadecimal digit and no space")
            }
            Self::Odd { digits } => {
                write!(f, "input: {digits} hexadecimal digits, an even number is allowed")
            }
        }
    }
}

impl std::error::Error for HexError {}

/// The bytes of the message. `progress` says how well bytes can be read; more is better.
pub(crate) fn bytes<P: Ord>(
    input: &[u8],
    form: Form,
    progress: impl Fn(&[u8]) -> P,
) -> Result<Vec<u8>, HexError> {
    match form {
        Form::Raw => Ok(input.to_vec()),
        Form::Hex => from_hex(input),
        Form::Detect => Ok(match from_hex(input) {
            Ok(bytes) => {
                // An element that is itself written in hexadecimal digits may have been pasted with spaces in it.
                let digits: Vec<u8> = input.iter().copied().filter(u8::is_ascii_hexdigit).collect();
                let others = [without_line_end(input).to_vec(), digits];
                let best = |best: Vec<u8>, other: Vec<u8>| {
                    if progress(&other) > progress(&best) { other } else { best }
                };
                others.into_iter().fold(bytes, best)
            }
            // A line end after a text message comes from an editor or from echo, never from a processor.
            Err(_) if progress(without_line_end(input)) > progress(input) => without_line_end(input).to_vec(),
            Err(_) => input.to_vec(),
        }),
    }
}

fn from_hex(input: &[u8]) -> Result<Vec<u8>, HexError> {
    let mut digits = Vec::with_capacity(input.len());
    for (offset, byte) in input.iter().enumerate() {
        if byte.is_ascii_hexdigit() {
            digits.push(*byte);
        } else if !byte.is_ascii_whitespace() {
            return Err(HexError::NotADigit { offset });
        }
    }
    const_hex::decode(&digits).map_err(|_| HexError::Odd { digits: digits.len() })
}

fn without_line_end(input: &[u8]) -> &[u8] {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    input.strip_suffix(b"\r").unwrap_or(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads bytes that begin with "ab".
    fn begins_well(bytes: &[u8]) -> bool {
        bytes.starts_with(b"ab")
    }

    #[test]
    fn hexadecimal_text_may_be_spread_over_lines() {
        assert_eq!(bytes(b"61 62\n0A\n", Form::Hex, begins_well), Ok(b"ab\n".to_vec()));
        assert_eq!(bytes(b"61 6", Form::Hex, begins_well), Err(HexError::Odd { digits: 3 }));
        let error = bytes(b"61x2", Form::Hex, begins_well).unwrap_err();
        assert_eq!(error.to_string(), "input: the byte at offset 2 is no hexadecimal digit and no space");
    }

    #[test]
    fn detection_takes_what_can_be_read_and_hexadecimal_text_if_neither_can() {
        assert_eq!(bytes(b"6162", Form::Detect, begins_well), Ok(b"ab".to_vec()));
        assert_eq!(
            bytes(b"ab12", Form::Detect, begins_well),
            Ok(b"ab12".to_vec()),
            "text that looks like hex"
        );
        assert_eq!(bytes(b"0102", Form::Detect, begins_well), Ok(vec![1, 2]));
        assert_eq!(bytes(b"abz", Form::Detect, begins_well), Ok(b"abz".to_vec()));
        assert_eq!(bytes(b"a b1\n2", Form::Detect, begins_well), Ok(b"ab12".to_vec()), "pasted with spaces");
    }

    #[test]
    fn a_line_end_is_dropped_only_where_the_message_reads_better_without_it() {
        let short = |bytes: &[u8]| bytes.len() == 3;
        assert_eq!(bytes(b"abz\r\n", Form::Detect, short), Ok(b"abz".to_vec()));
        assert_eq!(bytes(b"zb\n", Form::Detect, short), Ok(b"zb\n".to_vec()));
        assert_eq!(bytes(b"abz\n", Form::Raw, short), Ok(b"abz\n".to_vec()));
    }
}
