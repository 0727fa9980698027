//! What stands on snapshots: ours and the user's always, their volumes' own as room and policies allow; never a reason to
//! fail under a hold.

use crate::{LIMIT, completes, story, world};
use plane_actor::config::UserTags;
use std::{collections::BTreeMap, rc::Rc};
use tests::{
    rig::{KEY, Rig},
    world::WorldConfig,
};

const OURS: [&str; 8] =
    ["attempt", "backup-name", "backup-namespace", "backup-uid", "cluster-id", "ledger", "path", "plane"];

/// Tags of every snapshot of one backup that must become Complete, as EC2 has them.
async fn tags_of_a_backup(rig: &Rig) -> Vec<BTreeMap<String, String>> {
    rig.control.apply(&rig.manifest("")).unwrap();
    assert!(completes(rig, KEY, LIMIT).await, "{:#?}", rig.control.get(KEY));
    assert_eq!(rig.lies(), Vec::<String>::new());
    let all = rig.world.snapshot_tags();
    for tags in &all {
        let missing = OURS.iter().find(|key| !tags.contains_key(&format!("isochron/{key}")));
        assert_eq!(missing, None, "{tags:?}");
        assert!(tags.len() <= 50 && !tags.keys().any(|key| key.starts_with("aws:")), "{tags:?}");
    }
    assert!(!all.is_empty());
    all
}

fn crowd(count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|number| (format!("t{number:02}"), "v".to_owned()))
}

fn with_one_volume_stores(seed: u64) -> WorldConfig {
    WorldConfig { one_volume_stores: 1, ..world(seed) }
}

#[test]
fn snapshots_bear_what_their_volumes_bear_and_what_the_user_wants() {
    let user = BTreeMap::from([("cost-centre".to_owned(), "42".to_owned())]);
    let config = WorldConfig { user_tags: UserTags::try_from(user).unwrap(), ..with_one_volume_stores(360) };
    story(config, async |rig: Rc<Rig>| {
        let all = tags_of_a_backup(&rig).await;
        let names: std::collections::BTreeSet<&String> = all.iter().map(|tags| &tags["CSIVolumeName"]).collect();
        assert_eq!(names.len(), all.len(), "each its own volume's: {names:?}");
        for tags in &all {
            assert_eq!(tags["cost-centre"], "42");
            assert_eq!(tags["ebs.csi.aws.com/cluster"], "true");
        }
    });
}

#[test]
fn volumes_with_more_tags_than_there_is_room_for_are_backed_up() {
    story(with_one_volume_stores(361), async |rig: Rc<Rig>| {
        let stores = rig.world.stores();
        for (store, _) in &stores {
            rig.world.tag_volumes(*store, crowd(46));
        }
        let all = tags_of_a_backup(&rig).await;
        assert!(all.iter().all(|tags| tags.len() == 50), "as many as there is room for");
    });
}

#[test]
fn a_tag_that_a_volume_gets_under_the_hold_costs_no_backup() {
    // Room for exactly what the volumes bear when they are found.
    story(crate::slow(world(362)), async |rig: Rc<Rig>| {
        let stores = rig.world.stores();
        for (store, _) in &stores {
            rig.world.tag_volumes(*store, crowd(39));
        }
        rig.control.apply(&rig.manifest("")).unwrap();
        crate::at(&rig, shared::barrier::Milestone::Barrier).await;
        for (store, _) in &stores {
            rig.world.tag_volumes(*store, [("one-more".to_owned(), "v".to_owned())]);
        }
        assert!(completes(&rig, KEY, LIMIT).await, "{:#?}", rig.control.get(KEY));
        let all = rig.world.snapshot_tags();
        assert!(!all.is_empty() && all.iter().all(|tags| tags.len() == OURS.len()), "the rest matters more: {all:?}");
    });
}

#[test]
fn where_a_policy_allows_our_tags_alone_the_volumes_own_are_left_out() {
    story(with_one_volume_stores(363), async |rig: Rc<Rig>| {
        rig.world.faults(|faults| {
            for plane in ["az1", "az2", "az3"] {
                faults.ec2.entry(plane.to_owned()).or_default().only_our_tags = true;
            }
        });
        let all = tags_of_a_backup(&rig).await;
        assert!(all.iter().all(|tags| tags.len() == OURS.len()), "{all:?}");
    });
}
