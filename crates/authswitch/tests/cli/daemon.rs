//! A switch as a child process, on a folder that outlives it: it can be stopped, killed and started again.

use crate::processor::Link;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Far more than any step takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const CONTROL_KEY: &str = "the-control-key-of-the-tests";
pub(crate) const FUNDING_KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// The folder of a switch: configuration, keys and journal.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) admin: SocketAddr,
    pub(crate) link: SocketAddr,
}

/// A running switch. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    admin: SocketAddr,
    link: SocketAddr,
}

impl Site {
    /// A new folder, with the balance service expected at `funding`.
    pub(crate) fn new(funding: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [admin, link] = free_ports();
        for (name, text) in [
            ("card-tokens.key", "0f".repeat(32).as_str()),
            ("control.key", CONTROL_KEY),
            ("funding.key", FUNDING_KEY),
            (
                "authswitch.toml",
                &format!(
                    r#"
                    admin.listen = "{admin}"
                    keys = {{ card_tokens = "card-tokens.key", control = "control.key", funding = "funding.key" }}
                    journal = {{ directory = "journal", segment_bytes = 8388608 }}
                    cache = {{ cards_expected = 1000, accounts_expected = 1000 }}
                    funding = {{ endpoint = "{funding}", duty_within = "500ms", duty_pause_min = "20ms", duty_pause_max = "200ms" }}
                    [[link]]
                    listen = "{link}"
                    "#
                ),
            ),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self { folder, admin, link }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn config(&self) -> String {
        self.text("authswitch.toml")
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    /// Starts a switch here and waits until it is ready.
    pub(crate) fn start(&self) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authswitch"));
        self.start_by(command.args(["run", &self.config()]))
    }

    /// Starts a switch by a command of one's own, and does not wait.
    pub(crate) fn spawn(&self, command: &mut Command) -> Daemon {
        let log = File::options().create(true).append(true).open(self.path("switch.log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Daemon { child, admin: self.admin, link: self.link }
    }

    /// Starts a switch by a command of one's own, and waits until it is ready.
    pub(crate) fn start_by(&self, command: &mut Command) -> Daemon {
        let mut daemon = self.spawn(command);
        let since = Instant::now();
        loop {
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("{status}: {}", std::fs::read_to_string(self.path("switch.log")).unwrap());
            }
            if http(self.admin, "GET", "/readyz", "").is_ok_and(|(status, _)| status == 200) {
                return daemon;
            }
            assert!(since.elapsed() < PATIENCE, "the switch does not get ready");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Imports lines through the control API with the tool itself.
    pub(crate) fn import(&self, lines: &str) -> crate::tool::Ran {
        let file = self.write("import.jsonl", lines);
        let url = format!("http://{}", self.admin);
        let key = self.text("control.key");
        crate::tool::authswitch(&["import", &file, "--url", &url, "--key-file", &key])
    }
}

impl Daemon {
    pub(crate) fn connect(&self) -> Link {
        Link::to(self.link)
    }

    /// An answer of the control API, which must be 200.
    pub(crate) fn read(&self, path: &str) -> Value {
        let (status, body) = http(self.admin, "GET", path, "").unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Ledger and held of an account, in units.
    pub(crate) fn balance(&self, account: &str) -> (i128, i128) {
        let answer = self.read(&format!("/v1/accounts/{account}"));
        let units = |name: &str| answer["balance"][name]["units"].as_str().unwrap().parse().unwrap();
        (units("ledger"), units("held"))
    }

    /// Waits until nothing is owed to the balance service and no ask is open.
    pub(crate) fn settle(&self) {
        let since = Instant::now();
        loop {
            let (_, page) = http(self.admin, "GET", "/metrics", "").unwrap();
            let idle = |gauge: &str| page.lines().any(|line| line == format!("{gauge} 0"));
            if idle("authswitch_duties_pending") && idle("authswitch_funding_asks_in_flight") {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "duties stay pending");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the switch in the middle of whatever it does (SIGSTOP); it can only be killed then.
    pub(crate) fn stand_still(&self) {
        kill_process(self.id(), Signal::STOP).unwrap();
    }

    /// Its process.
    pub(crate) fn id(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    /// What `GET /readyz` says: its status and its page.
    pub(crate) fn readiness(&self) -> (u16, String) {
        http(self.admin, "GET", "/readyz", "").unwrap()
    }

    /// Waits until it ends by itself; its exit code.
    pub(crate) fn ends(mut self) -> Option<i32> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(since.elapsed() < PATIENCE, "the switch does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the switch where it stands, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Stops the switch as a supervisor does; returns its exit code.
    pub(crate) fn stop(self) -> Option<i32> {
        kill_process(self.id(), Signal::TERM).unwrap();
        self.ends()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Ports that are free now, below those that outgoing connections get: nothing takes one while a switch is down.
pub(crate) fn free_ports() -> [SocketAddr; 2] {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, rand::random_range(20_000..32_000)));
    let held = [(); 2].map(|()| std::iter::repeat_with(bind).find_map(Result::ok).unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap())
}

/// One HTTP exchange with the control key.
fn http(to: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {CONTROL_KEY}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
}

/// Copies the files of a folder.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
