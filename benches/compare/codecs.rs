//! Decoding the same bytes: our dialects beside the Rust crates that do this, and Python's.
//!
//! Each decodes one 0100 with 18 elements and checks what it checks by itself. Two crates know bitmaps as bytes only:
//! their message has the same elements and 8 bytes where the others have 16 hexadecimal digits.

use crate::Scale;
use crate::process::{find, output};
use crate::table::median;
use anyhow::{Context, Result, anyhow};
use benches::purchase;
use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, Draft};
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// One codec.
#[derive(Clone, Debug)]
pub(crate) struct Codec {
    pub(crate) name: String,
    /// The median time of a decode.
    pub(crate) nanos: u64,
}

/// How long each codec is looked at in each round.
const TURN: Duration = Duration::from_millis(150);

/// A name, and a decode to be timed.
type Contestant = (String, Box<dyn FnMut() -> bool>);

/// Measures all in turn; and what could not be measured.
pub(crate) fn measure(scale: Scale) -> Result<(Vec<Codec>, Vec<String>)> {
    let body = purchase::body()?;
    let mut contestants = own(&body)?;
    contestants.extend(others(&body)?);
    let mut rounds: Vec<Vec<u64>> = contestants.iter().map(|_| Vec::new()).collect();
    for _ in 0..=scale.rounds {
        for ((name, decode), rounds) in contestants.iter_mut().zip(&mut rounds) {
            rounds.push(time(decode).with_context(|| name.clone())?);
        }
    }
    let names = contestants.into_iter().map(|(name, _)| name);
    let measured =
        names.zip(rounds).filter_map(|(name, rounds)| Some(Codec { name, nanos: median(rounds)? }));
    let mut codecs: Vec<Codec> = measured.collect();
    let mut missing = Vec::new();
    match python(&body) {
        Ok(codec) => codecs.push(codec),
        Err(error) => missing.push(format!("{error:#}")),
    }
    Ok((codecs, missing))
}

/// Nanoseconds a call.
fn time(decode: &mut dyn FnMut() -> bool) -> Result<u64> {
    const CALLS: u32 = 1_000;
    let begin = Instant::now();
    let mut turns = Vec::new();
    while begin.elapsed() < TURN {
        let turn = Instant::now();
        for _ in 0..CALLS {
            if !decode() {
                return Err(anyhow!("the message was refused"));
            }
        }
        turns.push(u64::try_from((turn.elapsed() / CALLS).as_nanos())?);
    }
    median(turns).context("no turn")
}

fn own(body: &[u8]) -> Result<Vec<Contestant>> {
    let ascii = purchase::dialect()?;
    let message =
        ascii.decode(Bytes::copy_from_slice(body)).map_err(|rejected| anyhow!("{}", rejected.error))?;
    let mut contestants: Vec<Contestant> = vec![decoding("authswitch, ASCII", ascii, body)];
    for (name, words) in [("binary-1987", "authswitch, BCD"), ("ebcdic-1987", "authswitch, EBCDIC")] {
        let dialect = iso8583::shipped(name).context("the dialect is shipped")??;
        let mut out = BytesMut::new();
        let mut draft = Draft::new(&dialect, message.mti());
        // Another table: each element is written anew from its value.
        for element in 2..=64 {
            draft.echo(element, &message);
        }
        draft.encode_into(&mut out)?;
        contestants.push(decoding(words, dialect, &out));
    }
    Ok(contestants)
}

fn decoding(name: &str, dialect: Dialect, body: &[u8]) -> Contestant {
    let body = Bytes::copy_from_slice(body);
    (name.to_owned(), Box::new(move || black_box(dialect.decode(black_box(body.clone()))).is_ok()))
}

