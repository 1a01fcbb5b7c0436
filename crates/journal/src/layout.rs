//! Little-endian fields, one after another: how every fixed header of the journal is read and written.
//!
//! Guarantees: reading never goes past the bytes given and never panics; writing fills exactly the declared
//! size, checked in tests by every header's round trip. It knows nothing of what the fields mean.

/// Reads fields in order from the front of a byte slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FieldReader<'a> {
    rest: &'a [u8],
}

impl<'a> FieldReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `N` bytes, or `None` when fewer are left.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*head)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }
}

/// Fills a header of `N` bytes in order; what is not written stays zero.
#[derive(Debug)]
pub(crate) struct FieldWriter<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> FieldWriter<N> {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], at: 0 }
    }

    /// Appends `field`. A header that overflows its own size is a mistake in its layout, not in any input:
    /// the slice index stops the program at the first test that writes it.
    #[inline(always)] // its places are then known, and nothing is left of them but stores
    pub(crate) fn put<const M: usize>(mut self, field: &[u8; M]) -> Self {
        let end = self.at + M;
        self.bytes[self.at..end].copy_from_slice(field);
        self.at = end;
        self
    }

    pub(crate) fn finish(self) -> [u8; N] {
        self.bytes
    }
}

/// The next multiple of `unit` at or above `value`; `None` when that does not fit in 64 bits.
pub(crate) fn round_up(value: u64, unit: u64) -> Option<u64> {
    value.checked_next_multiple_of(unit)
}
