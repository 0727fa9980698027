//! The ledger as ConfigMaps that nobody else writes, saved by compare-and-set on resourceVersion (`design.md` §5), as
//! Helm keeps its release records. `kubectl get configmaps -L isochron.pingcap.com/ledger` tells records from claims, and
//! an annotation says what a record is about.

use super::call::{bounded, bounded_write};
use crate::ports::{Entry, LEDGER_TEXT_MAX, Ledger, LedgerKey, Noted, PortError, Text, Version};
use async_trait::async_trait;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, ObjectList, PostParams, Preconditions},
};
use shared::{
    ids::{BackupUid, ClusterId, RestoreUid},
    reason::{Reason, Refusal},
};
use std::collections::BTreeMap;

/// Under which key of `data` the body stands.
const BODY: &str = "body";
/// Marks our ConfigMaps for lists; its value is the kind.
const LABEL: &str = "isochron.pingcap.com/ledger";
const RECORD: &str = "record";
const CLAIM: &str = "claim";
const RESTORE: &str = "restore";
/// Whose record it is, of several coordinators in one namespace; one has no name, and its records no such label.
const COORDINATOR: &str = "isochron.pingcap.com/coordinator";
/// What is noted of a record, for lists and for people.
const NOTE: &str = "isochron.pingcap.com/summary";
/// Length of the body.
const BYTES: &str = "isochron.pingcap.com/bytes";
/// One page of a list of metadata, about 1 KiB each: the API server's own clients take as many.
const PAGE: u32 = 500;

/// ConfigMaps in the coordinator's own namespace.
#[derive(Clone)]
pub struct KubeLedger {
    maps: Api<ConfigMap>,
    coordinator: String,
}

