//! Tag, length, value: BER as chip data uses it (ISO 7816-4), and the simpler private forms.
//!
//! Guarantees bounded work on any input: a tag has at most four bytes, a BER length at most three after
//! its first, and a value never reaches past what encloses it. Unknown tags are kept like known ones.

use crate::content::Content;
use crate::encoding::Encoding;
use crate::error::Fault;
use crate::length::Prefix;
use crate::position::FaultAt;

/// The longest tag of chip data in use has three bytes; one more is a safe bound.
const TAG_BYTES_MAX: usize = 4;

/// Lengths up to 16 MiB, far above any message.
const LENGTH_BYTES_MAX: usize = 3;

/// How tags and their lengths are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TagFormat {
    /// As ISO 7816-4 says. A zero byte where a tag should start is padding.
    Ber,
    /// A tag of a fixed width, then a length of a fixed width.
    Plain {
        /// The tag's characters: ASCII, EBCDIC, or bytes.
        encoding: Encoding,
        /// The tag's width in characters.
        width: u8,
        /// How the length of the value, in bytes, is written.
        size: Prefix,
    },
}

/// One tag found: the bytes of the tag, where the value starts and its size in bytes.
pub(crate) struct Found<'a> {
    pub(crate) tag: &'a [u8],
    pub(crate) start: usize,
    pub(crate) size: usize,
}

impl TagFormat {
    /// The character set of the tags.
    pub(crate) const fn encoding(self) -> Encoding {
        match self {
            Self::Ber => Encoding::Binary,
            Self::Plain { encoding, .. } => encoding,
        }
    }

    /// Reads the tag and the length at `at`. `Ok(None)` at the end of the input.
    pub(crate) fn read(self, input: &[u8], at: usize) -> Result<Option<Found<'_>>, Box<FaultAt>> {
        match self {
            Self::Ber => read_ber(input, at),
            Self::Plain { encoding, width, size } => {
                read_plain(input, at, encoding, usize::from(width), size)
                    .map_err(|fault| FaultAt::new(at, fault))
            }
        }
    }

    /// Writes a tag, the length of `value`, and `value`.
    pub(crate) fn write(self, tag: &[u8], value: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let too_long = |max: usize| Fault::TooLong { found: value.len(), max, unit: "bytes" };
        out.extend_from_slice(tag);
        match self {
            Self::Plain { size, .. } => {
                let length = u32::try_from(value.len()).ok().filter(|length| *length <= size.largest());
                size.write(length.ok_or_else(|| too_long(size.largest() as usize))?, out);
            }
            Self::Ber => write_ber_length(value.len(), out).ok_or_else(|| too_long(0xFF_FFFF))?,
        }
        out.extend_from_slice(value);
        Ok(())
    }

    /// The bytes of a tag that is written as text in a dialect file or a path: hexadecimal digits where
    /// tags are bytes. `None` if it cannot be such a tag.
    pub(crate) fn tag(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ber => {
                let tag = const_hex::decode(text).ok()?;
                (ber_tag_size(&tag, 0).ok()? == tag.len()).then_some(tag)
            }
            Self::Plain { encoding, width, .. } => {
                let tag = match encoding {
                    Encoding::Ebcdic(page) => {
                        text.bytes().map(|character| page.to_ebcdic(character)).collect()
                    }
                    Encoding::Binary => const_hex::decode(text).ok()?,
                    Encoding::Ascii | Encoding::Bcd | Encoding::Hex => text.as_bytes().to_vec(),
                };
                (tag.len() == usize::from(width)).then_some(tag)
            }
        }
    }
}

fn read_plain(
    input: &[u8],
    at: usize,
    encoding: Encoding,
    width: usize,
    size: Prefix,
) -> Result<Option<Found<'_>>, Fault> {
    let rest = input.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let needed = width + size.bytes();
    let Some((tag, length)) = rest.get(..needed).and_then(|head| head.split_at_checked(width)) else {
        return Err(Fault::Short { needed, left: rest.len() });
    };
    let wrong = match encoding {
        Encoding::Ebcdic(page) => {
            Content::Alphanumeric.first_wrong_of(tag.iter().map(|byte| page.to_ascii(*byte)))
        }
        Encoding::Ascii => Content::Alphanumeric.first_wrong(tag),
        Encoding::Bcd | Encoding::Binary | Encoding::Hex => None,
    };
    if let Some(wrong) = wrong {
        let found = tag.get(wrong).copied();
        return Err(Fault::Content { at: at + wrong, found, allowed: "letters and digits of a tag" });
    }
    let length = size.read(length)? as usize;
    let left = rest.len() - needed;
    if length > left {
        return Err(Fault::Short { needed: length, left });
    }
    Ok(Some(Found { tag, start: at + needed, size: length }))
}

