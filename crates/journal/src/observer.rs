//! What the journal tells whoever keeps metrics and logs. The journal itself knows neither.

use std::time::Duration;

use crate::error::JournalError;
use crate::shared::Space;

/// One write by the writer thread.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct WriteReport {
    /// Batches of lanes it carried.
    pub batches: usize,
    /// Records it carried.
    pub records: u64,
    /// Bytes of records.
    pub bytes: u64,
    /// How long the write took.
    pub write: Duration,
}

/// Called by the journal's threads; every call must be quick, for answers wait behind it.
pub trait JournalObserver: Send + Sync + 'static {
    /// A batch was written.
    fn wrote(&self, _report: &WriteReport) {}

    /// A sync succeeded.
    fn synced(&self, _took: Duration) {}

    /// Segment `number` was taken into use; batches waited `took` for it.
    fn changed_segment(&self, _number: u64, _took: Duration) {}

    /// The state of space changed.
    fn space_changed(&self, _space: Space) {}

    /// The journal has failed and will write no more.
    fn failed(&self, _error: &JournalError) {}
}

/// For whoever does not want to know.
impl JournalObserver for () {}
