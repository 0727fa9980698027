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
