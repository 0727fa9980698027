//! What stands still while data is brought back: PD's schedulers, and GC.

use super::super::{
    pd::{joined, pause},
    retry::tried,
};
use super::cluster::pd_refusal;
use crate::ports::{Pd, PdPause};
use shared::{
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
};

/// How PD is kept still.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Name of the service safe point.
    pub service: String,
    /// How long it lasts without a renewal.
    pub gc_ttl: Millis,
    /// Data as of this is read until the restore ends: GC must not pass it.
    pub at: Ts,
    /// How long the pause of schedulers lasts without a renewal.
    pub pause_ttl: Millis,
}

/// Holds GC and pauses schedulers, or renews both: `before` is what an earlier call returned. Needs a PD that is bootstrapped
/// (`facts/restore.md` §3.2). Both end by themselves.
///
/// # Errors
/// GC has passed the moment, or PD does not answer.
pub async fn keep(pd: &dyn Pd, order: &Keep, before: Option<&PdPause>) -> Result<PdPause, Refusal> {
    // A refusal looks like success (`facts/pd-tikv.md` §1.10).
    let minimum = tried(Reason::PdUnavailable, || pd.hold_gc(&order.service, order.gc_ttl, order.at)).await?;
    if minimum > order.at {
        let text = format!("service safe point {} was not taken: the minimum of PD is {minimum}", order.at);
        return Err(Refusal::new(Reason::SafePointRefused, text));
    }
    match before {
        None => pause(pd, order.pause_ttl).await,
        Some(before) => {
            let now = pd.pause_schedulers(order.pause_ttl, Some(before)).await.map_err(pd_refusal)?;
            Ok(joined(before.clone(), now))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixtures::Fake, *};

    #[tokio::test(start_paused = true)]
    async fn a_hold_below_the_minimum_is_no_hold() {
        let fake = Fake::whole();
        let order = Keep { service: "r".to_owned(), gc_ttl: Millis::secs(60), at: Ts(50), pause_ttl: Millis::secs(60) };
        let pause = keep(&fake, &order, None).await.unwrap();
        assert_eq!(pause.schedulers, ["balance-leader-scheduler"]);
        assert_eq!(keep(&fake, &order, Some(&pause)).await.unwrap(), pause);
        fake.state().gc_minimum = 51;
        assert_eq!(keep(&fake, &order, Some(&pause)).await.unwrap_err().reason, Reason::SafePointRefused);
    }
}
