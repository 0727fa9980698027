//! The ledger as ConfigMaps that nobody else writes, saved by compare-and-set on resourceVersion (DESIGN §5), as Helm
//! keeps its release records.

use super::call::bounded;
use crate::ports::{Entry, Ledger, LedgerKey, PortError, Version};
use async_trait::async_trait;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, PostParams, Preconditions},
};
use shared::ids::{BackupUid, ClusterId};
use std::collections::BTreeMap;

/// Under which key of `data` the body stands.
const BODY: &str = "body";
/// Marks our ConfigMaps for `list`.
const LABEL: &str = "isochron.pingcap.com/ledger";
/// Bodies are at most this long (`ports::Ledger`); etcd itself takes 1.5 MiB.
const MAX_BODY: usize = 256 * 1024;
/// One page of a list: at most 8 MiB, which an API server sends within the limit of a call.
const PAGE: u32 = 32;
/// A list longer than this (16 000 objects) is not ours: a namespace holds a few hundred backups.
const MAX_PAGES: usize = 500;

/// ConfigMaps in the coordinator's own namespace.
#[derive(Clone)]
pub struct KubeLedger {
    maps: Api<ConfigMap>,
}

impl KubeLedger {
    /// A ledger in `namespace`.
    pub fn new(client: Client, namespace: &str) -> Self {
        Self { maps: Api::namespaced(client, namespace) }
    }
}

#[async_trait]
impl Ledger for KubeLedger {
    async fn list(&self) -> Result<Vec<Entry>, PortError> {
        let mut entries = Vec::new();
        let mut params = ListParams::default().labels(LABEL).limit(PAGE);
        for _ in 0..MAX_PAGES {
            let page = bounded("list the ledger's ConfigMaps", self.maps.list(&params)).await?;
            for map in page.items {
                entries.extend(entry(map)?);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(entries),
            }
        }
        Err(PortError::Unavailable(format!("more than {MAX_PAGES} pages of ConfigMaps carry the label {LABEL}")))
    }

    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        let name = name(key);
        match bounded(&format!("read ConfigMap {name}"), self.maps.get_opt(&name)).await? {
            Some(map) => entry(map),
            None => Ok(None),
        }
    }

    async fn write(&self, key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<Version, PortError> {
        let name = name(key);
        if body.len() > MAX_BODY {
            return Err(PortError::Unavailable(format!(
                "ConfigMap {name} was not written: its {} bytes are above {MAX_BODY}",
                body.len()
            )));
        }
        let map = config_map(key, body, expected)?;
        let what = format!("write ConfigMap {name}");
        let written = match expected {
            None => bounded(&what, self.maps.create(&PostParams::default(), &map)).await?,
            Some(_) => match bounded(&what, self.maps.replace(&name, &PostParams::default(), &map)).await {
                // It was there in the expected version, and somebody deleted it.
                Err(PortError::NotFound(text)) => return Err(PortError::Conflict(text)),
                other => other?,
            },
        };
        version(&written)
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

/// `isochron-record-<backup uid>`, `isochron-claim-<cluster id>`.
pub(crate) fn name(key: &LedgerKey) -> String {
    match key {
        LedgerKey::Record(uid) => format!("isochron-record-{uid}"),
        LedgerKey::Claim(cluster) => format!("isochron-claim-{cluster}"),
    }
}

fn key(name: &str) -> Option<LedgerKey> {
    if let Some(uid) = name.strip_prefix("isochron-record-") {
        return Some(LedgerKey::Record(BackupUid::new(uid)));
    }
    name.strip_prefix("isochron-claim-")?.parse().ok().map(|cluster| LedgerKey::Claim(ClusterId(cluster)))
}

fn config_map(key: &LedgerKey, body: &str, expected: Option<&Version>) -> Result<ConfigMap, PortError> {
    // A replace without resourceVersion would win over anybody.
    if expected.is_some_and(|version| version.0.is_empty()) {
        return Err(PortError::Conflict(format!("ConfigMap {} has no version to compare with", name(key))));
    }
    let kind = match key {
        LedgerKey::Record(_) => "record",
        LedgerKey::Claim(_) => "claim",
    };
    let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Ok(ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(key)),
            resource_version: expected.map(|version| version.0.clone()),
            labels: Some(BTreeMap::from([label(LABEL, kind), label("app.kubernetes.io/name", "isochron")])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(BODY.to_owned(), body.to_owned())])),
        ..ConfigMap::default()
    })
}

/// `None` for a ConfigMap that carries our label but none of our names.
fn entry(map: ConfigMap) -> Result<Option<Entry>, PortError> {
    let Some(key) = map.metadata.name.as_deref().and_then(key) else { return Ok(None) };
    let version = version(&map)?;
    let body = map.data.unwrap_or_default().remove(BODY).unwrap_or_default();
    Ok(Some(Entry { key, body, version }))
}

fn version(map: &ConfigMap) -> Result<Version, PortError> {
    match &map.metadata.resource_version {
        Some(version) if !version.is_empty() => Ok(Version(version.clone())),
        _ => Err(PortError::Unavailable("the API server answered with a ConfigMap without resourceVersion".to_owned())),
    }
}

#[cfg(test)]
mod tests;
