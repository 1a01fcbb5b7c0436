//! The floor of durability: one small write and one `fdatasync`, in a file that has its space already.

use anyhow::Result;
use hdrhistogram::Histogram;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// Measures `count` syncs of 512 bytes each.
pub(crate) fn fdatasync(count: usize) -> Result<Histogram<u64>> {
    let folder = tempfile::tempdir_in(".")?;
    let file = File::create(folder.path().join("floor"))?;
    file.write_all_at(&vec![0; count.saturating_mul(512)], 0)?;
    file.sync_all()?;
    let mut histogram = Histogram::new(3)?;
    for place in 0..count {
        let begin = Instant::now();
        file.write_all_at(&[1; 512], u64::try_from(place * 512)?)?;
        file.sync_data()?;
        histogram.record(u64::try_from(begin.elapsed().as_nanos())?)?;
    }
    Ok(histogram)
}
