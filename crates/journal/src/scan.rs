//! Reads a journal directory from its first segment to where its records end; changes nothing.
//!
//! Recovery, `verify` and `dump` share this walk. It checks every checksum, every sequence number and the chain
//! through all segments, and hands out a record only after its whole batch was checked. Where the walk ends in the
//! last segment it does not judge: whether that is the end, a torn tail or damage is decided in `tail`.
//!
//! Bound: one segment at a time in memory, at most 1 GiB, its length checked before it is allocated.

use crate::batch::{BatchFault, BatchView, read_batch};
use crate::error::{Damage, JournalError, ReplayError};
use crate::mark::{MARK_NAME, Mark, read_mark};
use crate::payload::{self, PayloadError};
use crate::record::{RecordKind, RecordView};
use crate::seal::{DataKey, SealingKeys, nonce_after};
use crate::segment::{
    BLOCK_BYTES_MIN, CHAIN_START, Chain, HeaderFault, SEGMENT_BYTES_MAX, SEGMENT_HEADER_BYTES, SegmentHeader,
    segment_name, segment_number,
};
use crate::storage::{Storage, StorageFileExt};

/// A record as the journal holds it.
#[derive(Clone, Copy, Debug)]
pub struct RecoveredRecord<'a> {
    /// Position in the journal, first 1.
    pub sequence: u64,
    /// The shard it belongs to.
    pub shard: u16,
    /// When it was decided, microseconds since 1970-01-01 UTC.
    pub at_utc_micros: i64,
    /// What it is.
    pub kind: RecordKind,
    /// How the payload is encoded.
    pub payload_version: u16,
    /// The payload's bytes, opened if they were sealed and the keys were given.
    pub payload: &'a [u8],
    /// Number of its segment.
    pub segment: u64,
    /// Where in the segment, in bytes.
    pub offset: u64,
}

impl RecoveredRecord<'_> {
    /// Decodes the payload.
    ///
    /// # Errors
    /// The version is unknown, or the bytes are not exactly one `F`.
    pub fn decode<F: serde::de::DeserializeOwned>(&self) -> Result<F, PayloadError> {
        payload::decode(self.payload_version, self.payload)
    }

    /// Decodes the payload of a type that was `V1` in version 1.
    ///
    /// # Errors
    /// The version is unknown, or the bytes are not exactly one value of the version's type.
    pub fn decode_since<V1, F>(&self) -> Result<F, PayloadError>
    where
        V1: serde::de::DeserializeOwned,
        F: serde::de::DeserializeOwned + From<V1>,
    {
        payload::decode_since::<V1, F>(self.payload_version, self.payload)
    }
}

/// Takes each record of a scan.
type OnRecord<'a> = dyn FnMut(RecoveredRecord<'_>) -> Result<(), ReplayError> + 'a;

/// Where a scan came to its end, in the last segment.
pub(crate) struct LastSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
    /// Where the next batch would start.
    pub(crate) next_batch_at: u64,
    /// Why no batch was read there.
    pub(crate) fault: BatchFault,
    /// Where the first batch starts that the mark does not know to be synced, if any.
    pub(crate) unsynced_from: Option<u64>,
}

impl LastSegment {
    /// The end of the last byte that is not zero; at least where the next batch would start.
    pub(crate) fn end_of_content(&self) -> u64 {
        let start = usize::try_from(self.next_batch_at).unwrap_or(usize::MAX);
        let rest = self.bytes.get(start..).unwrap_or_default();
        // Compared a block at a time: most of a segment's rest is zeros.
        let zeros = [0; BLOCK_BYTES_MIN as usize];
        let blocks = rest.chunks(zeros.len()).enumerate();
        let last = blocks.rev().find(|(_, block)| **block != zeros[..block.len()]);
        let content = last.map_or(0, |(number, block)| {
            number * zeros.len() + block.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
        });
        self.next_batch_at + content as u64
    }
}

/// What a scan found.
pub(crate) struct Scan {
    pub(crate) mark: Option<Mark>,
    /// The last segment; `None` for a journal without any.
    pub(crate) last: Option<LastSegment>,
    pub(crate) segments: u64,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) first_sequence: u64,
    pub(crate) next_sequence: u64,
    pub(crate) chain: Chain,
}

