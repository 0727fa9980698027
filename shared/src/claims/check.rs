//! What is always so of the arbiter, looked at after every step of a build with debug assertions: a rule that is broken
//! is a fault in Isochron, never in the world.

use super::{entry::State, machine::Claims};

impl Claims {
    /// Looks at the whole state.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), &'static str> {
        for entry in self.entries.values() {
            if entry.granted.as_ref().is_some_and(|(backup, _)| !self.barriers.contains_key(backup)) {
                return Err("a claim is granted to a barrier that is gone");
            }
            if entry.state == State::Known && !(entry.giving.is_empty() && entry.owed.is_none()) {
                return Err("a claim is known and yet to be given back");
            }
            if entry.state == State::Unknown && !entry.giving.is_empty() {
                return Err("what is not known is to be given back without a look");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        barrier::Claim,
        claims::{
            entry::{Entry, Purpose},
            standing::Barrier,
        },
        epoch::Epoch,
        ids::{BackupUid, ClusterId},
    };

    const CLUSTER: ClusterId = ClusterId(7);

    fn check(bend: impl Fn(&mut Entry)) -> Result<(), &'static str> {
        let mut claims = Claims::default();
        claims.barriers.insert("here".into(), Barrier { name: "ns/here".to_owned(), saved: false });
        let mut entry = Entry::free(CLUSTER);
        bend(&mut entry);
        claims.entries.insert(CLUSTER, entry);
        claims.check()
    }

    fn claim() -> Claim {
        Claim { cluster: CLUSTER, epoch: Epoch(4), live: None }
    }

    fn granted(entry: &mut Entry, to: &str) {
        entry.granted = Some((BackupUid::new(to), Epoch(4)));
    }

    #[test]
    fn what_may_be_is_no_fault() {
        let saving = || State::Saving(claim(), Purpose::GiveBack);
        assert_eq!(check(|_| {}), Ok(()));
        assert_eq!(check(|entry| granted(entry, "here")), Ok(()));
        assert_eq!(check(|entry| (entry.state, entry.owed) = (State::Unknown, Some(claim()))), Ok(()));
        assert_eq!(check(|entry| (entry.state, entry.giving) = (saving(), ["here".into()].into())), Ok(()));
    }

    #[test]
    fn every_rule_is_looked_at() {
        let yet = Err("a claim is known and yet to be given back");
        assert_eq!(check(|entry| granted(entry, "gone")), Err("a claim is granted to a barrier that is gone"));
        assert_eq!(check(|entry| entry.owed = Some(claim())), yet);
        assert_eq!(check(|entry| entry.giving = ["here".into()].into()), yet);
        assert_eq!(
            check(|entry| (entry.state, entry.giving) = (State::Unknown, ["here".into()].into())),
            Err("what is not known is to be given back without a look")
        );
    }
}
