//! An echo server: answers every message with yes and decides nothing.
//!
//! Traffic against it shows what the load generator itself costs, and the shortest latency that it can see. It decodes
//! each message and writes a whole answer, so it costs more than the bytes alone; it says how much.

use super::config::LinkTarget;
use super::request::ECHOED;
use bytes::{Buf, BytesMut};
use iso8583::{Class, Draft, EncodeError, Function, Message};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const BUFFER_BYTES: usize = 64 * 1024;

/// A running echo server, on a thread of its own.
#[derive(Debug)]
pub struct EchoServer {
    links: Vec<LinkTarget>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Duration>,
}

impl EchoServer {
    /// Listens once for each of `links`, in its dialect and framing, on loopback addresses of its own.
    ///
    /// # Errors
    /// The operating system gives no thread, runtime or port.
    pub fn start(links: Vec<LinkTarget>) -> io::Result<Self> {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("echo".into()).spawn(move || {
            let begun = thread_time();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(serve(links, tell, stopped)),
                Err(error) => drop(tell.send(Err(error))),
            }
            thread_time().saturating_sub(begun)
        })?;
        let links = told.recv().map_err(|_| io::Error::other("the echo server's thread has ended"))??;
        Ok(Self { links, stop, thread })
    }

    /// The links, with the addresses that it listens on.
    #[must_use]
    pub fn links(&self) -> &[LinkTarget] {
        &self.links
    }

    /// Ends it, and returns how much processor time it took.
    #[must_use]
    pub fn stop(self) -> Duration {
        // It may have ended by itself; then there is nobody to tell.
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_default()
    }
}

/// How much processor time all threads of this process have taken.
#[must_use]
pub fn process_time() -> Duration {
    time(ClockId::ProcessCPUTime)
}

fn thread_time() -> Duration {
    time(ClockId::ThreadCPUTime)
}

fn time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

async fn serve(
    mut links: Vec<LinkTarget>,
    tell: mpsc::Sender<io::Result<Vec<LinkTarget>>>,
    stopped: oneshot::Receiver<()>,
) {
    for link in &mut links {
        match listen(link.clone()).await {
            // Whatever the link is elsewhere, here it is connected to, in the clear.
            Ok(address) => *link = LinkTarget::new(address, link.dialect.clone(), link.frame),
            Err(error) => return drop(tell.send(Err(error))),
        }
    }
    // Who started it waits for this.
    if tell.send(Ok(links)).is_ok() {
        let _ = stopped.await;
    }
}

/// Serves every connection of one link from now on; the address.
async fn listen(link: LinkTarget) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let link = link.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, &link).await {
                    tracing::warn!(%error, "the echo server closed a connection");
                }
            });
        }
    });
    Ok(address)
}

async fn converse(mut stream: TcpStream, link: &LinkTarget) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut inbound, mut outbound) = (BytesMut::with_capacity(BUFFER_BYTES), BytesMut::new());
    loop {
        inbound.reserve(BUFFER_BYTES);
        if stream.read_buf(&mut inbound).await? == 0 {
            return Ok(());
        }
        while let Some(body) = link.frame.split(&mut inbound).map_err(io::Error::other)? {
            let Ok(message) = link.dialect.decode(body) else { continue };
            let written = link.frame.write(&mut outbound, |out| answer(&message, out));
            written.map_err(io::Error::other)?;
        }
        while outbound.has_remaining() {
            stream.write_buf(&mut outbound).await?;
        }
    }
}

/// Yes, with everything that the processor wants to see again. The same question has the same answer.
fn answer(message: &Message, out: &mut BytesMut) -> Result<(), EncodeError> {
    let Some(mut draft) = Draft::answer(message) else { return Ok(()) };
    for element in ECHOED {
        draft.echo(element, message);
    }
    let class = message.mti().class();
    if matches!(class, Class::Authorization | Class::Financial)
        && message.mti().function() == Function::Request
    {
        draft.text(38, &format!("{:06}", message.number(11).unwrap_or(0) % 1_000_000));
    }
    draft.text(39, "00").echo(70, message);
    draft.encode_into(out)
}
