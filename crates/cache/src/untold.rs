//! Commands that wait in queues and that no lane has been told of yet.
//!
//! Whoever posts many commands tells their lanes of all of them at once. Each post alone would wake a thread, which
//! would decide one command and sleep again.

/// As many as there can be lanes, one bit each.
const WORDS: usize = domain::ShardId::COUNT as usize / WORD_BITS;
const WORD_BITS: usize = 64;

/// How many commands were put into queues, and which lanes are to be told. Nothing is lost with one that is dropped, but
/// a lane that sleeps finds its commands late: hand it to [`crate::Cache::tell`].
#[derive(Debug, Default)]
pub struct Untold {
    commands: usize,
    lanes: [u64; WORDS],
}

impl Untold {
    pub(crate) fn add(&mut self, lane: usize) {
        self.commands += 1;
        if let Some(word) = self.lanes.get_mut(lane / WORD_BITS) {
            *word |= 1 << (lane % WORD_BITS);
        }
    }

    pub(crate) const fn commands(&self) -> usize {
        self.commands
    }

    /// The numbers of the lanes.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = usize> + use<> {
        let begins = (0..).step_by(WORD_BITS);
        self.lanes.into_iter().zip(begins).flat_map(|(word, begin)| Bits(word).map(move |bit| begin + bit))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The places of the bits that are set, the lowest first.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bit = usize::try_from(self.0.trailing_zeros()).ok().filter(|bit| *bit < WORD_BITS)?;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_is_told_once_however_many_commands_it_has() {
        let mut untold = Untold::default();
        for lane in [0, 255, 63, 64, 0, 255] {
            untold.add(lane);
        }
        assert_eq!((untold.commands(), untold.lanes().collect()), (6, vec![0, 63, 64, 255]));
        untold.clear();
        assert_eq!((untold.commands(), untold.lanes().count()), (0, 0));
    }
}
