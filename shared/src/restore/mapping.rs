//! From volumes of the backup to pods of the restored cluster. A restore goes by ordinals alone: per volume name, sorted, and
//! numbered anew from 0 (`facts/restore.md` §2.4). What is swapped so is noticed when TiKV starts, if then.

use crate::{
    ids::StoreId,
    wire::{PodPlace, Source},
};
use std::collections::{BTreeMap, BTreeSet};

/// Pods of different stores that a text names.
const NAMED: usize = 3;

/// A source, and the pod that its volume goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// `None`: nothing says which.
    pub pod: Option<u32>,
    /// What is restored.
    pub source: &'a Source,
}

/// All of a plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Every source once, in the order of restore: pod by pod, by the volume's name, those without a pod last.
    pub placed: Vec<Placed<'a>>,
    /// What does not fit, for people.
    pub amiss: Vec<String>,
}

/// Numbers pods anew. The order of what is given does not matter.
pub fn mapping(sources: &[Source]) -> Mapping<'_> {
    let mut by_name: BTreeMap<&str, Vec<(u32, &Source)>> = BTreeMap::new();
    let (mut placed, mut amiss) = (Vec::with_capacity(sources.len()), Vec::new());
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by_key(|source| &source.volume);
    for source in sorted {
        match &source.place {
            Some(PodPlace { name, ordinal }) => by_name.entry(name).or_default().push((*ordinal, source)),
            None => {
                amiss.push(format!("backupmeta does not say which pod {} goes to", source.volume));
                placed.push(Placed { pod: None, source });
            }
        }
    }
    let mut pods: BTreeMap<StoreId, BTreeSet<u32>> = BTreeMap::new();
    let mut counts: BTreeMap<usize, &str> = BTreeMap::new();
    for (name, mut of_name) in by_name {
        of_name.sort();
        counts.insert(of_name.len(), name);
        for pair in of_name.windows(2) {
            if let [(ordinal, first), (other, second)] = pair
                && ordinal == other
            {
                amiss.push(format!("{} and {} are both {name} of pod {ordinal}", first.volume, second.volume));
            }
        }
        for (pod, (_, source)) in (0_u32..).zip(of_name) {
            if let Some(store) = source.store {
                pods.entry(store).or_default().insert(pod);
            }
            placed.push(Placed { pod: Some(pod), source });
        }
    }
    let split = pods.iter().filter(|(_, pods)| pods.len() > 1);
    amiss.extend(split.take(NAMED).map(|(store, pods)| {
        let pods = pods.iter().map(u32::to_string).collect::<Vec<_>>().join(" and ");
        format!("volumes of store {store} would go to pods {pods}")
    }));
    if let (Some((least, few)), Some((most, many))) = (counts.first_key_value(), counts.last_key_value())
        && least != most
    {
        amiss
            .push(format!("there are {most} volumes {many} and {least} volumes {few}: not every pod gets one of each"));
    }
    placed.sort_by_cached_key(|one| {
        let name = one.source.place.as_ref().map(|place| place.name.clone());
        (one.pod.is_none(), one.pod, name, one.source.volume.clone())
    });
    Mapping { placed, amiss }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(store: u64, name: &str, ordinal: Option<u32>) -> Source {
        Source {
            store: Some(StoreId(store)),
            place: ordinal.map(|ordinal| PodPlace { name: name.to_owned(), ordinal }),
            ..Source::example(&format!("vol-{name}-{store}"))
        }
    }

    fn order(mapping: &Mapping<'_>) -> Vec<(Option<u32>, String)> {
        mapping.placed.iter().map(|one| (one.pod, one.source.volume.to_string())).collect()
    }

    #[test]
    fn ordinals_with_gaps_are_numbered_anew_and_each_pod_gets_one_store() {
        let sources = [
            source(9, "tikv", Some(4)),
            source(1, "tikv-raft", Some(0)),
            source(9, "tikv-raft", Some(4)),
            source(1, "tikv", Some(0)),
        ];
        let mapped = mapping(&sources);
        assert_eq!(mapped.amiss, Vec::<String>::new());
        let expected = [(0, "vol-tikv-1"), (0, "vol-tikv-raft-1"), (1, "vol-tikv-9"), (1, "vol-tikv-raft-9")];
        assert_eq!(order(&mapped), expected.map(|(pod, volume)| (Some(pod), volume.to_owned())));
        let mut turned = sources.clone();
        turned.reverse();
        assert_eq!(order(&mapping(&turned)), order(&mapped), "whatever order they come in");
    }

    #[test]
    fn a_store_that_lacks_a_volume_shifts_the_rest_and_that_is_told() {
        let sources = [source(1, "tikv", Some(0)), source(2, "tikv", Some(1)), source(2, "tikv-raft", Some(1))];
        let amiss = mapping(&sources).amiss.join("\n");
        assert!(amiss.contains("volumes of store 2 would go to pods 0 and 1"), "{amiss}");
        assert!(amiss.contains("2 volumes tikv and 1 volumes tikv-raft"), "{amiss}");
    }

    #[test]
    fn what_has_no_pod_or_shares_one_is_told_and_is_there_all_the_same() {
        let sources = [source(1, "tikv", Some(0)), source(2, "tikv", Some(0)), source(3, "x", None)];
        let mapped = mapping(&sources);
        assert_eq!(mapped.placed.len(), 3);
        assert_eq!(mapped.placed.last().map(|one| one.pod), Some(None));
        let amiss = mapped.amiss.join("\n");
        assert!(amiss.contains("vol-tikv-1 and vol-tikv-2 are both tikv of pod 0"), "{amiss}");
        assert!(amiss.contains("which pod vol-x-3 goes to"), "{amiss}");
        assert_eq!(mapping(&[]), Mapping::default());
    }
}
