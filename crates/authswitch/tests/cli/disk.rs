//! The program on a disk that fails, that is full, and that does not come to an end with reading.

use crate::daemon::{Daemon, PATIENCE, Site};
use crate::processor::Purchase;
use rustix::process::{Resource, Rlimit, prlimit};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const NUMBER: &str = "4242424242424242";

fn import_card(site: &Site) {
    let card = format!(
        r#"{{"card": {{"id": "c", "number": "{NUMBER}", "account": "a", "currency": "USD", "expiry": "2088-12", "funding": "pre_funded", "status": "active"}}}}"#
    );
    let account = r#"{"account": {"id": "a", "asset": "USD"}}"#;
    let credit = r#"{"credit": {"account": "a", "amount": "90.00"}}"#;
    site.import(&[account, credit, &card].join("\n")).ended(0);
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_write_that_fails_ends_the_switch_with_its_own_code_and_nothing_is_lost() {
    let site = Site::new("http://127.0.0.1:9");
    // The signal that comes with the limit below is ignored, so that the write itself fails.
    let script = r#"trap '' XFSZ; exec "$0" run "$1""#;
    let program = env!("CARGO_BIN_EXE_authswitch");
    let switch = site.start_by(Command::new("sh").args(["-c", script, program, &site.config()]));
    import_card(&site);
    let mut link = switch.connect();
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 1_000, 1).message("0100")).code, "00");

    // From here on no write behind the first bytes of any file succeeds.
    let limit = Rlimit { current: Some(16), maximum: Some(16) };
    prlimit(Some(switch.id()), Resource::Fsize, limit).unwrap();
    let unanswered = Purchase::new(NUMBER, 2_000, 2);
    link.send(&unanswered.message("0100")).unwrap();
    assert!(link.receive().is_err(), "what could not be recorded is not answered");
    assert_eq!(switch.ends(), Some(4));

    let switch = site.start();
    assert_eq!(switch.balance("a"), (9_000, 1_000));
    assert_eq!(switch.connect().exchange(&unanswered.message("0101")).code, "00");
    assert_eq!(switch.balance("a"), (9_000, 3_000));
    assert_eq!(switch.stop(), Some(0));
}

#[test]
fn a_stop_in_the_middle_of_a_start_is_obeyed_at_once() {
    let site = Site::new("http://127.0.0.1:9");
    std::fs::create_dir(site.path("journal")).unwrap();
    // A snapshot that nobody ever finishes writing: whoever opens it waits.
    let fifo = site.text("journal/snapshot-00000000000000000001.journal");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_authswitch"));
    let switch = site.spawn(command.args(["run", &site.config()]));
    let log = || std::fs::read_to_string(site.path("switch.log")).unwrap_or_default();
    // Signals are listened for before that is said.
    wait_until("the start", || log().contains("starting; settings in force"));
    assert_eq!(switch.stop(), Some(0), "{}", log());
    assert!(log().contains("stopped in the middle of the start"), "{}", log());
}

/// A file system in memory of some megabytes. Dropping it gives it back.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(point: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&point).map_err(|error| error.to_string())?;
        let arguments = ["-t", "tmpfs", "-o", "size=64m", "tmpfs", point.to_str().unwrap()];
        let mounted = Command::new("mount").args(arguments).output().map_err(|error| error.to_string())?;
        if mounted.status.success() {
            return Ok(Self(point));
        }
        Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _given_back = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn is_ready(switch: &Daemon) -> bool {
    switch.readiness().0 == 200
}

#[test]
fn a_full_disk_declines_purchases_and_the_switch_goes_on_by_itself_when_there_is_space() {
    let site = Site::new("http://127.0.0.1:9");
    let disk = match SmallDisk::mount(site.path("journal")) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("skipped: no small file system can be mounted here: {why}");
            return;
        }
    };
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.replace("segment_bytes =", "free_bytes_min = 8388608, segment_bytes =");
    site.write("authswitch.toml", &config);
    let switch = site.start();
    import_card(&site);
    let mut link = switch.connect();
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 1_000, 1).message("0100")).code, "00");

    // Takes all the room that there is, and wants more.
    let ballast = site.path("journal/ballast");
    assert!(std::fs::write(&ballast, vec![1; 64 << 20]).is_err());
    wait_until("the full disk to be noticed", || !is_ready(&switch));
    assert!(switch.readiness().1.contains("FAIL journal has space"), "{}", switch.readiness().1);
    let declined = link.exchange(&Purchase::new(NUMBER, 1_000, 2).message("0100")).code;
    assert_ne!(declined, "00");
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 500, 3).message("0120")).code, "00", "it has happened");

    std::fs::remove_file(&ballast).unwrap();
    wait_until("the space to be noticed", || is_ready(&switch));
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 700, 4).message("0100")).code, "00");
    assert_eq!(switch.balance("a"), (9_000, 2_200));
    assert_eq!(switch.stop(), Some(0));
    drop(disk);
}
