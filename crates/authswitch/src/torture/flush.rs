//! Whether a flush reaches the disk, as far as that shows while the power is on.
//!
//! Looked at: what the file system is; what the kernel says of the device's cache; whether the kernel sends flushes to
//! the device when we sync; and how long a sync takes beside a write that is not synced. A disk that acknowledges a
//! flush and does not make it cannot be told from a quick one.

use super::Finding;
use anyhow::Context;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

const SYNCS: usize = 200;
const BLOCK: usize = 4096;
const FILE_BYTES: usize = SYNCS * BLOCK;

/// No spinning disk turns this fast: half a turn at 15,000 a minute takes 2 ms.
const SPINNING_MIN: Duration = Duration::from_micros(500);
/// A sync that takes less than this times a plain write has hardly left the processor.
const SUSPICIOUS_FACTOR: u32 = 3;

/// File systems that keep nothing when the power goes, and those whose promises are made by somebody else.
const MEMORY: [&str; 2] = ["tmpfs", "ramfs"];
const REMOTE: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse", "ceph"];

/// Looks at the disk under `folder`.
pub(super) fn look_at(folder: &Path) -> anyhow::Result<Finding> {
    let mount = Mount::of(folder)?;
    let device = Device::of(folder);
    let flushes_before = device.as_ref().and_then(Device::flushes);
    let (written, synced, dsynced) = measure(&folder.join("flush-test")).context("the flush test")?;
    let flushes = device
        .as_ref()
        .and_then(Device::flushes)
        .zip(flushes_before)
        .map(|(after, before)| after.saturating_sub(before));
    let seen = Seen { mount, device, flushes, written, synced };
    let mut lines = vec![
        format!("{} on {}, mounted {}", seen.mount.kind, seen.mount.source, seen.mount.options),
        format!(
            "4 KiB: written in {written:.1?}, written and fdatasync in {synced:.1?}, with O_DSYNC in {dsynced:.1?} (medians of {SYNCS})"
        ),
        seen.device_in_words(),
    ];
    lines.extend(seen.suspicions());
    lines.push(
        "not learned: whether the disk keeps what it has acknowledged when the power goes. Only pulling the plug tells: \
         start this test, cut the power, and run `authswitch journal verify` on the folder"
            .to_owned(),
    );
    Ok(Finding { title: "Flush", lines, wrong: seen.wrong() })
}

struct Seen {
    mount: Mount,
    device: Option<Device>,
    /// Flushes that the device was sent during the test, where the kernel counts them.
    flushes: Option<u64>,
    written: Duration,
    synced: Duration,
}

impl Seen {
    fn device_in_words(&self) -> String {
        let Some(device) = &self.device else {
            return "the device behind this folder is not to be seen from here (a container or a layered file system)".to_owned();
        };
        let cache = match device.cache.as_deref() {
            Some("write back") => "has a volatile write cache, and needs flushes",
            Some("write through") => "says it has no volatile write cache: a write is a flush",
            Some(_) | None => "does not say whether it has a write cache",
        };
        let flushes = self.flushes.map_or("not counted here".to_owned(), |flushes| format!("{flushes}"));
        format!("device {} {cache}; flushes sent to it during {} syncs: {flushes}", device.name, 2 * SYNCS)
    }

    /// What proves that a sync does not reach a disk.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if MEMORY.contains(&self.mount.kind.as_str()) {
            wrong.push(format!("{} is memory: nothing survives a power cut", self.mount.kind));
        }
        if self.mount.options.split(',').any(|option| matches!(option, "nobarrier" | "barrier=0")) {
            wrong.push(
                "the file system is mounted without barriers: a sync does not flush the disk's cache"
                    .to_owned(),
            );
        }
        if let Some(device) = &self.device {
            if device.cache.as_deref() == Some("write back") && self.flushes == Some(0) {
                wrong.push(format!(
                    "{} has a volatile cache and the kernel sent it no flush at all",
                    device.name
                ));
            }
            if self.spins_too_fast(device) && !device.is_virtual() {
                wrong.push(format!(
                    "{} says that it spins, and no disk that spins flushes in {:.1?}",
                    device.name, self.synced
                ));
            }
        }
        wrong
    }

    fn spins_too_fast(&self, device: &Device) -> bool {
        device.rotational && self.synced < SPINNING_MIN && device.cache.as_deref() == Some("write back")
    }

    /// What should make somebody look closer.
    fn suspicions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if REMOTE.iter().any(|kind| self.mount.kind == *kind || self.mount.kind.starts_with("fuse.")) {
            lines.push(format!(
                "CAUTION: {} is not a local file system; its flush and lock are not ours to promise",
                self.mount.kind
            ));
        }
        if let Some(device) =
            self.device.as_ref().filter(|device| device.is_virtual() && self.spins_too_fast(device))
        {
            lines.push(format!(
                "CAUTION: {} is a virtual disk and says that it spins, which virtual disks say of anything: ask what is below",
                device.name
            ));
        }
        if self.synced < self.written.saturating_mul(SUSPICIOUS_FACTOR) {
            lines.push("CAUTION: a sync takes hardly longer than a write: ask what is below (a RAID controller, a host's cache)".to_owned());
        }
        lines
    }
}

