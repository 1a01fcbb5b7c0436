//! A dialect as written in TOML, checked and compiled into element tables.
//!
//! Guarantees that an error names the file, the line, the key, what was found and what is allowed.
//! An unknown key fails: a misspelt key that is silently ignored is a message misread in production.

use crate::bitmap::{BitmapEncoding, BitmapFormat, BitmapLayout};
use crate::content::Content;
use crate::dialect::MtiEncoding;
use crate::element::ElementSpec;
use crate::encoding::{Encoding, Pad};
use crate::header::HeaderFormat;
use crate::length::{Length, Prefix, PrefixEncoding, Unit};
use crate::mask::is_always_masked;
use serde::Deserialize;
use std::collections::BTreeMap;
use thiserror::Error;
use toml::Spanned;

/// The longest element: what six digits of length can announce.
const LENGTH_MAX: u32 = 999_999;

/// Why a dialect file is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum DialectError {
    /// The text is not TOML, or a key is unknown, missing or of the wrong kind.
    #[error("{origin}: {message}")]
    Syntax {
        /// Where the text came from.
        origin: String,
        /// The line, the key and what is allowed, in the words of the TOML reader.
        message: String,
    },
    /// A value makes no sense.
    #[error("{origin}, line {line}: {key}: found {found}, allowed: {allowed}")]
    Value {
        /// Where the text came from.
        origin: String,
        /// The line, counted from 1.
        line: usize,
        /// The key, with the table it is in.
        key: String,
        /// What was found.
        found: String,
        /// What is allowed.
        allowed: String,
    },
}

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DialectFile {
    name: String,
    header: Option<Spanned<HeaderTable>>,
    mti: MtiTable,
    bitmap: BitmapTable,
    #[serde(default)]
    defaults: Defaults,
    elements: BTreeMap<String, Spanned<ElementTable>>,
}

/// What stands before the MTI.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderTable {
    kind: HeaderKind,
    encoding: Option<Encoding>,
    value: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum HeaderKind {
    Fixed,
    Tpdu,
    BaseI,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MtiTable {
    encoding: MtiEncoding,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BitmapTable {
    encoding: BitmapEncoding,
    secondary_encoding: Option<BitmapEncoding>,
    #[serde(default)]
    layout: BitmapLayout,
}

/// What an element uses that names no encoding of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Defaults {
    digits: Encoding,
    text: Encoding,
    track: Encoding,
    binary: Encoding,
    prefix: PrefixEncoding,
    pad: Pad,
    track_pad: Pad,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            digits: Encoding::Ascii,
            text: Encoding::Ascii,
            track: Encoding::Ascii,
            binary: Encoding::Binary,
            prefix: PrefixEncoding::Ascii,
            pad: Pad::LeftZero,
            track_pad: Pad::RightF,
        }
    }
}

/// One element.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementTable {
    name: String,
    content: Content,
    encoding: Option<Encoding>,
    unit: Option<Unit>,
    length: Option<u32>,
    prefix: Option<PrefixWidth>,
    prefix_encoding: Option<PrefixEncoding>,
    min: Option<u32>,
    max: Option<u32>,
    pad: Option<Pad>,
    #[serde(default)]
    sensitive: bool,
}

/// How long the length prefix is.
#[derive(Clone, Copy, Deserialize)]
enum PrefixWidth {
    #[serde(rename = "L")]
    One = 1,
    #[serde(rename = "LL")]
    Two,
    #[serde(rename = "LLL")]
    Three,
    #[serde(rename = "LLLL")]
    Four,
    #[serde(rename = "LLLLL")]
    Five,
    #[serde(rename = "LLLLLL")]
    Six,
}

/// What is wrong with a value: the key, what was found, what is allowed.
type Problem = (&'static str, String, String);

/// The compiled parts of a dialect.
pub(crate) struct Compiled {
    pub(crate) name: Box<str>,
    pub(crate) header: HeaderFormat,
    pub(crate) mti: MtiEncoding,
    pub(crate) bitmap: BitmapFormat,
    pub(crate) elements: Vec<ElementSpec>,
}

/// Reads and checks a dialect file.
pub(crate) fn compile(text: &str, origin: &str) -> Result<Compiled, DialectError> {
    let file: DialectFile = toml::from_str(text).map_err(|error| DialectError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string().trim_end().to_owned(),
    })?;
    let bitmap = BitmapFormat {
        encoding: file.bitmap.encoding,
        next_encoding: file.bitmap.secondary_encoding.unwrap_or(file.bitmap.encoding),
        layout: file.bitmap.layout,
    };
    let place = Document { text, origin };
    let header = match &file.header {
        Some(table) => compile_header(table.get_ref())
            .map_err(|problem| place.error(table.span().start, "header", problem))?,
        None => HeaderFormat::None,
    };
    let mut elements = Vec::with_capacity(file.elements.len());
    for (key, table) in &file.elements {
        let spec = element_number(key, bitmap)
            .and_then(|de| compile_element(de, table.get_ref(), &file.defaults))
            .map_err(|problem| place.error(table.span().start, &format!("elements.{key}"), problem))?;
        elements.push(spec);
    }
    Ok(Compiled { name: file.name.into(), header, mti: file.mti.encoding, bitmap, elements })
}

