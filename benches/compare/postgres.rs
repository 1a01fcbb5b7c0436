//! What most would build: PostgreSQL, with one prepared statement that checks, reserves and inserts.
//!
//! The clients are `pgbench`, which comes with it: 64 of them in C, and one for the latency. The statement does less than
//! the switch: it knows one limit and no follow-ups. A repeat is refused by the primary key.

use crate::process::{find, free_port, output, version, wait_until};
use crate::table::Measured;
use crate::{CARDS, Contender, Scale};
use anyhow::{Context, Result, ensure};
use benches::histogram::{latencies, record};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const CLIENTS: u32 = 64;

/// Who runs the server when we are root, which it refuses: the owner that Debian's package makes.
const OWNER: &str = "postgres";

const TABLES: &str = "
CREATE TABLE accounts (id int PRIMARY KEY, ledger bigint NOT NULL, held bigint NOT NULL, spent bigint NOT NULL,
    spent_max bigint NOT NULL, status text NOT NULL);
CREATE TABLE authorizations (reference bigint PRIMARY KEY, account int NOT NULL, amount bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now());
INSERT INTO accounts SELECT id, 1000000000, 0, 0, 900000000, 'active' FROM generate_series(0, :cards - 1) AS id;
VACUUM ANALYZE;
";

/// The division by the number of rows ends the run if nothing was reserved.
const PURCHASE: &str = "
\\set n :n + 1
\\set reference :first + :client_id * 10000000 + :n
\\set card random(0, :cards - 1)
WITH reserved AS (
    UPDATE accounts SET held = held + 100, spent = spent + 100
    WHERE id = :card AND status = 'active' AND ledger - held >= 100 AND spent + 100 <= spent_max RETURNING id
), inserted AS (
    INSERT INTO authorizations (reference, account, amount) SELECT :reference, id, 100 FROM reserved RETURNING 1
) SELECT 1 / count(*) FROM inserted;
";

/// Starts a server on a folder of its own, on the disk that the journal is on.
pub(crate) fn start() -> Result<Box<dyn Contender>> {
    let folders = program_folders();
    let program = |name: &str| {
        find(name, &folders).with_context(|| "PostgreSQL (Debian package postgresql) is left out".to_owned())
    };
    let (initdb, control, psql, bench) =
        (program("initdb")?, program("pg_ctl")?, program("psql")?, program("pgbench")?);
    let folder = tempfile::tempdir_in(".")?;
    let place = std::fs::canonicalize(folder.path())?;
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o755))?;
    let data = place.join("data");
    std::fs::create_dir(&data)?;
    let user = if rustix::process::geteuid().is_root() {
        output(Command::new("chown").arg("-R").arg(OWNER).arg(&place))
            .context("PostgreSQL does not run as root, and there is no user postgres")?;
        Some(OWNER)
    } else {
        None
    };
    let port = free_port()?.to_string();
    output(as_user(user, &initdb).args(["-U", "bench", "--auth", "trust", "-D"]).arg(&data))?;
    let settings = format!(
        "-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c max_connections=100 \
         -c shared_buffers=256MB"
    );
    let log = place.join("log");
    output(
        as_user(user, &control)
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(&log)
            .args(["-w", "-o", &settings, "start"]),
    )
    .context("PostgreSQL cannot be started")?;
    let version = version(&bench);
    let version = version.split(' ').nth(2).unwrap_or_default();
    let name = format!("PostgreSQL {version}, one prepared statement");
    let postgres = Postgres { name, control, bench, data, port, user, first: 0, folder };
    postgres.fill(&psql)?;
    Ok(Box::new(postgres))
}

/// Debian keeps most of its programs out of the path.
fn program_folders() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    match user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program).current_dir("/");
            command
        }
        None => Command::new(program),
    }
}

struct Postgres {
    name: String,
    control: PathBuf,
    bench: PathBuf,
    data: PathBuf,
    port: String,
    user: Option<&'static str>,
    /// References from here on are free.
    first: u64,
    folder: TempDir,
}

impl Postgres {
    fn fill(&self, psql: &Path) -> Result<()> {
        let tables = self.folder.path().join("tables.sql");
        std::fs::write(&tables, TABLES)?;
        std::fs::write(self.folder.path().join("purchase.sql"), PURCHASE)?;
        wait_until("PostgreSQL", || {
            output(
                Command::new(psql)
                    .args(["-h", "127.0.0.1", "-p", &self.port, "-U", "bench", "-d", "postgres", "-q"])
                    .args(["-v", "ON_ERROR_STOP=1", "-v", &format!("cards={CARDS}"), "-f"])
                    .arg(&tables),
            )
            .map(drop)
        })
    }

    /// Runs `clients` until each has asked `count` times, or for so many seconds.
    fn ask(&mut self, clients: u32, amount: &[&str]) -> Result<Measured> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let (clients, threads) = (clients.to_string(), if clients > 1 { "2" } else { "1" });
        let first = format!("first={}", self.first);
        let said = output(
            Command::new(&self.bench)
                .args(["-h", "127.0.0.1", "-p", &self.port, "-U", "bench", "-d", "postgres"])
                .args(["-n", "-M", "prepared", "-c", &clients, "-j", threads])
                .args(["-D", "n=0", "-D", &first, "-D", &format!("cards={CARDS}"), "-f"])
                .arg(std::fs::canonicalize(self.folder.path().join("purchase.sql"))?)
                .args(amount)
                .args(["--log", "--log-prefix=latency"])
                .current_dir(folder.path()),
        )?;
        // Room for ten million by each client.
        self.first += 10_000_000 * u64::from(CLIENTS);
        let failed = said.lines().find_map(|line| line.strip_prefix("number of failed transactions: "));
        ensure!(failed.is_none_or(|failed| failed.starts_with('0')), "PostgreSQL: {said}");
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split('.').next()).context("pgbench says no rate")?;
        let mut all = latencies()?;
        for entry in std::fs::read_dir(folder.path())? {
            for line in std::fs::read_to_string(entry?.path())?.lines() {
                // client, transaction, microseconds, ...
                let micros = line.split(' ').nth(2).and_then(|micros| micros.parse().ok());
                record(&mut all, Duration::from_micros(micros.context("a line of pgbench's log")?));
            }
        }
        Ok(Measured { latencies: all, per_second: Some(rate.parse()?) })
    }
}

impl Contender for Postgres {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn one_at_a_time(&mut self, count: u64) -> Result<Measured> {
        self.ask(1, &["-t", &count.to_string()])
    }

    fn at_once(&mut self, scale: Scale) -> Result<Measured> {
        self.ask(CLIENTS, &["-T", &scale.seconds.to_string()])
    }

    fn stop(self: Box<Self>) -> Result<()> {
        output(as_user(self.user, &self.control).arg("-D").arg(&self.data).args(["-m", "fast", "-w", "stop"]))
            .map(drop)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Where the run ended early. A server that has stopped is not there to be told.
        let _ = output(as_user(self.user, &self.control).arg("-D").arg(&self.data).args([
            "-m",
            "immediate",
            "stop",
        ]));
    }
}
