//! One element of a dialect file: the table as written, checked and compiled into an [`ElementSpec`].
//!
//! Guarantees that content, encoding, unit and length fit together, so that no message can meet an element
//! that cannot be read or written.

use crate::composite_file::{PartsTable, compile_parts};
use crate::content::Content;
use crate::element::ElementSpec;
use crate::encoding::{Encoding, Pad};
use crate::length::{Length, Prefix, PrefixEncoding, Unit};
use crate::mask::is_always_masked;
use crate::quick::Quick;
use serde::Deserialize;

/// The longest element: what six digits of length can announce.
const LENGTH_MAX: u32 = 999_999;

/// What is wrong with a value.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The key inside the table; empty for the table itself.
    pub(crate) key: String,
    pub(crate) found: String,
    pub(crate) allowed: String,
}

impl Problem {
    pub(crate) fn new(key: &str, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { key: key.to_owned(), found: found.into(), allowed: allowed.into() }
    }

    /// The same problem, seen from one table up.
    pub(crate) fn inside(mut self, table: &str) -> Self {
        self.key = if self.key.is_empty() { table.to_owned() } else { format!("{table}.{}", self.key) };
        self
    }
}

/// What an element uses that names no encoding of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Defaults {
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

/// One element, or one part of an element.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ElementTable {
    /// The key of a part in order; elements and tags have theirs before the table.
    pub(crate) key: Option<String>,
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
    parts: Option<PartsTable>,
}

/// How long the length prefix is.
#[derive(Clone, Copy, Deserialize)]
pub(crate) enum PrefixWidth {
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

/// Where a table stands, which decides what lengths it may have and whether it is masked.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    /// The data element that it is, or is part of.
    pub(crate) de: u8,
    /// Whether something around it may say how long it is.
    pub(crate) enclosed: bool,
    /// Whether what it is part of is masked.
    pub(crate) sensitive: bool,
}

/// Compiles an element, or a part of one.
pub(crate) fn compile_element(
    table: &ElementTable,
    defaults: &Defaults,
    site: Site,
) -> Result<ElementSpec, Problem> {
    let encoding = encoding_of(table, defaults)?;
    let unit = unit_of(table, encoding)?;
    let length = length_of(table, defaults, site.enclosed)?;
    if let Length::Fixed(count) = length
        && encoding.wire_bytes(unit, count as usize).is_none()
    {
        return Err(Problem::new("length", count.to_string(), "an even number"));
    }
    if table.pad.is_some() && encoding != Encoding::Bcd {
        return Err(Problem::new("pad", encoding.describe(), "padding in BCD elements only"));
    }
    let default_pad = if table.content == Content::Track { defaults.track_pad } else { defaults.pad };
    let sensitive = table.sensitive || site.sensitive || is_always_masked(site.de);
    let parts = match &table.parts {
        Some(parts) => {
            if matches!(encoding, Encoding::Bcd | Encoding::Hex) {
                return Err(Problem::new("parts", encoding.describe(), "parts where a character is a byte"));
            }
            let site = Site { sensitive, ..site };
            Some(Box::new(compile_parts(parts, defaults, site).map_err(|problem| problem.inside("parts"))?))
        }
        None => None,
    };
    Ok(ElementSpec {
        de: site.de,
        name: table.name.as_str().into(),
        content: table.content,
        encoding,
        length,
        unit,
        pad: table.pad.unwrap_or(default_pad),
        sensitive,
        quick: if parts.is_some() { Quick::NEVER } else { Quick::of(table.content, encoding, unit, length) },
        parts,
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
    if fits { Ok(encoding) } else { Err(Problem::new("encoding", encoding.describe(), allowed)) }
}

/// The unit of the element's length, if the encoding can count in it.
fn unit_of(table: &ElementTable, encoding: Encoding) -> Result<Unit, Problem> {
    let unit = table.unit.unwrap_or(encoding.default_unit());
    let allowed = match (encoding, unit) {
        (Encoding::Binary, Unit::Characters) => "bytes or nibbles for binary elements",
        (Encoding::Hex, Unit::Nibbles) => "characters or bytes for hexadecimal text",
        _ => return Ok(unit),
    };
    Err(Problem::new("unit", unit.describe(), allowed))
}

fn length_of(table: &ElementTable, defaults: &Defaults, enclosed: bool) -> Result<Length, Problem> {
    match (table.length, table.prefix) {
        (Some(_), Some(_)) => Err(Problem::new("length", "a prefix too", "either length or prefix")),
        (Some(count), None) => {
            if table.min.or(table.max).is_some() {
                return Err(Problem::new("length", "min or max", "min and max without a fixed length only"));
            }
            in_bounds("length", count, 0, LENGTH_MAX).map(Length::Fixed)
        }
        (None, Some(width)) => {
            let encoding = table.prefix_encoding.unwrap_or(defaults.prefix);
            let prefix = Prefix { width: width as u8, encoding };
            let allowed = "the largest length, beside every prefix";
            let max = table.max.ok_or_else(|| Problem::new("max", "nothing", allowed))?;
            let max = in_bounds("max", max, 0, LENGTH_MAX.min(prefix.largest()))?;
            let min = in_bounds("min", table.min.unwrap_or(1), 0, max)?;
            Ok(Length::Variable { prefix, min, max })
        }
        (None, None) if enclosed => {
            let max = in_bounds("max", table.max.unwrap_or(LENGTH_MAX), 0, LENGTH_MAX)?;
            let min = in_bounds("min", table.min.unwrap_or(0), 0, max)?;
            Ok(Length::Enclosed { min, max })
        }
        (None, None) => Err(Problem::new("length", "nothing", "either length or prefix")),
    }
}

fn in_bounds(key: &str, found: u32, min: u32, max: u32) -> Result<u32, Problem> {
    if (min..=max).contains(&found) {
        Ok(found)
    } else {
        Err(Problem::new(key, found.to_string(), format!("{min} to {max}")))
    }
}

/// Refuses a `key` where the table's own name is the key.
pub(crate) fn keyless(table: &ElementTable) -> Result<(), Problem> {
    match &table.key {
        Some(key) => Err(Problem::new("key", key, "a key for parts in order only")),
        None => Ok(()),
    }
}
