//! The rules on the wire, asked with a plain HTTP client: what an SDK makes of them is another test.

mod facts;
mod volumes;

use super::{Ec2Server, Ec2State, Fault};
use crate::models::ec2::{Home, Rate};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::time::Duration;
use tokio::time::sleep;

const ACCOUNT: &str = "111122223333";
const INSTANCE: &str = "i-0000000000000000a";
const ROOT: &str = "vol-0000000000000000f";
const DATA: [&str; 2] = ["vol-0000000000000000a", "vol-0000000000000000b"];

fn state() -> Ec2State {
    Ec2State::of(ACCOUNT, "AKIAKNOWN").with_instance(&Home::new(ACCOUNT, "eu-west-1"), INSTANCE, ROOT, &DATA)
}

struct Ask {
    server: Ec2Server,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Ask {
    async fn new(state: Ec2State) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { server: Ec2Server::start(state).await.expect("a port"), client }
    }

    /// Status and body; `None` when the connection was closed without a reply.
    async fn with_key(&self, key: &str, fields: &[(&str, &str)]) -> Option<(u16, String)> {
        let coded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", coded(value))).collect();
        let scope = format!("Credential={key}/20261122/eu-west-1/ec2/aws4_request");
        let request = Request::post(&self.server.url)
            .header("authorization", format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"))
            .header("amz-sdk-request", "attempt=1; max=1")
            .body(Full::new(Bytes::from(body.join("&"))))
            .expect("a request");
        let answer = self.client.request(request).await.ok()?;
        assert!(!answer.headers().contains_key("date"), "a Date header would move the SDK's clock");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn ask(&self, fields: &[(&str, &str)]) -> (u16, String) {
        self.with_key("AKIAKNOWN", fields).await.expect("a reply")
    }

    async fn code(&self, fields: &[(&str, &str)]) -> (u16, String) {
        let (status, body) = self.ask(fields).await;
        (status, text(&body, "Code").first().cloned().unwrap_or_default())
    }

    async fn create(&self, more: &[(&str, &str)]) -> (u16, String) {
        let own = [("Action", "CreateSnapshots"), ("InstanceSpecification.InstanceId", INSTANCE)];
        self.ask(&[&own, more].concat()).await
    }
}

/// Every text of an element of this name.
fn text(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&open).skip(1);
    parts.filter_map(|part| part.split(&close).next()).map(str::to_owned).collect()
}

/// Whoever keeps what snapshots hold is told of each, by volume, before the answer.
#[tokio::test]
async fn a_capture_is_told_of_every_snapshot() {
    let ask = Ask::new(state()).await;
    let told = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&told);
    ask.server.handle.on_snapshot(move |volume, snapshot| {
        keep.lock().expect("no test panics there").push((volume.to_owned(), snapshot.to_owned()));
    });
    let (_, body) = ask.create(&[("InstanceSpecification.ExcludeBootVolume", "true")]).await;
    let answered: Vec<(String, String)> = text(&body, "volumeId").into_iter().zip(text(&body, "snapshotId")).collect();
    let told = told.lock().expect("no test panics there").clone();
    assert_eq!((told.len(), &told), (2, &answered));
}

#[tokio::test]
async fn a_set_is_made_with_one_start_time_and_described_under_the_other_word() {
    let ask = Ask::new(state()).await;
    ask.server.handle.rules(|rules| {
        rules.pending_for = Duration::from_millis(300);
        rules.clock_skew_ms = 3_600_000;
    });
    let tags = [
        ("InstanceSpecification.ExcludeBootVolume", "true"),
        ("TagSpecification.1.ResourceType", "snapshot"),
        ("TagSpecification.1.Tag.1.Key", "isochron/backup"),
        ("TagSpecification.1.Tag.1.Value", "a & <b>"),
    ];
    let (status, body) = ask.create(&tags).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(text(&body, "volumeId"), DATA);
    assert_eq!(text(&body, "state"), ["pending", "pending"]);
    assert!(body.contains("<progress></progress>") && body.contains("a &amp; &lt;b&gt;"), "{body}");
    let times = text(&body, "startTime");
    assert_eq!(times[0], times[1]);
    let ahead =
        times[0].parse::<jiff::Timestamp>().expect("a time").as_millisecond() - jiff::Timestamp::now().as_millisecond();
    assert!((3_500_000..3_700_000).contains(&ahead), "EC2's clock is an hour ahead: {ahead} ms");

    let find = [("Action", "DescribeSnapshots"), ("Owner.1", "self"), ("Filter.1.Name", "tag:isochron/backup")];
    let found = ask.ask(&[&find[..], &[("Filter.1.Value.1", "a & <b>")]].concat()).await.1;
    assert_eq!(text(&found, "status"), ["pending", "pending"]);
    assert!(text(&found, "fullSnapshotSizeInBytes").is_empty(), "{found}");
    sleep(Duration::from_millis(350)).await;
    let found = ask.ask(&[&find[..], &[("Filter.1.Value.1", "*<?>")]].concat()).await.1;
    assert_eq!(text(&found, "status"), ["completed", "completed"]);
    assert_eq!(text(&found, "progress"), ["100%", "100%"]);
    assert_eq!(text(&found, "fullSnapshotSizeInBytes").len(), 2);
    assert_eq!(text(&ask.ask(&find).await.1, "snapshotId").len(), 0, "a filter without values finds nothing");
    assert_eq!(ask.server.handle.mutations(), 2);
}

