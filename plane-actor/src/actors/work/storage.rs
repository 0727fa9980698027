//! Names and ownership below the plane's prefix in S3 (`facts/tidb-operator.md` §5.1, `facts/topology.md` §6).

use super::{
    checks::Checked,
    cloud::{Service, cloud_tried},
};
use crate::ports::{Cloud, Objects};
use shared::{
    ids::{Attempt, BackupUid},
    reason::{Reason, Refusal},
    request::{MemberSpec, S3Target},
};

/// What restore reads.
pub(super) const BACKUPMETA: &str = "backupmeta";
/// What the volumes belong to.
pub(super) const CLUSTERMETA: &str = "clustermeta";
/// Ours.
pub(super) const CERTIFICATE: &str = "isochron-certificate.json";
/// Says whose the prefix is.
pub(super) const LOCK: &str = "backup.lock";
/// Written by a restore beside the backup.
pub(super) const RESTOREMETA: &str = "restoremeta";

/// All of them, in the order in which they are deleted: the lock says that the rest is ours, so it goes last.
pub(super) const OBJECTS: [&str; 5] = [CERTIFICATE, RESTOREMETA, BACKUPMETA, CLUSTERMETA, LOCK];

/// The two lines that every backup tool of TiDB writes, a third with our backup's uid, a fourth with the attempt, a fifth with
/// the name of the plane's ledger.
pub(crate) fn lock_text(attempt: &Attempt, ledger: &str) -> String {
    let Attempt { backup, number } = attempt;
    format!(
        "DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path\n{backup}\n{number}\n{ledger}"
    )
}

/// Which attempt of this backup the lock names; `None` for everybody else's lock.
pub(crate) fn locked_by(body: &[u8], backup: &BackupUid) -> Option<u32> {
    Owner::of(body).filter(|owner| owner.attempt.backup == *backup).map(|owner| owner.attempt.number)
}

/// Whose a lock of ours is.
pub(crate) struct Owner {
    pub(crate) attempt: Attempt,
    /// Name of the plane's ledger; empty: an earlier version wrote it.
    pub(crate) ledger: String,
}

impl Owner {
    /// `None`: no lock of ours.
    pub(crate) fn of(body: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(body).ok()?.lines().skip(2);
        let (backup, number) = (lines.next()?, lines.next()?.parse().ok()?);
        let ledger = lines.next().unwrap_or_default().to_owned();
        Some(Self { attempt: Attempt { backup: BackupUid::new(backup), number }, ledger })
    }
}

/// At most `limit` keys below a prefix.
pub(super) async fn list(objects: &dyn Objects, prefix: &str, limit: usize) -> Result<Vec<String>, Refusal> {
    let what = format!("listing {prefix}");
    cloud_tried(Service::S3, &what, || objects.list(prefix, limit)).await
}

/// A lock of BR: nobody's name is in it. A line end after its two lines is allowed.
pub(super) fn is_brs_lock(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| text.lines().count() <= 2)
}

pub(super) async fn exists(objects: &dyn Objects, key: &str) -> Result<bool, Refusal> {
    let found = list(objects, key, 1).await?;
    // The listing is by prefix and in order: the key itself would come first.
    Ok(found.first().is_some_and(|first| first == key))
}

pub(super) async fn get(objects: &dyn Objects, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
    let what = format!("reading {key}");
    cloud_tried(Service::S3, &what, || objects.get(key)).await
}

pub(super) async fn put(objects: &dyn Objects, key: &str, body: &[u8]) -> Result<(), Refusal> {
    let what = format!("writing {key}");
    cloud_tried(Service::S3, &what, || objects.put(key, body.to_vec())).await
}

/// What the lock object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// There is none.
    Absent,
    /// It names another backup, or is another tool's.
    Foreign,
    /// It names this attempt of our backup: everything of ours below the prefix is that attempt's.
    Ours(u32),
}

pub(super) async fn lock(objects: &dyn Objects, storage: &S3Target, backup: &BackupUid) -> Result<Lock, Refusal> {
    let Some(body) = get(objects, &storage.key(LOCK)).await? else { return Ok(Lock::Absent) };
    Ok(locked_by(&body, backup).map_or(Lock::Foreign, Lock::Ours))
}

pub(super) fn in_use(storage: &S3Target, name: &str) -> Refusal {
    let text = format!("s3://{}/{} is there already and is not this backup's", storage.bucket, storage.key(name));
    Refusal::new(Reason::PrefixInUse, text)
}

/// The bucket can be listed and the prefix is free, or holds only what an earlier attempt of this backup reserved.
pub(super) async fn check_prefix(cloud: &Cloud, spec: &MemberSpec, ours: Option<&BackupUid>) -> Checked<()> {
    let (objects, storage) = (cloud.objects.as_ref(), &spec.storage);
    if exists(objects, &storage.key(BACKUPMETA)).await? {
        return Err(in_use(storage, BACKUPMETA));
    }
    let locked = get(objects, &storage.key(LOCK)).await?;
    let by_us = match (&locked, ours) {
        (Some(body), Some(backup)) if locked_by(body, backup).is_some() => true,
        (Some(_), _) => return Err(in_use(storage, LOCK)),
        (None, _) => false,
    };
    if !by_us && exists(objects, &storage.key(CLUSTERMETA)).await? {
        return Err(in_use(storage, CLUSTERMETA));
    }
    Ok(((), storage.path()))
}

/// The same for a person. What a backup that is checked has written itself stands in nobody's way.
pub(super) async fn look_at_prefix(cloud: &Cloud, spec: &MemberSpec, ours: Option<&BackupUid>) -> Checked<()> {
    if let Some(backup) = ours
        && let Lock::Ours(_) = lock(cloud.objects.as_ref(), &spec.storage, backup).await?
    {
        return Ok(((), format!("{} holds this backup's own files", spec.storage.path())));
    }
    check_prefix(cloud, spec, None).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_names_its_backup_and_attempt_and_brs_lock_names_nobody() {
        let backup = BackupUid::new("6f1c");
        let text = lock_text(&Attempt { backup: backup.clone(), number: 2 }, "l-1");
        assert_eq!(locked_by(text.as_bytes(), &backup), Some(2));
        assert_eq!(locked_by(text.as_bytes(), &BackupUid::new("6f1")), None);
        let brs = text.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(brs.len(), 78, "facts/topology.md §6");
        assert_eq!(locked_by(brs.as_bytes(), &backup), None);
        assert!(is_brs_lock(brs.as_bytes()) && !is_brs_lock(text.as_bytes()));
        assert_eq!(locked_by(&[0xff, 0xfe], &backup), None);
    }
}
