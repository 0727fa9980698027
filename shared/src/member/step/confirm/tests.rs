#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    evidence::{ClusterStore, CoverDigest, HoldKind},
    ids::{Attempt, BackupUid, ClusterId},
    member::{holds::StoreHolds, machine::Ready},
    request::MemberSpec,
    time::{Instant, Millis},
    ts::Ts,
    wire::Prepared,
};

/// How a store was held: renewals answered, whether one more was asked for, and whether it is confirmed.
type Held = (u64, bool, bool);

fn hold(holds: &mut StoreHolds, known: &PreparedStore, (renewals, one_more, confirmed): Held) {
    let store = known.store;
    holds.take(store, Instant(0), HoldKind::Full);
    for number in 1..=renewals {
        holds.ask(number, Instant(0), Some(store));
        holds.answered(store, number, true, Millis(1));
    }
    if one_more {
        holds.ask(renewals + 1, Instant(0), Some(store));
    }
    if confirmed {
        holds.freeze(known);
    }
}

/// Two stores without volumes.
fn proved(how: [Held; 2]) -> Result<Evidence, Refusal> {
    let ids = [1, 2];
    let prepared = Prepared {
        round: 1,
        cluster: ClusterId(7),
        cluster_version: String::new(),
        stores: ids.map(|id| PreparedStore::example(id, &[])).to_vec(),
        cluster_stores: Vec::new(),
        account: String::new(),
        region: String::new(),
        highest_epoch: Epoch::NONE,
        budgets: None,
    };
    let mut member = Member::new(Attempt { backup: BackupUid::new("uid"), number: 1 }, None, Instant(0));
    for (known, how) in prepared.stores.iter().zip(how) {
        hold(&mut member.holds, known, how);
    }
    member.ready = Some(Ready { spec: MemberSpec { init: false, ..MemberSpec::example() }, prepared });
    (member.commit_ts, member.cover) = (Some(Ts(5)), Some(CoverDigest::default()));
    member.prove(ReadBack {
        stores: ids.map(ClusterStore::example).to_vec(),
        attached: BTreeMap::new(),
        pd: None,
        set: None,
    })
}

/// The machine never comes here without; evidence is looked through all the same, because it is what others rely on.
#[test]
fn no_evidence_without_every_store_and_every_renewal() {
    let (good, not_confirmed, owed) = ((3, false, true), (4, false, false), (2, true, true));
    assert_eq!(proved([good, good]).map(|seen| seen.stores.len()), Ok(2));
    for how in [[good, not_confirmed], [not_confirmed, not_confirmed], [owed, good], [good, owed]] {
        assert_eq!(proved(how).unwrap_err().reason, Reason::StoreHoldLost, "{how:?}");
    }
}