#[tokio::test]
async fn what_ec2_refuses_is_refused_and_changes_nothing() {
    let ask = Ask::new(state()).await;
    let create = [("Action", "CreateSnapshots"), ("InstanceSpecification.InstanceId", INSTANCE)];
    let with = |more: &[(&'static str, &'static str)]| [&create[..], more].concat();
    let table = [
        (vec![("Action", "Nonsense")], 400, "InvalidAction"),
        (vec![create[0]], 400, "MissingParameter"),
        (vec![create[0], ("InstanceSpecification.InstanceId", "i-1")], 400, "InvalidInstanceID.Malformed"),
        (vec![create[0], ("InstanceSpecification.InstanceId", "i-00000000")], 400, "InvalidInstanceID.NotFound"),
        (with(&[("ExcludeDataVolumeIds.1", DATA[0])]), 400, "UnknownParameter"),
        (with(&[("InstanceSpecification.ExcludeDataVolumeId.1", ROOT)]), 400, "InvalidParameterValue"),
        (with(&[("InstanceSpecification.ExcludeDataVolumeId.1", "vol-00000000")]), 400, "InvalidParameterValue"),
        (with(&[("CopyTagsFromSource", "instance")]), 400, "InvalidParameterValue"),
        (with(&[("DryRun", "true")]), 412, "DryRunOperation"),
        (vec![("Action", "CreateSnapshot")], 400, "MissingParameter"),
        (vec![("Action", "CreateSnapshot"), ("VolumeId", "vol-1")], 400, "InvalidVolumeID.Malformed"),
        (vec![("Action", "CreateSnapshot"), ("VolumeId", "vol-00000000")], 400, "InvalidVolume.NotFound"),
        (vec![("Action", "CreateSnapshot"), ("VolumeId", DATA[0]), ("DryRun", "true")], 412, "DryRunOperation"),
        (
            vec![("Action", "CreateSnapshot"), ("VolumeId", DATA[0]), ("CopyTagsFromSource", "volume")],
            400,
            "UnknownParameter",
        ),
        (vec![("Action", "DescribeSnapshots"), ("MaxResults", "1")], 400, "InvalidParameterValue"),
        (
            vec![("Action", "DescribeSnapshots"), ("MaxResults", "5"), ("SnapshotId.1", "snap-00000000")],
            400,
            "InvalidSnapshot.NotFound",
        ),
        (vec![("Action", "DescribeSnapshots"), ("SnapshotId.1", "snap-1")], 400, "InvalidSnapshotID.Malformed"),
        (
            vec![("Action", "DescribeVolumes"), ("MaxResults", "5"), ("VolumeId.1", ROOT)],
            400,
            "InvalidParameterCombination",
        ),
        (vec![("Action", "DescribeVolumes"), ("VolumeId.1", "vol-00000000")], 400, "InvalidVolume.NotFound"),
        (vec![("Action", "DeleteSnapshot"), ("SnapshotId", "snap-00000000")], 400, "InvalidSnapshot.NotFound"),
    ];
    for (fields, status, code) in table {
        assert_eq!(ask.code(&fields).await, (status, code.to_owned()), "{fields:?}");
    }
    let many: Vec<(String, String)> = (1..=41)
        .map(|index| (format!("InstanceSpecification.ExcludeDataVolumeId.{index}"), DATA[0].to_owned()))
        .collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(ask.code(&[&create[..], &many].concat()).await.1, "InvalidParameterValue");
    let stranger = ask.with_key("AKIASTRANGER", &create).await.expect("a reply");
    assert_eq!((stranger.0, text(&stranger.1, "Code")), (401, vec!["AuthFailure".to_owned()]));
    ask.server.handle.deny("CreateSnapshots", true);
    assert_eq!(ask.code(&create).await, (403, "UnauthorizedOperation".to_owned()));
    assert_eq!(ask.server.handle.mutations(), 0);
    assert!(ask.server.handle.snapshots().is_empty());
}

