//! Credentials that are none, wrong or expired, in one of three planes: told before anything is touched, with the
//! permission or the object that it is about and what to do next.

use super::credentials::{ACCOUNT_NAME, ROLE, role_of, service_accounts, shown, subject};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::processes::{
    backup::{Wish, why},
    cluster_objects::Part,
    environment::{ACCESS_KEY, own_key, plane_namespace},
    leftovers::Leftovers,
    programs::OWN_SECRET,
    rig::Rig,
    site::{PLANES, SitePlan},
};
use tokio::time::sleep;

/// Until the API server goes by changed rights.
const RIGHTS_LIMIT: Duration = Duration::from_secs(30);

/// How the VolumeBackup says who it is.
#[derive(Clone, Copy, Debug)]
enum Way {
    Secret,
    Role(&'static str),
    Account,
    /// Nothing: the plane actor's own.
    Own,
}

/// What a case expects: name, way, reason, and what the message says.
type Case<'a> = (&'a str, Way, &'a str, &'a [&'a str]);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_touch_nothing_and_say_what_to_do() {
    let rig = Rig::start(&[SitePlan::shop()]).await.unwrap();
    for plane in PLANES {
        rig.front.handle.trust(ROLE, own_key(plane));
    }
    service_accounts(&rig).await;
    wrong_keys(&rig).await;
    refused_roles(&rig).await;
    refused_accounts(&rig).await;
    missing_rights(&rig).await;

    assert_eq!(rig.traces().await.unwrap(), Leftovers::default());
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
    let told = shown(&rig).await + &rig.programs().logs().unwrap();
    let tokens = rig.front.handle.sts_calls().into_iter().map(|call| call.token).filter(|token| !token.is_empty());
    for secret in tokens.chain([OWN_SECRET.to_owned(), "a wrong secret".to_owned()]) {
        assert!(!told.contains(&secret), "{secret} is shown");
    }
}

/// The plane that differs from the others.
fn odd(rig: &Rig) -> &Part {
    &rig.sites[0].parts[1]
}

async fn refused(rig: &Rig, case: Case<'_>) {
    told(rig, case, "plane prod-az2").await;
}

async fn told(rig: &Rig, (name, way, reason, parts): Case<'_>, plane: &str) {
    let manifest = manifest(rig, name, way);
    rig.apply_backup(&manifest).await.unwrap();
    let status = rig.ended(name).await.unwrap();
    let (told, message) = why(&status);
    assert_eq!((&status["phase"], told.as_str()), (&Value::from("Failed"), reason), "{name}: {status:#}");
    for part in parts.iter().chain(&[plane]) {
        assert!(message.contains(part), "{name}: {part:?} is not in {message:?}");
    }
    assert!(status["commitTs"].is_null() && status["certificate"].is_null(), "{status:#}");
}

fn manifest(rig: &Rig, name: &str, way: Way) -> String {
    let by_secret = Wish::of(&rig.sites[0], name).manifest();
    let without = by_secret.replace("      secretName: s3-secret\n", "");
    match way {
        Way::Secret => by_secret,
        Way::Own => without,
        Way::Role(role) => {
            let head = format!("  name: {name}\n");
            without.replacen(&head, &format!("{head}  annotations:\n    iam.amazonaws.com/role: {role}\n"), 1)
        }
        Way::Account => {
            without.replace("    cleanPolicy:", &format!("    serviceAccount: {ACCOUNT_NAME}\n    cleanPolicy:"))
        }
    }
}

async fn wrong_keys(rig: &Rig) {
    let namespace = &odd(rig).namespace;
    let set = async |keys: Value| {
        let patch = json!({"data": null, "stringData": keys}).to_string();
        let args = ["patch", "secret", "s3-secret", "-n", namespace, "--type=merge", "-p", &patch];
        rig.kube.kubectl(&args).await.unwrap();
    };
    set(json!({"access_key": "AKIASTRANGER", "secret_key": "a wrong secret"})).await;
    let says = &["secret shop-tidb-az2/s3-secret", "InvalidClientTokenId", "put a valid pair under its keys"];
    refused(rig, ("unknown-key", Way::Secret, "CredentialsRefused", says)).await;

    set(json!({"access_key": ACCESS_KEY})).await;
    let says = &["secret shop-tidb-az2/s3-secret", "no text under key secret_key", "access_key, secret_key"];
    refused(rig, ("half-a-secret", Way::Secret, "CredentialsUnreadable", says)).await;
    set(json!({"access_key": ACCESS_KEY, "secret_key": "a key that no log shows"})).await;
}

async fn refused_roles(rig: &Rig) {
    let front = &rig.front.handle;
    let short = Way::Role("shop-backup");
    let says = &["\"shop-backup\"", "arn:aws:iam::ACCOUNT:role/NAME"];
    refused_everywhere(rig, ("short-role", short, "CredentialsUnreadable", says)).await;

    front.distrust(ROLE);
    for plane in [PLANES[0], PLANES[2]] {
        front.trust(ROLE, own_key(plane));
    }
    let says = &[ROLE, "sts:AssumeRole", "AccessDenied", own_key(PLANES[1]), "trust policy", "Grant the permission"];
    refused(rig, ("untrusting-role", Way::Role(ROLE), "AccessDenied", says)).await;
    front.trust(ROLE, own_key(PLANES[1]));

    for code in ["ExpiredToken", "SignatureDoesNotMatch"] {
        front.refuse("AssumeRole", 403, code);
        let says: &[&str] = &[ROLE, "sts:AssumeRole", "the plane actor's own credentials", "Renew or correct"];
        let name = if code == "ExpiredToken" { "expired-own" } else { "wrong-own" };
        refused_everywhere(rig, (name, Way::Role(ROLE), "CredentialsRefused", says)).await;
        front.answer("AssumeRole");
    }
    // Nobody is named, and nothing was granted to what the plane actor has of its own.
    let says = &["the plane actor's own AWS credentials", "ec2:DescribeVolumes", "AuthFailure"];
    refused_everywhere(rig, ("own-without-rights", Way::Own, "CredentialsRefused", says)).await;
}

async fn refused_accounts(rig: &Rig) {
    let (front, part) = (&rig.front.handle, odd(rig));
    let namespace = &part.namespace;
    let account = format!("serviceaccount/{ACCOUNT_NAME}");

    front.distrust(&role_of(PLANES[1]));
    let says = &[
        "ServiceAccount shop-tidb-az2/tidb-backup-manager",
        "arn:aws:iam::123456789012:role/shop-prod-az2",
        "sts:AssumeRoleWithWebIdentity",
        "AccessDenied",
        "system:serviceaccount:shop-tidb-az2:tidb-backup-manager",
        "trust policy",
    ];
    refused(rig, ("untrusted-account", Way::Account, "AccessDenied", says)).await;
    front.trust(&role_of(PLANES[1]), &subject(namespace));

    for (name, code) in [("expired-token", "ExpiredTokenException"), ("no-provider", "InvalidIdentityToken")] {
        front.refuse("AssumeRoleWithWebIdentity", 400, code);
        let says = &["tidb-backup-manager", "OIDC provider", "Renew or correct"];
        refused_everywhere(rig, (name, Way::Account, "CredentialsRefused", says)).await;
        front.answer("AssumeRoleWithWebIdentity");
    }

    may_make_tokens(rig, part, false).await;
    let says =
        &["shop-tidb-az2/tidb-backup-manager", "may not create serviceaccounts/token", "add this verb to its role"];
    refused(rig, ("no-right-to-tokens", Way::Account, "CredentialsUnreadable", says)).await;
    may_make_tokens(rig, part, true).await;

    rig.kube.kubectl(&["annotate", &account, "-n", namespace, "eks.amazonaws.com/role-arn-"]).await.unwrap();
    let says = &["shop-tidb-az2/tidb-backup-manager", "has no annotation eks.amazonaws.com/role-arn"];
    refused(rig, ("account-without-role", Way::Account, "CredentialsUnreadable", says)).await;

    rig.kube.kubectl(&["delete", &account, "-n", namespace, "--wait=true"]).await.unwrap();
    let says = &["shop-tidb-az2/tidb-backup-manager", "does not exist"];
    refused(rig, ("no-account", Way::Account, "CredentialsUnreadable", says)).await;
}

/// The credentials are right and may not do what a backup does: known before any hold, though nothing was tried.
async fn missing_rights(rig: &Rig) {
    for (name, action) in [("no-describe", "DescribeVolumes"), ("no-create", "CreateSnapshots dry run")] {
        rig.ec2.handle.deny(action, true);
        let says: &[&str] = match action {
            "CreateSnapshots dry run" => {
                &["/s3-secret", "ec2:CreateSnapshots", "UnauthorizedOperation", "Grant the permission"]
            }
            _ => &["ec2:DescribeVolumes", "UnauthorizedOperation", "Grant the permission"],
        };
        refused_everywhere(rig, (name, Way::Secret, "AccessDenied", says)).await;
        rig.ec2.handle.deny(action, false);
    }
}

/// The same in all planes; the first to say so is named.
async fn refused_everywhere(rig: &Rig, case: Case<'_>) {
    told(rig, case, "plane prod-az").await;
}

/// Takes the one rule out of the plane actor's Role, or puts it back, and waits until that holds.
async fn may_make_tokens(rig: &Rig, part: &Part, may: bool) {
    let role = format!("role/isochron-plane-actor-{}", part.plane);
    let text = rig.kube.kubectl(&["get", &role, "-n", &part.namespace, "-o", "json"]).await.unwrap();
    let mut rules = serde_json::from_str::<Value>(&text).unwrap()["rules"].as_array().unwrap().clone();
    let rule = json!({
        "apiGroups": [""], "resources": ["serviceaccounts/token"], "resourceNames": [ACCOUNT_NAME], "verbs": ["create"],
    });
    if may {
        rules.push(rule);
    } else {
        let before = rules.len();
        rules.retain(|kept| kept["resources"] != rule["resources"]);
        assert_eq!(rules.len(), before - 1, "deploy/ grants it by a rule of its own");
    }
    let patch = json!({"rules": rules}).to_string();
    rig.kube.kubectl(&["patch", &role, "-n", &part.namespace, "--type=merge", "-p", &patch]).await.unwrap();
    let actor =
        format!("--as=system:serviceaccount:{}:isochron-plane-actor-{}", plane_namespace(&part.plane), part.plane);
    let name = format!("serviceaccounts/{ACCOUNT_NAME}");
    let ask = ["auth", "can-i", "create", &name, "--subresource=token", "-n", &part.namespace, &actor, "--quiet"];
    let started = Instant::now();
    while rig.kube.kubectl(&ask).await.is_ok() != may {
        assert!(started.elapsed() < RIGHTS_LIMIT, "the API server does not go by the new rights");
        sleep(Duration::from_millis(200)).await;
    }
}
