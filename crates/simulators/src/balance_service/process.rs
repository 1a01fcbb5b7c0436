//! The process: takes connections, ends them as the profile says, and is replaced by another now and then.

use super::answering::Broken;
use super::server::answer;
use super::shared::Doors;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// Connections at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 4_096;
/// How long a failing `accept` (no file descriptors left, for example) is left alone.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the service closes, with as many restarts as the profile says.
pub(super) async fn run(mut listener: TcpListener, doors: Doors) {
    let Ok(address) = listener.local_addr() else { return };
    loop {
        let doors = Doors { life: doors.life.child_token(), ..doors.clone() };
        let Some((takes, forgets)) = accept(&listener, &doors).await else { return };
        drop(listener);
        doors.life.cancel();
        if forgets {
            doors.shared.books().forget();
        }
        tokio::select! {
            () = doors.closing.cancelled() => return,
            () = sleep(takes) => {}
        }
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                Err(_) if doors.closing.is_cancelled() => return,
                // Somebody else has the port for a moment.
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        };
    }
}

/// Takes connections until the service closes, or until it restarts: for how long, and whether it forgets.
async fn accept(listener: &TcpListener, doors: &Doors) -> Option<(Duration, bool)> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let started = Instant::now();
    loop {
        let restarts = doors.shared.restarts();
        let restart = async {
            match restarts {
                Some((every, takes, forgets)) => {
                    sleep(every.saturating_sub(started.elapsed())).await;
                    (takes, forgets)
                }
                None => std::future::pending().await,
            }
        };
        let accepted = tokio::select! {
            () = doors.closing.cancelled() => return None,
            restart = restart => return Some(restart),
            () = doors.shared.profile_set.notified() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let doors = doors.clone();
        doors.tasks.clone().spawn(async move {
            serve(stream, &doors).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, doors: &Doors) {
    let Ok((stream, mut ending)) = Ending::of(stream) else { return };
    let resets = AtomicBool::new(false);
    let service = service_fn(async |request| {
        let answered = answer(request, doors).await;
        resets.fetch_or(matches!(answered, Err(Broken::Reset)), Ordering::Relaxed);
        answered
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => {}
        () = doors.life.cancelled() => {}
        () = doors.closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                _ = connection.as_mut() => {}
                () = doors.life.cancelled() => {}
            }
        }
    }
    ending.resets = resets.load(Ordering::Relaxed);
}

/// Ends a connection as the profile says. It is a second handle of it, and outlives the first.
struct Ending {
    handle: std::net::TcpStream,
    resets: bool,
}

impl Ending {
    fn of(stream: TcpStream) -> io::Result<(TcpStream, Self)> {
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let handle = stream.try_clone()?;
        Ok((TcpStream::from_std(stream)?, Self { handle, resets: false }))
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.resets {
            // With no time to linger the kernel sends a reset instead of an end. Where it cannot, it is an end.
            let _ended = rustix::net::sockopt::set_socket_linger(&self.handle, Some(Duration::ZERO));
        }
    }
}
