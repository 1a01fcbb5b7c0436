//! Which data elements are present.
//!
//! A [`Bitmap`] holds data elements 2 to 192 only. The bits that announce a further bitmap (1 and,
//! where a dialect has a tertiary bitmap, 65) belong to the wire form and are worked out here.

use crate::ebcdic::CodePage;
use crate::error::Fault;
use crate::hex::{hex_digits, hex_word};
use serde::Deserialize;

/// The highest data element that any bitmap can name.
pub(crate) const LAST_ELEMENT: u8 = 192;

/// How many elements one bitmap of 64 bits speaks of.
const BITS: u8 = 64;

/// A set of data elements. The lowest bit is element 1, and so the other way round than on the wire: the next element is then
/// found, and those before an element counted, with the fewest instructions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Bitmap([u64; 3]);

/// How a bitmap of 64 bits is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BitmapEncoding {
    /// Eight bytes.
    Binary,
    /// Sixteen hexadecimal digits in ASCII.
    Hex,
    /// Sixteen hexadecimal digits in EBCDIC.
    EbcdicHex,
}

/// How the bitmaps of one dialect are laid out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BitmapFormat {
    /// How the first bitmap is written.
    pub(crate) encoding: BitmapEncoding,
    /// How the others are written; nearly always the same.
    pub(crate) next_encoding: BitmapEncoding,
    /// Which bitmaps there are.
    pub(crate) layout: BitmapLayout,
}

/// Which bitmaps a message has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BitmapLayout {
    /// One, and a second if bit 1 announces it.
    #[default]
    Automatic,
    /// As automatic, and a third, for elements 129 to 192, if bit 65 announces it.
    Tertiary,
    /// Always two, whatever bit 1 says; it is written as 0.
    #[serde(rename = "always-128")]
    Always128,
}

/// A bitmap's fault: which of the bitmaps (1, 2 or 3), where it starts, and what is wrong.
pub(crate) type BitmapFault = (u8, usize, Fault);

/// The bit that announces a further bitmap, as it is on the wire.
const FIRST_BIT: u64 = 1 << 63;

impl Bitmap {
    /// The word that speaks of `de`, and its bit there.
    #[inline]
    const fn position(de: u8) -> Option<(usize, u64)> {
        match de.checked_sub(1) {
            Some(index) => Some(((index / BITS) as usize, 1 << (index % BITS))),
            None => None,
        }
    }

    /// Whether `de` is in the set.
    #[inline]
    pub(crate) fn contains(&self, de: u8) -> bool {
        Self::position(de).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|bits| bits & bit != 0))
    }

    /// Adds `de`, which is at most [`LAST_ELEMENT`].
    #[inline]
    pub(crate) fn insert(&mut self, de: u8) {
        if let Some((word, bit)) = Self::position(de)
            && let Some(bits) = self.0.get_mut(word)
        {
            *bits |= bit;
        }
    }

    /// Takes `de` out.
    pub(crate) fn remove(&mut self, de: u8) {
        if let Some((word, bit)) = Self::position(de)
            && let Some(bits) = self.0.get_mut(word)
        {
            *bits &= !bit;
        }
    }

    /// How many elements are in the set.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        let [first, second, third] = self.0;
        // Nearly every message has elements of the first word only.
        let later = if second | third == 0 { 0 } else { second.count_ones() + third.count_ones() };
        (first.count_ones() + later) as usize
    }

    /// How many elements of the set come before `de`: its place in a dense table. `None` if `de` is not in the set.
    #[inline]
    pub(crate) fn place(&self, de: u8) -> Option<usize> {
        let [first, ..] = self.0;
        // Nearly every element that is read is one of the first 64.
        match de.checked_sub(1) {
            Some(index) if index < BITS => {
                let bit = 1_u64 << index;
                (first & bit != 0).then(|| (first & (bit - 1)).count_ones() as usize)
            }
            _ => self.later_place(de),
        }
    }

    fn later_place(&self, de: u8) -> Option<usize> {
        let (word, bit) = Self::position(de)?;
        let here = self.0.get(word).filter(|bits| **bits & bit != 0)?;
        let before = self.0.iter().take(word).map(|bits| bits.count_ones()).sum::<u32>();
        Some((before + (here & (bit - 1)).count_ones()) as usize)
    }

    /// The elements that both sets have.
    #[inline]
    pub(crate) const fn and(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([a & d, b & e, c & f])
    }

    /// The elements of both sets.
    pub(crate) const fn or(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([a | d, b | e, c | f])
    }

    /// The elements that are in this set and not in the other.
    #[inline]
    pub(crate) const fn without(self, other: Self) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([a & !d, b & !e, c & !f])
    }

    /// Whether there are none.
    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        let [first, second, third] = self.0;
        first | second | third == 0
    }

    /// The elements below `de`: those that were read when `de` is at fault.
    pub(crate) fn below(self, de: u8) -> Self {
        let mut kept = Self::default();
        self.iter().take_while(|present| *present < de).for_each(|present| kept.insert(present));
        kept
    }

    /// Words of 64 elements each.
    #[inline]
    pub(crate) const fn words(self) -> [u64; 3] {
        self.0
    }

    /// The elements in ascending order.
    #[inline]
    pub(crate) fn iter(self) -> Elements {
        let [first, second, third] = self.0;
        Elements { bits: first, base: 1, later: [second, third] }
    }
}

