//! How calls of a question that only reads are made: counted, within the account's budget, never while a barrier holds something here.

use super::cloud::throttled;
use crate::{
    actors::plane_context::PlaneContext,
    budgets::Action,
    ports::{Cloud, CloudError},
};
use shared::{
    time::Instant as At,
    wire::{Finding, FindingState},
};
use std::{cell::Cell, time::Duration};
use tokio::time::{Instant, timeout_at};

/// Tries of one call: the second where the answer to the first was lost, or was a refusal by rate.
pub(super) const TRIES: usize = 2;
const AGAIN: Duration = Duration::from_secs(1);
/// Names that a text has.
const NAMED: usize = 3;

/// Why nothing more is asked of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// An attempt holds something here.
    Barrier,
    /// The time of the whole is over.
    NoTime,
    /// As many calls were made as it may make.
    NoCalls,
    /// It was asked, and this came instead.
    Answer(CloudError),
}

/// How something is, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) state: FindingState,
    pub(super) text: String,
}

impl Said {
    pub(super) fn new(state: FindingState, text: impl Into<String>) -> Self {
        Self { state, text: text.into() }
    }

    pub(super) fn sound(text: impl Into<String>) -> Self {
        Self::new(FindingState::Sound, text)
    }

    pub(super) fn broken(text: impl Into<String>) -> Self {
        Self::new(FindingState::Broken, text)
    }

    /// The first few of what is amiss, and how many more there are; nothing is: `sound`.
    pub(super) fn all(state: FindingState, amiss: &[String], sound: impl FnOnce() -> String) -> Self {
        if amiss.is_empty() {
            return Self::sound(sound());
        }
        let more = amiss.len().saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Self::new(state, amiss.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ") + &more)
    }
}

impl From<Stop> for Said {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Barrier => Self::new(
                FindingState::Unchecked,
                "a backup is in its barrier in this plane and needs every call; ask again",
            ),
            Stop::NoTime => Self::new(FindingState::Unchecked, "the time that such a question has was over before it"),
            Stop::NoCalls => Self::new(FindingState::Unchecked, "the calls that such a question may make were used up"),
            // Whoever may not ask cannot tell; it may well be sound.
            Stop::Answer(error @ CloudError::Denied(_)) => Self::new(FindingState::Doubtful, error.to_string()),
            Stop::Answer(error) => Self::new(FindingState::Unchecked, error.to_string()),
        }
    }
}

/// One question.
pub(super) struct Look<'a> {
    env: &'a PlaneContext,
    until: Instant,
    most: usize,
    calls: Cell<u32>,
}

impl<'a> Look<'a> {
    /// `most`: calls that it may make.
    pub(super) fn new(env: &'a PlaneContext, limit: Duration, most: usize) -> Self {
        Self { env, until: Instant::now() + limit, most, calls: Cell::new(0) }
    }

    pub(super) fn env(&self) -> &'a PlaneContext {
        self.env
    }

    pub(super) fn now(&self) -> At {
        self.env.clock.at()
    }

    /// Calls that were made.
    pub(super) fn calls(&self) -> u32 {
        self.calls.get()
    }

    pub(super) fn count(&self) {
        self.calls.set(self.calls.get().saturating_add(1));
    }

    pub(super) fn finding(&self, subject: &str, begun: At, said: Said) -> Finding {
        Finding { subject: subject.to_owned(), took: self.now().since(begun), state: said.state, text: said.text }
    }

    /// May a call be made at this moment?
    pub(super) fn may_call(&self) -> Result<(), Stop> {
        if self.env.is_in_barrier() {
            return Err(Stop::Barrier);
        }
        if Instant::now() >= self.until {
            return Err(Stop::NoTime);
        }
        if usize::try_from(self.calls.get()).is_ok_and(|made| made < self.most) { Ok(()) } else { Err(Stop::NoCalls) }
    }

    pub(super) async fn within<T>(&self, call: impl Future<Output = T>) -> Result<T, Stop> {
        timeout_at(self.until, call).await.map_err(|_| Stop::NoTime)
    }

    /// A call of EC2 or EBS.
    pub(super) async fn ec2<T, F>(&self, cloud: &Cloud, action: Action, make: impl Fn() -> F) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, CloudError>>,
    {
        let make = async || {
            self.within(self.env.permit(&cloud.account, &cloud.region, action)).await?;
            self.once(&make).await.map_err(|stop| match stop {
                Stop::Answer(error) => {
                    Stop::Answer(throttled::<()>(self.env, cloud, action, Err(error.clone())).err().unwrap_or(error))
                }
                other => other,
            })
        };
        again(make).await
    }

    /// `None`: there is no such object.
    pub(super) async fn object(&self, cloud: &Cloud, key: &str) -> Result<Option<Vec<u8>>, Stop> {
        let make = || cloud.objects.get(key);
        again(async || self.once(&make).await).await
    }

    /// Keys below a prefix that come behind `after`, at most `limit`.
    pub(super) async fn list(
        &self,
        cloud: &Cloud,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<String>, Stop> {
        let make = || cloud.objects.list_after(prefix, after, limit);
        again(async || self.once(&make).await).await
    }

    async fn once<T, F>(&self, make: &impl Fn() -> F) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, CloudError>>,
    {
        self.may_call()?;
        self.count();
        self.within(make()).await?.map_err(Stop::Answer)
    }
}

async fn again<T>(make: impl AsyncFn() -> Result<T, Stop>) -> Result<T, Stop> {
    for _ in 1..TRIES {
        match make().await {
            Err(Stop::Answer(CloudError::Throttled(_) | CloudError::OutcomeUnknown(_))) => {}
            done => return done,
        }
        tokio::time::sleep(AGAIN).await;
    }
    make().await
}
