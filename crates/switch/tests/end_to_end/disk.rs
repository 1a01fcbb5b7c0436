//! A disk that is full, that fails, that is slow, and what is not on it yet: seen from the processor's side.
//!
//! The journal lies on the simulated disk of its crate, so that space runs out and a sync fails when the test says so.

use crate::support::daemon::{Daemon, config_file, config_folder};
use crate::support::message::Message;
use crate::support::processor::{reversal, usual};
use crate::support::{PATIENCE, eventually};
use journal::Acknowledge;
use journal::simulated_disk::{Faults, SimulatedDisk};
use journal::storage::{Storage, StorageFile};
use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use switch::{Config, ConfigFile, Switch};

/// A switch whose journal is on `storage`, with the usual card.
async fn start_on(storage: Arc<dyn Storage>, adjust: impl FnOnce(&mut ConfigFile)) -> Daemon {
    let folder = tempfile::tempdir().unwrap();
    let mut file = config_file(folder.path());
    adjust(&mut file);
    let config = Config::check(file.clone(), &config_folder()).unwrap();
    let switch = Switch::start_on(config, |_| Ok(storage)).await.unwrap();
    Daemon { switch, file, folder }
}

fn used(disk: &SimulatedDisk) -> u64 {
    disk.files().iter().map(|(_, bytes)| u64::try_from(*bytes).unwrap()).sum()
}

