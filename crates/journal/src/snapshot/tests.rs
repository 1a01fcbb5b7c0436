//! Snapshots on the simulated disk: whole or not there, through any crash and any flipped bit.

use std::sync::Arc;

use super::{
    DiskShare, HEADER_BYTES, Kept, OpenSnapshot, SLICE_BYTES_MAX, Slice, SnapshotError, SnapshotHeader,
    SnapshotWriter, generations, kept, set_aside, snapshot_name, verify,
};
use crate::simulated_disk::{Faults, Random, SimulatedDisk};
use crate::storage::Storage;

/// The slices of a generation: a few shards, each in two pieces and a control total.
fn slices(generation: u64) -> Vec<Read> {
    let mut slices = Vec::new();
    for shard in 0..4_u16 {
        for piece in 0..2_u8 {
            slices.push((
                shard,
                1,
                generation * 100 + u64::from(shard),
                vec![piece; 300 * usize::from(shard)],
            ));
        }
        slices.push((shard, 2, generation * 100 + u64::from(shard), generation.to_le_bytes().to_vec()));
    }
    slices
}

fn write(disk: &SimulatedDisk, generation: u64) -> Result<Kept, SnapshotError> {
    let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), 1, generation * 100, 5)?;
    for (shard, kind, through, payload) in slices(generation) {
        writer.push(&Slice { shard, kind, through, payload_version: 1, payload: &payload })?;
    }
    writer.finish()
}

/// A slice as it was read: shard, kind, through, payload.
type Read = (u16, u16, u64, Vec<u8>);

/// Every slice of the newest snapshot that is whole, read in parts; also how many were passed over.
fn read_newest(disk: &SimulatedDisk) -> (u64, Vec<Read>, Vec<SnapshotError>) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut passed_over = Vec::new();
    for generation in generations(&*storage).unwrap() {
        match read(&storage, generation) {
            Ok((header, slices)) => return (header.through / 100, slices, passed_over),
            Err(error) => passed_over.push(error),
        }
    }
    (0, Vec::new(), passed_over)
}

fn read(storage: &Arc<dyn Storage>, generation: u64) -> Result<(SnapshotHeader, Vec<Read>), SnapshotError> {
    let snapshot = OpenSnapshot::open(storage, 1, generation)?;
    let mut reader = snapshot.reader()?;
    let mut slices = Vec::new();
    for part in snapshot.parts() {
        let slice = reader.read(part)?;
        slices.push((slice.shard, slice.kind, slice.through, slice.payload.to_vec()));
    }
    Ok((*snapshot.header(), slices))
}

/// The generation read (0 for none), its slices checked; and how many were passed over.
fn restored(disk: &SimulatedDisk) -> (u64, usize) {
    let (generation, found, passed_over) = read_newest(disk);
    assert_eq!(found, if generation == 0 { Vec::new() } else { slices(generation) });
    for error in &passed_over {
        let whole = generations(disk).unwrap().iter().all(|generation| verify(disk, *generation).is_ok());
        assert!(!whole, "verify finds no fault where reading found {error}");
    }
    (generation, passed_over.len())
}

#[test]
fn two_generations_are_kept_and_the_older_says_what_may_be_retired() {
    let disk = SimulatedDisk::new(0);
    assert_eq!(restored(&disk), (0, 0));
    assert_eq!(write(&disk, 1).unwrap().retire_through, 0);
    assert_eq!(write(&disk, 2).unwrap().retire_through, 100);
    assert_eq!(write(&disk, 3).unwrap().retire_through, 200);
    let there = kept(&disk).unwrap().unwrap();
    assert_eq!((there.newest.generation, there.retire_through), (3, 200), "as a later process finds them");
    assert_eq!(restored(&disk), (3, 0));
    let names: Vec<String> = disk.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [snapshot_name(2), snapshot_name(3)]);
}

#[test]
fn a_power_cut_at_any_operation_leaves_a_whole_snapshot() {
    let mut lost = 0;
    for seed in 0..1_500 {
        let disk = SimulatedDisk::new(seed);
        write(&disk, 1).unwrap();
        let at = disk.operations() + seed % 30;
        disk.plan(Faults { power_fails_at: Some(at), short_writes: true, ..Faults::default() });
        let finished = (2..=3).take_while(|generation| write(&disk, *generation).is_ok()).count() as u64;
        let (generation, passed_over) = restored(&disk.power_cut(seed));
        assert!(generation > finished, "seed {seed}: {generation} after {finished} were finished");
        assert_eq!(passed_over, 0, "seed {seed}: a name on a file that is not whole");
        lost += u64::from(generation < 3);
    }
    assert!(lost > 100, "the power must fail in the middle");
}

