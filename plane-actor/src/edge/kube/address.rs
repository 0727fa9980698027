//! From the address that a TiKV advertises to the pod behind it (`facts/topology.md` §4).
//!
//! Names decide, never the store-id label: it is never corrected once set, and a plane that shares name and namespace with
//! another differs from it only in the domain. The label is asked only where the address carries no domain.

use k8s_openapi::api::core::v1::Pod;
use shared::{evidence::ClusterStore, ids::StoreId, reason::Reason, reason::Refusal};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The domain of a Kubernetes cluster whose operator object names none.
const DEFAULT_DOMAIN: &str = "cluster.local";

/// Both operators name it so, and without an operator it is how TiKV is told from its sidecars.
pub(crate) const CONTAINER: &str = "tikv";

/// Label that both operators put on TiKV pods (`facts/topology.md` §1).
const STORE_ID_LABEL: &str = "tidb.pingcap.com/store-id";

/// `host` and `port` of `host:port`, `[v6]:port`; lower case, no final dot. `None`: not an address.
pub(crate) fn split(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), port))
}

/// A DNS domain as it was written, in the form that addresses are compared in: lower case, no dot at an end. `None`: none.
pub(crate) fn domain(text: &str) -> Option<String> {
    let domain = text.trim().trim_matches('.').to_ascii_lowercase();
    (!domain.is_empty()).then_some(domain)
}

/// A pod, as far as addresses go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) namespace: String,
    pub(crate) name: String,
    hostname: Option<String>,
    subdomain: Option<String>,
    ips: Vec<IpAddr>,
    ports: BTreeSet<u16>,
    store_label: Option<u64>,
    tikv: bool,
    finished: bool,
}

impl Candidate {
    /// Takes from a pod what addresses need.
    pub(crate) fn of(pod: &Pod) -> Self {
        let spec = pod.spec.as_ref();
        let status = pod.status.as_ref();
        let containers = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
        let tikv = containers.iter().filter(|container| container.name == CONTAINER);
        let ports = tikv.clone().flat_map(|container| container.ports.iter().flatten());
        let label = pod.metadata.labels.as_ref().and_then(|labels| labels.get(STORE_ID_LABEL));
        Self {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            hostname: spec.and_then(|spec| spec.hostname.clone()),
            subdomain: spec.and_then(|spec| spec.subdomain.clone()),
            ips: status
                .and_then(|status| status.pod_ips.as_ref())
                .into_iter()
                .flatten()
                .filter_map(|ip| ip.ip.parse().ok())
                .map(|ip: IpAddr| ip.to_canonical())
                .collect(),
            ports: ports.filter_map(|port| u16::try_from(port.container_port).ok()).collect(),
            store_label: label.and_then(|label| label.parse().ok()),
            tikv: tikv.count() > 0,
            finished: matches!(status.and_then(|status| status.phase.as_deref()), Some("Succeeded" | "Failed")),
        }
    }

    /// What the store-id label says, if it says a number.
    pub(crate) fn store_label(&self) -> Option<u64> {
        self.store_label
    }

    /// How surely `host:port` names this pod; `None`: it does not.
    fn matches(&self, host: &str, port: u16, store: StoreId, domain: Option<&str>) -> Option<Certainty> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            // A finished pod keeps its last address, which may be somebody else's by now; pods on the host's network
            // share one address and differ by port.
            let same = self.tikv && !self.finished && self.ips.contains(&ip.to_canonical());
            return same.then_some(if self.ports.contains(&port) { Certainty::Domain } else { Certainty::Service });
        }
        let mut labels = host.splitn(4, '.');
        let (first, second, third) = (labels.next()?, labels.next()?, labels.next()?);
        let named = first == self.name || self.hostname.as_deref() == Some(first);
        if !named || Some(second) != self.subdomain.as_deref() || third != self.namespace {
            return None;
        }
        let certainty = certainty(labels.next().unwrap_or_default(), domain)?;
        // Without a domain the same name may exist in another plane: there a label that names another store speaks
        // against us.
        let foreign = self.store_label.is_some_and(|label| label != store.0);
        (certainty == Certainty::Domain || domain.is_none() || !foreign).then_some(certainty)
    }
}

