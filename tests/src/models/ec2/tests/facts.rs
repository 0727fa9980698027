//! The rest of the facts on AWS, rule by rule, so that the doubles do not drift into convenience: by section of
//! `facts/aws.md`. What is on the wire only is in the server's own tests.

use super::*;
use crate::models::ec2::{Attachment, BLOCK_BYTES, Rules, WantedVolume};

const FOREIGN: &str = "vol-000000000000000ff";
const NOW: Duration = MINUTE;

fn code<T>(answer: Result<T, Refusal>) -> Result<T, &'static str> {
    answer.map_err(|refusal| refusal.code)
}

/// Volumes that a call of the whole instance would take.
fn taken(ec2: &Ec2, excluded: &[String]) -> Result<Vec<String>, &'static str> {
    let call = Call { instance: INSTANCE, without_root: true, excluded, tags: &[], copy_tags: false };
    code(ec2.chosen(NOW, &home(), &call)).map(|wanted| wanted.into_iter().map(|one| one.volume).collect())
}

/// A1: everything attached when the call comes, a foreign volume on the node too; what is not attached is not.
#[test]
fn what_is_attached_is_taken_whosever_it_is() {
    let mut ec2 = ec2();
    ec2.add_volume(&home(), FOREIGN, INSTANCE, "/dev/sdz", 1);
    assert_eq!(taken(&ec2, &[]).unwrap().len(), DATA.len() + 1, "the foreign one as well");
    assert_eq!(taken(&ec2, &[FOREIGN.to_owned()]).unwrap(), DATA);
    for (status, counts) in [("attaching", true), ("detaching", true), ("busy", true), ("detached", false)] {
        let at = Attachment { instance: INSTANCE.into(), device: "/dev/sdz".into(), status: status.into() };
        ec2.volumes.get_mut(FOREIGN).unwrap().attachment = Some(at);
        assert_eq!(taken(&ec2, &[]).unwrap().contains(&FOREIGN.to_owned()), counts, "{status}");
    }
    // One that is not attached cannot be excluded either, and of nothing there is no set.
    assert_eq!(taken(&ec2, &[FOREIGN.to_owned()]), Err("InvalidParameterValue"));
    assert_eq!(taken(&ec2, &DATA.map(str::to_owned)), Err("InvalidParameterCombination"));
}

/// A1: at most 40 ids, although an instance may have more volumes.
#[test]
fn forty_volumes_can_be_excluded_and_not_one_more() {
    let mut ec2 = ec2();
    let others: Vec<String> =
        (0..41).map(|number| format!("vol-{number:017x}")).map(|id| id.replacen('0', "1", 1)).collect();
    for (number, id) in others.iter().enumerate() {
        ec2.add_volume(&home(), id, INSTANCE, &format!("/dev/xvd{number}"), 1);
    }
    assert_eq!(taken(&ec2, &others[..40]).unwrap().len(), DATA.len() + 1);
    assert_eq!(taken(&ec2, &others), Err("InvalidParameterValue"));
}

/// A1: CreateSnapshot takes one volume, attached or not, and draws from a bucket of its own (A7).
#[test]
fn one_volume_alone_is_snapshotted_attached_or_not() {
    let mut ec2 = ec2();
    ec2.volumes.get_mut(DATA[0]).unwrap().attachment = None;
    assert_eq!(ec2.chosen_one(NOW, &home(), DATA[0], &[]).unwrap().len(), 1);
    let other = Home::new("444455556666", "eu-west-1");
    assert_eq!(code(ec2.chosen_one(NOW, &other, DATA[0], &[])).map(|_| ()), Err("InvalidVolume.NotFound"));
}