/// The file being compiled, for error messages.
struct Document<'a> {
    text: &'a str,
    origin: &'a str,
}

impl Document<'_> {
    /// An error about the table that starts at byte `at`.
    fn error(&self, at: usize, table: &str, (key, found, allowed): Problem) -> DialectError {
        DialectError::Value {
            origin: self.origin.to_owned(),
            line: 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count(),
            key: if key.is_empty() { table.to_owned() } else { format!("{table}.{key}") },
            found,
            allowed,
        }
    }
}

fn compile_header(table: &HeaderTable) -> Result<HeaderFormat, Problem> {
    let text = match (table.kind, &table.value) {
        (HeaderKind::Fixed, Some(text)) => text.as_bytes(),
        (HeaderKind::Fixed, None) => {
            return Err(("value", "nothing".to_owned(), "the bytes of a fixed header".to_owned()));
        }
        (HeaderKind::Tpdu | HeaderKind::BaseI, None) if table.encoding.is_none() => {
            return Ok(if table.kind == HeaderKind::Tpdu { HeaderFormat::Tpdu } else { HeaderFormat::BaseI });
        }
        (HeaderKind::Tpdu | HeaderKind::BaseI, _) => {
            return Err(("kind", "value or encoding".to_owned(), "these for a fixed header only".to_owned()));
        }
    };
    let encoding = table.encoding.unwrap_or(Encoding::Ascii);
    let value = match encoding {
        Encoding::Ascii if text.is_ascii() => Some(text.to_vec()),
        Encoding::Ebcdic(page) if text.is_ascii() => {
            Some(text.iter().map(|character| page.to_ebcdic(*character)).collect())
        }
        Encoding::Binary => const_hex::decode(text).ok(),
        Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Bcd | Encoding::Hex => None,
    };
    let allowed = "characters in ascii, ebcdic-500 or ebcdic-1047, or hexadecimal digits of binary";
    match value {
        Some(value) => Ok(HeaderFormat::Fixed { value: value.into(), encoding }),
        None => Err(("value", format!("{text:?}", text = String::from_utf8_lossy(text)), allowed.to_owned())),
    }
}

fn element_number(key: &str, bitmap: BitmapFormat) -> Result<u8, Problem> {
    let last = bitmap.last_element();
    key.parse()
        .ok()
        .filter(|de| bitmap.can_name(*de))
        .ok_or_else(|| ("", key.to_owned(), format!("a data element, 2 to {last}")))
}

fn compile_element(de: u8, table: &ElementTable, defaults: &Defaults) -> Result<ElementSpec, Problem> {
    let encoding = encoding_of(table, defaults)?;
    let unit = unit_of(table, encoding)?;
    let length = length_of(table, defaults)?;
    if let Length::Fixed(count) = length
        && encoding.wire_bytes(unit, count as usize).is_none()
    {
        return Err(("length", count.to_string(), "an even number".to_owned()));
    }
    if table.pad.is_some() && encoding != Encoding::Bcd {
        return Err(("pad", encoding.describe().to_owned(), "padding in BCD elements only".to_owned()));
    }
    let default_pad = if table.content == Content::Track { defaults.track_pad } else { defaults.pad };
    Ok(ElementSpec {
        de,
        name: table.name.as_str().into(),
        content: table.content,
        encoding,
        length,
        unit,
        pad: table.pad.unwrap_or(default_pad),
        sensitive: table.sensitive || is_always_masked(de),
    })
}

/// The element's encoding, if it can write the element's content.
fn encoding_of(table: &ElementTable, defaults: &Defaults) -> Result<Encoding, Problem> {
    let default = match table.content {
        Content::Numeric | Content::Hexadecimal => defaults.digits,
        Content::Track => defaults.track,
        Content::Binary => defaults.binary,
        Content::Alphabetic
        | Content::Alphanumeric
        | Content::Printable
        | Content::Text
        | Content::SignedNumeric => defaults.text,
    };
    let encoding = table.encoding.unwrap_or(default);
    let packs = matches!(table.content, Content::Numeric | Content::Hexadecimal | Content::Track);
    let (fits, allowed) = match encoding {
        Encoding::Ascii | Encoding::Ebcdic(_) => {
            (table.content != Content::Binary, "binary or hex for bytes")
        }
        Encoding::Bcd => (packs, "bcd for digits, hexadecimal digits and tracks only"),
        Encoding::Binary | Encoding::Hex => {
            (table.content == Content::Binary, "ascii, ebcdic-500, ebcdic-1047 or bcd for characters")
        }
    };
    if fits { Ok(encoding) } else { Err(("encoding", encoding.describe().to_owned(), allowed.to_owned())) }
}

