//! The one task of a prepare stream: puts requests into it and pairs replies with askers (`facts/pd-tikv.md` §2.3,
//! §2.4). Lease and Finish replies come in the order of their requests; WaitApply replies come in any order, between
//! them, each naming its region.

use super::{
    pairing::{Pairing, without_keys},
    turns::{Queue, Turns},
};
use crate::{
    edge::{
        proto::backup::{
            PrepareSnapshotBackupEventType as Event, PrepareSnapshotBackupRequest as Request,
            PrepareSnapshotBackupRequestType as Kind, PrepareSnapshotBackupResponse as Reply,
            backup_client::BackupClient,
        },
        tls::chain_of,
    },
    ports::{Applied, HoldError, RegionAt},
};
use std::{
    collections::VecDeque,
    error::Error,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Response, Status, Streaming, transport::Channel};

/// Regions of one WaitApply request. Without their keys, which TiKV does not look at (§2.4), some 20 KiB, where TiKV's
/// other client sends up to 1 MiB (§5.3).
const PART: usize = 1024;

/// Replies taken in one turn. Waits of all stores may be answered at once, and their renewals share this thread.
const REPLIES: u32 = 64;

/// Requests between this task and the connection. One: whatever waits here can no longer be overtaken by a renewal.
const OUT: usize = 1;

/// What the owner of a stream asks for.
pub(super) enum Ask {
    /// UpdateLease.
    Lease { seconds: u64, reply: oneshot::Sender<bool> },
    /// WaitApply; answered by what is known when `within` is over.
    WaitApply { regions: Vec<RegionAt>, within: Duration, reply: oneshot::Sender<Applied> },
    /// Finish.
    Finish { reply: oneshot::Sender<bool> },
}

/// Why the stream ended, once it has.
#[derive(Clone, Default)]
pub(super) struct Ended(Arc<OnceLock<HoldError>>);

impl Ended {
    pub(super) fn why(&self) -> HoldError {
        self.0.get().cloned().unwrap_or_else(|| HoldError::Broken("the stream's task is gone".to_owned()))
    }
}

/// Runs until the stream ends or its owner is gone. Askers left over find the reason in `ended`.
pub(super) async fn run(channel: Channel, turns: Turns, mut asks: mpsc::Receiver<Ask>, ended: Ended) {
    let mut pairing = Pairing::default();
    let why = serve(channel, turns.queue(), &mut asks, &mut pairing).await;
    // Before `asks` and `pairing` are dropped, which closes every asker's channel: who sees that finds the reason here.
    let _ = ended.0.set(why);
}

async fn serve(channel: Channel, mut turns: Queue, asks: &mut mpsc::Receiver<Ask>, pairing: &mut Pairing) -> HoldError {
    let (out, requests) = mpsc::channel(OUT);
    let mut client = BackupClient::new(channel);
    let mut opening = Box::pin(client.prepare_snapshot_backup(ReceiverStream::new(requests)));
    let mut replies = None;
    // Renewals overtake WaitApply requests: a large cover must not let a lease run out.
    let mut urgent = VecDeque::new();
    let (mut writable, mut taken) = (true, 0);
    loop {
        if taken == REPLIES {
            taken = 0;
            tokio::task::yield_now().await;
        }
        let (waiting, unsent) = (!urgent.is_empty() || turns.granted(), pairing.has_unsent());
        let expiry = pairing.deadline();
        tokio::select! {
            biased;
            ask = asks.recv() => match ask {
                Some(Ask::Lease { seconds, reply }) => {
                    pairing.lease(reply);
                    urgent.push_back(Request { ty: Kind::UpdateLease.into(), lease_in_seconds: seconds, regions: Vec::new() });
                }
                Some(Ask::Finish { reply }) => {
                    pairing.lease(reply);
                    urgent.push_back(Request { ty: Kind::Finish.into(), ..Request::default() });
                }
                Some(Ask::WaitApply { regions, within, reply }) => {
                    pairing.wait_apply(regions, Instant::now() + within, reply);
                }
                None => return HoldError::Broken("the stream was let go".to_owned()),
            },
            permit = out.reserve(), if writable && waiting => match permit {
                Ok(permit) => {
                    if let Some(request) = urgent.pop_front().or_else(|| next_wait(pairing, &mut turns)) {
                        permit.send(request);
                    }
                }
                // The connection took its end away; the reason comes as the next reply.
                Err(_) => writable = false,
            },
            () = turns.change(unsent) => {}
            reply = next_reply(opening.as_mut(), &mut replies) => match reply {
                Ok(Some(reply)) => {
                    taken += 1;
                    if reply.ty() == Event::WaitApplyDone {
                        turns.answered();
                    }
                    if let Err(error) = take(pairing, reply) {
                        return error;
                    }
                }
                Ok(None) => return HoldError::Broken("TiKV ended the stream".to_owned()),
                Err(status) => return hold_error(&status),
            },
            () = sleep_until(expiry.unwrap_or_else(Instant::now)), if expiry.is_some() => pairing.expire(),
        }
    }
}

