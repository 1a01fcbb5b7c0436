//! Every kind of malformed message, made for every element of every shipped dialect: each is refused at its element and
//! offset. The published rejects are in `tests/vectors`; these are their kin.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use bytes::BytesMut;
use iso8583::{
    Content, Dialect, Draft, ElementSpec, Encoding, Fault, Length, Mti, Prefix, PrefixEncoding, Rejected,
    SHIPPED,
};
use support::dialect;

/// A message of one element, and where the element starts.
struct Sample {
    dialect: Dialect,
    wire: Vec<u8>,
    start: usize,
}

impl Sample {
    /// Why the message is refused after `change`, with the length in a BASE I header put right.
    fn refused(&self, change: impl FnOnce(&mut Vec<u8>)) -> Box<Rejected> {
        let mut wire = self.wire.clone();
        change(&mut wire);
        if self.dialect.name() == "visa-like" && wire.len() >= 5 {
            let length = u16::try_from(wire.len()).unwrap();
            wire[3..5].copy_from_slice(&length.to_be_bytes());
        }
        self.dialect.decode(wire.into()).unwrap_err()
    }
}

fn encoded(draft: &Draft) -> Option<Vec<u8>> {
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).ok().map(|()| out.to_vec())
}

fn bare(dialect: &Dialect) -> Draft {
    let mti = if dialect.name() == "ascii-1993" { "1100" } else { "0100" };
    Draft::new(dialect, Mti::parse(mti).unwrap())
}

fn sample(dialect: &Dialect, spec: &ElementSpec) -> Sample {
    let values: [&[u8]; 7] = [
        &[b'1'; 42],
        b"D0000000000000012",
        b"\x9A\x01\x07",
        b"\x01\x00\x03\x9A\x01\x07",
        &[0; 8],
        &[0; 3],
        b"R3801Z",
    ];
    let lengths = match spec.length() {
        Length::Fixed(count) => spec_characters(spec, count)..=spec_characters(spec, count),
        Length::Variable { min, max, .. } | Length::Enclosed { min, max } => {
            spec_characters(spec, min).max(1)..=spec_characters(spec, max)
        }
    };
    let written = lengths.take(48).find_map(|length| {
        let cut = |value: &[u8]| value.iter().copied().cycle().take(length).collect::<Vec<_>>();
        values.iter().flat_map(|value| [value.to_vec(), cut(value)]).find_map(|value| {
            let mut draft = bare(dialect);
            if spec.content() == Content::Binary {
                draft.binary(spec.number(), &value);
            } else {
                draft.text(spec.number(), &String::from_utf8(value).ok()?);
            }
            encoded(&draft)
        })
    });
    let wire =
        written.unwrap_or_else(|| panic!("no value is found for DE {} of {}", spec.number(), dialect.name()));
    let empty = encoded(&bare(dialect)).unwrap().len();
    let header = if dialect.name() == "visa-like" { 22 } else { 0 };
    let mti = if matches!(dialect.name(), "visa-like" | "binary-1987") { 2 } else { 4 };
    let second = if spec.number() > 64 { empty - header - mti } else { 0 };
    Sample { dialect: dialect.clone(), wire, start: empty + second }
}

/// A length of the dialect file in characters, or in bytes for binary elements.
fn spec_characters(spec: &ElementSpec, count: u32) -> usize {
    let halves = spec.encoding() == Encoding::Hex && spec.unit() == iso8583::Unit::Characters;
    if halves { count as usize / 2 } else { count as usize }
}

/// Writes a length as a prefix; `None` if it does not fit.
fn prefix(prefix: Prefix, length: u32) -> Option<Vec<u8>> {
    let width = usize::from(prefix.width);
    let decimal = format!("{length:0width$}").into_bytes();
    let fits = decimal.len() == width;
    match prefix.encoding {
        PrefixEncoding::Ascii => fits.then_some(decimal),
        PrefixEncoding::Ebcdic => fits.then(|| decimal.iter().map(|digit| digit | 0xF0).collect()),
        PrefixEncoding::Bcd => {
            let even = format!("{length:0width$}", width = width + width % 2);
            fits.then(|| const_hex::decode(even).unwrap())
        }
        PrefixEncoding::Binary => {
            let bytes = length.to_be_bytes();
            let (zeros, kept) = bytes.split_at(4 - width.min(4));
            zeros.iter().all(|byte| *byte == 0).then(|| kept.to_vec())
        }
        PrefixEncoding::Hex => panic!("no shipped dialect has such a prefix"),
    }
}

/// What no dialect allows as a character of this content and encoding.
fn wrong_character(spec: &ElementSpec) -> Option<u8> {
    match (spec.encoding(), spec.content()) {
        (_, Content::Hexadecimal) => None,
        (Encoding::Ascii | Encoding::Bcd, _) => Some(0xEE),
        (Encoding::Ebcdic(_), _) => Some(0x41),
        (Encoding::Hex, _) => Some(b'G'),
        (Encoding::Binary, _) => None,
    }
}

fn each(mut check: impl FnMut(&ElementSpec, &Sample)) {
    let mut checked = 0;
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        for spec in (2..=128).filter_map(|de| dialect.element(de)) {
            let sample = sample(&dialect, spec);
            dialect.decode(sample.wire.clone().into()).unwrap();
            check(spec, &sample);
            checked += 1;
        }
    }
    assert!(checked > 700, "{checked}");
}

