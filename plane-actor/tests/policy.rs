//! The policies in `deploy/README.md` and what this program calls at AWS are the same actions, and what the policies'
//! conditions are there for holds.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const PAGE: &str = "../deploy/README.md";
const EDGES: &str = "src/edge/aws";
const OURS: &str = "aws:ResourceTag/isochron/plane";
const SNAPSHOT: &str = "arn:aws:ec2:eu-west-1::snapshot/snap-1";
const VOLUME: &str = "arn:aws:ec2:eu-west-1:123456789012:volume/vol-1";
const INSTANCE: &str = "arn:aws:ec2:eu-west-1:123456789012:instance/i-1";

/// What is needed, what is optional, and what restores need besides.
fn policies() -> [Vec<Value>; 3] {
    let page = fs::read_to_string(PAGE).unwrap();
    let blocks = page.split("```json\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    let all: Vec<Value> = blocks.filter_map(|text| serde_json::from_str(text).ok()).collect();
    let statements = |policy: &Value| policy["Statement"].as_array().unwrap().clone();
    all.iter().map(statements).collect::<Vec<_>>().try_into().unwrap()
}

fn words(value: &Value) -> Vec<&str> {
    value.as_array().map_or_else(|| value.as_str().into_iter().collect(), |all| all.iter().flat_map(words).collect())
}

fn actions(statements: &[Value]) -> BTreeSet<String> {
    statements.iter().flat_map(|one| words(&one["Action"])).map(str::to_owned).collect()
}

/// Every call of a client of the SDK in `file`, as the SDK names it.
fn calls(path: &Path, into: &mut BTreeSet<String>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| calls(&entry.unwrap().path(), into));
        return;
    }
    let service = match path.strip_prefix(EDGES).unwrap().iter().next().unwrap().to_str().unwrap() {
        "ec2" => "ec2",
        "ebs.rs" => "ebs",
        "s3.rs" => "s3",
        // Who one is, and becoming somebody: rights of the trust policy, or none.
        _ => return,
    };
    let text = fs::read_to_string(path).unwrap();
    let own = text.split("#[cfg(test)]").next().unwrap();
    if own.contains(".tag_specifications(") {
        into.insert(format!("{service}:CreateTags"));
    }
    for after in own.split("client").skip(1) {
        let Some(called) = after.trim_start().strip_prefix('.') else { continue };
        let Some((name, _)) = called.split_once("()") else { continue };
        if !name.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_') {
            continue;
        }
        let action: String = name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        into.insert(match action.as_str() {
            "ListObjectsV2" => "s3:ListBucket".to_owned(),
            action => format!("{service}:{action}"),
        });
    }
}

#[test]
fn the_policies_allow_what_is_called_and_no_more() {
    let mut called = BTreeSet::new();
    calls(Path::new(EDGES), &mut called);
    let [needed, optional, restores] = policies();
    assert!(actions(&needed).is_disjoint(&actions(&optional)));
    let allowed = &(&actions(&needed) | &actions(&optional)) | &actions(&restores);
    assert_eq!(allowed, called, "deploy/README.md, 3, and the clients in plane-actor/{EDGES}");
    assert!(called.len() > 15, "{called:?}");
}

/// `*` is as many signs as one likes.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).filter(|at| rest.is_char_boundary(*at)).any(|at| fits(tail, &rest[at..]))
        }),
    }
}

fn holds(operator: &str, key: &str, wanted: &Value, context: &[(&str, &str)]) -> bool {
    let Some((_, given)) = context.iter().find(|(name, _)| *name == key) else {
        return operator.ends_with("IfExists");
    };
    match operator {
        "StringEquals" => words(wanted).contains(given),
        // It must be there: holds() was not asked otherwise.
        "Null" => words(wanted) == ["false"],
        "StringLikeIfExists" => words(wanted).iter().any(|pattern| fits(pattern, given)),
        other => panic!("this test does not know {other}"),
    }
}

/// As IAM decides where nothing is denied.
fn allows(statements: &[Value], action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
    statements.iter().any(|one| {
        let conditions = one["Condition"].as_object().into_iter().flatten();
        let mut conditions = conditions.flat_map(|(operator, keys)| {
            keys.as_object().unwrap().iter().map(move |(key, wanted)| (operator.as_str(), key.as_str(), wanted))
        });
        words(&one["Action"]).contains(&action)
            && words(&one["Resource"]).iter().any(|pattern| fits(pattern, resource))
            && conditions.all(|(operator, key, wanted)| holds(operator, key, wanted, context))
    })
}

