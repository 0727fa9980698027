//! `facts/restore.md` §5.1, §5.2, rule by rule.

use super::*;
use crate::models::ec2::{AskedVolume, Spoil, Volume, WantedVolume};

const ZONE: &str = "eu-west-1b";
const SECOND: Duration = Duration::from_secs(1);

/// Two snapshots of 500 GiB, each of 520 MiB in blocks.
fn with_snapshots() -> (Ec2, [String; 2]) {
    let mut ec2 = ec2();
    for id in DATA {
        ec2.volumes.get_mut(id).unwrap().written = 520 * 1024 * 1024;
    }
    let ids = create(&mut ec2, Duration::ZERO, None).unwrap();
    (ec2, ids.try_into().unwrap())
}

fn tag(value: &str) -> [(String, String); 1] {
    [("isochron/restore".to_owned(), value.to_owned())]
}

fn make(
    ec2: &mut Ec2,
    now: Duration,
    wanted: WantedVolume<'_>,
    token: &str,
    tags: &[(String, String)],
) -> Result<String, &'static str> {
    let asked = AskedVolume { wanted, token: Some(token), tags };
    ec2.create_volume(now, &home(), &asked).map(|(id, _)| id).map_err(|refusal| refusal.code)
}

fn state(ec2: &Ec2, now: Duration, id: &str) -> &'static str {
    ec2.visible_volume(now, &home(), id).map_or("gone", |volume| volume.state(now))
}

#[test]
fn one_token_is_one_volume_and_every_other_word_counts() {
    let (mut ec2, [one, other]) = with_snapshots();
    let plain = WantedVolume::plain(&one, ZONE);
    let id = make(&mut ec2, MINUTE, plain, "t", &tag("u")).unwrap();
    assert_eq!(make(&mut ec2, MINUTE * 9, plain, "t", &tag("u")).as_ref(), Ok(&id));
    let two = [tag("u"), [("b".to_owned(), "2".to_owned())]].concat();
    let turned: Vec<_> = two.iter().rev().cloned().collect();
    let pair = make(&mut ec2, MINUTE, plain, "pair", &two).unwrap();
    assert_eq!(make(&mut ec2, MINUTE, plain, "pair", &turned), Ok(pair), "tags have no order");
    for (wanted, tags) in [
        (WantedVolume::plain(&other, ZONE), tag("u")),
        (WantedVolume::plain(&one, "eu-west-1a"), tag("u")),
        (WantedVolume { iops: Some(3_000), ..plain }, tag("u")),
        (WantedVolume { throughput: Some(125), ..plain }, tag("u")),
        (WantedVolume { rate: Some(100), ..plain }, tag("u")),
        (WantedVolume { kind: "gp2", ..plain }, tag("u")),
        (plain, tag("v")),
    ] {
        assert_eq!(make(&mut ec2, MINUTE, wanted, "t", &tags), Err("IdempotentParameterMismatch"), "{wanted:?}");
    }
    assert_eq!(ec2.seen_volumes(MINUTE, &home()).filter(|(_, volume)| volume.made.is_some()).count(), 2);
    assert_ne!(make(&mut ec2, MINUTE, plain, "another", &tag("u")), Ok(id), "without the token it is another volume");
    assert_eq!(make(&mut ec2, MINUTE, plain, &"t".repeat(65), &[]), Err("InvalidParameterValue"));
    assert!(make(&mut ec2, MINUTE, plain, &"t".repeat(64), &[]).is_ok());
}

/// What a token answers then is not documented; here it is what misleads most.
#[test]
fn a_token_names_its_volume_although_it_is_deleted() {
    let (mut ec2, [one, _]) = with_snapshots();
    let plain = WantedVolume::plain(&one, ZONE);
    let id = make(&mut ec2, MINUTE, plain, "t", &[]).unwrap();
    ec2.delete_volume(MINUTE * 2, &home(), &id).unwrap();
    ec2.forget_deleted(MINUTE * 3);
    assert_eq!(make(&mut ec2, MINUTE * 3, plain, "t", &[]).as_ref(), Ok(&id));
    assert_eq!(state(&ec2, MINUTE * 3, &id), "gone");
}

#[test]
fn a_volume_is_made_shown_and_deleted_in_time() {
    let (mut ec2, [one, _]) = with_snapshots();
    (ec2.rules.creating_for, ec2.rules.deleting_for, ec2.rules.visible_after) = (SECOND * 3, MINUTE, SECOND);
    let id = make(&mut ec2, MINUTE, WantedVolume::plain(&one, ZONE), "t", &tag("u")).unwrap();
    assert_eq!(state(&ec2, MINUTE, &id), "gone", "not shown yet");
    assert_eq!(state(&ec2, MINUTE + SECOND, &id), "creating");
    let code = |answer: Result<(), Refusal>| answer.map_err(|refusal| refusal.code);
    assert_eq!(code(ec2.delete_volume(MINUTE + SECOND, &home(), &id)), Err("IncorrectState"));
    assert_eq!(code(ec2.attach(MINUTE + SECOND, &id, INSTANCE, "/dev/sdx")), Err("IncorrectState"));
    let made = MINUTE + SECOND * 3;
    assert_eq!(state(&ec2, made, &id), "available");
    ec2.attach(made, &id, INSTANCE, "/dev/sdx").unwrap();
    assert_eq!(code(ec2.delete_volume(made, &home(), &id)), Err("VolumeInUse"));
    ec2.volumes.get_mut(&id).unwrap().attachment = None;
    assert_eq!(code(ec2.delete_volume(made, &home(), &id)), Ok(()));
    assert_eq!(state(&ec2, made + SECOND, &id), "deleting");
    assert_eq!(code(ec2.delete_volume(made + SECOND, &home(), &id)), Ok(()), "again is the same");
    assert_eq!(state(&ec2, made + MINUTE, &id), "gone");
    assert_eq!(code(ec2.delete_volume(made + MINUTE, &home(), &id)), Err("InvalidVolume.NotFound"));
    let foreign = Home::new("444455556666", "eu-west-1");
    assert_eq!(code(ec2.delete_volume(made, &foreign, DATA[0])), Err("InvalidVolume.NotFound"));
}

