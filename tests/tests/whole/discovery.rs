//! The rig by itself: what a plane's edges find on it, from PD's stores down to the volumes of each instance.

use plane_actor::{
    edge::{
        kube::{KubeTopology, TopologyConfig},
        pd::PdConnector,
        tikv::{StatusAddresses, TikvConnector},
    },
    ports::{PdConnect, TikvConnect, Topology},
};
use shared::{
    evidence::StoreState,
    ids::{InstanceId, VolumeId},
    time::Millis,
};
use std::{collections::BTreeSet, time::Duration};
use tests::processes::{
    cluster_objects::Part,
    environment::{ACCOUNT, REGION},
    rig::Rig,
    site::{PLANES, SitePlan},
};
use tokio::time::{Instant, sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rig_leads_from_pd_to_volumes() {
    let rig = Rig::servers(&[SitePlan::shop()]).await.unwrap();
    let site = &rig.sites[0];
    let cloud = rig.cloud().await.unwrap();
    assert_eq!((cloud.account.as_str(), cloud.region.as_str()), (ACCOUNT, REGION));
    let mut found = BTreeSet::new();
    for (plane, part) in PLANES.iter().zip(&site.parts) {
        // With the rights that the plane's actor has, not the administrator's.
        let kubeconfig = rig.kubeconfig(plane).await.unwrap();
        let client = coordinator::edge::kube::client_of(&kubeconfig).await.unwrap();
        let topology = KubeTopology::new(client, TopologyConfig::default());
        let located = topology.locate(&part.namespace, &part.name).await.unwrap();
        assert_eq!(located.endpoint.urls, [site.pd.url()]);
        let book = StatusAddresses::default();
        let pd = PdConnector::new(book.clone()).connect(&located.endpoint).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let listed = loop {
            let listed = pd.stores().await.unwrap();
            if site.addresses(&listed) && listed.iter().all(|store| store.state == StoreState::Up) {
                break listed;
            }
            assert!(Instant::now() < deadline, "PD lists {listed:?}");
            sleep(Duration::from_millis(200)).await;
        };
        assert!(listed.iter().all(|store| store.uptime > Millis::secs(180)), "none is just started: {listed:?}");

        let local = topology.local_stores(&part.namespace, &part.name, &listed).await.unwrap();
        let shown: Vec<_> = local
            .iter()
            .map(|store| {
                let volumes =
                    store.volumes.iter().map(|it| (it.volume.to_string(), it.mount_path.clone(), it.kind.clone()));
                (store.store.0, store.pod.clone(), volumes.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(shown, expected(part), "{plane}");
        for (store, is) in local.iter().zip(&part.stores) {
            found.insert(store.store);
            let ids: Vec<VolumeId> = store.volumes.iter().map(|volume| volume.volume.clone()).collect();
            let at = cloud.ec2.volumes(&ids).await.unwrap();
            assert!(at.iter().all(|row| row.instance == Some(InstanceId::from(is.instance.as_str()))), "{at:?}");
            let instance = &cloud.ec2.instances(&[InstanceId::from(is.instance.as_str())]).await.unwrap()[0];
            assert_eq!(instance.root, Some(VolumeId::from(is.root.as_str())));
            assert!(instance.data.contains(&VolumeId::from(is.foreign.as_str())), "a volume to exclude: {instance:?}");
            let address = site.tikv.address(store.store);
            let tikv = TikvConnector::new(book.clone()).connect(&address, None).await.unwrap();
            let settings = tikv.settings().await.unwrap();
            assert!(settings.raft_kv && settings.resolved_ts_enabled && settings.report_enabled, "{settings:?}");
        }
        let secret = topology.secret(&part.namespace, "s3-secret").await.unwrap();
        assert!(secret.contains_key("access_key") && secret.contains_key("secret_key"));
    }
    assert_eq!(found.len(), site.stores().count(), "every store is in a plane");
    assert_eq!(rig.traces().await.unwrap(), tests::processes::leftovers::Leftovers::default());
    assert_eq!(rig.touched().await.unwrap(), rig.untouched());
}

/// Store id, pod, and each volume with its mount and its kind.
type Row = (u64, String, Vec<(String, String, String)>);

fn expected(part: &Part) -> Vec<Row> {
    let volume = |id: &String, mount: &str, kind: &str| (id.clone(), mount.to_owned(), kind.to_owned());
    let rows = part.stores.iter().enumerate().map(|(ordinal, store)| {
        let volumes = vec![
            volume(&store.data, "/var/lib/tikv", "storage.data-dir"),
            volume(&store.raft, "/var/lib/raft", "raft-engine.dir"),
        ];
        (store.id, part.pod_name(ordinal), volumes)
    });
    rows.collect()
}
