//! Objects of the manager that stood here before us.

use super::{
    aim::{Aim, Injected, once, until},
    hosts::start_coordinator,
};
use crate::{control::parse_record, rig::KEY};
use coordinator::ports::LedgerKey;

/// What `br` writes into its lock.
const LOCK: &[u8] = b"DO NOT DELETE\nThis file exists to remind other backup jobs won't use this path";
/// Of one that was not finished.
const UNFINISHED: &str = "br-admin/old";

/// The finished backup becomes one that the old manager made; where none is finished, one that it was stopped in appears.
pub(super) fn old_managers_object(aim: &mut Aim<'_>) -> Option<Injected> {
    let rig = aim.rig;
    let complete = rig.control.ledger().into_iter().find_map(|(key, body)| {
        let record = parse_record(&body)?;
        let uid = rig.control.get(KEY)?["metadata"]["uid"].as_str()?.to_owned();
        (matches!(key, LedgerKey::Record(of) if of.as_str() == uid)).then_some(record)
    });
    rig.kill_deposed();
    rig.kill_coordinator();
    let handed = complete.filter(|_| rig.control.hand_to_old_manager(KEY).is_some());
    let Some(record) = handed else {
        let manifest = rig.manifest_of("old", "o", "Delete", "");
        let known = rig.control.get(UNFINISHED).is_some();
        let left = !known && rig.control.leave_unfinished(&manifest, UNFINISHED).is_ok();
        start_coordinator(rig);
        left.then_some(())?;
        return once("there is a backup that the old manager was stopped in");
    };
    for plane in record.planes.keys() {
        let storage = record.request.storage.of_plane(plane);
        rig.world.put_object(&storage.key("backup.lock"), LOCK);
        rig.world.drop_object(&storage.key("isochron-certificate.json"));
    }
    rig.world.strip_tags(&crate::invariants::certified(&record));
    let ms = aim.ms(0, 20_000);
    let struck = until("the backup is one of the old manager's", ms, start_coordinator)?;
    Some(Injected { down: vec![String::new()], ..struck })
}
