//! Rows in chunks: a long list whose growth moves nothing that it holds.
//!
//! A vector that grows copies all it has, which for the cards or transactions of a large shard would hold a decision up,
//! and it keeps room for as many again. Here at most one chunk is partly empty, and only the first one is ever moved.

/// Rows of one chunk. Small enough that moving the first chunk is not noticed, large enough that the list of chunks is
/// short and stays in the processor's cache.
const CHUNK: usize = 512;

/// A list that grows at its end and keeps its rows where they are.
#[derive(Clone, Debug)]
pub(crate) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        // All chunks but the last are full.
        self.0.last().map_or(0, |last| (self.0.len() - 1) * CHUNK + last.len())
    }

    /// The row at a place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// The row at a place, to be changed.
    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / CHUNK)?.get_mut(place % CHUNK)
    }

    /// Appends a row.
    #[inline]
    pub(crate) fn push(&mut self, row: T) {
        if self.0.last().is_none_or(|last| last.len() == CHUNK) {
            self.begin_chunk();
        }
        if let Some(last) = self.0.last_mut() {
            last.push(row);
        }
    }

    #[cold]
    fn begin_chunk(&mut self) {
        // The first one grows as vectors do, because most shards of a small switch never fill it.
        self.0.push(Vec::with_capacity(if self.0.is_empty() { 1 } else { CHUNK }));
    }

    /// All rows in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_at_their_places_on_both_sides_of_a_chunks_end() {
        let mut rows = Chunks::default();
        assert_eq!((rows.len(), rows.get(0)), (0, None));
        for row in 0..CHUNK * 2 + 1 {
            assert_eq!(rows.len(), row);
            rows.push(row);
        }
        for place in [0, CHUNK - 1, CHUNK, CHUNK * 2] {
            assert_eq!(rows.get(place), Some(&place));
        }
        assert_eq!(rows.get(CHUNK * 2 + 1), None);
        if let Some(row) = rows.get_mut(CHUNK) {
            *row = 7;
        }
        assert_eq!((rows.get(CHUNK), rows.iter().count()), (Some(&7), CHUNK * 2 + 1));
    }
}
