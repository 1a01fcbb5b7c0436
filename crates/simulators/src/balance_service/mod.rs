//! A balance service to test and demonstrate against: true balances, the contract's promises, and faults by
//! seed.
//!
//! It speaks the contract of the `funding` crate over HTTP/1.1 and HTTP/2, in clear or over TLS, checks signatures, and keeps its own
//! [`Books`], which a test or the demo compares with the switch's to the unit. A [`Profile`] says how fast and
//! how well it behaves; it can be changed while the service runs, which makes an outage. Which message meets
//! which fault depends on the seed and the message alone.
//!
//! It deliberately has no storage: to restart it with its memory, let its profile do so, or start the next one with
//! the books that [`BalanceService::shutdown`] returned.
//!
//! `GET /books` shows the ledger as JSON, `GET /healthz` answers `ok`.

mod answering;
mod books;
mod chance;
mod duty;
mod fate;
mod messages;
mod process;
mod profile;
mod server;
mod shared;
mod view;

pub use books::Books;
pub use messages::{Opening, OpeningError};
pub use profile::{Profile, ProfileError};
pub use view::{AccountBook, BooksView, Counts};

use funding::Keys;
use rustls::ServerConfig;
use shared::{Doors, Shared};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Whether answers to asks are signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AnswerSigning {
    /// With the key that requests are signed with.
    Signed,
    /// Not at all.
    Unsigned,
}

/// What a service is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// How it behaves.
    pub profile: Profile,
    /// What it knows.
    pub books: Books,
    /// What requests must be signed with.
    pub keys: Keys,
    /// Whether it signs its answers.
    pub answers: AnswerSigning,
    /// Its certificate, where it speaks TLS. HTTP/2 is spoken where it is among the protocols of this.
    pub tls: Option<Arc<ServerConfig>>,
    /// Seeds the faults.
    pub seed: u64,
}

/// A running service. Dropping it stops it at once.
#[derive(Debug)]
pub struct BalanceService {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    closing: CancellationToken,
    stop: CancellationToken,
}

impl BalanceService {
    /// Binds the port and serves, on the current runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let service = Self {
            address: listener.local_addr()?,
            shared: Arc::new(Shared::new(options)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            stop: CancellationToken::new(),
        };
        let doors = Doors {
            shared: Arc::clone(&service.shared),
            tasks: service.tasks.clone(),
            closing: service.closing.clone(),
            life: service.stop.clone(),
        };
        service.tasks.spawn(process::run(listener, doors));
        Ok(service)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for the switch's configuration.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The ledger as it is now.
    #[must_use]
    pub fn books(&self) -> BooksView {
        self.shared.books().view()
    }

    /// Opens an account, or adds to what it was opened with.
    pub fn open(&self, opening: Opening) {
        self.shared.books().open(opening);
    }

    /// Behaves in another way from the next message on.
    pub fn set_profile(&self, profile: Profile) {
        self.shared.set_profile(profile);
    }

    /// Stops: answers what was asked, within `within`, and returns what it knows.
    pub async fn shutdown(self, within: Duration) -> Books {
        self.closing.cancel();
        self.tasks.close();
        if tokio::time::timeout(within, self.tasks.wait()).await.is_err() {
            self.stop.cancel();
            self.tasks.wait().await;
        }
        self.shared.books().clone()
    }
}

impl Drop for BalanceService {
    fn drop(&mut self) {
        self.closing.cancel();
        self.stop.cancel();
    }
}
