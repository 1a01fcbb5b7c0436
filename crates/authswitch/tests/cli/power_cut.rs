//! A power cut on a real file system: ext4 in a file, on a loop device, its content taken while traffic runs.
//!
//! What makes the picture honest: the switch is stopped (SIGSTOP) at a random moment, and the image is copied only if
//! the loop device has nothing in flight and has written nothing between the beginning and the end of the copy. The
//! copy is then what the device had been given at one moment. What ext4 still kept in memory is lost, as in a power cut:
//! dirty pages, and names not yet committed. It does not show a device that loses or reorders what it was given:
//! the simulated disk does (`journal::simulated_disk`).
//!
//! Needs root and loop devices; where they are not to be had, it says so and passes.

use crate::daemon::Site;
use crate::kill::{Card, Seen, cards, import_lines, keep_buying, repeat_all};
use crate::tool::authswitch;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

const CUTS: usize = 3;
const LINKS: u32 = 2;
/// Longest time that an answer needs from the socket of a stopped switch to our hands.
const ON_THE_WAY: Duration = Duration::from_millis(500);
/// The file is sparse: only what is written takes space. More than `journal.free_bytes_min` must be free in it.
const IMAGE_BYTES: u64 = 640 * 1024 * 1024;
const COPIES_TRIED: usize = 50;

/// A file with ext4 in it, mounted. Dropping it gives mount and device back.
struct Disk {
    image: PathBuf,
    device: String,
    point: PathBuf,
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let what = || format!("{program} {}", arguments.join(" "));
    let Output { status, stdout, stderr } =
        Command::new(program).args(arguments).output().map_err(|error| format!("{}: {error}", what()))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    Err(format!("{}: {}", what(), String::from_utf8_lossy(&stderr).trim()))
}

impl Disk {
    /// Makes a file system in a new file and mounts it.
    fn make(image: PathBuf, point: PathBuf) -> Result<Self, String> {
        let file = std::fs::File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", image.to_str().unwrap()])?;
        Self::mount(image, point)
    }

    fn mount(image: PathBuf, point: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&point).map_err(|error| error.to_string())?;
        let device = run("losetup", &["--find", "--show", image.to_str().unwrap()])?;
        let disk = Self { image, device, point };
        run("mount", &["-t", "ext4", &disk.device, disk.point.to_str().unwrap()])?;
        Ok(disk)
    }

    /// Writes that the device has been given and has completed, and those in flight.
    fn written(&self) -> (u64, String) {
        let device = Path::new(&self.device).file_name().unwrap().to_str().unwrap();
        let read = |file: &str| std::fs::read_to_string(format!("/sys/block/{device}/{file}")).unwrap();
        let writes = read("stat").split_whitespace().nth(4).unwrap().parse().unwrap();
        (writes, read("inflight").split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Copies what is on the device at one moment; the number of attempts.
    fn copy(&self, to: &Path) -> usize {
        for attempt in 1..=COPIES_TRIED {
            let before = self.written();
            let (from, to) = (self.image.to_str().unwrap(), to.to_str().unwrap());
            run("cp", &["--sparse=always", from, to]).unwrap();
            if before.1 == "0 0" && before == self.written() {
                return attempt;
            }
        }
        panic!("the device was written during each of {COPIES_TRIED} copies");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Best effort: a busy mount is let go when its last user ends.
        let _unmounted = run("umount", &["-l", self.point.to_str().unwrap()]);
        let _detached = run("losetup", &["-d", &self.device]);
    }
}

/// Traffic until a random moment; then the switch stands still, and the answers on their way are read.
fn buy_and_stop(
    site: &Site,
    daemon: &crate::daemon::Daemon,
    cards: &[Card],
    cut: usize,
    random: &mut StdRng,
    seen: &mut Seen,
) {
    let (events, inbox) = mpsc::channel();
    for link in 0..LINKS {
        let start = (u32::try_from(cut).unwrap() * LINKS + link) * 20_000 + 1;
        let (events, connection) = (events.clone(), daemon.connect());
        let (cards, seed) = (cards.to_vec(), random.random());
        // Left behind when the switch stands still: it ends when the switch is killed.
        std::thread::spawn(move || keep_buying(connection, &cards, start..start + 19_000, seed, &events));
    }
    drop(events);
    let stop_after = random.random_range(100..1_500);
    let mut answers = 0;
    while answers < stop_after {
        answers += usize::from(seen.take(inbox.recv_timeout(crate::daemon::PATIENCE).unwrap()));
    }
    daemon.stand_still();
    while let Ok(event) = inbox.recv_timeout(ON_THE_WAY) {
        seen.take(event);
    }
    assert!(site.path("journal").is_dir());
}

#[test]
fn what_was_answered_is_on_the_disk_when_the_power_goes() {
    let seed = std::env::var("AUTHSWITCH_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("AUTHSWITCH_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let site = Site::new("http://127.0.0.1:9");
    let mut disk = match Disk::make(site.path("disk-0"), site.path("journal")) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("skipped: no ext4 on a loop device here ({why})");
            return;
        }
    };
    let cards: Vec<Card> = cards().into_iter().filter(|card| !card.jit).collect();
    let mut seen = Seen::default();
    let mut daemon = site.start();
    site.import(&import_lines(&cards)).ended(0);
    for cut in 0..CUTS {
        buy_and_stop(&site, &daemon, &cards, cut, &mut random, &mut seen);
        let image = site.path(&format!("disk-{}", cut + 1));
        let attempts = disk.copy(&image);
        let answered = seen.answers.len();
        daemon.kill();
        drop(disk);
        disk = Disk::mount(image, site.path("journal")).unwrap();
        let verified = authswitch(&["journal", "verify", &site.text("journal")]).ended(0);
        println!("cut {cut}: {answered} answers seen, copy {attempts}\n{}", verified.out);
        daemon = site.start();
        repeat_all(&daemon, &mut seen);
    }
    let held = crate::kill::held_by_account(&cards, &seen);
    for (account, held) in held {
        assert_eq!(daemon.balance(&account).1, held, "{account}: held, and seen approved");
    }
    assert_eq!(daemon.stop(), Some(0));
    crate::kill::journal_holds_every_approval_once(&site, &seen);
    drop(disk);
}
