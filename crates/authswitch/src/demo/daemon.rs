//! The switch of the demo: this very program as a child process, running `authswitch run`.
//!
//! A process of its own shares nothing with the simulators, as in production, and can be killed. It is in a process
//! group of its own, so that an interrupt at the keyboard stops the traffic first.

use super::stage::Stage;
use crate::api_client::{Call, Connection};
use anyhow::{Context, anyhow, bail};
use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the switch may take to be ready, and to stop.
const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Lines of the log that are shown when the switch did not do what it should.
const LOG_LINES_SHOWN: usize = 10;

/// A running switch. Dropping it kills it.
pub(super) struct Daemon {
    child: Child,
    config: PathBuf,
    log: PathBuf,
}

impl Daemon {
    /// Starts the switch and waits until it says that it is ready.
    pub(super) async fn start(stage: &Stage, config: &Path, api: &mut Connection) -> anyhow::Result<Self> {
        let log = stage.log();
        let mut daemon = Self { child: spawn(config, &log)?, config: config.to_owned(), log };
        daemon.wait_until_ready(api).await?;
        Ok(daemon)
    }

    /// Kills the switch where it stands, starts it again on what it left, and waits until it is ready.
    pub(super) async fn kill_and_restart(&mut self, api: &mut Connection) -> anyhow::Result<()> {
        // SIGKILL: the switch cannot finish anything.
        self.child.kill().context("the switch could not be killed")?;
        self.child.wait().context("the killed switch cannot be waited for")?;
        self.child = spawn(&self.config, &self.log)?;
        self.wait_until_ready(api).await
    }

    async fn wait_until_ready(&mut self, api: &mut Connection) -> anyhow::Result<()> {
        let until = Instant::now() + READY_WITHIN;
        let ready = Call::show("/readyz");
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                bail!("the switch ended at once ({status}):\n{}", self.last_log_lines());
            }
            if api.send_once(&ready).await.is_ok_and(|answer| answer.status == StatusCode::OK) {
                return Ok(());
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("the switch was not ready within {READY_WITHIN:?}:\n{}", self.last_log_lines())
    }

    /// Asks the switch to stop, as a supervisor does, and waits until it has.
    pub(super) async fn stop(mut self) -> anyhow::Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let id = id.ok_or_else(|| anyhow!("the switch has no process id"))?;
        kill_process(id, Signal::TERM).context("the switch could not be told to stop")?;
        let until = Instant::now() + STOPPED_WITHIN;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return self.judge(status);
            }
            sleep(LOOK_EVERY).await;
        }
        bail!("the switch did not stop within {STOPPED_WITHIN:?}:\n{}", self.last_log_lines())
    }

    fn judge(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("the switch did not stop in good order ({status}):\n{}", self.last_log_lines())
    }

    /// What the switch said last.
    pub(super) fn last_log_lines(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let shown = lines.len().saturating_sub(LOG_LINES_SHOWN);
        lines.get(shown..).unwrap_or_default().join("\n")
    }
}

/// Starts this very program as a switch; its log lines are added to those of the start before.
fn spawn(config: &Path, log: &Path) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("this program's own path is not known")?;
    let log_file = File::options().create(true).append(true).open(log);
    let log_file = log_file.with_context(|| format!("{} cannot be made", log.display()))?;
    Command::new(program)
        .arg("run")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file)
        .process_group(0)
        .spawn()
        .context("the switch could not be started")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only if it has ended already, which is what is wanted.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