/// Walks the directory. `node` is checked if given; records up to `after` are not handed out, and segments that hold
/// only such records are not read and may be missing. With `keys`, sealed payloads are opened; without, they are handed
/// out as they are.
pub(crate) fn scan(
    storage: &dyn Storage,
    node: Option<u32>,
    after: u64,
    keys: Option<&SealingKeys>,
    on_record: &mut OnRecord<'_>,
) -> Result<Scan, JournalError> {
    let mark = read_mark(storage)?;
    if let Some(mark) = &mark {
        check_node(storage, MARK_NAME, mark.node, node)?;
    } else {
        let segments = segment_numbers(storage)?.len();
        if segments > 0 {
            return Err(JournalError::MarkMissing { path: storage.path(MARK_NAME), segments });
        }
    }
    let (found, outcome) = scan_while_whole(storage, mark, node, after, keys, on_record);
    outcome.map(|()| found)
}

/// As [`scan`], with the mark given, and with what was found before an error.
pub(crate) fn scan_while_whole(
    storage: &dyn Storage,
    mark: Option<Mark>,
    node: Option<u32>,
    after: u64,
    keys: Option<&SealingKeys>,
    on_record: &mut OnRecord<'_>,
) -> (Scan, Result<(), JournalError>) {
    let mut walk = Walk { storage, node, after, keys, opened: Vec::new(), found: Scan::empty(mark) };
    let outcome = needed_segments(storage, after)
        .and_then(|numbers| numbers.into_iter().try_for_each(|number| walk.segment(number, on_record)));
    (walk.found, outcome)
}

/// The numbers of all segments, in order.
pub(crate) fn segment_numbers(storage: &dyn Storage) -> Result<Vec<u64>, JournalError> {
    let names =
        storage.list().map_err(|source| JournalError::io("list the journal", &storage.path(""), source))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The numbers of the segments that may hold records after `after`, in order. Those before them are not read: a
/// history kept for years must not slow a start down. Damage in them is for `verify` to find.
pub(crate) fn needed_segments(storage: &dyn Storage, after: u64) -> Result<Vec<u64>, JournalError> {
    let mut numbers = segment_numbers(storage)?;
    let mut from = numbers.len();
    while let Some(number) = from.checked_sub(1).and_then(|place| numbers.get(place)) {
        from -= 1;
        // One whose header is not whole is read with the rest, which reports what is at risk.
        let starts_at = header_of(storage, *number)?.map(|header| header.first_sequence);
        if starts_at.is_some_and(|first| first <= after.saturating_add(1)) {
            break;
        }
    }
    numbers.drain(..from);
    Ok(numbers)
}

/// The header of a segment; `None` if it is not whole, which a scan reports with what is at risk.
pub(crate) fn header_of(storage: &dyn Storage, number: u64) -> Result<Option<SegmentHeader>, JournalError> {
    let name = segment_name(number);
    let io = |source| JournalError::io("read a segment", &storage.path(&name), source);
    let mut start = [0; SEGMENT_HEADER_BYTES];
    let read = storage.open_to_read(&name).and_then(|file| file.read_up_to(&mut start, 0)).map_err(io)?;
    Ok(SegmentHeader::decode(&start[..read]).ok())
}

fn check_node(
    storage: &dyn Storage,
    name: &str,
    found: u32,
    expected: Option<u32>,
) -> Result<(), JournalError> {
    match expected {
        Some(expected) if expected != found => {
            Err(JournalError::WrongNode { path: storage.path(name), found, expected })
        }
        _ => Ok(()),
    }
}

impl Scan {
    fn empty(mark: Option<Mark>) -> Self {
        Self {
            mark,
            last: None,
            segments: 0,
            batches: 0,
            records: 0,
            payload_bytes: 0,
            first_sequence: 1,
            next_sequence: 1,
            chain: CHAIN_START,
        }
    }
}

/// The walk in progress: everything found so far, and where the next record must be.
struct Walk<'s> {
    storage: &'s dyn Storage,
    node: Option<u32>,
    after: u64,
    keys: Option<&'s SealingKeys>,
    /// A payload while it is being opened.
    opened: Vec<u8>,
    found: Scan,
}

