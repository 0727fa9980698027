//! The TiDB cluster that would be restored into, as this plane's API server and its PD know it.

use super::super::question::{Look, Said, Stop};
use crate::ports::{Located, PdCluster, PortError};
use serde_json::Value;
use shared::{
    evidence::ClusterStore,
    ids::ClusterId,
    restore::{Subject, recovers, version_line},
    wire::{Finding, FindingState, Inspect, Target},
};

/// What lets TiKV start under Operator v1 (`facts/restore.md` §2.3).
const GATE: &str = "tidb.pingcap.com/tikv-volumes-ready";
const ELSEWHERE: &str = "was not looked at, see target";

pub(in super::super) async fn look(look: &Look<'_>, ask: &Inspect, target: &Target) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |subject: Subject, begun, said| findings.push(look.finding(subject.as_str(), begun, said));
    let begun = look.now();
    let name = format!("{}/{}", target.namespace, target.name);
    let located = match locate(look, target).await {
        Ok(located) => located,
        Err(said) => {
            let state = said.state;
            add(Subject::Target, begun, said);
            for subject in [Subject::TargetPd, Subject::Gate, Subject::Version] {
                add(subject, begun, Said::new(state.min(FindingState::Unchecked), ELSEWHERE));
            }
            return findings;
        }
    };
    add(Subject::Target, begun, Said::sound(format!("{name} is there")));
    let begun = look.now();
    add(Subject::TargetPd, begun, pd(look, &located, ask.verify.cluster).await);
    add(Subject::Gate, begun, gate(&located.tidb_cluster));
    add(Subject::Version, begun, version(&located.tidb_cluster, &ask.cluster_version));
    findings
}

async fn locate(look: &Look<'_>, target: &Target) -> Result<Located, Said> {
    look.may_call().map_err(Said::from)?;
    let found = look.within(look.env().ports.topology.locate(&target.namespace, &target.name)).await;
    found.map_err(Said::from)?.map_err(of_port)
}

/// What the plane's own API server or a PD refuses does not pass by itself.
fn of_port(error: PortError) -> Said {
    match error {
        PortError::Refused(refusal) => Said::broken(refusal.message),
        PortError::Unavailable(text) => Said::new(FindingState::Unchecked, text),
    }
}

async fn pd(look: &Look<'_>, located: &Located, backup: ClusterId) -> Said {
    let asked = async {
        let pd = look.env().ports.pd.connect(&located.endpoint).await?;
        Ok::<_, PortError>((pd.cluster().await?, pd.stores().await?))
    };
    let answered = match look.may_call() {
        Ok(()) => look.within(asked).await,
        Err(stop) => Err(stop),
    };
    match answered {
        Ok(Ok((cluster, stores))) => fresh(&cluster, &stores, backup),
        // A PD that cannot be reached may be fresh for all that is known.
        Ok(Err(error)) => Said::new(FindingState::Unchecked, error.to_string()),
        Err(stop @ (Stop::Barrier | Stop::NoTime | Stop::NoCalls | Stop::Answer(_))) => stop.into(),
    }
}

/// A restore begins with nothing (`facts/restore.md` §3.2).
fn fresh(cluster: &PdCluster, stores: &[ClusterStore], backup: ClusterId) -> Said {
    if cluster.id == backup {
        return Said::broken(format!(
            "its PD, cluster id {}, is that of the backup: it would be written over",
            cluster.id
        ));
    }
    if cluster.recovering {
        return Said::broken(
            "its PD is marked for a restore: another restore is under way there, or one has left its mark",
        );
    }
    match stores {
        [] => Said::sound(format!("its PD, cluster id {}, has never seen a store and is not marked", cluster.id)),
        [first, ..] => {
            let (count, address) = (stores.len(), &first.address);
            Said::broken(format!("its PD, cluster id {}, has {count} stores already, {address} among them", cluster.id))
        }
    }
}

/// An object of the API server has a uid; what is made up for a backup of another operator has none.
fn is_v1(tidb_cluster: &Value) -> bool {
    tidb_cluster.pointer("/metadata/uid").is_some()
}

