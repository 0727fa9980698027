//! WaitApply of one region on one store that has a peer of it (`facts/pd-tikv.md` §2.5).

/// The peer, as the request meets it.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// It is waited for already.
    pub waited_for: bool,
    /// Its epoch is that of the request.
    pub same_epoch: bool,
    /// Last index of its log.
    pub last: u64,
    /// Applied up to here.
    pub applied: u64,
    /// The region's term.
    pub term: u64,
    /// It is a follower that has never voted: a fresh one.
    pub fresh: bool,
}

/// What is known at once (steps 2 to 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Aborted: another wait stands.
    Duplicated,
    /// Aborted: the region is another by now.
    EpochNotMatch,
    /// Nothing to wait for.
    Applied,
    /// The answer comes when the peer applies something.
    Later(Target),
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    index: u64,
    term: u64,
}

impl Asked {
    /// Leadership is not asked: a follower answers for its own log.
    pub fn answer(&self) -> Answer {
        if self.waited_for {
            Answer::Duplicated
        } else if !self.same_epoch {
            Answer::EpochNotMatch
        } else if self.last == self.applied || self.fresh {
            Answer::Applied
        } else {
            Answer::Later(Target { index: self.last, term: self.term })
        }
    }
}

impl Target {
    /// What came of it when the peer has applied something, or is gone (`None`); a changed term is noticed only then (step
    /// 7). True: done; false: aborted, the term has changed; `None`: not yet.
    pub fn outcome(&self, term: u64, applied: Option<u64>) -> Option<bool> {
        match applied {
            None => Some(true),
            Some(_) if term != self.term => Some(false),
            Some(applied) => (applied >= self.index).then_some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked = Asked { waited_for: false, same_epoch: true, last: 9, applied: 7, term: 3, fresh: false };

    #[test]
    fn what_is_known_at_once_is_said_at_once() {
        assert_eq!(Asked { waited_for: true, same_epoch: false, ..ASKED }.answer(), Answer::Duplicated);
        assert_eq!(Asked { same_epoch: false, applied: 9, ..ASKED }.answer(), Answer::EpochNotMatch);
        assert_eq!(Asked { applied: 9, ..ASKED }.answer(), Answer::Applied);
        assert_eq!(Asked { fresh: true, ..ASKED }.answer(), Answer::Applied);
    }

    #[test]
    fn a_wait_ends_with_its_index_its_term_or_its_peer() {
        let Answer::Later(target) = ASKED.answer() else { panic!("nothing to wait for") };
        assert_eq!(target.outcome(3, Some(8)), None);
        assert_eq!(target.outcome(3, Some(9)), Some(true));
        assert_eq!(target.outcome(4, Some(9)), Some(false));
        assert_eq!(target.outcome(4, None), Some(true));
    }
}
