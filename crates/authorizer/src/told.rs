//! What the balance service last said about an account.

use domain::{Timestamp, Units};
use serde::{Deserialize, Serialize};

/// A balance as the balance service told it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The service's version.
    pub version: u64,
    /// What is available there.
    pub available: Units,
    /// When it was told.
    pub at: Timestamp,
}
