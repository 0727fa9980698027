//! Is the wall clock to be believed? A backup that was deleted because a clock jumped a year ahead does not come back, so
//! nothing is deleted by age or order while the clock is not where it has to be.
//!
//! With somebody to ask (an API server, whose own clock dates the objects that are judged), the clock has to be within
//! [`MAX_SKEW`] of what was said last, plus the monotonic time since. With nobody to ask, it has to go on as the monotonic
//! clock does; after a jump it is believed again when it is back, or when it has gone steadily for [`CALM`]: a host that
//! slept looks the same as a clock that was set wrongly.

use crate::{
    duration::human,
    time::{Instant, Millis, Now, Timestamp},
};

/// How far the wall clock may be off.
pub const MAX_SKEW: Millis = Millis::secs(300);

/// With nobody to ask: how long a clock that jumped must have gone steadily. A day in which somebody may notice.
pub const CALM: Millis = Millis::secs(24 * 3600);

/// What the wall clock is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reference {
    /// Somebody else's clock, as it was read at that moment.
    Server(Instant, Timestamp),
    /// Our own, as it was at that moment.
    Own(Instant, Timestamp),
}

/// Off by how much, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Skew {
    /// Positive: ahead. In milliseconds.
    by: i64,
    since: Instant,
}

/// See the module. Knows nothing at first, and trusts nobody then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct WallCheck {
    reference: Option<Reference>,
    skew: Option<Skew>,
}

impl WallCheck {
    /// What the other clock says now; `None`: there is none.
    pub(super) fn checked(&mut self, now: Now, server: Option<Timestamp>) {
        self.reference = match (server, self.reference) {
            (Some(server), _) => Some(Reference::Server(now.at, server)),
            (None, Some(reference)) => Some(reference),
            (None, None) => Some(Reference::Own(now.at, now.wall)),
        };
    }

    /// Somebody has said what to compare with.
    pub(super) fn is_known(&self) -> bool {
        self.reference.is_some()
    }

    /// Compares. True: it is believed and was not, or the other way round.
    pub(super) fn look(&mut self, now: Now) -> bool {
        let before = self.skew.is_some();
        let by = self.by(now);
        let beyond = by.unsigned_abs() > MAX_SKEW.0;
        let jumped_on = |old: &Skew| old.by.abs_diff(by) > MAX_SKEW.0;
        match self.skew.filter(|old| !jumped_on(old)) {
            _ if !beyond => self.skew = None,
            None => self.skew = Some(Skew { by, since: now.at }),
            Some(old) if self.is_own() && now.at.since(old.since) >= CALM => self.skew = None,
            Some(_) => {}
        }
        if self.is_own() && self.skew.is_none() {
            // From here on: what is slewed or stepped bit by bit adds up to no jump.
            self.reference = Some(Reference::Own(now.at, now.wall));
        }
        before != self.skew.is_some()
    }

    fn is_own(&self) -> bool {
        matches!(self.reference, Some(Reference::Own(..)))
    }

    /// How far the wall clock is ahead, in milliseconds; 0 while there is nothing to compare with.
    pub(super) fn by(&self, now: Now) -> i64 {
        let Some(Reference::Server(at, wall) | Reference::Own(at, wall)) = self.reference else { return 0 };
        let gone = i64::try_from(now.at.since(at).0).unwrap_or(i64::MAX);
        now.wall.0.saturating_sub(wall.0.saturating_add(gone))
    }

    /// May something be deleted by this clock?
    pub(super) fn trusts(&self) -> bool {
        self.is_known() && self.skew.is_none()
    }

    /// When a clock that has gone steadily is believed again.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.skew.filter(|_| self.is_own()).map(|skew| skew.since + CALM)
    }

    /// Why nothing is deleted; `None`: it may be. The same words for as long as it lasts.
    pub(super) fn trouble(&self) -> Option<String> {
        let skew = self.skew?;
        // Whole minutes: seconds would make another text of it at every look.
        let by = human(Millis(skew.by.unsigned_abs() / 60_000 * 60_000));
        let side = if skew.by > 0 { "ahead of" } else { "behind" };
        Some(match self.is_own() {
            true => format!(
                "retention deletes nothing: the clock of the coordinator's host jumped and is {by} {side} where it has \
                 to be; retention goes on when it is back, after {} without another jump, or after a restart",
                human(CALM)
            ),
            false => format!(
                "retention deletes nothing: the clock of the coordinator's host is {by} {side} the API server's; \
                 retention goes on when they agree within {}",
                human(MAX_SKEW)
            ),
        })
    }
}
