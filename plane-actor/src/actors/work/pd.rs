//! PD's holds: the service safe point, so that GC stands still, and the scheduler pause.

use super::{
    context::WorkContext,
    outcome::Carried,
    retry::{refusal_of, tried},
};
use crate::ports::{Pd, PdPause, PortError};
use shared::{
    member::Done,
    reason::{Reason, Refusal},
    time::Millis,
    ts::Ts,
};
use std::time::Duration;

/// The minimum can move between reading and setting it: read and set again, a few times.
const TRIES: u32 = 5;

/// After a change of PD's leader schedulers are unknown for a while (`facts/pd-tikv.md` §3.4); the settle clock bounds
/// the whole.
const PAUSE_TRIES: u32 = 40;
const PAUSE_WAIT: Duration = Duration::from_secs(3);

pub(super) async fn hold(context: &WorkContext, service: &str, ttl: Millis) -> Result<(Done, Carried), Refusal> {
    let discovery = context.discovery()?;
    let pd = discovery.pd.as_ref();
    let gc_hold = hold_gc(pd, service, ttl).await?;
    let pause = pause(pd, discovery.spec.limits.pd_ttl).await?;
    let done = Done::PdHeld { gc_hold, schedulers: pause.schedulers.clone() };
    Ok((done, Carried::Pause(pause)))
}

/// At the present minimum of all services. A refusal looks like success: accepted means that the minimum replied is not
/// above what was asked for (`facts/pd-tikv.md` §1.10).
async fn hold_gc(pd: &dyn Pd, service: &str, ttl: Millis) -> Result<Ts, Refusal> {
    let mut seen = (Ts::ZERO, Ts::ZERO);
    for _ in 0..TRIES {
        let at = tried(Reason::PdUnavailable, || pd.min_service_safe_point()).await?;
        let minimum = tried(Reason::PdUnavailable, || pd.hold_gc(service, ttl, at)).await?;
        if minimum <= at {
            return Ok(at);
        }
        seen = (at, minimum);
    }
    let text = format!("service safe point {} was not taken: the minimum had moved to {}", seen.0, seen.1);
    Err(Refusal::new(Reason::SafePointRefused, text))
}

pub(super) async fn pause(pd: &dyn Pd, ttl: Millis) -> Result<PdPause, Refusal> {
    for _ in 1..PAUSE_TRIES {
        match pd.pause_schedulers(ttl, None).await {
            Ok(pause) => return Ok(pause),
            Err(PortError::Refused(refusal)) => return Err(refusal),
            Err(PortError::Unavailable(text)) => tracing::debug!(text, "schedulers not paused yet"),
        }
        tokio::time::sleep(PAUSE_WAIT).await;
    }
    pd.pause_schedulers(ttl, None).await.map_err(|error| refusal_of(error, Reason::PdUnavailable))
}

/// Both once more; the safe point first, because it is the one that counts.
pub(super) async fn renew(
    context: &WorkContext,
    service: &str,
    ttl: Millis,
    at: Ts,
) -> Result<(Done, Carried), Refusal> {
    let discovery = context.discovery()?;
    let unavailable = |error| refusal_of(error, Reason::PdUnavailable);
    let minimum = discovery.pd.hold_gc(service, ttl, at).await.map_err(unavailable)?;
    if minimum > at {
        let text = format!("service safe point {at} was not renewed: the minimum has moved to {minimum}");
        return Err(Refusal::new(Reason::SafePointRefused, text));
    }
    let before = context.pause.clone().unwrap_or_default();
    let now = discovery.pd.pause_schedulers(discovery.spec.limits.pd_ttl, Some(&before)).await.map_err(unavailable)?;
    Ok((Done::PdRenewed, Carried::Pause(joined(before, now))))
}

/// Everything that was ever paused, with the values from before the first pause.
pub(super) fn joined(first: PdPause, now: PdPause) -> PdPause {
    let mut all = first;
    for scheduler in now.schedulers {
        if !all.schedulers.contains(&scheduler) {
            all.schedulers.push(scheduler);
        }
    }
    for (key, value) in now.originals {
        all.originals.entry(key).or_insert(value);
    }
    all
}