#[test]
fn a_message_that_is_cut_is_refused_at_its_element() {
    each(|spec, sample| {
        for end in sample.start..sample.wire.len() {
            let refused = sample.refused(|wire| wire.truncate(end));
            let name = sample.dialect.name();
            assert_eq!(refused.error.element(), Some(spec.number()), "{name}: {refused}");
            assert!(matches!(refused.error.fault(), Fault::Short { .. }), "{name}: {refused}");
            assert!((sample.start..=end).contains(&refused.error.offset()), "{name}: {refused}");
        }
    });
}

#[test]
fn a_length_that_is_no_number_or_out_of_bounds_is_refused_at_the_prefix() {
    each(|spec, sample| {
        let Length::Variable { prefix: form, min, max } = spec.length() else { return };
        let size = prefix(form, 0).unwrap().len();
        let at = sample.start..sample.start + size;
        let with = |bytes: Vec<u8>| sample.refused(|wire| wire[at.clone()].copy_from_slice(&bytes));
        let mut refusals = Vec::new();
        if form.encoding != PrefixEncoding::Binary {
            refusals.push(with(vec![0xAA; size]));
            assert!(matches!(refusals[0].error.fault(), Fault::NotALength { .. }), "{}", refusals[0]);
        }
        if let Some(bytes) = prefix(form, max + 1) {
            refusals.push(with(bytes));
        }
        if min > 0 {
            refusals.push(with(prefix(form, 0).unwrap()));
        }
        for refused in refusals {
            assert_eq!(refused.error.element(), Some(spec.number()), "{refused}");
            assert_eq!(refused.error.offset(), sample.start, "{}: {refused}", sample.dialect.name());
        }
    });
}

#[test]
fn a_character_that_does_not_belong_there_is_refused_at_the_value() {
    each(|spec, sample| {
        let Some(wrong) = wrong_character(spec) else { return };
        let size = match spec.length() {
            Length::Variable { prefix: form, .. } => prefix(form, 0).unwrap().len(),
            Length::Fixed(_) | Length::Enclosed { .. } => 0,
        };
        let at = sample.start + size;
        let refused = sample.refused(|wire| wire[at] = wrong);
        assert_eq!(refused.error.element(), Some(spec.number()), "{refused}");
        assert_eq!(refused.error.offset(), at, "{}: {refused}", sample.dialect.name());
        assert!(matches!(refused.error.fault(), Fault::Content { .. } | Fault::Padding { .. }), "{refused}");
        if spec.is_sensitive() {
            assert!(!refused.to_string().contains(&format!("0x{wrong:02X}")), "{refused}");
        }
    });
}

#[test]
fn a_byte_too_many_is_refused_behind_the_last_element() {
    each(|spec, sample| {
        let refused = sample.refused(|wire| wire.push(0));
        assert_eq!(refused.error.element(), Some(spec.number()), "{refused}");
        assert_eq!(refused.error.offset(), sample.wire.len(), "{refused}");
        assert_eq!(refused.error.fault(), &Fault::Trailing { bytes: 1 });
    });
}

#[test]
fn an_element_that_is_not_listed_is_refused_where_it_would_start() {
    let mut checked = 0;
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        let listed = dialect.element(2).unwrap();
        for de in (2..=128).filter(|de| dialect.element(*de).is_none()) {
            let mut sample = sample(&dialect, listed);
            let binary = matches!(name, "visa-like" | "binary-1987" | "ebcdic-1987" | "mastercard-like");
            let second = if de > 64 { 1_u64 << 63 } else { 0 };
            let mut bitmap = (second | if de > 64 { 0 } else { 1_u64 << (64 - de) }).to_be_bytes().to_vec();
            if de > 64 {
                bitmap.extend((1_u64 << (128 - de)).to_be_bytes());
            }
            let bitmap = if binary { bitmap } else { const_hex::encode_upper(bitmap).into_bytes() };
            let one = if binary { 8 } else { 16 };
            sample.wire.truncate(sample.start - one);
            sample.wire.extend(&bitmap);
            let refused = sample.refused(|_| {});
            assert_eq!(refused.error.element(), Some(de), "{name}: {refused}");
            assert_eq!(refused.error.fault(), &Fault::Unlisted, "{name}");
            assert_eq!(refused.error.offset(), sample.wire.len(), "{name}");
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked}");
}

#[test]
fn a_message_type_or_bitmap_that_is_none_is_refused() {
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        let sample = sample(&dialect, dialect.element(11).unwrap());
        let header = if name == "visa-like" { 22 } else { 0 };
        let refused = sample.refused(|wire| wire[header] = 0xEE);
        assert_eq!((refused.error.element(), refused.error.offset()), (None, header), "{name}: {refused}");
        for end in 0..header {
            assert!(sample.refused(|wire| wire.truncate(end)).partial.is_none(), "{name}");
        }
        for end in header..sample.start {
            let refused = sample.refused(|wire| wire.truncate(end));
            assert!(matches!(refused.error.element(), None | Some(1)), "{name}: {refused}");
        }
        if let "ascii-1987" | "ascii-1993" = name {
            let refused = sample.refused(|wire| wire[10] = b'G');
            assert_eq!((refused.error.element(), refused.error.offset()), (Some(1), 4), "{name}: {refused}");
        }
    }
}