fn gate(tidb_cluster: &Value) -> Said {
    if !is_v1(tidb_cluster) {
        let text = "it has no TidbCluster: what keeps its TiKV from starting cannot be seen from here";
        return Said::new(FindingState::Doubtful, text);
    }
    let annotations = tidb_cluster.pointer("/metadata/annotations");
    if annotations.is_some_and(|all| all.get(GATE).is_some()) {
        return Said::broken(format!("it has the annotation {GATE}: TiKV starts without waiting for volumes"));
    }
    if tidb_cluster.pointer("/spec/recoveryMode") != Some(&Value::Bool(true)) {
        return Said::broken("spec.recoveryMode is not true: TiKV starts on empty volumes");
    }
    Said::sound("spec.recoveryMode is true and nothing says that volumes are there: TiKV waits")
}

/// Of the line that was backed up, and none that is known to fail.
fn version(tidb_cluster: &Value, backup: &str) -> Said {
    let of = |path: &str| tidb_cluster.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty());
    let Some(there) = of("/spec/tikv/version").or_else(|| of("/spec/version")) else {
        return Said::new(FindingState::Doubtful, format!("its objects tell no version; the backup is of {backup}"));
    };
    match (version_line(there), version_line(backup)) {
        (Some(line), Some(own)) if line != own => {
            Said::broken(format!("it is {there}, the backup of {backup}: nobody has tried a restore into another line"))
        }
        (Some(_), Some(_)) if !recovers(there) => {
            let text = format!(
                "{there} has known faults in recovery: 6.5.9, 7.1.5, 7.5.2, 8.1.0 or later of the line have not"
            );
            Said::new(FindingState::Doubtful, text)
        }
        (Some(_), Some(_)) => Said::sound(format!("it is {there}, the backup of {backup}")),
        _ => Said::new(FindingState::Doubtful, format!("{there} and {backup} cannot be compared")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_pd_that_has_never_seen_a_store_is_fresh() {
        let pd = |id, recovering| PdCluster {
            id: ClusterId(id),
            version: "7.5.2".to_owned(),
            recovering,
            min_resolved_ts_enabled: true,
        };
        let of = |pd: &PdCluster, stores: usize| {
            let stores = vec![ClusterStore::example(4); stores];
            fresh(pd, &stores, ClusterId(7))
        };
        assert_eq!(of(&pd(8, false), 0).state, FindingState::Sound);
        for (pd, stores, word) in [
            (pd(8, false), 2, "has 2 stores already"),
            (pd(8, true), 0, "marked"),
            (pd(7, false), 0, "is that of the backup"),
        ] {
            let said = of(&pd, stores);
            assert_eq!(said.state, FindingState::Broken, "{word}");
            assert!(said.text.contains(word), "{}", said.text);
        }
    }

    #[test]
    fn the_gate_is_closed_by_the_mode_and_opened_by_the_annotation() {
        let of = |metadata: Value, spec: Value| gate(&json!({"metadata": metadata, "spec": spec})).state;
        let on = || json!({"recoveryMode": true});
        assert_eq!(of(json!({"uid": "u"}), on()), FindingState::Sound);
        assert_eq!(of(json!({"uid": "u"}), json!({})), FindingState::Broken);
        assert_eq!(
            of(json!({"uid": "u", "annotations": {GATE: ""}}), on()),
            FindingState::Broken,
            "whatever its value"
        );
        assert_eq!(of(json!({"name": "made up"}), json!({})), FindingState::Doubtful);
    }

    #[test]
    fn versions_of_one_line_are_near_enough() {
        let of = |spec: Value| version(&json!({"spec": spec}), "7.5.2");
        assert_eq!(of(json!({"version": "v7.5.6"})).state, FindingState::Sound);
        assert_eq!(of(json!({"version": "v8.1.0", "tikv": {"version": "v7.5.2"}})).state, FindingState::Sound);
        assert_eq!(of(json!({"version": "v8.1.0"})).state, FindingState::Broken);
        assert_eq!(of(json!({"version": "v7.5.1"})).state, FindingState::Doubtful);
        assert_eq!(of(json!({"version": "nightly"})).state, FindingState::Doubtful);
        assert_eq!(of(json!({})).state, FindingState::Doubtful);
    }
}
