//! `backup.Backup` of one process of a restored cluster: it is there in recovery mode, too (`facts/restore.md` §3.8).

use super::{kept::Served, kv::region_pb};
use crate::{models::tikv::Lease, servers::tikv::proto::backup::backup_server::Backup};
use futures::Stream;
use plane_actor::{
    edge::proto::{
        backup::{
            CheckAdminRequest, CheckAdminResponse, PrepareSnapshotBackupEventType as Event,
            PrepareSnapshotBackupRequest as Asked, PrepareSnapshotBackupRequestType as Kind,
            PrepareSnapshotBackupResponse as Answer,
        },
        errorpb, metapb,
    },
    ports::RegionAt,
};
use shared::ids::RegionId;
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Replies between a stream's loop and its connection; the loop waits when the client does not read.
const REPLIES: usize = 16;

/// Between two looks at a region that is waited for.
const LOOK: Duration = Duration::from_millis(20);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service of one process.
#[derive(Clone)]
pub(super) struct BackupService {
    pub(super) process: Served,
    pub(super) lease: Arc<Mutex<Lease>>,
    /// Whole seconds since then are the lease's clock.
    pub(super) born: Instant,
}

#[tonic::async_trait]
impl Backup for BackupService {
    type CheckPendingAdminOpStream = Answers<CheckAdminResponse>;
    type PrepareSnapshotBackupStream = Answers<Answer>;

    async fn check_pending_admin_op(
        &self,
        _: Request<CheckAdminRequest>,
    ) -> Result<Response<Self::CheckPendingAdminOpStream>, Status> {
        let led = self.process.with(|cluster, pod, _| cluster.leading(pod))?;
        let told: Vec<_> = led
            .iter()
            .map(|led| {
                let region = Some(region_pb(led));
                Ok(CheckAdminResponse { error: None, region, has_pending_admin: led.pending })
            })
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(told))))
    }

    async fn prepare_snapshot_backup(
        &self,
        request: Request<Streaming<Asked>>,
    ) -> Result<Response<Self::PrepareSnapshotBackupStream>, Status> {
        let (replies, answers) = mpsc::channel(REPLIES);
        let (service, mut asked) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            // A client that half-closes or is gone ends the stream; the lease stays.
            while let Ok(Some(asked)) = asked.message().await {
                let last = asked.ty() == Kind::Finish;
                for reply in service.handle(asked).await {
                    let failed = reply.is_err();
                    if replies.send(reply).await.is_err() || failed {
                        return;
                    }
                }
                if last {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

impl BackupService {
    async fn handle(&self, asked: Asked) -> Vec<Result<Answer, Status>> {
        let now = 1_000 + self.born.elapsed().as_secs();
        let lease = |act: &dyn Fn(&mut Lease) -> bool| {
            let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
            act(&mut lease)
        };
        let result = |valid| {
            let ty = Event::UpdateLeaseResult.into();
            vec![Ok(Answer { ty, region: None, error: None, last_lease_is_valid: valid })]
        };
        match asked.ty() {
            Kind::UpdateLease => result(lease(&|lease| lease.update(now, asked.lease_in_seconds))),
            Kind::Finish => result(lease(&|lease| lease.finish(now))),
            Kind::WaitApply if !lease(&|lease| lease.rejects(now)) => {
                vec![Err(Status::failed_precondition("the lease has expired before waiting apply"))]
            }
            Kind::WaitApply => {
                let mut answers = Vec::new();
                for region in asked.regions {
                    answers.push(self.applied(region).await);
                }
                answers
            }
        }
    }

    async fn applied(&self, region: metapb::Region) -> Result<Answer, Status> {
        let epoch = region.region_epoch.unwrap_or_default();
        let at = RegionAt { region: RegionId(region.id), conf_ver: epoch.conf_ver, version: epoch.version };
        loop {
            let error = match self.process.with(|cluster, pod, _| cluster.wait_apply(pod, at))? {
                None => {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Some(Ok(())) => None,
                Some(Err(message)) => {
                    let mut error = errorpb::Error { message, ..errorpb::Error::default() };
                    if error.message.starts_with("epoch") {
                        error.epoch_not_match = Some(errorpb::EpochNotMatch::default());
                    } else {
                        error.region_not_found = Some(errorpb::RegionNotFound { region_id: region.id });
                    }
                    Some(error)
                }
            };
            let ty = Event::WaitApplyDone.into();
            return Ok(Answer { ty, region: Some(region), error, last_lease_is_valid: false });
        }
    }
}