async fn readiness(daemon: &Daemon) -> (u16, String) {
    let answer = daemon.api().get("/readyz").await;
    (answer.status, answer.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_approvals_while_follow_ups_fit_and_is_left_behind_when_space_returns() {
    let disk = SimulatedDisk::new(1);
    let daemon = start_on(Arc::new(disk.clone()), |file| file.journal.free_bytes_min = 1024 * 1024).await;
    daemon.add_card().await;
    let mut processor = daemon.ascii().await;
    let bought = usual(1, 10_00);
    assert_eq!(processor.ask(&bought).await.code(), "00");

    disk.plan(Faults { capacity_bytes: Some(used(&disk)), ..Faults::default() });
    eventually("the full disk to be noticed", || async {
        (daemon.api().metric("authswitch_journal_space_low").await == 1).then_some(())
    })
    .await;
    let (status, page) = readiness(&daemon).await;
    assert!(status == 503 && page.contains("FAIL journal has space"), "{page}");
    assert_ne!(
        processor.ask(&usual(2, 1_00)).await.code(),
        "00",
        "what might not be recorded is not approved"
    );
    // What happened anyway is taken.
    assert_eq!(processor.ask(&usual(3, 2_00).mti("0120")).await.code(), "00");
    assert_eq!(processor.ask(&reversal(&bought, 4)).await.code(), "00");
    assert_eq!(daemon.api().balance("A").await, ["100.00", "2.00", "98.00"]);

    disk.plan(Faults::default());
    eventually("the space to be noticed", || async {
        (daemon.api().metric("authswitch_journal_space_low").await == 0).then_some(())
    })
    .await;
    assert_eq!(readiness(&daemon).await.0, 200);
    assert_eq!(processor.ask(&usual(5, 1_00)).await.code(), "00");
    daemon.switch.stop().await.unwrap();
}

/// Buys until the disk fails as `fault` plans it before each purchase; what was approved, in cents.
async fn buy_until_it_fails(
    daemon: &Daemon,
    disk: &SimulatedDisk,
    fault: fn(u64) -> Faults,
) -> (u64, Message) {
    let mut processor = daemon.ascii().await;
    let mut approved = 0;
    for stan in 1..=90 {
        let request = usual(stan, 1_00);
        disk.plan(fault(disk.operations()));
        processor.send(&request).await;
        tokio::select! {
            answer = processor.receive() => {
                assert_eq!(answer.code(), "00");
                approved += 1_00;
            }
            reason = daemon.switch.failed() => {
                assert!(reason.to_string().contains("nothing was acknowledged after it"), "{reason}");
                let more = tokio::time::timeout(Duration::from_millis(50), processor.receive()).await;
                assert!(more.is_err(), "nothing is answered after the failure: {more:?}");
                return (approved, request);
            }
        }
    }
    panic!("the disk never failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_write_or_sync_nothing_is_answered_and_everything_answered_is_there_again() {
    let write = |at| Faults { write_fails_at: Some(at), ..Faults::default() };
    let sync = |at| Faults { sync_fails_at: Some(at + 1), ..Faults::default() };
    for (fault, seed) in [(write as fn(u64) -> Faults, 3), (sync, 4)] {
        let disk = SimulatedDisk::new(seed);
        let daemon = start_on(Arc::new(disk.clone()), |_| {}).await;
        daemon.add_card().await;
        let (approved, unanswered) = buy_until_it_fails(&daemon, &disk, fault).await;
        assert!(readiness(&daemon).await.1.contains("FAIL journal writes"));
        assert_eq!(disk.syncs_since_failure(), 0, "a sync that failed is not tried again");
        drop(daemon);

        let again = start_on(Arc::new(disk.power_cut(seed)), |_| {}).await;
        let held = |cents: u64| format!("{}.00", cents / 100);
        // The last one was never answered: it may be there or not, and is decided once.
        let found = again.api().balance("A").await[1].clone();
        assert!([held(approved), held(approved + 1_00)].contains(&found), "seed {seed}: {found}");
        assert_eq!(again.ascii().await.ask(&unanswered).await.code(), "00");
        assert_eq!(again.api().balance("A").await[1], held(approved + 1_00));
        again.switch.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_before_it_is_on_disk_is_bounded_and_on_the_page() {
    for acknowledge in [Acknowledge::Os, Acknowledge::Memory] {
        let daemon = Daemon::start_with(|file| {
            file.journal.acknowledge = acknowledge;
            // Nothing but a bound makes it sync; far above what a slow machine needs for the rest of this.
            file.journal.sync_every = Duration::from_secs(3_600);
            file.journal.unsynced_records_max = 9;
        })
        .await;
        daemon.add_card().await;
        let api = daemon.api();
        let mut processor = daemon.ascii().await;
        let (mut at_risk, mut synced) = (0, 0);
        for stan in 1..=30 {
            assert_eq!(processor.ask(&usual(stan, 1_00)).await.code(), "00");
            let records = api.metric("authswitch_journal_exposure_records").await;
            let cents = api.metric("authswitch_journal_exposure_minor_units").await;
            assert!(records <= 9, "{records} of 9 records are at risk");
            assert!(cents <= records * 1_00, "{cents} cents in {records} records");
            at_risk = at_risk.max(cents);
            synced = api.metric("authswitch_journal_sync_duration_seconds_count").await;
        }
        assert!(at_risk >= 2_00, "{acknowledge:?}: {at_risk} cents were at risk at most");
        assert!(synced >= 2, "{acknowledge:?}: the bound made it sync");
        daemon.switch.stop().await.unwrap();
    }
}

/// A disk on which no snapshot gets on.
struct NoSnapshots(SimulatedDisk);

impl Storage for NoSnapshots {
    fn path(&self, name: &str) -> String {
        self.0.path(name)
    }
    fn lock(&self) -> io::Result<Box<dyn Any + Send + Sync>> {
        self.0.lock()
    }
    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        while name.starts_with("snapshot-") {
            std::thread::park();
        }
        self.0.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.open(name)
    }
    fn open_to_read(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        self.0.open_to_read(name)
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }
    fn sync_directory(&self) -> io::Result<()> {
        self.0.sync_directory()
    }
    fn bytes_available(&self) -> io::Result<u64> {
        self.0.bytes_available()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_its_last_snapshot_only_so_long_and_the_next_start_replays() {
    let disk = SimulatedDisk::new(5);
    let daemon = start_on(Arc::new(NoSnapshots(disk.clone())), |file| {
        file.journal.snapshot_stop_within = Duration::from_millis(50);
    })
    .await;
    daemon.add_card().await;
    assert_eq!(daemon.ascii().await.ask(&usual(1, 5_00)).await.code(), "00");
    tokio::time::timeout(PATIENCE, daemon.switch.stop()).await.expect("it stops in time").unwrap();

    let again = start_on(Arc::new(disk.kill(5)), |_| {}).await;
    assert!(again.switch.recovered().snapshot.is_none());
    assert_eq!(again.api().balance("A").await, ["100.00", "5.00", "95.00"]);
    again.switch.stop().await.unwrap();
}
