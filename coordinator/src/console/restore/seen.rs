//! `console restore list` and `console restore show`: restores as they stand.

use super::super::called::is_called;
use serde_json::{Value, json};
use shared::{
    calendar::rfc3339,
    ids::BackupUid,
    reason::cut,
    restoring::{PlaneView, Record, RestoreCertificate, View},
    time::Timestamp,
    wire::TEXT_MAX,
};

/// All of them, one line each.
pub fn list<'a>(views: impl Iterator<Item = &'a View>) -> Value {
    let mut all: Vec<&View> = views.collect();
    all.sort_by_key(|view| (view.record.started(), view.record.request.restore.clone()));
    all.into_iter().map(row).collect()
}

/// One of them.
///
/// # Errors
/// None is called so, or several are.
pub fn show<'a>(views: impl Iterator<Item = &'a View>, name: &str) -> Result<Value, String> {
    find(views, name).map(whole)
}

/// The same, as it is.
///
/// # Errors
/// None is called so, or several are.
pub fn find<'a>(views: impl Iterator<Item = &'a View>, name: &str) -> Result<&'a View, String> {
    let called = |view: &&View| {
        let request = &view.record.request;
        is_called(name, &BackupUid::new(request.restore.as_str()), &request.namespace, &request.name)
    };
    let found: Vec<&View> = views.filter(called).collect();
    let told = || cut(name.to_owned(), TEXT_MAX);
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(format!("no restore is called {}", told())),
        several => {
            let names = several.iter().map(|view| {
                let request = &view.record.request;
                format!("{}/{} ({})", request.namespace, request.name, request.restore)
            });
            Err(format!("several are called {}: {}", told(), cut(names.collect::<Vec<_>>().join(", "), TEXT_MAX)))
        }
    }
}

fn moment(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| Value::from(rfc3339(at)))
}

/// From its start to its end.
fn took(record: &Record) -> Option<u64> {
    let ended = record.spans.iter().filter(|(stage, _)| stage.is_over()).map(|(_, span)| span.began).max();
    Some(ended?.since(record.started()?).0)
}

fn row(view: &View) -> Value {
    let record = &view.record;
    let request = &record.request;
    let volumes: u32 = record.planes.values().filter_map(|kept| kept.built.as_ref()).map(|built| built.volumes).sum();
    json!({
        "namespace": request.namespace,
        "name": request.name,
        "uid": request.restore,
        "drill": request.drill.map(shared::restoring::DrillLevel::number),
        "stage": record.stage.as_str(),
        "verdict": record.certificate.as_ref().map(|certificate| format!("{:?}", certificate.verdict)),
        "reason": record.failure.as_ref().map(|(_, refusal)| refusal.reason.as_str()),
        "backup": record.admitted.as_ref().map(|admitted| &admitted.backup),
        "commitTs": record.admitted.as_ref().map(|admitted| admitted.commit_ts.to_string()),
        "volumes": volumes,
        "started": moment(record.started()),
        "took_ms": took(record),
    })
}

fn whole(view: &View) -> Value {
    let record = &view.record;
    let stages: Value = record
        .spans
        .iter()
        .map(|(stage, span)| {
            let took = span.ended.map(|ended| ended.since(span.began).0);
            json!({ "stage": stage.as_str(), "began": moment(Some(span.began)), "took_ms": took })
        })
        .collect();
    let planes: Value = record.request.members.iter().map(|member| plane(view, &member.plane)).collect();
    let failure = record.failure.as_ref().map(|(stage, refusal)| {
        json!({
            "stage": stage.as_str(), "reason": refusal.reason.as_str(), "message": refusal.message,
            "action": refusal.reason.action(),
        })
    });
    json!({
        "restore": row(view),
        "waitingFor": Some(&view.claim_holder).filter(|holder| !holder.is_empty()),
        "stages": stages,
        "planes": planes,
        "failure": failure,
        "certificate": record.certificate.as_ref().map(certificate),
        "ignored": record.request.ignored,
    })
}

fn plane(view: &View, name: &shared::ids::PlaneId) -> Value {
    let kept = view.record.planes.get(name).cloned().unwrap_or_default();
    let none = PlaneView { connected: false, owes: false, progress: None, refused: None };
    let live = view.planes.get(name).unwrap_or(&none);
    let built = kept.built.unwrap_or_default();
    json!({
        "plane": name,
        "connected": live.connected,
        "owes": live.owes,
        "doing": live.progress.as_ref().map(|progress| progress.text.as_str()),
        "refused": live.refused.as_ref().map(ToString::to_string),
        "volumes": built.volumes,
        "gib": built.gib,
        "replaced": built.replaced,
        "deleted": kept.deleted,
        "left": kept.left,
    })
}

fn certificate(certificate: &RestoreCertificate) -> Value {
    json!({
        "verdict": format!("{:?}", certificate.verdict),
        "weaker": certificate.weaker,
        "cluster": certificate.cluster.to_string(),
        "stores": certificate.met.stores.len(),
        "regions": certificate.rolled_back.regions,
        "rounds": certificate.led.rounds,
        "compared": certificate.checked.compared,
        "keys": certificate.checked.keys,
        "bytes": certificate.checked.bytes,
        "flashbackTs": certificate.times.commit_ts.to_string(),
    })
}
