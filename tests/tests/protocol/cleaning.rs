//! Long cleans and such as EC2 refuses: nothing is left but what a person has to mend, and nobody asks for that in vain.

use crate::{LIMIT, completes, nothing_left, soon, story, world};
use plane_actor::ports::PlaneView;
use serde_json::Value;
use shared::{member::Phase as Member, reason::Reason};
use std::{rc::Rc, time::Duration};
use tests::{
    models::ec2::Guard,
    rig::{KEY, Rig},
    world::Ec2Faults,
};

/// What the status says of the clean-up, while it has failed.
fn clean_failed(rig: &Rig) -> Option<String> {
    let object = rig.control.get(KEY)?;
    let conditions = object["status"]["conditions"].as_array()?;
    let failed =
        conditions.iter().find(|condition| condition["type"] == "CleanFailed" && condition["status"] == "True")?;
    failed["message"].as_str().map(str::to_owned)
}

fn no_deletes(rig: &Rig, denied: bool) {
    rig.world.faults(|faults| {
        faults.ec2.insert("az1".into(), Ec2Faults { no_deletes: denied, ..Ec2Faults::default() });
    });
}

/// What keeps the snapshots of az1, its end, and what the status says of it.
type Kind = (fn(&Rig), fn(&Rig), &'static str);

const KINDS: [Kind; 4] = [
    (
        |rig| rig.world.guard_snapshots("az1", Some(Guard::Ami("ami-0abc".into()))),
        |rig| rig.world.guard_snapshots("az1", None),
        "in use by ami-0abc: deregister this AMI",
    ),
    (
        |rig| rig.world.guard_snapshots("az1", Some(Guard::Lock)),
        |rig| rig.world.guard_snapshots("az1", None),
        "locked: it can go when its snapshot lock ends or is lifted",
    ),
    (
        |rig| rig.world.guard_snapshots("az1", Some(Guard::AwsBackup)),
        |rig| rig.world.guard_snapshots("az1", None),
        "managed by AWS Backup: delete its recovery point there",
    ),
    (|rig| no_deletes(rig, true), |rig| no_deletes(rig, false), "give the role of this backup ec2:DeleteSnapshot"),
];

#[test]
fn what_needs_a_person_is_told_asked_for_seldom_and_gone_once_it_is_mended() {
    for (seed, (keep, mend, words)) in (300..).zip(KINDS) {
        story(world(seed), async |rig: Rc<Rig>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            assert!(completes(&rig, KEY, LIMIT).await);
            let kept = rig.world.left_over().snapshots / 3;
            keep(&rig);
            rig.control.delete(KEY);
            soon("the status says why", || clean_failed(&rig).is_some_and(|text| text.contains(words))).await;
            let text = clean_failed(&rig).unwrap();
            assert!(text.contains("plane az1: left over and needs a person: "), "{text}");
            assert!(text.contains("account 111122223333, eu-west-1"), "{text}");
            let before = rig.world.mutations().ec2_delete_calls;
            tokio::time::sleep(Duration::from_secs(3600)).await;
            let asked = rig.world.mutations().ec2_delete_calls - before;
            assert!((kept..=7 * kept).contains(&asked), "{words}: asked {asked} times in an hour for {kept}");
            mend(&rig);
            // Nobody has to wait for the next try.
            if seed % 2 == 0 {
                rig.kill_plane("az1");
                rig.start_plane("az1");
            } else {
                rig.control.annotate(KEY, "isochron.pingcap.com/try-again", "now");
            }
            let begun = tokio::time::Instant::now();
            soon("all snapshots go", || rig.world.left_over().snapshots == 0).await;
            assert!(begun.elapsed() < Duration::from_secs(60), "{words}: {:?}", begun.elapsed());
            nothing_left(&rig).await;
        });
    }
}

/// Planes keep a member for as long as it may be asked for more, and no longer.
#[test]
fn a_plane_forgets_what_is_cleaned() {
    story(world(309), async |rig: Rc<Rig>| {
        let members = || ["az1", "az2", "az3"].map(|plane| rig.plane_view(plane, |view| view.members.len()));
        rig.control.apply(&rig.manifest("")).unwrap();
        assert!(completes(&rig, KEY, LIMIT).await);
        assert_eq!(members(), [Some(1); 3]);
        assert!(rig.delete(LIMIT).await);
        assert_eq!(members(), [Some(0); 3]);
    });
}

/// Nobody says of an attempt that never went on that it is over.
#[test]
fn a_plane_forgets_what_was_prepared_and_never_went_on() {
    story(world(316), async |rig: Rc<Rig>| {
        let members = || ["az1", "az2", "az3"].map(|plane| rig.plane_view(plane, |view| view.members.len()));
        rig.world.set_transfers(0);
        rig.control.apply(&rig.manifest("")).unwrap();
        let prepared = |view: &PlaneView| view.members.iter().any(|member| member.phase == Member::Prepared);
        soon("every plane has prepared", || {
            ["az1", "az2", "az3"].iter().all(|plane| rig.plane_view(plane, prepared) == Some(true))
        })
        .await;
        rig.kill_coordinator();
        tokio::time::sleep(Duration::from_secs(3000)).await;
        assert_eq!(members(), [Some(1); 3]);
        tokio::time::sleep(Duration::from_secs(1800)).await;
        assert_eq!(members(), [Some(0); 3]);
        rig.start_coordinator();
        let _ = rig.ended(LIMIT).await;
        assert!(rig.delete(LIMIT).await);
        nothing_left(&rig).await;
    });
}

