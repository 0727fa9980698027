//! Which pod a claim belongs to, by its name.

use crate::wire::PodPlace;

/// `tikv-raft-shop-tikv-2` of the TidbCluster `shop` is volume `tikv-raft` of pod 2; `None`: it is no claim of its TiKV
/// (`facts/restore.md` §2.4).
pub fn pod_place(claim: &str, cluster: &str) -> Option<PodPlace> {
    let (front, ordinal) = claim.rsplit_once('-')?;
    let name = front.strip_suffix("-tikv")?.strip_suffix(cluster)?.strip_suffix('-')?;
    // A leading sign or zero would be another name of the same number.
    let ordinal = Some(ordinal).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?.parse().ok()?;
    (!name.is_empty()).then(|| PodPlace { name: name.to_owned(), ordinal })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_names_volume_and_pod() {
        let of = |claim: &str, cluster: &str| pod_place(claim, cluster).map(|place| (place.name, place.ordinal));
        let is = |name: &str, ordinal| Some((name.to_owned(), ordinal));
        assert_eq!(of("tikv-shop-tikv-0", "shop"), is("tikv", 0));
        assert_eq!(of("tikv-raft-shop-az1-tikv-12", "shop-az1"), is("tikv-raft", 12));
        assert_eq!(of("tikv-tikv-tikv-3", "tikv"), is("tikv", 3), "a cluster may be called so");
        for (claim, cluster) in [
            ("tikv-shop-tikv-0", "other"),
            ("shop-tikv-0", "shop"),
            ("tikv-shop-tikv-", "shop"),
            ("tikv-shop-tikv-+1", "shop"),
            ("tikv-shop-tikv-99999999999", "shop"),
            ("pd-shop-pd-0", "shop"),
            ("", ""),
        ] {
            assert_eq!(of(claim, cluster), None, "{claim} of {cluster}");
        }
    }
}
