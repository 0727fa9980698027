//! S3: against moto, and against scripted answers around the conditional write.

use super::{
    bench::{Bench, config, keys, moto, storage},
    script::{Line, Script, header},
};
use plane_actor::{
    edge::aws::{AwsCloud, AwsConfig},
    ports::{CloudConnect, CloudError, Objects, PortError},
};
use shared::{reason::Reason, request::ForeignRole};
use std::sync::Arc;
use tests::servers::{ec2::Ec2Server, front::Front, process};

async fn bucket(name: &str) -> Arc<dyn Objects> {
    bucket_at(name, moto()).await
}

/// A bucket of moto's, spoken to at this endpoint.
async fn bucket_at(name: &str, endpoint: &str) -> Arc<dyn Objects> {
    let address = moto().trim_start_matches("http://").parse().expect("an address");
    let answer = process::http("PUT", address, &format!("/{name}"), "").await.expect("moto answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut storage = storage(name);
    // Options of the user page; moto refuses those it does not know.
    storage.acl = "private".into();
    storage.sse = "AES256".into();
    storage.storage_class = "STANDARD_IA".into();
    let config = AwsConfig { endpoint_s3: endpoint.into(), ..config("") };
    AwsCloud::new(config).connect(&keys("AKIAANY"), &storage).await.expect("connected").objects
}

async fn scripted(lines: Vec<Line>) -> (Script, Arc<dyn Objects>) {
    let script = Script::start(lines).await;
    let mut storage = storage("bucket");
    storage.provider = "ceph".into();
    storage.endpoint = script.url.clone();
    let cloud = AwsCloud::new(config("")).connect(&keys("AKIAANY"), &storage).await.expect("connected");
    (script, cloud.objects)
}

#[tokio::test]
async fn objects_are_written_read_listed_and_deleted() {
    let objects = bucket("plain").await;
    assert_eq!(objects.get("p/a b+c").await.expect("read"), None);
    objects.put("p/a b+c", b"one".to_vec()).await.expect("written");
    objects.put("p/a b+c", b"two".to_vec()).await.expect("written over");
    assert_eq!(objects.get("p/a b+c").await.expect("read").as_deref(), Some(&b"two"[..]));
    for number in 0..4 {
        objects.put(&format!("p/{number}"), Vec::new()).await.expect("written");
    }
    objects.put("q/elsewhere", Vec::new()).await.expect("written");
    assert_eq!(objects.list("p/", 3).await.expect("listed").len(), 3);
    assert_eq!(objects.list("p/", 100).await.expect("listed"), ["p/0", "p/1", "p/2", "p/3", "p/a b+c"]);
    assert_eq!(objects.list_after("p/", "p/1", 2).await.expect("listed"), ["p/2", "p/3"]);
    assert_eq!(objects.list("none/", 1).await.expect("listed"), Vec::<String>::new());
    objects.delete("p/0").await.expect("deleted");
    objects.delete("p/0").await.expect("absent is deleted");
    assert_eq!(objects.list("p/", 100).await.expect("listed").len(), 4);
}

#[tokio::test]
async fn a_long_listing_is_followed_to_its_end() {
    let listing = |key: &str, more: &str| {
        let more = if more.is_empty() {
            "<IsTruncated>false</IsTruncated>".to_owned()
        } else {
            format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{more}</NextContinuationToken>")
        };
        let key = if key.is_empty() { String::new() } else { format!("<Contents><Key>{key}</Key></Contents>") };
        Line::Answer(200, format!("<ListBucketResult>{more}{key}</ListBucketResult>"))
    };
    let (script, objects) = scripted(vec![listing("p/1", "t1"), listing("", "t2"), listing("p/2", "")]).await;
    assert_eq!(objects.list("p/", 10).await.expect("listed"), ["p/1", "p/2"]);
    let seen = script.seen();
    assert!(seen[0].starts_with("GET /bucket"), "path style: {seen:?}");
    assert!(seen[1].contains("continuation-token=t1") && seen[2].contains("continuation-token=t2"), "{seen:?}");
}

#[tokio::test]
async fn a_missing_bucket_is_not_an_empty_one() {
    let objects =
        AwsCloud::new(config("")).connect(&keys("AKIAANY"), &storage("nowhere")).await.expect("connected").objects;
    for outcome in
        [objects.list("p", 1).await.map(|_| ()), objects.get("k").await.map(|_| ()), objects.put("k", vec![]).await]
    {
        assert!(
            matches!(&outcome, Err(CloudError::NotFound(text)) if text.contains("s3://nowhere/")),
            "the place is named: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn of_many_conditional_writers_one_wins() {
    let ec2 = Ec2Server::start(Bench::state()).await.expect("a port");
    let address = moto().trim_start_matches("http://").parse().expect("an address");
    let front = Front::start(address, ec2.handle.clone()).await.expect("a port");
    front.handle.know("AKIAANY");
    let objects = bucket_at("race", &front.url).await;
    let race = (0..8_u8).map(|writer| {
        let objects = Arc::clone(&objects);
        tokio::spawn(async move {
            (writer, objects.put_if_absent("p/backup.lock", vec![writer]).await.expect("an outcome"))
        })
    });
    let mut winners = Vec::new();
    for outcome in race.collect::<Vec<_>>() {
        let (writer, won) = outcome.await.expect("joined");
        winners.extend(won.then_some(writer));
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(objects.get("p/backup.lock").await.expect("read"), Some(winners));
    assert!(!objects.put_if_absent("p/backup.lock", vec![9]).await.expect("an outcome"));
}

fn error(status: u16, code: &str) -> Line {
    Line::Answer(status, format!("<Error><Code>{code}</Code><Message>m</Message></Error>"))
}

#[tokio::test]
async fn a_conflict_with_a_delete_is_tried_again() {
    let (script, objects) =
        scripted(vec![error(409, "ConditionalRequestConflict"), Line::Answer(200, String::new())]).await;
    assert!(objects.put_if_absent("k", b"mine".to_vec()).await.expect("written"));
    let seen = script.seen();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|line| line.starts_with("PUT /bucket/k") && line.ends_with("if-none-match=*")), "{seen:?}");
}

#[tokio::test]
async fn a_lost_reply_of_a_conditional_write_is_decided_by_reading() {
    for (stored, written) in [("mine", true), ("theirs", false)] {
        let lines = vec![Line::Lose, error(412, "PreconditionFailed"), Line::Answer(200, stored.to_owned())];
        let (script, objects) = scripted(lines).await;
        let outcome = objects.put_if_absent("k", b"mine".to_vec()).await;
        assert_eq!(outcome, Ok(written), "{stored} is stored; {:?}", script.seen());
        assert_eq!(script.seen().len(), 3, "one attempt each: {:?}", script.seen());
    }
}

#[tokio::test]
async fn a_store_without_conditional_writes_is_told() {
    let (script, objects) = scripted(vec![error(501, "NotImplemented")]).await;
    let outcome = objects.put_if_absent("k", b"mine".to_vec()).await;
    assert!(matches!(&outcome, Err(CloudError::Refused { code, .. }) if code == "NotImplemented"), "{outcome:?}");
    assert_eq!(script.seen().len(), 1);
}

const EMPTY_LIST: &str = "<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated></ListBucketResult>";

/// Owner and key go with every call that takes them.
#[tokio::test]
async fn a_bucket_of_another_owner_and_a_key_of_the_users_are_said_to_s3() {
    let answers = [EMPTY_LIST, "{}", "", "", ""].map(|body| Line::Answer(200, body.to_owned()));
    let script = Script::start(answers.into()).await;
    let mut storage = storage("bucket");
    storage.endpoint = script.url.clone();
    storage.bucket_owner = "999988887777".into();
    (storage.sse, storage.kms_key) = ("aws:kms".into(), "arn:aws:kms:eu-west-1:999988887777:key/k".into());
    let cloud = AwsCloud::new(config("")).connect(&keys("AKIAANY"), &storage).await.expect("connected");
    let objects = cloud.objects;
    objects.list("p", 1).await.expect("listed");
    objects.get("p/a").await.expect("read");
    objects.put("p/a", b"one".to_vec()).await.expect("written");
    assert!(objects.put_if_absent("p/b", b"two".to_vec()).await.expect("written"));
    objects.delete("p/a").await.expect("deleted");
    let all = script.whole();
    assert_eq!(all.len(), 5);
    for request in &all {
        assert_eq!(header(request, "x-amz-expected-bucket-owner"), Some("999988887777"), "{request}");
        let key = header(request, "x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(key.is_some(), request.starts_with("PUT"), "{request}");
    }
}

/// The bucket's role is assumed by whoever the plane is, with its external id, and only S3 sees it.
#[tokio::test]
async fn a_bucket_of_another_account_is_reached_by_its_role() {
    let caller = |account: &str| {
        let body = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{account}</Account></GetCallerIdentityResult>\
             </GetCallerIdentityResponse>"
        );
        Line::Answer(200, body)
    };
    let session = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIABUCKET</AccessKeyId>\
                   <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
                   <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let session = || Line::Answer(200, session.to_owned());
    let sts = Script::start(vec![caller("111122223333"), session(), caller("999988887777")]).await;
    let s3 = Script::start(vec![Line::Answer(200, EMPTY_LIST.to_owned())]).await;
    let mut storage = storage("bucket");
    storage.endpoint = s3.url.clone();
    let arn = "arn:aws:iam::999988887777:role/backups".to_owned();
    storage.role = Some(ForeignRole { arn, external_id: "shop=1".into() });
    let config = AwsConfig { endpoint_sts: sts.url.clone(), ..config("") };
    let cloud = AwsCloud::new(config).connect(&keys("AKIAPLANE"), &storage).await.expect("connected");
    assert_eq!(cloud.account, "111122223333", "volumes are the plane's own account's");
    cloud.objects.list("p", 1).await.expect("listed");
    let signed = |request: &String| header(request, "authorization").unwrap_or_default().to_owned();
    assert!(signed(&s3.whole()[0]).contains("Credential=ASIABUCKET/"));
    let asked = sts.whole();
    assert!(asked[1].contains("Action=AssumeRole") && asked[1].contains("ExternalId=shop%3D1"), "{}", asked[1]);
    assert!(signed(&asked[1]).contains("Credential=AKIAPLANE/"), "the plane assumes it");
}

#[tokio::test]
async fn a_role_of_the_bucket_that_is_refused_is_named() {
    let denied = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account></GetCallerIdentityResult>\
                  </GetCallerIdentityResponse>";
    let lines = vec![Line::Answer(200, caller.to_owned()), Line::Answer(403, denied.to_owned())];
    let sts = Script::start(lines).await;
    let mut storage = storage("bucket");
    let arn = "arn:aws:iam::999988887777:role/backups".to_owned();
    storage.role = Some(ForeignRole { arn: arn.clone(), external_id: String::new() });
    let config = AwsConfig { endpoint_sts: sts.url.clone(), ..config("") };
    let outcome = AwsCloud::new(config).connect(&keys("AKIAPLANE"), &storage).await;
    let Err(PortError::Refused(refusal)) = outcome else { panic!("refused") };
    assert_eq!(refusal.reason, Reason::AccessDenied);
    for part in ["role for bucket bucket", "--s3.role-arn", "sts:AssumeRole", &arn] {
        assert!(refusal.message.contains(part), "{part}: {refusal}");
    }
    assert!(!sts.whole()[1].contains("ExternalId"), "none was given");
}
