//! A bare framed echo on tokio: what the sockets alone cost. The ceiling of throughput.

use anyhow::Result;
use bytes::BytesMut;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Starts the echo on a thread of its own, with one runtime worker, and returns where it listens.
///
/// # Errors
/// The operating system gives no thread, runtime or port.
pub fn start() -> Result<SocketAddr> {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            tell.send(listener.local_addr()?)?;
            loop {
                let (mut stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                tokio::spawn(async move {
                    let mut buffer = BytesMut::with_capacity(256 * 1024);
                    while stream.read_buf(&mut buffer).await? > 0 {
                        stream.write_all_buf(&mut buffer).await?;
                        buffer.reserve(256 * 1024);
                    }
                    anyhow::Ok(())
                });
            }
        })
    });
    Ok(told.recv()?)
}
