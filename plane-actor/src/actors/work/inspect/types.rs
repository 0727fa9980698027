//! What the volumes of the backup are today: whoever restores may want the same. A backup does not note it.

use super::super::{
    question::{Look, Said},
    verify::IDS,
};
use crate::{budgets::Action, ports::Cloud};
use shared::{
    ids::VolumeId,
    wire::{Verify, VolumeKind},
};
use std::collections::{BTreeMap, BTreeSet};

/// By volume; those that are gone are left out.
pub(super) type Types = BTreeMap<VolumeId, VolumeKind>;

pub(super) async fn look(look: &Look<'_>, cloud: &Cloud, ask: &Verify) -> (Types, Said) {
    let ids: Vec<VolumeId> = ask.snapshots.iter().map(|one| one.volume.clone()).collect();
    let mut types = Types::new();
    for part in ids.chunks(IDS) {
        match look.ec2(cloud, Action::DescribeByIds, || cloud.ec2.volumes(part)).await {
            Ok(found) => types.extend(found.into_iter().map(|at| (at.volume, at.kind))),
            Err(stop) => return (types, stop.into()),
        }
    }
    let names: BTreeSet<&str> = types.values().map(|kind| kind.name.as_str()).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let gone = ids.len().saturating_sub(types.len());
    let said = match (types.is_empty(), gone) {
        (true, _) => "none of the backup's volumes is there any more, so their type is not known".to_owned(),
        (false, 0) => format!("all {} volumes of the backup are there today: {names}", types.len()),
        (false, gone) => format!("{} volumes of the backup are there today: {names}; {gone} are gone", types.len()),
    };
    (types, Said::sound(said))
}
