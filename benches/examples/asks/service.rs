//! A balance service that does as it is told, on a thread of its own, and measures its own time.

use anyhow::{Context, Result};
use benches::histogram::{Latencies, latencies, record};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

/// How it behaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Approves at once.
    Normal,
    /// Takes asks and says nothing.
    Hung,
    /// Approves after 1.5 s.
    Slow,
    /// Half a second well, half a second hung.
    Flapping,
}

/// It runs until the process ends.
pub(crate) struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    mode: AtomicU8,
    begin: Instant,
    own_time: Mutex<Latencies>,
}

impl Service {
    pub(crate) fn start() -> Result<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let own_time = Mutex::new(latencies()?);
        let shared = Arc::new(Shared { mode: AtomicU8::new(0), begin: Instant::now(), own_time });
        let all = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&all);
                tokio::spawn(async move {
                    // The switch closing a connection ends it.
                    let _ = shared.serve(stream).await;
                });
            }
        });
        Ok(Self { address, shared, _runtime: runtime })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn play(&self, mode: Mode) {
        self.shared.mode.store(mode as u8, Ordering::SeqCst);
        self.shared.own().reset();
    }

    /// From a request read to its answer written, in nanoseconds, since the last change.
    pub(crate) fn own_time(&self) -> Latencies {
        self.shared.own().clone()
    }
}

impl Shared {
    fn own(&self) -> MutexGuard<'_, Latencies> {
        self.own_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long an ask waits for its answer now; `None` for ever.
    fn pause(&self) -> Option<Duration> {
        let mode = self.mode.load(Ordering::SeqCst);
        let well = (self.begin.elapsed().as_millis() / 500).is_multiple_of(2);
        match mode {
            mode if mode == Mode::Hung as u8 => None,
            mode if mode == Mode::Slow as u8 => Some(Duration::from_millis(1_500)),
            mode if mode == Mode::Flapping as u8 && !well => None,
            _ => Some(Duration::ZERO),
        }
    }

    async fn serve(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        let mut bytes = Vec::with_capacity(4_096);
        loop {
            let (is_ask, id, used) = loop {
                if let Some(request) = request(&bytes) {
                    break request;
                }
                if stream.read_buf(&mut bytes).await? == 0 {
                    return Ok(());
                }
            };
            bytes.drain(..used);
            let begin = Instant::now();
            if is_ask {
                match self.pause() {
                    None => {
                        // Nothing is said; the switch closes the connection when it has had enough.
                        let _ = stream.read_buf(&mut bytes).await?;
                        return Ok(());
                    }
                    Some(pause) if pause.is_zero() => {}
                    Some(pause) => tokio::time::sleep(pause).await,
                }
            }
            let body =
                if is_ask { format!(r#"{{"ask_id":"{id}","decision":"approve"}}"#) } else { String::new() };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await?;
            if is_ask {
                record(&mut self.own(), begin.elapsed());
            }
        }
    }
}

/// A whole request at the beginning of `bytes`: whether it is an ask, its id, and its length.
fn request(bytes: &[u8]) -> Option<(bool, String, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let field = |name: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    };
    let length: usize = field("content-length").unwrap_or("0").parse().context("a length").ok()?;
    let used = head.checked_add(4)?.checked_add(length)?;
    (bytes.len() >= used).then(|| {
        (text.starts_with("POST /v1/asks "), field("webhook-id").unwrap_or_default().to_owned(), used)
    })
}
