//! Mark: PD tells every TiKV that starts that this cluster is being recovered, and its clock stands above everything on the volumes.

use super::{super::retry::tried, cluster::pd_refusal};
use crate::ports::Marked;
use shared::{
    ids::ClusterId,
    reason::{Reason, Refusal},
    ts::Ts,
};

/// What is to be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Above everything in the snapshots, and above the moment that is restored: where PD's clock is to stand at least.
    pub above: Ts,
    /// This restore may have set the mark before: what it finds is its own.
    pub ours: bool,
}

/// Sets the mark, and moves PD's clock on. Returns PD's cluster id. May be repeated, then with `ours`.
///
/// # Errors
/// PD is not fresh, or does not do what it was asked for: both are read back, because PD refuses in ways that look like success
/// (`facts/restore.md` §3.2).
pub async fn mark(marked: &dyn Marked, order: &Mark) -> Result<ClusterId, Refusal> {
    let unavailable = Reason::PdUnavailable;
    let cluster = tried(unavailable, || marked.cluster()).await?;
    if !order.ours {
        must_be_fresh(marked, cluster).await?;
    }
    tried(unavailable, || marked.mark()).await?;
    if !tried(unavailable, || marked.is_marked()).await? {
        let text =
            format!("PD {cluster} took the mark of a restore and does not show it: its TiKV would start as usual");
        return Err(Refusal::new(unavailable, text));
    }
    marked.reset_ts(order.above).await.map_err(pd_refusal)?;
    let now = tried(unavailable, || marked.now()).await?;
    if now <= order.above {
        let above = order.above;
        let text = format!("PD {cluster} was to give timestamps above {above} and gives {now}: TiKV would die of them");
        return Err(Refusal::new(Reason::EvidenceBroken, text));
    }
    Ok(cluster)
}

/// Nobody has marked it, and no TiKV has started there.
async fn must_be_fresh(marked: &dyn Marked, cluster: ClusterId) -> Result<(), Refusal> {
    if tried(Reason::PdUnavailable, || marked.is_marked()).await? {
        let text =
            format!("PD {cluster} is marked already: another restore is under way there, or one has left its mark");
        return Err(Refusal::new(Reason::ClusterRecovering, text));
    }
    if tried(Reason::PdUnavailable, || marked.is_bootstrapped()).await? {
        let text = format!(
            "PD {cluster} is bootstrapped: a TiKV has started there, and only an empty cluster is restored into"
        );
        return Err(Refusal::new(Reason::StoresChanged, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};

    const FRESH: Mark = Mark { above: Ts(5000), ours: false };
    const AGAIN: Mark = Mark { above: Ts(5000), ours: true };

    #[tokio::test(start_paused = true)]
    async fn a_fresh_pd_is_marked_and_its_clock_moved() {
        let fake = Fake::fresh();
        assert_eq!(mark(&fake, &FRESH).await.unwrap(), ClusterId(7));
        let state = fake.state();
        assert!(state.marked && state.clock > 5000, "{}", state.clock);
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_further_stays() {
        let fake = Fake::fresh();
        fake.state().clock = 9000;
        mark(&fake, &FRESH).await.unwrap();
        assert!(fake.state().clock > 9000);
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_elses_mark_and_stores_are_refused_and_our_own_are_not() {
        let fake = Fake::fresh();
        fake.state().marked = true;
        assert_eq!(mark(&fake, &FRESH).await.unwrap_err().reason, Reason::ClusterRecovering);
        assert_eq!(fake.state().clock, 100, "nothing was touched");
        mark(&fake, &AGAIN).await.unwrap();
        let fake = Fake::fresh();
        fake.state().bootstrapped = true;
        assert_eq!(mark(&fake, &FRESH).await.unwrap_err().reason, Reason::StoresChanged);
        assert!(!fake.state().marked);
        mark(&fake, &AGAIN).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_mark_that_does_not_show_is_no_mark() {
        let fake = Fake::fresh();
        fake.state().mark_is_lost = true;
        assert!(mark(&fake, &FRESH).await.unwrap_err().message.contains("does not show it"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_pd_does_not_move_is_told_in_its_words() {
        let fake = Fake::fresh();
        fake.state().reset_refused = Some("[PD:tso:ErrResetUserTimestamp] lease expired".to_owned());
        let refused = mark(&fake, &FRESH).await.unwrap_err();
        assert!(refused.message.contains("lease expired"), "{refused}");
        let fake = Fake::fresh();
        fake.state().reset_is_lost = true;
        let refused = mark(&fake, &FRESH).await.unwrap_err();
        assert_eq!(refused.reason, Reason::EvidenceBroken, "{refused}");
    }
}
