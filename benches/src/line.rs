//! A client on one connection: one request at a time, or many at once.

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// One connection, and its frames of two length bytes.
pub(crate) struct Line {
    stream: TcpStream,
}

impl Line {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends one frame, waits for its answer, and so on; latencies in nanoseconds.
    pub(crate) fn one_at_a_time(
        mut self,
        count: usize,
        request: impl Fn(usize) -> Result<Vec<u8>>,
    ) -> Result<Histogram<u64>> {
        let mut histogram = Histogram::new(3)?;
        let warm_up = count / 10;
        let mut answer = vec![0; 64 * 1024];
        for number in 0..count + warm_up {
            let frame = request(number)?;
            let begin = Instant::now();
            self.stream.write_all(&frame)?;
            self.stream.read_exact(&mut answer[..2])?;
            let length = usize::from(u16::from_be_bytes([answer[0], answer[1]]));
            self.stream.read_exact(&mut answer[..length])?;
            if number >= warm_up {
                histogram.record(u64::try_from(begin.elapsed().as_nanos())?)?;
            }
        }
        Ok(histogram)
    }

    /// Keeps `window` requests unanswered; answers a second.
    pub(crate) fn pipelined(
        mut self,
        count: usize,
        window: usize,
        request: impl Fn(usize) -> Result<Vec<u8>>,
    ) -> Result<u64> {
        let frames: Vec<Vec<u8>> = (0..count).map(request).collect::<Result<_>>()?;
        let mut reader = self.stream.try_clone()?;
        let (done, room) = std::sync::mpsc::sync_channel::<()>(window);
        let begin = Instant::now();
        let sender = std::thread::spawn(move || -> Result<()> {
            for chunk in frames.chunks(64) {
                for _ in chunk {
                    done.send(())?;
                }
                self.stream.write_all(&chunk.concat())?;
            }
            Ok(())
        });
        let mut buffer = vec![0; 1024 * 1024];
        let (mut filled, mut answers) = (0, 0);
        while answers < count {
            let read = reader.read(&mut buffer[filled..])?;
            ensure!(read > 0, "the other side closed the connection after {answers} answers");
            filled += read;
            let mut at = 0;
            while filled - at >= 2 {
                let length = usize::from(u16::from_be_bytes([buffer[at], buffer[at + 1]]));
                if filled - at < length + 2 {
                    break;
                }
                at += length + 2;
                answers += 1;
                room.recv()?;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
        }
        let elapsed = begin.elapsed();
        sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
        Ok(u64::try_from(count)?.saturating_mul(1_000_000) / u64::try_from(elapsed.as_micros())?.max(1))
    }
}
