//! Says at a start which of the encryption keys are still needed, so that an operator who rotates them knows when an
//! old one may go, and hears of one that went too early while it can still be brought back.

use journal::storage::Storage;
use journal::{KeyId, KeyUse, SealingKeys, keys_in_use};
use std::collections::BTreeMap;

/// What there is to say of one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Finding {
    /// It is configured, not the first, and files need it.
    Needed(KeyUse),
    /// It is configured, not the first, and no file here needs it.
    Idle,
    /// Files need it and it is not configured.
    Gone(KeyUse),
}

/// Says what files of the journal need of `keys`. Failing to look is no reason not to start.
pub(crate) fn say_what_is_needed(storage: &dyn Storage, keys: &SealingKeys) {
    let uses = match keys_in_use(storage) {
        Ok(uses) => uses,
        Err(error) => {
            tracing::warn!(%error, "it cannot be told which encryption keys are still needed");
            return;
        }
    };
    for (id, finding) in findings(&uses, &keys.ids()) {
        let key = format!("{id:08x}");
        match finding {
            Finding::Needed(KeyUse { segments, snapshots }) => tracing::warn!(
                key,
                segments,
                snapshots,
                "an older encryption key is still needed; keep it in journal.encryption_keys until its files are gone"
            ),
            Finding::Idle => tracing::info!(
                key,
                "an older encryption key is needed by no segment or snapshot here; when no backup needs it, it may go"
            ),
            Finding::Gone(KeyUse { segments, snapshots }) => tracing::error!(
                key,
                segments,
                snapshots,
                "files are encrypted under a key that is not in journal.encryption_keys; they cannot be read without it"
            ),
        }
    }
}

fn findings(uses: &BTreeMap<KeyId, KeyUse>, keys: &[KeyId]) -> Vec<(KeyId, Finding)> {
    let of_old = |id: &KeyId| (*id, uses.get(id).map_or(Finding::Idle, |uses| Finding::Needed(*uses)));
    let gone = uses.iter().filter(|(id, _)| !keys.contains(id)).map(|(id, uses)| (*id, Finding::Gone(*uses)));
    keys.iter().skip(1).map(of_old).chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_seals_is_not_spoken_of_and_every_other_one_is() {
        let uses = KeyUse { segments: 3, snapshots: 1 };
        let there = BTreeMap::from([(1, uses), (2, uses), (4, uses)]);
        let expected = vec![(2, Finding::Needed(uses)), (3, Finding::Idle), (4, Finding::Gone(uses))];
        assert_eq!(findings(&there, &[1, 2, 3]), expected);
        assert_eq!(findings(&BTreeMap::new(), &[1]), vec![]);
    }
}
