//! What the orders of one step have in common: made at most once for all planes of a backup, of which there may be a
//! thousand, and only when an order needs it.

use super::{calls, certificate::Certificate, record::Record};
use crate::{
    account::{Place, Together},
    ids::PlaneId,
    text::SharedText,
    wire::CallShare,
};
use std::{cell::OnceCell, collections::BTreeMap};

/// Of one step of one record.
#[derive(Default)]
pub(super) struct Common {
    text: OnceCell<SharedText>,
    taken: OnceCell<BTreeMap<Place, Together>>,
    deleted: OnceCell<BTreeMap<Place, u32>>,
    listed: OnceCell<BTreeMap<Place, u32>>,
}

impl Common {
    /// The certificate as it goes to every plane.
    pub(super) fn text(&self, record: &Record, certificate: &Certificate) -> SharedText {
        self.text.get_or_init(|| record.certificate_text(certificate)).clone()
    }

    /// What a plane may take of its account's CreateSnapshots and CreateSnapshot, by its part of the calls. `None` of the
    /// first: no other plane works there; of the second: it goes without.
    pub(super) fn snapshots(&self, record: &Record, plane: &PlaneId) -> (Option<CallShare>, Option<CallShare>) {
        let Some(own) = record.planes.get(plane) else { return (None, None) };
        let all = self.taken.get_or_init(|| calls::taken(record));
        all.get(&own.place()).map_or((None, None), |all| all.parts(own.calls()))
    }

    /// What a plane may take of its account's DeleteSnapshot, by its part of the volumes of those planes that have to
    /// delete there and are `here`. `None`: no other has to, or nothing is known of where it works.
    pub(super) fn deletions(
        &self,
        record: &Record,
        plane: &PlaneId,
        here: impl Fn(&PlaneId) -> bool,
    ) -> Option<CallShare> {
        let own = record.planes.get(plane).filter(|own| !own.account.is_empty())?;
        let all = self.deleted.get_or_init(|| calls::deleted(record, &here));
        let all = all.get(&own.place()).copied().unwrap_or(0);
        let counted = own.owes_deletions() && here(plane);
        share(own.volumes(), if counted { all } else { all.saturating_add(own.volumes()) })
    }

    /// Planes of one account and Region divide what it may list, by their snapshots.
    pub(super) fn listings(&self, record: &Record, plane: &PlaneId) -> Option<CallShare> {
        let own = record.planes.get(plane)?;
        let all = self.listed.get_or_init(|| calls::listed(record));
        share(record.certified_of(plane), all.get(&own.place()).copied().unwrap_or(0))
    }
}

/// `None`: all of it.
fn share(calls: u32, of: u32) -> Option<CallShare> {
    (calls < of).then_some(CallShare { calls, of })
}
