//! Whether the key of card tokens is still the one that the cards on disk were issued with.
//!
//! With another key every token comes out otherwise: no card would be found, every payment declined, and a card number
//! could be issued twice. So the first start records the key's fingerprint as a fact, and every later one compares.

use crate::keys::Tokenizer;
use authorizer::{ApplyError, Shard};
use cache::{Recovering, Release};
use domain::{Fact, KeyFingerprint, ShardId, Timestamp};
use journal::payload::PayloadError;
use journal::{Batch, JournalHandle};
use std::fmt::Write;

/// The shard that the fingerprint is kept in.
const KEPT_IN: ShardId = ShardId(0);

/// Why a start is refused because of the key.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The key is another one.
    #[error(
        "keys.card_tokens holds a key with fingerprint {found}, the cards here were issued under one with \
         {expected}: no card would be found; put the old key back"
    )]
    Changed {
        /// Of the key configured.
        found: String,
        /// Of the key recorded.
        expected: String,
    },
    /// The fingerprint cannot be recorded.
    #[error("the fingerprint of keys.card_tokens cannot be recorded: {0}")]
    NotRecorded(String),
}

impl From<ApplyError> for TokenKeyError {
    fn from(error: ApplyError) -> Self {
        Self::NotRecorded(error.to_string())
    }
}

impl From<PayloadError> for TokenKeyError {
    fn from(error: PayloadError) -> Self {
        Self::NotRecorded(error.to_string())
    }
}

/// Compares the key with the one recorded; whether one is recorded at all.
pub(crate) fn compare(state: &Recovering, tokens: &Tokenizer) -> Result<bool, TokenKeyError> {
    let recorded = state.shards().find(|shard| shard.id() == KEPT_IN).and_then(Shard::token_key);
    let found = tokens.fingerprint();
    match recorded {
        Some(expected) if expected != found => {
            Err(TokenKeyError::Changed { found: hex(found), expected: hex(expected) })
        }
        recorded => Ok(recorded.is_some()),
    }
}

/// Records the key. Before any lane runs, so that no card can be issued before it.
pub(crate) fn record(
    state: &mut Recovering,
    tokens: &Tokenizer,
    journal: &JournalHandle<Vec<Release>>,
    now: Timestamp,
) -> Result<(), TokenKeyError> {
    let fact = Fact::TokenKeySeen { fingerprint: tokens.fingerprint() };
    state.apply(KEPT_IN, now, &fact)?;
    let mut records = journal.buffer();
    records.push(KEPT_IN.0, now.micros(), &fact)?;
    let refused = journal.append(Batch { records, release: Vec::new() }).err();
    refused.map_or(Ok(()), |refused| Err(TokenKeyError::NotRecorded(refused.because.to_string())))
}

fn hex(fingerprint: KeyFingerprint) -> String {
    fingerprint.0.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