impl KubeLedger {
    /// A ledger in `namespace`.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self::named(client, namespace, "")
    }

    /// The records of one of several coordinators, beside the claims of all: who holds a TiDB cluster is looked up by the
    /// name of its record, whosever that is.
    pub fn named(client: Client, namespace: &str, coordinator: &str) -> Self {
        Self { maps: Api::namespaced(client, namespace), coordinator: coordinator.to_owned() }
    }

    fn config_map(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<ConfigMap, PortError> {
        // A replace without resourceVersion would win over anybody.
        if expected.is_some_and(|version| version.0.is_empty()) {
            return Err(PortError::Conflict(format!("ConfigMap {} has no version to compare with", name(key))));
        }
        let kind = match key {
            LedgerKey::Record(_) => RECORD,
            LedgerKey::Claim(_) => CLAIM,
            LedgerKey::Restore(_) => RESTORE,
        };
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let note = (!text.note.is_empty()).then(|| label(NOTE, text.note));
        let labels = [label(LABEL, kind), label("app.kubernetes.io/name", "isochron")];
        let whose = (kind != CLAIM && !self.coordinator.is_empty()).then(|| label(COORDINATOR, &self.coordinator));
        let beside = note.into_iter().chain([label(BYTES, &text.body.len().to_string())]);
        Ok(ConfigMap {
            metadata: ObjectMeta {
                name: Some(name(key)),
                resource_version: expected.map(|version| version.0.clone()),
                labels: Some(labels.into_iter().chain(whose).collect()),
                annotations: Some(beside.collect()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([label(BODY, text.body)])),
            ..ConfigMap::default()
        })
    }

    fn own(&self, kind: &str) -> String {
        match self.coordinator.as_str() {
            "" => format!("{LABEL}={kind},!{COORDINATOR}"),
            name => format!("{LABEL}={kind},{COORDINATOR}={name}"),
        }
    }
}

#[async_trait]
impl Ledger for KubeLedger {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        let page =
            |params| async move { bounded("list the ledger's ConfigMaps", self.maps.list_metadata(&params)).await };
        all_pages(&self.own(RECORD), page, |map| noted(map.metadata)).await
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        let page = |params| async move { bounded("list the claims' ConfigMaps", self.maps.list(&params)).await };
        all_pages(&format!("{LABEL}={CLAIM}"), page, entry).await
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        let page = |params| async move { bounded("list the restores' ConfigMaps", self.maps.list(&params)).await };
        all_pages(&self.own(RESTORE), page, entry).await
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        let name = name(key);
        match bounded(&format!("read ConfigMap {name}"), self.maps.get_opt(&name)).await? {
            Some(map) => entry(map),
            None => Ok(None),
        }
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        let name = name(key);
        if text.body.len() > LEDGER_TEXT_MAX {
            let text = format!("ConfigMap {name} was not written: {} bytes, {LEDGER_TEXT_MAX} fit", text.body.len());
            return Err(Refusal::new(Reason::TooLarge, text).into());
        }
        let map = self.config_map(key, text, expected)?;
        let what = format!("write ConfigMap {name}");
        let written = match expected {
            None => bounded_write(&what, self.maps.create(&PostParams::default(), &map)).await?,
            Some(_) => match bounded_write(&what, self.maps.replace(&name, &PostParams::default(), &map)).await {
                // It was there in the expected version, and somebody deleted it.
                Err(PortError::NotFound(text)) => return Err(PortError::Conflict(text)),
                other => other?,
            },
        };
        version(&written.metadata)
    }

    /// As the API server says it of a ConfigMap that is not stored: rights, quotas and admission are looked at.
    async fn may_write(&self) -> Result<(), PortError> {
        let key = LedgerKey::Record(BackupUid::new("check"));
        let map = self.config_map(&key, &Text { body: "", note: "" }, None)?;
        let dry = PostParams { dry_run: true, ..PostParams::default() };
        let what = format!("write ConfigMap {}, dry run", name(&key));
        bounded(&what, self.maps.create(&dry, &map)).await.map(drop)
    }

    async fn delete(&self, key: &LedgerKey, expected: &Version) -> Result<(), PortError> {
        let name = name(key);
        let only = Preconditions { resource_version: Some(expected.0.clone()), uid: None };
        let params = DeleteParams::default().preconditions(only);
        match bounded(&format!("delete ConfigMap {name}"), self.maps.delete(&name, &params)).await {
            Ok(_) | Err(PortError::NotFound(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// `isochron-record-<backup uid>`, `isochron-claim-<cluster id>`, `isochron-restore-<restore uid>`.
pub(crate) fn name(key: &LedgerKey) -> String {
    match key {
        LedgerKey::Record(uid) => format!("isochron-record-{uid}"),
        LedgerKey::Claim(cluster) => format!("isochron-claim-{cluster}"),
        LedgerKey::Restore(uid) => format!("isochron-restore-{uid}"),
    }
}

fn key(name: &str) -> Option<LedgerKey> {
    if let Some(uid) = name.strip_prefix("isochron-record-") {
        return Some(LedgerKey::Record(BackupUid::new(uid)));
    }
    if let Some(uid) = name.strip_prefix("isochron-restore-") {
        return Some(LedgerKey::Restore(RestoreUid::new(uid)));
    }
    name.strip_prefix("isochron-claim-")?.parse().ok().map(|cluster| LedgerKey::Claim(ClusterId(cluster)))
}

/// What `of` makes of every ConfigMap with these labels, page by page.
async fn all_pages<K, T, F>(
    selector: &str,
    page: impl Fn(ListParams) -> F,
    of: impl Fn(K) -> Result<Option<T>, PortError>,
) -> Result<Vec<T>, PortError>
where
    K: Clone,
    F: Future<Output = Result<ObjectList<K>, PortError>>,
{
    let mut all = Vec::new();
    let mut params = ListParams::default().labels(selector).limit(PAGE);
    loop {
        let page = page(params.clone()).await?;
        for one in page.items {
            all.extend(of(one)?);
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

/// `None` for a ConfigMap that carries our label but none of our names.
fn noted(metadata: ObjectMeta) -> Result<Option<Noted>, PortError> {
    let Some(LedgerKey::Record(backup)) = metadata.name.as_deref().and_then(key) else { return Ok(None) };
    let version = version(&metadata)?;
    let mut beside = metadata.annotations.unwrap_or_default();
    let bytes = beside.get(BYTES).and_then(|bytes| bytes.parse().ok());
    Ok(Some(Noted { backup, note: beside.remove(NOTE).unwrap_or_default(), version, bytes }))
}

/// `None` for a ConfigMap that carries our label but none of our names.
fn entry(map: ConfigMap) -> Result<Option<Entry>, PortError> {
    let Some(key) = map.metadata.name.as_deref().and_then(key) else { return Ok(None) };
    let version = version(&map.metadata)?;
    let body = map.data.unwrap_or_default().remove(BODY).unwrap_or_default();
    Ok(Some(Entry { key, body, version }))
}

fn version(metadata: &ObjectMeta) -> Result<Version, PortError> {
    match &metadata.resource_version {
        Some(version) if !version.is_empty() => Ok(Version(version.clone())),
        _ => Err(PortError::Unavailable("the API server answered with a ConfigMap without resourceVersion".to_owned())),
    }
}

#[cfg(test)]
mod tests;
