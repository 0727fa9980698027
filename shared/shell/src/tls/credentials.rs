//! Certificate files, kept up to date.

use super::{
    files::{Raw, TlsError, TlsFiles},
    material::Material,
};
use crate::clock::{Wall, system_wall};
use shared::time::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// The files, kept up to date. Readers get the newest reading that was whole; a bad one is logged and changes nothing.
pub struct Credentials {
    files: TlsFiles,
    wall: Wall,
    seen: std::sync::Mutex<Raw>,
    current: watch::Sender<Arc<Material>>,
}

impl Credentials {
    /// Reads the files; all must be there and fit.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        Self::load_by(files, Arc::new(system_wall))
    }

    /// The same by another wall clock: certificates and lists begin and end by it, in handshakes as well.
    pub fn load_by(files: TlsFiles, wall: Wall) -> Result<Arc<Self>, TlsError> {
        let raw = Raw::read(&files)?;
        let (current, _) = watch::channel(Arc::new(Material::of(&raw, &files, wall.clone())?));
        Ok(Arc::new(Self { files, wall, seen: std::sync::Mutex::new(raw), current }))
    }

    /// The newest whole reading.
    pub fn current(&self) -> Arc<Material> {
        self.current.borrow().clone()
    }

    /// Now, by the clock by which certificates are judged.
    pub fn now(&self) -> Timestamp {
        (self.wall)()
    }

    /// Told of every new reading.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Material>> {
        self.current.subscribe()
    }

    /// Reads the files again. True: something changed and is now in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let raw = Raw::read(&self.files)?;
        // A poisoned lock only means that a reader panicked between two whole values.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *seen == raw {
            return Ok(false);
        }
        let material = Material::of(&raw, &self.files, self.wall.clone())?;
        *seen = raw;
        self.current.send_replace(Arc::new(material));
        Ok(true)
    }

    /// Reads the files again every `every`, for as long as the process lives.
    pub async fn keep_fresh(self: Arc<Self>, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let credentials = self.clone();
            match tokio::task::spawn_blocking(move || credentials.reload()).await {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => tracing::info!(us = %self.current().us.identity, "certificate files reloaded"),
                Ok(Err(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "certificate files cannot be used, the ones before stay in use");
                }
                Err(error) => tracing::warn!(%error, "reading certificate files did not end"),
            }
        }
    }
}
