//! What would a restore of this plane's part take, and would it work (`console restore plan`)? A verification first, then what
//! only a restore needs. Everything is read, nothing is changed.

mod room;
mod sources;
pub(super) mod target;
mod types;
mod zones;

use super::{
    question::{Look, Said, TRIES},
    verify::{self, CREDENTIALS, IDS, Looked, Shown},
};
use crate::{actors::plane_context::PlaneContext, ports::Cloud};
use shared::{
    restore::Subject,
    wire::{Finding, Inspect, Inspected, RestorePlace, SOURCES_MAX, Source, Verify},
};
use std::time::Duration;

/// What stands where AWS was not asked.
const NOT_ASKED: &str = "AWS was not asked: see credentials";

/// Ports' calls at the most, each with its second try.
pub(super) const fn calls_at_most(snapshots: usize) -> usize {
    let (zones, types) = (1, snapshots.div_ceil(IDS));
    verify::calls_at_most(snapshots) + TRIES * (zones + types + room::PAGES)
}

/// What was found of AWS.
struct OfCloud {
    looked: Looked,
    types: types::Types,
    place: Option<RestorePlace>,
}

/// Looks at everything that the question names, within `limit`. While an attempt holds something in this plane no call is
/// made: what was not looked at by then says so.
pub(crate) async fn inspect(env: &PlaneContext, ask: &Inspect, limit: Duration) -> Inspected {
    let look = Look::new(env, limit, calls_at_most(ask.verify.snapshots.len()));
    let OfCloud { looked, types, place } = match verify::connect(&look, &ask.verify).await {
        Ok(cloud) => of_cloud(&look, &cloud, ask).await,
        Err(said) => without(&look, said),
    };
    let mut findings = looked.findings;
    if let Some(target) = &ask.target {
        findings.extend(target::look(&look, ask, target).await);
    }
    let all = sources::sources(&ask.verify, looked.meta.as_deref(), &looked.shown, &types);
    let more = all.len().saturating_sub(SOURCES_MAX);
    Inspected {
        number: ask.verify.number,
        findings,
        sources: all.into_iter().take(SOURCES_MAX).collect(),
        more: u64::try_from(more).unwrap_or(u64::MAX),
        place,
        at: env.clock.wall(),
        calls: look.calls(),
    }
}

async fn of_cloud(look: &Look<'_>, cloud: &Cloud, ask: &Inspect) -> OfCloud {
    let mut looked = verify::all(look, cloud, &ask.verify, &ask.wish).await;
    let begun = look.now();
    let said = zones::look(look, cloud, ask).await;
    looked.findings.push(look.finding(Subject::Zones.as_str(), begun, said));
    let begun = look.now();
    let (types, said) = types::look(look, cloud, &ask.verify).await;
    looked.findings.push(look.finding(Subject::Types.as_str(), begun, said));
    let place = room::place(look, cloud, &ask.wish).await;
    OfCloud { looked, types, place: Some(place) }
}

/// The same of a backup of which this coordinator may know nothing: what is found, what there is, and where.
pub(super) async fn of_folder(
    look: &Look<'_>,
    cloud: &Cloud,
    ask: &Inspect,
) -> (Vec<Finding>, Vec<Source>, Option<RestorePlace>) {
    let OfCloud { looked, types, place } = of_cloud(look, cloud, ask).await;
    let sources = sources::sources(&ask.verify, looked.meta.as_deref(), &looked.shown, &types);
    (looked.findings, sources, place)
}

/// What there is, as far as backupmeta alone tells it.
pub(super) fn sources_of(ask: &Verify, meta: &[u8]) -> Vec<Source> {
    sources::sources(ask, Some(meta), &Shown::default(), &types::Types::new())
}

/// Whoever is not let in finds nothing.
fn without(look: &Look<'_>, said: Said) -> OfCloud {
    let state = said.state;
    let unasked = |subject: &Subject| look.finding(subject.as_str(), look.now(), Said::new(state, NOT_ASKED));
    let credentials = look.finding(CREDENTIALS, look.now(), said);
    let findings: Vec<Finding> = std::iter::once(credentials).chain(Subject::OF_PLANE.iter().map(unasked)).collect();
    let looked = Looked { findings, shown: Shown::default(), meta: None };
    OfCloud { looked, types: types::Types::new(), place: None }
}
