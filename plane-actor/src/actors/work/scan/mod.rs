//! What lies in AWS that nothing names any more (`console orphans`)? Snapshots and volumes by our tags and files by our locks, as far as
//! no record and no object that the coordinator knows is theirs. It only reads, unless a person named what may go.

mod delete;
mod files;
mod folders;
mod keep;
mod names;
mod seen;
mod volumes;

use super::{
    cloud,
    question::{Look, Said, Stop},
};
use crate::{actors::plane_context::PlaneContext, ports::Cloud};
use files::Files;
use names::{Key, Names};
use seen::{Group, Seen};
use shared::{
    ids::BackupUid,
    wire::{FOLDERS_MAX, PLACES_MAX, Place, Scan, Scanned, ScannedPlace, UNNAMED_MAX, Unnamed},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    time::Duration,
};

/// Calls of one question: the pages of 100,000 snapshots and of as many files in each of several places, and a lock and a
/// certificate of a thousand folders; at EC2's rates that is more than the time it has.
const CALLS_MAX: usize = 4_000;

/// `busy`: backups that this plane works for at this moment.
pub(crate) async fn scan(env: &Rc<PlaneContext>, ask: &Scan, busy: &BTreeSet<BackupUid>, limit: Duration) -> Scanned {
    let look = Look::new(env, limit, CALLS_MAX);
    let names = Names::of(&ask.known);
    let mut places = Vec::new();
    for place in ask.places.iter().take(PLACES_MAX) {
        places.push(OnePlace { env, look: &look, names: &names, busy, ask, place }.scanned().await);
    }
    Scanned { number: ask.number, places, calls: look.calls() }
}

/// One identity and bucket, and all that is asked there.
struct OnePlace<'a> {
    env: &'a Rc<PlaneContext>,
    look: &'a Look<'a>,
    names: &'a Names,
    busy: &'a BTreeSet<BackupUid>,
    ask: &'a Scan,
    place: &'a Place,
}

impl OnePlace<'_> {
    async fn scanned(&self) -> ScannedPlace {
        let mut told = ScannedPlace { bucket: self.place.spec.storage.bucket.clone(), ..ScannedPlace::default() };
        let cloud = match self.connect().await {
            Ok(cloud) => cloud,
            Err(why) => {
                told.unseen.push(why);
                return told;
            }
        };
        (told.account, told.region) = (cloud.account.clone(), cloud.region.clone());
        let (seen, stopped) = seen::snapshots(self.look, &cloud, self.names, self.ask.delete.as_ref()).await;
        told.snapshots = seen.all;
        told.unseen.extend(stopped.map(|stop| unseen("snapshots", stop)));
        let (left, stopped) = volumes::look_for(self.look, &cloud, self.names, self.ask.delete.as_ref()).await;
        told.unseen.extend(stopped.map(|stop| unseen("volumes", stop)));
        let Seen { groups, folders: mut known, .. } = seen;
        let mut unnamed: BTreeMap<Key, (Group, Files)> = BTreeMap::new();
        for (key, group) in groups {
            known.extend(group.paths.iter().cloned());
            let files = self.files_of(&cloud, &key, &group).await;
            unnamed.insert(key, (group, files));
        }
        for folder in self.place.folders.iter().take(FOLDERS_MAX) {
            let (locks, stopped) = folders::locks(self.look, &cloud, &self.place.spec.storage, folder, &known).await;
            told.unseen.extend(stopped.map(|stop| unseen(&format!("files below {folder}"), stop)));
            for (path, owner) in locks {
                let key = (owner.attempt.backup.clone(), owner.attempt.number);
                let asked = self.ask.delete.as_ref().is_none_or(|only| *only == key.0);
                if !asked || self.names.has(&key) || unnamed.contains_key(&key) {
                    continue;
                }
                let group = Group::of_files(path, owner.ledger);
                let files = self.files_of(&cloud, &key, &group).await;
                unnamed.insert(key, (group, files));
            }
        }
        let (ledger, now) = (self.env.ledger.name(), self.env.clock.wall());
        let row = |(key, (group, files)): (Key, (Group, Files))| {
            let kept = keep::why(&key, &group, &files, &ledger, self.busy.contains(&key.0), now);
            let row = group.told(&key, &files, kept);
            (key, group, row)
        };
        let mut found: Vec<(Key, Group, Unnamed)> = unnamed.into_iter().map(row).collect();
        found.sort_by(|(one, _, a), (other, _, b)| (a.first, one).cmp(&(b.first, other)));
        let row = |(restore, left): (&BackupUid, &volumes::Left)| left.told(restore, &ledger, now);
        told.volumes = left.iter().map(row).take(UNNAMED_MAX).collect();
        if self.ask.delete.is_some() && told.unseen.is_empty() {
            told.deleted = delete::delete(self.env, &self.place.spec, &found).await;
            for row in told.volumes.iter().filter(|row| row.kept.is_none()) {
                volumes::delete(self.look, &cloud, row, told.deleted.get_or_insert_default()).await;
            }
        }
        told.more = found.len().saturating_sub(UNNAMED_MAX) as u64;
        told.found = found.into_iter().take(UNNAMED_MAX).map(|(_, _, row)| row).collect();
        told
    }

    async fn connect(&self) -> Result<Cloud, String> {
        let told = |stop: Stop| Said::from(stop).text;
        self.look.may_call().map_err(told)?;
        self.look.count();
        let connected = self.look.within(cloud::connect(self.env, &self.place.spec)).await.map_err(told)?;
        connected.map_err(|refusal| refusal.to_string())
    }

    async fn files_of(&self, cloud: &Cloud, key: &Key, group: &Group) -> Files {
        match group.path() {
            Some(path) => files::files(self.look, cloud, &self.place.spec.storage, path, key).await,
            None => Files::Unplaced,
        }
    }
}

fn unseen(what: &str, stop: Stop) -> String {
    format!("{what}: {}", Said::from(stop).text)
}
