//! `console drain` and `release`: no barrier is begun for a plane that a person works on. What is under way goes on to its
//! end, also clean-ups and verifications. A drain ends by itself, and with the process: forgotten, it costs a backup that
//! fails before anything is touched; kept for ever, it would cost all backups.

use super::{
    CoordinatorActor,
    drains::{Drain, name},
    objects::reference,
};
use crate::{
    actors::messages::{ToBarrier, WantClaim},
    console::{Answered, DrainSeen, Waiting},
    ports::{EventKind, Object},
};
use actix::{AsyncContext, Context};
use serde_json::json;
use shared::{
    barrier::Milestone, calendar::rfc3339, ids::PlaneId, reason::cut, request::Request, time::Millis, wire::TEXT_MAX,
};
use std::{collections::BTreeSet, time::Duration};

/// A drain of which nobody says how long it lasts.
const USUAL: Millis = Millis::secs(3_600);
/// The longest: a day without a backup is what an alert is about.
const LONGEST: Millis = Millis::secs(24 * 3_600);

impl CoordinatorActor {
    /// From now on no barrier is begun for it. One that is there gets the new end.
    pub(super) fn drain(
        &mut self,
        plane: Option<&str>,
        length: Option<Millis>,
        because: &str,
        who: &str,
        ctx: &mut Context<Self>,
    ) -> Answered {
        let length = length.unwrap_or(USUAL);
        if length > LONGEST || length == Millis(0) {
            return Answered::Error(format!(
                "{length} is no length of a drain: at most {LONGEST}, and more than nothing"
            ));
        }
        let what = match plane.map(|plane| self.plane_called(plane)).transpose() {
            Ok(what) => what,
            Err(why) => return Answered::Error(why),
        };
        let (at, wall) = (self.clock.at(), self.clock.wall());
        let ends = wall + length;
        let because = cut(because.to_owned(), TEXT_MAX);
        tracing::warn!(who, plane = name(what.as_ref()), until = rfc3339(ends), because, "a person drains a plane");
        let drain = Drain { since: wall, ends, until: at + length, by: who.to_owned(), because };
        self.drains.all.insert(what, drain);
        self.tell_drained();
        ctx.run_later(Duration::from_millis(length.0), |actor, ctx| actor.end_drains(ctx));
        Answered::Ok(self.drains_seen().iter().map(DrainSeen::row).collect())
    }

    /// Its end, by a person.
    pub(super) fn release(&mut self, plane: Option<&str>, who: &str, ctx: &mut Context<Self>) -> Answered {
        let what = plane.map(PlaneId::from);
        if self.drains.all.remove(&what).is_none() {
            let names: Vec<&str> = self.drains.all.keys().map(|what| name(what.as_ref())).collect();
            let there =
                if names.is_empty() { "nothing is".to_owned() } else { format!("drained: {}", names.join(", ")) };
            return Answered::Error(format!(
                "{} is not drained; {there}",
                cut(name(what.as_ref()).to_owned(), TEXT_MAX)
            ));
        }
        tracing::warn!(who, plane = name(what.as_ref()), "a person releases a drained plane");
        self.begin_again(&format!("{who} released {} on the console", name(what.as_ref())), ctx);
        Answered::Ok(json!({ "released": name(what.as_ref()) }))
    }

    /// Those whose time is over.
    fn end_drains(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.at();
        let over: Vec<_> =
            self.drains.all.iter().filter(|(_, drain)| drain.until <= now).map(|(what, _)| what.clone()).collect();
        for what in over {
            self.drains.all.remove(&what);
            tracing::warn!(plane = name(what.as_ref()), "a drain is over by itself");
            self.begin_again(&format!("the drain of {} is over", name(what.as_ref())), ctx);
        }
    }

    /// Whoever waited is looked at anew, and waits on for what is left.
    fn begin_again(&mut self, why: &str, ctx: &mut Context<Self>) {
        self.tell_drained();
        for uid in std::mem::take(&mut self.drains.held_back) {
            self.look_again(&uid, ctx);
            if let Some(object) = self.objects.get(&uid).filter(|_| !self.drains.held_back.contains(&uid)) {
                self.tell_event(reference(object), EventKind::Normal, "DrainEnded", why.to_owned(), ctx);
            }
        }
        for uid in std::mem::take(&mut self.drains.unclaimed) {
            // It prepares anew and asks; one that is gone waits for nothing.
            self.tell_backup(&uid, ToBarrier::ClaimFree);
        }
    }

