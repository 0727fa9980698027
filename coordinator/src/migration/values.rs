//! Values of the chart `br-federation` (`facts/tidb-operator.md` §8.6) as values of ours, `deploy/charts/isochron`.

use super::{Line, Mark};
use serde_json::{Map, Value, json};

/// Under the same name, or without the word before them.
const KEPT: [(&str, &str); 13] = [
    ("/timezone", "/timezone"),
    ("/imagePullPolicy", "/imagePullPolicy"),
    ("/imagePullSecrets", "/imagePullSecrets"),
    ("/rbac/create", "/rbac/create"),
    ("/brFederationManager/serviceAccount", "/serviceAccount/name"),
    ("/brFederationManager/replicas", "/replicas"),
    ("/brFederationManager/resources", "/resources"),
    ("/brFederationManager/priorityClassName", "/priorityClassName"),
    ("/brFederationManager/affinity", "/affinity"),
    ("/brFederationManager/nodeSelector", "/nodeSelector"),
    ("/brFederationManager/tolerations", "/tolerations"),
    ("/brFederationManager/env", "/env"),
    ("/brFederationManager/podAnnotations", "/podAnnotations"),
];

/// What becomes of the others.
const DROPPED: [(&str, &str); 13] = [
    ("/image", "it is the old manager's; ours is `image: isochron/coordinator:VERSION`"),
    (
        "/brFederationManager/securityContext",
        "ours is restricted already (no root, no privileges, a read-only file system)",
    ),
    (
        "/brFederationManager/federationKubeconfigSecret",
        "no kubeconfig of the planes is needed: each dials in, with its certificate",
    ),
    ("/brFederationManager/federationKubeconfigSecretKey", "no kubeconfig of the planes is needed"),
    ("/brFederationManager/logLevel", "it was a number; ours is a filter: `log.level: info,coordinator=debug`"),
    ("/brFederationManager/workers", "nothing waits for a worker"),
    ("/brFederationManager/kubeClientQPS", "requests to the API server have a bound of their own"),
    ("/brFederationManager/kubeClientBurst", "requests to the API server have a bound of their own"),
    ("/brFederationManager/leaderLeaseDuration", "the Lease has fixed times"),
    ("/brFederationManager/leaderRenewDeadline", "the Lease has fixed times"),
    ("/brFederationManager/leaderRetryPeriod", "the Lease has fixed times"),
    ("/brFederationManager/leaderResourceLock", "it is always a Lease"),
    ("/appendReleaseSuffix", "two coordinators are told apart by `name` and `fullnameOverride`"),
];

/// Ours for theirs, and what to say of the rest. `planes`: of all of them.
///
/// # Errors
/// What was given are no values of a chart.
pub fn values(old: &Value, planes: Vec<String>) -> Result<(Value, Vec<Line>), String> {
    if !old.is_object() {
        return Err("values of a chart are a map".to_owned());
    }
    let (mut ours, mut lines) = (json!({ "planes": planes }), Vec::new());
    let mut left = old.clone();
    for (from, to) in KEPT {
        let Some(value) = take(&mut left, from) else { continue };
        set(&mut ours, to, value);
        lines.push(Line::new(Mark::Fine, name(from), format!("becomes {}", name(to))));
    }
    for (from, why) in DROPPED {
        if take(&mut left, from).is_some() {
            lines.push(Line::new(Mark::Warning, name(from), format!("is left out: {why}")));
        }
    }
    match take(&mut left, "/clusterScoped") {
        Some(Value::Bool(false)) => {
            let text = "the old manager looked at its own namespace alone: set objects.namespaces to it";
            lines.push(Line::new(Mark::Warning, "clusterScoped", text));
        }
        Some(_) => lines.push(Line::new(Mark::Fine, "clusterScoped", "objects of all namespaces, as before")),
        None => {}
    }
    // Whether there is a manager at all is no question here.
    take(&mut left, "/brFederationManager/create");
    for path in leaves(&left, "") {
        lines.push(Line::new(Mark::Warning, path, "is no value of br-federation v1.6 and is left out"));
    }
    Ok((ours, lines))
}

/// `a.b` for `/a/b`.
fn name(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

fn take(values: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, key) = pointer.rsplit_once('/')?;
    values.pointer_mut(parent)?.as_object_mut()?.remove(key)
}

fn set(values: &mut Value, pointer: &str, value: Value) {
    let mut at = values;
    for key in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[key];
    }
    *at = value;
}

/// Everything that is still there.
fn leaves(values: &Value, at: &str) -> Vec<String> {
    let Some(map) = values.as_object() else { return vec![at.to_owned()] };
    let path = |key: &String| if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
    map.iter().flat_map(|(key, value)| leaves(value, &path(key))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_kept_and_the_rest_is_told() {
        let old = json!({
            "clusterScoped": false, "timezone": "Europe/Berlin", "image": "pingcap/br-federation-manager:v1.6.6",
            "rbac": {"create": true}, "colour": {"deep": 1},
            "brFederationManager": {
                "create": true, "replicas": 2, "serviceAccount": "br", "workers": 9, "nodeSelector": {"a": "b"},
            },
        });
        let (ours, lines) = values(&old, vec!["az1".into()]).unwrap();
        assert_eq!(
            ours,
            json!({
                "planes": ["az1"], "timezone": "Europe/Berlin", "rbac": {"create": true}, "replicas": 2,
                "serviceAccount": {"name": "br"}, "nodeSelector": {"a": "b"},
            })
        );
        let told: Vec<String> = lines.iter().map(|line| format!("{} {}", line.mark, line.subject)).collect();
        assert_eq!(
            told,
            [
                "√ timezone",
                "√ rbac.create",
                "√ brFederationManager.serviceAccount",
                "√ brFederationManager.replicas",
                "√ brFederationManager.nodeSelector",
                "‼ image",
                "‼ brFederationManager.workers",
                "‼ clusterScoped",
                "‼ colour.deep",
            ]
        );
        assert!(values(&json!([]), vec![]).is_err());
        assert_eq!(values(&json!({}), vec![]).unwrap(), (json!({"planes": []}), vec![]));
    }
}