/// The unit of the element's length, if the encoding can count in it.
fn unit_of(table: &ElementTable, encoding: Encoding) -> Result<Unit, Problem> {
    let unit = table.unit.unwrap_or(encoding.default_unit());
    let allowed = match (encoding, unit) {
        (Encoding::Binary, Unit::Characters) => "bytes or nibbles for binary elements",
        (Encoding::Hex, Unit::Nibbles) => "characters or bytes for hexadecimal text",
        _ => return Ok(unit),
    };
    Err(("unit", unit.describe().to_owned(), allowed.to_owned()))
}

fn length_of(table: &ElementTable, defaults: &Defaults) -> Result<Length, Problem> {
    match (table.length, table.prefix) {
        (Some(count), None) => {
            if table.min.or(table.max).is_some() {
                return Err(("length", "min or max".to_owned(), "min and max with a prefix only".to_owned()));
            }
            in_bounds("length", count, 0, LENGTH_MAX).map(Length::Fixed)
        }
        (None, Some(width)) => {
            let encoding = table.prefix_encoding.unwrap_or(defaults.prefix);
            let prefix = Prefix { width: width as u8, encoding };
            let max = table.max.ok_or_else(|| {
                ("max", "nothing".to_owned(), "the largest length, beside every prefix".to_owned())
            })?;
            let max = in_bounds("max", max, 0, LENGTH_MAX.min(prefix.largest()))?;
            let min = in_bounds("min", table.min.unwrap_or(1), 0, max)?;
            Ok(Length::Variable { prefix, min, max })
        }
        (Some(_), Some(_)) => {
            Err(("length", "a prefix too".to_owned(), "either length or prefix".to_owned()))
        }
        (None, None) => Err(("length", "nothing".to_owned(), "either length or prefix".to_owned())),
    }
}

fn in_bounds(key: &'static str, found: u32, min: u32, max: u32) -> Result<u32, Problem> {
    if (min..=max).contains(&found) {
        Ok(found)
    } else {
        Err((key, found.to_string(), format!("{min} to {max}")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HEAD: &str =
        "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n[elements]\n";

    fn error_of(elements: &str) -> String {
        compile(&format!("{HEAD}{elements}"), "t.toml").err().unwrap().to_string()
    }

    #[test]
    fn errors_name_line_key_found_and_allowed() {
        for (elements, expected) in [
            (
                "3 = { name = \"a\", content = \"n\", length = 6 }\n129 = { name = \"b\", content = \"n\", length = 6 }",
                "t.toml, line 6: elements.129: found 129, allowed: a data element, 2 to 128",
            ),
            (
                "2 = { name = \"a\", content = \"n\", prefix = \"LL\", max = 100 }",
                "t.toml, line 5: elements.2.max: found 100, allowed: 0 to 99",
            ),
            (
                "2 = { name = \"a\", content = \"n\", prefix = \"LL\" }",
                "t.toml, line 5: elements.2.max: found nothing, allowed: the largest length, beside every prefix",
            ),
            (
                "2 = { name = \"a\", content = \"n\" }",
                "t.toml, line 5: elements.2.length: found nothing, allowed: either length or prefix",
            ),
            (
                "2 = { name = \"a\", content = \"ans\", length = 3, encoding = \"bcd\" }",
                "t.toml, line 5: elements.2.encoding: found BCD, allowed: bcd for digits, hexadecimal digits and tracks only",
            ),
            (
                "52 = { name = \"a\", content = \"b\", length = 15, encoding = \"hex\" }",
                "t.toml, line 5: elements.52.length: found 15, allowed: an even number",
            ),
        ] {
            assert_eq!(error_of(elements), expected);
        }
    }

    #[test]
    fn an_unknown_key_fails_with_its_line_and_the_known_ones() {
        let error = error_of("2 = { name = \"a\", content = \"n\", lenght = 3 }");
        for part in ["t.toml", "line 5", "lenght", "`length`"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn an_unknown_value_fails_with_its_line_and_the_known_ones() {
        let error = error_of("2 = { name = \"a\", content = \"num\", length = 3 }");
        for part in ["line 5", "num", "`n`", "`ans`"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }
}