#[test]
fn a_flipped_bit_is_passed_over_for_the_generation_before() {
    let mut random = Random::new(1);
    for _ in 0..400 {
        let disk = SimulatedDisk::new(0);
        write(&disk, 1).unwrap();
        write(&disk, 2).unwrap();
        let length = disk.contents(&snapshot_name(2)).unwrap().len();
        disk.flip_bit(&snapshot_name(2), random.below(length as u64) as usize, random.below(8) as u32);
        assert_eq!(restored(&disk), (1, 1));
    }
}

#[test]
fn a_damaged_snapshot_that_was_set_aside_counts_for_nothing_and_its_number_is_not_given_again() {
    let disk = SimulatedDisk::new(0);
    write(&disk, 1).unwrap();
    write(&disk, 2).unwrap();
    set_aside(&disk, 2, 9).unwrap();
    assert_eq!(restored(&disk), (1, 0));
    let kept = write(&disk, 3).unwrap();
    assert_eq!((kept.newest.generation, kept.retire_through), (3, 100));
    let names: Vec<String> = disk.files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [format!("damaged-{}", snapshot_name(2)), snapshot_name(1), snapshot_name(3)]);
}

#[test]
fn a_snapshot_that_does_not_read_back_gets_no_name() {
    for at in 0..40 {
        let disk = SimulatedDisk::new(at);
        write(&disk, 1).unwrap();
        let at = disk.operations() + at;
        disk.plan(Faults { write_lost_at: Some(at), ..Faults::default() });
        let finished = write(&disk, 2).is_ok();
        assert_eq!(restored(&disk), (if finished { 2 } else { 1 }, 0));
    }
}

#[test]
fn a_snapshot_of_several_writes_is_read_back_to_its_end() {
    // Longer than what is written at once, so that a write behind a whole header can be lost.
    let payload = vec![7; 200 * 1024];
    let large = |disk: &SimulatedDisk| {
        let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), 1, 200, 5)?;
        for shard in 0..4 {
            writer.push(&Slice { shard, kind: 1, through: 200, payload_version: 1, payload: &payload })?;
        }
        writer.finish()
    };
    let mut refused = 0;
    for at in 0..12 {
        let disk = SimulatedDisk::new(at);
        write(&disk, 1).unwrap();
        disk.plan(Faults { write_lost_at: Some(disk.operations() + at), ..Faults::default() });
        match large(&disk) {
            Ok(kept) => assert!(verify(&disk, kept.newest.generation).is_ok(), "operation {at}"),
            Err(_) => {
                refused += 1;
                assert_eq!(restored(&disk), (1, 0));
            }
        }
    }
    assert!(refused >= 4, "{refused} of the writes");
}

#[test]
fn a_snapshot_that_does_not_fit_leaves_the_disk_as_it_was() {
    let disk = SimulatedDisk::new(0);
    write(&disk, 1).unwrap();
    let before = disk.files();
    disk.plan(Faults { capacity_bytes: Some(6_000), ..Faults::default() });
    let error = write(&disk, 2).unwrap_err().to_string();
    assert!(error.starts_with("cannot write a snapshot, file simulated/snapshot-"), "{error}");
    assert_eq!((disk.files(), restored(&disk)), (before, (1, 0)));
}

#[test]
fn each_bad_slice_is_named() {
    let disk = SimulatedDisk::new(0);
    let mut writer = SnapshotWriter::begin(Arc::new(disk), 1, 100, 5).unwrap();
    let long = vec![0; SLICE_BYTES_MAX + 1];
    let slice = |through, payload| Slice { shard: 9, kind: 1, through, payload_version: 1, payload };
    let message = writer.push(&slice(100, &long)).unwrap_err().to_string();
    assert_eq!(message, "slice of 16777217 bytes for shard 9 exceeds the maximum of 16777216");
    let message = writer.push(&slice(99, &[])).unwrap_err().to_string();
    assert_eq!(message, "slice of shard 9 holds records up to 99, the snapshot promises 100");
}

