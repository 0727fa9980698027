//! Would EC2 make volumes of them? A dry run for one snapshot of each zone and key, in the zone where its volume would be. What EC2 looks at in a dry run besides
//! rights is not documented (`facts/aws.md` A13): a refusal counts, a yes is no proof that the key works.

use super::{
    super::question::{Look, Said, Stop},
    snapshots::Shown,
};
use crate::{
    budgets::Action,
    ports::{Cloud, CloudError, CreateVolume},
};
use shared::wire::{FindingState, Verify, VolumeWish};
use std::collections::BTreeMap;

/// Dry runs: a plane lies in one zone or three, and its volumes have a key or two.
pub(super) const AT_MOST: usize = 8;

pub(super) async fn look(look: &Look<'_>, cloud: &Cloud, ask: &Verify, wish: &VolumeWish, shown: &Shown) -> Said {
    let usable = shown.usable(ask);
    let kinds: BTreeMap<(&str, &str), _> = usable
        .iter()
        .map(|(one, info)| ((wish.zone_for(&one.zone), info.storage.key.as_str()), &one.snapshot))
        .collect();
    if kinds.is_empty() {
        return Said::new(FindingState::Unchecked, "there is no snapshot of which a volume could be made");
    }
    let (mut amiss, mut stopped, mut unknown) = (Vec::new(), None, 0);
    for ((zone, _), snapshot) in kinds.iter().take(AT_MOST) {
        if zone.is_empty() {
            unknown += 1;
            continue;
        }
        let (snapshot, zone) = ((*snapshot).clone(), (*zone).to_owned());
        let call = CreateVolume { snapshot, zone, kind: wish.kind.clone(), rate: wish.rate };
        match look.ec2(cloud, Action::CreateVolume, || cloud.ec2.may_create_volume(&call)).await {
            Ok(()) => {}
            Err(Stop::Answer(error @ (CloudError::Refused { .. } | CloudError::NotFound(_)))) => {
                amiss.push(format!("of {} in {}: {error}", call.snapshot, call.zone));
            }
            Err(stop) => stopped = Some(stop),
        }
    }
    if !amiss.is_empty() {
        return Said::all(FindingState::Broken, &amiss, String::new);
    }
    if let Some(stop) = stopped {
        return stop.into();
    }
    let (asked, of) = (kinds.len().min(AT_MOST) - unknown, kinds.len());
    if asked == 0 {
        return Said::new(FindingState::Doubtful, "the zones of the volumes are not known, so nothing was asked");
    }
    Said::sound(format!(
        "EC2 would make a volume of each of {asked} (of {of} kinds by zone and key); a dry run does not try the key"
    ))
}
