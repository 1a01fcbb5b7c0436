//! What lies in a backup: lines that `sha256sum -c` reads, and ours in front of them.
//!
//! ```text
//! # authswitch journal backup 1
//! # node 1
//! # through 12345                 last record
//! # chain 3f0c...                 chain value there: proves that no record before it was changed
//! # time 1763600000000000         of that record, microseconds since 1970-01-01 UTC; 0 without records
//! 9b74c9897bac770ffc029102a200c5de...  segment-00000000000000000001.journal
//! ```

use std::collections::BTreeMap;

use super::BackupError;
use crate::copy::FileDigest;
use crate::segment::Chain;
use crate::storage::{Storage, StorageFileExt};

/// Name of the manifest.
pub const MANIFEST_NAME: &str = "backup.sha256";
const MAKING_NAME: &str = "backup.making";
const FIRST_LINE: &str = "# authswitch journal backup 1";
/// Far more than ten thousand files need.
const MANIFEST_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// Which switch wrote the journal.
    pub node: u32,
    /// Its last record; 0 for none.
    pub through: u64,
    /// Chain value behind that record.
    pub chain: Chain,
    /// Time of that record, microseconds since 1970-01-01 UTC.
    pub at_utc_micros: i64,
    /// SHA-256 of each file.
    pub files: BTreeMap<String, FileDigest>,
}

impl Manifest {
    /// Writes the manifest under its name, durably.
    pub(super) fn write(&self, storage: &dyn Storage) -> Result<(), BackupError> {
        let path = storage.path(MANIFEST_NAME);
        let io = |source| BackupError::Io { doing: "write the manifest", path: path.clone(), source };
        let mut file = storage.create(MAKING_NAME).map_err(io)?;
        file.write_all_at(self.to_text().as_bytes(), 0).map_err(io)?;
        file.sync().map_err(io)?;
        storage.rename(MAKING_NAME, MANIFEST_NAME).map_err(io)?;
        storage.sync_directory().map_err(io)
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// There is none, or it is not whole.
    pub fn read(storage: &dyn Storage) -> Result<Self, BackupError> {
        let path = storage.path(MANIFEST_NAME);
        let io = |source| BackupError::Io { doing: "read the manifest", path: path.clone(), source };
        let wrong = |found: &str| BackupError::Manifest { path: path.clone(), found: found.to_owned() };
        if !storage.list().map_err(io)?.iter().any(|name| name == MANIFEST_NAME) {
            return Err(wrong("there is no manifest: this is no backup, or one that was not finished"));
        }
        let file = storage.open_to_read(MANIFEST_NAME).map_err(io)?;
        let length = file.length().map_err(io)?;
        if length > MANIFEST_BYTES_MAX {
            return Err(wrong("the manifest is longer than 16 MiB"));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let read = file.read_up_to(&mut bytes, 0).map_err(io)?;
        bytes.truncate(read);
        let text = String::from_utf8(bytes).map_err(|_| wrong("the manifest is not text"))?;
        Self::from_text(&text).map_err(|found| wrong(&found))
    }

    fn to_text(&self) -> String {
        let mut lines = vec![
            FIRST_LINE.to_owned(),
            format!("# node {}", self.node),
            format!("# through {}", self.through),
            format!("# chain {}", hex(&self.chain)),
            format!("# time {}", self.at_utc_micros),
        ];
        lines.extend(self.files.iter().map(|(name, digest)| format!("{}  {name}", hex(digest))));
        lines.push(String::new());
        lines.join("\n")
    }

    fn from_text(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(format!("it does not begin with {FIRST_LINE:?}"));
        }
        let mut field = |name: &str| {
            let prefix = format!("# {name} ");
            let line = lines.next().and_then(|line| line.strip_prefix(&prefix)).map(str::to_owned);
            line.ok_or_else(|| format!("it has no line {prefix:?} where it should"))
        };
        let number = |name: &str, text: String| {
            text.parse::<i64>().map_err(|_| format!("{name} is {text:?}, which is no number"))
        };
        let node = u32::try_from(number("node", field("node")?)?).map_err(|_| "the node is out of range")?;
        let through =
            u64::try_from(number("through", field("through")?)?).map_err(|_| "through is out of range")?;
        let chain = from_hex(&field("chain")?).ok_or("the chain is not 64 hexadecimal digits")?;
        let at_utc_micros = number("time", field("time")?)?;
        let mut files = BTreeMap::new();
        for line in lines {
            let (digest, name) =
                line.split_once("  ").ok_or_else(|| format!("{line:?} is no line of a manifest"))?;
            // Names of this crate's own files: nothing else may be read or written because a manifest says so.
            let ours = name.ends_with(".journal") && !name.contains(['/', '\\']) && !name.starts_with('.');
            let digest = from_hex(digest).filter(|_| ours);
            files
                .insert(name.to_owned(), digest.ok_or_else(|| format!("{line:?} is no line of a manifest"))?);
        }
        Ok(Self { node, through, chain, at_utc_micros, files })
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let files = [("mark.journal".to_owned(), [7; 32])].into();
        Manifest { node: 3, through: 9, chain: [0xab; 32], at_utc_micros: -5, files }
    }

    #[test]
    fn a_manifest_survives_a_round_trip() {
        assert_eq!(Manifest::from_text(&sample().to_text()), Ok(sample()));
    }

    #[test]
    fn a_manifest_that_names_other_files_than_ours_is_refused() {
        for name in ["../mark.journal", "/etc/passwd", "a/b.journal", ".journal", "note.txt"] {
            let text = sample().to_text().replace("mark.journal", name);
            assert!(Manifest::from_text(&text).is_err(), "{name}");
        }
        let text = sample().to_text();
        assert!(Manifest::from_text(&text.replace("node 3", "node x")).is_err());
        assert!(Manifest::from_text(&text.replace("backup 1", "backup 2")).is_err());
        assert!(Manifest::from_text(&text.replace("0707", "07")).is_err());
    }
}