#[test]
fn snapshots_of_others_stay_and_none_is_made_without_our_tag() {
    let [needed, optional, _] = policies();
    for create in ["ec2:CreateSnapshot", "ec2:CreateSnapshots"] {
        let with = |resource, context: &[(&str, &str)]| allows(&needed, create, resource, context);
        assert!(with(VOLUME, &[]) && with(INSTANCE, &[]));
        assert!(with(SNAPSHOT, &[("aws:RequestTag/isochron/plane", "prod-az1")]));
        assert!(!with(SNAPSHOT, &[]));
        assert!(!with(SNAPSHOT, &[("aws:RequestTag/isochron/plane", "prod-az2")]));
        let made = create.trim_start_matches("ec2:");
        assert!(allows(&needed, "ec2:CreateTags", SNAPSHOT, &[("ec2:CreateAction", made)]));
    }
    assert!(
        !allows(&needed, "ec2:CreateTags", SNAPSHOT, &[]),
        "a snapshot of somebody else could be made to look ours"
    );
    assert!(!allows(&needed, "ec2:CreateTags", VOLUME, &[("ec2:CreateAction", "CreateVolume")]));
    assert!(allows(&needed, "ec2:DeleteSnapshot", SNAPSHOT, &[(OURS, "prod-az1")]));
    assert!(!allows(&needed, "ec2:DeleteSnapshot", SNAPSHOT, &[(OURS, "prod-az2")]));
    assert!(!allows(&needed, "ec2:DeleteSnapshot", SNAPSHOT, &[]));
    for look in ["ebs:GetSnapshotBlock", "ec2:CreateVolume"] {
        assert!(allows(&optional, look, SNAPSHOT, &[(OURS, "prod-az1")]));
        assert!(!allows(&optional, look, SNAPSHOT, &[]));
    }
    // The tag is the one that is set.
    let tags = fs::read_to_string("src/actors/work/tags.rs").unwrap();
    assert!(tags.contains(&format!("\"{}\"", OURS.trim_start_matches("aws:ResourceTag/"))));
}

#[test]
fn volumes_of_others_stay_and_none_is_made_without_our_tags() {
    const RESTORE: &str = "aws:ResourceTag/isochron/restore";
    let [needed, _, restores] = policies();
    let create = |resource, context: &[(&str, &str)]| allows(&restores, "ec2:CreateVolume", resource, context);
    assert!(create(SNAPSHOT, &[(OURS, "prod-az1")]) && !create(SNAPSHOT, &[(OURS, "prod-az2")]));
    assert!(!create(SNAPSHOT, &[]));
    let (plane, restore) = (("aws:RequestTag/isochron/plane", "prod-az1"), ("aws:RequestTag/isochron/restore", "u"));
    assert!(create(VOLUME, &[plane, restore]));
    assert!(!create(VOLUME, &[plane]) && !create(VOLUME, &[restore]) && !create(VOLUME, &[]));
    let tag = |resource, made| allows(&restores, "ec2:CreateTags", resource, &[("ec2:CreateAction", made)]);
    assert!(tag(VOLUME, "CreateVolume") && !tag(SNAPSHOT, "CreateVolume"));
    assert!(!allows(&restores, "ec2:CreateTags", VOLUME, &[]), "a volume of TiKV could be made to look restored");
    let delete = |context: &[(&str, &str)]| allows(&restores, "ec2:DeleteVolume", VOLUME, context);
    assert!(delete(&[(OURS, "prod-az1"), (RESTORE, "u")]));
    assert!(!delete(&[(OURS, "prod-az1")]) && !delete(&[(OURS, "prod-az2"), (RESTORE, "u")]) && !delete(&[]));
    assert!(!allows(&needed, "ec2:DeleteVolume", VOLUME, &[(OURS, "prod-az1"), (RESTORE, "u")]));
    // The tags are those that are set.
    let tags = fs::read_to_string("../shared/src/restore/tags.rs").unwrap();
    for tag in [OURS, RESTORE] {
        assert!(tags.contains(&format!("\"{}\"", tag.trim_start_matches("aws:ResourceTag/"))), "{tag}");
    }
}

#[test]
fn files_are_those_below_the_prefix() {
    let [needed, _, _] = policies();
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
        assert!(allows(&needed, action, "arn:aws:s3:::shop-backup/volumes/one-prod-az1/backupmeta", &[]));
        assert!(!allows(&needed, action, "arn:aws:s3:::shop-backup/other/backupmeta", &[]));
        assert!(!allows(&needed, action, "arn:aws:s3:::others/volumes/one-prod-az1/backupmeta", &[]));
    }
    let list = |context: &[(&str, &str)]| allows(&needed, "s3:ListBucket", "arn:aws:s3:::shop-backup", context);
    assert!(list(&[("s3:prefix", "volumes/one-prod-az1/backup.lock")]));
    assert!(!list(&[("s3:prefix", "other/")]) && !list(&[("s3:prefix", "")]));
    assert!(list(&[]), "S3 answers 404 only to who may list");
}
