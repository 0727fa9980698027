//! Read once more after the confirmation's renewals; the machine judges.

use super::{
    cloud::{Service, cloud_tried},
    context::WorkContext,
    discovery::Discovery,
    list::{Fold, list},
    prepare::stores_now,
    retry::tried,
};
use crate::ports::LedRegion;
use futures::future::try_join_all;
use shared::{
    evidence::PdEvidence,
    member::{Done, ReadBack, coverage::SettledSet},
    reason::{Reason, Refusal},
    region_set::RegionSet,
    ts::Ts,
};

pub(super) async fn read(context: &WorkContext, gc_hold: Ts) -> Result<Done, Refusal> {
    let discovery = context.discovery()?;
    let volumes = discovery.volumes();
    let (stores, attached) = futures::join!(
        stores_now(discovery.pd.as_ref()),
        cloud_tried(Service::Ec2, "DescribeVolumes", || discovery.cloud.ec2.volumes(&volumes)),
    );
    let stores = stores?;
    let attached = attached?.into_iter().map(|at| (at.volume, at.instance)).collect();
    let pd = if discovery.spec.init {
        let gc_safe_point = tried(Reason::PdUnavailable, || discovery.pd.gc_safe_point()).await?;
        // `Confirm` is sent once every plane's calls were accepted, and this is asked after it came.
        let ts_ceiling = Some(tried(Reason::PdUnavailable, || discovery.pd.now()).await?);
        // Shown only: a PD that does not tell it fails no backup.
        let min_resolved_ts = discovery.pd.min_resolved_ts().await.unwrap_or(Ts::ZERO);
        Some(PdEvidence { gc_hold, gc_safe_point, min_resolved_ts, ts_ceiling, stores: stores.clone() })
    } else {
        None
    };
    let set = if discovery.spec.allow_weaker_holds { Some(regions(context, &discovery).await?) } else { None };
    Ok(Done::ReadBack(ReadBack { stores, attached, pd, set }))
}

impl Fold for SettledSet {
    fn begin(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, led: LedRegion<'_>) {
        SettledSet::take(self, led);
    }
}

/// Every region led here, none with an admin command pending; the certificate compares them with those covered.
async fn regions(context: &WorkContext, discovery: &Discovery) -> Result<RegionSet, Refusal> {
    let asking = discovery.tikv.iter().map(|(store, tikv)| {
        let (store, tikv) = (*store, tikv.clone());
        context.beside(async move {
            let mut led = SettledSet::default();
            list(store, tikv.as_ref(), &mut led).await?;
            led.end().map_err(|repeat| {
                let text = format!("store {store} after the snapshots: {repeat}");
                Refusal::new(Reason::CoverageUnstable, text)
            })
        })
    });
    Ok(try_join_all(asking).await?.into_iter().sum())
}
