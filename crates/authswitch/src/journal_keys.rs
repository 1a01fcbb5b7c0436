//! `--key FILE`: the sealing keys of a journal whose payloads are encrypted.

use crate::exit::Exit;
use anyhow::{Context, anyhow};
use clap::Args;
use journal::SealingKeys;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A key is 64 digits; a file of more than this is something else.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// The keys.
#[derive(Debug, Args)]
pub(crate) struct KeyArguments {
    /// A sealing key of the journal, as in journal.encryption_keys; may be given several times.
    #[arg(long = "key", value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl KeyArguments {
    /// Reads the key files.
    pub(crate) fn read(&self) -> Result<SealingKeys, (Exit, anyhow::Error)> {
        self.read_files().map_err(|error| (Exit::Configuration, error))
    }

    /// The keys, if any were named.
    pub(crate) fn read_if_named(&self) -> Result<Option<SealingKeys>, (Exit, anyhow::Error)> {
        if self.files.is_empty() { Ok(None) } else { self.read().map(Some) }
    }

    fn read_files(&self) -> anyhow::Result<SealingKeys> {
        let mut texts = Vec::new();
        for file in &self.files {
            let named = || format!("key file {}", file.display());
            let length = std::fs::metadata(file).with_context(named)?.len();
            if length > KEY_FILE_BYTES_MAX {
                return Err(anyhow!(
                    "{} has {length} bytes, at most {KEY_FILE_BYTES_MAX} are allowed",
                    named()
                ));
            }
            texts.push(Zeroizing::new(std::fs::read_to_string(file).with_context(named)?));
        }
        SealingKeys::parse(texts.iter().map(|text| text.as_str())).context("the sealing keys")
    }
}
