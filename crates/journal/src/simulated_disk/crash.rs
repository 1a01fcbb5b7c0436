//! What is left after the power went, or after only the process did.
//!
//! Between two syncs a disk may have stored any of the writes given to it. One cut follows one of five habits,
//! drawn from its seed: it kept nothing, everything, the earliest writes, the latest writes, or each piece by the
//! toss of a coin. Pieces are sectors of 512 bytes or pages of 4096: no habit tears a sector. File lengths and names
//! follow the same toss.

use std::collections::BTreeMap;

use super::{FileState, NameChange, Random, SectorWrite, SimulatedDisk, State};

const PAGE_BYTES: usize = 4096;

/// Which of the unsynced changes a disk had stored when the power went.
#[derive(Clone, Copy)]
enum Habit {
    Nothing,
    Everything,
    Earliest,
    Latest,
    Coin,
}

struct Toss {
    random: Random,
    habit: Habit,
    /// The operation that parts early from late.
    border: u64,
    piece: usize,
    /// Out of 8.
    odds: u64,
    /// The toss of a page counts for all its sectors in one write.
    pages: BTreeMap<(usize, u64, usize), bool>,
}

impl Toss {
    fn new(seed: u64, state: &State) -> Self {
        let mut random = Random::new(seed);
        let habits =
            [Habit::Nothing, Habit::Everything, Habit::Earliest, Habit::Latest, Habit::Coin, Habit::Coin];
        let habit = habits[random.below(habits.len() as u64) as usize];
        // Most changes are recent: a border among all operations of a long life would rarely part anything.
        let recent = 40.min(state.operations + 1);
        let border = state.operations + 1 - random.below(recent + 1);
        let piece = if random.chance(1, 2) { super::SECTOR_BYTES } else { PAGE_BYTES };
        let odds = 1 + random.below(7);
        Self { random, habit, border, piece, odds, pages: BTreeMap::new() }
    }

    fn keeps(&mut self, file: usize, operation: u64, at: usize) -> bool {
        match self.habit {
            Habit::Nothing => false,
            Habit::Everything => true,
            Habit::Earliest => operation < self.border,
            Habit::Latest => operation >= self.border,
            Habit::Coin => {
                let page = (file, operation, at / self.piece);
                let (random, odds) = (&mut self.random, self.odds);
                *self.pages.entry(page).or_insert_with(|| random.chance(odds, 8))
            }
        }
    }
}

impl SimulatedDisk {
    /// The disk as it is found after a power cut; what was not synced is kept or lost as `seed` has it. The old
    /// disk answers nothing any more.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut state = self.state();
        state.off = true;
        let mut toss = Toss::new(seed, &state);
        let names = surviving_names(&state, &mut toss);
        let mut files = Vec::new();
        for (number, file) in state.files.iter().enumerate() {
            files.push(surviving_file(number, file, &mut toss));
        }
        Self::restarted(files, names.clone(), names, Vec::new(), seed)
    }

    /// The disk as it is found after the process was killed: the page cache is whole, and still not on disk.
    #[must_use]
    pub fn kill(&self, seed: u64) -> Self {
        let mut state = self.state();
        state.off = true;
        let names = state.names.clone();
        Self::restarted(
            state.files.clone(),
            names,
            state.durable_names.clone(),
            state.name_changes.clone(),
            seed,
        )
    }

    fn restarted(
        files: Vec<FileState>,
        names: BTreeMap<String, usize>,
        durable_names: BTreeMap<String, usize>,
        name_changes: Vec<NameChange>,
        seed: u64,
    ) -> Self {
        let disk = Self::new(seed);
        {
            let mut state = disk.state();
            state.files = files;
            state.names = names;
            state.durable_names = durable_names;
            state.name_changes = name_changes;
        }
        disk
    }
}

fn surviving_names(state: &State, toss: &mut Toss) -> BTreeMap<String, usize> {
    let mut names = state.durable_names.clone();
    for (number, change) in state.name_changes.iter().enumerate() {
        // Name changes carry no operation number; their place among themselves serves as one.
        let from_end = (state.name_changes.len() - number) as u64;
        let operation = (state.operations + 1).saturating_sub(from_end);
        if !toss.keeps(usize::MAX, operation, number * PAGE_BYTES) {
            continue;
        }
        match change {
            NameChange::Link { name, file } => {
                names.insert(name.clone(), *file);
            }
            NameChange::Unlink { name } => {
                names.remove(name);
            }
            NameChange::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
    names
}

fn surviving_file(number: usize, file: &FileState, toss: &mut Toss) -> FileState {
    let mut survivor = file.clone();
    let unsynced: Vec<SectorWrite> = std::mem::take(&mut survivor.unsynced);
    let kept: Vec<&SectorWrite> =
        unsynced.iter().filter(|write| toss.keeps(number, write.operation, write.at)).collect();
    // The length goes with the data: a file is as long as the last sector that made it, or as it was.
    let reach = kept.iter().map(|write| write.at + write.bytes.len()).max().unwrap_or(0);
    let length = survivor.durable.len().max(reach);
    survivor.durable.resize(length, 0);
    for write in kept {
        survivor.keep(write);
    }
    survivor.seen = survivor.durable.clone();
    survivor
}
