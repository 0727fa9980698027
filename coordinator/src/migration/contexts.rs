//! The old manager's kubeconfig: a context for each plane, by its `k8sClusterName` (`facts/tidb-operator.md` §8.3).

use serde_json::Value;
use std::collections::BTreeSet;

/// The names of its contexts; nothing else of it is read.
///
/// # Errors
/// It is no kubeconfig.
pub fn contexts(kubeconfig: &Value) -> Result<BTreeSet<String>, String> {
    let listed = kubeconfig.get("contexts").and_then(Value::as_array).ok_or("it has no list `contexts`")?;
    let name = |context: &Value| context.get("name").and_then(Value::as_str).map(str::to_owned);
    listed.iter().map(|context| name(context).ok_or_else(|| "a context has no name".to_owned())).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn contexts_are_planes() {
        let kubeconfig =
            json!({"contexts": [{"name": "az2", "context": {}}, {"name": "az1"}], "users": [{"user": {"token": "t"}}]});
        assert_eq!(contexts(&kubeconfig).unwrap().into_iter().collect::<Vec<_>>(), ["az1", "az2"]);
        for bad in [json!({}), json!({"contexts": [{}]}), json!([])] {
            assert!(contexts(&bad).is_err(), "{bad}");
        }
    }
}