#[tokio::test]
async fn tags_have_their_rules() {
    let ask = Ask::new(state()).await;
    ask.server.handle.state(|state| {
        if let Some(volume) = state.ec2.volumes.get_mut(DATA[0]) {
            volume.tags.extend([("own".to_owned(), "1".to_owned()), ("aws:reserved".to_owned(), "2".to_owned())]);
        }
    });
    let tags = |pairs: &[(String, String)]| {
        let mut fields = vec![("TagSpecification.1.ResourceType".to_owned(), "snapshot".to_owned())];
        for (index, (key, value)) in (1..).zip(pairs) {
            fields.push((format!("TagSpecification.1.Tag.{index}.Key"), key.clone()));
            fields.push((format!("TagSpecification.1.Tag.{index}.Value"), value.clone()));
        }
        fields
    };
    let numbered = |count: usize| (0..count).map(|n| (format!("k{n}"), String::new())).collect::<Vec<_>>();
    let pair = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    let table = [
        (numbered(51), "TagLimitExceeded"),
        // 50 of the call and one of the volume.
        (numbered(50), "TagLimitExceeded"),
        (pair("aws:mine", ""), "InvalidParameterValue"),
        (pair(&"k".repeat(128), ""), "InvalidParameterValue"),
        (pair("k", &"v".repeat(256)), "InvalidParameterValue"),
        ([pair("k", "1"), pair("k", "2")].concat(), "InvalidParameterValue"),
    ];
    for (pairs, code) in table {
        let fields = tags(&pairs);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (status, body) = ask.create(&[&fields[..], &[("CopyTagsFromSource", "volume")]].concat()).await;
        assert_eq!((status, text(&body, "Code")), (400, vec![code.to_owned()]), "{pairs:?}");
    }
    let (_, body) = ask.create(&[("CopyTagsFromSource", "volume")]).await;
    assert_eq!(text(&body, "key"), ["own"], "aws: tags are not copied");

    let id = text(&body, "snapshotId").remove(0);
    let tag = [("Action", "CreateTags"), ("ResourceId.1", id.as_str()), ("Tag.1.Key", "later"), ("Tag.1.Value", "x")];
    assert_eq!(ask.ask(&tag).await.0, 200);
    let find = [("Action", "DescribeTags"), ("Filter.1.Name", "resource-id"), ("Filter.1.Value.1", id.as_str())];
    assert_eq!(text(&ask.ask(&find).await.1, "key"), ["later", "own"]);
}

#[tokio::test]
async fn a_volume_is_snapshotted_neither_too_often_nor_too_many_times_at_once() {
    const LONG: Duration = Duration::from_secs(3600);
    let ask = Ask::new(state()).await;
    let handle = &ask.server.handle;
    handle.rules(|rules| (rules.volume_gap, rules.pending_for, rules.concurrent_per_volume) = (LONG, LONG, 2));
    let code = |answer: (u16, String)| text(&answer.1, "Code").concat();
    assert_eq!(ask.create(&[]).await.0, 200);
    assert_eq!(code(ask.create(&[]).await), "SnapshotCreationPerVolumeRateExceeded");
    handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    assert_eq!(ask.create(&[]).await.0, 200);
    assert_eq!(code(ask.create(&[]).await), "ConcurrentSnapshotLimitExceeded");

    // Deleting what is pending is accepted and frees nothing yet.
    let one = handle.snapshots().into_keys().next().expect("a snapshot");
    let delete = [("Action", "DeleteSnapshot"), ("SnapshotId", one.as_str())];
    assert_eq!(ask.ask(&delete).await.0, 200);
    assert_eq!(code(ask.create(&[]).await), "ConcurrentSnapshotLimitExceeded");
    handle.complete_all();
    assert_eq!(ask.code(&delete).await.1, "InvalidSnapshot.NotFound");
    assert_eq!(handle.snapshots().len(), 5);

    handle.rules(|rules| rules.pending_limit = Some(2));
    assert_eq!(code(ask.create(&[]).await), "PendingSnapshotLimitExceeded");
    handle.rules(|rules| (rules.pending_limit, rules.snapshot_limit) = (None, 7));
    assert_eq!(code(ask.create(&[]).await), "SnapshotLimitExceeded");
}

