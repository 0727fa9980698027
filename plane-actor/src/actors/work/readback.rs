//! Read once more after the confirmation's renewals; the machine judges.

use super::{
    Share,
    cloud::{Service, cloud_tried},
    prepare::stores_now,
    tried,
};
use shared::{
    evidence::PdEvidence,
    member::{Done, ReadBack},
    reason::{Reason, Refusal},
    ts::Ts,
};

pub(super) async fn read(share: &Share, gc_hold: Ts) -> Result<Done, Refusal> {
    let site = share.site()?;
    let volumes = site.volumes();
    let (stores, attached) = futures::join!(
        stores_now(site.pd.as_ref()),
        cloud_tried(Service::Ec2, "DescribeVolumes", || site.cloud.ec2.volumes(&volumes)),
    );
    let stores = stores?;
    let attached = attached?.into_iter().map(|at| (at.volume, at.instance)).collect();
    let pd = if site.spec.init {
        let gc_safe_point = tried(Reason::PdUnavailable, || site.pd.gc_safe_point()).await?;
        // Shown only: a PD that does not tell it fails no backup.
        let min_resolved_ts = site.pd.min_resolved_ts().await.unwrap_or(Ts::ZERO);
        Some(PdEvidence { gc_hold, gc_safe_point, min_resolved_ts, stores: stores.clone() })
    } else {
        None
    };
    Ok(Done::ReadBack(ReadBack { stores, attached, pd }))
}