impl Walk<'_> {
    fn segment(&mut self, number: u64, on_record: &mut OnRecord<'_>) -> Result<(), JournalError> {
        // The buffer of the segment before is reused: one allocation serves the whole walk.
        let mut bytes =
            self.found.last.as_mut().map(|last| std::mem::take(&mut last.bytes)).unwrap_or_default();
        let path = self.storage.path(&segment_name(number));
        let header = self.read_segment(number, &path, &mut bytes)?;
        check_node(self.storage, &segment_name(number), header.node, self.node)?;
        self.check_continues(&header, &path)?;
        let seed = header.seed();
        let synced = self.found.mark.map_or(0, |mark| mark.synced);
        let mut offset = header.first_batch_at();
        let mut unsynced_from = None;
        let data_key = self.data_key(&header, &bytes, &path)?;
        let fault = loop {
            let batch = match read_batch(seed, &bytes, offset) {
                Ok(batch) => batch,
                Err(fault) => break fault,
            };
            if batch.header.key_id != header.key_id {
                break BatchFault::OtherKey { found: batch.header.key_id, expected: header.key_id };
            }
            self.found.chain = match batch.follows(self.found.next_sequence, &self.found.chain) {
                Ok(chain) => chain,
                Err(fault) => break fault,
            };
            for (steps, (at, record)) in (0..).zip(batch.records(seed)) {
                let sealed = data_key.as_ref().map(|key| (key, nonce_after(batch.header.nonce, steps)));
                self.hand_out(number, at, &record, sealed, &path, on_record)?;
            }
            if batch.last_sequence > synced {
                unsynced_from = unsynced_from.or(Some(offset));
            }
            self.count(&batch);
            offset = batch.next_batch_at(header.block_bytes);
        };
        self.found.segments += 1;
        self.found.last =
            Some(LastSegment { header, path, bytes, next_batch_at: offset, fault, unsynced_from });
        Ok(())
    }

    fn count(&mut self, batch: &BatchView<'_>) {
        self.found.batches += 1;
        self.found.records += u64::from(batch.header.records);
        self.found.next_sequence = batch.last_sequence.saturating_add(1);
    }

    fn hand_out(
        &mut self,
        segment: u64,
        offset: u64,
        record: &RecordView<'_>,
        sealed: Option<(&DataKey, [u8; 12])>,
        path: &str,
        on_record: &mut OnRecord<'_>,
    ) -> Result<(), JournalError> {
        let sequence = record.header.sequence;
        self.found.payload_bytes += record.payload.len() as u64;
        if sequence <= self.after {
            return Ok(());
        }
        let payload = match sealed {
            Some((key, nonce)) => {
                self.opened.clear();
                self.opened.extend_from_slice(record.payload);
                let opened = key.open(nonce, &record.header.encode()[4..], &mut self.opened);
                opened.map_err(|because| JournalError::seal(path, offset, because))?
            }
            None => record.payload,
        };
        let recovered = RecoveredRecord {
            sequence,
            shard: record.header.shard,
            at_utc_micros: record.header.at_utc_micros,
            kind: record.kind,
            payload_version: record.header.payload_version,
            payload,
            segment,
            offset,
        };
        on_record(recovered).map_err(|source| JournalError::Replay {
            path: path.to_owned(),
            offset,
            sequence,
            source,
        })
    }

    /// The data key of a segment, if it is sealed and any of its records is to be opened.
    fn data_key(
        &self,
        header: &SegmentHeader,
        bytes: &[u8],
        path: &str,
    ) -> Result<Option<DataKey>, JournalError> {
        if !header.has_whole_data_key(bytes) {
            let found = "the wrapped data key is damaged".to_owned();
            return Err(self.damage(path, 0, found, "it is on disk before the segment gets its name"));
        }
        let Some(keys) = self.keys else { return Ok(None) };
        header.data_key(bytes, keys).map_err(|because| JournalError::seal(path, 0, because))
    }

    /// Reads a whole segment; its header is checked before its length is believed.
    fn read_segment(
        &self,
        number: u64,
        path: &str,
        bytes: &mut Vec<u8>,
    ) -> Result<SegmentHeader, JournalError> {
        let io = |source| JournalError::io("read a segment", path, source);
        let file = self.storage.open_to_read(&segment_name(number)).map_err(io)?;
        let length = file.length().map_err(io)?;
        let mut start = [0; SEGMENT_HEADER_BYTES];
        let read = file.read_up_to(&mut start, 0).map_err(io)?;
        let header = SegmentHeader::decode(&start[..read]).map_err(|fault| self.header_fault(path, fault))?;
        if header.number != number {
            let found = format!("the header says segment {}", header.number);
            return Err(self.damage(path, 0, found, "the file was renamed or misdirected"));
        }
        if length != header.segment_bytes || length > SEGMENT_BYTES_MAX {
            let found = format!("the file has {length} bytes, its header says {}", header.segment_bytes);
            return Err(self.damage(path, 0, found, "a segment has its full length before it gets its name"));
        }
        // Not cleared first: what is there is overwritten, and zeroing it would cost as much as reading.
        bytes.resize(usize::try_from(length).unwrap_or(0), 0);
        let read = file.read_up_to(bytes, 0).map_err(io)?;
        bytes.truncate(read);
        Ok(header)
    }

    fn header_fault(&self, path: &str, fault: HeaderFault) -> JournalError {
        match fault {
            // A later version is not damage: another build can read it.
            HeaderFault::Version { .. } => JournalError::Header { path: path.to_owned(), fault },
            HeaderFault::Short { .. }
            | HeaderFault::Magic
            | HeaderFault::Checksum { .. }
            | HeaderFault::Field { .. } => {
                let proof = "a segment's header is on disk before it gets its name";
                self.damage(path, 0, fault.to_string(), proof)
            }
        }
    }

    /// Checks that a segment begins where the one before it ended.
    fn check_continues(&mut self, header: &SegmentHeader, path: &str) -> Result<(), JournalError> {
        let Some(last) = &self.found.last else {
            return self.check_first(header, path);
        };
        let expected = last.header.number.saturating_add(1);
        if header.number != expected {
            let missing = self.storage.path(&segment_name(expected));
            let proof = format!("segment {} follows it", header.number);
            return Err(self.damage_until(&missing, 0, "the file is missing", &proof, header.first_sequence));
        }
        if header.first_sequence != self.found.next_sequence || header.chain != self.found.chain {
            let proof =
                format!("segment {} continues from sequence {}", header.number, header.first_sequence);
            let found = last.fault.to_string();
            return Err(self.damage_until(
                &last.path.clone(),
                last.next_batch_at,
                &found,
                &proof,
                header.first_sequence,
            ));
        }
        Ok(())
    }

    /// The first segment present: number 1, or one that continues from what the caller already has.
    fn check_first(&mut self, header: &SegmentHeader, path: &str) -> Result<(), JournalError> {
        if header.number == 1 && (header.first_sequence != 1 || header.chain != CHAIN_START) {
            let found = format!("it starts at sequence {}", header.first_sequence);
            return Err(self.damage(path, 0, found, "the first segment starts at sequence 1"));
        }
        if header.first_sequence > self.after.saturating_add(1) {
            self.found.next_sequence = self.after.saturating_add(1);
            let found = format!("the first segment present starts at sequence {}", header.first_sequence);
            return Err(self.damage_until(
                path,
                0,
                &found,
                "the earlier ones are missing",
                header.first_sequence,
            ));
        }
        self.found.first_sequence = header.first_sequence;
        self.found.next_sequence = header.first_sequence;
        self.found.chain = header.chain;
        Ok(())
    }

    fn damage(&self, path: &str, offset: u64, found: String, proof: &str) -> JournalError {
        JournalError::Damage(Damage {
            path: path.to_owned(),
            offset,
            found,
            proof: proof.to_owned(),
            first_at_risk: self.found.next_sequence,
            last_at_risk: None,
        })
    }

    fn damage_until(
        &self,
        path: &str,
        offset: u64,
        found: &str,
        proof: &str,
        next_whole: u64,
    ) -> JournalError {
        let first = self.found.next_sequence;
        JournalError::Damage(Damage {
            path: path.to_owned(),
            offset,
            found: found.to_owned(),
            proof: proof.to_owned(),
            first_at_risk: first,
            last_at_risk: next_whole.checked_sub(1).filter(|last| *last >= first),
        })
    }
}