#[tokio::test]
async fn what_was_made_is_not_seen_at_once() {
    let ask = Ask::new(state()).await;
    let handle = &ask.server.handle;
    handle.rules(|rules| rules.visible_after = Duration::from_secs(3600));
    let id = text(&ask.create(&[]).await.1, "snapshotId").remove(0);
    let by_id = [("Action", "DescribeSnapshots"), ("SnapshotId.1", id.as_str())];
    let delete = [("Action", "DeleteSnapshot"), ("SnapshotId", id.as_str())];
    assert_eq!(ask.code(&by_id).await.1, "InvalidSnapshot.NotFound");
    assert_eq!(ask.code(&delete).await.1, "InvalidSnapshot.NotFound");
    let all = [("Action", "DescribeSnapshots"), ("Owner.1", "self")];
    assert!(text(&ask.ask(&all).await.1, "snapshotId").is_empty());
    handle.state(|state| state.ec2.snapshots.values_mut().for_each(|one| one.visible = Duration::ZERO));
    assert_eq!(text(&ask.ask(&by_id).await.1, "snapshotId"), [id]);
}

#[tokio::test]
async fn one_failing_member_takes_its_set_along_and_keeps_its_slot() {
    let ask = Ask::new(state()).await;
    let handle = &ask.server.handle;
    handle.rules(|rules| {
        (rules.volume_gap, rules.pending_for, rules.concurrent_per_volume) = (Duration::ZERO, Duration::ZERO, 1);
    });
    handle.fail_snapshot_of(DATA[1], "the disk is on fire");
    assert_eq!(ask.create(&[]).await.0, 200);
    let all = [("Action", "DescribeSnapshots"), ("Owner.1", "self")];
    let body = ask.ask(&all).await.1;
    assert_eq!(text(&body, "status"), ["error"; 3]);
    assert_eq!(text(&body, "statusMessage"), ["the disk is on fire"; 3]);
    let (_, body) = ask.create(&[]).await;
    assert_eq!(text(&body, "Code"), ["ConcurrentSnapshotLimitExceeded"], "error counts as unfinished");
}

#[tokio::test]
async fn buckets_are_per_account_region_and_action() {
    let mut state = state();
    state.keys.insert("AKIAOTHER".to_owned(), "444455556666".to_owned());
    let slow = Rate { burst: 1, refill: 4 };
    state.ec2.rules.buckets.insert("DescribeVolumes plain".to_owned(), slow);
    let ask = Ask::new(state).await;
    let plain = [("Action", "DescribeVolumes")];
    assert_eq!(ask.ask(&plain).await.0, 200);
    let (status, body) = ask.ask(&plain).await;
    assert_eq!((status, text(&body, "Code")), (503, vec!["RequestLimitExceeded".to_owned()]));
    let paged = [("Action", "DescribeVolumes"), ("MaxResults", "5")];
    assert_eq!(ask.ask(&paged).await.0, 200, "paging draws from another bucket");
    let (status, body) = ask.with_key("AKIAOTHER", &plain).await.expect("a reply");
    assert_eq!(
        (status, text(&body, "volumeId")),
        (200, vec![]),
        "another account has its own, and sees nothing of ours"
    );
    sleep(Duration::from_millis(300)).await;
    assert_eq!(ask.ask(&plain).await.0, 200);
}

#[tokio::test]
async fn a_planned_fault_hits_the_reply_and_not_the_deed() {
    let ask = Ask::new(state()).await;
    let handle = &ask.server.handle;
    handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    let create = [("Action", "CreateSnapshots"), ("InstanceSpecification.InstanceId", INSTANCE)];
    handle.plan("CreateSnapshots", Fault::LostReply, 1);
    handle.plan("CreateSnapshots", Fault::DoneThenError, 1);
    handle.plan("CreateSnapshots", Fault::CutReply, 1);
    handle.plan("CreateSnapshots", Fault::refuse(503, "Unavailable"), 1);
    assert_eq!(ask.with_key("AKIAKNOWN", &create).await, None);
    assert_eq!(handle.mutations(), 3);
    assert_eq!(ask.code(&create).await, (500, "InternalError".to_owned()));
    assert_eq!(handle.mutations(), 6);
    let (status, body) = ask.ask(&create).await;
    assert_eq!((status, text(&body, "snapshotId").len()), (200, 2), "{body}");
    assert_eq!(ask.code(&create).await, (503, "Unavailable".to_owned()));
    assert_eq!(handle.mutations(), 9);
    assert_eq!(handle.count("CreateSnapshots"), 4);
    let outcomes: Vec<String> = handle.calls().into_iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, ["ok", "ok", "ok", "Unavailable"]);
    assert_eq!(handle.calls()[0].attempt, "attempt=1; max=1");
}
