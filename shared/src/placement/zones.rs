//! The zone of a PersistentVolume: in its affinity and, of old ones, in its labels.

use serde_json::{Map, Value, json};

/// By which nodes are chosen. The EBS CSI driver writes the second since 1.33 and the first before; in-tree volumes have the
/// third. A key that kept the old zone would leave no node that fits (`facts/restore.md` §2.4).
const KEYS: [&str; 3] =
    ["topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
/// What is said where a volume says nothing: every node of AWS has this one.
const OF_EVERY_NODE: &str = "topology.kubernetes.io/zone";

/// Every key that names a zone names this one.
pub(super) fn rewrite(pv: &mut Value, zone: &str) {
    if let Some(labels) = pv.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        for (key, value) in labels {
            if KEYS.contains(&key.as_str()) {
                *value = json!(zone);
            }
        }
    }
    let mut said = false;
    if let Some(terms) = pv.pointer_mut("/spec/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array_mut) {
        for term in terms {
            said |= in_term(term, zone);
        }
    }
    if !said && let Some(spec) = pv.get_mut("spec").and_then(Value::as_object_mut) {
        demand(spec, zone);
    }
}

fn in_term(term: &mut Value, zone: &str) -> bool {
    let mut said = false;
    for kind in ["matchExpressions", "matchFields"] {
        for expression in term.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            if expression["key"].as_str().is_some_and(|key| KEYS.contains(&key)) {
                *expression = json!({"key": expression["key"], "operator": "In", "values": [zone]});
                said = true;
            }
        }
    }
    said
}

fn demand(spec: &mut Map<String, Value>, zone: &str) {
    let expression = json!({"key": OF_EVERY_NODE, "operator": "In", "values": [zone]});
    let terms = json!([{"matchExpressions": [expression]}]);
    spec.insert("nodeAffinity".to_owned(), json!({"required": {"nodeSelectorTerms": terms}}));
}