/// How much of the name was there to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Certainty {
    /// `pod.subdomain.namespace`: v2 InCluster.
    Names,
    /// … `.svc`: v1 without clusterDomain.
    Service,
    /// … `.svc.<own domain>`.
    Domain,
}

/// What follows the namespace. `None`: another cluster's domain, or no service name at all.
fn certainty(rest: &str, domain: Option<&str>) -> Option<Certainty> {
    if rest.is_empty() {
        return Some(Certainty::Names);
    }
    let rest = rest.strip_prefix("svc")?;
    if rest.is_empty() {
        return Some(Certainty::Service);
    }
    let own = domain.unwrap_or(DEFAULT_DOMAIN);
    rest.strip_prefix('.').is_some_and(|rest| rest.eq_ignore_ascii_case(own)).then_some(Certainty::Domain)
}

/// Namespaces that the addresses name: where their pods would be, if they are in this plane at all.
pub(crate) fn namespaces(stores: &[ClusterStore]) -> BTreeSet<String> {
    let named = |store: &ClusterStore| {
        let (host, _) = split(&store.address)?;
        if host.parse::<IpAddr>().is_ok() {
            return None;
        }
        host.split('.').nth(2).map(str::to_owned)
    };
    stores.iter().filter_map(named).filter(|namespace| !namespace.is_empty()).collect()
}

/// Which store is which pod, as indices into both lists; stores of other planes are left out. Refuses when one pod is
/// named by two stores, or one store by two pods, with nothing to tell them apart.
pub(crate) fn assign(
    stores: &[ClusterStore],
    pods: &[Candidate],
    domain: Option<&str>,
) -> Result<Vec<(usize, usize)>, Refusal> {
    let mut by_pod: BTreeMap<usize, (Certainty, usize)> = BTreeMap::new();
    for (at, store) in stores.iter().enumerate() {
        let Some((host, port)) = split(&store.address) else { continue };
        let fits = pods.iter().enumerate().filter_map(|(pod, candidate)| {
            candidate.matches(&host, port, store.store, domain).map(|certainty| (certainty, pod))
        });
        let Some((certainty, pod)) = only_best(store, pods, fits.collect())? else { continue };
        match by_pod.get(&pod) {
            Some((before, _)) if *before > certainty => {}
            Some((before, other)) if *before == certainty => {
                return Err(Refusal::new(
                    Reason::StoreInTwoPlanes,
                    format!(
                        "stores {} ({}) and {} ({}) both name pod {}/{}",
                        stores[*other].store,
                        stores[*other].address,
                        store.store,
                        store.address,
                        pods[pod].namespace,
                        pods[pod].name
                    ),
                ));
            }
            _ => {
                by_pod.insert(pod, (certainty, at));
            }
        }
    }
    let mut pairs: Vec<_> = by_pod.into_iter().map(|(pod, (_, store))| (store, pod)).collect();
    pairs.sort_unstable();
    Ok(pairs)
}

fn only_best(
    store: &ClusterStore,
    pods: &[Candidate],
    fits: Vec<(Certainty, usize)>,
) -> Result<Option<(Certainty, usize)>, Refusal> {
    let Some(best) = fits.iter().map(|(certainty, _)| *certainty).max() else { return Ok(None) };
    let mut best_fits = fits.into_iter().filter(|(certainty, _)| *certainty == best);
    match (best_fits.next(), best_fits.next()) {
        (Some((_, one)), Some((_, two))) => Err(Refusal::new(
            Reason::StoreInTwoPlanes,
            format!(
                "store {} ({}) is named by pods {}/{} and {}/{}; give each TiKV an address of its own",
                store.store, store.address, pods[one].namespace, pods[one].name, pods[two].namespace, pods[two].name
            ),
        )),
        (first, _) => Ok(first),
    }
}
