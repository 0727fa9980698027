//! The way of the plugin: questions through the API server, a cancellation as an annotation, and what only the pod's own
//! socket answers through `kubectl exec`.

use anyhow::Context as _;
use clap::Args;
use coordinator::{
    console::{Answered, Output, Question},
    edge::kube::Proxy,
    ports::{Kind, Manifests, Named},
};
use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// Of the Lease and the Deployment.
const LEASE: &str = "isochron-coordinator";

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReachArgs {
    /// Of what is asked about; without it that of the context.
    #[arg(short = 'n', long, global = true)]
    namespace: Option<String>,
    /// Of all namespaces.
    #[arg(short = 'A', long, global = true)]
    all_namespaces: bool,
    /// A context of the kubeconfig.
    #[arg(long, global = true)]
    context: Option<String>,
    /// The kubeconfig.
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// Where the coordinator runs.
    #[arg(long, env = "ISOCHRON_NAMESPACE", default_value = "isochron", global = true)]
    coordinator_namespace: String,
    /// Its Deployment; its HTTP service is called so with `-http` behind it.
    #[arg(long, env = "ISOCHRON_DEPLOYMENT", default_value = "isochron-coordinator", global = true)]
    deployment: String,
}

/// Whom to ask, and about which namespace.
pub(crate) struct Way {
    args: ReachArgs,
    runtime: tokio::runtime::Runtime,
    proxy: Proxy,
}

/// Every try named a standby.
pub(crate) fn not_leading(leader: Option<&str>) -> String {
    match leader {
        Some(leader) => format!("none of the replicas that answered leads; {leader} does: ask again"),
        None => "no coordinator leads; ask again in a moment".to_owned(),
    }
}

/// A kubeconfig is kubectl's to change.
pub(crate) fn use_context(name: &str) -> anyhow::Result<()> {
    anyhow::bail!("kubectl config use-context {name}")
}

impl ReachArgs {
    #[allow(clippy::unused_self, reason = "as the console's own")]
    pub(crate) fn show_contexts(&self, _: Output) -> anyhow::Result<()> {
        anyhow::bail!("kubectl config get-contexts")
    }

    /// # Errors
    /// The kubeconfig cannot be used.
    pub(crate) fn find(&self) -> anyhow::Result<Way> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let service = format!("{}-http", self.deployment);
        let (kubeconfig, context) = (self.kubeconfig.as_deref(), self.context.as_deref());
        let proxy = runtime.block_on(Proxy::connect(kubeconfig, context, &self.coordinator_namespace, &service))?;
        Ok(Way { args: self.clone(), runtime, proxy })
    }
}

impl Way {
    /// Asks one question.
    ///
    /// # Errors
    /// Nobody answered, or nobody may; the text says which.
    pub(crate) fn ask(&self, question: &Question) -> anyhow::Result<Answered> {
        let question = self.in_namespace(question);
        if let Question::Cancel { name } = &question {
            let (namespace, name) = name.split_once('/').context("cancel namespace/name: a uid is not enough here")?;
            return Ok(Answered::Ok(self.runtime.block_on(self.proxy.cancel(namespace, name))?));
        }
        if let Question::Apply { .. } | Question::Delete { .. } = &question {
            return self.write(&question);
        }
        match self.runtime.block_on(self.proxy.ask(&question))? {
            Some(Answered::Ok(value)) => Ok(Answered::Ok(self.only_of_namespace(&question, value))),
            Some(answered) => Ok(answered),
            None => self.in_the_pod(&question),
        }
    }

    fn namespace(&self) -> &str {
        self.args.namespace.as_deref().unwrap_or_else(|| self.proxy.home())
    }