/// The next reply; the call itself resolves with the first one, because TiKV sends no headers before it.
async fn next_reply(
    opening: Pin<&mut impl Future<Output = Result<Response<Streaming<Reply>>, Status>>>,
    replies: &mut Option<Streaming<Reply>>,
) -> Result<Option<Reply>, Status> {
    let stream = match replies {
        Some(stream) => stream,
        None => replies.insert(opening.await?.into_inner()),
    };
    stream.message().await
}

fn take(pairing: &mut Pairing, reply: Reply) -> Result<(), HoldError> {
    let strange = |text: &str| HoldError::Broken(format!("TiKV answered what was not asked: {text}"));
    match Event::try_from(reply.ty) {
        Ok(Event::UpdateLeaseResult) if pairing.leased(reply.last_lease_is_valid) => Ok(()),
        Ok(Event::UpdateLeaseResult) => Err(strange("a lease result too many")),
        Ok(Event::WaitApplyDone) => {
            let region = reply.region.ok_or_else(|| strange("a wait-apply result without a region"))?;
            let id = region.id;
            let known = pairing.applied(region, reply.error.as_ref());
            if known { Ok(()) } else { Err(strange(&format!("a wait-apply result of region {id}"))) }
        }
        Err(_) => Err(strange(&format!("a reply of kind {}", reply.ty))),
    }
}

/// The stream's end in the words of the port (§2.4).
pub(super) fn hold_error(status: &Status) -> HoldError {
    // A status that TiKV sent has no local cause; a reset or a lost connection has one, and may use the same codes.
    let from_tikv = status.source().is_none();
    match status.code() {
        Code::Unimplemented => HoldError::Unimplemented,
        Code::FailedPrecondition => HoldError::Expired,
        Code::Cancelled if from_tikv => HoldError::TakenOver,
        Code::Unavailable if status.message().contains("not initialized") => {
            HoldError::NotReady(status.message().to_owned())
        }
        code => HoldError::Broken(format!("{code:?}: {}", chain_of(status))),
    }
}

/// The next part of a wait; made only when it can be sent, because in this form a region is five times as large.
fn next_wait(pairing: &mut Pairing, turns: &mut Queue) -> Option<Request> {
    let part = if turns.granted() { pairing.next_part(PART) } else { Vec::new() };
    turns.sent(part.len());
    (!part.is_empty()).then(|| wait(&part))
}

fn wait(part: &[RegionAt]) -> Request {
    Request { ty: Kind::WaitApply.into(), regions: part.iter().map(without_keys).collect(), ..Request::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;
    use shared::ids::RegionId;

    #[test]
    fn a_request_is_small() {
        let at = |id| RegionAt { region: RegionId(id), conf_ver: 1 << 40, version: 1 << 40 };
        let part: Vec<_> = (1..=1024).map(at).collect();
        assert_eq!(part.len(), PART);
        let request = wait(&part);
        assert!(request.encoded_len() < 40_000 && request.ty() == Kind::WaitApply);
        assert_eq!(request.regions.iter().map(|region| region.id).collect::<Vec<_>>(), (1..=1024).collect::<Vec<_>>());
        assert!(request.regions.iter().all(|region| region.start_key.is_empty() && region.end_key.is_empty()));
    }

    #[test]
    fn statuses_are_told_apart() {
        assert_eq!(hold_error(&Status::unimplemented("")), HoldError::Unimplemented);
        assert_eq!(hold_error(&Status::cancelled("the loop has been aborted by server")), HoldError::TakenOver);
        assert_eq!(hold_error(&Status::failed_precondition("the lease has expired")), HoldError::Expired);
        assert!(matches!(hold_error(&Status::unavailable("coprocessor not initialized")), HoldError::NotReady(_)));
        assert!(matches!(hold_error(&Status::unavailable("transport error")), HoldError::Broken(_)));
        assert!(matches!(hold_error(&Status::unauthenticated("CN")), HoldError::Broken(_)));
    }
}
