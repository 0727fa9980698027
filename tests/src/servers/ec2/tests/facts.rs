//! The rest of the facts that show on the wire, rule by rule.

use super::*;

const ALL: [(&str, &str); 2] = [("Action", "DescribeSnapshots"), ("Owner.1", "self")];

/// As many sets, each of two snapshots.
async fn with_sets(sets: usize) -> (Ask, Vec<String>) {
    let ask = Ask::new(state()).await;
    ask.server.handle.rules(|rules| {
        (rules.volume_gap, rules.pending_for, rules.concurrent_per_volume) = (Duration::ZERO, Duration::ZERO, 1_000);
    });
    let mut ids = Vec::new();
    for _ in 0..sets {
        ids.extend(text(&ask.create(&[("InstanceSpecification.ExcludeBootVolume", "true")]).await.1, "snapshotId"));
    }
    ids.sort();
    (ask, ids)
}

/// `facts/ec2-wire.md` §1: names are flat, lists have no `.member.`, booleans are words. No client token and one at a time
/// (`facts/aws.md` A4, A5).
#[tokio::test]
async fn only_the_parameters_of_the_facts_are_known() {
    let (ask, ids) = with_sets(1).await;
    let create = [("Action", "CreateSnapshots"), ("InstanceSpecification.InstanceId", INSTANCE)];
    let of_one = [("Action", "CreateSnapshot"), ("VolumeId", DATA[0])];
    let delete = [("Action", "DeleteSnapshot"), ("SnapshotId", ids[0].as_str())];
    let with = |fields: &[(&'static str, &'static str)], more: (&'static str, &'static str)| [fields, &[more]].concat();
    for fields in [
        with(&create, ("ClientToken", "t")),
        with(&of_one, ("ClientToken", "t")),
        with(&create, ("TagSpecification.member.1.ResourceType", "snapshot")),
        with(&ALL, ("Owner.member.1", "self")),
        with(&ALL, ("SnapshotIds.1", "snap-00000000")),
    ] {
        assert_eq!(ask.code(&fields).await, (400, "UnknownParameter".to_owned()), "{fields:?}");
    }
    for more in [("ClientToken", "t"), ("SnapshotId.1", ids[1].as_str()), ("SnapshotIds.1", ids[1].as_str())] {
        let fields = [&delete[..], &[more]].concat();
        assert_eq!(ask.code(&fields).await.1, "UnknownParameter", "{fields:?}");
    }
    let wrong = [&create[..], &[("InstanceSpecification.ExcludeBootVolume", "1")]].concat();
    assert_eq!(ask.code(&wrong).await.1, "InvalidParameterValue", "a boolean is a word");
    assert_eq!(ask.server.handle.snapshots().len(), 2);
    // A deletion may be repeated: what is not there is done.
    assert_eq!(ask.code(&delete).await.0, 200);
    assert_eq!(ask.code(&delete).await, (400, "InvalidSnapshot.NotFound".to_owned()));
}

/// `facts/ec2-wire.md` §2: CreateSnapshots says `state`, everybody else `status`; roots and sets have their names.
#[tokio::test]
async fn the_word_for_a_snapshots_state_depends_on_who_answers() {
    let ask = Ask::new(state()).await;
    ask.server.handle.rules(|rules| rules.volume_gap = Duration::ZERO);
    let set = ask.create(&[]).await.1;
    let one = ask.ask(&[("Action", "CreateSnapshot"), ("VolumeId", DATA[0])]).await.1;
    let described = ask.ask(&ALL).await.1;
    for (body, root, word, other) in [
        (&set, "CreateSnapshotsResponse", "state", "status"),
        (&one, "CreateSnapshotResponse", "status", "state"),
        (&described, "DescribeSnapshotsResponse", "status", "state"),
    ] {
        assert!(body.contains(&format!("<{root} ")) || body.contains(&format!("<{root}>")), "{root}: {body}");
        assert!(!text(body, word).is_empty() && text(body, other).is_empty(), "{root} says {word}: {body}");
        assert!(
            text(body, "startTime").iter().all(|at| at.ends_with('Z') && at.parse::<jiff::Timestamp>().is_ok()),
            "{body}"
        );
    }
    assert!(set.contains("<snapshotSet><item>") && described.contains("<snapshotSet><item>"), "{set}");
}

/// `facts/aws.md` A2: one id that is missing fails the whole call; ids and MaxResults exclude each other; at most 1000 ids.
#[tokio::test]
async fn a_describe_by_ids_is_all_or_nothing() {
    let (ask, ids) = with_sets(1).await;
    let by_ids = |ids: &[&str], more: &[(&str, &str)]| -> Vec<(String, String)> {
        let named = ids.iter().enumerate().map(|(at, id)| (format!("SnapshotId.{}", at + 1), (*id).to_owned()));
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        [("Action".to_owned(), "DescribeSnapshots".to_owned())].into_iter().chain(named).chain(more).collect()
    };
    let code = async |fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        ask.code(&fields).await
    };
    assert_eq!(code(by_ids(&[&ids[0], &ids[1]], &[])).await.0, 200);
    assert_eq!(code(by_ids(&[&ids[0], "snap-00000000"], &[])).await, (400, "InvalidSnapshot.NotFound".to_owned()));
    let both = code(by_ids(&[&ids[0]], &[("MaxResults", "5")])).await;
    assert_eq!(both, (400, "InvalidParameterCombination".to_owned()));
    let many = vec![ids[0].as_str(); 1_001];
    assert_eq!(code(by_ids(&many[..1_000], &[])).await.0, 200);
    assert_eq!(code(by_ids(&many, &[])).await, (400, "InvalidParameterValue".to_owned()));
}

