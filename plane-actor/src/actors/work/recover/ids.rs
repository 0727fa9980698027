//! PD hands out no id that is on the volumes.

use super::{super::retry::tried, cluster::pd_refusal};
use crate::ports::{Marked, PortError};
use shared::reason::{Reason, Refusal};

/// Each sets and looks again; PD answers 503 while it has no leader and 500 when another wrote at the same time.
const TRIES: u32 = 5;

/// The allocator hands out ids above `largest` from now on. It is asked first where it stands, and set only when that is below: setting
/// may take it back (`facts/restore.md` §3.2).
pub(super) async fn raise(marked: &dyn Marked, largest: u64) -> Result<(), Refusal> {
    let mut why = String::new();
    for _ in 0..TRIES {
        if tried(Reason::PdUnavailable, || marked.alloc_id()).await? > largest {
            return Ok(());
        }
        match marked.set_base_alloc_id(largest).await {
            Ok(()) => why = format!("PD hands out ids below {largest} after it was told to go on from there"),
            Err(PortError::Unavailable(text)) => why = text,
            Err(refused @ PortError::Refused(_)) => return Err(pd_refusal(refused)),
        }
    }
    Err(Refusal::new(Reason::PdUnavailable, why))
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};

    #[tokio::test(start_paused = true)]
    async fn an_allocator_that_stands_below_is_raised_once() {
        let fake = Fake::whole();
        raise(&fake, 500).await.unwrap();
        assert_eq!(fake.state().bases, [500]);
        raise(&fake, 400).await.unwrap();
        assert_eq!(fake.state().bases, [500], "it stands above already");
        assert!(fake.state().id > 500);
    }

    /// The call was obeyed, and nobody heard: what was handed out since is not taken back.
    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_is_no_reason_to_set_it_again() {
        let fake = Fake::whole();
        fake.state().base_reply_is_lost = true;
        raise(&fake, 500).await.unwrap();
        assert_eq!(fake.state().bases, [500]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_mark_pd_refuses() {
        let fake = Fake::whole();
        fake.state().marked = false;
        assert!(raise(&fake, 500).await.unwrap_err().message.contains("403"));
    }
}