/// The elements of a set, in ascending order.
pub(crate) struct Elements {
    /// What is left of the word being read.
    bits: u64,
    /// The element of the word's first bit.
    base: u8,
    /// The words that follow.
    later: [u64; 2],
}

impl Iterator for Elements {
    type Item = u8;

    #[inline]
    fn next(&mut self) -> Option<u8> {
        while self.bits == 0 {
            if self.later == [0, 0] {
                return None;
            }
            let [next, last] = self.later;
            (self.bits, self.later) = (next, [last, 0]);
            self.base += BITS;
        }
        Some(self.base.wrapping_add(take_lowest(&mut self.bits) as u8))
    }
}

/// Takes the lowest bit out of a word that is not zero, and says which it was.
#[inline(always)]
pub(crate) const fn take_lowest(bits: &mut u64) -> u32 {
    let lowest = bits.trailing_zeros();
    *bits &= bits.wrapping_sub(1);
    lowest
}

impl BitmapFormat {
    /// Reads the bitmaps that start at `at`; returns the set and where the first element starts.
    #[inline]
    pub(crate) fn read(self, input: &[u8], at: usize) -> Result<(Bitmap, usize), BitmapFault> {
        let mut set = Bitmap::default();
        let [first, second, third] = &mut set.0;
        let (bits, next) = self.encoding.read(input, at).map_err(|fault| (1, at, fault))?;
        *first = (bits & !FIRST_BIT).reverse_bits();
        if bits & FIRST_BIT == 0 && self.layout != BitmapLayout::Always128 {
            return Ok((set, next));
        }
        let start = next;
        let (bits, mut next) = self.next_encoding.read(input, start).map_err(|fault| (2, start, fault))?;
        let announces = self.layout == BitmapLayout::Tertiary && bits & FIRST_BIT != 0;
        *second = if announces { bits & !FIRST_BIT } else { bits }.reverse_bits();
        if announces {
            let start = next;
            let (bits, end) = self.next_encoding.read(input, start).map_err(|fault| (3, start, fault))?;
            (*third, next) = (bits.reverse_bits(), end);
        }
        Ok((set, next))
    }

    /// How many bitmaps take so many bytes on the wire.
    pub(crate) const fn count_in(self, bytes: usize) -> u8 {
        let first = self.encoding.wire_bytes(8);
        if bytes <= first {
            1
        } else if bytes <= first + self.next_encoding.wire_bytes(8) {
            2
        } else {
            3
        }
    }

