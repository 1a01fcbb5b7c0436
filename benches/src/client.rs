//! A client on one connection: one request at a time, a window of them, or at fixed times.

use crate::histogram::{Latencies, latencies, record};
use crate::purchase::{Purchases, number_in};
use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How a system is asked, and how its answers are told apart.
pub trait Protocol: Send {
    /// Appends the bytes of question `number`.
    fn ask(&self, number: u64, out: &mut Vec<u8>);

    /// The first whole answer in `bytes`, if there is one.
    ///
    /// # Errors
    /// It is no answer.
    fn answer(&mut self, bytes: &[u8]) -> Result<Option<Answer>>;
}

/// One answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Answer {
    /// How many bytes it has.
    pub bytes: usize,
    /// Which question it answers; `None`: the oldest that has no answer.
    pub number: Option<u64>,
    /// It says yes.
    pub approved: bool,
    /// What it says, in two characters.
    pub code: [u8; 2],
}

/// Framed ISO 8583 in the dialect of [`Purchases`].
#[derive(Clone, Debug)]
pub struct Framed {
    purchases: Purchases,
    /// Where DE 37 begins in an answer, once one was seen.
    rrn_at: Option<usize>,
    /// The answers are the questions themselves.
    echo: bool,
}

impl Framed {
    /// Asked of a switch.
    #[must_use]
    pub const fn switch(purchases: Purchases) -> Self {
        Self { purchases, rrn_at: None, echo: false }
    }

    /// Asked of an echo, which says yes to everything.
    #[must_use]
    pub const fn echo(purchases: Purchases) -> Self {
        Self { purchases, rrn_at: None, echo: true }
    }

    fn learn(&mut self, body: &[u8]) -> Result<usize> {
        if let Some(at) = self.rrn_at {
            return Ok(at);
        }
        let bytes = bytes::Bytes::copy_from_slice(body);
        let message = crate::purchase::dialect()?.decode(bytes.clone());
        let message = message.map_err(|rejected| anyhow::anyhow!("{}", rejected.error))?;
        // By its place and not by its digits, which may stand elsewhere too.
        let rrn = message.raw(37).context("an answer without DE 37")?;
        let at = rrn.as_ptr().addr() - bytes.as_ptr().addr();
        self.rrn_at = Some(at);
        Ok(at)
    }
}

/// The character of the bitmap with the bit of DE 38, behind four of the MTI, and the bit.
const HAS_APPROVAL_CODE: (usize, u8) = (13, 4);

impl Protocol for Framed {
    fn ask(&self, number: u64, out: &mut Vec<u8>) {
        self.purchases.write(number, out);
    }

    fn answer(&mut self, bytes: &[u8]) -> Result<Option<Answer>> {
        let [high, low, rest @ ..] = bytes else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let at = self.learn(body)?;
        let number = body.get(at..at + 12).map(number_in);
        let (place, bit) = HAS_APPROVAL_CODE;
        let digit = body.get(place).and_then(|digit| char::from(*digit).to_digit(16)).unwrap_or(0);
        let code_at = at + 12 + if digit & u32::from(bit) == 0 { 0 } else { 6 };
        let code = body.get(code_at..code_at + 2).and_then(|code| code.try_into().ok()).unwrap_or(*b"--");
        let approved = self.echo || code == *b"00";
        Ok(Some(Answer { bytes: length + 2, number, approved, code }))
    }
}

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Run {
    /// Answers.
    pub answers: u64,
    /// Those that said yes.
    pub approved: u64,
    /// What the first of the others said.
    pub first_refusal: Option<[u8; 2]>,
    /// From the first question to the last answer.
    pub elapsed: Duration,
    /// Of those that said yes: from the moment at which a question left, or was due.
    pub latencies: Latencies,
    /// Of the others.
    pub refused: Latencies,
    /// Of all answers: from the moment at which the question left.
    pub waited: Latencies,
    /// The same, of those that said yes.
    pub approved_waited: Latencies,
    /// The same, of the others.
    pub refused_waited: Latencies,
    /// How late questions left, which is the client's own share of the latencies.
    pub left_late: Latencies,
}

