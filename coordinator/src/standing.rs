//! Where a coordinator stands: what `/healthz` and `/leadz` ask, and whom a standby names.
//!
//! Readiness is another question (can this process serve?), and is answered where the edges are joined.

use shell::expiry::Expiry;
use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;

/// Written by the actors as they get on, read by probes and by answers to admins. Nothing steers by it.
#[derive(Debug, Default)]
pub struct Standing {
    leads: AtomicBool,
    ledger: AtomicBool,
    objects: AtomicBool,
    schedules: AtomicBool,
    stopped: OnceLock<String>,
    holder: Option<watch::Receiver<String>>,
    expiries: Mutex<Vec<Expiry>>,
}

impl Standing {
    /// With who holds the Lease, as this replica last read it; empty: nobody, or not known.
    pub fn following(holder: watch::Receiver<String>) -> Self {
        Self { holder: Some(holder), ..Self::default() }
    }

    /// Who leads, as far as this replica knows.
    pub fn holder(&self) -> Option<String> {
        let name = self.holder.as_ref().map(|holder| holder.borrow().clone());
        name.filter(|name| !name.is_empty())
    }

    /// When certificates and revocation lists end, as this process sees them now.
    pub fn tell_expiries(&self, all: &[Expiry]) {
        *self.expiries.lock().unwrap_or_else(PoisonError::into_inner) = all.to_vec();
    }

    /// As last told; empty: nobody has.
    pub(crate) fn expiries(&self) -> Vec<Expiry> {
        self.expiries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `/leadz`: it leads, and has read all that it acts by. A load balancer asks this before it sends planes here.
    pub fn leading(&self) -> Result<(), String> {
        if !self.leads.load(Ordering::Relaxed) {
            return Err(match self.holder() {
                Some(holder) => format!("{holder} leads"),
                None => "this replica does not lead".to_owned(),
            });
        }
        for (done, what) in [
            (&self.ledger, "the ledger is not read yet"),
            (&self.objects, "VolumeBackups are not listed yet"),
            (&self.schedules, "VolumeBackupSchedules are not listed yet"),
        ] {
            if !done.load(Ordering::Relaxed) {
                return Err(format!("it leads, but {what}; the log says why if that lasts"));
            }
        }
        Ok(())
    }

    /// `/healthz`: nothing has stopped that only a restart brings back.
    pub fn healthy(&self) -> Result<(), String> {
        self.stopped.get().map_or(Ok(()), |what| Err(what.clone()))
    }

    /// Has the first full list of VolumeBackupSchedules come?
    pub(crate) fn schedules_known(&self) -> bool {
        self.schedules.load(Ordering::Relaxed)
    }

    /// This replica leads from now on, until its process ends.
    pub(crate) fn lead(&self) {
        self.leads.store(true, Ordering::Relaxed);
    }

    /// Records and claims are known.
    pub(crate) fn ledger_read(&self) {
        self.ledger.store(true, Ordering::Relaxed);
    }

    /// The first full list of VolumeBackups came.
    pub(crate) fn objects_listed(&self) {
        self.objects.store(true, Ordering::Relaxed);
    }

    /// The first full list of VolumeBackupSchedules came.
    pub(crate) fn schedules_listed(&self) {
        self.schedules.store(true, Ordering::Relaxed);
    }

    /// Something has stopped for good; the first word counts.
    pub(crate) fn stopped(&self, what: String) {
        let _the_first_word_counts = self.stopped.set(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leading_is_more_than_holding_the_lease() {
        let (tell, holder) = watch::channel(String::new());
        let standing = Standing::following(holder);
        assert_eq!(standing.leading(), Err("this replica does not lead".to_owned()));
        tell.send_replace("isochron-coordinator-abc-1".to_owned());
        assert_eq!(standing.leading(), Err("isochron-coordinator-abc-1 leads".to_owned()));
        standing.lead();
        assert!(standing.leading().unwrap_err().contains("the ledger is not read yet"));
        standing.ledger_read();
        assert!(standing.leading().unwrap_err().contains("VolumeBackups are not listed yet"));
        standing.objects_listed();
        assert!(standing.leading().unwrap_err().contains("VolumeBackupSchedules are not listed yet"));
        standing.schedules_listed();
        assert_eq!(standing.leading(), Ok(()));
    }

    #[test]
    fn what_stopped_first_is_what_is_told() {
        let standing = Standing::default();
        assert_eq!(standing.healthy(), Ok(()));
        standing.stopped("the scheduler has stopped".to_owned());
        standing.stopped("another".to_owned());
        assert_eq!(standing.healthy(), Err("the scheduler has stopped".to_owned()));
    }
}
