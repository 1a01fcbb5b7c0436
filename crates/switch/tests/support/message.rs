//! ISO 8583:1987 as a stranger's library would write it: text in ASCII or packed, and nothing of the switch's codec.

use std::collections::BTreeMap;

/// How a message is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dialect {
    /// Everything is a character; bitmaps are hexadecimal digits.
    Ascii,
    /// Digits are packed in pairs, filled on the left with 0; bitmaps are bytes.
    Binary,
}

pub const DIALECTS: [Dialect; 2] = [Dialect::Ascii, Dialect::Binary];

/// An MTI and elements, as text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    pub mti: String,
    pub elements: BTreeMap<u8, String>,
}

/// The elements that these tests speak of.
#[derive(Clone, Copy)]
enum Form {
    Digits(usize),
    Text(usize),
    /// Digits behind a length of two digits.
    DigitsVariable,
    /// Text behind a length of so many digits.
    TextVariable(usize),
    /// Track 2 behind a length of two digits.
    Track,
    /// Bytes, shown as hexadecimal digits.
    Bytes(usize),
    /// The same behind a length of three digits.
    BytesVariable,
}

fn form(de: u8) -> Form {
    match de {
        2 | 32 => Form::DigitsVariable,
        3 | 11 | 12 => Form::Digits(6),
        4 | 6 => Form::Digits(12),
        7 => Form::Digits(10),
        13 | 14 | 18 => Form::Digits(4),
        19 | 22 | 70 => Form::Digits(3),
        25 => Form::Digits(2),
        35 => Form::Track,
        37 => Form::Text(12),
        38 => Form::Text(6),
        39 => Form::Text(2),
        41 => Form::Text(8),
        42 => Form::Text(15),
        43 => Form::Text(40),
        44 | 45 => Form::TextVariable(2),
        49 | 51 => Form::Text(3),
        52 | 64 | 128 => Form::Bytes(8),
        48 | 54 | 60..=63 => Form::TextVariable(3),
        55 => Form::BytesVariable,
        90 => Form::Digits(42),
        95 => Form::Text(42),
        _ => panic!("these tests do not speak of DE {de}"),
    }
}

impl Message {
    pub fn new(mti: &str) -> Self {
        Self { mti: mti.to_owned(), elements: BTreeMap::new() }
    }

    pub fn with(mut self, de: u8, value: &str) -> Self {
        self.elements.insert(de, value.to_owned());
        self
    }

    pub fn without(mut self, de: u8) -> Self {
        self.elements.remove(&de);
        self
    }

    pub fn mti(mut self, mti: &str) -> Self {
        mti.clone_into(&mut self.mti);
        self
    }

    /// The value of an element, or nothing.
    pub fn get(&self, de: u8) -> &str {
        self.elements.get(&de).map_or("", String::as_str)
    }

    pub fn has(&self, de: u8) -> bool {
        self.elements.contains_key(&de)
    }

    /// DE 39.
    pub fn code(&self) -> &str {
        self.get(39)
    }

    /// What a request and its answer share: DE 7 and DE 11.
    pub fn references(&self) -> (String, String) {
        (self.get(7).to_owned(), self.get(11).to_owned())
    }

    pub fn encode(&self, dialect: Dialect) -> Vec<u8> {
        let mut out = Vec::new();
        write_digits(dialect, &self.mti, &mut out);
        write_bitmap(dialect, self.elements.keys().copied(), &mut out);
        for (de, value) in &self.elements {
            write_element(dialect, form(*de), value, &mut out);
        }
        out
    }

    pub fn decode(dialect: Dialect, bytes: &[u8]) -> Self {
        let mut reader = Reader { dialect, rest: bytes };
        let mti = reader.digits(4);
        let present = reader.bitmaps();
        let elements = present.into_iter().map(|de| (de, reader.element(form(de)))).collect();
        assert_eq!(reader.rest, b"", "bytes after the last element of {mti}");
        Self { mti, elements }
    }
}

fn write_digits(dialect: Dialect, digits: &str, out: &mut Vec<u8>) {
    match dialect {
        Dialect::Ascii => out.extend_from_slice(digits.as_bytes()),
        Dialect::Binary => {
            let filled = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
            out.extend(const_hex::decode(filled).unwrap());
        }
    }
}