/// A3: 15 s and five unfinished ones by default; of st1 and sc1 one.
#[test]
fn a_slow_volume_has_one_slot() {
    let mut ec2 = ec2();
    (ec2.rules.pending_for, ec2.rules.volume_gap) = (MINUTE, Duration::ZERO);
    for _ in 0..5 {
        create(&mut ec2, Duration::ZERO, None).unwrap();
    }
    assert_eq!(create(&mut ec2, Duration::ZERO, None), Err("ConcurrentSnapshotLimitExceeded"));
    create(&mut ec2, MINUTE, None).unwrap();
    ec2.volumes.get_mut(DATA[1]).unwrap().slow = true;
    assert_eq!(create(&mut ec2, MINUTE, None), Err("ConcurrentSnapshotLimitExceeded"));
    create(&mut ec2, MINUTE * 2, None).unwrap();
}

/// A5: accepted; no describe shows it, the Recycle Bin does, and it is there as before.
#[test]
fn what_a_recycle_bin_rule_keeps_is_not_gone() {
    let mut ec2 = ec2();
    ec2.rules.recycle_bin = true;
    let id = create(&mut ec2, Duration::ZERO, None).unwrap().remove(0);
    ec2.delete(&id).unwrap();
    assert_eq!(code(ec2.visible(NOW, &home(), &id)).map(|_| ()), Err("InvalidSnapshot.NotFound"));
    let ids = [id.clone()];
    assert_eq!(ec2.binned(&home(), &ids).collect::<Vec<_>>(), [&id]);
    assert!(ec2.snapshots[&id].exists(NOW), "it costs as before");
    ec2.forget_deleted(NOW);
    assert!(ec2.snapshots.contains_key(&id));
}

/// A2: with no owner the answer has what others share, and public ones; another Region never.
#[test]
fn whoever_names_no_owner_sees_what_others_share() {
    let mut ec2 = ec2();
    let id = create(&mut ec2, Duration::ZERO, None).unwrap().remove(0);
    let other = Home::new("444455556666", "eu-west-1");
    let seen = |ec2: &Ec2, home: &Home| ec2.usable(NOW, home).filter(|(seen, _)| **seen == id).count();
    assert_eq!((seen(&ec2, &home()), seen(&ec2, &other)), (1, 0));
    for with in ["444455556666", "all"] {
        ec2.snapshots.get_mut(&id).unwrap().later.shared_with = vec![with.to_owned()];
        assert_eq!(seen(&ec2, &other), 1, "{with}");
        assert_eq!(ec2.seen(NOW, &other).count(), 0, "it is not its own");
        assert_eq!(seen(&ec2, &Home::new("444455556666", "us-east-1")), 0);
    }
}

/// A6: an index without a block is in no page, a page may be empty and not be the last, and a row without a second token is a
/// block of the first snapshot alone.
#[test]
fn pages_of_blocks_are_cut_by_index() {
    let mut ec2 = ec2();
    let blocks = |ec2: &mut Ec2, written: u64, more: u64| {
        let volume = ec2.volumes.get_mut(DATA[0]).unwrap();
        volume.written = written * BLOCK_BYTES;
        volume.ever_written += more * BLOCK_BYTES;
    };
    blocks(&mut ec2, 10, 10);
    let first = create(&mut ec2, Duration::ZERO, None).unwrap().remove(0);
    blocks(&mut ec2, 8, 2);
    let second = create(&mut ec2, MINUTE, None).unwrap().remove(0);
    let now = MINUTE * 2;
    let page = |from| ec2.block_page(now, &home(), Some(&first), &second, (from, 5)).unwrap();
    assert!(page(0).blocks.is_empty() && page(0).next == Some(5), "empty, and not the last: {:?}", page(0));
    let rest = page(5);
    assert_eq!(rest.next, None);
    let alone: Vec<u64> = rest.blocks.iter().filter(|block| !block.in_second).map(|block| block.index).collect();
    assert_eq!(alone, [8, 9], "of the first snapshot alone: {:?}", rest.blocks);
    assert_eq!(ec2.block_page(now, &home(), None, &second, (0, 100)).unwrap().blocks.len(), 8);
}

