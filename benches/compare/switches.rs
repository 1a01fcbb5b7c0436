//! The bare echo, and the switch in each mode of acknowledgement.

use crate::table::Measured;
use crate::{CARDS, Contender, Scale};
use anyhow::{Context, Result};
use benches::client::{Client, Framed};
use benches::echo;
use benches::purchase::{Pick, Purchases};
use benches::system::{Cards, System};
use journal::Acknowledge;
use std::net::SocketAddr;

/// Requests unanswered at once when there are many.
const WINDOW: u64 = 2_000;

/// The echo, and a switch in each mode.
pub(crate) fn all() -> Vec<Result<Box<dyn Contender>>> {
    let modes = [
        ("on disk (fdatasync)", Acknowledge::Disk),
        ("by the operating system", Acknowledge::Os),
        ("in memory", Acknowledge::Memory),
    ];
    let switches = modes.map(|(words, mode)| start(words, mode).with_context(|| format!("switch, {words}")));
    std::iter::once(bare_echo()).chain(switches).collect()
}

fn bare_echo() -> Result<Box<dyn Contender>> {
    Ok(Box::new(Framing {
        name: "bare framed echo on tokio".into(),
        link: echo::start()?,
        system: None,
        next: 0,
    }))
}

fn start(words: &str, mode: Acknowledge) -> Result<Box<dyn Contender>> {
    let system = System::start(Cards { jit: 0, pre_funded: CARDS }, |file| file.journal.acknowledge = mode)?;
    let name = format!("authswitch, acknowledged {words}");
    Ok(Box::new(Framing { name, link: system.link(), system: Some(system), next: 0 }))
}

/// What speaks framed ISO 8583.
struct Framing {
    name: String,
    link: SocketAddr,
    system: Option<System>,
    /// The number of the next purchase: none is sent twice.
    next: u64,
}

impl Framing {
    fn run(&mut self, count: u64, window: u64) -> Result<Measured> {
        let purchases = Purchases::new(0, CARDS, Pick::Any)?;
        let protocol =
            if self.system.is_some() { Framed::switch(purchases) } else { Framed::echo(purchases) };
        let run = Client::connect(self.link, protocol)?.window(self.next, count, window)?;
        self.next += count;
        run.all_approved().with_context(|| self.name.clone())?;
        Ok(Measured::of(&run))
    }
}

impl Contender for Framing {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn one_at_a_time(&mut self, count: u64) -> Result<Measured> {
        self.run(count, 1)
    }

    fn at_once(&mut self, scale: Scale) -> Result<Measured> {
        self.run(scale.many, WINDOW)
    }

    fn stop(self: Box<Self>) -> Result<()> {
        self.system.map_or(Ok(()), System::stop)
    }
}
