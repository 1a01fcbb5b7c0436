//! One element of a dialect file: the table as written, checked and compiled into an [`ElementSpec`].
//!
//! Guarantees that content, encoding, unit and length fit together, so that no message can meet an element
//! that cannot be read or written. Recursion follows the nesting of the file, which the TOML reader bounds.

use crate::bitmap::{BitmapEncoding, NESTED_BYTES_MAX};
use crate::content::Content;
use crate::element_table::{BitmapTable, Defaults, ElementTable, PartsTable, TaggedTable};
use crate::encoding::{Encoding, Pad};
use crate::length::{Length, Prefix, Unit};
use crate::mask::is_always_masked;
use crate::problem::Problem;
use crate::quick::Quick;
use crate::spec::{ElementSpec, Part, Parts, Rest};
use crate::tlv::TagFormat;
use std::collections::BTreeMap;

/// The longest element: what six digits of length can announce.
const LENGTH_MAX: u32 = 999_999;

/// The widest nested bitmap, in bytes.
const BITMAP_BYTES_MAX: u8 = NESTED_BYTES_MAX as u8;

/// The widest tag of a private form.
const TAG_WIDTH_MAX: u8 = 8;

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
    let pad = table.pad.unwrap_or(default_pad);
    let quick = match &parts {
        None => Quick::of(table.content, encoding, unit, length, pad),
        Some(_) => Quick::NEVER,
    };
    Ok(ElementSpec {
        de: site.de,
        name: table.name.as_str().into(),
        content: table.content,
        encoding,
        length,
        unit,
        pad,
        sensitive,
        quick,
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

/// Compiles the parts of the element at `site`.
pub(crate) fn compile_parts(table: &PartsTable, defaults: &Defaults, site: Site) -> Result<Parts, Problem> {
    let mut order = Vec::with_capacity(table.order.len());
    for (index, part) in table.order.iter().enumerate() {
        let is_last = index + 1 == table.order.len();
        order
            .push(compile_ordered(part, defaults, site, is_last).map_err(|problem| problem.inside("order"))?);
    }
    let rest = match (&table.ber_tlv, &table.tagged, &table.bitmap) {
        (None, None, None) if order.is_empty() => {
            return Err(Problem::new("", "no parts", "order, ber_tlv, tagged or bitmap"));
        }
        (None, None, None) => Rest::Nothing,
        (Some(ber), None, None) => {
            compile_tags(TagFormat::Ber, (&ber.tags, ber.other.as_deref()), defaults, site)
                .map_err(|problem| problem.inside("ber_tlv"))?
        }
        (None, Some(tagged), None) => {
            compile_tagged(tagged, defaults, site).map_err(|problem| problem.inside("tagged"))?
        }
        (None, None, Some(bitmap)) => {
            compile_bits(bitmap, defaults, site).map_err(|problem| problem.inside("bitmap"))?
        }
        _ => return Err(Problem::new("", "several", "one of ber_tlv, tagged and bitmap")),
    };
    Ok(Parts { order, may_end_early: table.may_end_early, rest })
}

/// A part in order: the last may take all that is left.
fn compile_ordered(
    table: &ElementTable,
    defaults: &Defaults,
    site: Site,
    is_last: bool,
) -> Result<Part, Problem> {
    let Some(key) = &table.key else {
        return Err(Problem::new("key", "nothing", "a key for every part in order"));
    };
    let site = Site { enclosed: is_last, ..site };
    let spec = compile_element(table, defaults, site).map_err(|problem| problem.inside(key))?;
    Ok(Part { key: key.as_str().into(), spec })
}

fn compile_tagged(table: &TaggedTable, defaults: &Defaults, site: Site) -> Result<Rest, Problem> {
    if !(1..=TAG_WIDTH_MAX).contains(&table.tag_width) {
        return Err(Problem::new("tag_width", table.tag_width.to_string(), format!("1 to {TAG_WIDTH_MAX}")));
    }
    if matches!(table.tag_encoding, Encoding::Bcd | Encoding::Hex) {
        let allowed = "ascii, ebcdic-500, ebcdic-1047 or binary";
        return Err(Problem::new("tag_encoding", table.tag_encoding.describe(), allowed));
    }
    let format = TagFormat::Plain {
        encoding: table.tag_encoding,
        width: table.tag_width,
        size: Prefix { width: table.size as u8, encoding: table.size_encoding },
    };
    compile_tags(format, (&table.tags, table.other.as_deref()), defaults, site)
}

fn compile_tags(
    format: TagFormat,
    (tables, other): (&BTreeMap<String, ElementTable>, Option<&ElementTable>),
    defaults: &Defaults,
    site: Site,
) -> Result<Rest, Problem> {
    let site = Site { enclosed: true, ..site };
    let mut known = Vec::with_capacity(tables.len());
    for (key, table) in tables {
        let inside = |problem: Problem| problem.inside(key).inside("tags");
        let allowed = "hexadecimal digits of a whole tag, or characters of the tag's width";
        let tag = format.tag(key).ok_or_else(|| inside(Problem::new("", key, allowed)))?;
        keyless(table).map_err(inside)?;
        let spec = compile_element(table, defaults, site).map_err(inside)?;
        known.push((tag.into(), Part { key: key.as_str().into(), spec }));
    }
    let unknown = match other {
        Some(table) => compile_element(table, defaults, site).map_err(|problem| problem.inside("other"))?,
        None => unknown(format, site),
    };
    Ok(Rest::Tags { format, known, unknown: Box::new(unknown) })
}

/// What an unlisted tag holds if the file does not say: text where tags are text, bytes otherwise; any length.
fn unknown(format: TagFormat, site: Site) -> ElementSpec {
    let (content, encoding) = match format.encoding() {
        text @ (Encoding::Ascii | Encoding::Ebcdic(_)) => (Content::Text, text),
        Encoding::Bcd | Encoding::Binary | Encoding::Hex => (Content::Binary, Encoding::Binary),
    };
    ElementSpec {
        de: site.de,
        name: "unknown tag".into(),
        content,
        encoding,
        length: Length::Enclosed { min: 0, max: u32::MAX },
        unit: Unit::Bytes,
        pad: Pad::default(),
        sensitive: site.sensitive,
        quick: Quick::NEVER,
        parts: None,
    }
}

fn compile_bits(table: &BitmapTable, defaults: &Defaults, site: Site) -> Result<Rest, Problem> {
    if !(1..=BITMAP_BYTES_MAX).contains(&table.bytes) {
        return Err(Problem::new("bytes", table.bytes.to_string(), format!("1 to {BITMAP_BYTES_MAX}")));
    }
    let site = Site { enclosed: false, ..site };
    let last = table.bytes * 8;
    let mut known = Vec::with_capacity(table.bits.len());
    for (key, part) in &table.bits {
        let inside = |problem: Problem| problem.inside(key).inside("bits");
        let bit = key.parse().ok().filter(|bit| (1..=last).contains(bit));
        let bit = bit.ok_or_else(|| inside(Problem::new("", key, format!("a bit, 1 to {last}"))))?;
        keyless(part).map_err(inside)?;
        let spec = compile_element(part, defaults, site).map_err(inside)?;
        known.push((bit, Part { key: key.as_str().into(), spec }));
    }
    known.sort_by_key(|(bit, _)| *bit);
    let encoding = table.encoding.unwrap_or(BitmapEncoding::Binary);
    Ok(Rest::Bits { bytes: table.bytes, encoding, known })
}
