//! What can be wrong with a message: where, what was found, what is allowed.
//!
//! Guarantees that no error shows card data: of the elements that the dialect masks, an error says
//! where the fault is and not which byte was found.

use crate::mti::Mti;
use std::fmt;
use thiserror::Error;

/// Why received bytes are not a message of the dialect.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{place}: {fault} (offset {offset})")]
pub struct DecodeError {
    place: Place,
    offset: usize,
    fault: Fault,
}

/// The part of a message that is at fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// What stands before the MTI.
    Header,
    /// The message type indicator.
    Mti,
    /// The first, second or third bitmap.
    Bitmap(u8),
    /// A data element.
    Element {
        /// Its number.
        de: u8,
        /// Its name in the dialect; empty if the dialect does not know it.
        name: Box<str>,
        /// The path inside it, for example `.9F02`; empty for the element itself.
        path: String,
    },
}

/// What is wrong.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Fault {
    /// The message ends too early.
    #[error("needs {needed} bytes, {left} are left")]
    Short {
        /// How many bytes the part needs.
        needed: usize,
        /// How many bytes are left in the message.
        left: usize,
    },
    /// The length prefix is not a number.
    #[error("length prefix {found:02X?} is not {allowed}")]
    NotALength {
        /// The bytes of the prefix.
        found: Box<[u8]>,
        /// How it should be written.
        allowed: &'static str,
    },
    /// The length is over the dialect's maximum.
    #[error("length {found} exceeds the maximum of {max} {unit}")]
    TooLong {
        /// The announced length.
        found: usize,
        /// The most that is allowed.
        max: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The length is under the dialect's minimum.
    #[error("length {found} is below the minimum of {min} {unit}")]
    TooLittle {
        /// The announced length.
        found: usize,
        /// The least that is allowed.
        min: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// The length must be even and is not.
    #[error("length {found} is odd, and {unit} come in pairs here")]
    Odd {
        /// The announced length.
        found: usize,
        /// What is counted.
        unit: &'static str,
    },
    /// A character that the element may not hold.
    #[error("{} at offset {at} is not among the allowed {allowed}", Byte(*.found))]
    Content {
        /// The offset of the character in the message.
        at: usize,
        /// The byte found; `None` where it must not be shown.
        found: Option<u8>,
        /// The allowed characters, in words.
        allowed: &'static str,
    },
    /// The unused half of a byte does not hold the agreed filler.
    #[error("padding at offset {at} is not {allowed:X}")]
    Padding {
        /// The offset of the byte in the message.
        at: usize,
        /// The agreed filler.
        allowed: u8,
    },
    /// The message type indicator is written in another way than the dialect's.
    #[error("{found:02X?} is not {allowed}; it looks like {looks_like}")]
    OtherMti {
        /// The bytes where the indicator should be.
        found: Box<[u8]>,
        /// How it should be written.
        allowed: &'static str,
        /// What the start of the message looks like.
        looks_like: &'static str,
    },
    /// A part that must be there is not.
    #[error("is missing")]
    Missing,
    /// The composite has no part with this key.
    #[error("is no part of it")]
    NoSuchPart,
    /// A part in order is given, and one before it is not.
    #[error("comes after a part that is missing")]
    AfterGap,
    /// The value given is of another kind.
    #[error("is not of the kind that this part holds: {allowed}")]
    Kind {
        /// What the part holds.
        allowed: &'static str,
    },
    /// The bitmap names an element that the dialect does not list, so its length is unknown.
    #[error("is in the bitmap but not in the dialect")]
    Unlisted,
    /// The header's size is not one of those it may have.
    #[error("size {found} is not {allowed}")]
    HeaderSize {
        /// The size that the header gives itself, in bytes.
        found: usize,
        /// The sizes that are allowed, in words.
        allowed: &'static str,
    },
    /// The header says something else about the message's length than the frame.
    #[error("announces {announced} bytes, {found} are there")]
    HeaderLength {
        /// The length in the header, in bytes.
        announced: usize,
        /// The bytes that came.
        found: usize,
    },
    /// Bytes follow the last part of a composite.
    #[error("{bytes} bytes follow the last part")]
    AfterParts {
        /// How many.
        bytes: usize,
    },
    /// Bytes follow the last element.
    #[error("{bytes} bytes follow the last element")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// A byte for people: its number, and its character if it has one.
struct Byte(Option<u8>);

impl fmt::Display for Byte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("a masked character"),
            Some(byte) if byte.is_ascii_graphic() => write!(f, "0x{byte:02X} ('{}')", char::from(byte)),
            Some(byte) => write!(f, "0x{byte:02X}"),
        }
    }
}