    /// Writes the bitmaps of `set`; the later ones only if an element of theirs is present.
    pub(crate) fn write(self, set: Bitmap, out: &mut bytes::BytesMut) {
        let [first, second, third] = set.0;
        let first = first.reverse_bits();
        if second | third == 0 && self.layout != BitmapLayout::Always128 {
            return self.encoding.write(first, out);
        }
        let (second, third) = (second.reverse_bits(), third.reverse_bits());
        if self.layout == BitmapLayout::Always128 {
            self.encoding.write(first, out);
            self.next_encoding.write(second, out);
            return;
        }
        let second = if third == 0 { second } else { second | FIRST_BIT };
        self.encoding.write(first | FIRST_BIT, out);
        self.next_encoding.write(second, out);
        if third != 0 {
            self.next_encoding.write(third, out);
        }
    }

    /// The highest data element that this format can name.
    pub(crate) const fn last_element(self) -> u8 {
        match self.layout {
            BitmapLayout::Automatic | BitmapLayout::Always128 => 128,
            BitmapLayout::Tertiary => LAST_ELEMENT,
        }
    }

    /// Whether `de` can be an element: bits that announce a further bitmap cannot.
    pub(crate) const fn can_name(self, de: u8) -> bool {
        let announces = de <= 1 || de == 65 && matches!(self.layout, BitmapLayout::Tertiary);
        !announces && de <= self.last_element()
    }
}

/// The widest bitmap inside an element, in bytes: as wide as the three of a message.
pub(crate) const NESTED_BYTES_MAX: usize = 24;

impl BitmapEncoding {
    /// How many bytes a bitmap of so many bytes takes on the wire.
    pub(crate) const fn wire_bytes(self, bytes: usize) -> usize {
        match self {
            Self::Binary => bytes,
            Self::Hex | Self::EbcdicHex => bytes * 2,
        }
    }

    /// The bitmap that `wire` is, followed by zeros. `None` if it is no such bitmap or is too wide.
    pub(crate) fn unpack(self, wire: &[u8]) -> Option<[u8; NESTED_BYTES_MAX]> {
        let mut bitmap = [0; NESTED_BYTES_MAX];
        match self {
            Self::Binary => bitmap.get_mut(..wire.len())?.copy_from_slice(wire),
            Self::Hex => const_hex::decode_to_slice(wire, bitmap.get_mut(..wire.len() / 2)?).ok()?,
            Self::EbcdicHex => {
                let mut ascii = [0; 2 * NESTED_BYTES_MAX];
                let digits = ascii.get_mut(..wire.len())?;
                digits.iter_mut().zip(wire).for_each(|(to, byte)| *to = CodePage::Cp500.to_ascii(*byte));
                const_hex::decode_to_slice(digits, bitmap.get_mut(..wire.len() / 2)?).ok()?;
            }
        }
        Some(bitmap)
    }

    /// Writes a bitmap of any width.
    pub(crate) fn pack(self, bitmap: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Binary => out.extend_from_slice(bitmap),
            Self::Hex => out.extend(const_hex::encode_upper(bitmap).bytes()),
            Self::EbcdicHex => {
                out.extend(
                    const_hex::encode_upper(bitmap).bytes().map(|digit| CodePage::Cp500.to_ebcdic(digit)),
                );
            }
        }
    }

    #[inline]
    fn read(self, input: &[u8], at: usize) -> Result<(u64, usize), Fault> {
        let rest = input.get(at..).unwrap_or_default();
        match self {
            Self::Binary => match rest.first_chunk::<8>() {
                Some(bytes) => Ok((u64::from_be_bytes(*bytes), at + 8)),
                None => Err(Fault::Short { needed: 8, left: rest.len() }),
            },
            Self::EbcdicHex => match rest.first_chunk::<16>() {
                Some(digits) => {
                    let ascii = digits.map(|byte| CodePage::Cp500.to_ascii(byte));
                    Ok((parse_hex(&ascii, digits, at)?, at + 16))
                }
                None => Err(Fault::Short { needed: 16, left: rest.len() }),
            },
            Self::Hex => match rest.first_chunk::<16>() {
                Some(digits) => Ok((parse_hex(digits, digits, at)?, at + 16)),
                None => Err(Fault::Short { needed: 16, left: rest.len() }),
            },
        }
    }

    fn write(self, bits: u64, out: &mut bytes::BytesMut) {
        match self {
            Self::Binary => out.extend_from_slice(&bits.to_be_bytes()),
            Self::Hex => out.extend_from_slice(&hex_digits(bits)),
            Self::EbcdicHex => {
                out.extend_from_slice(&hex_digits(bits).map(|digit| CodePage::Cp500.to_ebcdic(digit)));
            }
        }
    }
}

