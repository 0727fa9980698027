//! Do the zones exist in which the volumes would be made?

use super::super::question::{Look, Said};
use crate::{
    budgets::Action,
    ports::{Cloud, Zone},
};
use shared::wire::{FindingState, Inspect};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn look(look: &Look<'_>, cloud: &Cloud, ask: &Inspect) -> Said {
    let wanted: BTreeSet<&str> = ask.verify.snapshots.iter().map(|one| ask.wish.zone_for(&one.zone)).collect();
    match look.ec2(cloud, Action::DescribeByFilter, || cloud.ec2.zones()).await {
        Ok(there) => judge(&wanted, &there, &cloud.region),
        Err(stop) => stop.into(),
    }
}

/// A zone that is impaired may take volumes all the same (`facts/restore.md` §5.3).
fn judge(wanted: &BTreeSet<&str>, there: &[Zone], region: &str) -> Said {
    let there: BTreeMap<&str, &str> = there.iter().map(|zone| (zone.name.as_str(), zone.state.as_str())).collect();
    let (mut amiss, mut doubtful) = (Vec::new(), Vec::new());
    for zone in wanted {
        match there.get(zone) {
            _ if zone.is_empty() => {
                doubtful.push("of some volumes it is not known where they were: name a zone with --zone".to_owned());
            }
            None => amiss.push(format!("the account has no zone {zone} in {region}")),
            Some(&"available") => {}
            Some(&"unavailable") => amiss.push(format!("{zone} is unavailable")),
            Some(state) => doubtful.push(format!("{zone} is {state}")),
        }
    }
    if !amiss.is_empty() {
        return Said::all(FindingState::Broken, &amiss, String::new);
    }
    Said::all(FindingState::Doubtful, &doubtful, || {
        let names = wanted.iter().copied().collect::<Vec<_>>().join(", ");
        format!("{names}: available; which types a zone offers EC2 tells by no call, see volumes")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_that_are_not_there_outweigh_those_that_are_unwell() {
        let there = [("a", "available"), ("b", "impaired"), ("c", "unavailable")]
            .map(|(name, state)| Zone { name: name.to_owned(), state: state.to_owned() });
        let of = |wanted: &[&str]| {
            let said = judge(&wanted.iter().copied().collect(), &there, "eu");
            (said.state, said.text)
        };
        assert_eq!(of(&["a"]).0, FindingState::Sound);
        assert_eq!(of(&["a", "b"]), (FindingState::Doubtful, "b is impaired".to_owned()));
        assert_eq!(of(&["b", "c"]), (FindingState::Broken, "c is unavailable".to_owned()));
        assert_eq!(of(&["a", "d"]), (FindingState::Broken, "the account has no zone d in eu".to_owned()));
        assert_eq!(of(&["", "a"]).0, FindingState::Doubtful);
    }
}
