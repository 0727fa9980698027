//! Whose refusal it is, and what to do about it.

use super::{super::fixtures::spec, *};

#[test]
fn a_role_is_a_whole_arn() {
    for right in ["arn:aws:iam::123456789012:role/shop", "arn:aws-cn:iam::123456789012:role/path/to/shop"] {
        check_role(right).unwrap();
    }
    let wrong = [
        "shop-backup",
        "arn:aws:iam::123456789012:user/ann",
        "arn:aws:iam::1:role/r",
        "arn:aws:sts::123456789012:role/r",
        "",
    ];
    for role in wrong {
        let refusal = check_role(role).unwrap_err();
        assert_eq!(refusal.reason, Reason::CredentialsUnreadable);
        assert!(refusal.message.contains("arn:aws:iam::ACCOUNT:role/NAME"), "{refusal}");
    }
}

#[test]
fn whose_it_is_and_what_to_do_stand_in_every_message() {
    let role = "arn:aws:iam::123456789012:role/shop";
    let table: [(Credentials, Reason, &[&str]); 6] = [
        (Credentials::Secret("s3".into()), Reason::CredentialsRefused, &["secret tidb/s3: no;", "secret_key"]),
        (Credentials::Role(role.into()), Reason::AccessDenied, &[role, "allow sts:AssumeRole", "trust policy"]),
        (Credentials::Role(role.into()), Reason::CredentialsRefused, &[role, "the plane actor's own credentials"]),
        (
            Credentials::ServiceAccount("sa".into()),
            Reason::AccessDenied,
            &["ServiceAccount tidb/sa: no;", "system:serviceaccount:tidb:sa"],
        ),
        (Credentials::ServiceAccount("sa".into()), Reason::CredentialsUnreadable, &["ServiceAccount tidb/sa: no"]),
        (Credentials::Default, Reason::CredentialsUnreadable, &["the plane actor's own", "IRSA or EKS Pod Identity"]),
    ];
    for (credentials, reason, parts) in table {
        let told = explained(&spec(credentials), Refusal::new(reason, "no"));
        assert_eq!(told.reason, reason);
        assert!(parts.iter().all(|part| told.message.contains(part)), "{told}: {parts:?}");
    }
    let other = Refusal::new(Reason::BucketMissing, "no");
    assert_eq!(named_in_s3(&spec(Credentials::Default), other.clone()), other, "not about credentials");
    assert_eq!(named(&spec(Credentials::Default), other.clone()), other, "not about credentials");
}

/// Who assumes it, and who S3 sees, are two.
#[test]
fn a_refusal_of_the_buckets_role_says_what_to_do_about_that_role() {
    const ARN: &str = "arn:aws:iam::999988887777:role/backups";
    let with = |external_id: &str| {
        let mut spec = spec(Credentials::Secret("s3".into()));
        spec.storage.role = Some(ForeignRole { arn: ARN.to_owned(), external_id: external_id.to_owned() });
        spec
    };
    let told = |reason, external: &str| {
        let spec = with(external);
        let text = format!("{}: sts:AssumeRole: no", spec.storage.of_its_role());
        explained(&spec, Refusal::new(reason, text)).message
    };
    let begins = "role for bucket b (--s3.role-arn): sts:AssumeRole: no; ";
    let table: [(String, &[&str]); 3] = [
        (
            told(Reason::AccessDenied, ""),
            &["allow sts:AssumeRole on", ARN, "to secret tidb/s3", "trust policy", "without an external id"],
        ),
        (told(Reason::AccessDenied, "x"), &["trust policy", "with external id \"x\""]),
        (told(Reason::CredentialsRefused, ""), &[ARN, "is assumed with secret tidb/s3"]),
    ];
    for (told, parts) in table {
        assert!(told.starts_with(begins) && parts.iter().all(|part| told.contains(part)), "{told}: {parts:?}");
        assert!(!told.contains("access_key"), "not the next step of the identity: {told}");
    }
    // The identity's own refusal is still its own.
    let own = explained(&with(""), Refusal::new(Reason::CredentialsRefused, "no"));
    assert!(own.message.starts_with("secret tidb/s3: no; put a valid pair"), "{own}");
    let s3 = named_in_s3(&with(""), Refusal::new(Reason::AccessDenied, "s3:PutObject: no"));
    for part in ["role for bucket b", "s3:PutObject: no", ARN, "that of bucket b must allow it"] {
        assert!(s3.message.contains(part), "{s3}");
    }
    assert!(!s3.message.contains("secret"), "{s3}");
}

/// Whatever AWS says no to: the call and its object, AWS's own words, which name the permission or the quota, the number where
/// one is known, and what a person does next.
#[test]
fn every_refusal_by_aws_says_what_was_asked_why_not_and_what_to_do() {
    let text = || "ec2:CreateSnapshots, AwsCode: its words".to_owned();
    let quota = |code: &str| CloudError::Quota(format!("CreateSnapshots, {code}: its words"));
    let refused = CloudError::Refused { code: "AwsCode".to_owned(), message: "its words".to_owned() };
    let (ec2, s3) = (Reason::Ec2Unavailable, Reason::StorageUnavailable);
    let table: Vec<(CloudError, [Reason; 2], &str)> = vec![
        (CloudError::Throttled(text()), [ec2, s3], ""),
        (CloudError::PerVolumeRate(text()), [ec2, s3], ""),
        (CloudError::InvalidState(text()), [ec2, s3], ""),
        (CloudError::OutcomeUnknown(text()), [ec2, s3], ""),
        (refused, [ec2, s3], ""),
        (CloudError::NotFound(text()), [ec2, Reason::BucketMissing], ""),
        (CloudError::Denied(text()), [Reason::AccessDenied; 2], "access denied: ec2:CreateSnapshots"),
        (CloudError::NotAccepted(text()), [Reason::CredentialsRefused; 2], ""),
        (CloudError::WrongTime(text()), [Reason::NodeClockWrong; 2], ""),
        (CloudError::NoCredentials(text()), [Reason::CredentialsUnreadable; 2], ""),
        (quota("ConcurrentSnapshotLimitExceeded"), [Reason::SnapshotQuota; 2], "5 snapshots of one volume"),
        (quota("PendingSnapshotLimitExceeded"), [Reason::SnapshotQuota; 2], "100 where users"),
        (quota("SnapshotLimitExceeded"), [Reason::SnapshotQuota; 2], "100,000 snapshots in a Region"),
    ];
    for (error, reasons, part) in table {
        for (service, reason) in [Service::Ec2, Service::S3].into_iter().zip(reasons) {
            let told = cloud_refusal(service, "CreateSnapshots of i-1", &error);
            assert_eq!(told.reason, reason, "{error}");
            let advice = told.advice();
            for part in ["CreateSnapshots of i-1: ", "its words", part, reason.action()] {
                assert!(advice.contains(part), "{part:?} is not in {advice:?}");
            }
            assert!(!reason.action().is_empty());
        }
    }
}
