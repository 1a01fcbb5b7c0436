//! Reading a part of a journal, and not reading what a snapshot holds already.

use std::ops::ControlFlow;

use super::life::{Facts, config, disk_with, killed_journal, open_after};
use crate::segment::{segment_name, segment_number};
use crate::simulated_disk::SimulatedDisk;
use crate::{Acknowledge, JournalError, read_between, segments_behind};

fn between(disk: &SimulatedDisk, after: u64, through: u64) -> Result<Facts, JournalError> {
    let mut facts = Facts::new();
    read_between(disk, 1, after, through, |record| {
        facts.push(u64::from_le_bytes(*record.payload.first_chunk::<8>().unwrap()));
        assert_eq!(facts.last(), Some(&record.sequence));
        ControlFlow::Continue(())
    })?;
    Ok(facts)
}

fn segments(disk: &SimulatedDisk) -> Vec<u64> {
    disk.files().iter().filter_map(|(name, _)| segment_number(name)).collect()
}

#[test]
fn exactly_the_records_asked_for_are_handed_out() {
    let (files, facts) = killed_journal(3);
    let (disk, last) = (disk_with(&files), facts.len() as u64);
    for after in 0..=last {
        for through in (after..=last).step_by(7) {
            let expected: Facts = (after + 1..=through).collect();
            assert_eq!(between(&disk, after, through).unwrap(), expected, "{after} to {through}");
        }
    }
    let mut seen = 0;
    let read = read_between(&disk, 1, 2, last, |_| {
        seen += 1;
        if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    read.unwrap();
    assert_eq!(seen, 5);
}

#[test]
fn what_lies_behind_the_last_durable_record_is_not_looked_at() {
    let (files, facts) = killed_journal(4);
    let last = facts.len() as u64;
    let disk = disk_with(&files);
    let active = segment_name(*segments(&disk).last().unwrap());
    let first = segments_behind(&disk, last).unwrap()[0].first_sequence;
    let length = disk.contents(&active).unwrap().len();
    // A batch that is being written at this moment.
    disk.flip_bit(&active, length / 2, 3);
    let whole = (first..=last).take_while(|through| between(&disk, first - 1, *through).is_ok()).count();
    assert!(whole > 0, "what lies before it is read");
    let error = between(&disk, 0, last + 1).unwrap_err().to_string();
    assert!(error.contains("was durable before"), "{error}");
}

#[test]
fn segments_that_a_snapshot_replaces_are_not_read() {
    let (files, facts) = killed_journal(5);
    let (disk, last) = (disk_with(&files), facts.len() as u64);
    let numbers = segments(&disk);
    assert!(numbers.len() > 3, "a long enough journal");
    disk.flip_bit(&segment_name(numbers[0]), 2000, 1);
    assert!(between(&disk, 0, last).is_err(), "the damage is found when that segment is read");
    let second = segments_behind(&disk, 0).unwrap()[1].first_sequence;
    assert_eq!(between(&disk, second - 1, last).unwrap(), (second..=last).collect::<Facts>());
    let behind = segments_behind(&disk, second).unwrap();
    assert_eq!(behind[0].number, numbers[1], "the segment that holds the next record comes first");
    let known: Vec<u64> = (1..second).collect();
    let (recovered, ..) = open_after(&disk, &config(Acknowledge::Disk), &known).unwrap();
    assert_eq!((recovered.first_sequence, recovered.last_sequence), (second, last));
}
