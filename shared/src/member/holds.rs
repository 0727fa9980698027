//! Store holds as the machine knows them: leases, their renewals, and how far each is confirmed (E2).

use crate::{
    evidence::{HoldKind, PreparedStore, StoreEvidence},
    ids::StoreId,
    time::{Instant, Millis},
};
use std::collections::{BTreeMap, BTreeSet};

/// Every store that is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct StoreHolds {
    stores: BTreeMap<StoreId, StoreHold>,
    /// `OpenHolds` has ended well: no more are to come.
    all_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct StoreHold {
    /// Until then its lease lives for certain: when the last renewal that was answered true was asked for, plus the
    /// lease (`facts/pd-tikv.md` §2.1: a lease taken at t rejects at least until t + L).
    until: Instant,
    kind: HoldKind,
    /// A renewal not yet answered: its number and when it was asked for.
    asked: Option<(u64, Instant)>,
    sent: u64,
    valid: u64,
    confirmation: Confirmation,
}

/// Where the confirmation of one store stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Confirmation {
    /// Not ordered.
    None,
    /// Ordered while an earlier renewal was unanswered: that one does not count.
    Due,
    /// This renewal is the one.
    Asked(u64),
    /// It was answered true; frozen, because later renewals may be on their way when evidence is saved.
    Done(StoreEvidence),
}

/// What an answer to a renewal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// Nobody waits for it any more.
    Stale,
    /// The lease before it had ended: writes may have passed.
    Lapsed,
    /// The store is held on.
    Held,
    /// Held on, and only now the confirmation can be asked for.
    ConfirmationDue,
    /// This was the confirmation.
    Confirmed,
}

impl StoreHolds {
    pub(super) fn len(&self) -> usize {
        self.stores.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stores.is_empty()
    }

    pub(super) fn contains(&self, store: StoreId) -> bool {
        self.stores.contains_key(&store)
    }

    pub(super) fn take(&mut self, store: StoreId, until: Instant, kind: HoldKind) {
        let hold = StoreHold { until, kind, asked: None, sent: 0, valid: 0, confirmation: Confirmation::None };
        self.stores.insert(store, hold);
    }

    pub(super) fn opened(&mut self) {
        self.all_open = true;
    }

    pub(super) fn all_open(&self) -> bool {
        self.all_open
    }

    pub(super) fn remove(&mut self, store: StoreId) {
        self.stores.remove(&store);
    }

    pub(super) fn clear(&mut self) {
        self.stores.clear();
    }

    /// When the first lease ends for all that is known.
    pub(super) fn first_end(&self) -> Option<Instant> {
        self.stores.values().map(|hold| hold.until).min()
    }

    /// What is certainly left of the lease that ends first.
    pub(super) fn margin(&self, now: Instant) -> Option<Millis> {
        self.first_end().map(|end| end.since(now))
    }

    /// Takes out every store whose lease has ended; at least the one that ends first, for which the timer was set.
    pub(super) fn take_ended(&mut self, now: Instant) -> BTreeSet<StoreId> {
        let Some(first) = self.first_end() else { return BTreeSet::new() };
        let ended = |hold: &StoreHold| hold.until <= now.max(first);
        let stores = self.stores.iter().filter(|(_, hold)| ended(hold)).map(|(store, _)| *store).collect();
        self.stores.retain(|_, hold| !ended(hold));
        stores
    }

    /// Those that are asked for renewal `number` now, of `which`, or of all; who still owes an earlier answer is left out.
    pub(super) fn ask(&mut self, number: u64, now: Instant, which: Option<StoreId>) -> BTreeSet<StoreId> {
        let mut asked = BTreeSet::new();
        for (store, hold) in &mut self.stores {
            if hold.asked.is_some() || which.is_some_and(|which| which != *store) {
                continue;
            }
            hold.asked = Some((number, now));
            hold.sent += 1;
            if hold.confirmation == Confirmation::Due {
                hold.confirmation = Confirmation::Asked(number);
            }
            asked.insert(*store);
        }
        asked
    }

    /// A renewal was answered; a true answer extends the lease from the moment it was asked for.
    pub(super) fn answered(&mut self, store: StoreId, number: u64, valid: bool, lease: Millis) -> Renewal {
        let Some(hold) = self.stores.get_mut(&store) else { return Renewal::Stale };
        let Some((_, asked_at)) = hold.asked.filter(|(asked, _)| *asked == number) else { return Renewal::Stale };
        if !valid {
            return Renewal::Lapsed;
        }
        hold.asked = None;
        hold.valid += 1;
        hold.until = asked_at + lease;
        match hold.confirmation {
            Confirmation::Due => Renewal::ConfirmationDue,
            Confirmation::Asked(asked) if asked == number => Renewal::Confirmed,
            Confirmation::None | Confirmation::Asked(_) | Confirmation::Done(_) => Renewal::Held,
        }
    }

    /// From here on each store owes one more renewal, asked for after this.
    pub(super) fn confirm(&mut self) {
        for hold in self.stores.values_mut() {
            hold.confirmation = Confirmation::Due;
        }
    }

    /// Its numbers are frozen here.
    pub(super) fn freeze(&mut self, known: &PreparedStore) {
        if let Some(hold) = self.stores.get_mut(&known.store) {
            hold.confirmation = Confirmation::Done(StoreEvidence {
                store: known.store,
                address: known.address.clone(),
                start_timestamp: known.start_timestamp,
                renewals_sent: hold.sent,
                renewals_valid: hold.valid,
                confirmed: true,
                kind: hold.kind,
            });
        }
    }

    /// What confirmed stores have shown.
    pub(super) fn evidence(&self) -> Vec<StoreEvidence> {
        let frozen = |hold: &StoreHold| match &hold.confirmation {
            Confirmation::Done(evidence) => Some(evidence.clone()),
            Confirmation::None | Confirmation::Due | Confirmation::Asked(_) => None,
        };
        self.stores.values().filter_map(frozen).collect()
    }

    /// Renewals asked for, and answered true.
    pub(super) fn renewals(&self) -> (u64, u64) {
        self.stores.values().fold((0, 0), |(sent, valid), hold| (sent + hold.sent, valid + hold.valid))
    }

    pub(super) fn are(&self, stores: &[PreparedStore]) -> bool {
        self.len() == stores.len() && stores.iter().all(|store| self.contains(store.store))
    }

    pub(super) fn all_full(&self) -> bool {
        self.stores.values().all(|hold| hold.kind.is_full())
    }

    /// Every renewal but the one on its way was answered true.
    pub(super) fn all_answered(&self) -> bool {
        self.stores.values().all(|hold| hold.sent == hold.valid + u64::from(hold.asked.is_some()))
    }

    pub(super) fn none_confirms(&self) -> bool {
        self.stores.values().all(|hold| hold.confirmation == Confirmation::None)
    }

    pub(super) fn all_confirm(&self) -> bool {
        self.stores.values().all(|hold| hold.confirmation != Confirmation::None)
    }

    pub(super) fn all_confirmed(&self) -> bool {
        self.stores.values().all(|hold| matches!(hold.confirmation, Confirmation::Done(_)))
    }
}
