//! The user page's three ways to be somebody towards AWS, each from its example in `deploy/` to the last object deleted:
//! every call of a member is signed with what that member got, and nothing of it is shown anywhere.

use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use tests::{
    processes::{
        environment::{ACCESS_KEY, ADMIN_NAMESPACE, own_key},
        leftovers::Leftovers,
        programs::OWN_SECRET,
        rig::Rig,
        site::{PLANES, Site, SitePlan},
    },
    servers::{ec2::Call, front::StsCall},
};

const BY_KEY: &str = include_str!("../../../deploy/examples/backup-access-key.yaml");
const BY_ROLE: &str = include_str!("../../../deploy/examples/backup-iam-pod.yaml");
const BY_ACCOUNT: &str = include_str!("../../../deploy/examples/backup-iam-serviceaccount.yaml");

/// The annotation in the second example.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/shop-backup";

/// The user page's name of a ServiceAccount.
pub(crate) const ACCOUNT_NAME: &str = "tidb-backup-manager";

/// An example as it stands, with each plane's own namespace in place of `tidb`; returns its name too.
fn manifest(example: &str, site: &Site) -> (String, String) {
    let text = site.parts.iter().fold(example.to_owned(), |text, part| {
        let of = |namespace: &str| format!("tcName: {}\n    tcNamespace: {namespace}\n", part.name);
        assert!(text.contains(&of("tidb")), "the example names {}", part.name);
        text.replace(&of("tidb"), &of(&part.namespace))
    });
    let name = text.split_once("\n  name: ").and_then(|(_, rest)| rest.split_once('\n')).expect("a name").0.to_owned();
    (name, text)
}

/// Each plane's ServiceAccount has a role of its own.
pub(crate) fn role_of(plane: &str) -> String {
    format!("arn:aws:iam::123456789012:role/shop-{plane}")
}

/// `system:serviceaccount:…` as it stands in tokens.
pub(crate) fn subject(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:{ACCOUNT_NAME}")
}

/// A ServiceAccount in every plane's TidbCluster's namespace, trusted by its role.
pub(crate) async fn service_accounts(rig: &Rig) {
    for part in &rig.sites[0].parts {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": ACCOUNT_NAME,
                "namespace": part.namespace,
                "annotations": {"eks.amazonaws.com/role-arn": role_of(&part.plane)},
            },
        });
        rig.kube.apply(&account.to_string()).await.unwrap();
        rig.front.handle.trust(&role_of(&part.plane), &subject(&part.namespace));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_way_of_the_user_page_acts_with_its_own_credentials() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    // One backup follows the other faster than EC2 lets anybody snapshot a volume.
    rig.ec2.handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    for plane in PLANES {
        rig.front.handle.trust(ROLE, own_key(plane));
    }
    service_accounts(&rig).await;

    let shown = backup(&rig, BY_KEY).await;
    signed_by(&rig, 0, |_| BTreeSet::from([ACCESS_KEY.to_owned()]));
    let calls = rig.ec2.handle.calls().len();
    assert!(rig.front.handle.sts_calls().iter().all(|call| call.action == "GetCallerIdentity"));
    never_shown(&rig, &shown).await;

    let shown = backup(&rig, BY_ROLE).await;
    let assumed = |plane: &str| sessions(&rig, "AssumeRole", plane);
    for plane in PLANES {
        for call in assumed(plane) {
            assert_eq!(
                (call.role.as_str(), call.key.as_str()),
                (ROLE, own_key(plane)),
                "signed by the plane's own key"
            );
            assert_eq!(call.region, tests::processes::environment::REGION);
        }
    }
    signed_by(&rig, calls, |plane| issued(&assumed(plane)));
    never_shown(&rig, &shown).await;

    let calls = rig.ec2.handle.calls().len();
    let shown = backup(&rig, BY_ACCOUNT).await;
    let assumed = |plane: &str| sessions(&rig, "AssumeRoleWithWebIdentity", plane);
    let mut tokens = BTreeSet::new();
    for plane in PLANES {
        for call in assumed(plane) {
            assert_eq!(
                (call.role, call.key.as_str()),
                (role_of(plane), ""),
                "unsigned, and the role of its own account"
            );
            assert!(tokens.insert(call.token), "each token is used once");
        }
    }
    signed_by(&rig, calls, |plane| issued(&assumed(plane)));
    never_shown(&rig, &shown).await;
    even_the_loudest_log_shows_none(&rig).await;
}

/// From `apply` to the last object deleted. Returns all that Kubernetes showed of it meanwhile.
async fn backup(rig: &Rig, example: &str) -> String {
    let (name, text) = manifest(example, &rig.sites[0]);
    rig.kube.apply(&text).await.unwrap();
    let status = rig.ended(&name).await.unwrap();
    assert_eq!(status["phase"], "Complete", "{name}: {status:#}");
    assert_eq!(status["certificate"]["verdict"], "Consistent", "{name}: {status:#}");
    let shown = shown(rig).await;
    rig.delete_backup(&name).await.unwrap();
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default(), "{name}");
    shown
}

/// VolumeBackups, events, records and ledgers as the API server has them.
pub(crate) async fn shown(rig: &Rig) -> String {
    let mut shown = String::new();
    for kinds in ["vbk,events,configmaps", "events.v1.events.k8s.io"] {
        shown += &rig.kube.kubectl(&["get", kinds, "--all-namespaces", "-o", "json"]).await.unwrap();
    }
    assert!(shown.contains("isochron-record-") || shown.contains(ADMIN_NAMESPACE), "{shown}");
    shown
}

