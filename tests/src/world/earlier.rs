//! What a version before this one has left.

use super::World;

impl World {
    /// A plane's ledger as if a plane actor of the version before had saved it last: no name, and of no attempt whether its evidence was
    /// taken back.
    pub fn ledger_of_earlier_version(&self, plane: &str) {
        self.with(|state| {
            let Some(ledger) = state.ledgers.get_mut(plane) else { return };
            ledger.name.clear();
            ledger.attempts.iter_mut().for_each(|kept| kept.taken_back = false);
        });
    }
}
