//! The parts of a composite as a dialect file writes them, checked and compiled into [`Parts`].

use crate::composite::{Part, Parts, Rest};
use crate::content::Content;
use crate::element::ElementSpec;
use crate::element_file::{Defaults, ElementTable, PrefixWidth, Problem, Site, compile_element, keyless};
use crate::encoding::{Encoding, Pad};
use crate::length::{Length, Prefix, PrefixEncoding, Unit};
use crate::quick::Quick;
use crate::tlv::TagFormat;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is inside an element: parts in order, then perhaps tags or a bitmap.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartsTable {
    #[serde(default)]
    order: Vec<ElementTable>,
    #[serde(default)]
    may_end_early: bool,
    ber_tlv: Option<BerTable>,
    tagged: Option<TaggedTable>,
    bitmap: Option<BitmapTable>,
}

/// BER-TLV: the known tags.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BerTable {
    #[serde(default)]
    tags: BTreeMap<String, ElementTable>,
}

/// Tags and lengths of fixed widths.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaggedTable {
    tag_width: u8,
    tag_encoding: Encoding,
    size: PrefixWidth,
    size_encoding: PrefixEncoding,
    #[serde(default)]
    tags: BTreeMap<String, ElementTable>,
}

/// A bitmap of the element's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BitmapTable {
    bytes: u8,
    bits: BTreeMap<String, ElementTable>,
}

/// The widest nested bitmap: as wide as three bitmaps of a message.
const BITMAP_BYTES_MAX: u8 = 24;

/// The widest tag of a private form.
const TAG_WIDTH_MAX: u8 = 8;

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
        (Some(ber), None, None) => compile_tags(TagFormat::Ber, &ber.tags, defaults, site)
            .map_err(|problem| problem.inside("ber_tlv"))?,
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
    compile_tags(format, &table.tags, defaults, site)
}

fn compile_tags(
    format: TagFormat,
    tables: &BTreeMap<String, ElementTable>,
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
    Ok(Rest::Tags { format, known, unknown: Box::new(unknown(format, site)) })
}

/// What an unknown tag holds: text where tags are text, bytes otherwise; any length.
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
    Ok(Rest::Bits { bytes: table.bytes, known })
}
