//! The process: takes connections, ends them as the profile says, and is replaced by another now and then.

use super::answering::Broken;
use super::server::answer;
use super::shared::Doors;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

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
    let resets = Arc::new(AtomicBool::new(false));
    let began = async {
        match &doors.shared.tls {
            None => {
                let speaks = spoken(&stream).await.ok()?;
                Some((speaks, Box::new(stream) as Box<dyn Stream>))
            }
            Some(tls) => {
                let secure = TlsAcceptor::from(Arc::clone(tls)).accept(stream).await.ok()?;
                let agreed = secure.get_ref().1.alpn_protocol();
                let speaks = if agreed == Some(HTTP_2.as_bytes()) { Spoken::Http2 } else { Spoken::Http1 };
                Some((speaks, Box::new(secure) as Box<dyn Stream>))
            }
        }
    };
    let began = tokio::select! {
        began = began => began,
        () = doors.life.cancelled() => None,
        () = doors.closing.cancelled() => None,
    };
    if let Some((speaks, stream)) = began {
        converse(speaks, stream, Arc::clone(&resets), doors).await;
    }
    ending.resets = resets.load(Ordering::Relaxed);
}

/// The name of HTTP/2 where a protocol is agreed upon.
const HTTP_2: &str = "h2";

/// A connection, in clear or over TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What the other side speaks.
#[derive(Clone, Copy)]
enum Spoken {
    Http1,
    Http2,
}

/// What a connection in clear begins with. No method of HTTP/1.1 that is answered here begins like the preface of HTTP/2.
async fn spoken(stream: &TcpStream) -> io::Result<Spoken> {
    let mut first = [0; 2];
    loop {
        match stream.peek(&mut first).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            // One byte of it says nothing yet: POST begins with it too.
            1 if first[0] == b'P' => sleep(Duration::from_millis(1)).await,
            _ => return Ok(if first == *b"PR" { Spoken::Http2 } else { Spoken::Http1 }),
        }
    }
}

async fn converse(speaks: Spoken, stream: Box<dyn Stream>, resets: Arc<AtomicBool>, doors: &Doors) {
    let living = doors.clone();
    let service = service_fn(move |request| {
        let (doors, resets) = (living.clone(), Arc::clone(&resets));
        async move {
            let answered = answer(request, &doors).await;
            resets.fetch_or(matches!(answered, Err(Broken::Reset)), Ordering::Relaxed);
            answered
        }
    });
    let stream = TokioIo::new(stream);
    match speaks {
        Spoken::Http1 => {
            let connection = pin!(http1::Builder::new().serve_connection(stream, service));
            last(connection, http1::Connection::graceful_shutdown, doors).await;
        }
        Spoken::Http2 => {
            let connection =
                pin!(http2::Builder::new(TokioExecutor::new()).serve_connection(stream, service));
            last(connection, http2::Connection::graceful_shutdown, doors).await;
        }
    }
}

/// Lets a connection last until it, the process or the service ends.
async fn last<C: Future>(mut connection: Pin<&mut C>, wind_down: impl FnOnce(Pin<&mut C>), doors: &Doors) {
    tokio::select! {
        _ = connection.as_mut() => {}
        () = doors.life.cancelled() => {}
        () = doors.closing.cancelled() => {
            wind_down(connection.as_mut());
            tokio::select! {
                _ = connection.as_mut() => {}
                () = doors.life.cancelled() => {}
            }
        }
    }
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
