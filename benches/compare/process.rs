//! Other people's programs: found, started on a folder of their own, and stopped.

use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long a program may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program called `name` in the path, or in one of `folders`.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = folders.iter().cloned().chain(std::env::split_paths(&path));
    let found = candidates.find_map(|folder| Some(folder.join(name)).filter(|file| file.is_file()));
    found.with_context(|| format!("{name} is not installed"))
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Tries `ready` until it succeeds.
pub(crate) fn wait_until(what: &str, mut ready: impl FnMut() -> Result<()>) -> Result<()> {
    let begin = Instant::now();
    loop {
        match ready() {
            Ok(()) => return Ok(()),
            Err(error) if begin.elapsed() > PATIENCE => {
                return Err(error.context(format!("{what} is not ready after {PATIENCE:?}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// Runs a command to its end; what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("{shown} cannot be run"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first line of what a program says of its version.
pub(crate) fn version(program: &Path) -> String {
    let said = output(Command::new(program).arg("--version")).unwrap_or_default();
    said.lines().next().unwrap_or("of an unknown version").trim().to_owned()
}

/// A child that is ended when it is dropped.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It has ended by itself in the usual case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
