//! Cuts a journal that nobody writes at a record: what lies behind it is taken away.
//!
//! For copies only (backups and what is restored from them). The cut may fall inside a batch: the batch is then
//! written again with fewer records. The records themselves, sealed or not, stay byte for byte as they are.

use crate::batch::{
    BATCH_HEADER_BYTES, BATCH_TRAILER_BYTES, BatchHeader, BatchView, chain_after, encode_trailer, read_batch,
};
use crate::error::JournalError;
use crate::mark::{Mark, MarkFile};
use crate::scan::{header_of, segment_numbers};
use crate::segment::{Chain, SegmentHeader, segment_name};
use crate::spare::fill_with_zeros;
use crate::storage::{Storage, StorageFileExt};

/// Takes away every record behind `through`, and writes a mark that knows of nothing more.
///
/// # Errors
/// The journal does not hold record `through`, or the file system refuses.
pub(crate) fn cut_behind(storage: &dyn Storage, node: u32, through: u64) -> Result<(), JournalError> {
    let (header, next_batch_at) = cut_segments(storage, through)?;
    let mark = Mark {
        node,
        clean: false,
        counter: 1,
        synced: through,
        acknowledged: through,
        segment: header.number,
        offset: next_batch_at,
    };
    MarkFile::create(storage, &mark)
}

/// Removes the segments that begin behind `through`, the last first, and cuts the one that holds it.
fn cut_segments(storage: &dyn Storage, through: u64) -> Result<(SegmentHeader, u64), JournalError> {
    for (place, number) in segment_numbers(storage)?.into_iter().enumerate().rev() {
        let header = header_of(storage, number)?.ok_or_else(|| not_there(storage, through))?;
        // The first segment stays even when nothing in it does: a journal has one.
        if place == 0 || header.first_sequence <= through {
            return cut_segment(storage, &header, through).map(|next_batch_at| (header, next_batch_at));
        }
        let name = segment_name(number);
        let removed = storage.remove(&name).and_then(|()| storage.sync_directory());
        removed.map_err(|source| JournalError::io("take a segment away", &storage.path(&name), source))?;
    }
    Err(not_there(storage, through))
}

/// Cuts one segment; where its next batch would start.
fn cut_segment(storage: &dyn Storage, header: &SegmentHeader, through: u64) -> Result<u64, JournalError> {
    let name = segment_name(header.number);
    let path = storage.path(&name);
    let io = |source| JournalError::io("cut a segment", &path, source);
    let mut bytes = vec![0; usize::try_from(header.segment_bytes).unwrap_or(0)];
    let mut file = storage.open(&name).map_err(io)?;
    let read = file.read_up_to(&mut bytes, 0).map_err(io)?;
    bytes.truncate(read);
    let (mut at, mut chain, mut next) = (header.first_batch_at(), header.chain, header.first_sequence);
    while next <= through {
        let batch = read_batch(header.seed(), &bytes, at).map_err(|_| not_there(storage, through))?;
        let follows = batch.follows(next, &chain).map_err(|_| not_there(storage, through))?;
        if batch.last_sequence > through {
            let shorter = shortened(&batch, header, &chain, through);
            file.write_all_at(&shorter, at).map_err(io)?;
            at += shorter.len() as u64;
            break;
        }
        at = batch.next_batch_at(header.block_bytes);
        (chain, next) = (follows, batch.last_sequence.saturating_add(1));
    }
    fill_with_zeros(&mut *file, at, header.segment_bytes).map_err(io)?;
    file.sync().map_err(io)?;
    Ok(at)
}

/// The batch with the records up to `through` alone, and the zeros up to the next block.
fn shortened(batch: &BatchView<'_>, segment: &SegmentHeader, chain: &Chain, through: u64) -> Vec<u8> {
    let seed = segment.seed();
    let kept = batch.records(seed).take_while(|(_, record)| record.header.sequence <= through);
    let (records, length) =
        kept.fold((0, 0), |(records, length), (_, record)| (records + 1, length + record.bytes));
    let whole = BATCH_HEADER_BYTES + length + BATCH_TRAILER_BYTES;
    // Shorter than the batch it was: the length fits.
    let batch_bytes = u32::try_from(whole).unwrap_or(batch.header.batch_bytes);
    let header = BatchHeader { records, batch_bytes, ..batch.header };
    let mut bytes = header.encode(seed).to_vec();
    bytes.extend_from_slice(batch.records.get(..length).unwrap_or_default());
    let chain = chain_after(chain, &bytes);
    bytes.extend_from_slice(&encode_trailer(seed, through, &chain));
    bytes.resize(bytes.len().next_multiple_of(segment.block_bytes as usize), 0);
    bytes
}

fn not_there(storage: &dyn Storage, through: u64) -> JournalError {
    JournalError::EndsBefore { path: storage.path(""), sequence: through }
}
