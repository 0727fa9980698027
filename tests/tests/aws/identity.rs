//! The four identities, and what is told when one of them is none.

use super::{
    bench::{ACCOUNT, Bench, KEY, REGION, config, keys, moto, storage, volumes},
    script::{Line, Script},
};
use async_trait::async_trait;
use plane_actor::{
    edge::aws::{AwsCloud, AwsConfig},
    ports::{CloudConnect, CloudError, CloudIdentity, PortError, WebIdentity, WebIdentitySource},
};
use shared::reason::Reason;
use std::{
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tests::servers::ec2::Ec2Server;
use tokio::process::Command;

const ROLE: &str = "arn:aws:iam::444455556666:role/backup";

/// A ServiceAccount whose tokens are numbered; the first `failing` of them the API server does not make.
#[derive(Default)]
struct Account {
    made: AtomicU64,
    failing: u64,
}

#[async_trait]
impl WebIdentitySource for Account {
    async fn web_identity(&self) -> Result<WebIdentity, PortError> {
        let number = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        if number <= self.failing {
            let text = "the plane actor may not create serviceaccounts/token (ns/sa)";
            return Err(PortError::refused(Reason::CredentialsUnreadable, text));
        }
        Ok(WebIdentity { role: ROLE.into(), token: format!("secret.jwt.{number}") })
    }
}

fn account() -> CloudIdentity {
    CloudIdentity::ServiceAccount(Arc::new(Account::default()))
}

/// What STS answers when it says no.
fn no(status: u16, code: &str, message: &str) -> Line {
    let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
    Line::Answer(status, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

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
    let assumed = cloud.connect(&account(), &storage("b")).await.expect("connected");
    assert_eq!(assumed.account, "444455556666");
    let seen = assumed.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("an answer");
    assert!(seen.is_empty(), "another account sees none of them: {seen:?}");
}

#[tokio::test]
async fn unknown_keys_are_denied() {
    let script = Script::start(vec![no(403, "InvalidClientTokenId", "The security token is invalid.")]).await;
    let config = AwsConfig { endpoint_sts: script.url.clone(), ..config("") };
    let outcome = AwsCloud::new(config).connect(&keys("AKIASTRANGER"), &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialsRefused));
    let Err(error) = outcome else { panic!("refused") };
    assert!(error.to_string().contains("sts:GetCallerIdentity"), "{error}");
    assert!(!format!("{error:?}").contains("not to be seen"), "{error:?}");

    let server = Ec2Server::start(Bench::state()).await.expect("a port");
    let cloud = AwsCloud::new(super::bench::config(&server.url)).connect(&keys("AKIASTRANGER"), &storage("b")).await;
    let outcome = cloud.expect("moto knows everybody").ec2.volumes(&volumes(&super::bench::DATA)).await;
    assert!(matches!(outcome, Err(CloudError::NotAccepted(_))), "{outcome:?}");
}

#[tokio::test]
async fn what_sts_says_of_a_token_is_told_with_its_code() {
    let table = [
        (400, "InvalidIdentityToken", Some(Reason::CredentialsRefused)),
        (400, "ExpiredTokenException", Some(Reason::CredentialsRefused)),
        (403, "AccessDenied", Some(Reason::AccessDenied)),
        (400, "ValidationError", Some(Reason::CredentialsUnreadable)),
        (400, "IDPCommunicationError", None),
    ];
    for (status, code, expected) in table {
        // The SDK knows one of them as worth another try.
        let script = Script::start((0..3).map(|_| no(status, code, "so it is")).collect()).await;
        let config = AwsConfig { endpoint_sts: script.url.clone(), ..config("") };
        let outcome = AwsCloud::new(config).connect(&account(), &storage("b")).await;
        assert_eq!(reason(&outcome), expected, "{code}: {:?}", outcome.err());
        let Err(error) = outcome else { panic!("refused") };
        for part in [code, "sts:AssumeRoleWithWebIdentity", ROLE] {
            assert!(error.to_string().contains(part), "{part} is not in {error}");
        }
        assert!(!format!("{error:?}").contains("secret.jwt"), "{error:?}");
    }
}

#[tokio::test]
async fn a_token_that_the_api_server_does_not_make_is_told_in_its_words() {
    let account = CloudIdentity::ServiceAccount(Arc::new(Account { failing: 1, ..Account::default() }));
    let cloud = AwsCloud::new(config(""));
    let outcome = cloud.connect(&account, &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialsUnreadable));
    let Err(error) = outcome else { panic!("refused") };
    assert!(error.to_string().contains("may not create serviceaccounts/token (ns/sa)"), "{error}");
    // Nothing of a failure is kept.
    cloud.connect(&account, &storage("b")).await.expect("connected");
}

