//! Short text stored inline, so that a request carries its merchant and references without allocating.
//!
//! Guarantees: at most `N` bytes of valid UTF-8 without control characters; serialized as a plain string.
//! It deliberately has no mutation: a text is checked once, at the edge.

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;
use std::num::NonZeroU8;

/// Text of at most `N` bytes, held inline. `N` must not exceed 254.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    /// One more than there are bytes: so an optional text is no larger than a text.
    end: NonZeroU8,
}

/// Why a text was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TextError {
    /// The text has more bytes than the type holds.
    #[error("text has {found} bytes, at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The text holds a control character.
    #[error("text holds a control character at byte {offset}; only printable characters are allowed")]
    Control {
        /// Byte offset of the first control character.
        offset: usize,
    },
    /// The text is empty where a name is needed.
    #[error("text is empty, at least one character is needed")]
    Empty,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { bytes: [0; N], end: NonZeroU8::MIN };

    /// Checks `text` and copies it. Fails when it is longer than `N` bytes or holds a control character.
    pub fn new(text: &str) -> Result<Self, TextError> {
        let is_control = |byte: u8| byte < 0x20 || byte == 0x7f;
        // All bytes without a branch first: nearly every text is clean, and only of the others is the place wanted.
        if text.bytes().fold(false, |any, byte| any | is_control(byte)) {
            let offset = text.bytes().position(is_control).unwrap_or(0);
            return Err(TextError::Control { offset });
        }
        let too_long = TextError::TooLong { found: text.len(), max: N };
        let len = u8::try_from(text.len()).map_err(|_| too_long)?;
        let end = NonZeroU8::MIN.checked_add(len).ok_or(too_long)?;
        let mut bytes = [0; N];
        bytes.get_mut(..text.len()).ok_or(too_long)?.copy_from_slice(text.as_bytes());
        Ok(Self { bytes, end })
    }

    /// As [`Text::new`], for characters that are nearly always printable ASCII: those need not be proved to be UTF-8.
    /// Bytes that are not text at all are replaced as [`String::from_utf8_lossy`] does.
    pub fn from_ascii(characters: &[u8]) -> Result<Self, TextError> {
        let len = u8::try_from(characters.len()).ok();
        let end = len.and_then(|len| NonZeroU8::MIN.checked_add(len));
        let mut bytes = [0; N];
        match (bytes.get_mut(..characters.len()), end) {
            (Some(room), Some(end)) if are_printable(characters) => {
                room.copy_from_slice(characters);
                Ok(Self { bytes, end })
            }
            // It is another kind of text, or the error is to be named.
            _ => Self::new(&String::from_utf8_lossy(characters)),
        }
    }

    /// As [`Text::new`], and refuses the empty text: for names and identifiers.
    pub fn name(text: &str) -> Result<Self, TextError> {
        if text.is_empty() { Err(TextError::Empty) } else { Self::new(text) }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes were copied from a `str` and are never changed, so the fallback is unreachable.
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }

    /// The bytes of the text.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.end.get() - 1)).unwrap_or_default()
    }

    /// Whether there is no text at all.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end == NonZeroU8::MIN
    }
}

/// Whether all bytes are space to tilde: eight at a time, and the last eight once more.
fn are_printable(bytes: &[u8]) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // An addition carries into the next byte only from one above 0x7F, which is not printable anyway.
    let wrong = |word: u64| {
        let from_space = word.wrapping_add(u64::from_ne_bytes([0x80 - b' '; 8]));
        let above_tilde = word.wrapping_add(u64::from_ne_bytes([0x7F - b'~'; 8]));
        (word | !from_space | above_tilde) & HIGH
    };
    let Some(last) = bytes.last_chunk() else {
        return bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    };
    let words = bytes.as_chunks().0.iter();
    words.fold(wrong(u64::from_le_bytes(*last)), |found, word| found | wrong(u64::from_le_bytes(*word))) == 0
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In binary a text is its bytes, and they were checked once.
        if serializer.is_human_readable() {
            serializer.serialize_str(self.as_str())
        } else {
            serializer.serialize_bytes(self.as_bytes())
        }
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor<const N: usize>;
        impl<const N: usize> Visitor<'_> for TextVisitor<N> {
            type Value = Text<N>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a string of at most {N} bytes without control characters")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<N>, E> {
                Text::new(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_what_it_was_given() {
        assert_eq!(Text::<5>::new("café").unwrap().as_str(), "café");
        assert!(Text::<5>::EMPTY.is_empty());
        assert_eq!(Text::<5>::default().as_str(), "");
        assert_eq!(size_of::<Option<Text<12>>>(), 13, "what may be missing takes no more than what is there");
    }

    #[test]
    fn a_text_that_does_not_fit_says_what_was_found_and_what_is_allowed() {
        let error = Text::<4>::new("12345").unwrap_err();
        assert_eq!(error.to_string(), "text has 5 bytes, at most 4 are allowed");
        assert_eq!(Text::<4>::new("a\nb"), Err(TextError::Control { offset: 1 }));
        assert_eq!(Text::<4>::name(""), Err(TextError::Empty));
    }

    #[test]
    fn characters_make_the_text_that_they_would_make_as_a_string() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut characters = vec![b'a'; length];
                    characters[at] = byte;
                    let expected = Text::<16>::new(&String::from_utf8_lossy(&characters));
                    assert_eq!(Text::<16>::from_ascii(&characters), expected, "{characters:02X?}");
                }
            }
        }
        assert_eq!(Text::<4>::from_ascii("é".as_bytes()), Text::new("é"));
        assert_eq!(Text::<4>::from_ascii(b""), Ok(Text::EMPTY));
    }

    #[test]
    fn a_text_travels_as_a_string() {
        let text = Text::<8>::new("USDT").unwrap();
        let json = serde_json::to_string(&text).unwrap();
        assert_eq!(json, "\"USDT\"");
        assert_eq!(serde_json::from_str::<Text<8>>(&json).unwrap(), text);
        assert!(serde_json::from_str::<Text<2>>(&json).is_err());
    }
}