/// Reads sixteen hexadecimal digits; `found` are the bytes they were on the wire.
fn parse_hex(digits: &[u8; 16], found: &[u8; 16], at: usize) -> Result<u64, Fault> {
    if let Some(bits) = hex_word(digits) {
        return Ok(bits);
    }
    let wrong = digits.iter().position(|digit| !digit.is_ascii_hexdigit()).unwrap_or(0);
    Err(Fault::Content { at: at + wrong, found: found.get(wrong).copied(), allowed: "hexadecimal digits" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const HEX: BitmapFormat = format(BitmapEncoding::Hex, BitmapLayout::Automatic);

    const fn format(encoding: BitmapEncoding, layout: BitmapLayout) -> BitmapFormat {
        BitmapFormat { encoding, next_encoding: encoding, layout }
    }

    #[test]
    fn every_layout_writes_what_it_reads() {
        for encoding in [BitmapEncoding::Binary, BitmapEncoding::Hex, BitmapEncoding::EbcdicHex] {
            for (layout, elements, bitmaps) in [
                (BitmapLayout::Automatic, &[2, 64][..], 1),
                (BitmapLayout::Automatic, &[65], 2),
                (BitmapLayout::Always128, &[2], 2),
                (BitmapLayout::Tertiary, &[2, 66], 2),
                (BitmapLayout::Tertiary, &[130, 192], 3),
            ] {
                let mut set = Bitmap::default();
                elements.iter().for_each(|de| set.insert(*de));
                let mut out = bytes::BytesMut::new();
                format(encoding, layout).write(set, &mut out);
                assert_eq!(out.len(), bitmaps * if encoding == BitmapEncoding::Binary { 8 } else { 16 });
                assert_eq!(format(encoding, layout).read(&out, 0).unwrap(), (set, out.len()));
            }
        }
    }

    #[test]
    fn a_bitmap_that_is_always_128_bits_does_not_announce_it() {
        let mut set = Bitmap::default();
        set.insert(70);
        let mut out = bytes::BytesMut::new();
        format(BitmapEncoding::Binary, BitmapLayout::Always128).write(set, &mut out);
        assert_eq!(&out[..], b"\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0");
    }

    #[test]
    fn the_secondary_bitmap_is_there_only_when_needed() {
        let mut set = Bitmap::default();
        set.insert(2);
        let mut out = bytes::BytesMut::new();
        HEX.write(set, &mut out);
        assert_eq!(&out[..], b"4000000000000000");
        set.insert(128);
        out.clear();
        HEX.write(set, &mut out);
        assert_eq!(&out[..], b"C0000000000000000000000000000001");
        assert_eq!(HEX.read(&out, 0).unwrap(), (set, 32));
    }

    #[test]
    fn a_wrong_digit_is_pointed_at() {
        let (level, start, fault) = HEX.read(b"....80000000000000000000x00000000000", 4).unwrap_err();
        assert_eq!((level, start), (2, 20));
        assert_eq!(fault, Fault::Content { at: 24, found: Some(b'x'), allowed: "hexadecimal digits" });
    }

    proptest! {
        #[test]
        fn the_place_of_an_element_counts_those_before(elements in proptest::collection::btree_set(1..=LAST_ELEMENT, 0..40)) {
            let mut set = Bitmap::default();
            elements.iter().for_each(|de| set.insert(*de));
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), elements.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len(), elements.len());
            for de in 1..=LAST_ELEMENT {
                prop_assert_eq!(set.contains(de), elements.contains(&de));
                let place = elements.contains(&de).then(|| elements.range(..de).count());
                prop_assert_eq!(set.place(de), place);
            }
        }
    }
}
