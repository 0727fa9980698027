//! The product's own steps, in their order, against the world.

use crate::hand::{Hand, NAME, NAMESPACE, fresh, owner, story, world};
use plane_actor::{
    actors::recover::{
        Check, Keep, Lead, Leaders, Mark, Meet, RestoredCluster, RollBack, Settle, lead, mark, meet, normal, roll_back,
        timestamps, unmark, verify,
    },
    ports::Gate,
};
use shared::{
    ids::StoreId,
    reason::{Reason, Refusal},
    recovery::{FlashbackTimes, MetStore},
    time::Millis,
};
use std::{collections::BTreeSet, time::Duration};
use tests::world::{TargetCluster, World};

const LIMIT: Duration = Duration::from_secs(900);

/// As a restore knows its target.
struct Steps {
    hand: Hand,
    cluster: RestoredCluster,
}

impl Steps {
    fn new(hand: Hand) -> Self {
        let cluster = RestoredCluster {
            marked: hand.marked.clone(),
            pd: hand.pd.clone(),
            recovery: hand.world.recovery(),
            tikv: hand.tikv(),
            tls: None,
        };
        Self { hand, cluster }
    }

    fn world(&self) -> &World {
        &self.hand.world
    }

    async fn mark_and_place(&self) {
        let order = Mark { above: self.hand.ceiling(), ours: false };
        mark(self.cluster.marked.as_ref(), &order).await.unwrap();
        self.hand.place().await;
    }

    async fn meet(&self) -> Vec<MetStore> {
        let planes = self.hand.certificate.planes.values();
        let stores: BTreeSet<StoreId> =
            planes.flat_map(|plane| &plane.evidence.stores).map(|store| store.store).collect();
        let keep = Keep {
            service: "isochron-restore".to_owned(),
            gc_ttl: Millis::secs(600),
            at: self.hand.certificate.commit_ts,
            pause_ttl: Millis::secs(600),
        };
        let order = Meet { stores, limit: LIMIT, keep };
        let (met, pause) = meet(&self.cluster, &order, &|_, _, _| ()).await.unwrap();
        assert!(!pause.schedulers.is_empty());
        met.stores
    }

    async fn lead(&self) -> Result<Leaders, Refusal> {
        let order = Lead { limit: Duration::from_secs(60), ..Lead::default() };
        lead(&self.cluster, &order, &|_, _, _| ()).await
    }

    /// As often as stores change on the way, with the same times.
    async fn roll_back(&self, times: FlashbackTimes) -> u32 {
        let order = RollBack { times, limit: LIMIT };
        for again in 0..9 {
            match roll_back(&self.cluster, &order, &|_, _, _| ()).await {
                Ok(_) => return again,
                Err(refusal) => {
                    assert!(!matches!(refusal.reason, Reason::EvidenceBroken), "{refusal:?}");
                    self.lead_at_last().await;
                }
            }
        }
        panic!("never rolled back");
    }

    /// A store that restarts is waited for.
    async fn lead_at_last(&self) {
        for _ in 0..9 {
            if self.lead().await.is_ok() {
                return;
            }
        }
        panic!("no leaders: {:?}", self.lead().await);
    }

