//! One connected plane: reads its frames and hands them on. It has a generation; words from a dead one are ignored by
//! its parent. It never restarts: a new link makes a new session.

use super::messages::{FromSession, PlaneMessage, SessionOver};
use actix::{Actor, ActorContext, AsyncContext, Context, Recipient, WrapFuture, fut::ActorFutureExt};
use bytes::Bytes;
use shared::{
    ids::PlaneId,
    wire::{self, Answer, Unknown, Up},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc},
    time::Instant,
};

/// How long the coordinator may take to accept one frame. Its handlers do no I/O, so a second is already a fault; the
/// session ends then, and the plane dials again.
const HAND_ON_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct PlaneSession {
    plane: PlaneId,
    generation: u64,
    frames: Option<mpsc::Receiver<Bytes>>,
    close: Arc<Notify>,
    parent: Recipient<FromSession>,
}

impl PlaneSession {
    pub(super) fn new(
        plane: PlaneId,
        generation: u64,
        frames: mpsc::Receiver<Bytes>,
        close: Arc<Notify>,
        parent: Recipient<FromSession>,
    ) -> Self {
        Self { plane, generation, frames: Some(frames), close, parent }
    }
}

impl Actor for PlaneSession {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let Some(frames) = self.frames.take() else { return };
        let (plane, generation, parent) = (self.plane.clone(), self.generation, self.parent.clone());
        let reading = read(frames, plane.clone(), generation, parent.clone());
        ctx.spawn(reading.into_actor(self).map(|(), _, ctx| ctx.stop()));
        let close = self.close.clone();
        let closing = async move { close.notified().await };
        ctx.spawn(closing.into_actor(self).map(|(), actor, ctx| {
            tracing::warn!(plane = %actor.plane, "closing the session of a plane: its queue is full, or a newer one is there");
            ctx.stop();
        }));
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        // A full mailbox of the parent would lose this; it also sees the closed channel at its next send.
        let over = SessionOver { plane: self.plane.clone(), generation: self.generation };
        let parent = self.parent.clone();
        tokio::task::spawn_local(async move {
            let _ = tokio::time::timeout(HAND_ON_LIMIT, parent.send(FromSession::Over(over))).await;
        });
    }
}

/// Frames that a plane may send in one go, and how many more each second. A barrier of 300 stores is some thousand lines
/// of progress within a few seconds; renewals and answers are a few a second.
const BURST: f64 = 2000.0;
const PER_SECOND: f64 = 50.0;

/// Bytes of them, in the same way: each is unpacked on the thread of all barriers. The longest frames are what a plane found in a scan
/// or has measured, 4 MiB at the most and a few a day; everything else is below 1 KiB.
const BYTES_BURST: f64 = 64.0 * 1024.0 * 1024.0;
const BYTES_PER_SECOND: f64 = 1024.0 * 1024.0;

/// Words of a newer plane actor that are told of one session.
const MAX_WORDS: usize = 16;

/// A budget of frames, and one of bytes, that fill up with time.
struct Budget {
    left: f64,
    bytes: f64,
    at: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { left: BURST, bytes: BYTES_BURST, at: Instant::now() }
    }

    /// Of one frame.
    ///
    /// # Errors
    /// What is used up.
    fn spend(&mut self, length: usize) -> Result<(), String> {
        let now = Instant::now();
        let passed = now.duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * PER_SECOND).min(BURST) - 1.0;
        self.bytes = (self.bytes + passed * BYTES_PER_SECOND).min(BYTES_BURST) - length as f64;
        self.at = now;
        match (self.left >= 0.0, self.bytes >= 0.0) {
            (true, true) => Ok(()),
            (false, _) => Err(format!("more than {PER_SECOND} frames a second, after {BURST} in one go")),
            (_, false) => Err(format!("more than {BYTES_PER_SECOND} bytes a second, after {BYTES_BURST} in one go")),
        }
    }
}

/// Frames of one session, as messages.
struct Frames {
    rx: mpsc::Receiver<Bytes>,
    budget: Budget,
    next: Option<Up>,
    plane: PlaneId,
    /// Words that are not known.
    unknown: BTreeSet<String>,
}

impl Frames {
    /// The next message. Of progress that is already waiting, only the last word on an attempt.
    async fn next(&mut self) -> Option<Result<Up, String>> {
        let mut up = match self.next.take() {
            Some(up) => up,
            None => loop {
                let frame = self.rx.recv().await?;
                match self.message(&frame) {
                    Ok(Some(up)) => break up,
                    Ok(None) => {}
                    Err(error) => return Some(Err(error)),
                }
            },
        };
        while is_progress(&up) {
            let Ok(frame) = self.rx.try_recv() else { break };
            let later = match self.message(&frame) {
                Ok(Some(later)) => later,
                Ok(None) => continue,
                Err(error) => return Some(Err(error)),
            };
            if !replaces(&later, &up) {
                self.next = Some(later);
                break;
            }
            up = later;
        }
        Some(Ok(up))
    }

    /// `None`: a newer plane actor says something that nobody here waits for.
    fn message(&mut self, frame: &Bytes) -> Result<Option<Up>, String> {
        self.budget.spend(frame.len())?;
        let up = match wire::decode(frame) {
            Ok(up) => up,
            Err(error) => match wire::unknown_up(frame) {
                Some(Unknown::Read(up)) => up,
                Some(Unknown::Ignore(word)) => {
                    self.not_known(word);
                    return Ok(None);
                }
                // Planes give no orders.
                Some(Unknown::Refuse { .. }) | None => return Err(format!("frame is not a message: {error}")),
            },
        };
        wire::bounded(up).map(Some).map_err(|error| format!("frame says too much: {error}"))
    }

