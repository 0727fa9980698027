//! Checks, one after the other, each noted with the time that it took. The same ones are made for a backup that prepares
//! and for a person who asks; what differs is where they end.

use super::context::WorkContext;
use crate::actors::plane_context::PlaneContext;
use shared::{
    reason::{Reason, Refusal, cut},
    wire::{PlanePhase, PreflightCheck, TEXT_MAX},
};
use tokio::time::{Instant, timeout_at};

/// Checks of a survey, for progress.
pub(super) const STEPS: usize = 15;

/// Refusals of one check that are named; who sees so many knows where to look.
const NAMED: usize = 8;

/// For whom they are made.
#[derive(Clone, Copy)]
pub(super) enum For<'a> {
    /// A backup: nothing is looked at beyond the first refusal.
    Backup(&'a WorkContext),
    /// A person: whatever can be looked at is, until this moment.
    Person { until: Option<Instant> },
}

/// What was found, for people.
pub(super) struct Seen {
    text: String,
    /// A backup would go on, and somebody should know this.
    warning: Option<Refusal>,
}

impl Seen {
    pub(super) fn with(text: impl Into<String>, warning: Option<Refusal>) -> Self {
        Self { text: text.into(), warning }
    }

    #[cfg(test)]
    pub(super) fn warning(&self) -> Option<&Refusal> {
        self.warning.as_ref()
    }
}

impl From<String> for Seen {
    fn from(text: String) -> Self {
        Self { text, warning: None }
    }
}

/// What a check comes to: its value, and what is said of it.
pub(super) type Checked<T, S = String> = Result<(T, S), Refusal>;

/// Makes checks and keeps the list.
pub(super) struct Checks<'a> {
    env: &'a PlaneContext,
    whose: For<'a>,
    list: Vec<PreflightCheck>,
    refused: Option<Refusal>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(env: &'a PlaneContext, whose: For<'a>) -> Self {
        Self { env, whose, list: Vec::new(), refused: None }
    }

    /// The backup's, if it is for one.
    pub(super) fn context(&self) -> Option<&'a WorkContext> {
        match self.whose {
            For::Backup(context) => Some(context),
            For::Person { .. } => None,
        }
    }

    /// `None`: it was refused, or is not made any more.
    pub(super) async fn step<T, S: Into<Seen>>(
        &mut self,
        what: &str,
        check: impl Future<Output = Checked<T, S>>,
    ) -> Option<T> {
        if self.is_over() {
            return None;
        }
        if let Some(context) = self.context() {
            context.progress(PlanePhase::Preparing, self.list.len(), STEPS, what);
        }
        let begun = self.env.clock.at();
        let checked = match self.whose {
            // Not even begun: what was not looked at is not fine.
            For::Person { until: Some(until) } if Instant::now() >= until => Err(no_time()),
            For::Person { until: Some(until) } => timeout_at(until, check).await.unwrap_or_else(|_| Err(no_time())),
            For::Backup(_) | For::Person { until: None } => check.await,
        };
        let took = self.env.clock.at().since(begun);
        let (value, result, warning) = match checked {
            Ok((value, seen)) => {
                let Seen { text, warning } = seen.into();
                (Some(value), Ok(text), warning)
            }
            Err(refusal) => (None, Err(refusal), None),
        };
        if let (None, Err(refusal)) = (&self.refused, &result) {
            self.refused = Some(refusal.clone());
        }
        self.list.push(PreflightCheck { what: what.to_owned(), took, result, warning });
        value
    }

    /// A check that needs what others found: without that it is not made, and the list says why already.
    pub(super) async fn after<D, T, S: Into<Seen>, F>(
        &mut self,
        what: &str,
        needs: Option<D>,
        check: impl FnOnce(D) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Checked<T, S>>,
    {
        self.step(what, check(needs?)).await
    }

    fn is_over(&self) -> bool {
        match self.whose {
            For::Backup(_) => self.refused.is_some(),
            For::Person { .. } => false,
        }
    }

    /// In the order in which they were made.
    pub(super) fn list(self) -> Vec<PreflightCheck> {
        self.list
    }

    /// What a backup fails with.
    pub(super) fn refused(&self) -> Option<&Refusal> {
        self.refused.as_ref()
    }
}

fn no_time() -> Refusal {
    Refusal::new(Reason::PrepareTimedOut, "no end of it was seen in the time that a check of a plane has")
}

/// All of them, or why not: the reason of the first, and what each says.
pub(super) fn together<T>(results: Vec<Result<T, Refusal>>) -> Result<Vec<T>, Refusal> {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(one) => good.push(one),
            Err(refusal) => refused.push(refusal),
        }
    }
    // In an order of their own: they came as they were answered.
    refused.sort();
    let Some(first) = refused.first() else { return Ok(good) };
    let said: Vec<&str> = refused.iter().take(NAMED).map(|refusal| refusal.message.as_str()).collect();
    let more = refused.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    Err(Refusal::new(first.reason, cut(said.join("; "), TEXT_MAX) + &more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_that_is_refused_is_named_up_to_a_bound() {
        assert_eq!(together::<u8>(vec![Ok(1), Ok(2)]), Ok(vec![1, 2]));
        let refused = |number: usize| Err(Refusal::new(Reason::StoreNotUp, format!("store {number}")));
        let two = together::<u8>(vec![refused(2), Ok(3), refused(1)]).unwrap_err();
        assert_eq!(two, Refusal::new(Reason::StoreNotUp, "store 1; store 2"));
        let many = together::<u8>((10..30).map(refused).collect()).unwrap_err();
        assert!(many.message.ends_with("store 17; and 12 more"), "{many}");
        let other = Refusal::new(Reason::StoreJustStarted, "a young one");
        let mixed = together::<u8>(vec![Err(other), refused(1)]).unwrap_err();
        assert_eq!(mixed, Refusal::new(Reason::StoreNotUp, "store 1; a young one"));
    }
}
