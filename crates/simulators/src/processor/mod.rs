//! The processor simulator: a load generator that keeps its own books.
//!
//! It plays the card processor: opens links, signs on, and sends purchases of every kind, declines of every reason,
//! repeats, reversals of all or of a part, increments, completions, refunds, advices, questions and echo tests. It speaks plain ISO 8583 and works against any switch: it connects or waits to be connected to, in the clear or over TLS, and answers what the switch
//! asks of it (sign-on, echo).
//!
//! # Guarantees
//! - **Open loop**: messages are due at times fixed before the run, and latency counts from the due time. A slow
//!   answer never delays the messages after it, so a stall shows in full (no coordinated omission). Messages
//!   that left late are counted.
//! - **Deterministic**: the same seed, cards, mix and links give the same messages in the same order on each link,
//!   whatever the answers are. Only DE 7 (and what is made of it: DE 12, 13, 37, 90) follows the clock,
//!   reversals and repeats after a lost connection follow what was lost, and what builds on a hold (completions,
//!   increments, reversals of a part) is left out where the hold's approval was not seen.
//! - **Checked**: each answer is matched by STAN and transmission time; its type, echoed elements, response code
//!   and approval code are checked, and a repeat's answer is compared byte for byte with the first.
//! - **Booked**: what was approved, advised, changed, reversed, paid and refunded is added up by card from answers alone, so that the
//!   switch's books can be compared with it to the cent.
//! - No card number is in anything that it returns or prints.
//!
//! # Where to start
//! [`population`] makes cards and the lines to import; [`run`] sends the traffic. Inside, `plan` decides what is
//! sent, `pace` when, `link` moves bytes, and `clerk` takes the answers.

mod booking;
mod books;
mod card;
mod checks;
mod clerk;
mod clock;
mod config;
mod deck;
mod echo;
mod effect;
mod flight;
mod import;
mod latency;
mod link;
mod merchant;
mod mix;
mod outcome;
mod pace;
mod plan;
mod population;
mod progress;
mod ramp;
mod references;
mod request;
mod secure;
mod skew;
mod timer;
mod violation;
mod wire;

pub use books::{Books, CardBook, CardEntry, OpenHolds, Sum};
pub use card::{Refusal, RefusalSource, Role, SimulatedCard};
pub use config::{LinkTarget, LinkTls, Opening, ProcessorConfig, ProcessorError, WhenUnanswered};
pub use echo::{EchoServer, process_time};
pub use latency::{Latencies, Latency, LatencyError, Path};
pub use mix::Mix;
pub use outcome::{Approval, Declines, Outcome, Second};
pub use pace::{Arrivals, Pace};
pub use population::{
    Population, PopulationError, PopulationSizes, SimulatedAccount, SimulatedRate, population,
};
pub use progress::{Counts, Progress, Snapshot};
pub use ramp::{Ramp, Strain};
pub use skew::Skew;
pub use violation::{Violation, ViolationKind, Violations};

use deck::Deck;
use link::Link;
use outcome::LinkOutcome;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinSet;

/// Runs the traffic of `config` and returns what it has shown. `progress` can be watched meanwhile, and ends the
/// run early when it is told to [stop](Progress::stop).
///
/// # Errors
/// [`ProcessorError`] if the configuration is out of bounds, a link cannot be opened at the start, or a message
/// cannot be written in a link's dialect. A link that is lost later is opened again and counted.
pub async fn run(config: ProcessorConfig, progress: Arc<Progress>) -> Result<Outcome, ProcessorError> {
    config.check()?;
    let config = Arc::new(config);
    let deck = Arc::new(Deck::new(config.cards.clone(), config.skew));
    let mut opened = Vec::new();
    for (number, target) in config.links.iter().enumerate() {
        let mut link = Link::new(number, target.clone(), &config, &deck, &progress)?;
        let wire = link.open().await?;
        opened.push((link, wire));
    }
    let start = Instant::now();
    let mut running = JoinSet::new();
    for (link, wire) in opened {
        running.spawn(link.run(wire, start));
    }
    let mut links: Vec<LinkOutcome> = Vec::new();
    while let Some(joined) = running.join_next().await {
        links.push(joined.map_err(|error| ProcessorError::Task(error.to_string()))??);
    }
    Ok(Outcome::of(links, &deck))
}
