//! Which two timestamps the flashback is written with: chosen once, saved, and never chosen anew.

use super::super::retry::tried;
use crate::ports::Marked;
use shared::{
    reason::{Reason, Refusal},
    recovery::FlashbackTimes,
    ts::Ts,
};

/// Back to `version`, with two timestamps of PD that are above everything on the volumes (`above`): TiKV dies of a version that is newer
/// than the flashback's (`facts/restore.md` §3.7).
///
/// # Errors
/// PD's clock stands below.
pub async fn timestamps(marked: &dyn Marked, version: Ts, above: Ts) -> Result<FlashbackTimes, Refusal> {
    let start_ts = tried(Reason::PdUnavailable, || marked.now()).await?;
    let commit_ts = tried(Reason::PdUnavailable, || marked.now()).await?;
    let broken = |text: String| Err(Refusal::new(Reason::EvidenceBroken, text));
    if commit_ts <= start_ts {
        return broken(format!("PD gave {start_ts} and then {commit_ts}: its clock does not move on"));
    }
    if start_ts <= above || start_ts <= version {
        let least = above.max(version);
        return broken(format!("PD gives {start_ts}, and there may be versions up to {least} on the volumes"));
    }
    Ok(FlashbackTimes { version, start_ts, commit_ts })
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};

    #[tokio::test(start_paused = true)]
    async fn both_are_above_everything_and_one_above_the_other() {
        let fake = Fake::whole();
        let times = timestamps(&fake, Ts(50), Ts(99)).await.unwrap();
        assert!(times.version == Ts(50) && Ts(99) < times.start_ts && times.start_ts < times.commit_ts, "{times:?}");
        for (version, above) in [(Ts(50), Ts(5000)), (Ts(5000), Ts(50))] {
            let refused = timestamps(&fake, version, above).await.unwrap_err();
            assert!(refused.message.contains("up to 5000"), "{refused}");
        }
    }
}