/// `facts/ec2-wire.md` §4: different filters AND, values of one OR, case-sensitive; without MaxResults all comes at once; a
/// page is cut before the filters, so it may be empty and not be the last; the end is an absent token.
#[tokio::test]
async fn filters_and_pages_are_ec2s() {
    let (ask, ids) = with_sets(6).await;
    let found = async |more: &[(&str, &str)]| {
        let body = ask.ask(&[&ALL[..], more].concat()).await.1;
        (text(&body, "snapshotId").len(), text(&body, "nextToken"))
    };
    assert_eq!(found(&[]).await, (ids.len(), vec![]), "everything at once");
    let volume = ("Filter.1.Name", "volume-id");
    assert_eq!(found(&[volume, ("Filter.1.Value.1", DATA[0]), ("Filter.1.Value.2", DATA[1])]).await.0, ids.len(), "OR");
    let both = [volume, ("Filter.1.Value.1", DATA[0]), ("Filter.2.Name", "snapshot-id"), ("Filter.2.Value.1", &ids[0])];
    assert!(found(&both).await.0 <= 1, "AND");
    let status = ("Filter.1.Name", "status");
    assert_eq!(found(&[status, ("Filter.1.Value.1", "completed")]).await.0, ids.len());
    assert_eq!(found(&[status, ("Filter.1.Value.1", "Completed")]).await.0, 0, "case counts");
    let none = [("MaxResults", "5"), status, ("Filter.1.Value.1", "pending")];
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let more = [("NextToken", token.as_str())];
        let page = if token.is_empty() { none.to_vec() } else { [&none[..], &more].concat() };
        let (rows, next) = found(&page).await;
        assert_eq!(rows, 0);
        pages += 1;
        match next.into_iter().next() {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(pages, 3, "empty pages of twelve rows, and only an absent token is the end");
}

/// `facts/aws.md` A2: without an owner the answer has what others share; with `self` it has not. What another account owns cannot be
/// deleted.
#[tokio::test]
async fn only_an_owner_keeps_what_others_share_away() {
    let (ask, ids) = with_sets(1).await;
    ask.server.handle.state(|state| {
        state.keys.insert("AKIAOTHER".to_owned(), "444455556666".to_owned());
        for one in state.ec2.snapshots.values_mut() {
            one.later.shared_with = vec!["all".to_owned()];
        }
    });
    let as_other = async |fields: &[(&str, &str)]| ask.with_key("AKIAOTHER", fields).await.expect("a reply");
    assert_eq!(text(&as_other(&ALL[..1]).await.1, "snapshotId").len(), ids.len());
    assert_eq!(text(&as_other(&ALL).await.1, "snapshotId").len(), 0);
    let owner = [("Action", "DescribeSnapshots"), ("Owner.1", ACCOUNT)];
    assert_eq!(text(&as_other(&owner).await.1, "snapshotId").len(), ids.len());
    let delete = [("Action", "DeleteSnapshot"), ("SnapshotId", ids[0].as_str())];
    assert_eq!(as_other(&delete).await.0, 400);
    assert_eq!(ask.server.handle.snapshots().len(), ids.len());
}

/// `facts/aws.md` A13: tier, key, sharing and the Recycle Bin on the wire.
#[tokio::test]
async fn what_became_of_a_snapshot_is_told_where_ec2_tells_it() {
    let (ask, ids) = with_sets(1).await;
    let id = ids[0].as_str();
    let later = |change: fn(&mut crate::models::ec2::Later)| {
        ask.server.handle.state(|state| {
            change(&mut state.ec2.snapshots.get_mut(id).expect("it is there").later);
        });
    };
    let by_id = [("Action", "DescribeSnapshots"), ("SnapshotId.1", id)];
    let plain = ask.ask(&by_id).await.1;
    assert_eq!(
        (text(&plain, "storageTier"), text(&plain, "encrypted")),
        (vec!["standard".into()], vec!["false".into()])
    );
    assert!(text(&plain, "kmsKeyId").is_empty());
    later(|later| {
        (later.archived, later.key) = (true, Some("arn:aws:kms:eu-west-1:1:key/k".to_owned()));
        later.shared_with = vec!["999988887777".to_owned(), "all".to_owned()];
    });
    let seen = ask.ask(&by_id).await.1;
    assert_eq!((text(&seen, "storageTier"), text(&seen, "encrypted")), (vec!["archive".into()], vec!["true".into()]));
    assert_eq!(text(&seen, "kmsKeyId"), ["arn:aws:kms:eu-west-1:1:key/k"]);
    let attribute =
        [("Action", "DescribeSnapshotAttribute"), ("SnapshotId", id), ("Attribute", "createVolumePermission")];
    let shared = ask.ask(&attribute).await.1;
    assert_eq!((text(&shared, "userId"), text(&shared, "group")), (vec!["999988887777".into()], vec!["all".into()]));
    later(|later| later.binned = true);
    assert_eq!(ask.code(&by_id).await.1, "InvalidSnapshot.NotFound");
    let bin = [("Action", "ListSnapshotsInRecycleBin"), ("SnapshotId.1", id), ("SnapshotId.2", ids[1].as_str())];
    assert_eq!(text(&ask.ask(&bin).await.1, "snapshotId"), [id]);
    let volume = [("Action", "CreateVolume"), ("SnapshotId", ids[1].as_str()), ("AvailabilityZone", "eu-west-1a")];
    assert_eq!(ask.code(&[&volume[..], &[("DryRun", "true")]].concat()).await, (412, "DryRunOperation".to_owned()));
    assert_eq!(ask.server.handle.made_volumes().len(), 0, "a dry run makes none");
}
