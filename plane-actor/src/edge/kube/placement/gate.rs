//! What keeps TiKV from starting before its volumes are there (`facts/restore.md` §2.3, §4.2).

use super::super::{
    api::{Call, resource},
    cluster::{Cluster, Operator},
};
use crate::ports::{Gate, Owner, PortError, WaitingClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};
use shared::reason::Reason;
use std::collections::BTreeSet;

/// v1's operator makes no StatefulSet of TiKV in recovery mode until the TidbCluster has it.
const READY: &str = "tidb.pingcap.com/tikv-volumes-ready";
/// What a class has in the place of a provisioner that nothing serves.
const NOBODY: &str = "kubernetes.io/no-provisioner";

/// What a TidbCluster says; `None`: nothing of a gate.
pub(super) fn of_tidb_cluster(owner: &Owner, cluster: &Cluster) -> Option<Result<Gate, String>> {
    if cluster.operator != Operator::V1 || cluster.object["spec"]["recoveryMode"] != json!(true) {
        return None;
    }
    let opened = &cluster.object["metadata"]["annotations"][READY];
    Some(match opened.as_str() {
        None => Ok(Gate::RecoveryMode),
        Some(by) => Err(format!(
            "TidbCluster {}/{} has annotation {READY}: {by:?}, so TiKV may start, or has started, before its volumes are there; \
             restore into a cluster without it",
            owner.namespace, owner.cluster
        )),
    })
}

/// Claims of one class that nothing serves, none of them bound.
pub(super) async fn of_claims(
    client: &Client,
    owner: &Owner,
    claims: &[WaitingClaim],
) -> Result<Result<Gate, String>, PortError> {
    let Owner { namespace, cluster, .. } = owner;
    let classes: BTreeSet<&str> = claims.iter().map(|claim| claim.class.as_str()).collect();
    let mut classes = classes.into_iter();
    let (Some(class), more) = (classes.next(), classes.next()) else {
        return Ok(Err(format!(
            "no TiKV pod of {namespace}/{cluster} waits for a volume: set spec.recoveryMode: true on a TidbCluster that has no TiKV \
             yet, or give TiKV a storage class that nothing serves"
        )));
    };
    if let Some(bound) = claims.iter().find(|claim| !claim.bound_to.is_empty()) {
        let (name, pv) = (&bound.name, &bound.bound_to);
        return Ok(Err(format!(
            "claim {namespace}/{name} of its TiKV has a volume already, {pv}: the cluster is not empty"
        )));
    }
    if let Some(more) = more {
        return Ok(Err(format!(
            "the claims of its TiKV have several storage classes, {class:?} and {more:?}: give all one"
        )));
    }
    let api: Api<StorageClass> = Api::all(client.clone());
    let call = Call::new("get", "storageclasses.storage.k8s.io", None, class);
    let served = match class {
        "" => None,
        class => call.optional(api.get(class)).await?.map(|found| found.provisioner),
    };
    Ok(match served.filter(|by| by != NOBODY) {
        None => Ok(Gate::StaticClass(class.to_owned())),
        Some(by) => Err(format!(
            "storage class {class} of its TiKV is served by {by}, which would make empty volumes: give TiKV a class whose provisioner \
             is {NOBODY}"
        )),
    })
}

/// TiKV may start.
pub(super) async fn open(client: &Client, owner: &Owner) -> Result<(), PortError> {
    let by = format!("{}/{}", owner.namespace, owner.restore);
    patch(client, owner, json!({"metadata": {"annotations": {READY: by}}})).await
}

/// TiFlash and TiDB may start.
pub(super) async fn end(client: &Client, owner: &Owner) -> Result<(), PortError> {
    let body = json!({"metadata": {"annotations": {READY: null}}, "spec": {"recoveryMode": false}});
    patch(client, owner, body).await
}

async fn patch(client: &Client, owner: &Owner, body: Value) -> Result<(), PortError> {
    let Owner { namespace, cluster, .. } = owner;
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &resource("pingcap.com", "TidbCluster"));
    let call = Call::new("patch", "tidbclusters.pingcap.com", Some(namespace), cluster);
    let patched = call.optional(api.patch(cluster, &PatchParams::default(), &Patch::Merge(body))).await?;
    let missing = || {
        let text = format!("TidbCluster {namespace}/{cluster} is gone");
        PortError::refused(Reason::TidbClusterNotFound, text)
    };
    patched.map(|_| ()).ok_or_else(missing)
}