    /// Told once for each word of a session.
    fn not_known(&mut self, word: String) {
        if self.unknown.len() < MAX_WORDS && self.unknown.insert(word.clone()) {
            tracing::warn!(plane = %self.plane, word, "a newer plane actor says what this coordinator does not know");
        }
    }
}

fn is_progress(up: &Up) -> bool {
    matches!(up, Up::Answer { answer: Answer::Progress(_), .. })
}

fn replaces(later: &Up, up: &Up) -> bool {
    match (later, up) {
        (
            Up::Answer { attempt, epoch, answer: Answer::Progress(_) },
            Up::Answer { attempt: of, epoch: at, answer: Answer::Progress(_) },
        ) => (attempt, epoch) == (of, at),
        _ => false,
    }
}

async fn read(frames: mpsc::Receiver<Bytes>, plane: PlaneId, generation: u64, parent: Recipient<FromSession>) {
    let mut frames =
        Frames { rx: frames, budget: Budget::new(), next: None, plane: plane.clone(), unknown: BTreeSet::new() };
    while let Some(heard) = frames.next().await {
        let up = match heard {
            Ok(up) => up,
            Err(error) => {
                tracing::warn!(%plane, error, "closing the session of a plane");
                return;
            }
        };
        let heard = FromSession::PlaneMessage(PlaneMessage { plane: plane.clone(), generation, up });
        if !matches!(tokio::time::timeout(HAND_ON_LIMIT, parent.send(heard)).await, Ok(Ok(()))) {
            tracing::warn!(%plane, "message of plane was not taken in time; closing its session");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::{
        epoch::Epoch,
        ids::{Attempt, BackupUid},
        wire::{PlanePhase, Progress, Renewed},
    };

    fn said(answer: Answer) -> Bytes {
        let attempt = Attempt { backup: BackupUid::from("u"), number: 1 };
        wire::encode(&Up::Answer { attempt, epoch: Epoch(1), answer }).unwrap().into()
    }

    fn progress(done: u64) -> Answer {
        Answer::Progress(Progress { phase: PlanePhase::Covering, done, total: 9, text: "x".repeat(100_000) })
    }

    fn frames(rx: mpsc::Receiver<Bytes>) -> Frames {
        Frames { rx, budget: Budget::new(), next: None, plane: PlaneId::new("a"), unknown: BTreeSet::new() }
    }

    #[tokio::test(start_paused = true)]
    async fn of_progress_that_waits_the_last_word_is_heard() {
        let (tx, rx) = mpsc::channel(64);
        for answer in [progress(1), progress(2), progress(3), Answer::Renewed(Renewed { number: 7 }), progress(4)] {
            tx.send(said(answer)).await.unwrap();
        }
        drop(tx);
        let mut frames = frames(rx);
        let mut heard = Vec::new();
        while let Some(up) = frames.next().await {
            let Up::Answer { answer, .. } = up.unwrap() else { panic!() };
            heard.push(match answer {
                Answer::Progress(progress) => {
                    assert!(progress.text.len() <= wire::PROGRESS_MAX);
                    progress.done
                }
                _ => 0,
            });
        }
        assert_eq!(heard, [3, 0, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_plane_that_never_stops_talking_is_not_listened_to() {
        let (tx, rx) = mpsc::channel(64);
        let talking =
            tokio::spawn(async move { while tx.send(said(Answer::Renewed(Renewed { number: 1 }))).await.is_ok() {} });
        let mut frames = frames(rx);
        let mut heard = 0;
        while frames.next().await.unwrap().is_ok() {
            heard += 1;
        }
        assert_eq!(heard, 2000);
        drop(frames);
        talking.await.unwrap();
    }

    /// Few frames, and long ones.
    #[tokio::test(start_paused = true)]
    async fn a_plane_that_sends_more_than_anybody_has_to_say_is_not_listened_to() {
        let (tx, rx) = mpsc::channel(1);
        let talking = tokio::spawn(async move {
            let long = Answer::Progress(Progress {
                phase: PlanePhase::Covering,
                done: 1,
                total: 9,
                text: "x".repeat(1 << 20),
            });
            while tx.send(said(long.clone())).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut frames = frames(rx);
        let mut heard = 0;
        let why = loop {
            match frames.next().await.unwrap() {
                Ok(_) => heard += 1,
                Err(why) => break why,
            }
            if heard > 1_000 {
                break "never".to_owned();
            }
        };
        // Ten MiB come each second, and one may.
        assert!((64..75).contains(&heard) && why.contains("bytes a second"), "{heard}: {why}");
        drop(frames);
        talking.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn forty_frames_a_second_are_heard_for_ever() {
        let (tx, rx) = mpsc::channel(64);
        let talking = tokio::spawn(async move {
            for _ in 0..10_000 {
                tokio::time::sleep(Duration::from_millis(25)).await;
                tx.send(said(Answer::Renewed(Renewed { number: 1 }))).await.unwrap();
            }
        });
        let mut frames = frames(rx);
        for _ in 0..10_000 {
            assert!(frames.next().await.unwrap().is_ok());
        }
        talking.await.unwrap();
    }
}
