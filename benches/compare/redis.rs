//! What many would build: Redis, with a script that checks and reserves in one step, and every write synced.
//!
//! The script does less than the switch: it knows one daily limit, no follow-ups, and no rules. Its answers are kept for
//! a day, so that a repeat has the first one.

use crate::process::{Guard, find, free_port, version, wait_until};
use crate::table::Measured;
use crate::{CARDS, Contender, Scale};
use anyhow::{Context, Result, bail};
use benches::client::{Answer, Client, Protocol, Run};
use benches::purchase::{Pick, Purchases};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Connections, and commands unanswered on each.
const CONNECTIONS: u64 = 8;
const PIPELINED: u64 = 64;

/// KEYS: the card, and the request that a repeat would name again. ARGV: the amount in minor units.
const SCRIPT: &str = "\
local first = redis.call('GET', KEYS[2])
if first then return first end
local card = redis.call('HMGET', KEYS[1], 'available', 'spent', 'spent_max', 'amount_max', 'status')
local amount = tonumber(ARGV[1])
local code = '00'
if card[5] ~= 'active' then code = '62'
elseif amount > tonumber(card[4]) then code = '61'
elseif tonumber(card[2]) + amount > tonumber(card[3]) then code = '61'
elseif tonumber(card[1]) < amount then code = '51'
else
  redis.call('HINCRBY', KEYS[1], 'available', -amount)
  redis.call('HINCRBY', KEYS[1], 'spent', amount)
end
redis.call('SET', KEYS[2], code, 'EX', 86400)
return code";

/// Starts a server on a folder of its own, on the disk that the journal is on.
pub(crate) fn start() -> Result<Box<dyn Contender>> {
    let program = find("redis-server", &[])?;
    let folder = tempfile::tempdir_in(".")?;
    let port = free_port()?;
    let child = Command::new(&program)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .arg("--dir")
        .arg(std::fs::canonicalize(folder.path())?)
        .stdout(Stdio::null())
        .spawn()
        .context("redis-server cannot be started")?;
    let guard = Guard(child);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("redis-server", || Ok(TcpStream::connect(address).map(drop)?))?;
    let script = load(address)?;
    let version = version(&program);
    let version = version.split("v=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    let name = format!("Redis {version}, Lua check-and-reserve, appendfsync always");
    Ok(Box::new(Redis { name, address, script, next: 0, _child: guard, _folder: folder }))
}

/// Sets the cards up and loads the script; its digest.
fn load(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    for card in 0..CARDS {
        let key = format!("card:{card}");
        let hash = "available 1000000000 spent 0 spent_max 900000000 amount_max 1000000 status active";
        let mut words = vec!["HSET", key.as_str()];
        words.extend(hash.split(' '));
        call(&mut stream, &words)?;
    }
    let answer = call(&mut stream, &["SCRIPT", "LOAD", SCRIPT])?;
    answer.lines().nth(1).map(str::to_owned).context("the script has no digest")
}

fn call(stream: &mut TcpStream, words: &[&str]) -> Result<String> {
    let mut out = Vec::new();
    command(words, &mut out);
    stream.write_all(&out)?;
    let mut buffer = [0; 4_096];
    let read = stream.read(&mut buffer)?;
    let answer = String::from_utf8_lossy(&buffer[..read]).into_owned();
    if answer.is_empty() || answer.starts_with('-') {
        bail!("redis-server says {answer:?}");
    }
    Ok(answer)
}

fn command(words: &[&str], out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "*{}\r\n", words.len());
    for word in words {
        let _ = write!(out, "${}\r\n{word}\r\n", word.len());
    }
}

struct Redis {
    name: String,
    address: SocketAddr,
    script: String,
    next: u64,
    _child: Guard,
    _folder: TempDir,
}

impl Redis {
    fn client(&self) -> Result<Client<Scripted>> {
        let purchases = Purchases::new(0, CARDS, Pick::Any)?;
        Client::connect(self.address, Scripted { script: self.script.clone(), purchases })
    }
}

/// Calls of the script.
struct Scripted {
    script: String,
    purchases: Purchases,
}

impl Protocol for Scripted {
    fn ask(&self, number: u64, out: &mut Vec<u8>) {
        let card = format!("card:{}", self.purchases.card(number));
        command(&["EVALSHA", &self.script, "2", &card, &format!("request:{number}"), "100"], out);
    }

    fn answer(&mut self, bytes: &[u8]) -> Result<Option<Answer>> {
        if bytes.first() == Some(&b'-') {
            bail!("redis-server says {}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).trim());
        }
        // $2, the code, each with its end of line.
        let code = bytes.get(4..6).and_then(|code| code.try_into().ok()).unwrap_or(*b"--");
        Ok((bytes.len() >= 8).then_some(Answer { bytes: 8, number: None, approved: code == *b"00", code }))
    }
}

impl Contender for Redis {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn one_at_a_time(&mut self, count: u64) -> Result<Measured> {
        let run = self.client()?.one_at_a_time(self.next, count)?;
        self.next += count;
        run.all_approved().with_context(|| self.name.clone())?;
        Ok(Measured::of(&run))
    }

    fn at_once(&mut self, scale: Scale) -> Result<Measured> {
        let each = scale.many / 2 / CONNECTIONS;
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| self.client()).collect::<Result<_>>()?;
        let first = self.next;
        self.next += each * CONNECTIONS;
        let run = std::thread::scope(|scope| -> Result<Run> {
            let places = (0..CONNECTIONS).map(|place| first + place * each);
            let running: Vec<_> = clients
                .into_iter()
                .zip(places)
                .map(|(client, first)| scope.spawn(move || client.window(first, each, PIPELINED)))
                .collect();
            let mut all: Option<Run> = None;
            for one in running {
                let run = one.join().map_err(|_| anyhow::anyhow!("a client panicked"))??;
                all = Some(match all {
                    Some(before) => before.join(&run)?,
                    None => run,
                });
            }
            all.context("no client")
        })?;
        run.all_approved().with_context(|| self.name.clone())?;
        Ok(Measured::of(&run))
    }

    fn stop(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
