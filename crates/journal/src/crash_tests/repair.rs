//! An operator gives up facts: the named ones, no others, and nothing is destroyed.

use std::sync::Arc;

use super::life::{Facts, config, disk_with, killed_journal, open};
use crate::mark::MARK_NAME;
use crate::segment::{segment_name, segment_number};
use crate::simulated_disk::{Faults, SimulatedDisk};
use crate::snapshot::{Slice, SnapshotWriter, inspect_all};
use crate::{Acknowledge, JournalError, RepairError, repair};

/// A journal with one byte of segment 2 damaged, and the facts before the damage.
fn damaged_journal() -> (SimulatedDisk, Facts) {
    let (files, facts) = killed_journal(3);
    let disk = disk_with(&files);
    disk.flip_bit(&segment_name(2), 512 + 70, 3);
    let Err(JournalError::Damage(damage)) = open(&disk, &config(Acknowledge::Disk)) else {
        panic!("the damage must be refused");
    };
    (disk, facts[..damage.first_at_risk as usize - 1].to_vec())
}

#[test]
fn the_facts_before_the_damage_stay_and_the_files_behind_it_are_put_aside() {
    let (disk, before) = damaged_journal();
    let damaged = disk.contents(&segment_name(2)).unwrap();
    let segments = disk.files().iter().filter(|(name, _)| segment_number(name).is_some()).count();
    let repaired = repair(&disk, before.len() as u64 + 1).unwrap();
    assert_eq!(repaired.kept_through, before.len() as u64);
    assert!(repaired.because.contains("journal damage in simulated/segment-00000000000000000002.journal"));
    assert_eq!(repaired.put_aside.len(), segments - 1);
    assert_eq!(disk.contents(&repaired.put_aside[0]).unwrap(), damaged);
    let (_, journal, facts) = open(&disk, &config(Acknowledge::Disk)).unwrap();
    assert_eq!(facts, before);
    drop(journal);
    assert!(matches!(repair(&disk, before.len() as u64 + 1), Err(RepairError::NotDamaged)));
}

#[test]
fn an_order_that_names_another_sequence_changes_nothing() {
    let (disk, before) = damaged_journal();
    let (files, operations) = (disk.files(), disk.operations());
    let error = repair(&disk, before.len() as u64 + 2).unwrap_err();
    assert!(matches!(error, RepairError::OtherSequence { .. }), "{error}");
    assert_eq!((disk.files(), disk.operations()), (files, operations));
}

#[test]
fn a_missing_mark_is_made_again_without_giving_up_a_whole_record() {
    let (files, facts) = killed_journal(3);
    for damage in [SimulatedDisk::take_away as fn(&SimulatedDisk, &str), |disk, name| disk.put(name, &[])] {
        let disk = disk_with(&files);
        damage(&disk, MARK_NAME);
        let repaired = repair(&disk, facts.len() as u64 + 1).unwrap();
        assert!(repaired.because.contains("mark.journal"), "{}", repaired.because);
        assert_eq!(open(&disk, &config(Acknowledge::Disk)).unwrap().2, facts);
    }
}

#[test]
fn a_repair_that_is_cut_short_is_finished_by_the_same_order() {
    let (mut cut_short, mut done) = (0, 0);
    for seed in 0..300 {
        let (disk, before) = damaged_journal();
        let order = before.len() as u64 + 1;
        let at = disk.operations() + seed % 50;
        disk.plan(Faults { power_fails_at: Some(at), ..Faults::default() });
        let first = repair(&disk, order);
        let disk = disk.power_cut(seed);
        match repair(&disk, order) {
            Ok(_) => cut_short += 1,
            Err(RepairError::NotDamaged) => done += 1,
            Err(error) => panic!("seed {seed}: {error} after {first:?}"),
        }
        assert_eq!(open(&disk, &config(Acknowledge::Disk)).unwrap().2, before, "seed {seed}");
    }
    assert!(cut_short > 50 && done > 50, "{cut_short} cut short, {done} done");
}

#[test]
fn a_snapshot_that_holds_what_is_given_up_is_put_aside_too() {
    let (disk, before) = damaged_journal();
    let order = before.len() as u64 + 1;
    for through in [order - 1, order + 1] {
        let begun = SnapshotWriter::begin(Arc::new(disk.clone()), 1, through, 5);
        let mut snapshot = begun.unwrap();
        snapshot.push(&Slice { shard: 1, kind: 1, through, payload_version: 1, payload: b"state" }).unwrap();
        snapshot.finish().unwrap();
    }
    let repaired = repair(&disk, order).unwrap();
    assert!(repaired.put_aside[0].contains("snapshot-00000000000000000002"), "{:?}", repaired.put_aside);
    let left = inspect_all(&disk).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].outcome.as_ref().unwrap().reaches, order - 1);
    assert_eq!(open(&disk, &config(Acknowledge::Disk)).unwrap().2, before);
}