/// A6, A13: what can be read by blocks, and what is said of the rest.
#[test]
fn only_what_is_completed_warm_of_one_volume_and_decrypted_is_read() {
    let mut ec2 = ec2();
    ec2.rules.pending_for = MINUTE;
    let set = create(&mut ec2, Duration::ZERO, None).unwrap();
    let [one, other] = [&set[0], &set[1]];
    let read = |ec2: &Ec2, now| code(ec2.block(now, &home(), one, 0)).map(|_| ());
    let listed = |ec2: &Ec2, first: Option<&str>| code(ec2.block_page(MINUTE, &home(), first, one, (0, 1))).map(|_| ());
    assert_eq!(read(&ec2, Duration::ZERO), Err("ValidationException"), "pending");
    assert_eq!((read(&ec2, MINUTE), listed(&ec2, None)), (Ok(()), Ok(())));
    assert_eq!(listed(&ec2, Some(other)), Err("ValidationException"), "snapshots of two volumes");
    assert_eq!(listed(&ec2, Some("snap-00000000")), Err("ResourceNotFoundException"));
    ec2.snapshots.get_mut(one).unwrap().later.archived = true;
    assert_eq!(read(&ec2, MINUTE), Err("ValidationException"), "archived");
    let zone = |ec2: &Ec2, zone| code(ec2.may_create_volume(MINUTE, &home(), &WantedVolume::plain(one, zone)));
    assert_eq!(zone(&ec2, "eu-west-1a"), Err("IncorrectState"), "an archived snapshot makes no volume");
    ec2.snapshots.get_mut(one).unwrap().later.archived = false;
    assert_eq!((zone(&ec2, "eu-west-1a"), zone(&ec2, "us-east-1a")), (Ok(()), Err("InvalidZone.NotFound")));
    ec2.snapshots.get_mut(one).unwrap().later.key = Some("key".to_owned());
    assert_eq!(read(&ec2, MINUTE), Ok(()));
    ec2.disabled_keys.insert("key".to_owned());
    assert_eq!(read(&ec2, MINUTE), Err("ValidationException"), "its key is disabled");
}

/// A3, A6, A7, A13: the very numbers.
#[test]
fn the_numbers_are_those_of_the_facts() {
    let rules = Rules::default();
    let table = [
        ("CreateSnapshots", false, (100, 5)),
        ("CreateSnapshot", false, (100, 5)),
        ("DeleteSnapshot", false, (100, 5)),
        ("CreateVolume", false, (100, 5)),
        ("DeleteVolume", false, (100, 5)),
        ("CreateTags", false, (100, 10)),
        ("DeleteTags", false, (100, 10)),
        ("DescribeSnapshots", true, (100, 20)),
        ("DescribeVolumes", true, (100, 20)),
        ("DescribeInstances", true, (100, 20)),
        ("DescribeSnapshots", false, (50, 10)),
        ("DescribeVolumes", false, (50, 10)),
        ("DescribeInstances", false, (50, 10)),
        ("DescribeSnapshotAttribute", false, (50, 10)),
        ("ListChangedBlocks", false, (50, 50)),
        ("ListSnapshotBlocks", false, (50, 50)),
        ("GetSnapshotBlock", false, (1_000, 1_000)),
    ];
    for (action, paged, (burst, refill)) in table {
        let rate = rules.buckets.get(&Rules::bucket(action, paged));
        assert_eq!(rate, Some(&Rate { burst, refill }), "{action}, paged: {paged}");
    }
    assert_eq!(rules.buckets.len(), table.len(), "a bucket that no fact names: {:?}", rules.buckets);
    assert_eq!((rules.volume_gap, rules.concurrent_per_volume), (Duration::from_secs(15), 5));
    assert_eq!((rules.snapshot_limit, rules.exclusions, rules.tags), (100_000, 40, 50));
    assert_eq!((rules.initialization, rules.volume_gib.len()), (5_000, 0));
    assert_eq!(BLOCK_BYTES, 512 * 1024);
}
