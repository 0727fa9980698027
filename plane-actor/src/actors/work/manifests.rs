//! `manifests/<namespace>/<Kind>/<name>.yaml` beside a backup, for people (`facts/tidb-operator.md` §5.1). Whatever goes
//! wrong here is told and fails nothing.

use super::{context::WorkContext, left::line, storage};
use crate::ports::{Manifest, Objects};
use shared::{
    reason::Refusal,
    request::{MemberSpec, S3Target},
};

const FOLDER: &str = "manifests/";
/// More than belong to any TiDB cluster.
const MAX: usize = 1000;

/// Writes what can be read; returns what a person should know.
pub(super) async fn write(context: &WorkContext, objects: &dyn Objects, spec: &MemberSpec) -> Vec<String> {
    let all = context.env.ports.topology.manifests(&spec.tc_namespace, &spec.tc_name).await;
    let mut notes = Vec::new();
    for unread in all.unread {
        line(&mut notes, format!("manifests/ is not complete: {unread}"));
    }
    for manifest in all.found.iter().take(MAX) {
        if let Err(why) = write_one(objects, &spec.storage, manifest).await {
            line(&mut notes, format!("manifests/ is not complete: {why}"));
        }
    }
    if !notes.is_empty() {
        tracing::warn!(?notes, "not every manifest was kept beside the backup");
    }
    notes
}

async fn write_one(objects: &dyn Objects, target: &S3Target, manifest: &Manifest) -> Result<(), String> {
    let Manifest { namespace, kind, name, object } = manifest;
    let body = serde_saphyr::to_string(object).map_err(|error| format!("{kind} {namespace}/{name}: {error}"))?;
    let key = target.key(&format!("{FOLDER}{namespace}/{kind}/{name}.yaml"));
    storage::put(objects, &key, body.as_bytes()).await.map_err(|refusal| refusal.message)
}

/// The keys of those that are there. By their form, because another backup may lie further down the same prefix.
pub(super) async fn keys(objects: &dyn Objects, target: &S3Target) -> Result<Vec<String>, Refusal> {
    let folder = target.key(FOLDER);
    let found = storage::list(objects, &folder, MAX).await?;
    let ours = |key: &String| {
        let parts: Vec<&str> = key.strip_prefix(&folder).unwrap_or_default().split('/').collect();
        matches!(parts.as_slice(), [_, _, name] if name.ends_with(".yaml"))
    };
    Ok(found.into_iter().filter(ours).collect())
}
