//! The four identities, and what is told when one of them is none.

use super::{
    bench::{ACCOUNT, Bench, KEY, REGION, config, keys, moto, storage, volumes},
    script::{Line, Script},
};
use plane_actor::{
    edge::aws::{AwsCloud, AwsConfig},
    ports::{CloudConnect, CloudError, CloudIdentity, PortError, WebIdentity},
};
use shared::reason::Reason;
use std::{process::Stdio, time::Duration};
use tests::servers::ec2::Ec2Server;
use tokio::process::Command;

const ROLE: &str = "arn:aws:iam::444455556666:role/backup";

fn reason(outcome: &Result<plane_actor::ports::Cloud, PortError>) -> Option<Reason> {
    match outcome {
        Err(PortError::Refused(refusal)) => Some(refusal.reason),
        _ => None,
    }
}

#[tokio::test]
async fn keys_and_web_identity_act_in_their_accounts() {
    let mut state = Bench::state();
    // Keys that STS made up.
    state.any_key = Some("444455556666".into());
    let server = Ec2Server::start(state).await.expect("a port");
    let cloud = AwsCloud::new(config(&server.url));
    let own = cloud.connect(&keys(KEY), &storage("b")).await.expect("connected");
    assert_eq!((own.account.as_str(), own.region.as_str()), (ACCOUNT, REGION));
    assert_eq!(own.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("found").len(), 3);
    let web = CloudIdentity::WebIdentity(WebIdentity { role: ROLE.into(), token: "a.b.c".into() });
    let assumed = cloud.connect(&web, &storage("b")).await.expect("connected");
    assert_eq!(assumed.account, "444455556666");
    let outcome = assumed.ec2.volumes(&volumes(&super::bench::DATA)).await;
    assert!(matches!(outcome, Err(CloudError::NotFound(_))), "another account sees none of them: {outcome:?}");
}

#[tokio::test]
async fn unknown_keys_are_denied() {
    let script = Script::start(vec![Line::Answer(
        403,
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token \
         included in the request is invalid.</Message></Error></ErrorResponse>"
            .into(),
    )])
    .await;
    let config = AwsConfig { endpoint_sts: script.url.clone(), ..config("") };
    let outcome = AwsCloud::new(config).connect(&keys("AKIASTRANGER"), &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::AccessDenied));
    let Err(error) = outcome else { panic!("refused") };
    assert!(error.to_string().contains("sts:GetCallerIdentity"), "{error}");
    assert!(!format!("{error:?}").contains("not to be seen"), "{error:?}");

    let server = Ec2Server::start(Bench::state()).await.expect("a port");
    let cloud = AwsCloud::new(super::bench::config(&server.url)).connect(&keys("AKIASTRANGER"), &storage("b")).await;
    let outcome = cloud.expect("moto knows everybody").ec2.volumes(&volumes(&super::bench::DATA)).await;
    assert!(matches!(outcome, Err(CloudError::Denied(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_token_is_denied_with_its_code() {
    let script = Script::start(vec![Line::Answer(
        400,
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>No OpenIDConnect provider \
         found in your account</Message></Error></ErrorResponse>"
            .into(),
    )])
    .await;
    let config = AwsConfig { endpoint_sts: script.url.clone(), ..config("") };
    let web = CloudIdentity::WebIdentity(WebIdentity { role: ROLE.into(), token: "secret.jwt".into() });
    let outcome = AwsCloud::new(config).connect(&web, &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::AccessDenied));
    let Err(error) = outcome else { panic!("refused") };
    assert!(error.to_string().contains("InvalidIdentityToken"), "{error}");
    assert!(!format!("{error:?}").contains("secret.jwt"), "{error:?}");
}

#[tokio::test]
async fn an_sts_that_is_not_there_may_come_back() {
    let nobody = tests::servers::process::free_port().expect("a port");
    let config = AwsConfig { endpoint_sts: format!("http://127.0.0.1:{nobody}"), ..config("") };
    for identity in [keys(KEY), CloudIdentity::WebIdentity(WebIdentity { role: ROLE.into(), token: "t".into() })] {
        let outcome = AwsCloud::new(config.clone()).connect(&identity, &storage("b")).await;
        assert!(matches!(outcome, Err(PortError::Unavailable(_))), "{:?}", outcome.err());
    }
}

/// Runs the ignored test of that name in a process with this environment and nothing else of AWS.
async fn in_process(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", &format!("aws::identity::{test}"), "--ignored", "--nocapture"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command.envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output =
        tokio::time::timeout(Duration::from_secs(90), command.output()).await.expect("an end").expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_own_chain_and_a_role_follow_the_environment() {
    let mut state = Bench::state();
    state.any_key = Some("444455556666".into());
    let server = Ec2Server::start(state).await.expect("a port");
    let environment = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", moto()),
        ("AWS_ENDPOINT_URL_EC2", &server.url),
    ];
    in_process("child_with_an_environment", &environment).await;
    assert_eq!(server.handle.count("DescribeVolumes"), 2);
}

#[tokio::test]
#[ignore = "the child of the_own_chain_and_a_role_follow_the_environment, which sets its environment"]
async fn child_with_an_environment() {
    let cloud = AwsCloud::new(AwsConfig::default());
    let mut elsewhere = storage("b");
    elsewhere.region = "us-west-2".into();
    let own = cloud.connect(&CloudIdentity::Default, &elsewhere).await.expect("connected");
    assert_eq!((own.account.as_str(), own.region.as_str()), (ACCOUNT, REGION), "volumes are where the plane is");
    assert_eq!(own.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("found").len(), 3);
    let role = cloud.connect(&CloudIdentity::Role(ROLE.into()), &storage("b")).await.expect("connected");
    assert_eq!(role.account, "444455556666");
    assert!(role.ec2.volumes(&volumes(&super::bench::DATA)).await.is_err(), "another account");
}

#[tokio::test]
async fn an_empty_chain_is_told() {
    in_process("child_without_credentials", &[]).await;
}

#[tokio::test]
#[ignore = "the child of an_empty_chain_is_told, which empties its environment"]
async fn child_without_credentials() {
    let outcome = AwsCloud::new(AwsConfig::default()).connect(&CloudIdentity::Default, &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialsUnreadable), "{:?}", outcome.err());
}
