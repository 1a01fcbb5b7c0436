//! Damage of many kinds to a journal that was shut down in good order: it must be refused, or change nothing.
//!
//! Each damage is done in place and undone again, so that one journal serves for hundreds. "Harmless" is allowed: zeros
//! behind the end, spare segments and the older mark hold nothing, and first segments may be missing that a snapshot
//! replaces. What is never allowed is a journal that opens with other records than were written.

use super::Finding;
use anyhow::Context;
use journal::{FileStorage, Verified, verify};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Tried at the least, however little time is left.
const DAMAGES_MIN: usize = 20;
const DAMAGES_MAX: usize = 10_000;

const SECTOR: u64 = 512;

/// Damages the journal in `folder` until the time is up.
pub(super) fn try_on(folder: &Path, until: Instant, seed: u64) -> anyhow::Result<Finding> {
    let storage = FileStorage::open_existing(folder).context("the journal of the kills")?;
    let whole = verify(&storage, None).context("the journal that the kills left")?;
    let mut random = StdRng::seed_from_u64(seed);
    let (mut refused, mut harmless, mut wrong) = (0, 0, Vec::new());
    while refused + harmless < DAMAGES_MIN || Instant::now() < until {
        if refused + harmless == DAMAGES_MAX {
            break;
        }
        let (what, undo) = damage(folder, &mut random)?;
        match verify(&storage, None) {
            Ok(found) if same(&found, &whole) || held_by_a_snapshot(&storage, &found, &whole) => {
                harmless += 1
            }
            Ok(found) => wrong.push(format!("{what}: opened with {} records", found.records)),
            Err(_) => refused += 1,
        }
        undo.undo().with_context(|| format!("{what} cannot be undone"))?;
    }
    let again = verify(&storage, None).context("the journal after all damage was undone")?;
    if !same(&again, &whole) {
        wrong.push("undone damage left another journal".to_owned());
    }
    let lines = vec![
        format!("{} damages to a journal of {} records", refused + harmless + wrong.len(), whole.records),
        format!("{refused} refused, {harmless} harmless, {} opened with other records", wrong.len()),
        "flipped bits, lost, swapped and misplaced sectors, truncated and missing files".to_owned(),
    ];
    Ok(Finding { title: "Damage", lines, wrong })
}

/// The chain binds every record: two journals with one chain hold the same.
fn same(found: &Verified, whole: &Verified) -> bool {
    found.chain == whole.chain && found.records == whole.records
}

/// The first records are gone and a snapshot holds what they said: so does a journal look whose old segments were
/// retired, and a start from it loses nothing.
fn held_by_a_snapshot(storage: &FileStorage, found: &Verified, whole: &Verified) -> bool {
    let same_end = found.chain == whole.chain && found.last_sequence == whole.last_sequence;
    let newest = journal::snapshot::kept(storage).ok().flatten().map(|kept| kept.newest);
    same_end
        && newest.is_some_and(|newest| {
            newest.through.saturating_add(1) >= found.first_sequence
                && journal::snapshot::verify(storage, newest.generation).is_ok()
        })
}

/// How to undo a damage.
enum Undo {
    Bytes { path: PathBuf, at: u64, bytes: Vec<u8> },
    Length { path: PathBuf, at: u64, bytes: Vec<u8> },
    Name { from: PathBuf, to: PathBuf },
}

impl Undo {
    fn undo(self) -> std::io::Result<()> {
        match self {
            Self::Bytes { path, at, bytes } | Self::Length { path, at, bytes } => write(&path, at, &bytes),
            Self::Name { from, to } => fs::rename(from, to),
        }
    }
}

fn write(path: &Path, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    File::options().write(true).open(path)?.write_all_at(bytes, at)
}

/// Does one damage; what, and how to undo it.
fn damage(folder: &Path, random: &mut StdRng) -> anyhow::Result<(String, Undo)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            files.push(path);
        }
    }
    files.sort();
    let path =
        files.get(random.random_range(0..files.len().max(1))).context("a journal without files")?.clone();
    let content = content_end(&path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // Mostly where something is written.
    let length = fs::metadata(&path)?.len();
    let at = random.random_range(0..content.clamp(1, length.max(1)));
    let sector = at / SECTOR * SECTOR;
    match random.random_range(0..8) {
        0..=2 => {
            let bit = random.random_range(0..8);
            let old = read(&path, at, 1)?;
            write(&path, at, &old.iter().map(|byte| byte ^ (1 << bit)).collect::<Vec<u8>>())?;
            Ok((format!("bit {bit} of byte {at} of {name}"), Undo::Bytes { path, at, bytes: old }))
        }
        3 => {
            let length = SECTOR * [1, 8][random.random_range(0..2)];
            let old = read(&path, sector, length)?;
            write(&path, sector, &vec![0; old.len()])?;
            Ok((
                format!("{length} bytes lost at {sector} of {name}"),
                Undo::Bytes { path, at: sector, bytes: old },
            ))
        }
        4 | 5 => {
            let from = random.random_range(0..content.max(1)) / SECTOR * SECTOR;
            let old = read(&path, sector, SECTOR)?;
            let mut astray = read(&path, from, SECTOR)?;
            astray.truncate(old.len());
            write(&path, sector, &astray)?;
            Ok((format!("sector {from} of {name} at {sector}"), Undo::Bytes { path, at: sector, bytes: old }))
        }
        6 => {
            let old = read(&path, at, length - at)?;
            File::options().write(true).open(&path)?.set_len(at)?;
            Ok((format!("{name} cut to {at} bytes"), Undo::Length { path, at, bytes: old }))
        }
        _ => {
            let away = path.with_extension("away");
            fs::rename(&path, &away)?;
            Ok((format!("{name} missing"), Undo::Name { from: away, to: path }))
        }
    }
}

fn read(path: &Path, at: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = length.min(file.metadata()?.len().saturating_sub(at));
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

/// The end of the last byte that is not zero.
fn content_end(path: &Path) -> std::io::Result<u64> {
    let bytes = fs::read(path)?;
    // Compared a block at a time: most of a segment is zeros.
    let zeros = [0; SECTOR as usize];
    let mut blocks = bytes.chunks(zeros.len());
    Ok(blocks
        .rposition(|block| *block != zeros[..block.len()])
        .map_or(0, |place| (place as u64 + 1) * SECTOR))
}
