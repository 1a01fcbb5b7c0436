//! Whatever is written in whatever portions comes back the same, for any layout that the settings allow.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{any, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::{Just, Strategy};
use proptest::test_runner::Config;

use super::life::config;
use crate::simulated_disk::SimulatedDisk;
use crate::writer::Step;
use crate::{Acknowledge, Batch, JournalConfig};

type Fact = (u16, i64, Vec<u8>);

/// Payload lengths at and around every boundary of the layout.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let lengths = prop_oneof![0..20_usize, 300..700_usize, 3_900..4_200_usize];
    (lengths, any::<u8>()).prop_map(|(length, filler)| vec![filler; length])
}

fn batches() -> impl Strategy<Value = Vec<Vec<Fact>>> {
    vec(vec((any::<u16>(), any::<i64>(), payload()), 0..5), 0..20)
}

fn layouts() -> impl Strategy<Value = JournalConfig> {
    let blocks = prop_oneof![Just(512_u32), Just(1024), Just(4096), Just(8192)];
    (blocks, 5_u64..12).prop_map(|(block_bytes, blocks)| JournalConfig {
        block_bytes,
        segment_bytes: (u64::from(block_bytes) * blocks).max(32_768),
        batch_bytes_max: 22_000,
        write_bytes_max: 22_000,
        ..config(Acknowledge::Disk)
    })
}

fn read(disk: &SimulatedDisk, config: &JournalConfig) -> (crate::Journal, Vec<Fact>) {
    let mut facts = Vec::new();
    let (_, journal) = crate::open_on(config.clone(), Arc::new(disk.clone()), 0, |record| {
        assert_eq!(record.sequence, facts.len() as u64 + 1);
        facts.push((record.shard, record.at_utc_micros, record.payload.to_vec()));
        Ok::<_, &str>(())
    })
    .unwrap();
    (journal, facts)
}

/// Writes in two lives; the layout may change between them.
fn write(disk: &SimulatedDisk, config: &JournalConfig, batches: &[Vec<Fact>]) {
    let (journal, _) = read(disk, config);
    let (handle, mut writer, mut upkeep) = journal.split(|_: &mut Vec<()>| {}, Arc::new(()));
    for facts in batches {
        let mut records = handle.buffer();
        for (shard, at, payload) in facts {
            records.push_encoded(*shard, *at, 1, payload).unwrap();
        }
        handle.append(Batch { records, release: () }).unwrap();
        // Every other batch waits for company: one write then carries several.
        if handle.queued_batches() > 1 {
            upkeep.look().unwrap();
            while writer.step().unwrap() == Step::Wrote {
                upkeep.look().unwrap();
            }
        }
    }
    upkeep.look().unwrap();
    while writer.step().unwrap() == Step::Wrote {
        upkeep.look().unwrap();
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, failure_persistence: None, ..Config::default() })]

    #[test]
    fn what_is_written_is_read(first in batches(), second in batches(), before in layouts(), after in layouts()) {
        let disk = SimulatedDisk::new(0);
        write(&disk, &before, &first);
        write(&disk, &after, &second);
        let expected: Vec<Fact> = first.into_iter().chain(second).flatten().collect();
        prop_assert_eq!(read(&disk, &after).1, expected);
    }
}
