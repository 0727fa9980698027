//! Which epoch is granted next.

use crate::{
    epoch::Epoch,
    reason::{Reason, Refusal},
};

/// How far a plane's word may lie above the claim. Epochs grow by one an attempt; a claim that was lost with its ledger
/// is behind by the attempts of its life, at one a minute by half a million a year.
pub const LEAP: u64 = 1 << 20;

/// The epoch to grant: above the claim's and above `floor`, the highest that the planes have obeyed. What it grows by is
/// never forgotten, so one word of a plane must not use up all there are.
pub(super) fn above(claim: Epoch, floor: Epoch) -> Result<Epoch, Refusal> {
    let refuse = |text: String| Refusal::new(Reason::EpochImplausible, text);
    if floor.0 > claim.0.saturating_add(LEAP) {
        return Err(refuse(format!("a plane has obeyed epoch {floor}, the claim is at {claim}")));
    }
    Epoch::above([claim, floor]).ok_or_else(|| refuse(format!("no epoch is above {claim}: all are used up")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_a_plane_raises_the_epoch_but_never_uses_it_up() {
        assert_eq!(above(Epoch(7), Epoch(3)), Ok(Epoch(8)));
        assert_eq!(above(Epoch(7), Epoch(9)), Ok(Epoch(10)));
        assert_eq!(above(Epoch::NONE, Epoch(LEAP)), Ok(Epoch(LEAP + 1)), "a claim may have been lost");
        for (claim, floor) in [(7, 8 + LEAP), (0, u64::MAX - 1), (0, u64::MAX), (u64::MAX, 0), (u64::MAX, u64::MAX)] {
            let refused = above(Epoch(claim), Epoch(floor)).map_err(|refusal| refusal.reason);
            assert_eq!(refused, Err(Reason::EpochImplausible), "{claim}, {floor}");
        }
    }
}
