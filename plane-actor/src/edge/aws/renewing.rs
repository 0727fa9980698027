//! Credentials that are renewed before they end, so that neither a hold nor a Completing of hours meets expired ones.
//!
//! The SDK's own cache renews ten seconds before the end, makes the call that finds them so wait, and fails it when STS
//! does not answer, though the old ones are still good. Here a renewal begins minutes before, beside the calls, which
//! go on with the old ones; only a call that finds none that are good waits. One renewal at a time.

use super::errors::chain;
use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::OwnedMutexGuard, time::timeout};

/// Renewed so long before they end: as long as a whole barrier may take, so that one that begins with fresh ones never
/// sees them end. Shorter-lived ones are renewed half-way.
const MARGIN: Duration = Duration::from_secs(600);

/// Not used for the last of their time: a call signed now is checked when it arrives, by another clock. A tenth of
/// short-lived ones.
const LAST: Duration = Duration::from_secs(30);

/// Between two renewals that failed while the old ones are good.
const PAUSE: Duration = Duration::from_secs(30);

/// Looked at again so often when nobody says when they end, as the SDK does (keys in a profile may be replaced).
const ENDLESS: Duration = Duration::from_secs(900);

/// One renewal: a token, and STS with its attempts.
const LIMIT: Duration = Duration::from_secs(45);

/// Wall clock, which is what credentials end by.
type Wall = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// See the module.
#[derive(Clone)]
pub(crate) struct Renewing(Arc<Inner>);

struct Inner {
    source: SharedCredentialsProvider,
    wall: Wall,
    held: Mutex<Option<Held>>,
    /// Whoever has it renews.
    turn: Arc<tokio::sync::Mutex<()>>,
}

struct Held {
    credentials: Credentials,
    renew_at: SystemTime,
    /// `None`: they never end.
    good_until: Option<SystemTime>,
}

/// What there is at the moment.
enum Look {
    Fresh(Credentials),
    /// Good, and to be renewed.
    Due(Credentials),
    Nothing,
}

impl Renewing {
    /// Asks nothing yet.
    pub(crate) fn new(source: impl ProvideCredentials + 'static) -> Self {
        Self::with_clock(source, Arc::new(SystemTime::now))
    }

    fn with_clock(source: impl ProvideCredentials + 'static, wall: Wall) -> Self {
        let source = SharedCredentialsProvider::new(source);
        Self(Arc::new(Inner { source, wall, held: Mutex::default(), turn: Arc::default() }))
    }

    async fn credentials(&self) -> provider::Result {
        match self.0.look() {
            Look::Fresh(credentials) => Ok(credentials),
            Look::Due(credentials) => {
                if let Ok(turn) = Arc::clone(&self.0.turn).try_lock_owned() {
                    tokio::spawn(Arc::clone(&self.0).renew_early(turn));
                }
                Ok(credentials)
            }
            Look::Nothing => {
                let _turn = self.0.turn.lock().await;
                // Whoever had the turn before may have brought some.
                match self.0.look() {
                    Look::Fresh(credentials) | Look::Due(credentials) => Ok(credentials),
                    Look::Nothing => self.0.renew().await,
                }
            }
        }
    }
}

impl Inner {
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        // It is only ever replaced as a whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Look {
        let now = (self.wall)();
        match self.held().as_ref() {
            Some(held) if now < held.renew_at => Look::Fresh(held.credentials.clone()),
            Some(held) if held.good_until.is_none_or(|end| now < end) => Look::Due(held.credentials.clone()),
            _ => Look::Nothing,
        }
    }

    async fn renew(&self) -> provider::Result {
        let new = timeout(LIMIT, self.source.provide_credentials());
        let new = new.await.map_err(|_| CredentialsError::provider_timed_out(LIMIT))??;
        *self.held() = Some(Held::new(new.clone(), (self.wall)()));
        Ok(new)
    }

    async fn renew_early(self: Arc<Self>, _turn: OwnedMutexGuard<()>) {
        if let Err(error) = self.renew().await {
            tracing::warn!(
                error = chain(&error),
                "AWS credentials not renewed; going on with those that are still good"
            );
            let again = (self.wall)() + PAUSE;
            if let Some(held) = self.held().as_mut() {
                held.renew_at = again;
            }
        }
    }
}

impl Held {
    fn new(credentials: Credentials, now: SystemTime) -> Self {
        match credentials.expiry() {
            None => Self { credentials, renew_at: now + ENDLESS, good_until: None },
            Some(end) => {
                let left = end.duration_since(now).unwrap_or_default();
                let good_until = Some(end - LAST.min(left / 10));
                Self { credentials, renew_at: end - MARGIN.min(left / 2), good_until }
            }
        }
    }
}

/// Nothing of what it holds.
impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Renewing({:?})", self.0.source)
    }
}

impl ProvideCredentials for Renewing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests;
