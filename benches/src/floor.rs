//! The floor of durability: one small write and one `fdatasync`, in a file that has its space already.

use crate::histogram::{Latencies, latencies, record};
use anyhow::Result;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// Measures `count` syncs of 512 bytes each.
///
/// # Errors
/// The current folder cannot be written to.
pub fn fdatasync(count: usize) -> Result<Latencies> {
    let folder = tempfile::tempdir_in(".")?;
    let file = File::create(folder.path().join("floor"))?;
    file.write_all_at(&vec![0; count.saturating_mul(512)], 0)?;
    file.sync_all()?;
    let mut histogram = latencies()?;
    for place in 0..count {
        let begin = Instant::now();
        file.write_all_at(&[1; 512], u64::try_from(place * 512)?)?;
        file.sync_data()?;
        record(&mut histogram, begin.elapsed());
    }
    Ok(histogram)
}
