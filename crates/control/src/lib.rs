//! The control API: issue, fund, freeze and limit cards over HTTP.
//!
//! The product's backend creates accounts and cards here, moves money in and out, and asks why a payment was
//! declined. Every change is a command to the shard that owns the account, and a change is answered only
//! once its facts are as durable as the journal is set to make them.
//!
//! # Guarantees
//! - A card number goes in and never comes out: it is turned into a keyed token here, and no answer, error or
//!   log line holds it or an expiry. What a client sent is masked before it is repeated to it.
//! - Money is a decimal string or an integer in the smallest unit. A JSON float is refused, as are unknown and
//!   repeated fields; the answer names the field, what was found and what is allowed, for all faults at once.
//! - Money is booked once for each idempotency key. Creating again what exists with the same content answers
//!   200 with what exists; with other content, 409 and the fields that differ.
//! - A request that was taken runs to its end, also when its client hangs up: nothing is left half done.
//! - Bodies, requests in flight, lists and pages are bounded; full is answered 503 with `Retry-After`.
//! - Errors are problem details (RFC 9457) in `application/problem+json`, whoever raises them.
//!
//! # What it leaves out
//! It keeps no state: uniqueness, routing and storage are the switch's, behind [`Switchboard`]. It speaks plain
//! HTTP and is meant for a private network; transport security stands in front of it.
//!
//! # Where to start
//! [`router`] lists every endpoint; `openapi.json` describes them and is served as `/v1/openapi.json`. `read/`
//! turns JSON into the words of the domain, `serve/` acts on them, and `answer/` turns views into JSON.
//! [`import`] maps the lines of a bulk file onto the same requests.
//!
//! ```
//! let mut importer = control::import::Importer::new("accounts.jsonl");
//! let call = importer.line(r#"{"account": {"id": "acct_1", "asset": "USDT"}}"#).unwrap().unwrap();
//! assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/v1/accounts"));
//!
//! let error = importer.line(r#"{"credit": {"account": "acct_1", "amount": 12.5}}"#).unwrap_err();
//! assert!(error.to_string().starts_with("accounts.jsonl:2: credit.amount: found a JSON float"));
//! ```

mod answer;
mod bounds;
mod country;
mod denominations;
mod explain;
pub mod import;
mod json;
mod key;
mod mask;
mod path;
mod problem;
mod read;
mod router;
mod serve;
mod snapshots;
mod stand_in;
mod switchboard;

pub use bounds::ControlBounds;
pub use key::{ApiKey, ApiKeyError};
pub use problem::{Fault, Kind, Problem};
pub use router::router;
pub use snapshots::{NoSnapshot, SnapshotView, SnapshotsView, StartView};
pub use stand_in::{ProgramView, stand_in_views};
pub use switchboard::{CardTaken, DutyStanding, NameTaken, OwedDuty, Place, Switchboard, Unavailable};
