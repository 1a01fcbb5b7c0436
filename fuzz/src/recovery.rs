//! A journal directory with any bytes in it: opening never panics, never hands out a fact that was not written,
//! and opening what was opened gives the same facts again.
//!
//! The first byte picks what is damaged. 0: the rest is a whole segment file. Else: the rest patches a good
//! journal of two segments, three bytes at a time (two for the place, one for the new value).

use std::path::Path;
use std::sync::{Arc, LazyLock};

use journal::simulated_disk::SimulatedDisk;
use journal::{JournalConfig, JournalError};

const MARK: &str = "mark.journal";
const FIRST: &str = "segment-00000000000000000001.journal";
const SECOND: &str = "segment-00000000000000000002.journal";

static GOOD: [(&str, &[u8]); 3] = [
    (MARK, include_bytes!("../../crates/journal/tests/golden/v1/mark.journal")),
    (FIRST, include_bytes!("../../crates/journal/tests/golden/v1/segment-00000000000000000001.journal")),
    (SECOND, include_bytes!("../../crates/journal/tests/golden/v1/segment-00000000000000000002.journal")),
];

static FACTS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| open(&disk(|_, _| {})).unwrap_or_default());

/// One input.
pub fn run(data: &[u8]) {
    let [picked, rest @ ..] = data else { return };
    let disk = disk(|name, bytes| {
        if *picked == 0 {
            if name == FIRST {
                *bytes = rest.to_vec();
            }
            return;
        }
        for patch in rest.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([patch[0], patch[1]]));
            let (file, at) = (place / 8192 % GOOD.len(), place % 8192);
            if GOOD[file].0 == name {
                bytes[at] = patch[2];
            }
        }
    });
    let verified = journal::verify(&disk, None);
    let opened = open(&disk);
    match (&opened, &verified) {
        (Ok(facts), Ok(verified)) => {
            assert_eq!(facts.len() as u64, verified.records);
            assert!(FACTS.starts_with(facts), "facts that were never written");
            assert_eq!(open(&disk).ok().as_ref(), Some(facts), "opened again, it says something else");
        }
        // Only the node is checked when opening and not when verifying.
        (Err(JournalError::WrongNode { .. }), _) | (Err(_), Err(_)) => {}
        (opened, verified) => panic!("opened {:?}, verified {verified:?}", opened.as_ref().map(Vec::len)),
    }
}

fn disk(damage: impl Fn(&str, &mut Vec<u8>)) -> SimulatedDisk {
    let disk = SimulatedDisk::new(0);
    for (name, good) in GOOD {
        let mut bytes = good.to_vec();
        damage(name, &mut bytes);
        disk.put(name, &bytes);
    }
    disk
}

fn open(disk: &SimulatedDisk) -> Result<Vec<Vec<u8>>, JournalError> {
    let config = JournalConfig {
        node: 7,
        segment_bytes: 8192,
        batch_bytes_max: 1024,
        write_bytes_max: 2048,
        ..JournalConfig::new(Path::new("fuzz"))
    };
    let mut facts = Vec::new();
    journal::open_on(config, Arc::new(disk.clone()), 0, |record| {
        facts.push(record.payload.to_vec());
        Ok::<_, JournalError>(())
    })?;
    Ok(facts)
}