#[tokio::test]
async fn an_sts_that_is_not_there_may_come_back() {
    let nobody = tests::servers::ports::free().expect("a port");
    let config = AwsConfig { endpoint_sts: format!("http://127.0.0.1:{nobody}"), ..config("") };
    for identity in [keys(KEY), account()] {
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
    // What one of them does not know is asked for once more, by a filter.
    assert_eq!(server.handle.count("DescribeVolumes"), 3);
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
    let role = cloud
        .connect(&CloudIdentity::Role { arn: ROLE.into(), external_id: String::new() }, &storage("b"))
        .await
        .expect("connected");
    assert_eq!(role.account, "444455556666");
    let seen = role.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("an answer");
    assert!(seen.is_empty(), "another account: {seen:?}");
}

#[tokio::test]
async fn a_named_endpoint_wins_over_the_environment() {
    let mut state = Bench::state();
    state.any_key = Some(ACCOUNT.into());
    let server = Ec2Server::start(state).await.expect("a port");
    let nowhere = "http://127.0.0.1:1";
    let environment = [
        ("AWS_ACCESS_KEY_ID", KEY),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", nowhere),
        ("AWS_ENDPOINT_URL_EC2", nowhere),
        ("AWS_ENDPOINT_URL_S3", nowhere),
        ("AWS_ENDPOINT_URL_STS", nowhere),
        ("ISOCHRON_TEST_EC2", &server.url),
        ("ISOCHRON_TEST_MOTO", moto()),
    ];
    in_process("child_whose_environment_leads_nowhere", &environment).await;
    assert_eq!(server.handle.count("DescribeVolumes"), 3);
}

#[tokio::test]
#[ignore = "the child of a_named_endpoint_wins_over_the_environment, which sets its environment"]
async fn child_whose_environment_leads_nowhere() {
    let told = |name: &str| std::env::var(name).expect("the parent says it");
    let (ec2, moto) = (told("ISOCHRON_TEST_EC2"), told("ISOCHRON_TEST_MOTO"));
    let config = AwsConfig { endpoint_ec2: ec2, endpoint_sts: moto.clone(), ..AwsConfig::default() };
    let mut by_backup = storage("no-such-bucket");
    by_backup.endpoint.clone_from(&moto);
    let by_plane = AwsConfig { endpoint_s3: moto.clone(), ..config.clone() };
    let wrong = AwsConfig { endpoint_s3: "http://127.0.0.1:1".into(), ..config };
    let ways = [(&by_plane, storage("no-such-bucket")), (&by_plane, by_backup.clone()), (&wrong, by_backup)];
    for (config, storage) in ways {
        let cloud = AwsCloud::new(config.clone()).connect(&CloudIdentity::Default, &storage).await.expect("connected");
        let listed = cloud.objects.list("", 1).await;
        assert!(matches!(listed, Err(CloudError::NotFound(_))), "moto says that there is no such bucket: {listed:?}");
        assert_eq!(cloud.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("found").len(), 3);
        let role = AwsCloud::new(config.clone())
            .connect(&CloudIdentity::Role { arn: ROLE.into(), external_id: String::new() }, &storage)
            .await;
        assert!(role.is_ok(), "{:?}", role.err());
    }
}

#[tokio::test]
async fn an_empty_chain_is_told() {
    in_process("child_without_credentials", &[]).await;
    in_process("child_with_a_role_and_nothing_to_assume_it_with", &[]).await;
}

#[tokio::test]
#[ignore = "the child of an_empty_chain_is_told, which empties its environment"]
async fn child_without_credentials() {
    let outcome = AwsCloud::new(AwsConfig::default()).connect(&CloudIdentity::Default, &storage("b")).await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialsUnreadable), "{:?}", outcome.err());
}