impl Run {
    fn new() -> Result<Self> {
        let (answers, approved, elapsed) = (0, 0, Duration::ZERO);
        Ok(Self {
            answers,
            approved,
            first_refusal: None,
            elapsed,
            latencies: latencies()?,
            refused: latencies()?,
            waited: latencies()?,
            approved_waited: latencies()?,
            refused_waited: latencies()?,
            left_late: latencies()?,
        })
    }

    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.answers.saturating_mul(1_000_000) / u64::try_from(self.elapsed.as_micros()).unwrap_or(1).max(1)
    }

    /// Adds a run that went on beside this one.
    ///
    /// # Errors
    /// Never: all histograms have the same bounds.
    pub fn join(mut self, other: &Self) -> Result<Self> {
        self.answers += other.answers;
        self.approved += other.approved;
        self.first_refusal = self.first_refusal.or(other.first_refusal);
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latencies.add(&other.latencies)?;
        self.refused.add(&other.refused)?;
        self.waited.add(&other.waited)?;
        self.approved_waited.add(&other.approved_waited)?;
        self.refused_waited.add(&other.refused_waited)?;
        self.left_late.add(&other.left_late)?;
        Ok(self)
    }

    /// How many answers came later than `deadline` after their question had left.
    #[must_use]
    pub fn later_than(&self, deadline: Duration) -> u64 {
        let deadline = u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX);
        let later = self.waited.iter_recorded().filter(|value| value.value_iterated_to() > deadline);
        later.map(|value| value.count_at_value()).sum()
    }

    /// The latencies of all answers.
    ///
    /// # Errors
    /// Never: all histograms have the same bounds.
    pub fn all(&self) -> Result<Latencies> {
        let mut all = self.latencies.clone();
        all.add(&self.refused)?;
        Ok(all)
    }

    /// Whether everything was approved: a system that declines has not done the work.
    ///
    /// # Errors
    /// Something was not, and how many, with the first code.
    pub fn all_approved(&self) -> Result<()> {
        let (refused, all) = (self.answers - self.approved, self.answers);
        let code = String::from_utf8_lossy(&self.first_refusal.unwrap_or(*b"--")).into_owned();
        ensure!(refused == 0, "{refused} of {all} purchases were not approved, the first with {code}");
        Ok(())
    }

    fn count(&mut self, answer: Answer, latency: Duration, waited: Duration) {
        self.answers += 1;
        record(&mut self.waited, waited);
        record(&mut self.left_late, latency.saturating_sub(waited));
        if answer.approved {
            self.approved += 1;
            record(&mut self.latencies, latency);
            record(&mut self.approved_waited, waited);
        } else {
            self.first_refusal = self.first_refusal.or(Some(answer.code));
            record(&mut self.refused, latency);
            record(&mut self.refused_waited, waited);
        }
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client<P> {
    stream: TcpStream,
    protocol: P,
}

const BUFFER_BYTES: usize = 1024 * 1024;

/// Without an answer for this long the other side is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);

impl<P: Protocol> Client<P> {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens there.
    pub fn connect(address: SocketAddr, protocol: P) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, protocol })
    }

    /// Asks `count` questions from `first` on, each when the one before is answered.
    ///
    /// # Errors
    /// The connection is lost, or an answer is none.
    pub fn one_at_a_time(self, first: u64, count: u64) -> Result<Run> {
        self.window(first, count, 1)
    }

    /// Asks `count` questions from `first` on, and keeps up to `window` of them unanswered.
    ///
    /// # Errors
    /// The connection is lost, or an answer is none.
    pub fn window(mut self, first: u64, count: u64, window: u64) -> Result<Run> {
        // An eighth at a time, as a busy client gathers what it sends.
        let least = (window / 8).max(1);
        let mut run = Run::new()?;
        let mut sent_at = vec![Duration::ZERO; usize::try_from(count)?];
        let (mut out, mut inbound) = (Vec::new(), Inbound::new());
        let (mut sent, begin) = (0, Instant::now());
        while run.answers < count {
            let room = window.min(count - run.answers) - (sent - run.answers);
            if room >= least.min(count - run.answers) && sent < count {
                out.clear();
                let until = (sent + room).min(count);
                let at = begin.elapsed();
                for place in sent..until {
                    self.protocol.ask(first + place, &mut out);
                    sent_at[usize::try_from(place)?] = at;
                }
                self.stream.write_all(&out)?;
                sent = until;
            }
            inbound.read(&mut self.stream).with_context(|| format!("after {} answers", run.answers))?;
            let now = begin.elapsed();
            while let Some(answer) = inbound.next(&mut self.protocol)? {
                let place = answer.number.map_or(run.answers, |number| number.wrapping_sub(first));
                let at = sent_at.get(usize::try_from(place)?).context("an answer to nothing")?;
                let took = now.saturating_sub(*at);
                run.count(answer, took, took);
            }
        }
        run.elapsed = begin.elapsed();
        Ok(run)
    }

    /// Asks questions from `first` on, `rate` a second for `duration`, whatever the answers do; latencies count from
    /// the moment at which a question was due. `asked` is told how many have left.
    ///
    /// # Errors
    /// The connection is lost, an answer is none, or answers stop coming.
    pub fn open_loop(mut self, first: u64, rate: u32, duration: Duration, asked: &AtomicU64) -> Result<Run>
    where
        P: Clone,
    {
        let count = u64::try_from(duration.as_micros() * u128::from(rate) / 1_000_000)?;
        let due = |place: u64| Duration::from_nanos(place.saturating_mul(1_000_000_000) / u64::from(rate));
        let mut writer = self.stream.try_clone()?;
        let asking = self.protocol.clone();
        let mut run = Run::new()?;
        let left: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
        let left = &left;
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let sender = scope.spawn(move || -> Result<()> {
                let (mut out, mut sent) = (Vec::new(), 0);
                while sent < count {
                    std::thread::sleep(due(sent).saturating_sub(begin.elapsed()));
                    out.clear();
                    let now = begin.elapsed();
                    // A whole bufferful at most, so that what is written late does not wait for more.
                    while sent < count && due(sent) <= now && out.len() < BUFFER_BYTES / 16 {
                        asking.ask(first + sent, &mut out);
                        if let Some(left) = left.get(usize::try_from(sent)?) {
                            left.store(u64::try_from(now.as_nanos())?, Ordering::Release);
                        }
                        sent += 1;
                    }
                    writer.write_all(&out)?;
                    asked.store(sent, Ordering::Relaxed);
                }
                Ok(())
            });
            let mut inbound = Inbound::new();
            while run.answers < count {
                let answers = run.answers;
                inbound.read(&mut self.stream).with_context(|| format!("after {answers} answers"))?;
                let now = begin.elapsed();
                while let Some(answer) = inbound.next(&mut self.protocol)? {
                    let place = answer.number.map_or(run.answers, |number| number.wrapping_sub(first));
                    let left = left.get(usize::try_from(place)?).context("an answer to nothing")?;
                    let waited = now.saturating_sub(Duration::from_nanos(left.load(Ordering::Acquire)));
                    run.count(answer, now.saturating_sub(due(place)), waited);
                }
            }
            run.elapsed = begin.elapsed();
            sender.join().map_err(|_| anyhow::anyhow!("the sender panicked"))??;
            Ok(run)
        })
    }
}

