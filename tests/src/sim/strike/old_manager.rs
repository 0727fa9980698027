//! Objects of the manager that stood here before us.

use super::{
    aim::{Aim, Struck, once, until},
    hosts::start_coordinator,
};
use crate::stage::KEY;
use coordinator::{actors::Stored, ports::LedgerKey};
use shared::barrier::Record;

/// What `br` writes into its lock.
const LOCK: &[u8] = b"DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path";
/// Of one that was not finished.
const UNFINISHED: &str = "br-admin/old";

/// The finished backup becomes one that the old manager made; where none is finished, one that it was stopped in appears.
pub(super) fn old_managers_object(aim: &mut Aim<'_>) -> Option<Struck> {
    let stage = aim.stage;
    let complete = stage.control.ledger().into_iter().find_map(|(key, body)| {
        let record = Stored::<Record>::parse(&body).ok()?.body;
        let uid = stage.control.get(KEY)?["metadata"]["uid"].as_str()?.to_owned();
        (matches!(key, LedgerKey::Record(of) if of.as_str() == uid)).then_some(record)
    });
    stage.kill_deposed();
    stage.kill_coordinator();
    let handed = complete.filter(|_| stage.control.hand_to_old_manager(KEY).is_some());
    let Some(record) = handed else {
        let manifest = stage.manifest_of("old", "o", "Delete", "");
        let known = stage.control.get(UNFINISHED).is_some();
        let left = !known && stage.control.leave_unfinished(&manifest, UNFINISHED).is_ok();
        start_coordinator(stage);
        left.then_some(())?;
        return once("there is a backup that the old manager was stopped in");
    };
    for plane in record.planes.keys() {
        let storage = record.request.storage.of_plane(plane);
        stage.world.put_object(&storage.key("backup.lock"), LOCK);
        stage.world.drop_object(&storage.key("isochron-certificate.json"));
    }
    stage.world.strip_tags(&crate::invariants::certified(&record));
    let ms = aim.ms(0, 20_000);
    let struck = until("the backup is one of the old manager's", ms, start_coordinator)?;
    Some(Struck { down: vec![String::new()], ..struck })
}
