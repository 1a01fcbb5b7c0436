//! Old segments: which go, which stay, and that nothing of a recycled one comes back.

use std::sync::Arc;

use super::life::{config, open, open_after};
use crate::segment::{segment_name, segment_number};
use crate::simulated_disk::{Faults, SimulatedDisk};
use crate::{Acknowledge, Batch, JournalConfig};

/// Three facts fill a segment of this world.
const PER_SEGMENT: u64 = 3;

fn segments(disk: &SimulatedDisk) -> Vec<u64> {
    disk.files().iter().filter_map(|(name, _)| segment_number(name)).collect()
}

/// Writes facts 1 to `facts`, telling after each that everything up to `retire` of it is not needed any more.
fn write(disk: &SimulatedDisk, config: &JournalConfig, facts: u64, retire: fn(u64) -> u64) {
    let (_, journal, _) = open(disk, config).unwrap();
    let (handle, mut writer, mut upkeep) = journal.split(|_: &mut Vec<()>| {}, Arc::new(()));
    for fact in 1..=facts {
        upkeep.look().unwrap();
        let mut records = handle.buffer();
        let mut payload = [0; 800];
        payload[..8].copy_from_slice(&fact.to_le_bytes());
        records.push_encoded(1, 1, 1, &payload).unwrap();
        handle.append(Batch { records, release: () }).unwrap();
        writer.step().unwrap();
        handle.retire_through(retire(fact));
    }
    upkeep.look().unwrap();
    assert_eq!(handle.segments(), segments(disk).len() as u64);
}

#[test]
fn a_segment_goes_when_all_its_records_are_retired_and_the_retention_allows() {
    // 12 facts are in segments 1 to 4.
    for (retired, keep, left) in [
        (0, 0, vec![1, 2, 3, 4]),
        (PER_SEGMENT - 1, 0, vec![1, 2, 3, 4]),
        (PER_SEGMENT, 0, vec![2, 3, 4]),
        (12, 0, vec![4]),
        (12, 1, vec![3, 4]),
        (12, usize::MAX, vec![1, 2, 3, 4]),
        (u64::MAX, 0, vec![4]),
    ] {
        let disk = SimulatedDisk::new(0);
        let config = JournalConfig { retain_segments: keep, ..config(Acknowledge::Disk) };
        write(&disk, &config, 12, |_| 0);
        let (_, journal, _) = open(&disk, &config).unwrap();
        let (handle, _writer, mut upkeep) = journal.split(|_: &mut Vec<()>| {}, Arc::new(()));
        handle.retire_through(retired);
        upkeep.look().unwrap();
        assert_eq!(segments(&disk), left, "retired {retired}, keep {keep}");
    }
}

#[test]
fn a_recycled_segment_serves_again_on_a_full_disk_and_shows_nothing_of_its_former_life() {
    let disk = SimulatedDisk::new(0);
    let config = JournalConfig { retain_segments: 0, ..config(Acknowledge::Disk) };
    // The mark file, the active segment, the one behind it, and the spare: no room for a fifth file.
    disk.plan(Faults { capacity_bytes: Some(8192 + 3 * 4096), ..Faults::default() });
    write(&disk, &config, 40, |fact| fact - 1);
    assert_eq!(segments(&disk), [14]);
    let known: Vec<u64> = (1..=39).collect();
    let (_, _, facts) = open_after(&disk, &config, &known).unwrap();
    assert_eq!(facts, (1..=40).collect::<Vec<_>>());
}

#[test]
fn without_the_snapshot_a_journal_that_lost_its_beginning_is_refused() {
    let disk = SimulatedDisk::new(0);
    let config = JournalConfig { retain_segments: 0, ..config(Acknowledge::Disk) };
    write(&disk, &config, 12, |fact| fact);
    let message = open(&disk, &config).err().unwrap().to_string();
    assert!(message.contains("facts at risk: sequences 1 to 9"), "{message}");
    assert!(message.contains(&segment_name(4)), "{message}");
    assert_eq!(
        crate::verify(&disk, None).unwrap().first_sequence,
        10,
        "an offline reader takes what is there"
    );
}

#[test]
fn a_journal_that_ends_before_the_snapshot_is_refused() {
    let disk = SimulatedDisk::new(0);
    let config = config(Acknowledge::Disk);
    write(&disk, &config, 12, |_| 0);
    let known: Vec<u64> = (1..=13).collect();
    let message = open_after(&disk, &config, &known).err().unwrap().to_string();
    assert!(message.contains("the journal ends at sequence 12"), "{message}");
    assert!(message.contains("made after sequence 13; facts at risk: sequence 13"), "{message}");
}
