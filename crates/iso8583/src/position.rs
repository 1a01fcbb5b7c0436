//! Where a value lies in a message, and where a fault does.

use crate::error::Fault;

/// Where an element's value lies in the message.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Span {
    /// The first byte of the value, after its length prefix.
    pub(crate) start: u32,
    /// The byte after the value.
    pub(crate) end: u32,
    /// How many characters the value has; for bytes, how many bytes.
    pub(crate) characters: u32,
}

/// A fault, the offset of the part at fault, and the path to it inside the element.
#[derive(Debug)]
pub(crate) struct FaultAt {
    pub(crate) offset: usize,
    pub(crate) path: String,
    pub(crate) fault: Fault,
}

impl FaultAt {
    #[cold]
    pub(crate) fn new(offset: usize, fault: Fault) -> Box<Self> {
        Box::new(Self { offset, path: String::new(), fault })
    }

    /// The same fault, seen from one level up.
    #[cold]
    pub(crate) fn inside(mut self: Box<Self>, key: &str) -> Box<Self> {
        self.path = format!(".{key}{}", self.path);
        self
    }
}

/// An offset for the table of positions. A message is bounded by its frame, far below 4 GiB, so that an
/// offset that does not fit cannot occur.
#[inline]
pub(crate) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}
