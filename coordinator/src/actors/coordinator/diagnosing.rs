//! `console diagnose`: what this process alone knows of itself, and the last steps of its machines. Nothing is changed, and
//! no plane is asked.

use super::{CoordinatorActor, asking::reply};
use crate::{
    actors::messages::AskPast,
    console::{
        self, Answered,
        diagnose::{OfSession, State},
    },
    ports::AdminCall,
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use futures::future::join_all;
use serde_json::json;
use shared::ids::BackupUid;
use shell::driver::Stepped;
use std::time::Duration;
use tokio::time::timeout;

/// A barrier whose save is under way takes no mail; it is not waited for longer than people wait.
const LIMIT: Duration = Duration::from_secs(4);
/// Barriers that are asked: a person names the one that is meant, and a frame has an end.
const ASKED: usize = 16;

impl CoordinatorActor {
    /// Answers when every barrier that is meant has told its steps, or is busy.
    pub(super) fn diagnose(&self, name: Option<&str>, call: AdminCall, ctx: &mut Context<Self>) {
        tracing::info!(who = call.who, name, "console diagnose");
        let is_meant = |uid: &BackupUid| name.is_none_or(|name| self.is_called(uid, name));
        let ended = self.pasts.all().filter(|(uid, _)| is_meant(uid));
        let ended: Vec<_> =
            ended.map(|(uid, steps)| (self.machine_of(uid, "ended"), steps.clone())).take(ASKED).collect();
        let live = self.barriers.iter().filter(|(uid, _)| is_meant(uid)).take(ASKED);
        let asked = live.map(|(uid, live)| {
            let (name, told) = (self.machine_of(uid, "barrier"), live.addr.send(AskPast));
            async move { Some((name, timeout(LIMIT, told).await.ok()?.ok()?)) }
        });
        ctx.spawn(join_all(asked.collect::<Vec<_>>()).into_actor(self).map(move |told, actor, _| {
            let claims = ("claims".to_owned(), actor.claims.past().steps());
            let machines = told.into_iter().flatten().chain(ended).chain([claims]).collect();
            reply(&call, console::text(&Answered::Ok(actor.state(machines).value())));
        }));
    }

    pub(super) fn is_called(&self, uid: &BackupUid, name: &str) -> bool {
        let (namespace, called) = self.names_of(uid);
        console::is_called(name, uid, &namespace, &called)
    }

    fn names_of(&self, uid: &BackupUid) -> (String, String) {
        let view =
            self.views.get(uid).map(|view| (view.record.request.namespace.clone(), view.record.request.name.clone()));
        let ended = || self.ended.get(uid).map(|one| (one.summary.namespace.clone(), one.summary.name.clone()));
        view.or_else(ended).unwrap_or_default()
    }

    fn machine_of(&self, uid: &BackupUid, what: &str) -> String {
        let (namespace, name) = self.names_of(uid);
        format!("{what} {namespace}/{name} {uid}")
    }

    fn state(&self, machines: Vec<(String, Vec<Stepped>)>) -> State {
        let mut metrics = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut metrics, &self.metrics.registry()) {
            metrics = error.to_string();
        }
        let sessions = self.sessions.iter().map(|(plane, session)| OfSession {
            plane: plane.to_string(),
            version: session.hello.version.clone(),
            generation: session.generation,
            since: session.since,
            verifies: session.hello.verifies,
            inspects: session.hello.inspects,
            ends: session.until,
        });
        State {
            now: self.clock.wall(),
            process: self.process(),
            configuration: self.configuration.clone(),
            sessions: sessions.collect(),
            expiries: self.standing.expiries(),
            metrics,
            log: self.ports.logs.recent(),
            machines,
        }
    }

    /// What it is about, and how much it has in memory.
    fn process(&self) -> serde_json::Value {
        let or_why = |what: Result<(), String>| what.err().unwrap_or_else(|| "yes".to_owned());
        json!({
            "writer": self.writer.0,
            "holdsTheLease": self.standing.holder(),
            "leads": or_why(self.standing.leading()),
            "healthy": or_why(self.standing.healthy()),
            "logFilter": self.ports.logs.filter().unwrap_or_default(),
            "ends": self.draining,
            "unreadableRecords": self.unreadable,
            "counts": {
                "objects": self.objects.len(),
                "barriers": self.barriers.len(),
                "ended": self.ended.len(),
                "invalid": self.invalid.len(),
                "orphans": self.orphans.len(),
                "claims": self.claims.machine().held().count(),
                "beginningAgain": self.again.len(),
                "checks": self.checking.under_way,
                "verifications": self.verifying.under_way,
            },
        })
    }
}
