//! Damage of every kind: the journal opens with everything acknowledged, or refuses and says why. Never less.

use std::sync::Arc;

use super::life::{Facts, config, disk_with, killed_journal, live, open};
use crate::mark::MARK_NAME;
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, segment_name, segment_number};
use crate::simulated_disk::{Faults, Random, SimulatedDisk};
use crate::{Acknowledge, JournalConfig, JournalError, Space, Tail};

/// A journal of several segments, with several batches and some room in the last one.
fn suitable_journal() -> (Files, Facts) {
    let journals = (0..).map(killed_journal);
    journals.into_iter().find(|(files, _)| is_suitable(files)).unwrap()
}

fn is_suitable(files: &Files) -> bool {
    let last = last_segment(files);
    let bytes = &files.iter().find(|(name, _)| *name == last).unwrap().1;
    let batches = bytes.chunks(512).filter(|block| block.starts_with(b"BTCH")).count();
    batches >= 2 && content_end(bytes) + 512 < bytes.len() && last > segment_name(2)
}

type Files = Vec<(String, Vec<u8>)>;

/// Opens what `damage` left of a killed journal of several segments.
fn open_damaged(damage: impl FnOnce(&mut Files)) -> Result<Tail, JournalError> {
    let (mut files, facts) = suitable_journal();
    damage(&mut files);
    let (recovered, _, read) = open(&disk_with(&files), &config(Acknowledge::Disk))?;
    assert_eq!(read, facts, "opened with other facts than were acknowledged");
    Ok(recovered.tail)
}

/// Opens a damaged journal, which must be refused; what the operator reads.
fn refusal(damage: impl FnOnce(&mut Files)) -> String {
    open_damaged(damage).unwrap_err().to_string()
}

fn contents<'f>(files: &'f mut Files, name: &str) -> &'f mut Vec<u8> {
    &mut files.iter_mut().find(|(found, _)| found == name).unwrap().1
}

fn last_segment(files: &Files) -> String {
    files.iter().map(|(name, _)| name).filter(|name| segment_number(name).is_some()).max().unwrap().clone()
}

/// Where the content of the last segment ends.
fn content_end(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1
}

