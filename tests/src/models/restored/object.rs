//! PersistentVolumes and claims, as far as they are read here.

use serde_json::Value;

/// A text of an object; empty: not there.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The EBS volume of a PersistentVolume: by CSI, or in the tree as `aws://<zone>/<id>`.
pub(crate) fn handle(pv: &Value) -> String {
    let csi = text(pv, "/spec/csi/volumeHandle");
    let in_tree = text(pv, "/spec/awsElasticBlockStore/volumeID");
    if csi.is_empty() { in_tree.rsplit('/').next().unwrap_or_default().to_owned() } else { csi.to_owned() }
}

/// Does a claim have its volume?
pub(crate) fn is_bound(claim: &Value) -> bool {
    text(claim, "/status/phase") == "Bound"
}

/// Bytes of `500Gi` and the like; 0 for what is none.
pub(crate) fn bytes(quantity: &str) -> u64 {
    let digits = quantity.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &quantity[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        _ => 0,
    };
    digits.parse::<u64>().unwrap_or(0).saturating_mul(unit)
}

/// Is this label's value on it, under whatever key?
pub(crate) fn is_labelled(object: &Value, value: &str) -> bool {
    let labels = object.pointer("/metadata/labels").and_then(Value::as_object);
    labels.is_some_and(|labels| labels.values().any(|label| label == value))
}

/// May a pod in this zone use the volume? Every term that names a label of nodes must allow the zone; only these two are
/// known here (`facts/restore.md` §2.4, zone).
pub(crate) fn reaches(pv: &Value, zone: &str) -> bool {
    let known = ["topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone"];
    let terms = pv.pointer("/spec/nodeAffinity/required/nodeSelectorTerms").and_then(Value::as_array);
    let allows = |rule: &Value| {
        let values = rule["values"].as_array();
        let key = rule["key"].as_str().unwrap_or_default();
        known.contains(&key) && values.is_some_and(|values| values.iter().any(|value| value == zone))
    };
    let holds = |term: &Value| {
        let rules = ["matchExpressions", "matchFields"].into_iter().filter_map(|kind| term[kind].as_array()).flatten();
        rules.into_iter().all(allows)
    };
    // Of several terms one suffices.
    terms.is_none_or(|terms| terms.iter().any(holds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_zone_keys_count_and_a_volume_of_another_zone_is_out_of_reach() {
        let pv = |rules: Value| json!({"spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": rules}]}}}});
        let rule = |key: &str, zone: &str| json!({"key": key, "operator": "In", "values": [zone]});
        let (csi, kubernetes) = ("topology.ebs.csi.aws.com/zone", "topology.kubernetes.io/zone");
        assert!(reaches(&json!({}), "a") && reaches(&pv(json!([rule(csi, "a")])), "a"));
        assert!(reaches(&pv(json!([rule(csi, "a"), rule(kubernetes, "a")])), "a"));
        assert!(!reaches(&pv(json!([rule(csi, "a"), rule(kubernetes, "b")])), "a"), "one key was not rewritten");
        assert!(!reaches(&pv(json!([rule("kubernetes.io/hostname", "n")])), "a"));
    }

    #[test]
    fn quantities_and_handles_are_read_as_kubernetes_writes_them() {
        assert_eq!([bytes("1Gi"), bytes("2Ti"), bytes("7"), bytes("x")], [1 << 30, 2 << 40, 7, 0]);
        assert_eq!(handle(&json!({"spec": {"csi": {"volumeHandle": "vol-1"}}})), "vol-1");
        let in_tree = json!({"spec": {"awsElasticBlockStore": {"volumeID": "aws://eu-west-1a/vol-2"}}});
        assert_eq!(handle(&in_tree), "vol-2");
    }
}
