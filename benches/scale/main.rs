//! What a decision and its state cost as they grow: a hundred thousand cards, a million, ten million, and open holds.
//!
//!     cargo run --release -p benches --bin scale                     # 100,000, 1,000,000 and 10,000,000 cards
//!     cargo run --release -p benches --bin scale -- 1000000          # one size
//!
//! All shards, their cards with six limits, and the routing index, in memory and without anything around them; each size in a
//! process of its own, so that its memory is its own. Purchases meet cards at random, which is the worst case for
//! the caches of the processor: real cardholders come again.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use authorizer::{Effects, Rules, Shard};
use benches::histogram::{Latencies, latencies, record};
use benches::shards::{Random, context, limits, policy, purchase, shard, token};
use cache::Index;
use domain::{Fact, RateTable, ShardId};
use std::process::Command;
use std::time::Instant;

const SIZES: [&str; 3] = ["100000", "1000000", "10000000"];

/// Purchases between two looks at time and memory, and how many looks there are.
const HOLDS: u64 = 500_000;
const LOOKS: u64 = 4;

/// Purchases that are timed together: one is quicker than a look at the clock is exact.
const TIMED: u64 = 16;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["measure", cards] => measure(cards.parse()?),
        [] => SIZES.iter().try_for_each(|cards| in_a_process(cards)),
        sizes => sizes.iter().try_for_each(|cards| in_a_process(cards)),
    }
}

fn in_a_process(cards: &str) -> Result<()> {
    let status = Command::new(std::env::current_exe()?).args(["measure", cards]).status()?;
    if status.success() { Ok(()) } else { bail!("{cards} cards: ended with {status}") }
}

fn measure(cards: u32) -> Result<()> {
    let before = resident()?;
    let begin = Instant::now();
    let mut world = World::new(cards)?;
    let bytes = resident()?.saturating_sub(before);
    println!(
        "{cards} cards with six limits and an account each: {} bytes a card, {} MiB; made in {:.1} s",
        bytes / u64::from(cards.max(1)),
        bytes >> 20,
        begin.elapsed().as_secs_f64()
    );
    // The first touch of a card makes its counters.
    let mut holds_from = resident()?;
    for look in 1..=LOOKS {
        let (decided, found) = world.purchases(HOLDS)?;
        let now = resident()?;
        let ns = |latencies: &Latencies, quantile| latencies.value_at_quantile(quantile) / TIMED;
        println!(
            "  with {:>9} open holds: decide and apply {:>5} ns at the median, {:>5} ns at p99 (of {TIMED} together); find \
             the card {:>4} ns; {} bytes a hold",
            look * HOLDS,
            ns(&decided, 0.5),
            ns(&decided, 0.99),
            ns(&found, 0.5),
            now.saturating_sub(holds_from) / HOLDS,
        );
        holds_from = now;
    }
    Ok(())
}

struct World {
    shards: Vec<Shard>,
    index: Index,
    cards: u32,
    random: Random,
    number: u64,
    effects: Effects,
    rates: RateTable,
}

impl World {
    fn new(cards: u32) -> Result<Self> {
        let (limits, policy) = (limits()?, policy(Rules::default()));
        let index = Index::with_room(usize::try_from(cards)?, usize::try_from(cards)?);
        let count = u32::from(ShardId::COUNT);
        let shards = (0..ShardId::COUNT).map(|id| {
            let share = cards / count + u32::from(u32::from(id) < cards % count);
            let shard = shard(ShardId(id), share, &limits, policy.clone())?;
            index.learn_shards(std::iter::once(&shard));
            Ok(shard)
        });
        let shards = shards.collect::<Result<_>>()?;
        let (random, effects, rates) = (Random::default(), Effects::default(), RateTable::default());
        Ok(Self { shards, index, cards, random, number: 0, effects, rates })
    }

    /// Makes `count` purchases at random: how long `TIMED` decisions took, and `TIMED` look-ups.
    fn purchases(&mut self, count: u64) -> Result<(Latencies, Latencies)> {
        let (mut decided, mut found) = (latencies()?, latencies()?);
        let mut asked = Vec::new();
        for _ in 0..count / TIMED {
            asked.clear();
            for _ in 0..TIMED {
                let place = self.random.below(self.cards);
                let shard = u16::try_from(place % u32::from(ShardId::COUNT))?;
                let card = place / u32::from(ShardId::COUNT);
                self.number += 1;
                asked.push((ShardId(shard), card, purchase(ShardId(shard), card, self.number)?));
            }
            let begin = Instant::now();
            for (shard, card, _) in &asked {
                self.index.route(&token(*shard, *card)).context("a card")?;
            }
            record(&mut found, begin.elapsed());
            self.effects.facts.clear();
            self.effects.actions.clear();
            let begin = Instant::now();
            for (shard, _, command) in asked.drain(..) {
                let context = context(&self.rates, i64::try_from(self.number)?);
                let shard = self.shards.get_mut(usize::from(shard.0)).context("a shard")?;
                shard.execute(command, context, &mut self.effects).map_err(|error| anyhow!("{error}"))?;
            }
            record(&mut decided, begin.elapsed());
            let approved =
                self.effects.facts.iter().filter(|fact| matches!(fact, Fact::Approved { .. })).count();
            ensure!(
                approved as u64 == TIMED,
                "{approved} of {TIMED} were approved: {:?}",
                self.effects.facts
            );
        }
        Ok((decided, found))
    }
}

/// Memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes = line.trim().strip_suffix(" kB").context("no kB")?;
    Ok(kilobytes.trim().parse::<u64>()? * 1_024)
}