impl DecodeError {
    pub(crate) const fn new(place: Place, offset: usize, fault: Fault) -> Self {
        Self { place, offset, fault }
    }

    /// The part at fault.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Where the part at fault starts, in bytes from the start of the message: the length prefix if
    /// the length is wrong, the value otherwise.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The data element at fault, for DE 44 of a format error. The bitmap is element 1; `None` is the
    /// header or the MTI.
    #[must_use]
    pub const fn element(&self) -> Option<u8> {
        match &self.place {
            Place::Header | Place::Mti => None,
            Place::Bitmap(_) => Some(1),
            Place::Element { de, .. } => Some(*de),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Mti => f.write_str("MTI"),
            Self::Bitmap(1) => f.write_str("bitmap"),
            Self::Bitmap(2) => f.write_str("secondary bitmap"),
            Self::Bitmap(_) => f.write_str("tertiary bitmap"),
            Self::Element { de, name, path } if name.is_empty() => write!(f, "DE {de}{path}"),
            Self::Element { de, name, path } => write!(f, "DE {de}{path} {name}"),
        }
    }
}

/// Why a message cannot be written: the fault is ours, not the other side's.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum EncodeError {
    /// The dialect does not list the element.
    #[error("DE {de} is not in the dialect {dialect}")]
    Unlisted {
        /// The element.
        de: u8,
        /// The dialect's name.
        dialect: Box<str>,
    },
    /// The dialect has no form for the message type that it would read again.
    #[error("message type {mti} cannot be written in the dialect {dialect}")]
    MessageType {
        /// The message type.
        mti: Mti,
        /// The dialect's name.
        dialect: Box<str>,
    },
    /// The value does not fit the element.
    #[error("DE {de} {name}: {fault}")]
    Value {
        /// The element.
        de: u8,
        /// Its name in the dialect.
        name: Box<str>,
        /// What is wrong; offsets are inside the value.
        fault: Fault,
    },
    /// A part of a composite cannot be written.
    #[error("DE {de}{}{path} of {name}: {fault}", if path.is_empty() { "" } else { "." })]
    Part {
        /// The element.
        de: u8,
        /// The part's path inside it.
        path: String,
        /// The element's name in the dialect.
        name: Box<str>,
        /// What is wrong; offsets are inside the part's value.
        fault: Fault,
    },
    /// The value is of another kind than the element: bytes for text, or text for bytes.
    #[error("DE {de} {name} holds {allowed}, not {found}")]
    Kind {
        /// The element.
        de: u8,
        /// Its name in the dialect.
        name: Box<str>,
        /// What was given.
        found: &'static str,
        /// What the element holds.
        allowed: &'static str,
    },
    /// The dialect has no place for a message authentication code at the message's end.
    #[error("DE {de} of {dialect} cannot hold a message authentication code at the end of the message")]
    NoPlaceForMac {
        /// Where the code belongs.
        de: u8,
        /// The dialect's name.
        dialect: Box<str>,
    },
    /// The frame is longer than the link allows.
    #[error("frame body of {found} bytes exceeds the maximum of {max}")]
    FrameTooLong {
        /// The size of the body, in bytes.
        found: usize,
        /// The largest allowed, in bytes.
        max: usize,
    },
}
