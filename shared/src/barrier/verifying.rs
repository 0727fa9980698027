//! A Complete backup is verified: what a plane is asked, all of which stands in the record, and what is kept of the answers.

use super::{
    certificate::Certificate,
    input::Step,
    machine::Barrier,
    record::{Milestone, Record},
};
use crate::{
    ids::{PlaneId, VolumeId},
    request::SizeLevel,
    text::SharedText,
    verify::{Level, Verification},
    wire::{CertifiedSnapshot, Inspect, Target, Verify, VolumeWish},
};
use std::collections::BTreeMap;

impl Record {
    /// It has ended well and nobody deletes it: only of such a backup it can be said that it is whole.
    pub fn can_be_verified(&self) -> bool {
        self.milestone == Milestone::Complete && !self.deleting && self.certificate.is_some()
    }

    /// What lies beside every backupmeta; `None`: it has no certificate.
    pub fn certificate_of_all(&self) -> Option<SharedText> {
        self.certificate.as_ref().map(|certificate| self.certificate_text(certificate))
    }

    pub(super) fn certificate_text(&self, certificate: &Certificate) -> SharedText {
        certificate.to_json(&self.barrier, &self.moments).into()
    }

    /// The question about this plane's part, with [`Self::certificate_of_all`]; `None`: it has none.
    pub fn verify(&self, plane: &PlaneId, number: u64, text: &SharedText) -> Option<Verify> {
        let certificate = self.certificate.as_ref()?;
        let (part, kept) = (certificate.planes.get(plane)?, self.planes.get(plane)?);
        let volumes = kept.stores.iter().flat_map(|store| &store.volumes);
        let zones: BTreeMap<&VolumeId, &String> = volumes.map(|volume| (&volume.volume, &volume.zone)).collect();
        let snapshots = part.evidence.snapshots.iter().map(|taken| CertifiedSnapshot {
            volume: taken.volume.clone(),
            snapshot: taken.snapshot.clone(),
            zone: zones.get(&taken.volume).map(|zone| (*zone).clone()).unwrap_or_default(),
        });
        let told = matches!(self.request.size_level, SizeLevel::All | SizeLevel::Full) && kept.unknown_sizes == 0;
        Some(Verify {
            number,
            attempt: self.attempt_id(),
            spec: self.request.member_spec(plane)?,
            cluster: certificate.cluster,
            commit_ts: certificate.commit_ts,
            snapshots: snapshots.collect(),
            full_bytes: kept.completed_bytes.filter(|_| told),
            certificate: text.clone(),
        })
    }

    /// The question about a restore of this plane's part; `None`: it has none.
    pub fn inspect(
        &self,
        plane: &PlaneId,
        text: &SharedText,
        wish: &VolumeWish,
        target: Option<&Target>,
    ) -> Option<Inspect> {
        Some(Inspect {
            verify: self.verify(plane, 0, text)?,
            cluster_version: self.cluster_version.clone(),
            wish: wish.clone(),
            target: target.cloned(),
        })
    }
}

impl Barrier {
    /// Kept for people, and to know when it is due again. It takes nothing back: whatever was found, the backup stays
    /// Complete. Where nobody looked, what was found before says more.
    pub(super) fn verified(&mut self, found: Verification, step: &mut Step) {
        if self.record.can_be_verified() && found.level != Level::Unchecked {
            self.record.verified = Some(found);
            self.save(step);
        }
    }
}
