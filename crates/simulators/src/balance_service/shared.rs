//! What all connections of a running service share: its books, how it behaves, its keys.

use super::chance::{Draw, draw};
use super::{AnswerSigning, Books, Options, Profile};
use funding::Keys;
use rustls::ServerConfig;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    books: Mutex<Books>,
    profile: Mutex<(Profile, Instant)>,
    /// The profile was replaced.
    pub(super) profile_set: Notify,
    times: Mutex<HashMap<String, u32>>,
    pub(super) keys: Keys,
    pub(super) answers: AnswerSigning,
    pub(super) tls: Option<Arc<ServerConfig>>,
    seed: u64,
}

/// The way in and out of a running service.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
    /// The end of this process, or of the one that is simulated to be replaced by another.
    pub(super) life: CancellationToken,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            books: Mutex::new(options.books),
            profile: Mutex::new((options.profile, Instant::now())),
            profile_set: Notify::new(),
            times: Mutex::default(),
            keys: options.keys,
            answers: options.answers,
            tls: options.tls,
            seed: options.seed,
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_profile(&self, profile: Profile) {
        *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = (profile, Instant::now());
        self.profile_set.notify_one();
    }

    /// How the service behaves now.
    pub(super) fn profile(&self) -> Profile {
        let (profile, since) = *self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        profile.after(since.elapsed())
    }

    /// How often the process is replaced, for how long, and whether it forgets.
    pub(super) fn restarts(&self) -> Option<(Duration, Duration, bool)> {
        let (profile, _) = *self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        let Profile { restart_every, restart_takes, restart_forgets, .. } = profile;
        (!restart_every.is_zero()).then_some((restart_every, restart_takes, restart_forgets))
    }

    /// What happens to this message, which has just arrived.
    pub(super) fn draw(&self, id: &str) -> Draw {
        let times = {
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            let times = times.entry(id.to_owned()).or_default();
            *times = times.saturating_add(1);
            *times
        };
        draw(&self.profile(), self.seed, id, times)
    }
}
