//! One element of a dialect file as it is written: names, kinds and nothing checked yet.

use crate::bitmap::BitmapEncoding;
use crate::content::Content;
use crate::encoding::{Encoding, Pad};
use crate::length::{PrefixEncoding, Unit};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What an element uses that names no encoding of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Defaults {
    pub(crate) digits: Encoding,
    pub(crate) text: Encoding,
    pub(crate) track: Encoding,
    pub(crate) binary: Encoding,
    pub(crate) prefix: PrefixEncoding,
    pub(crate) pad: Pad,
    pub(crate) track_pad: Pad,
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
    pub(crate) name: String,
    pub(crate) content: Content,
    pub(crate) encoding: Option<Encoding>,
    pub(crate) unit: Option<Unit>,
    pub(crate) length: Option<u32>,
    pub(crate) prefix: Option<PrefixWidth>,
    pub(crate) prefix_encoding: Option<PrefixEncoding>,
    pub(crate) min: Option<u32>,
    pub(crate) max: Option<u32>,
    pub(crate) pad: Option<Pad>,
    #[serde(default)]
    pub(crate) sensitive: bool,
    pub(crate) parts: Option<PartsTable>,
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

/// What is inside an element: parts in order, then perhaps tags or a bitmap.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartsTable {
    #[serde(default)]
    pub(crate) order: Vec<ElementTable>,
    #[serde(default)]
    pub(crate) may_end_early: bool,
    pub(crate) ber_tlv: Option<BerTable>,
    pub(crate) tagged: Option<TaggedTable>,
    pub(crate) bitmap: Option<BitmapTable>,
}

/// BER-TLV: the known tags.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BerTable {
    /// What a tag holds that is not listed.
    pub(crate) other: Option<Box<ElementTable>>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, ElementTable>,
}

/// Tags and lengths of fixed widths.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaggedTable {
    pub(crate) tag_width: u8,
    pub(crate) tag_encoding: Encoding,
    pub(crate) size: PrefixWidth,
    pub(crate) size_encoding: PrefixEncoding,
    /// What a tag holds that is not listed.
    pub(crate) other: Option<Box<ElementTable>>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, ElementTable>,
}

/// A bitmap of the element's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BitmapTable {
    pub(crate) bytes: u8,
    pub(crate) encoding: Option<BitmapEncoding>,
    pub(crate) bits: BTreeMap<String, ElementTable>,
}
