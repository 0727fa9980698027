//! `backup.Backup` of one store (`facts/pd-tikv.md` §1.12, §2.3, §2.4).

use super::{
    proto::backup::backup_server::Backup,
    state::{Mode, Shared},
    table,
};
use futures::{Stream, StreamExt, stream::FuturesUnordered};
use plane_actor::edge::proto::backup::{
    CheckAdminRequest, CheckAdminResponse, PrepareSnapshotBackupEventType as Event,
    PrepareSnapshotBackupRequest as Asked, PrepareSnapshotBackupRequestType as Kind,
    PrepareSnapshotBackupResponse as Answer,
};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// Replies between a stream's loop and its connection; the loop waits when the client does not read.
const REPLIES: usize = 16;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service of one store.
#[derive(Clone, Debug)]
pub(super) struct BackupService {
    pub(super) shared: Arc<Shared>,
    pub(super) store: u64,
}

#[tonic::async_trait]
impl Backup for BackupService {
    type CheckPendingAdminOpStream = Answers<CheckAdminResponse>;
    type PrepareSnapshotBackupStream = Answers<Answer>;

    async fn check_pending_admin_op(
        &self,
        _: Request<CheckAdminRequest>,
    ) -> Result<Response<Self::CheckPendingAdminOpStream>, Status> {
        let mut state = self.shared.lock();
        if state.stores.get(&self.store).is_some_and(|store| store.knobs.mode == Mode::V2) {
            return Err(Status::internal("CheckPendingAdminOp is not implemented for raftstore v2"));
        }
        // Only leaders answer; a region between leaders is answered by nobody.
        let answers: Vec<_> = state
            .led_by(self.store)
            .map(|region| {
                let has_pending_admin = region.pending_admin;
                Ok(CheckAdminResponse { error: None, region: Some(region.to_pb()), has_pending_admin })
            })
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(answers))))
    }

    async fn prepare_snapshot_backup(
        &self,
        request: Request<Streaming<Asked>>,
    ) -> Result<Response<Self::PrepareSnapshotBackupStream>, Status> {
        let (mine, newest) = self.open()?;
        let (replies, answers) = mpsc::channel(REPLIES);
        let stream = PrepareStream { service: self.clone(), mine, newest, replies, waits: FuturesUnordered::new() };
        tokio::spawn(stream.run(request.into_inner()));
        // No response headers before the first reply (§2.3); a status before any reply stands alone.
        let mut answers = ReceiverStream::new(answers);
        match answers.next().await {
            Some(Err(status)) => Err(status),
            first => Ok(Response::new(Box::pin(futures::stream::iter(first).chain(answers)))),
        }
    }
}

impl BackupService {
    /// Cuts off the stream before this one.
    fn open(&self) -> Result<(u64, watch::Receiver<u64>), Status> {
        let mut state = self.shared.lock();
        let store = state.stores.get_mut(&self.store).ok_or_else(|| Status::internal("no such store"))?;
        if matches!(store.knobs.mode, Mode::Old | Mode::Older) {
            return Err(Status::unimplemented("unknown method PrepareSnapshotBackup for service backup.Backup"));
        }
        store.counters.streams += 1;
        store.newest.send_modify(|newest| *newest += 1);
        let newest = store.newest.subscribe();
        let mine = *newest.borrow();
        Ok((mine, newest))
    }
}

struct PrepareStream {
    service: BackupService,
    mine: u64,
    newest: watch::Receiver<u64>,
    replies: mpsc::Sender<Result<Answer, Status>>,
    waits: FuturesUnordered<oneshot::Receiver<Answer>>,
}

impl PrepareStream {
    async fn run(mut self, mut asked: Streaming<Asked>) {
        loop {
            // In no order, as TiKV's own loop (`components/backup/src/disk_snap.rs`): no renewal waits for replies.
            let next = tokio::select! {
                () = superseded(&mut self.newest, self.mine) => Next::Newer,
                Some(Ok(answer)) = self.waits.next(), if !self.waits.is_empty() => Next::Applied(answer),
                asked = asked.message() => Next::Asked(asked.ok().flatten()),
            };
            let handled = match next {
                Next::Newer => Handled::Fatal(Status::cancelled("the loop has been aborted by server")),
                Next::Applied(answer) => Handled::Answer(answer),
                Next::Asked(Some(asked)) => self.handle(asked),
                // A client that half-closes or is gone ends the stream; the lease stays (§2.3).
                Next::Asked(None) => return,
            };
            let (reply, last) = match handled {
                Handled::Answer(answer) => (Ok(answer), false),
                Handled::Late(answer, delay) => {
                    tokio::time::sleep(delay).await;
                    (Ok(answer), false)
                }
                Handled::Last(answer) => (Ok(answer), true),
                Handled::Fatal(status) => (Err(status), true),
                Handled::Later => continue,
            };
            if self.replies.send(reply).await.is_err() || last {
                return;
            }
        }
    }

    fn handle(&mut self, asked: Asked) -> Handled {
        let now = self.service.shared.seconds();
        let mut state = self.service.shared.lock();
        let state = &mut *state;
        let Some(store) = state.stores.get_mut(&self.service.store) else {
            return Handled::Fatal(Status::internal("no such store"));
        };
        let initialized = store.knobs.mode == Mode::Normal;
        match asked.ty() {
            // Also answered by a server that is not initialised (§2.4).
            Kind::Finish => {
                store.counters.finishes += 1;
                store.note_lease(false);
                Handled::Last(lease_result(store.lease.finish(now)))
            }
            _ if !initialized => Handled::Fatal(Status::unavailable("coprocessor not initialized")),
            Kind::UpdateLease => {
                let taken = asked.lease_in_seconds > 0;
                if taken {
                    store.counters.leases += 1;
                    store.note_lease(true);
                } else {
                    store.counters.probes += 1;
                }
                let valid = store.lease.update(now, asked.lease_in_seconds);
                if store.knobs.mute_renewals {
                    Handled::Later
                } else {
                    Handled::Late(lease_result(valid), store.knobs.renewal_delay)
                }
            }
            Kind::WaitApply => {
                if !store.lease.rejects(now) {
                    return Handled::Fatal(Status::failed_precondition("the lease has expired before waiting apply"));
                }
                store.counters.wait_applies += u64::try_from(asked.regions.len()).unwrap_or(u64::MAX);
                for region in asked.regions {
                    self.waits.push(table::wait_apply(&mut state.regions, self.service.store, region));
                }
                Handled::Later
            }
        }
    }
}

/// Ends when a newer stream was opened.
async fn superseded(newest: &mut watch::Receiver<u64>, mine: u64) {
    // The sender lives as long as the store.
    let _ = newest.wait_for(|newest| *newest != mine).await;
}

enum Next {
    Newer,
    Applied(Answer),
    Asked(Option<Asked>),
}

enum Handled {
    Answer(Answer),
    Late(Answer, Duration),
    Last(Answer),
    Later,
    Fatal(Status),
}

fn lease_result(last_lease_is_valid: bool) -> Answer {
    Answer { ty: Event::UpdateLeaseResult.into(), region: None, error: None, last_lease_is_valid }
}