fn read_ber(input: &[u8], at: usize) -> Result<Option<Found<'_>>, Box<FaultAt>> {
    let padding = input.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == 0).count();
    let at = at + padding;
    if at >= input.len() {
        return Ok(None);
    }
    let fault = |fault| FaultAt::new(at, fault);
    let tag_size = ber_tag_size(input, at).map_err(fault)?;
    let tag = input.get(at..at + tag_size).unwrap_or_default();
    let (size, length_size) = ber_length(input, at + tag_size).map_err(fault)?;
    let start = at + tag_size + length_size;
    let left = input.len().saturating_sub(start);
    if size > left {
        return Err(fault(Fault::Short { needed: size, left }).inside(&hex(tag)));
    }
    Ok(Some(Found { tag, start, size }))
}

fn hex(tag: &[u8]) -> String {
    const_hex::encode_upper(tag)
}

/// The size of the tag at `at`: more bytes follow while the low five bits of the first are all set and the
/// high bit of each further one is.
fn ber_tag_size(input: &[u8], at: usize) -> Result<usize, Fault> {
    let rest = input.get(at..).unwrap_or_default();
    let short = Fault::Short { needed: rest.len() + 1, left: rest.len() };
    let (first, more) = rest.split_first().ok_or_else(|| short.clone())?;
    if first & 0x1F != 0x1F {
        return Ok(1);
    }
    let last = more.iter().take(TAG_BYTES_MAX - 1).position(|byte| byte & 0x80 == 0);
    match last {
        Some(last) => Ok(last + 2),
        None if more.len() < TAG_BYTES_MAX - 1 => Err(short),
        None => Err(Fault::TooLong { found: TAG_BYTES_MAX + 1, max: TAG_BYTES_MAX, unit: "bytes of a tag" }),
    }
}

/// The length at `at`, and the size of its own bytes.
fn ber_length(input: &[u8], at: usize) -> Result<(usize, usize), Fault> {
    let rest = input.get(at..).unwrap_or_default();
    let Some((first, more)) = rest.split_first() else {
        return Err(Fault::Short { needed: 1, left: 0 });
    };
    if first & 0x80 == 0 {
        return Ok((usize::from(*first), 1));
    }
    let count = usize::from(first & 0x7F);
    if !(1..=LENGTH_BYTES_MAX).contains(&count) {
        let found = [*first].into();
        return Err(Fault::NotALength {
            found,
            allowed: "a definite BER length of at most three further bytes",
        });
    }
    match more.get(..count) {
        Some(bytes) => Ok((bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), 1 + count)),
        None => Err(Fault::Short { needed: count, left: more.len() }),
    }
}

/// The shortest form of a length. `None` if it is over the bound.
fn write_ber_length(length: usize, out: &mut Vec<u8>) -> Option<()> {
    let bytes = length.to_be_bytes();
    let significant = bytes.iter().position(|byte| *byte != 0).map_or(1, |zeros| bytes.len() - zeros);
    if significant > LENGTH_BYTES_MAX {
        return None;
    }
    if length > 0x7F {
        out.push(0x80 | u8::try_from(significant).ok()?);
    }
    out.extend_from_slice(bytes.get(bytes.len() - significant..)?);
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn fault_of(wire: &[u8]) -> String {
        read_ber(wire, 0).err().unwrap().fault.to_string()
    }

    #[test]
    fn every_size_of_ber_tag_and_length_is_written_and_read_back() {
        for (tag, size) in
            [("9A", 3), ("9F02", 6), ("DF8129", 0), ("5F2A", 127), ("9F10", 128), ("72", 65_536)]
        {
            let tag = TagFormat::Ber.tag(tag).unwrap();
            let value = vec![0x42; size];
            let mut wire = Vec::new();
            TagFormat::Ber.write(&tag, &value, &mut wire).unwrap();
            let found = TagFormat::Ber.read(&wire, 0).unwrap().unwrap();
            assert_eq!((found.tag, found.size), (&tag[..], size));
            assert_eq!(found.start + size, wire.len());
        }
    }

    #[test]
    fn endless_tags_and_lengths_are_refused() {
        assert_eq!(
            fault_of(b"\x9F\xFF\xFF\xFF\xFF\x01\x00"),
            "length 5 exceeds the maximum of 4 bytes of a tag"
        );
        for length in [&b"\x9A\x80"[..], b"\x9A\x88\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", b"\x9A\xFF"] {
            assert!(fault_of(length).contains("definite BER length"), "{length:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        for wire in [
            &b"\x9F"[..],
            b"\x9F\x81",
            b"\x9F\x02",
            b"\x9F\x02\x82\x01",
            b"\x9F\x02\x06\x00",
            b"\x9A\x02\x00",
        ] {
            assert!(fault_of(wire).starts_with("needs"), "{wire:?}");
        }
    }

    #[test]
    fn zero_bytes_between_tags_are_padding() {
        assert!(TagFormat::Ber.read(b"\0\0", 0).unwrap().is_none());
        assert_eq!(TagFormat::Ber.read(b"\0\x9A\x01\x26", 0).unwrap().unwrap().start, 3);
    }

    #[test]
    fn a_name_that_is_no_tag_is_not_taken_for_one() {
        for wrong in ["9F", "9A03", "XY", ""] {
            assert_eq!(TagFormat::Ber.tag(wrong), None, "{wrong}");
        }
    }
}