fn write_bitmap(dialect: Dialect, elements: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let bits = elements.fold(0_u128, |bits, de| bits | 1 << (128 - u32::from(de)));
    let second = bits & u128::from(u64::MAX) != 0;
    let bits = if second { bits | 1 << 127 } else { bits };
    let bytes = bits.to_be_bytes();
    let bytes = if second { &bytes[..] } else { &bytes[..8] };
    match dialect {
        Dialect::Ascii => out.extend(const_hex::encode_upper(bytes).into_bytes()),
        Dialect::Binary => out.extend_from_slice(bytes),
    }
}

fn write_element(dialect: Dialect, form: Form, value: &str, out: &mut Vec<u8>) {
    let prefix = |width: usize, out: &mut Vec<u8>| {
        write_digits(dialect, &format!("{:0width$}", value.len()), out);
    };
    match form {
        Form::Digits(width) => {
            assert_eq!(value.len(), width, "{value:?}");
            write_digits(dialect, value, out);
        }
        Form::Text(width) => out.extend_from_slice(format!("{value:<width$}").as_bytes()),
        Form::DigitsVariable => {
            prefix(2, out);
            write_digits(dialect, value, out);
        }
        Form::TextVariable(width) => {
            prefix(width, out);
            out.extend_from_slice(value.as_bytes());
        }
        Form::Track => {
            prefix(2, out);
            match dialect {
                Dialect::Ascii => out.extend_from_slice(value.as_bytes()),
                Dialect::Binary => {
                    let packed = value.replace('=', "D") + if value.len() % 2 == 1 { "F" } else { "" };
                    out.extend(const_hex::decode(packed).unwrap());
                }
            }
        }
        Form::BytesVariable => match dialect {
            Dialect::Ascii => {
                prefix(3, out);
                out.extend_from_slice(value.as_bytes());
            }
            Dialect::Binary => {
                write_digits(dialect, &format!("{:03}", value.len() / 2), out);
                out.extend(const_hex::decode(value).unwrap());
            }
        },
        Form::Bytes(_) => match dialect {
            Dialect::Ascii => out.extend_from_slice(value.as_bytes()),
            Dialect::Binary => out.extend(const_hex::decode(value).unwrap()),
        },
    }
}

struct Reader<'a> {
    dialect: Dialect,
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken.to_vec()
    }

    fn text(&mut self, count: usize) -> String {
        String::from_utf8(self.take(count)).unwrap()
    }

    fn digits(&mut self, count: usize) -> String {
        match self.dialect {
            Dialect::Ascii => self.text(count),
            Dialect::Binary => {
                let packed = const_hex::encode(self.take(count.div_ceil(2)));
                packed[packed.len() - count..].to_owned()
            }
        }
    }

    fn length(&mut self, width: usize) -> usize {
        self.digits(width).parse().unwrap()
    }

    fn bitmaps(&mut self) -> Vec<u8> {
        let first = self.bitmap();
        let second = if first & (1 << 63) == 0 { 0 } else { self.bitmap() };
        let bits = u128::from(first) << 64 | u128::from(second);
        (2..=128_u8).filter(|de| bits & (1 << (128 - u32::from(*de))) != 0).collect()
    }

    fn bitmap(&mut self) -> u64 {
        let bytes = match self.dialect {
            Dialect::Ascii => const_hex::decode(self.take(16)).unwrap(),
            Dialect::Binary => self.take(8),
        };
        u64::from_be_bytes(bytes.try_into().unwrap())
    }

    fn element(&mut self, form: Form) -> String {
        match form {
            Form::Digits(width) => self.digits(width),
            Form::Text(width) => self.text(width),
            Form::DigitsVariable => {
                let length = self.length(2);
                self.digits(length)
            }
            Form::TextVariable(width) => {
                let length = self.length(width);
                self.text(length)
            }
            Form::Bytes(width) => match self.dialect {
                Dialect::Ascii => self.text(2 * width),
                Dialect::Binary => const_hex::encode_upper(self.take(width)),
            },
            Form::Track | Form::BytesVariable => panic!("no answer may carry this element"),
        }
    }
}
