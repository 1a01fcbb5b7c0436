//! Opens a journal: lock, read, judge, mend what may be mended, and stand ready to write.
//!
//! ```text
//! lock the directory ── scan every segment ── judge the end ── cut a torn tail ── write the unsynced part again
//!                       (records handed out)  (refuse damage)  (zeros, synced)    and sync it ── new mark, synced
//! ```
//!
//! Guarantees: the records handed out are a prefix of the journal that holds everything acknowledged as durable, or
//! the journal refuses to open. Opening it again gives the same records: the mending is finished before the first
//! new write, and a crash in the middle of it leaves a state that is judged the same way.
//!
//! The part that the mark does not know to be synced is **written again**, not only synced again: after a failed
//! sync the kernel may show bytes that never reached the disk and report success for the next sync.

use std::any::Any;
use std::io;
use std::sync::Arc;

use crate::config::JournalConfig;
use crate::error::{Damage, JournalError, ReplayError};
use crate::file_storage::{FileStorage, LOCK_NAME};
use crate::log::{ActiveSegment, Log};
use crate::mark::{MARK_NAME, Mark, MarkFile};
use crate::scan::{LastSegment, RecoveredRecord, Scan, scan};
use crate::seal::SealingKeys;
use crate::segment::{CHAIN_START, SegmentHeader};
use crate::spare::{Spare, fill_with_zeros, is_half_made, ready_serial};
use crate::storage::{Storage, StorageFileExt};
use crate::tail::{Tail, judge};

/// What was read when the journal was opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recovered {
    /// Segments read.
    pub segments: u64,
    /// Batches read.
    pub batches: u64,
    /// Records read.
    pub records: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Sequence of the first record read.
    pub first_sequence: u64,
    /// Sequence of the last record; 0 when there is none.
    pub last_sequence: u64,
    /// How the journal ended.
    pub tail: Tail,
    /// Whether the last process shut down in an orderly way.
    pub clean_shutdown: bool,
    /// Whether the directory was empty.
    pub created: bool,
}

/// An open journal, every record handed out, ready to be started.
pub struct Journal {
    pub(crate) config: JournalConfig,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) log: Log,
    pub(crate) spares: Vec<Spare>,
    pub(crate) next_serial: u64,
    pub(crate) lock: Box<dyn Any + Send + Sync>,
}

