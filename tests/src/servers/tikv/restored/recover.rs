//! `recover_data.RecoverData` of one process in recovery mode (`facts/restore.md` §3.4).

use super::{kept::Served, keys::encoded};
use crate::{
    models::restored::{NoAnswer, Standing},
    servers::tikv::proto::recover_data::recover_data_server::RecoverData,
};
use futures::Stream;
use plane_actor::edge::proto::recover_data::{
    ReadRegionMetaRequest, RecoverRegionRequest, RecoverRegionResponse, RegionMeta,
};
use shared::ids::RegionId;
use std::{pin::Pin, time::Duration};
use tonic::{Request, Response, Status, Streaming};

/// Between two looks at elections.
const LOOK: Duration = Duration::from_millis(20);

/// The service of one process.
#[derive(Clone)]
pub(super) struct RecoverService {
    pub(super) process: Served,
}

fn status(why: NoAnswer) -> Status {
    match why {
        NoAnswer::Down(why) => Status::unavailable(why),
        NoAnswer::Unimplemented => Status::unimplemented("unknown service recover_data.RecoverData"),
    }
}

#[tonic::async_trait]
impl RecoverData for RecoverService {
    type ReadRegionMetaStream = Pin<Box<dyn Stream<Item = Result<RegionMeta, Status>> + Send>>;

    async fn read_region_meta(
        &self,
        _: Request<ReadRegionMetaRequest>,
    ) -> Result<Response<Self::ReadRegionMetaStream>, Status> {
        let metas = self.process.with(|cluster, pod, _| cluster.region_metas(pod))?.map_err(status)?;
        let told = metas.into_iter().map(|meta| {
            Ok(RegionMeta {
                region_id: meta.region.0,
                peer_id: meta.peer,
                last_log_term: meta.term,
                last_index: meta.last_index,
                // Never set.
                commit_index: 0,
                version: meta.version,
                tombstone: false,
                start_key: encoded(&meta.start),
                end_key: encoded(&meta.end),
            })
        });
        let told: Vec<_> = told.collect();
        Ok(Response::new(Box::pin(futures::stream::iter(told))))
    }

    async fn recover_region(
        &self,
        request: Request<Streaming<RecoverRegionRequest>>,
    ) -> Result<Response<RecoverRegionResponse>, Status> {
        let mut asked = request.into_inner();
        let mut regions = Vec::new();
        // It begins when the client has half-closed, and only leaders count.
        while let Some(one) = asked.message().await? {
            if one.as_leader {
                regions.push(RegionId(one.region_id));
            }
        }
        let begun = self.process.with(|cluster, pod, now| cluster.begin_lead(pod, &regions, now))?;
        let call = begun.map_err(status)?;
        loop {
            match self.process.with(|cluster, _, _| cluster.standing(&call))? {
                Standing::Waiting => tokio::time::sleep(LOOK).await,
                Standing::Answered => {
                    let store_id = self.process.with(|cluster, pod, _| cluster.store_in(pod))?.0;
                    return Ok(Response::new(RecoverRegionResponse { error: None, store_id }));
                }
                Standing::Aborted => return Err(Status::aborted("another task is running")),
                Standing::Broken => return Err(Status::unavailable("the process has ended")),
            }
        }
    }
}