/// The medians of a write, of a write with fdatasync, and of a write with `O_DSYNC`.
fn measure(path: &Path) -> std::io::Result<(Duration, Duration, Duration)> {
    fs::write(path, vec![1; FILE_BYTES])?;
    let file = OpenOptions::new().write(true).open(path)?;
    file.sync_all()?;
    let written = median(|at| file.write_all_at(&[2; BLOCK], at))?;
    file.sync_all()?;
    let synced = median(|at| {
        file.write_all_at(&[3; BLOCK], at)?;
        file.sync_data()
    })?;
    let flags = i32::try_from(rustix::fs::OFlags::DSYNC.bits()).unwrap_or(0);
    let direct: File = OpenOptions::new().write(true).custom_flags(flags).open(path)?;
    let dsynced = median(|at| direct.write_all_at(&[4; BLOCK], at))?;
    fs::remove_file(path)?;
    Ok((written, synced, dsynced))
}

fn median(mut write_at: impl FnMut(u64) -> std::io::Result<()>) -> std::io::Result<Duration> {
    let mut took = Vec::with_capacity(SYNCS);
    for block in 0..SYNCS {
        let started = Instant::now();
        write_at((block * BLOCK) as u64)?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    Ok(took.get(SYNCS / 2).copied().unwrap_or_default())
}

/// Where a folder is mounted from.
struct Mount {
    kind: String,
    source: String,
    options: String,
}

impl Mount {
    /// The mount with the longest path above `folder`.
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize()?;
        let table = fs::read_to_string("/proc/self/mountinfo").context("/proc/self/mountinfo")?;
        let mounts = table.lines().filter_map(Self::parse);
        let above = mounts.filter(|(point, _)| folder.starts_with(point));
        let (_, mount) = above.max_by_key(|(point, _)| point.len()).context("the folder is on no mount")?;
        Ok(mount)
    }

    /// A line of mountinfo: fields, a lone dash, then type, source and options.
    fn parse(line: &str) -> Option<(String, Self)> {
        let (front, back) = line.split_once(" - ")?;
        let point = front.split(' ').nth(4)?.replace("\\040", " ");
        let of_mount = front.split(' ').nth(5)?;
        let mut back = back.split(' ');
        let (kind, source, of_system) = (back.next()?, back.next()?, back.next()?);
        let options = format!("{of_mount},{of_system}");
        Some((point, Self { kind: kind.to_owned(), source: source.to_owned(), options }))
    }
}

/// What the kernel says of the block device.
struct Device {
    name: String,
    folder: std::path::PathBuf,
    cache: Option<String>,
    rotational: bool,
}

impl Device {
    fn of(folder: &Path) -> Option<Self> {
        let device = fs::metadata(folder).ok()?.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let of_partition = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        // A partition has no queue of its own: that of the disk above it counts.
        let folder = if of_partition.join("queue").is_dir() {
            of_partition
        } else {
            of_partition.parent()?.to_owned()
        };
        let queue = |name: &str| {
            fs::read_to_string(folder.join("queue").join(name)).ok().map(|text| text.trim().to_owned())
        };
        Some(Self {
            name: folder.file_name()?.to_string_lossy().into_owned(),
            cache: queue("write_cache"),
            rotational: queue("rotational").as_deref() == Some("1"),
            folder,
        })
    }

    /// Whether a hypervisor or the kernel itself plays the disk, so that what it says of its kind means little.
    fn is_virtual(&self) -> bool {
        ["vd", "xvd", "loop", "nbd", "dm-"].iter().any(|kind| self.name.starts_with(kind))
    }

    /// Flushes that the device has completed: the sixteenth figure of its statistics, since Linux 5.5.
    fn flushes(&self) -> Option<u64> {
        fs::read_to_string(self.folder.join("stat")).ok()?.split_whitespace().nth(15)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(kind: &str, options: &str, cache: &str, flushes: u64, synced: Duration) -> Seen {
        let device = Device {
            name: "sda".into(),
            folder: "/nowhere".into(),
            cache: Some(cache.into()),
            rotational: true,
        };
        let mount = Mount { kind: kind.into(), source: "/dev/sda1".into(), options: options.into() };
        Seen {
            mount,
            device: Some(device),
            flushes: Some(flushes),
            written: Duration::from_micros(2),
            synced,
        }
    }

    #[test]
    fn flushes_that_cannot_reach_a_disk_are_named() {
        let slow = Duration::from_millis(8);
        assert!(seen("ext4", "rw,relatime", "write back", 400, slow).wrong().is_empty());
        for (dishonest, said) in [
            (seen("tmpfs", "rw", "write back", 400, slow), "memory"),
            (seen("ext4", "rw,nobarrier", "write back", 400, slow), "without barriers"),
            (seen("ext4", "rw", "write back", 0, slow), "no flush at all"),
            (seen("ext4", "rw", "write back", 400, Duration::from_micros(40)), "spins"),
        ] {
            let wrong = dishonest.wrong();
            assert!(wrong.len() == 1 && wrong[0].contains(said), "{wrong:?}");
        }
        let mut on_a_virtual_disk = seen("ext4", "rw", "write back", 400, Duration::from_micros(40));
        on_a_virtual_disk.device.as_mut().unwrap().name = "vda".into();
        assert!(on_a_virtual_disk.wrong().is_empty());
        assert!(on_a_virtual_disk.suspicions()[0].contains("virtual disk"));
        assert!(!seen("nfs4", "rw", "write back", 400, Duration::from_micros(3)).suspicions().is_empty());
    }

    #[test]
    fn a_line_of_the_mount_table_is_read() {
        let line = r"36 35 98:0 /mnt1 /mnt\040two rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let (point, mount) = Mount::parse(line).unwrap();
        assert_eq!((point.as_str(), mount.kind.as_str()), ("/mnt two", "ext3"));
        assert_eq!(mount.options, "rw,noatime,rw,errors=continue");
    }
}
