//! The table of a dialect as data: what it says of each element, and of the parts of composites.
//!
//! Nothing here reads or writes a message; `element` and `composite` do, with this.

use crate::bitmap::BitmapEncoding;
use crate::content::Content;
use crate::encoding::{Encoding, Pad};
use crate::length::{Length, Unit};
use crate::quick::Quick;
use crate::tlv::TagFormat;

/// What a dialect says of one data element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ElementSpec {
    pub(crate) de: u8,
    pub(crate) name: Box<str>,
    pub(crate) content: Content,
    pub(crate) encoding: Encoding,
    pub(crate) length: Length,
    pub(crate) unit: Unit,
    pub(crate) pad: Pad,
    pub(crate) sensitive: bool,
    /// How the value is checked when nothing is wrong with it.
    pub(crate) quick: Quick,
    /// What the value is made of, if it is a composite.
    pub(crate) parts: Option<Box<Parts>>,
}

/// What an element is made of: parts in order, then perhaps parts by tag or by bitmap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Parts {
    /// The parts that come first, in this order.
    pub(crate) order: Vec<Part>,
    /// Whether the value may end after any of them.
    pub(crate) may_end_early: bool,
    /// What follows them.
    pub(crate) rest: Rest,
}

/// A named part.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Part {
    /// Its key in a path.
    pub(crate) key: Box<str>,
    pub(crate) spec: ElementSpec,
}

/// What follows the parts in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Rest {
    /// Nothing.
    Nothing,
    /// Tag, length, value, until the end.
    Tags {
        format: TagFormat,
        /// The known tags, with their bytes on the wire.
        known: Vec<(Box<[u8]>, Part)>,
        /// What an unknown tag holds.
        unknown: Box<ElementSpec>,
    },
    /// A bitmap, then the parts whose bits are set.
    Bits {
        /// The size of the bitmap in bytes, before it is written as text.
        bytes: u8,
        /// How the bitmap is written.
        encoding: BitmapEncoding,
        /// By bit, counted from 1.
        known: Vec<(u8, Part)>,
    },
}

impl ElementSpec {
    /// The number of the data element.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.de
    }

    /// The name of the data element.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What characters the value may hold.
    #[must_use]
    pub const fn content(&self) -> Content {
        self.content
    }

    /// How the value is written.
    #[must_use]
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// How long the value is, in [`ElementSpec::unit`].
    #[must_use]
    pub const fn length(&self) -> Length {
        self.length
    }

    /// What the length counts.
    #[must_use]
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// Whether the value is masked in everything printed.
    #[must_use]
    pub const fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether the value, or a part of it, is masked in everything printed.
    pub(crate) fn hides_something(&self) -> bool {
        self.sensitive || self.parts.as_ref().is_some_and(|parts| parts.hides_something())
    }

    /// Whether the value is made of parts.
    #[must_use]
    pub const fn is_composite(&self) -> bool {
        self.parts.is_some()
    }
}

impl Parts {
    /// Whether any part is masked in everything printed.
    pub(crate) fn hides_something(&self) -> bool {
        let hides = |part: &Part| part.spec.hides_something();
        self.order.iter().any(hides)
            || match &self.rest {
                Rest::Nothing => false,
                Rest::Tags { known, unknown, .. } => {
                    unknown.hides_something() || known.iter().any(|(_, part)| hides(part))
                }
                Rest::Bits { known, .. } => known.iter().any(|(_, part)| hides(part)),
            }
    }
}