#[tokio::test]
#[ignore = "the other child of an_empty_chain_is_told"]
async fn child_with_a_role_and_nothing_to_assume_it_with() {
    let config = AwsConfig { region: REGION.into(), ..AwsConfig::default() };
    let outcome = AwsCloud::new(config)
        .connect(&CloudIdentity::Role { arn: ROLE.into(), external_id: String::new() }, &storage("b"))
        .await;
    assert_eq!(reason(&outcome), Some(Reason::CredentialsUnreadable), "{:?}", outcome.err());
    let Err(error) = outcome else { panic!("refused") };
    assert!(error.to_string().contains("sts:AssumeRole on") && error.to_string().contains(ROLE), "{error}");
}

/// Credentials as EKS's Pod Identity agent answers them, ending so soon.
fn of_the_agent(key: &str, length: Duration) -> Line {
    let end = jiff::Timestamp::try_from(SystemTime::now() + length).expect("a time");
    Line::Answer(
        200,
        format!(
            "{{\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"AccountId\":\"{ACCOUNT}\",\
             \"Expiration\":\"{end}\"}}"
        ),
    )
}

/// The container credentials endpoint: its token is read from the file again for every renewal, and the credentials that
/// ended are not used.
#[tokio::test]
async fn pod_identity_is_asked_with_the_token_of_the_moment() {
    let mut state = Bench::state();
    for key in ["ASIAPODONE", "ASIAPODTWO"] {
        state.keys.insert(key.into(), ACCOUNT.into());
    }
    let server = Ec2Server::start(state).await.expect("a port");
    let agent = Script::start(vec![
        of_the_agent("ASIAPODONE", POD_SESSION),
        of_the_agent("ASIAPODTWO", Duration::from_secs(3600)),
    ])
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "token-one").expect("written");
    let environment = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*format!("{}/v1/credentials", agent.url)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().expect("a path")),
        ("AWS_REGION", REGION),
        ("AWS_ENDPOINT_URL", moto()),
        ("AWS_ENDPOINT_URL_EC2", &server.url),
    ];
    in_process("child_in_a_pod", &environment).await;
    let keys: Vec<String> = server.handle.calls_of("DescribeVolumes").into_iter().map(|call| call.key).collect();
    assert_eq!(keys, ["ASIAPODONE", "ASIAPODTWO"]);
    let asked = ["token-one", "token-two"].map(|token| format!("GET /v1/credentials HTTP/1.1 authorization={token}"));
    assert_eq!(agent.seen(), asked);
}

/// Long enough for the first calls to be made within half of it, when it would be renewed.
const POD_SESSION: Duration = Duration::from_secs(16);

#[tokio::test]
#[ignore = "the child of pod_identity_is_asked_with_the_token_of_the_moment, which sets its environment"]
async fn child_in_a_pod() {
    let own = AwsCloud::new(AwsConfig::default());
    let own = own.connect(&CloudIdentity::Default, &storage("b")).await.expect("connected");
    assert_eq!(own.account, ACCOUNT);
    own.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("found");
    let file = std::env::var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").expect("set");
    std::fs::write(Path::new(&file), "token-two").expect("written");
    // Past their end, so that no call goes out with them whatever the load.
    tokio::time::sleep(POD_SESSION).await;
    own.ec2.volumes(&volumes(&super::bench::DATA)).await.expect("found");
}
