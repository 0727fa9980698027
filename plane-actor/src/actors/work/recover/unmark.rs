//! Unmark: TiKV that starts from here on starts as usual. No flashback is sent after this (`facts/restore.md` §3.7).

use super::{super::retry::tried, cluster::RestoredCluster};
use crate::ports::PdPause;
use shared::reason::{Reason, Refusal};

/// Lets schedulers run, takes the mark away, and looks that it is gone. `pause`: what was paused; whoever does not know any more leaves it
/// to end by itself. GC stays held: the moment that was restored is to be readable until somebody has looked.
///
/// # Errors
/// PD does not do it.
pub async fn unmark(cluster: &RestoredCluster, pause: Option<&PdPause>) -> Result<(), Refusal> {
    if let Some(pause) = pause {
        tried(Reason::PdUnavailable, || cluster.pd.resume_schedulers(pause)).await?;
    }
    tried(Reason::PdUnavailable, || cluster.marked.unmark()).await?;
    if tried(Reason::PdUnavailable, || cluster.marked.is_marked()).await? {
        let text = "PD shows the mark of a restore after it was taken away: another restore may be under way there";
        return Err(Refusal::new(Reason::ClusterRecovering, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};

    #[tokio::test(start_paused = true)]
    async fn the_mark_is_gone_or_it_is_told() {
        let fake = Fake::whole();
        unmark(&fake.cluster(), Some(&PdPause::default())).await.unwrap();
        assert!(!fake.state().marked);
        unmark(&fake.cluster(), None).await.unwrap();
        fake.state().marked = true;
        fake.state().unmark_is_lost = true;
        assert_eq!(unmark(&fake.cluster(), None).await.unwrap_err().reason, Reason::ClusterRecovering);
    }
}
