//! Purchases at a steady rate on one connection; each latency counts from the moment at which it was due.

use crate::system::{CARDS, pan};
use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use hdrhistogram::Histogram;
use iso8583::{Dialect, Draft, Mti};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Numbers that no two purchases of this process share.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// How long after the last request its answer may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// One stream of purchases.
pub(crate) struct Stream {
    address: SocketAddr,
    first_card: u32,
    rate: u32,
    count: u32,
}

/// What became of them.
pub(crate) struct Outcome {
    /// Microseconds from due to answered.
    pub(crate) latencies: Histogram<u64>,
    pub(crate) approved: u64,
    pub(crate) declined: u64,
    late: Histogram<u64>,
}

impl Outcome {
    /// How many answers came later than `deadline` after their request was written.
    pub(crate) fn later_than(&self, deadline: Duration) -> u64 {
        let micros = u64::try_from(deadline.as_micros()).unwrap_or(u64::MAX);
        self.late
            .iter_recorded()
            .filter(|value| value.value_iterated_to() > micros)
            .map(|value| value.count_at_value())
            .sum()
    }
}

impl Stream {
    /// Cards that the balance service is asked for.
    pub(crate) fn jit(address: SocketAddr, rate: u32, seconds: u32) -> Self {
        Self { address, first_card: 0, rate, count: rate * seconds }
    }

    /// Cards funded from memory.
    pub(crate) fn pre_funded(address: SocketAddr, rate: u32, seconds: u32) -> Self {
        Self { address, first_card: CARDS, rate, count: rate * seconds }
    }

    /// Sends them all, and waits for every answer.
    pub(crate) fn run(&self) -> Result<Outcome> {
        let dialect = iso8583::shipped("ascii-1987").context("the dialect is shipped")??;
        let first = NUMBERS.fetch_add(u64::from(self.count), Ordering::SeqCst);
        let frames: Vec<Vec<u8>> =
            (0..self.count).map(|index| self.request(&dialect, first, index)).collect::<Result<_>>()?;
        let mut writer = TcpStream::connect(self.address)?;
        writer.set_nodelay(true)?;
        let reader = writer.try_clone()?;
        reader.set_read_timeout(Some(PATIENCE))?;
        let begin = Instant::now() + Duration::from_millis(50);
        let period = Duration::from_secs(1) / self.rate;
        let written: Vec<AtomicU64> = frames.iter().map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| -> Result<()> {
                for (index, frame) in (0_u32..).zip(&frames) {
                    std::thread::sleep((begin + period * index).saturating_duration_since(Instant::now()));
                    let micros = u64::try_from(begin.elapsed().as_micros())?;
                    if let Some(written) = written.get(usize::try_from(index)?) {
                        written.store(micros, Ordering::Release);
                    }
                    writer.write_all(frame)?;
                }
                Ok(())
            });
            let outcome = self.receive(reader, &dialect, first, begin, &written);
            sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
            outcome
        })
    }

    fn receive(
        &self,
        mut reader: TcpStream,
        dialect: &Dialect,
        first: u64,
        begin: Instant,
        written: &[AtomicU64],
    ) -> Result<Outcome> {
        let mut outcome = Outcome {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            approved: 0,
            declined: 0,
            late: Histogram::new_with_bounds(1, 60_000_000, 3)?,
        };
        let period = Duration::from_secs(1) / self.rate;
        for answered in 0..self.count {
            let mut length = [0; 2];
            let unanswered = || format!("{} requests had no answer", self.count - answered);
            reader.read_exact(&mut length).with_context(unanswered)?;
            let mut body = vec![0; usize::from(u16::from_be_bytes(length))];
            reader.read_exact(&mut body).with_context(unanswered)?;
            let now = u64::try_from(begin.elapsed().as_micros())?;
            let message = dialect.decode(Bytes::from(body)).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            let number: u64 = message.text(37).context("an answer without DE 37")?.trim().parse()?;
            let index = number.checked_sub(first).context("an answer to another stream")?;
            let due = u64::try_from((period * u32::try_from(index)?).as_micros())?;
            outcome.latencies.saturating_record(now.saturating_sub(due));
            let sent = written.get(usize::try_from(index)?).context("an answer to nothing")?;
            outcome.late.saturating_record(now.saturating_sub(sent.load(Ordering::Acquire)));
            match message.text(39).as_deref() {
                Some("00") => outcome.approved += 1,
                Some(_) => outcome.declined += 1,
                None => ensure!(false, "an answer without DE 39"),
            }
        }
        Ok(outcome)
    }

    /// A purchase of 1.00 USD, framed.
    fn request(&self, dialect: &Dialect, first: u64, index: u32) -> Result<Vec<u8>> {
        let number = first + u64::from(index);
        let mut body = BytesMut::new();
        Draft::new(dialect, Mti::parse("0100").context("an MTI")?)
            .text(2, &pan(self.first_card + index % CARDS))
            .text(3, "000000")
            .number(4, 100)
            .number(7, 1_120_000_000 + number / 1_000_000 % 60)
            .number(11, number % 1_000_000)
            .number(18, 5_411)
            .text(32, "12345")
            .text(37, &format!("{number:012}"))
            .text(41, "TERM0001")
            .text(42, "MERCHANT0000001")
            .text(49, "840")
            .encode_into(&mut body)?;
        let mut frame = u16::try_from(body.len())?.to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        Ok(frame)
    }
}