/// What was read and not yet taken.
struct Inbound {
    buffer: Vec<u8>,
    from: usize,
    filled: usize,
}

impl Inbound {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER_BYTES], from: 0, filled: 0 }
    }

    fn read(&mut self, stream: &mut TcpStream) -> Result<()> {
        self.buffer.copy_within(self.from..self.filled, 0);
        self.filled -= self.from;
        self.from = 0;
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        ensure!(!room.is_empty(), "an answer is longer than {BUFFER_BYTES} bytes");
        match stream.read(room) {
            Ok(0) => bail!("the other side closed the connection"),
            Ok(read) => self.filled += read,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                bail!("no answer for {PATIENCE:?}")
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn next(&mut self, protocol: &mut impl Protocol) -> Result<Option<Answer>> {
        let answer = protocol.answer(self.buffer.get(self.from..self.filled).unwrap_or_default())?;
        if let Some(answer) = answer {
            self.from += answer.bytes;
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::purchase::Pick;

    fn client(address: SocketAddr) -> Client<Framed> {
        let purchases = Purchases::new(0, 100, Pick::Any).unwrap();
        Client::connect(address, Framed::echo(purchases)).unwrap()
    }

    #[test]
    fn every_way_of_asking_gets_each_answer_once_and_in_time_order() {
        let echo = crate::echo::start().unwrap();
        let single = client(echo).one_at_a_time(0, 50).unwrap();
        assert_eq!((single.answers, single.approved, single.latencies.len()), (50, 50, 50));
        let window = client(echo).window(5_000, 10_000, 700).unwrap();
        assert_eq!((window.answers, window.refused.len()), (10_000, 0));
        let asked = AtomicU64::new(0);
        let numbers = Purchases::new(0, 100, Pick::Any).unwrap();
        let mut protocol = Framed::echo(numbers.clone());
        for number in [0, 7, 123_456] {
            let mut asked = Vec::new();
            numbers.write(number, &mut asked);
            assert_eq!(protocol.answer(&asked).unwrap().unwrap().number, Some(number));
        }
        let open = client(echo).open_loop(0, 5_000, Duration::from_millis(400), &asked).unwrap();
        assert_eq!((open.answers, asked.into_inner()), (2_000, 2_000));
        assert!(open.elapsed >= Duration::from_millis(390), "{:?}", open.elapsed);
    }
}