    async fn end(&self, times: FlashbackTimes) {
        let checked = verify(&self.cluster, &Check { times, one_in: 1 }, &|_, _, _| ()).await.unwrap();
        assert_eq!((checked.different, checked.in_flashback), (0, 0), "{checked:?}");
        assert!(checked.tiling.is_whole() && checked.compared == checked.regions, "{checked:?}");
        unmark(&self.cluster, None).await.unwrap();
        let before = self.world().wall().0.div_euclid(1_000) + 1;
        for plane in self.hand.planes() {
            self.world().placement(&plane).restart_stores(&owner(), before).await.unwrap();
        }
        let settle = Settle { before: checked.stores, limit: LIMIT };
        let settled = normal(&self.cluster, &settle, &|_, _, _| ()).await.unwrap();
        assert!(settled.tiling.is_whole(), "{settled:?}");
        for plane in self.hand.planes() {
            self.world().placement(&plane).end_recovery_mode(&owner(), &Gate::RecoveryMode).await.unwrap();
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        let restored = self.hand.audit();
        assert!(restored.sound(), "{restored:#?}");
    }
}

#[test]
fn the_products_steps_restore_a_certified_backup() {
    for (seed, target) in [
        (940, fresh()),
        (941, TargetCluster { clock_behind_ms: 86_400_000, ..fresh() }),
        (942, TargetCluster::with_static_class(NAMESPACE, NAME, "restored")),
    ] {
        story(world(seed), target, async |hand| {
            let steps = Steps::new(hand);
            steps.mark_and_place().await;
            steps.meet().await;
            let leaders = steps.lead().await.unwrap();
            assert!(leaders.led.tiling.is_whole() && leaders.led.largest_id > 1_000, "{leaders:?}");
            let (version, above) = (steps.hand.certificate.commit_ts, steps.hand.ceiling());
            let times = timestamps(steps.cluster.marked.as_ref(), version, above).await.unwrap();
            assert_eq!(steps.roll_back(times).await, 0);
            steps.end(times).await;
        });
    }
}

/// Stores restart in elections and in the middle of the flashback, answers get lost, regions are without a quorum for a while,
/// streams of metas end too early, whatever a finished region answers.
#[test]
fn what_the_world_does_on_the_way_changes_nothing() {
    for seed in 950..956 {
        story(world(seed), fresh(), async |hand| {
            let steps = Steps::new(hand);
            let store = |nth: u64| StoreId((seed + nth) % 6 + 1);
            steps.world().faults(|faults| {
                faults.restart_at.insert((store(0), "RecoverRegion".to_owned()), 1);
                faults.restart_at.insert((store(1), "KvPrepareFlashbackToVersion".to_owned()), 1);
                faults.restart_at.insert((store(2), "KvFlashbackToVersion".to_owned()), 1);
                for call in ["KvFlashbackToVersion", "KvPrepareFlashbackToVersion", "Coprocessor", "unmark"] {
                    faults.lost_replies.insert(call.to_owned(), 1);
                }
                faults.pd_errors.insert("az1".to_owned(), 1);
            });
            steps.world().alter_target(NAMESPACE, NAME, |cluster| {
                cluster.end_in_flashback.insert(store(3), 1);
                cluster.forgets_flashbacks = seed % 2 == 0;
            });
            steps.mark_and_place().await;
            steps.meet().await;
            steps.lead_at_last().await;
            let (version, above) = (steps.hand.certificate.commit_ts, steps.hand.ceiling());
            let times = timestamps(steps.cluster.marked.as_ref(), version, above).await.unwrap();
            assert!(steps.roll_back(times).await > 0, "nobody restarted");
            steps.end(times).await;
        });
    }
}

/// The steps that must not be carried out are refused.
#[test]
fn what_is_not_fit_is_refused_by_name() {
    story(world(960), TargetCluster { marked: true, ..fresh() }, async |hand| {
        let order = Mark { above: hand.ceiling(), ours: false };
        let refused = mark(hand.marked.as_ref(), &order).await.unwrap_err();
        assert_eq!(refused.reason, Reason::ClusterRecovering, "{refused:?}");
    });
    story(world(961), fresh(), async |hand| {
        let steps = Steps::new(hand);
        steps.mark_and_place().await;
        steps.meet().await;
        let region = steps.world().alter_target(NAMESPACE, NAME, |cluster| {
            let any = cluster.processes.values().next().unwrap().pod.clone();
            let region = cluster.region_metas(&any).unwrap()[0].region;
            cluster.deaf.insert(region);
            region
        });
        let refused = steps.lead().await.unwrap_err();
        assert!(refused.message.contains(&region.unwrap().to_string()), "{refused:?}");
        let version = steps.hand.certificate.commit_ts;
        let low = timestamps(steps.cluster.marked.as_ref(), version, shared::ts::Ts(u64::MAX >> 1)).await;
        assert_eq!(low.unwrap_err().reason, Reason::EvidenceBroken);
    });
}