#[test]
fn the_snapshot_of_another_node_is_refused() {
    let disk = SimulatedDisk::new(0);
    write(&disk, 1).unwrap();
    let storage: Arc<dyn Storage> = Arc::new(disk);
    let error = OpenSnapshot::open(&storage, 2, 1).err().unwrap();
    assert!(error.to_string().ends_with("was made by node 1, this switch is node 2"), "{error}");
}

#[test]
fn a_slice_that_lies_about_its_length_is_refused_before_it_is_allocated() {
    let disk = SimulatedDisk::new(0);
    write(&disk, 1).unwrap();
    let mut bytes = disk.contents(&snapshot_name(1)).unwrap();
    bytes[HEADER_BYTES + 8..HEADER_BYTES + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    disk.put(&snapshot_name(1), &bytes);
    let (_, _, passed_over) = read_newest(&disk);
    assert!(passed_over[0].to_string().contains("more bytes than there can be"), "{passed_over:?}");
}

/// Pinned like the journal's own format: a change needs a new version. See `tests/golden.rs`.
#[test]
fn version_1_is_written_byte_by_byte_and_read() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1").join(snapshot_name(1));
    let disk = SimulatedDisk::new(0);
    write(&disk, 1).unwrap();
    let today = disk.contents(&snapshot_name(1)).unwrap();
    if std::env::var_os("JOURNAL_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &today).unwrap();
    }
    let kept = std::fs::read(path).unwrap();
    assert!(kept == today, "today's snapshot differs from the golden file");
    let old = SimulatedDisk::new(0);
    old.put(&snapshot_name(1), &kept);
    assert_eq!(restored(&old), (1, 0));
}

/// A sealing key of one digit.
fn keys(digit: &str) -> crate::SealingKeys {
    crate::SealingKeys::parse([digit.repeat(64).as_str()]).unwrap()
}

#[test]
fn a_sealed_snapshot_opens_under_its_key_alone_and_shows_no_payload() {
    let disk = SimulatedDisk::new(7).with_keys(keys("7"));
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut writer = SnapshotWriter::begin(Arc::clone(&storage), 1, 5, 9).unwrap();
    for (shard, payload) in [(3, "who bought what"), (4, "who bought more")] {
        let payload = payload.as_bytes();
        writer.push(&Slice { shard, kind: 1, through: 5, payload_version: 2, payload }).unwrap();
    }
    writer.finish().unwrap();
    let bytes = disk.contents(&snapshot_name(1)).unwrap();
    assert!(!bytes.windows(10).any(|window| window == b"who bought"), "a payload can be read");
    // Both begin alike; under one nonce their ciphertexts would too.
    let first = HEADER_BYTES + 40;
    let second = first + "who bought what".len() + 16 + 40;
    assert_ne!(bytes[first..first + 10], bytes[second..second + 10]);

    let opened = OpenSnapshot::open(&storage, 1, 1).unwrap();
    let mut reader = opened.reader().unwrap();
    let payloads: Vec<Vec<u8>> =
        opened.parts().iter().map(|part| reader.read(part).unwrap().payload.to_vec()).collect();
    assert_eq!(payloads, [b"who bought what".to_vec(), b"who bought more".to_vec()]);
    // Whole or not can be told without the key.
    verify(&disk, 1).unwrap();
    for other in [disk.clone().with_keys(keys("8")), disk.clone().with_keys(crate::SealingKeys::default())] {
        let storage: Arc<dyn Storage> = Arc::new(other);
        let error = OpenSnapshot::open(&storage, 1, 1).err().unwrap().to_string();
        assert!(error.contains(&format!("sealed under key {:08x}", keys("7").newest())), "{error}");
    }
}

#[test]
fn beside_a_journal_the_disk_is_never_given_more_than_256_kib_at_once() {
    let operations = |disk_share| {
        let disk = SimulatedDisk::new(0);
        let writer = SnapshotWriter::begin(Arc::new(disk.clone()), 1, 100, 5).unwrap();
        let mut writer = writer.sharing(disk_share);
        let payload = vec![7; 1024 * 1024];
        writer
            .push(&Slice { shard: 0, kind: 1, through: 100, payload_version: 1, payload: &payload })
            .unwrap();
        disk.operations()
    };
    let alone = operations(DiskShare::Alone);
    // The same four writes, with a sync behind each of them.
    assert_eq!(operations(DiskShare::BesideTheJournal), alone + 4);
}