    /// A bare name is one of the namespace that is meant, as everywhere in kubectl.
    fn in_namespace(&self, question: &Question) -> Question {
        let mut question = question.clone();
        let name = match &mut question {
            Question::Show { name }
            | Question::Why { name }
            | Question::Timeline { name }
            | Question::Verify { name }
            | Question::RestorePlan { name, .. }
            | Question::Delete { name, .. }
            | Question::Cancel { name } => Some(name),
            Question::Check { name }
            | Question::Diagnose { name }
            | Question::DiagnosePlanes { name, .. }
            | Question::Restores { name }
            | Question::Schedules { name, .. } => name.as_mut(),
            Question::Apply { manifest } => {
                if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.entry("namespace").or_insert_with(|| Value::from(self.namespace()));
                }
                None
            }
            Question::Status
            | Question::Planes
            | Question::Backups
            | Question::Glance { .. }
            | Question::Drains
            | Question::Drain { .. }
            | Question::Release { .. }
            | Question::Orphans { .. }
            | Question::LogLevel { .. } => None,
        };
        if let Some(name) = name.filter(|name| !self.args.all_namespaces && !name.contains('/') && !is_uid(name)) {
            *name = format!("{}/{name}", self.namespace());
        }
        question
    }

    fn only_of_namespace(&self, question: &Question, answer: Value) -> Value {
        let is_list = matches!(question, Question::Backups | Question::Schedules { name: None, .. });
        match answer {
            Value::Array(rows) if is_list && !self.args.all_namespaces => {
                rows.into_iter().filter(|row| row["namespace"] == self.namespace()).collect()
            }
            other => other,
        }
    }

    /// By the rights of who asks, and not by the coordinator's.
    fn write(&self, question: &Question) -> anyhow::Result<Answered> {
        let manifests = self.proxy.manifests();
        let written = match question {
            Question::Apply { manifest } => {
                let named = Named::of(manifest).map_err(anyhow::Error::msg)?;
                self.runtime.block_on(manifests.apply(&named, manifest)).map(|applied| applied.row(&named))
            }
            Question::Delete { kind, name } => {
                let kind = Kind::called(kind).context("VolumeBackup or VolumeBackupSchedule")?;
                let (namespace, name) =
                    name.split_once('/').context("delete namespace/name: a uid is not enough here")?;
                let named = Named { kind, namespace: namespace.to_owned(), name: name.to_owned() };
                let deleted = self.runtime.block_on(manifests.delete(&named));
                deleted.map(|()| serde_json::json!({ "kind": kind.as_str(), "namespace": namespace, "name": name, "deleting": true }))
            }
            _ => anyhow::bail!("it is not written"),
        };
        Ok(written.map_or_else(|error| Answered::Error(error.to_string()), Answered::Ok))
    }

    /// `kubectl exec` into the pod that leads, and its console there.
    fn in_the_pod(&self, question: &Question) -> anyhow::Result<Answered> {
        let words = words(question).context("this is not asked in the pod")?;
        let pod = self.runtime.block_on(self.proxy.leader(LEASE));
        let target = pod.map_or_else(|| format!("deploy/{}", self.args.deployment), |pod| format!("pod/{pod}"));
        let mut command = Command::new("kubectl");
        if let Some(kubeconfig) = &self.args.kubeconfig {
            command.arg("--kubeconfig").arg(kubeconfig);
        }
        if let Some(context) = &self.args.context {
            command.args(["--context", context]);
        }
        command.args(["-n", &self.args.coordinator_namespace, "exec", &target, "--", "coordinator", "console"]);
        command.args(["-o", "json"]).args(words);
        let done = command.output().context("kubectl is not to be found; it runs what the pod alone answers")?;
        // A check that is refused is an answer, and ends with 1.
        if let Ok(value) = serde_json::from_slice(&done.stdout) {
            return Ok(Answered::Ok(value));
        }
        let told = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        match done.status.code() {
            Some(1) if told.starts_with("coordinator: ") => Ok(Answered::Error(told.replacen("coordinator: ", "", 1))),
            _ => anyhow::bail!("kubectl exec {target}: {told}"),
        }
    }
}

