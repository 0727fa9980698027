//! The steps of a barrier by hand, through the ports, with one step left out on demand. No line of the protocol is used.

use async_trait::async_trait;
use plane_actor::ports::{CloudIdentity, CreateSnapshots, Dialer, Hold, Pd, PortError, Ports, Tikv};
use shared::{
    ids::{InstanceId, SnapshotId, StoreId},
    request::S3Target,
    time::Millis,
    ts::Ts,
};
use shell::link::Link;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tests::{
    listed::listed,
    world::{Cut, World},
};

/// Which step to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    Nothing,
    /// Snapshots right after the leases; commit_ts is that of just before.
    WaitApply,
    /// commit_ts is read after the snapshots.
    EarlyTs,
    /// Leases end before the snapshots, and the planes take their time.
    Lease,
}

struct NoDialer;

#[async_trait]
impl Dialer for NoDialer {
    async fn dial(&self) -> Result<Link, PortError> {
        Err(PortError::Unavailable("no coordinator here".into()))
    }
}

pub(crate) fn dialer() -> Arc<dyn Dialer> {
    Arc::new(NoDialer)
}

pub(crate) fn storage() -> S3Target {
    S3Target::example("backups", "nightly")
}

struct Held {
    store: StoreId,
    tikv: Arc<dyn Tikv>,
    hold: Arc<dyn Hold>,
}

async fn dial_all(ports: &Ports, pd: &Arc<dyn Pd>) -> anyhow::Result<Vec<Arc<dyn Tikv>>> {
    let mut all = Vec::new();
    for listed in pd.stores().await? {
        all.push(ports.tikv.connect(&listed.address, None).await?);
    }
    Ok(all)
}

/// Opens every store's stream and takes a lease on it.
async fn hold_all(ports: &Ports, pd: &Arc<dyn Pd>) -> anyhow::Result<Vec<Held>> {
    let mut all = Vec::new();
    for listed in pd.stores().await? {
        let tikv = ports.tikv.connect(&listed.address, None).await?;
        let hold = tikv.open_hold().await?;
        anyhow::ensure!(!hold.lease(Millis::secs(60)).await?, "store {} was held already", listed.store);
        all.push(Held { store: listed.store, tikv, hold });
    }
    Ok(all)
}

/// Until every region that a store leads is applied there, before and after alike.
async fn cover(held: &[Held]) -> anyhow::Result<()> {
    for one in held {
        for _ in 0..200 {
            let before = listed(one.tikv.as_ref()).await?;
            let at: Vec<_> = before.iter().map(|led| led.at).collect();
            let applied = one.hold.wait_apply(at).await?.again.is_empty();
            let after = listed(one.tikv.as_ref()).await?;
            if applied && after == before && after.iter().all(|led| !led.pending) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

async fn least_safe_ts(all: &[Arc<dyn Tikv>]) -> anyhow::Result<Ts> {
    for _ in 0..200 {
        let mut least = Ts(u64::MAX);
        for tikv in all {
            for led in listed(tikv.as_ref()).await? {
                least = least.min(tikv.safe_ts(led.at.region).await?);
            }
        }
        if least != Ts::ZERO {
            return Ok(least);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("some region never said its safe_ts")
}

/// One plane's CreateSnapshots, all instances one after the other.
async fn snapshot_plane(world: &World, plane: &str) -> anyhow::Result<Vec<SnapshotId>> {
    let ports = world.plane_ports(plane, dialer());
    let tc = format!("shop-{plane}");
    let located = ports.topology.locate("tidb", &tc).await?;
    let stores = ports.pd.connect(&located.endpoint).await?.stores().await?;
    let cloud = ports.cloud.connect(&CloudIdentity::Default, &storage()).await?;
    let mut wanted: BTreeMap<InstanceId, Vec<_>> = BTreeMap::new();
    for local in ports.topology.local_stores("tidb", &tc, &stores).await? {
        for volume in local.volumes {
            let at = cloud.ec2.volumes(std::slice::from_ref(&volume.volume)).await?.remove(0);
            wanted.entry(at.instance.unwrap()).or_default().push(volume.volume);
        }
    }
    let mut made = Vec::new();
    for (instance, volumes) in wanted {
        let all = cloud.ec2.instances(std::slice::from_ref(&instance)).await?.remove(0);
        let exclude = all.data.into_iter().filter(|volume| !volumes.contains(volume)).collect();
        let tags = vec![("attempt".to_owned(), "1".to_owned())];
        let call = CreateSnapshots { instance, exclude, tags, copy_tags: false, description: String::new() };
        made.extend(cloud.ec2.create_snapshots(&call).await?.into_iter().map(|accepted| accepted.snapshot));
    }
    Ok(made)
}

/// A whole cut; `skip` is left out.
pub(crate) async fn cut_by_hand(world: &World, skip: Skip) -> anyhow::Result<Cut> {
    let ports = world.plane_ports("az1", dialer());
    let located = ports.topology.locate("tidb", "shop-az1").await?;
    let pd = ports.pd.connect(&located.endpoint).await?;
    let gc = pd.min_service_safe_point().await?;
    anyhow::ensure!(pd.hold_gc("by-hand", Millis::secs(300), gc).await? <= gc, "safe point refused");
    let pause = pd.pause_schedulers(Millis::secs(300), None).await?;
    let mut commit_ts = least_safe_ts(&dial_all(&ports, &pd).await?).await?;
    let held = hold_all(&ports, &pd).await?;
    let tikv: Vec<_> = held.iter().map(|one| Arc::clone(&one.tikv)).collect();
    if skip != Skip::WaitApply {
        cover(&held).await?;
        commit_ts = least_safe_ts(&tikv).await?;
    }
    if skip == Skip::Lease {
        for one in &held {
            anyhow::ensure!(one.hold.finish().await?, "store {} was not held", one.store);
        }
    }
    let mut snapshots = Vec::new();
    for plane in world.config().planes {
        snapshots.extend(snapshot_plane(world, &plane.name).await?);
        if skip == Skip::EarlyTs {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    if skip == Skip::EarlyTs {
        commit_ts = least_safe_ts(&tikv).await?;
    }
    if skip != Skip::Lease {
        for one in &held {
            anyhow::ensure!(one.hold.lease(Millis::secs(1)).await?, "store {} had a gap", one.store);
            one.hold.finish().await?;
        }
    }
    pd.resume_schedulers(&pause).await?;
    pd.drop_gc_hold("by-hand").await?;
    world.cut(&snapshots, commit_ts).map_err(anyhow::Error::msg)
}