/// Opens the journal in `config.directory`, creating it if it is missing, and hands every record to `on_record`.
///
/// # Errors
/// A setting is out of range, another process holds the directory, the journal is damaged, `on_record` refuses a
/// record, or the file system does.
pub fn open<E>(
    config: JournalConfig,
    on_record: impl FnMut(RecoveredRecord<'_>) -> Result<(), E>,
) -> Result<(Recovered, Journal), JournalError>
where
    E: Into<ReplayError>,
{
    config.check()?;
    let path = config.directory.display().to_string();
    let storage = FileStorage::create_or_open(&config.directory)
        .map_err(|source| JournalError::io("open the journal directory", &path, source))?;
    open_on(config, Arc::new(storage), 0, on_record)
}

/// Opens the journal on any storage, handing out the records after sequence `after`. Segments that hold only
/// earlier records may be missing.
///
/// # Errors
/// As [`open`]; also when the journal ends before `after`.
pub fn open_on<E>(
    config: JournalConfig,
    storage: Arc<dyn Storage>,
    after: u64,
    mut on_record: impl FnMut(RecoveredRecord<'_>) -> Result<(), E>,
) -> Result<(Recovered, Journal), JournalError>
where
    E: Into<ReplayError>,
{
    config.check()?;
    let lock = take_lock(&*storage)?;
    let mut on_record = |record: RecoveredRecord<'_>| on_record(record).map_err(Into::into);
    let mut found = scan(&*storage, Some(config.node), after, Some(&config.keys), &mut on_record)?;
    let tail = judge(&*storage, &found)?;
    check_reaches(&*storage, &found, after)?;
    let created = found.mark.is_none();
    if created {
        MarkFile::create(&*storage, &Mark { node: config.node, ..Mark::default() })?;
    }
    let (mut spares, next_serial) = adopt_spares(&*storage, &config)?;
    // A killed process may have left names that we see and the disk does not have yet.
    storage
        .sync_directory()
        .map_err(|source| JournalError::io("sync the journal directory", &storage.path(""), source))?;
    let recovered = report(&found, tail, created);
    let active = match found.last.take() {
        Some(last) => mend(&*storage, last, &config.keys)?,
        None => first_segment(&*storage, &config, spares.pop(), next_serial)?,
    };
    let mark = found.mark.unwrap_or(Mark { node: config.node, ..Mark::default() });
    let mark = MarkFile::open(&*storage, mark)?;
    let mut log = Log::new(
        storage.clone(),
        active,
        config.block_bytes,
        found.next_sequence,
        found.chain,
        mark,
        config.keys.clone(),
    )?;
    // Both slots are made to say the same: no older mark can come back.
    for _ in 0..2 {
        log.mark(log.synced(), false)?;
        log.sync_mark()?;
    }
    Ok((
        recovered,
        Journal { config, storage, log, spares, next_serial: next_serial.saturating_add(1), lock },
    ))
}

pub(crate) fn take_lock(storage: &dyn Storage) -> Result<Box<dyn Any + Send + Sync>, JournalError> {
    let path = storage.path(LOCK_NAME);
    storage.lock().map_err(|source| lock_error(path, source))
}

/// What a refused lock means.
pub(crate) fn lock_error(path: String, source: io::Error) -> JournalError {
    if source.kind() == io::ErrorKind::WouldBlock {
        return JournalError::Locked { path };
    }
    JournalError::io("lock the journal directory", &path, source)
}

/// A caller that already holds everything up to `after` must find the journal at least there.
fn check_reaches(storage: &dyn Storage, found: &Scan, after: u64) -> Result<(), JournalError> {
    if found.next_sequence > after {
        return Ok(());
    }
    let path = found.last.as_ref().map_or_else(|| storage.path(""), |last| last.path.clone());
    Err(JournalError::Damage(Damage {
        path,
        offset: found.last.as_ref().map_or(0, |last| last.next_batch_at),
        found: format!("the journal ends at sequence {}", found.next_sequence - 1),
        proof: format!("the state to continue from was made after sequence {after}"),
        first_at_risk: found.next_sequence,
        last_at_risk: Some(after),
    }))
}

fn report(found: &Scan, tail: Tail, created: bool) -> Recovered {
    Recovered {
        segments: found.segments,
        batches: found.batches,
        records: found.records,
        payload_bytes: found.payload_bytes,
        first_sequence: found.first_sequence,
        last_sequence: found.next_sequence - 1,
        tail,
        clean_shutdown: found.mark.is_some_and(|mark| mark.clean),
        created,
    }
}

/// Cuts what lies behind the last whole batch, and makes sure that everything before it is on disk.
fn mend(storage: &dyn Storage, last: LastSegment, keys: &SealingKeys) -> Result<ActiveSegment, JournalError> {
    let data_key = last.header.data_key(&last.bytes, keys);
    let data_key = data_key.map_err(|because| JournalError::seal(&last.path, 0, because))?;
    let io = |source| JournalError::io("mend the last segment", &last.path, source);
    let name = crate::segment::segment_name(last.header.number);
    let mut file = storage.open(&name).map_err(io)?;
    let start = usize::try_from(last.next_batch_at).unwrap_or(usize::MAX);
    fill_with_zeros(&mut *file, last.next_batch_at, last.end_of_content()).map_err(io)?;
    let unsynced = last.unsynced_from.and_then(|from| usize::try_from(from).ok());
    if let Some((from, bytes)) = unsynced.and_then(|from| Some((from, last.bytes.get(from..start)?))) {
        file.write_all_at(bytes, from as u64).map_err(io)?;
    }
    file.sync().map_err(io)?;
    Ok(ActiveSegment { file, header: last.header, next_batch_at: last.next_batch_at, data_key })
}

/// Begins a journal in an empty directory.
fn first_segment(
    storage: &dyn Storage,
    config: &JournalConfig,
    spare: Option<Spare>,
    serial: u64,
) -> Result<ActiveSegment, JournalError> {
    let spare = match spare {
        Some(spare) => spare,
        None => Spare::make(storage, serial, config.segment_bytes)?,
    };
    let header = SegmentHeader {
        node: config.node,
        number: 1,
        first_sequence: 1,
        segment_bytes: spare.bytes,
        block_bytes: config.block_bytes,
        opened_at_utc_micros: 0,
        chain: CHAIN_START,
        key_id: config.keys.newest(),
    };
    let (file, data_key) = spare.activate(storage, &header, &config.keys)?;
    let next_batch_at = header.first_batch_at();
    Ok(ActiveSegment { file, header, next_batch_at, data_key })
}

/// Takes over ready spares of today's size, removes what is half-made or of another size; also the first free
/// serial.
fn adopt_spares(storage: &dyn Storage, config: &JournalConfig) -> Result<(Vec<Spare>, u64), JournalError> {
    let io = |source| JournalError::io("clear up the journal directory", &storage.path(""), source);
    let mut spares = Vec::new();
    let mut next_serial = 1;
    for name in storage.list().map_err(io)? {
        if name == MARK_NAME {
            continue;
        }
        if is_half_made(&name) {
            storage.remove(&name).map_err(io)?;
        } else if let Some(serial) = ready_serial(&name) {
            next_serial = next_serial.max(serial.saturating_add(1));
            let spare = Spare::adopt(storage, &name)?;
            if spare.bytes == config.segment_bytes && spares.len() < config.spare_segments {
                spares.push(spare);
            } else {
                drop(spare);
                storage.remove(&name).map_err(io)?;
            }
        }
    }
    Ok((spares, next_serial))
}
