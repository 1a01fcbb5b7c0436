//! A dialect: the table that says how every part of a message is written.
//!
//! A [`Dialect`] is compiled once, at start, and is cheap to clone: clones share one table. It is
//! immutable, so that many links can use it at once.

use crate::bitmap::{BitmapFormat, LAST_ELEMENT};
use crate::dialect_file::{Compiled, DialectError, compile};
use crate::ebcdic::CodePage;
use crate::element::ElementSpec;
use crate::error::Fault;
use crate::header::HeaderFormat;
use crate::mti::Mti;
use crate::rules::{MessageRules, ResponseCodes};
use serde::Deserialize;
use std::fmt;
use std::sync::Arc;

/// The dialects that come with the product, by name, with the text of their files.
pub const SHIPPED: [(&str, &str); 6] = [
    ("ascii-1987", include_str!("../../../config/dialects/ascii-1987.toml")),
    ("ascii-1993", include_str!("../../../config/dialects/ascii-1993.toml")),
    ("binary-1987", include_str!("../../../config/dialects/binary-1987.toml")),
    ("ebcdic-1987", include_str!("../../../config/dialects/ebcdic-1987.toml")),
    ("mastercard-like", include_str!("../../../config/dialects/mastercard-like.toml")),
    ("visa-like", include_str!("../../../config/dialects/visa-like.toml")),
];

/// The shipped dialect called `name`. `None` if there is none.
///
/// The shipped files are part of the program and tested; an error would be a defect of this crate.
#[must_use]
pub fn shipped(name: &str) -> Option<Result<Dialect, DialectError>> {
    let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
    Some(Dialect::from_toml(text, name))
}

/// How one network or processor writes its messages.
#[derive(Clone)]
pub struct Dialect {
    pub(crate) table: Arc<Table>,
}

/// The compiled form, indexed by data element.
pub(crate) struct Table {
    pub(crate) name: Box<str>,
    pub(crate) header: HeaderFormat,
    pub(crate) mti: MtiEncoding,
    pub(crate) bitmap: BitmapFormat,
    elements: Vec<Option<ElementSpec>>,
    rules: Vec<(Mti, MessageRules)>,
    pub(crate) response_codes: ResponseCodes,
}

/// How the MTI is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MtiEncoding {
    /// Four ASCII digits.
    Ascii,
    /// Four EBCDIC digits.
    Ebcdic,
    /// Two bytes of two digits each.
    Bcd,
    /// Two bytes of two hexadecimal digits each, whatever they mean.
    Packed,
}

impl Dialect {
    /// Compiles a dialect file's text. `origin` is the file's name, for error messages.
    ///
    /// # Errors
    /// [`DialectError`] names the line, the key, what was found and what is allowed.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, DialectError> {
        let mut compiled = compile(text, origin)?;
        let mut elements = vec![None; usize::from(LAST_ELEMENT) + 1];
        for spec in compiled.elements.drain(..) {
            if let Some(slot) = elements.get_mut(usize::from(spec.de)) {
                *slot = Some(spec);
            }
        }
        let Compiled { name, header, mti, bitmap, rules, response_codes, .. } = compiled;
        Ok(Self { table: Arc::new(Table { name, header, mti, bitmap, elements, rules, response_codes }) })
    }

    /// The dialect's name, as its file gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// What the dialect says of data element `de`. `None` if it does not list it.
    #[must_use]
    pub fn element(&self, de: u8) -> Option<&ElementSpec> {
        self.table.element(de)
    }
}

impl Table {
    #[inline]
    pub(crate) fn element(&self, de: u8) -> Option<&ElementSpec> {
        self.elements.get(usize::from(de))?.as_ref()
    }
}

impl Table {
    pub(crate) fn rules(&self, mti: Mti) -> Option<&MessageRules> {
        let first_sent = mti.first_sent();
        self.rules.iter().find(|(ruled, _)| *ruled == first_sent).map(|(_, rules)| rules)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name())
    }
}

impl MtiEncoding {
    /// The size of the MTI on the wire.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Ascii | Self::Ebcdic => 4,
            Self::Bcd | Self::Packed => 2,
        }
    }

    /// Reads the MTI at the start of a message; returns where the bitmap starts.
    #[inline]
    pub(crate) fn read(self, input: &[u8], at: usize) -> Result<(Mti, usize), Fault> {
        let rest = input.get(at..).unwrap_or_default();
        let short = |needed| Fault::Short { needed, left: rest.len() };
        let (digits, size) = match self {
            Self::Ascii => (*rest.first_chunk().ok_or(short(4))?, 4),
            Self::Ebcdic => {
                let bytes: [u8; 4] = *rest.first_chunk().ok_or(short(4))?;
                (bytes.map(|byte| CodePage::Cp500.to_ascii(byte)), 4)
            }
            Self::Bcd | Self::Packed => (unpack(*rest.first_chunk().ok_or(short(2))?), 2),
        };
        let mti = if self == Self::Packed { Mti::from_hex_digits(digits) } else { Mti::from_digits(digits) };
        let mti = mti.ok_or_else(|| self.wrong_digit(rest, digits, at))?;
        Ok((mti, at + size))
    }

    fn wrong_digit(self, rest: &[u8], digits: [u8; 4], at: usize) -> Fault {
        let wrong = digits.iter().position(|digit| !digit.is_ascii_digit()).unwrap_or(0);
        let byte = match self {
            Self::Ascii | Self::Ebcdic => wrong,
            Self::Bcd | Self::Packed => wrong / 2,
        };
        Fault::Content { at: at + byte, found: rest.get(byte).copied(), allowed: "digits" }
    }

    pub(crate) fn write(self, mti: Mti, out: &mut bytes::BytesMut) {
        let digits = mti.digits();
        match self {
            Self::Ascii => out.extend_from_slice(&digits),
            Self::Ebcdic => {
                out.extend_from_slice(&digits.map(|digit| CodePage::Cp500.to_ebcdic(digit)));
            }
            Self::Bcd | Self::Packed => {
                let value = |digit: u8| if digit > b'9' { digit - b'A' + 10 } else { digit & 0x0F };
                let [a, b, c, d] = digits.map(value);
                out.extend_from_slice(&[a << 4 | b, c << 4 | d]);
            }
        }
    }
}

/// The four half bytes as characters; what is no digit becomes a letter.
fn unpack([first, second]: [u8; 2]) -> [u8; 4] {
    [first >> 4, first & 0x0F, second >> 4, second & 0x0F].map(crate::encoding::character)
}