/// It passes by itself, so it is repeated soon, and no person is called for.
#[test]
fn what_others_use_up_for_a_while_is_tried_again_soon() {
    story(world(310), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        assert!(completes(&rig, KEY, LIMIT).await);
        let throttled = |is: bool| {
            rig.world.faults(|faults| {
                faults.ec2.insert("az2".into(), Ec2Faults { throttled_deletes: is, ..Ec2Faults::default() });
            });
        };
        throttled(true);
        rig.control.delete(KEY);
        soon("the status says why", || clean_failed(&rig).is_some()).await;
        let text = clean_failed(&rig).unwrap();
        assert!(text.contains("EC2 throttles: it is tried again") && !text.contains("needs a person"), "{text}");
        throttled(false);
        let begun = tokio::time::Instant::now();
        nothing_left(&rig).await;
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    });
}

fn deleted(rig: &Rig) -> u64 {
    rig.world.mutations().ec2_deletes
}

/// Some minutes of deletions, found by their tags alone; whoever dies meanwhile.
#[test]
fn a_long_clean_outlives_whoever_dies_in_it() {
    let deaths: [fn(&Rig); 3] = [
        |rig| {
            rig.kill_plane("az2");
            rig.start_plane("az2");
        },
        |rig| {
            rig.kill_coordinator();
            rig.start_coordinator();
        },
        |rig| {
            rig.kill_coordinator();
            ["az1", "az2", "az3"].iter().for_each(|plane| rig.kill_plane(plane));
            rig.start_coordinator();
            ["az1", "az2", "az3"].iter().for_each(|plane| rig.start_plane(plane));
        },
    ];
    for (seed, die) in (320..).zip(deaths) {
        story(world(seed), async |rig: Rc<Rig>| {
            rig.control.apply(&rig.manifest("")).unwrap();
            assert!(completes(&rig, KEY, LIMIT).await);
            rig.world.multiply_snapshots(39);
            let all = rig.world.left_over().snapshots;
            rig.control.delete(KEY);
            for part in 1..4 {
                soon("it goes on", || deleted(&rig) >= all * part / 4).await;
                die(&rig);
            }
            nothing_left(&rig).await;
            assert_eq!(deleted(&rig), all, "each once");
        });
    }
}

/// Three planes of one account, two backups at a time, twice as much as EC2 allows: nobody knows of the others.
#[test]
fn planes_of_one_account_share_what_it_may_delete() {
    story(world(330), async |rig: Rc<Rig>| {
        let faster = "    snapshotsDeleteRatio: 2\n";
        rig.control.apply(&rig.manifest(faster)).unwrap();
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", faster)).unwrap();
        let (first, second) = futures::join!(completes(&rig, KEY, LIMIT), completes(&rig, "br-admin/second", LIMIT));
        assert!(first && second);
        rig.world.multiply_snapshots(49);
        let (all, before) = (rig.world.left_over().snapshots, rig.world.mutations());
        let begun = tokio::time::Instant::now();
        rig.control.delete(KEY);
        rig.control.delete("br-admin/second");
        soon("all are deleted", || rig.world.left_over().snapshots == 0).await;
        let least = (all - 100) / 5;
        assert!(
            begun.elapsed() < Duration::from_secs(least * 100 / 93),
            "{all} in {:?}, {least} s at best",
            begun.elapsed()
        );
        let after = rig.world.mutations();
        let (calls, throttled) =
            (after.ec2_delete_calls - before.ec2_delete_calls, after.ec2_throttles - before.ec2_throttles);
        assert!(throttled * 100 <= calls * 4, "{throttled} of {calls} calls were throttled");
        rig.control.wait("br-admin/second", |object: Option<&Value>| object.is_none()).await;
        nothing_left(&rig).await;
        assert!(rig.control.events().iter().all(|event| event.reason != Reason::CleanFailed.as_str()));
    });
}

/// A file in S3 names a snapshot of another backup: whoever may write there must not have that one deleted.
#[test]
fn what_only_a_file_names_and_no_tag_proves_stays() {
    story(world(340), async |rig: Rc<Rig>| {
        rig.control.apply(&rig.manifest("")).unwrap();
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        let (first, second) = futures::join!(completes(&rig, KEY, LIMIT), completes(&rig, "br-admin/second", LIMIT));
        assert!(first && second);
        let meta =
            |prefix: &str| String::from_utf8(rig.world.objects()[&format!("{prefix}-az1/backupmeta")].clone()).unwrap();
        let snapshot = |text: &str| text.split('"').find(|word| word.starts_with("snap-")).unwrap().to_owned();
        let (own, others) = (meta("p"), snapshot(&meta("q")));
        rig.world.put_object("p-az1/backupmeta", own.replacen(&snapshot(&own), &others, 1).as_bytes());
        let all = rig.world.left_over().snapshots;
        rig.control.delete(KEY);
        soon("the status says why", || {
            clean_failed(&rig).is_some_and(|text| text.contains("do not bear this backup's tags"))
        })
        .await;
        let text = clean_failed(&rig).unwrap();
        assert!(text.contains("p-az1/backupmeta names 1 snapshots") && text.contains(&others), "{text}");
        assert_eq!(rig.world.left_over().snapshots, all / 2, "its own went, also the one that the file names no more");
        assert!(
            rig.world.left_over().names.iter().any(|name| name.starts_with(&others)),
            "{:?}",
            rig.world.left_over()
        );
        assert!(rig.world.objects().contains_key("p-az1/backupmeta"), "it alone says what was named");
        rig.control.annotate(KEY, "isochron.pingcap.com/abandon-planes", "az1");
        rig.control.wait(KEY, |object: Option<&Value>| object.is_none()).await;
        assert_eq!(rig.world.left_over().snapshots, all / 2);
    });
}
