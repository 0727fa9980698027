//! The zone of a PersistentVolume: in its affinity and, of old ones, in its labels.

use serde_json::{Value, json};

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
    let terms = pv.pointer_mut("/spec/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array_mut);
    match terms.filter(|terms| !terms.is_empty()) {
        Some(terms) => terms.iter_mut().for_each(|term| in_term(term, zone)),
        None => {
            if let Some(spec) = pv.get_mut("spec").and_then(Value::as_object_mut) {
                let terms = json!([{"matchExpressions": [demand(OF_EVERY_NODE, zone)]}]);
                spec.insert("nodeAffinity".to_owned(), json!({"required": {"nodeSelectorTerms": terms}}));
            }
        }
    }
}

/// Terms are alternatives, so each must demand it.
fn in_term(term: &mut Value, zone: &str) {
    let mut said = false;
    for kind in ["matchExpressions", "matchFields"] {
        for expression in term.get_mut(kind).and_then(Value::as_array_mut).into_iter().flatten() {
            let key = expression["key"].as_str().filter(|key| KEYS.contains(key)).map(str::to_owned);
            if let Some(key) = key {
                *expression = demand(&key, zone);
                said = true;
            }
        }
    }
    if let Some(term) = term.as_object_mut().filter(|_| !said) {
        let expressions = term.entry("matchExpressions").or_insert_with(|| json!([]));
        if let Some(expressions) = expressions.as_array_mut() {
            expressions.push(demand(OF_EVERY_NODE, zone));
        }
    }
}

fn demand(key: &str, zone: &str) -> Value {
    json!({"key": key, "operator": "In", "values": [zone]})
}
