//! Claims that wait for a volume, and which store's volumes each pod gets (`facts/restore.md` §4.1, §4.2): all of a store to one pod, in
//! the zone that the pod must run in. Which store meets which pod is otherwise free, so it is chosen by order, always the same.

use std::collections::{BTreeMap, BTreeSet};

/// Pods or stores that a text names.
const NAMED: usize = 3;

/// A claim of a TiKV pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitingClaim {
    /// Its name.
    pub name: String,
    /// The pod that mounts it; empty: not there yet.
    pub pod: String,
    /// Name of the volume within the pod, as v1's claims begin: `tikv` for the data, `tikv-raft`, ….
    pub volume: String,
    /// `storageClassName`
    pub class: String,
    /// Zone that the pod must run in; empty: none is demanded.
    pub zone: String,
    /// `spec.volumeName`; empty: not bound.
    pub bound_to: String,
}

/// Volumes of one store, which go to one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number in the backup, anew from 0.
    pub pod: u32,
    /// Where all of them are.
    pub zone: String,
    /// By the volume's name within a pod: the name of its PersistentVolume.
    pub volumes: BTreeMap<String, String>,
}

/// The claim of each PersistentVolume, by the latter's name. What was bound by an earlier call is counted as it is.
///
/// # Errors
/// In words, what does not fit.
pub fn assign(groups: &[Group], claims: &[WaitingClaim]) -> Result<BTreeMap<String, WaitingClaim>, String> {
    let mut pods: BTreeMap<&str, Pod<'_>> = BTreeMap::new();
    for claim in claims {
        let pod = pods.entry(&claim.pod).or_default();
        if let Some(twin) = pod.claims.insert(&claim.volume, claim) {
            return Err(format!("claims {} and {} are both {} of one pod", twin.name, claim.name, claim.volume));
        }
        if !claim.zone.is_empty() {
            pod.zones.insert(&claim.zone);
        }
    }
    let mut sorted: Vec<&Group> = groups.iter().collect();
    sorted.sort_by_key(|group| group.pod);
    let mut taken: BTreeMap<&str, &Group> = BTreeMap::new();
    for (name, pod) in &pods {
        if let Some(group) = pod.bound_before(name, &sorted)? {
            taken.insert(name, group);
        }
    }
    // Who must run in a zone comes first: the others can go anywhere.
    for demanding in [true, false] {
        for group in &sorted {
            if taken.values().any(|other| other.pod == group.pod) {
                continue;
            }
            let fits = |(name, pod): &(&&str, &Pod<'_>)| {
                !taken.contains_key(**name) && pod.zones.is_empty() != demanding && pod.fits(group)
            };
            if let Some(name) = pods.iter().find(|pair| fits(&(pair.0, pair.1))).map(|(name, _)| *name) {
                taken.insert(name, group);
            }
        }
    }
    complete(&sorted, &pods, &taken)?;
    let of_pod = |(name, group): (&&str, &&Group)| {
        let pod = pods.get(*name)?;
        let pair = |(volume, pv): (&String, &String)| Some((pv.clone(), (*pod.claims.get(volume.as_str())?).clone()));
        Some(group.volumes.iter().filter_map(pair).collect::<Vec<_>>())
    };
    Ok(taken.iter().filter_map(of_pod).flatten().collect())
}

/// Claims of one pod.
#[derive(Default)]
struct Pod<'a> {
    /// By volume.
    claims: BTreeMap<&'a str, &'a WaitingClaim>,
    zones: BTreeSet<&'a str>,
}

impl Pod<'_> {
    /// The very same volumes, and a zone that it may run in.
    fn fits(&self, group: &Group) -> bool {
        self.claims.keys().copied().eq(group.volumes.keys().map(String::as_str))
            && self.zones.iter().all(|zone| *zone == group.zone)
    }

    /// Whose volumes it has; `None`: all of its claims wait.
    fn bound_before<'g>(&self, name: &str, groups: &[&'g Group]) -> Result<Option<&'g Group>, String> {
        let bound = self.claims.values().find(|claim| !claim.bound_to.is_empty());
        let Some(bound) = bound else { return Ok(None) };
        let group = groups.iter().find(|group| group.volumes.values().any(|pv| *pv == bound.bound_to));
        let Some(group) = group else {
            return Err(format!("claim {} is bound to {}, which is none of this restore", bound.name, bound.bound_to));
        };
        let own = |(volume, claim): (&&str, &&WaitingClaim)| {
            claim.bound_to.is_empty() || group.volumes.get(*volume) == Some(&claim.bound_to)
        };
        if !self.fits(group) || !self.claims.iter().all(own) {
            return Err(format!("the claims of pod {name} are bound to volumes of different stores"));
        }
        Ok(Some(group))
    }
}

/// Every store has a pod, and every pod a store: an empty TiKV cannot join while PD is marked.
fn complete(groups: &[&Group], pods: &BTreeMap<&str, Pod<'_>>, taken: &BTreeMap<&str, &Group>) -> Result<(), String> {
    let has_pod = |group: &&&Group| !taken.values().any(|other| other.pod == group.pod);
    let homeless: Vec<String> = groups.iter().filter(has_pod).map(|group| group.told()).collect();
    let empty: Vec<String> = pods
        .iter()
        .filter(|(name, _)| !taken.contains_key(**name))
        .map(|(name, pod)| {
            let volumes: Vec<&str> = pod.claims.keys().copied().collect();
            let zones: Vec<&str> = pod.zones.iter().copied().collect();
            let zone = if zones.is_empty() { String::new() } else { format!(" in {}", zones.join(" and ")) };
            format!("{name} ({}{zone})", volumes.join(", "))
        })
        .collect();
    if homeless.is_empty() && empty.is_empty() {
        return Ok(());
    }
    let named = |all: &[String]| {
        let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
        all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ") + &more
    };
    Err(match (homeless.is_empty(), empty.is_empty()) {
        (false, true) => format!("no TiKV pod waits for the volumes of {}", named(&homeless)),
        (true, _) => format!("the backup has no volumes for the TiKV pods {}", named(&empty)),
        (false, false) => {
            format!("the volumes of {} fit none of the TiKV pods that wait: {}", named(&homeless), named(&empty))
        }
    })
}

impl Group {
    fn told(&self) -> String {
        let volumes: Vec<&str> = self.volumes.keys().map(String::as_str).collect();
        format!("pod {} of the backup ({} in {})", self.pod, volumes.join(", "), self.zone)
    }
}
