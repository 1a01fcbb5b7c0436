//! Just-in-Time funding: asking the balance service within a deadline, and the duties that follow.
//!
//! For a card whose money lives in the product's own ledger, the switch asks the product's balance service
//! during the authorization. That service is someone else's software across a network. This crate turns it
//! into something the decision core can rely on:
//!
//! - **Every ask ends in exactly one [`domain::FundingOutcome`]**, before the ask's deadline, whatever the
//!   service does, and also when this process stops.
//! - **`NotAsked` means for certain that no byte left.** Every other failure is `Unknown`: the service may
//!   have reserved, and is owed a cancel.
//! - **A duty is sent until it is acknowledged**, in order within its transaction.
//! - **There is no queue of asks.** As many are open as there may be, or the next is refused at once. With a
//!   breaker configured, an endpoint that keeps failing is left alone for a while, which saves everybody's time.
//! - **Nothing is sent twice** once a byte of it may have left, except to a service that promises to reserve once for
//!   one id, and then within a budget. A standby is asked only for what the primary has not seen.
//!
//! It stores nothing: intents and duties are journaled by the switch before they come here. It decides
//! nothing: what an outcome means for the cardholder is the decision core's to say. `CONTRACT.md` is the
//! contract for those who write a balance service.
//!
//! The judgements are pure and tested in virtual time ([`Budget`], [`Resolver`], [`Duties`], [`Breaker`], [`Hedger`],
//! [`contract`], [`signature`]); the rest moves bytes.
//!
//! ```no_run
//! use domain::{Ask, DutyNo, FundingOutcome, Moment, ShardId, TransactionId};
//! use funding::{Funding, FundingConfig, FundingSink, Keys, Secret};
//! use std::{sync::Arc, time::Duration};
//!
//! struct Lanes; // posts what it is told to the lane that owns the transaction
//! impl FundingSink for Lanes {
//!     fn now(&self) -> Moment {
//!         Moment::default() // the switch's clock
//!     }
//!     fn ask_ended(&self, transaction: TransactionId, outcome: FundingOutcome, took: Duration) {
//!         println!("{transaction}: {outcome:?} after {took:?}");
//!     }
//!     fn duty_acknowledged(&self, _: ShardId, _: DutyNo) {}
//! }
//!
//! # fn example(ask: Ask) -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Runtime::new()?;
//! let keys = Keys::new(Secret::parse(&std::fs::read_to_string("balance-service.key")?)?);
//! let config = FundingConfig::new("http://127.0.0.1:8584".parse()?, keys);
//! let funding = Funding::start(config, Arc::new(Lanes), runtime.handle())?;
//! runtime.block_on(funding.warm_up())?;
//! funding.ask(ask); // from any thread; `Lanes` hears of exactly one outcome
//! runtime.block_on(funding.shutdown(Duration::from_secs(5)));
//! # Ok(())
//! # }
//! ```

mod asking;
mod backoff;
mod breaker;
mod budget;
mod client;
mod config;
mod connection;
pub mod contract;
mod duties;
mod duty_sender;
mod endpoint;
mod feed;
mod funding;
mod gate;
mod hedge;
mod inner;
mod judging;
mod open_ask;
mod outcome;
mod resolver;
mod routes;
pub mod signature;
mod sink;
mod site;
mod tls;
mod upkeep;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerConfig, BreakerState, CallEnd, Permit, Probe};
pub use budget::{AskWindow, Budget, ProgramBudget};
pub use config::{FundingConfig, FundingConfigError, HealthSettings};
pub use connection::Protocol;
pub use duties::{Attempt, Duties, DutyKey, OwedDuty, Standing};
pub use endpoint::{Endpoint, EndpointError, Scheme};
pub use feed::{Feed, FeedError};
pub use funding::{Funding, FundingGauges, FundingStartError};
pub use hedge::{HedgeBudget, Hedger};
pub use outcome::AskEnd;
pub use resolver::{Admission, Resolution, Resolver};
pub use routes::RouteSettings;
pub use signature::{Keys, Secret, SecretError};
pub use sink::FundingSink;
pub use site::EndpointGauges;
pub use tls::{TlsError, TlsSettings};