/// Sessions of one plane, by their name.
fn sessions(rig: &Rig, action: &str, plane: &str) -> Vec<StsCall> {
    let all = rig.front.handle.sts_calls().into_iter();
    let of: Vec<StsCall> =
        all.filter(|call| call.action == action && call.session == format!("isochron-{plane}")).collect();
    assert!(!of.is_empty(), "{plane} made no session by {action}");
    of
}

fn issued(calls: &[StsCall]) -> BTreeSet<String> {
    calls.iter().filter_map(|call| call.issued.clone()).map(|issued| issued.key).collect()
}

/// All calls to EC2 from the `first` on, and all to S3 so far, are signed with keys that their plane has.
fn signed_by(rig: &Rig, first: usize, keys: impl Fn(&str) -> BTreeSet<String>) {
    let site = &rig.sites[0];
    for (plane, part) in PLANES.iter().zip(&site.parts) {
        let keys = keys(plane);
        let mut actions = BTreeSet::new();
        for call in rig.ec2.handle.calls().iter().skip(first).filter(|call| concerns(call, plane, part)) {
            assert!(keys.contains(&call.key), "{plane}: {} is signed by {} instead of {keys:?}", call.action, call.key);
            assert!(matches!(call.outcome.as_str(), "ok" | "DryRunOperation"), "{call:?}");
            actions.insert(call.action.clone());
        }
        for action in ["CreateSnapshots", "CreateSnapshots dry run", "DescribeVolumes", "DescribeInstances"] {
            assert!(actions.contains(action), "{plane} made no {action}: {actions:?}");
        }
        let objects = rig.front.handle.object_calls();
        let written = objects.iter().filter(|call| call.method == "PUT" && call.path.contains(&format!("-{plane}/")));
        let writers: BTreeSet<&str> = written.map(|call| call.key.as_str()).collect();
        assert!(writers.iter().any(|key| keys.contains(*key)), "{plane} wrote objects by {writers:?}, not {keys:?}");
        assert!(objects.iter().all(|call| call.outcome == "ok"), "{objects:#?}");
    }
}

/// A call about this plane's instances, volumes or tags.
fn concerns(call: &Call, plane: &str, part: &tests::processes::cluster_objects::Part) -> bool {
    call.fields.values().any(|value| {
        value == plane || part.stores.iter().any(|store| [&store.instance, &store.data, &store.raft].contains(&value))
    })
}

/// Every secret there has been on this rig.
fn secrets(rig: &Rig) -> BTreeSet<String> {
    let mut secrets = BTreeSet::from([OWN_SECRET.to_owned(), "a key that no log shows".to_owned()]);
    for call in rig.front.handle.sts_calls() {
        secrets.insert(call.token);
        if let Some(issued) = call.issued {
            secrets.extend([issued.secret, issued.token]);
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

async fn never_shown(rig: &Rig, shown: &str) {
    let logs = rig.programs().logs().unwrap();
    assert!(logs.contains("work begins"), "these are the logs");
    let console = rig.programs().console(&["status"]).await.unwrap().to_string();
    for secret in secrets(rig) {
        for (place, text) in [("the logs", &logs), ("Kubernetes", &shown.to_owned()), ("the console", &console)] {
            assert!(!text.contains(&secret), "{place} show {secret}");
        }
    }
}

/// `--log trace` makes libraries print the requests that they send.
async fn even_the_loudest_log_shows_none(rig: &Rig) {
    let part = &rig.sites[0].parts[0];
    for credentials in [["--secret", "s3-secret"], ["--role", ROLE], ["--service-account", ACCOUNT_NAME]] {
        let told = rig.programs().loud_preflight(rig, part, credentials).await.unwrap();
        assert!(told.contains("DEBUG") && told.contains("right to take snapshots"), "{told}");
        for secret in secrets(rig) {
            assert!(!told.contains(&secret), "{credentials:?}: the log shows {secret}");
        }
    }
}

/// Sessions of seconds instead of an hour: they end, one after the other, while the snapshots are still pending.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_renewed_while_snapshots_complete() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    rig.ec2.handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    service_accounts(&rig).await;
    for plane in PLANES {
        rig.front.handle.trust(ROLE, own_key(plane));
    }
    let length = Duration::from_secs(20);
    rig.front.handle.sessions_of(Some(length));
    rig.ec2.handle.rules(|rules| rules.pending_for = 2 * length);
    for (example, action) in [(BY_ACCOUNT, "AssumeRoleWithWebIdentity"), (BY_ROLE, "AssumeRole")] {
        let first = rig.ec2.handle.calls().len();
        let (name, text) = manifest(example, &rig.sites[0]);
        rig.kube.apply(&text).await.unwrap();
        let status = rig.ended(&name).await.unwrap();
        assert_eq!(status["phase"], "Complete", "{name}: {status:#}");
        for plane in PLANES {
            let made = sessions(&rig, action, plane);
            assert!(made.len() >= 4, "{plane}: one to prepare, and one for each half session: {}", made.len());
            let tokens: BTreeSet<&str> = made.iter().map(|call| call.token.as_str()).collect();
            assert!(action == "AssumeRole" || tokens.len() == made.len(), "{plane}: each token is used once");
        }
        let refused: Vec<Call> = rig.ec2.handle.calls().split_off(first);
        let refused: Vec<&Call> = refused.iter().filter(|call| call.outcome == "RequestExpired").collect();
        assert!(refused.is_empty(), "no call was signed with a session that had ended: {refused:#?}");
        rig.delete_backup(&name).await.unwrap();
    }
    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
}
