//! Claims of the cluster's TiKV pods, and where each pod must run.

use super::super::{
    api::Call,
    claims::{self, Claim},
    cluster::Cluster,
    stores,
};
use crate::ports::{Owner, PortError, WaitingClaim};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{NodeSelectorTerm, PersistentVolumeClaim, Pod};
use kube::{Api, Client};

/// Claims read at once, as of stores.
const AT_ONCE: usize = 8;

/// As nodes are labelled.
const ZONES: [&str; 2] = ["topology.kubernetes.io/zone", "topology.ebs.csi.aws.com/zone"];

pub(super) async fn claims(client: &Client, owner: &Owner, cluster: &Cluster) -> Result<Vec<WaitingClaim>, PortError> {
    let pods = stores::pods_of_cluster(client, &owner.namespace, &owner.cluster, cluster).await?;
    let mut reads = Vec::new();
    for pod in &pods {
        let (name, zone) = (pod.metadata.name.clone().unwrap_or_default(), zone(pod));
        let claims = claims::of(pod, cluster)?.into_iter();
        reads.extend(claims.map(|claim| read(client, owner, name.clone(), claim, zone.clone())));
    }
    let mut found: Vec<WaitingClaim> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
    found.sort();
    Ok(found)
}

async fn read(
    client: &Client,
    owner: &Owner,
    pod: String,
    claim: Claim,
    zone: String,
) -> Result<WaitingClaim, PortError> {
    let Claim { role, claim: name, .. } = claim;
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &owner.namespace);
    let call = Call::new("get", "persistentvolumeclaims", Some(&owner.namespace), &name);
    // v1 and v2 make the claim before the pod, a StatefulSet too; one that is not there will be.
    let spec = call.optional(api.get(&name)).await?.and_then(|found| found.spec).unwrap_or_default();
    Ok(WaitingClaim {
        name,
        pod,
        volume: role.map_or_else(|| "tikv".to_owned(), |role| format!("tikv-{role}")),
        class: spec.storage_class_name.unwrap_or_default(),
        zone,
        bound_to: spec.volume_name.unwrap_or_default(),
    })
}

/// Where it must run; empty: anywhere, or in one of several zones, which is for the scheduler to choose.
fn zone(pod: &Pod) -> String {
    let Some(spec) = &pod.spec else { return String::new() };
    let selected = ZONES.iter().find_map(|key| spec.node_selector.as_ref()?.get(*key));
    let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.map(|required| required.node_selector_terms.as_slice()).unwrap_or_default();
    let demanded = match terms {
        [term] => of_term(term),
        _ => None,
    };
    selected.cloned().or(demanded).unwrap_or_default()
}

fn of_term(term: &NodeSelectorTerm) -> Option<String> {
    let expressions = term.match_expressions.iter().flatten();
    let mut zones = expressions.filter(|one| ZONES.contains(&one.key.as_str()) && one.operator == "In");
    match zones.next()?.values.as_deref()? {
        [zone] => Some(zone.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_pod_says_its_zone_by_selector_or_affinity() {
        let of = |spec: Value| zone(&serde_json::from_value(json!({"spec": spec})).unwrap());
        let affinity = |terms: Value| {
            json!({"containers": [], "affinity": {"nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
        };
        let expression = |operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": ZONES[0], "operator": operator, "values": values}]});
        assert_eq!(of(json!({"containers": [], "nodeSelector": {"topology.kubernetes.io/zone": "a"}})), "a");
        assert_eq!(of(affinity(json!([expression("In", &["b"])]))), "b");
        for anywhere in [
            json!([expression("In", &["a", "b"])]),
            json!([expression("NotIn", &["a"])]),
            json!([expression("In", &["a"]), expression("In", &["b"])]),
            json!([{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["nvme"]}]}]),
        ] {
            assert_eq!(of(affinity(anywhere.clone())), "", "{anywhere}");
        }
        assert_eq!(of(json!({"containers": []})), "");
    }
}