#[test]
fn a_flipped_bit_is_refused_or_harmless() {
    let (files, facts) = killed_journal(11);
    let mut random = Random::new(11);
    let (mut refused, mut harmless) = (0, 0);
    for _ in 0..1_500 {
        let (name, contents) = &files[random.below(files.len() as u64) as usize];
        let (byte, bit) = (random.below(contents.len() as u64) as usize, random.below(8) as u32);
        let disk = disk_with(&files);
        disk.flip_bit(name, byte, bit);
        match open(&disk, &config(Acknowledge::Disk)) {
            Ok((_, _, read)) => {
                assert_eq!(read, facts, "{name} byte {byte} bit {bit}");
                harmless += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused > 150 && harmless > 150,
        "the test must meet both: {refused} refused, {harmless} harmless"
    );
}

/// Runs lives with one write gone wrong in silence, then kills the process and opens what is there.
fn silent_fault(plan: fn(&mut Faults, u64)) -> (u64, u64) {
    let (mut refused, mut whole) = (0, 0);
    for seed in 0..500 {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new(seed);
        let mut faults = Faults::default();
        plan(&mut faults, random.below(120));
        disk.plan(faults);
        let Ok((_, journal, facts)) = open(&disk, &config(Acknowledge::Disk)) else { continue };
        let (known, _) = live(journal, facts, &mut random, 30, 0);
        match open(&disk.kill(seed), &config(Acknowledge::Disk)) {
            Ok((_, _, read)) => {
                assert!(known.handed_over.starts_with(&read), "seed {seed}");
                assert!(read.len() >= known.acknowledged, "seed {seed}: {} of {known:?}", read.len());
                whole += 1;
            }
            Err(_) => refused += 1,
        }
    }
    (refused, whole)
}

#[test]
fn a_misdirected_write_is_refused_or_harmless() {
    let (refused, whole) = silent_fault(|faults, at| faults.write_misdirected_at = Some(at));
    assert!(refused > 50 && whole > 50, "{refused} refused, {whole} whole");
}

#[test]
fn a_write_that_the_disk_never_stored_is_refused_or_harmless() {
    let (refused, whole) = silent_fault(|faults, at| faults.write_lost_at = Some(at));
    assert!(refused > 50 && whole > 50, "{refused} refused, {whole} whole");
}

/// Opens a killed journal once for each of its reads, with that read gone wrong, and once more with none.
fn wrong_reads(plan: fn(&mut Faults, u64)) -> (u64, u64) {
    let (mut refused, mut whole) = (0, 0);
    for seed in 0..40 {
        let (_, files, facts) = live_journal(seed);
        let reads = {
            let disk = files.kill(seed);
            open(&disk, &config(Acknowledge::Disk)).unwrap();
            disk.reads()
        };
        for read in 0..reads {
            let disk = files.kill(seed);
            let mut faults = Faults::default();
            plan(&mut faults, read);
            disk.plan(faults);
            match open(&disk, &config(Acknowledge::Disk)) {
                Ok((_, _, found)) => {
                    assert_eq!(found, facts, "seed {seed}, read {read}");
                    whole += 1;
                }
                Err(_) => refused += 1,
            }
            // What a wrong read was answered with must not have harmed the files.
            disk.plan(Faults::default());
            let (_, _, found) = open(&disk.kill(seed), &config(Acknowledge::Disk)).unwrap();
            assert_eq!(found, facts, "seed {seed}, after read {read}");
        }
    }
    (refused, whole)
}

/// A disk on which a journal was running, and what is durable on it.
fn live_journal(seed: u64) -> (u64, SimulatedDisk, Facts) {
    let disk = SimulatedDisk::new(seed);
    let (_, journal, facts) = open(&disk, &config(Acknowledge::Disk)).unwrap();
    let (known, failure) = live(journal, facts, &mut Random::new(seed), 30, 0);
    assert!(failure.is_none(), "{failure:?}");
    (seed, disk, known.handed_over[..known.durable].to_vec())
}

#[test]
fn a_read_error_in_the_recovery_is_refused_and_harms_nothing() {
    let (refused, whole) = wrong_reads(|faults, at| faults.read_fails_at = Some(at));
    assert!(refused > 100 && whole == 0, "{refused} refused, {whole} whole");
}

#[test]
fn a_stale_read_in_the_recovery_is_refused_or_harmless() {
    let (refused, whole) = wrong_reads(|faults, at| faults.read_stale_at = Some(at));
    assert!(refused > 30 && whole > 30, "{refused} refused, {whole} whole");
}

#[test]
fn a_misdirected_read_in_the_recovery_is_refused_or_harmless() {
    let (refused, _) = wrong_reads(|faults, at| faults.read_misdirected_at = Some(at));
    assert!(refused > 100, "{refused} refused");
}

#[test]
fn a_rotted_tail_is_refused_and_a_torn_one_is_cut() {
    let flip_last = |files: &mut Files| {
        let name = last_segment(files);
        let bytes = contents(files, &name);
        let end = content_end(bytes);
        bytes[end - 1] ^= 1;
    };
    let message = refusal(flip_last);
    assert!(message.contains("batch trailer is missing or damaged"), "{message}");
    assert!(message.contains("mark.journal says sequence"), "{message}");

    // The same damage behind the last acknowledged batch is what a power cut leaves.
    let tail = open_damaged(|files| {
        let name = last_segment(files);
        let bytes = contents(files, &name);
        let next = content_end(bytes).next_multiple_of(512);
        bytes[next..next + 4].copy_from_slice(b"BTCH");
    });
    let Ok(Tail::Torn(torn)) = tail else { panic!("{tail:?}") };
    assert_eq!((torn.bytes, torn.acknowledged_through), (4, None));
    let said = Tail::Torn(torn).to_string();
    assert!(said.contains("4 bytes from offset"), "{said}");
    assert!(said.ends_with("on was acknowledged"), "{said}");
}

#[test]
fn what_mode_os_acknowledged_and_a_power_cut_took_is_told() {
    let disk = SimulatedDisk::new(4);
    let (_, journal, facts) = open(&disk, &config(Acknowledge::Os)).unwrap();
    let (known, _) = live(journal, facts, &mut Random::new(4), 6, 0);
    assert!(known.acknowledged > known.durable, "the test needs something at risk: {known:?}");
    // The cut that keeps nothing but the mark: a segment as it was when it was begun.
    let files: Files =
        disk.files().into_iter().map(|(name, _)| (name.clone(), disk.contents(&name).unwrap())).collect();
    let bare = disk_with(&files);
    let mut segment = bare.contents(&segment_name(1)).unwrap();
    segment[512..].fill(0);
    bare.put(&segment_name(1), &segment);
    let (recovered, _, read) = open(&bare, &config(Acknowledge::Os)).unwrap();
    assert!(read.is_empty());
    let lost = known.acknowledged as u64;
    assert_eq!(recovered.tail, Tail::Short { first_sequence: 1, acknowledged_through: lost });
    assert!(recovered.tail.to_string().contains(&format!("sequences 1 to {lost} were acknowledged")));
}

#[test]
fn damage_in_an_earlier_segment_names_the_file_the_offset_and_the_sequences() {
    let message = refusal(|files| contents(files, &segment_name(1))[600] ^= 4);
    assert!(
        message
            .starts_with("journal damage in simulated/segment-00000000000000000001.journal at offset 512:")
    );
    assert!(message.contains("record 1 at byte 64 of the batch: record checksum is"), "{message}");
    assert!(message.contains("segment 2 continues from sequence"), "{message}");
    assert!(message.contains("facts at risk: sequences 1 to "), "{message}");
}

#[test]
fn damage_before_a_later_batch_is_refused_even_without_a_newer_mark() {
    // A power cut may leave an old mark: the later batch is witness enough.
    let message = refusal(|files| {
        let name = last_segment(files);
        contents(files, &name)[520] ^= 1;
        let old = crate::mark::Mark { node: 1, ..Default::default() };
        crate::mark::tests::rewrite(contents(files, MARK_NAME), old);
    });
    assert!(message.contains("was written after sequence"), "{message}");
}

#[test]
fn missing_files_are_named() {
    let message = refusal(|files| files.retain(|(name, _)| *name != segment_name(2)));
    assert!(
        message.contains("segment-00000000000000000002.journal at offset 0: the file is missing"),
        "{message}"
    );

    let message = refusal(|files| files.retain(|(name, _)| *name != segment_name(1)));
    assert!(message.contains("the earlier ones are missing"), "{message}");

    let message = refusal(|files| {
        let last = last_segment(files);
        files.retain(|(name, _)| *name != last);
    });
    assert!(message.contains("records are missing"), "{message}");

    let message = refusal(|files| files.retain(|(name, _)| name == MARK_NAME));
    assert!(message.contains("there is no segment"), "{message}");

    let message = refusal(|files| files.retain(|(name, _)| name != MARK_NAME));
    assert!(message.contains("mark.journal is missing beside"), "{message}");
}

#[test]
fn a_mark_file_without_a_whole_mark_is_refused() {
    let message = refusal(|files| contents(files, MARK_NAME).fill(0));
    assert!(message.contains("neither of the two marks is whole"), "{message}");
}

#[test]
fn a_truncated_segment_is_refused() {
    let message = refusal(|files| contents(files, &segment_name(1)).truncate(4000));
    assert!(message.contains("the file has 4000 bytes, its header says 4096"), "{message}");
    let message = refusal(|files| contents(files, &segment_name(1)).truncate(100));
    assert!(message.contains("file of 100 bytes is shorter than a segment header"), "{message}");
}

#[test]
fn a_segment_under_the_wrong_name_is_refused() {
    let message = refusal(|files| {
        let one = contents(files, &segment_name(1)).clone();
        *contents(files, &segment_name(2)) = one;
    });
    assert!(message.contains("the header says segment 1"), "{message}");
}

#[test]
fn a_segment_of_another_journal_is_refused() {
    let (other, _) = killed_journal(8);
    let message = refusal(|files| {
        let mut other = other.clone();
        *contents(files, &segment_name(2)) = contents(&mut other, &segment_name(2)).clone();
    });
    assert!(message.contains("facts at risk"), "{message}");
}

#[test]
fn a_segment_of_a_later_version_is_left_to_a_later_build() {
    let error = open_damaged(|files| contents(files, &segment_name(1))[8] = 2).unwrap_err();
    assert!(matches!(error, JournalError::Header { .. }), "{error}");
    assert!(
        error.to_string().ends_with("format version 2 is unknown, this build reads version 1"),
        "{error}"
    );
}

#[test]
fn a_header_with_impossible_fields_is_refused_before_anything_is_allocated() {
    let message = refusal(|files| {
        let bytes = contents(files, &segment_name(1));
        let header = SegmentHeader::decode(bytes).unwrap();
        let huge = SegmentHeader { segment_bytes: u64::MAX, ..header };
        bytes[..SEGMENT_HEADER_BYTES].copy_from_slice(&huge.encode());
    });
    assert!(message.contains("header field segment bytes is 18446744073709551615"), "{message}");
}

#[test]
fn a_full_disk_stops_the_writer_and_lets_it_go_on_when_space_returns() {
    let disk = SimulatedDisk::new(1);
    let config = config(Acknowledge::Disk);
    let (_, journal, _) = open(&disk, &config).unwrap();
    let released = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = released.clone();
    let on_release = move |releases: &mut Vec<u64>| count.set(count.get() + releases.drain(..).count());
    let (handle, mut writer, mut upkeep) = journal.split(on_release, Arc::new(()));
    let append = |n: u64| {
        let mut records = handle.buffer();
        records.push_encoded(1, 1, 1, &[0; 800]).unwrap();
        handle.append(crate::Batch { records, release: n }).unwrap();
    };
    upkeep.look().unwrap();
    disk.plan(Faults { capacity_bytes: Some(8192 + 2 * 4096), ..Faults::default() });
    // Each segment takes three of these; the spare at hand still takes its three.
    for n in 0..7 {
        append(n);
        let step = writer.step().unwrap();
        upkeep.look().unwrap();
        assert_eq!(step == crate::writer::Step::NeedsSegment, n == 6, "batch {n}");
        assert_eq!(handle.space() == Space::Ample, n < 3, "after batch {n}");
    }
    assert_eq!(released.get(), 6, "what could not be written is not released");
    assert!(handle.is_healthy());
    assert!(disk.files().iter().all(|(name, _)| !name.ends_with(".making")), "{:?}", disk.files());

    disk.plan(Faults::default());
    upkeep.look().unwrap();
    assert_eq!(writer.step().unwrap(), crate::writer::Step::Wrote);
    assert_eq!((released.get(), handle.space()), (7, Space::Ample));
}

#[test]
fn little_free_space_is_told_before_anything_fails() {
    let disk = SimulatedDisk::new(1);
    let config = JournalConfig { free_bytes_min: 10_000, ..config(Acknowledge::Disk) };
    let (_, journal, _) = open(&disk, &config).unwrap();
    let (handle, _writer, mut upkeep) = journal.split(|_: &mut Vec<()>| {}, Arc::new(()));
    // The mark file and two segments take 16 KiB.
    for (capacity, space) in [(26_383, Space::Low), (26_384, Space::Ample), (17_000, Space::Low)] {
        disk.plan(Faults { capacity_bytes: Some(capacity), ..Faults::default() });
        upkeep.look().unwrap();
        assert_eq!(handle.space(), space, "capacity {capacity}");
    }
}

#[test]
fn after_a_failed_sync_nothing_is_released_and_nothing_is_synced_again() {
    let mut failed = 0;
    for seed in 0..200 {
        let disk = SimulatedDisk::new(seed);
        disk.plan(Faults { sync_fails_at: Some(20 + seed % 100), ..Faults::default() });
        let Ok((_, journal, facts)) = open(&disk, &config(Acknowledge::Disk)) else { continue };
        let (known, failure) = live(journal, facts, &mut Random::new(seed), 200, 0);
        assert_eq!(known.acknowledged, known.durable, "seed {seed}");
        assert_eq!(disk.syncs_since_failure(), 0, "seed {seed}");
        failed += u64::from(failure.is_some());
    }
    assert!(failed > 50, "only {failed} syncs failed");
}

#[test]
fn what_a_restart_shows_after_a_failed_sync_survives_the_next_power_cut() {
    // A failed sync may leave bytes and names in the page cache that look clean and are not on the disk. Whoever
    // opens the journal then decides on what it reads: it must be there for good.
    for at in 0..150 {
        for cut in 0..4 {
            let disk = SimulatedDisk::new(at);
            disk.plan(Faults { sync_fails_at: Some(at), ..Faults::default() });
            if let Ok((_, journal, facts)) = open(&disk, &config(Acknowledge::Disk)) {
                let _ = live(journal, facts, &mut Random::new(at), 30, 0);
            }
            let disk = disk.kill(at);
            let Ok((_, journal, shown)) = open(&disk, &config(Acknowledge::Disk)) else {
                panic!("operation {at}: refused without damage");
            };
            drop(journal);
            let (_, _, left) = open(&disk.power_cut(cut), &config(Acknowledge::Disk)).unwrap();
            assert_eq!(left, shown, "operation {at}, cut {cut}");
        }
    }
}