/// The fields of ISO 8583:1987 that the message has, as `iso_8583_rs` wants to be told.
fn fields() -> [(i64, &'static str, &'static str, usize); 18] {
    [
        (2, "n", "llvar", 19),
        (3, "n", "fixed", 6),
        (4, "n", "fixed", 12),
        (7, "n", "fixed", 10),
        (11, "n", "fixed", 6),
        (12, "n", "fixed", 6),
        (13, "n", "fixed", 4),
        (14, "n", "fixed", 4),
        (18, "n", "fixed", 4),
        (19, "n", "fixed", 3),
        (22, "n", "fixed", 3),
        (25, "n", "fixed", 2),
        (32, "n", "llvar", 11),
        (37, "an", "fixed", 12),
        (41, "ans", "fixed", 8),
        (42, "ans", "fixed", 15),
        (43, "ans", "fixed", 40),
        (49, "an", "fixed", 3),
    ]
}

fn others(body: &[u8]) -> Result<Vec<Contestant>> {
    use iso_8583_rs::specfile::{FieldDescription, Spec};
    let described = fields().map(|(number, content, length, max_len)| {
        let (content_type, len_type) = (content.to_owned(), length.to_owned());
        (number, FieldDescription { content_type, len_type, max_len, min_len: 0, label: String::new() })
    });
    let spec = iso_8583_rs::CompiledSpec::compile(&Spec { fields: described.into_iter().collect() })
        .map_err(|error| anyhow!("iso_8583_rs: {error:?}"))?;
    let (strict, lazy, hex) = (spec.clone(), spec, body.to_vec());
    let (again, packed) = (hex.clone(), with_bytes_for_bitmap(body)?);
    let (also_packed, codec) = (packed.clone(), iso8583_codec::Spec::iso8583_1987());
    Ok(vec![
        (
            "iso_8583_rs 0.2, all checked".into(),
            Box::new(move || black_box(iso_8583_rs::Message::parse(&strict, black_box(&hex))).is_ok()),
        ),
        (
            "iso_8583_rs 0.2, lazily".into(),
            Box::new(move || black_box(iso_8583_rs::Message::parse_lazy(&lazy, black_box(&again))).is_ok()),
        ),
        (
            "iso8583-codec 0.1".into(),
            Box::new(move || black_box(iso8583_codec::Message::parse(&codec, black_box(&packed))).is_ok()),
        ),
        (
            "iso8583-core 0.1".into(),
            Box::new(move || {
                black_box(iso8583_core::ISO8583Message::from_bytes(black_box(&also_packed))).is_ok()
            }),
        ),
    ])
}

/// The message with its bitmap as 8 bytes instead of 16 digits.
fn with_bytes_for_bitmap(body: &[u8]) -> Result<Vec<u8>> {
    let digits = std::str::from_utf8(body.get(4..20).context("a bitmap")?)?;
    let mut packed = body.get(..4).context("an MTI")?.to_vec();
    packed.extend_from_slice(&u64::from_str_radix(digits, 16)?.to_be_bytes());
    packed.extend_from_slice(body.get(20..).context("elements")?);
    Ok(packed)
}

/// Times `iso8583.decode` in a loop of its own and prints nanoseconds.
const PYTHON: &str = "\
import copy, importlib.metadata, statistics, sys, time
import iso8583
from iso8583.specs import default_ascii
spec = copy.deepcopy(default_ascii)
body = sys.argv[1].encode()
turns = []
until = time.perf_counter() + 1.0
while time.perf_counter() < until:
    begin = time.perf_counter_ns()
    for _ in range(1000):
        iso8583.decode(body, spec)
    turns.append((time.perf_counter_ns() - begin) // 1000)
print(int(statistics.median(turns)), importlib.metadata.version('pyiso8583'), sys.version.split()[0])
";

fn python(body: &[u8]) -> Result<Codec> {
    let python = find("python3", &[])?;
    let said = output(Command::new(python).args(["-c", PYTHON, std::str::from_utf8(body)?]))
        .context("pyiso8583 (pip install pyiso8583) is left out")?;
    let mut words = said.split_whitespace();
    let nanos = words.next().and_then(|nanos| nanos.parse().ok()).context("pyiso8583 says no time")?;
    let mut version = || words.next().unwrap_or_default();
    Ok(Codec { name: format!("pyiso8583 {}, Python {}", version(), version()), nanos })
}
