//! Sealed journals: nothing readable on the disk, nothing opened without the key, nothing lost by a rotation.

use std::collections::HashSet;

use super::life::{Facts, config, keys, live, open};
use crate::record::RECORD_HEADER_BYTES;
use crate::segment::{SegmentHeader, segment_name, segment_number};
use crate::simulated_disk::{Random, SimulatedDisk};
use crate::{Acknowledge, JournalConfig, JournalError, SealError, SealingKeys, batch::read_batch};

fn sealed(keys: SealingKeys) -> JournalConfig {
    JournalConfig { keys, ..config(Acknowledge::Disk) }
}

/// Runs a life under `keys` on what is there; the facts on the disk at its end.
fn run(disk: &SimulatedDisk, keys: SealingKeys, seed: u64) -> Facts {
    let (_, journal, facts) = open(disk, &sealed(keys)).unwrap();
    let (known, failure) = live(journal, facts, &mut Random::new(seed), 20, 0);
    assert!(failure.is_none(), "{failure:?}");
    known.handed_over[..known.durable].to_vec()
}

/// Key id of each segment, in order, and every nonce with the key of its segment.
fn seals(disk: &SimulatedDisk) -> (Vec<u32>, Vec<(u64, [u8; 12])>) {
    let (mut ids, mut nonces) = (Vec::new(), Vec::new());
    for number in disk.files().iter().filter_map(|(name, _)| segment_number(name)) {
        let bytes = disk.contents(&segment_name(number)).unwrap();
        let header = SegmentHeader::decode(&bytes).unwrap();
        ids.push(header.key_id);
        let mut at = header.first_batch_at();
        while let Ok(batch) = read_batch(header.seed(), &bytes, at) {
            for step in 0..batch.header.records {
                nonces.push((number, crate::seal::nonce_after(batch.header.nonce, step)));
            }
            at = batch.next_batch_at(header.block_bytes);
        }
    }
    (ids, nonces)
}

#[test]
fn a_sealed_journal_reads_back_under_its_key_and_shows_no_payload() {
    let disk = SimulatedDisk::new(1);
    let facts = run(&disk, keys(false), 1);
    assert_eq!(open(&disk.kill(1), &sealed(keys(false))).unwrap().2, facts);
    // Every payload of this world is filled with this byte.
    for (name, _) in disk.files() {
        let bytes = disk.contents(&name).unwrap();
        assert!(!bytes.windows(16).any(|window| window == [0xa5; 16]), "{name} shows a payload");
    }
    let clear = SimulatedDisk::new(1);
    run(&clear, SealingKeys::default(), 1);
    let bytes = clear.contents(&segment_name(1)).unwrap();
    assert!(bytes.windows(16).any(|window| window == [0xa5; 16]), "the test would see one");
}

#[test]
fn without_its_key_it_is_refused_by_the_keys_id() {
    let disk = SimulatedDisk::new(2);
    run(&disk, keys(false), 2);
    let id = keys(false).newest();
    let other = SealingKeys::parse(["77".repeat(32).as_str()]).unwrap();
    for keys in [SealingKeys::default(), other] {
        let error = open(&disk.kill(2), &sealed(keys)).err().unwrap();
        let is_missing = matches!(&error, JournalError::Seal { because: SealError::Missing { id: found, .. }, .. } if *found == id);
        assert!(is_missing && error.to_string().contains(&format!("sealed under key {id:08x}")), "{error}");
    }
    // Whether it is whole can be told without.
    let disk = disk.kill(2);
    assert_eq!(crate::verify(&disk, None).unwrap().key_id, id);
    crate::verify(&disk, Some(&keys(false))).unwrap();
    assert!(crate::verify(&disk, Some(&SealingKeys::default())).is_err());
}

#[test]
fn a_rotation_continues_in_a_new_segment_and_reads_what_was_before() {
    let disk = SimulatedDisk::new(3);
    run(&disk, SealingKeys::default(), 3);
    let disk = disk.kill(3);
    run(&disk, keys(false), 4);
    let disk = disk.kill(3);
    let facts = run(&disk, keys(true), 5);
    let (ids, _) = seals(&disk);
    let mut changes = ids.clone();
    changes.dedup();
    assert_eq!(changes, [0, keys(false).newest(), keys(true).newest()], "{ids:08x?}");
    let uses = crate::keys_in_use(&disk).unwrap();
    let of = |key: u32| ids.iter().filter(|id| **id == key).count() as u64;
    let segments: Vec<(u32, u64)> = uses.iter().map(|(key, uses)| (*key, uses.segments)).collect();
    let mut expected = [keys(false).newest(), keys(true).newest()].map(|key| (key, of(key)));
    expected.sort_unstable();
    assert_eq!(segments, expected, "what lies in clear needs no key");
    let disk = disk.kill(3);
    assert_eq!(open(&disk, &sealed(keys(true))).unwrap().2, facts);
    let only_new = SealingKeys::parse(["5a".repeat(32).as_str()]).unwrap();
    assert!(open(&disk.kill(3), &sealed(only_new)).is_err(), "the old key is still needed");
}

