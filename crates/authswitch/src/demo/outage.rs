//! The kill in the middle of the demo: SIGKILL, as a crash or a kernel out of memory would, and a start on the same
//! journal. The report says how long nobody answered, what was replayed, and that no approval was forgotten.

use super::daemon::Daemon;
use super::settle::gauge;
use crate::api_client::{Api, Call};
use anyhow::Context;
use domain::{Authorization, Fact, TransactionNo};
use journal::{FileStorage, RecoveredRecord, ReplayError, SealingKeys};
use simulators::processor::Approval;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// The gauge with the number of facts that the start has read back.
const REPLAYED: &str = "authswitch_recovery_records";

/// Kills that the report names one by one.
const NAMED_MAX: usize = 3;

/// What the kill came to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    /// From the kill until the switch said again that it is ready.
    pub(super) downtime: Duration,
    /// Facts read back.
    pub(super) replayed: u64,
}

impl Outage {
    /// Kills the switch and starts it again.
    pub(super) async fn make(switch: &mut Daemon, api: &Api) -> anyhow::Result<Self> {
        let mut connection = api.connection();
        let killed = Instant::now();
        switch.kill_and_restart(&mut connection).await?;
        let downtime = killed.elapsed();
        let page = connection.send(&Call::show("/metrics")).await?.text();
        let replayed =
            gauge(&page, REPLAYED).with_context(|| format!("the metrics do not show {REPLAYED}"))?;
        Ok(Self { downtime, replayed })
    }

    fn in_words(&self) -> (String, String) {
        let Self { downtime, replayed } = self;
        let words = format!("ready again after {:.2} s, {replayed} facts replayed", downtime.as_secs_f64());
        ("killed, SIGKILL".to_owned(), words)
    }
}

/// Lines of the report: each of the first kills, and what all of them took.
pub(super) fn in_words(outages: &[Outage], seen: usize, lost: Option<usize>) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = outages.iter().take(NAMED_MAX).map(Outage::in_words).collect();
    if !outages.is_empty() {
        let lost = lost.map_or_else(|| "not counted".to_owned(), |lost| lost.to_string());
        lines.push(("approvals lost".to_owned(), format!("{lost} of {seen} that the processor has seen")));
    }
    lines
}

/// How many of the requests that the processor has seen approved are not approved in the journal.
pub(super) fn lost_approvals(journal: &Path, seen: &[Approval]) -> anyhow::Result<usize> {
    let storage = FileStorage::open_existing(journal)
        .with_context(|| format!("{} cannot be opened", journal.display()))?;
    let mut kept = Kept::default();
    journal::dump(&storage, &SealingKeys::default(), 0, |record| kept.take(&record))
        .context("the journal cannot be read")?;
    // An advice of an approval by somebody else is acknowledged, and may say what the journal knows already.
    let requests = seen.iter().filter(|approval| !approval.advice);
    let keys: HashSet<Key> = requests.map(|approval| (approval.stan, approval.transmission)).collect();
    Ok(keys.difference(&kept.approved).count())
}

/// STAN and transmission time: what the processor knows a request by.
type Key = (u32, u32);

/// The approvals of a journal.
#[derive(Default)]
struct Kept {
    approved: HashSet<Key>,
    asked: HashMap<(u16, TransactionNo), Key>,
}

impl Kept {
    fn take(&mut self, record: &RecoveredRecord<'_>) -> Result<(), ReplayError> {
        #[allow(clippy::wildcard_enum_match_arm)] // Every other fact says nothing of approvals.
        match record.decode::<Fact>()? {
            Fact::Approved { request, .. } => {
                self.approved.insert(key(&request));
            }
            Fact::Asked { transaction, request, .. } => {
                self.asked.insert((record.shard, transaction), key(&request));
            }
            Fact::AskApproved { transaction, .. } => {
                self.approved.extend(self.asked.get(&(record.shard, transaction)));
            }
            _ => {}
        }
        Ok(())
    }
}

fn key(request: &Authorization) -> Key {
    (request.stan.number(), request.transmission.number())
}