/// As words of the console; `None`: it is asked over HTTP.
fn words(question: &Question) -> Option<Vec<String>> {
    let words = |verb: &str, more: Option<&String>| -> Vec<String> {
        std::iter::once(verb.to_owned()).chain(more.cloned()).collect()
    };
    let of_plane = |verb: &str, plane: &Option<String>| match plane {
        Some(plane) => vec![verb.to_owned(), plane.clone()],
        None => vec![verb.to_owned(), "--all".to_owned()],
    };
    Some(match question {
        Question::Check { name } => words("check", name.as_ref()),
        Question::Diagnose { name } => words("diagnose", name.as_ref()),
        Question::DiagnosePlanes { name, after } => {
            words("diagnose", name.as_ref()).into_iter().chain([format!("--planes-after={after}")]).collect()
        }
        Question::LogLevel { filter } => words("log-level", filter.as_ref()),
        Question::Verify { name } => words("verify", Some(name)),
        Question::RestorePlan { name, options } => {
            ["restore", "plan", name].map(str::to_owned).into_iter().chain(options.words()).collect()
        }
        Question::Orphans { delete: Some(uid), .. } => ["orphans", "--delete", uid].map(str::to_owned).into(),
        Question::Orphans { delete: None, planes: true } => words("orphans", None),
        Question::Drain { plane, length, because } => {
            let length = length.iter().flat_map(|length| ["--for".to_owned(), format!("{}ms", length.0)]);
            let because = ["--because".to_owned(), because.clone()];
            of_plane("drain", plane).into_iter().chain(length).chain(because).collect()
        }
        Question::Release { plane } => of_plane("release", plane),
        Question::Status
        | Question::Planes
        | Question::Restores { .. }
        | Question::Drains
        | Question::Backups
        | Question::Glance { .. }
        | Question::Show { .. }
        | Question::Why { .. }
        | Question::Timeline { .. }
        | Question::Schedules { .. }
        | Question::Apply { .. }
        | Question::Delete { .. }
        | Question::Cancel { .. }
        | Question::Orphans { delete: None, planes: false } => return None,
    })
}

/// As Kubernetes makes them.
fn is_uid(name: &str) -> bool {
    let lengths: Vec<usize> = name.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && name.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::time::Millis;

    #[test]
    fn a_uid_is_no_name() {
        assert!(is_uid("e6d23bc3-fb83-482e-8a13-585661b91874"));
        assert!(!is_uid("nightly-2026-11-28t03-00-00") && !is_uid("nightly") && !is_uid(""));
    }

    #[test]
    fn what_the_pod_is_asked() {
        let of = |question| words(&question).map(|words| words.join(" ")).unwrap_or_default();
        assert_eq!(of(Question::Verify { name: "a/b".to_owned() }), "verify a/b");
        assert_eq!(of(Question::Status), "", "over HTTP");
        assert_eq!(of(Question::Check { name: Some("a/b".to_owned()) }), "check a/b");
        assert_eq!(of(Question::Check { name: None }), "check");
        assert_eq!(of(Question::Diagnose { name: Some("a/b".to_owned()) }), "diagnose a/b");
        let after = Question::DiagnosePlanes { name: Some("a/b".to_owned()), after: "az1".to_owned() };
        assert_eq!(of(after), "diagnose a/b --planes-after=az1");
        let drain =
            Question::Drain { plane: Some("az1".to_owned()), length: Some(Millis(90_000)), because: "x y".to_owned() };
        assert_eq!(of(drain), "drain az1 --for 90000ms --because x y");
        assert_eq!(of(Question::Release { plane: None }), "release --all");
        assert_eq!(of(Question::LogLevel { filter: Some("debug".to_owned()) }), "log-level debug");
        assert_eq!(of(Question::Orphans { delete: Some("u-1".to_owned()), planes: true }), "orphans --delete u-1");
        assert_eq!(of(Question::Orphans { delete: None, planes: true }), "orphans");
        assert_eq!(of(Question::Orphans { delete: None, planes: false }), "", "over HTTP");
    }
}