#[test]
fn nothing_is_sealed_under_an_old_key_once_there_is_a_new_one() {
    // Some of the old lives leave a segment with room for what comes next.
    for seed in 0..12 {
        let disk = SimulatedDisk::new(seed);
        let before = run(&disk, keys(false), seed).len() as u64;
        let disk = disk.kill(seed);
        let after = run(&disk, keys(true), seed + 100).len() as u64;
        assert!(after > before, "something was written under the new key");
        let files = disk.files();
        let mut headers = files
            .iter()
            .filter_map(|(name, _)| segment_number(name))
            .map(|number| SegmentHeader::decode(&disk.contents(&segment_name(number)).unwrap()).unwrap());
        let of_first = headers.rfind(|header| header.first_sequence <= before + 1).unwrap();
        assert_eq!(of_first.key_id, keys(true).newest(), "seed {seed}: record {}", before + 1);
    }
}

#[test]
fn no_nonce_is_used_twice_across_restarts_and_torn_tails() {
    let mut used: HashSet<(u64, [u8; 12])> = HashSet::new();
    let mut disk = SimulatedDisk::new(4);
    let mut before: HashSet<(u64, [u8; 12])> = HashSet::new();
    for life in 0..30 {
        run(&disk, keys(false), life);
        let now: HashSet<_> = seals(&disk).1.into_iter().collect();
        for new in now.difference(&before) {
            assert!(used.insert(*new), "life {life}: nonce {new:?} was used before");
        }
        // A tail goes lost now and then, and its sequences are written again.
        disk = if life % 2 == 0 { disk.power_cut(life) } else { disk.kill(life) };
        open(&disk, &sealed(keys(false))).unwrap();
        disk = disk.kill(life);
        before = seals(&disk).1.into_iter().collect();
    }
    assert!(used.len() > 300, "{}", used.len());
}

#[test]
fn a_payload_moved_under_a_right_checksum_does_not_open() {
    let disk = SimulatedDisk::new(5);
    run(&disk, keys(false), 5);
    let name = segment_name(1);
    let mut bytes = disk.contents(&name).unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    let batch = read_batch(header.seed(), &bytes, header.first_batch_at()).unwrap();
    let at = usize::try_from(batch.records_at).unwrap();
    let sequence = batch.header.first_sequence;
    // Another shard, and a checksum made for it: only the seal can tell.
    bytes[at + 28] ^= 1;
    crate::record::place_record(header.seed(), sequence, 0, &mut bytes[at..]).unwrap();
    assert!(bytes.len() > at + RECORD_HEADER_BYTES);
    let record = crate::record::read_record(header.seed(), &bytes[at..]).unwrap();
    let data_key = header.data_key(&bytes, &keys(false)).unwrap().unwrap();
    let mut payload = record.payload.to_vec();
    let opened = data_key.open(batch_nonce(&disk), &record.header.encode()[4..], &mut payload).map(drop);
    assert_eq!(opened, Err(SealError::DoesNotOpen));
}

fn batch_nonce(disk: &SimulatedDisk) -> [u8; 12] {
    let bytes = disk.contents(&segment_name(1)).unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    read_batch(header.seed(), &bytes, header.first_batch_at()).unwrap().header.nonce
}

#[test]
fn a_damaged_data_key_is_damage_also_for_those_without_the_key() {
    let disk = SimulatedDisk::new(6);
    run(&disk, keys(false), 6);
    disk.flip_bit(&segment_name(1), 160, 3);
    let disk = disk.kill(6);
    let message = crate::verify(&disk, None).unwrap_err().to_string();
    assert!(message.contains("the wrapped data key is damaged"), "{message}");
    let message = open(&disk, &sealed(keys(false))).err().unwrap().to_string();
    assert!(message.contains("the wrapped data key is damaged"), "{message}");
}

#[test]
fn batches_that_only_fit_in_clear_are_refused_by_the_settings() {
    let good = sealed(keys(false));
    good.check().unwrap();
    let tight = JournalConfig { batch_bytes_max: 3_400, write_bytes_max: 3_400, ..good };
    let message = tight.check().unwrap_err().to_string();
    assert!(message.contains("with sealing keys"), "{message}");
}