    /// Its object is seen, and nothing is begun for it. True: it has to wait.
    pub(super) fn holds_back(&mut self, object: &Object, request: &Request, ctx: &mut Context<Self>) -> bool {
        let planes = request.members.iter().map(|member| &member.plane);
        let Some((drain, _)) = self.drains.of(planes, self.clock.at()) else { return false };
        if self.drains.held_back.insert(object.uid.clone()) {
            tracing::info!(backup = %object.uid, drain, "a backup waits for the end of a drain");
            self.tell_event(
                reference(object),
                EventKind::Normal,
                "Drained",
                format!("it waits for the end of {drain}"),
                ctx,
            );
        }
        true
    }

    /// A barrier is prepared and asks for its claim. True: it has to wait.
    pub(super) fn withholds(&mut self, want: &WantClaim) -> bool {
        let Some(view) = self.views.get(&want.backup) else { return false };
        let Some((drain, _)) = self.drains.of(view.record.planes.keys(), self.clock.at()) else { return false };
        tracing::info!(backup = %want.backup, drain, "a claim is withheld until the end of a drain");
        self.drains.unclaimed.insert(want.backup.clone());
        self.tell_backup(&want.backup, ToBarrier::ClaimTaken(drain));
        true
    }

    /// One that the configuration names, or that is connected.
    fn plane_called(&self, plane: &str) -> Result<PlaneId, String> {
        let plane = PlaneId::from(plane);
        if self.allowed.planes.contains(plane.as_str()) || self.sessions.contains_key(&plane) {
            return Ok(plane);
        }
        let plane = cut(plane.to_string(), TEXT_MAX);
        Err(format!("no plane is called {plane}; `console planes` lists them"))
    }

    fn tell_drained(&self) {
        let all = self.drains.all.contains_key(&None);
        let drained: BTreeSet<&str> = match all {
            true => self.allowed.planes.iter().map(String::as_str).chain(self.drains.names()).collect(),
            false => self.drains.names(),
        };
        self.metrics.drained(&drained);
    }

    /// For people who look.
    pub(super) fn drains_seen(&self) -> Vec<DrainSeen> {
        let now = self.clock.at();
        let is_meant = |what: &Option<PlaneId>, view: &shared::barrier::View| {
            what.as_ref().is_none_or(|plane| view.record.planes.contains_key(plane))
        };
        let seen = self.drains.all.iter().map(|(what, drain)| {
            let under_way = self.views.values().filter(|view| {
                let held =
                    matches!(view.record.milestone, Milestone::Barrier | Milestone::Snapshotting | Milestone::Aborting);
                held && is_meant(what, view)
            });
            DrainSeen {
                plane: what.as_ref().map(PlaneId::to_string),
                since: drain.since,
                ends: drain.ends,
                left: drain.until.since(now),
                by: drain.by.clone(),
                because: drain.because.clone(),
                under_way: under_way
                    .map(|view| format!("{}/{}", view.record.request.namespace, view.record.request.name))
                    .collect(),
            }
        });
        seen.collect()
    }

    /// Backups that wait for the end of one.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let now = self.clock.at();
        let held_back = self.drains.held_back.iter().filter_map(|uid| {
            let object = self.objects.get(uid)?;
            let planes = object.request.as_ref().ok()?.members.iter().map(|member| &member.plane);
            let (drain, left) = self.drains.of(planes, now)?;
            let (namespace, name) = (object.namespace.clone(), object.name.clone());
            Some(Waiting { uid: uid.clone(), namespace, name, drain, left, begun: false })
        });
        let unclaimed = self.drains.unclaimed.iter().filter_map(|uid| {
            let record = &self.views.get(uid)?.record;
            let (drain, left) = self.drains.of(record.planes.keys(), now)?;
            let (namespace, name) = (record.request.namespace.clone(), record.request.name.clone());
            Some(Waiting { uid: uid.clone(), namespace, name, drain, left, begun: true })
        });
        held_back.chain(unclaimed).collect()
    }
}
