//! `console apply` and `delete`: what a person would write with kubectl, for who has no way to the control plane but this.

use super::{CoordinatorActor, asking::reply, objects::reference};
use crate::{
    console::{self, Answered},
    ports::{AdminCall, EventKind, Kind, Named, Object},
};
use actix::{AsyncContext, Context, WrapFuture, fut::ActorFutureExt};
use serde_json::{Value, json};
use shared::{reason::cut, wire::TEXT_MAX};

impl CoordinatorActor {
    /// Answers when the control plane has it; what becomes of it then is another question.
    pub(super) fn apply_as_told(&self, manifest: Value, call: AdminCall, ctx: &mut Context<Self>) {
        let named = match Named::of(&manifest) {
            Ok(named) => named,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        tracing::warn!(who = call.who, object = named.told(), "a person applies an object");
        let manifests = self.ports.manifests.clone();
        let applying = async move { (manifests.apply(&named, &manifest).await, named) };
        ctx.spawn(applying.into_actor(self).map(move |(applied, named), actor, ctx| {
            let answered = match applied {
                Ok(applied) => {
                    // One that is new is seen later, and its own events begin then.
                    actor.tell_person(&named, "Applied", format!("{} applied it on the console", call.who), ctx);
                    Answered::Ok(applied.row(&named))
                }
                Err(error) => Answered::Error(error.to_string()),
            };
            reply(&call, console::text(&answered));
        }));
    }

    /// Answers when the deletion has begun.
    pub(super) fn delete_as_told(&self, kind: &str, name: &str, call: AdminCall, ctx: &mut Context<Self>) {
        let named = match self.to_delete(kind, name) {
            Ok(named) => named,
            Err(why) => return reply(&call, console::no_answer(why)),
        };
        tracing::warn!(who = call.who, object = named.told(), "a person deletes an object");
        self.tell_person(&named, "Deleting", format!("{} deletes it on the console", call.who), ctx);
        let manifests = self.ports.manifests.clone();
        let deleting = async move { (manifests.delete(&named).await, named) };
        ctx.spawn(deleting.into_actor(self).map(move |(deleted, named), _, _| {
            let Named { kind, namespace, name } = named;
            let row = json!({ "kind": kind.as_str(), "namespace": namespace, "name": name, "deleting": true });
            let answered = deleted.map_or_else(|error| Answered::Error(error.to_string()), |()| Answered::Ok(row));
            reply(&call, console::text(&answered));
        }));
    }

    /// The one object of that kind and name.
    fn to_delete(&self, kind: &str, name: &str) -> Result<Named, String> {
        if !self.ready {
            return Err(console::NOT_READ.to_owned());
        }
        let Some(kind) = Kind::called(kind) else {
            return Err(format!(
                "{} is no kind of ours: VolumeBackup, VolumeBackupSchedule or VolumeRestore",
                cut(kind.to_owned(), TEXT_MAX)
            ));
        };
        let found: Vec<(String, String)> = match kind {
            Kind::Backup => self.objects_called(name).map(|one| (one.namespace.clone(), one.name.clone())).collect(),
            Kind::Schedule => {
                let keys = self.checking.schedules.keys();
                let keys = keys.filter(|key| console::is_named(name, &key.namespace, &key.name));
                keys.map(|key| (key.namespace.clone(), key.name.clone())).collect()
            }
            Kind::Restore => self.restores.called(name),
        };
        match found.as_slice() {
            [(namespace, name)] => Ok(Named { kind, namespace: namespace.clone(), name: name.clone() }),
            [] => Err(format!("no {} is called {}", kind.as_str(), cut(name.to_owned(), TEXT_MAX))),
            several => {
                let names: Vec<String> =
                    several.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
                Err(format!("it is in several namespaces; say which: {}", cut(names.join(", "), TEXT_MAX)))
            }
        }
    }

    fn objects_called(&self, name: &str) -> impl Iterator<Item = &Object> {
        self.objects.values().filter(move |one| console::is_called(name, &one.uid, &one.namespace, &one.name))
    }

    /// An event on a backup that is known, for who looks there and not into the log.
    fn tell_person(&self, named: &Named, reason: &'static str, text: String, ctx: &mut Context<Self>) {
        let name = format!("{}/{}", named.namespace, named.name);
        let of_backup = self.objects_called(&name).next().filter(|_| named.kind == Kind::Backup);
        if let Some(object) = of_backup.map(reference) {
            self.tell_event(object, EventKind::Normal, reason, text, ctx);
        }
    }
}
