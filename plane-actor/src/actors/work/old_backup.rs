//! A backup of the old manager: no tags, no uid in its lock. Its `backupmeta` is the only list of its snapshots, so it is
//! deleted last of all, and what is not surely the old manager's is left alone and named.

use super::{
    cloud::{Service, cloud_tried, named},
    context::WorkContext,
    deleting::Deleting,
    left::Left,
    meta, storage,
};
use crate::ports::Cloud;
use shared::{
    reason::Refusal,
    request::S3Target,
    wire::{Clean, CleanReport, OldBackup},
};

/// Manifests per look; they are few.
const PAGE: usize = 200;
/// Looks at most.
const PAGES: usize = 50;

pub(super) async fn clean(
    context: &WorkContext,
    cloud: &Cloud,
    order: &Clean,
    old: &OldBackup,
) -> Result<CleanReport, Refusal> {
    let target = &order.spec.storage;
    let mut report = CleanReport { old_backup: true, ..CleanReport::default() };
    let Some(backupmeta) = (match whose(cloud, target, old).await? {
        Found::Snapshots(ids) => Some(ids),
        Found::Nothing => None,
        Found::Doubt(text) => {
            report.left.push(text);
            report.needs_person = true;
            return Ok(report);
        }
    }) else {
        delete_files(cloud, target, &mut report).await?;
        return Ok(report);
    };
    let mut left = Left::default();
    let deleted = Deleting::new(context, cloud, &order.spec, order.afresh).all(backupmeta, &mut left).await;
    report.snapshots = deleted.map_err(|refusal| named(&order.spec, refusal))?;
    left.tell(cloud, &mut report);
    if left.is_empty() {
        delete_files(cloud, target, &mut report).await?;
    }
    Ok(report)
}

enum Found {
    Snapshots(Vec<shared::ids::SnapshotId>),
    /// It never came to take snapshots.
    Nothing,
    /// Why nothing may be touched.
    Doubt(String),
}

/// What lies below the prefix, as far as it is surely this backup's.
async fn whose(cloud: &Cloud, target: &S3Target, old: &OldBackup) -> Result<Found, Refusal> {
    let objects = cloud.objects.as_ref();
    let at = |name: &str| format!("s3://{}/{}", target.bucket, target.key(name));
    let lock = storage::get(objects, &target.key(storage::LOCK)).await?;
    if lock.is_some_and(|body| !storage::is_brs_lock(&body))
        || storage::exists(objects, &target.key(storage::CERTIFICATE)).await?
    {
        return Ok(Found::Doubt(format!("{} is not the old manager's", at(storage::LOCK))));
    }
    let Some(body) = storage::get(objects, &target.key(storage::BACKUPMETA)).await? else {
        return Ok(if old.complete {
            let text = "is missing, and it alone names the snapshots; delete them by hand, then annotate isochron.pingcap.com/abandon-planes";
            Found::Doubt(format!("{} {text}", at(storage::BACKUPMETA)))
        } else {
            Found::Nothing
        });
    };
    let Some((resolved_ts, ids)) = meta::old_backup(&body) else {
        return Ok(Found::Doubt(format!("{} is no backupmeta of volume snapshots", at(storage::BACKUPMETA))));
    };
    Ok(match old.commit_ts {
        Some(ts) if ts.0 != resolved_ts => Found::Doubt(format!(
            "{} is of commitTs {resolved_ts}, and the object's row says {ts}: it is another backup's",
            at(storage::BACKUPMETA)
        )),
        _ => Found::Snapshots(ids),
    })
}

/// By name only, as another backup may lie further down. A second try after a lost answer finds `backupmeta` until all
/// else is gone.
async fn delete_files(cloud: &Cloud, target: &S3Target, report: &mut CleanReport) -> Result<(), Refusal> {
    let objects = cloud.objects.as_ref();
    let below = target.key("manifests/");
    let mut keys = Vec::new();
    for _ in 0..PAGES {
        let found = cloud_tried(Service::S3, &format!("listing {below}"), || objects.list(&below, PAGE)).await?;
        for key in &found {
            cloud_tried(Service::S3, &format!("deleting {key}"), || objects.delete(key)).await?;
            report.objects += 1;
        }
        if found.len() < PAGE {
            break;
        }
    }
    for name in [storage::RESTOREMETA, storage::CLUSTERMETA, storage::LOCK, storage::BACKUPMETA] {
        let key = target.key(name);
        if storage::exists(objects, &key).await? {
            keys.push(key);
        }
    }
    for key in keys {
        cloud_tried(Service::S3, &format!("deleting {key}"), || objects.delete(&key)).await?;
        report.objects += 1;
    }
    Ok(())
}