#[test]
fn trouble_with_a_key_shows_when_the_volume_should_be_there() {
    let (mut ec2, [one, other]) = with_snapshots();
    ec2.spoiling.insert(one.clone(), [Spoil::Error, Spoil::Vanishes].into());
    let plain = WantedVolume::plain(&one, ZONE);
    let [error, vanished, third] = ["1", "2", "3"].map(|token| make(&mut ec2, MINUTE, plain, token, &[]).unwrap());
    ec2.snapshots.get_mut(&other).unwrap().later.key = Some("key".to_owned());
    ec2.disabled_keys.insert("key".to_owned());
    let disabled = make(&mut ec2, MINUTE, WantedVolume::plain(&other, ZONE), "4", &[]).unwrap();
    for id in [&error, &vanished, &third, &disabled] {
        assert_eq!(state(&ec2, MINUTE, id), "creating");
    }
    let then = MINUTE + SECOND;
    let states = [&error, &vanished, &third, &disabled].map(|id| state(&ec2, then, id));
    assert_eq!(states, ["error", "gone", "available", "error"]);
    assert!(ec2.delete_volume(then, &home(), &error).is_ok());
}

#[test]
fn what_cannot_be_made_is_refused_and_its_token_is_free() {
    let (mut ec2, [one, _]) = with_snapshots();
    let plain = WantedVolume::plain(&one, ZONE);
    let refused =
        |ec2: &mut Ec2, now, wanted, tags: &[(String, String)]| make(ec2, now, wanted, "t", tags).unwrap_err();
    assert_eq!(refused(&mut ec2, Duration::ZERO, plain, &[]), "IncorrectState", "it is pending");
    let nowhere = WantedVolume::plain("snap-00000000", ZONE);
    assert_eq!(refused(&mut ec2, MINUTE, nowhere, &[]), "InvalidSnapshot.NotFound");
    assert_eq!(refused(&mut ec2, MINUTE, WantedVolume::plain(&one, "us-east-1a"), &[]), "InvalidZone.NotFound");
    assert_eq!(refused(&mut ec2, MINUTE, WantedVolume { iops: Some(1), ..plain }, &[]), "InvalidParameterValue");
    let many: Vec<_> = (0..51).map(|number| (format!("k{number}"), String::new())).collect();
    assert_eq!(refused(&mut ec2, MINUTE, plain, &many), "TagLimitExceeded");
    ec2.rules.volume_gib.insert("gp3".to_owned(), 1_999);
    assert_eq!(refused(&mut ec2, MINUTE, plain, &[]), "VolumeLimitExceeded", "three of 500 GiB are there");
    ec2.rules.volume_gib.insert("gp3".to_owned(), 2_000);
    assert!(make(&mut ec2, MINUTE, plain, "t", &[]).is_ok());
    ec2.rules.volume_gib.insert("gp3".to_owned(), 0);
    assert!(make(&mut ec2, MINUTE, plain, "t", &[]).is_ok(), "nothing is made, so nothing is looked at");
}

#[test]
fn rates_of_initialisation_add_up_until_the_data_is_there() {
    let (mut ec2, [one, _]) = with_snapshots();
    ec2.rules.initialization = 500;
    let at = |rate| WantedVolume { rate: Some(rate), ..WantedVolume::plain(&one, ZONE) };
    make(&mut ec2, MINUTE, at(260), "1", &[]).unwrap();
    assert_eq!(make(&mut ec2, MINUTE, at(260), "2", &[]), Err("InitializationRateLimitExceeded"));
    assert!(make(&mut ec2, MINUTE, WantedVolume::plain(&one, ZONE), "3", &[]).is_ok(), "one without a rate has none");
    // 520 MiB at 260 MiB/s, from the moment that it is made.
    assert!(make(&mut ec2, MINUTE + SECOND * 3, at(260), "2", &[]).is_ok());
}

#[test]
fn progress_goes_by_data_and_is_told_late() {
    let (mut ec2, [one, _]) = with_snapshots();
    let id = make(&mut ec2, MINUTE, WantedVolume::plain(&one, ZONE), "t", &[]).unwrap();
    let volume: Volume = ec2.volumes[&id].clone();
    let told = |after: u32, lag: u32| volume.initialized(MINUTE + SECOND * after, SECOND * lag);
    // It is made after a second; 520 MiB at 130 MiB/s.
    assert_eq!([0, 1, 2, 4, 5, 60].map(|after| told(after, 0)), [0, 0, 25, 75, 100, 100].map(Some));
    assert_eq!([5, 6, 7].map(|after| told(after, 5)), [0, 0, 25].map(Some));
    assert_eq!(ec2.volumes[DATA[0]].initialized(MINUTE, Duration::ZERO), None, "of none that no snapshot made");
}
