//! The names of a shard's accounts and cards, one behind the other.
//!
//! A name may have 40 bytes and mostly has half as many, and no decision needs one. So it lies apart from its row, in as many
//! bytes as it has and one for their number. Names never change, and are never given up.

use std::num::NonZeroU32;

/// Bytes of one piece of text. No name lies across two.
const PIECE: usize = 64 * 1024;

/// Where a name begins, counted from one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Name(NonZeroU32);

/// All names of a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Vec<Vec<u8>>);

impl Names {
    /// Keeps a name of at most 255 bytes.
    pub(crate) fn keep(&mut self, name: &str) -> Name {
        let length = u8::try_from(name.len());
        let room = self.0.last().is_some_and(|piece| piece.len() + 1 + name.len() <= PIECE);
        if !room {
            self.0.push(Vec::new());
        }
        let before = (self.0.len() - 1) * PIECE;
        let begin = before + self.0.last().map_or(0, Vec::len);
        let number = u32::try_from(begin).ok().and_then(|begin| NonZeroU32::MIN.checked_add(begin));
        assert!(
            length.is_ok() && number.is_some(),
            "the names of a shard take fewer than 4 GiB, and each at most 255 bytes"
        );
        if let Some(piece) = self.0.last_mut() {
            piece.push(length.unwrap_or_default());
            piece.extend_from_slice(name.as_bytes());
        }
        Name(number.unwrap_or(NonZeroU32::MAX))
    }

    /// The name that is kept there; nothing where none is, which only a name of another shard can ask for.
    pub(crate) fn text(&self, name: Name) -> &str {
        let begin = usize::try_from(name.0.get() - 1).unwrap_or(usize::MAX);
        let found = || {
            let piece = self.0.get(begin / PIECE)?;
            let (length, text) = piece.get(begin % PIECE..)?.split_first()?;
            std::str::from_utf8(text.get(..usize::from(*length))?).ok()
        };
        found().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_where_it_was_kept_also_behind_the_end_of_a_piece() {
        let names: Vec<String> =
            (0..9_000).map(|number| format!("{number:0width$}", width = number % 40 + 1)).collect();
        let mut kept = Names::default();
        let places: Vec<Name> = names.iter().map(|name| kept.keep(name)).collect();
        assert!(kept.0.len() > 2 && kept.0.iter().all(|piece| piece.len() <= PIECE));
        for (name, place) in names.iter().zip(places) {
            assert_eq!(kept.text(place), name);
        }
        assert_eq!(size_of::<Option<Name>>(), 4);
        assert_eq!(kept.text(Name(NonZeroU32::MAX)), "");
    }
}
