//! Who is who on the simulated network.

use crate::bell::Bell;
use shared::time::Timestamp;
use shell::{
    clock::{Clock, Wall, system_wall},
    pki::{self, Kind},
    tls::{Credentials, TlsFiles},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Where every coordinator listens.
pub const COORDINATOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 7443);
/// Of every certificate.
pub const TRUST_DOMAIN: &str = "simulated";
/// In its certificate.
pub(super) const COORDINATOR_NAME: &str = "main";

/// Certificates of a coordinator and of planes in a folder; several networks may share them.
#[derive(Clone)]
pub struct Certificates {
    pub(super) folder: PathBuf,
    /// An [`super::Issuer`] renews them, and each program has a mount of its own.
    pub(super) mounted: Option<Mounted>,
    /// By which they are judged.
    pub(super) wall: Wall,
}

/// How programs read what an issuer mounts.
#[derive(Clone)]
pub(super) struct Mounted {
    /// There are lists of the revoked.
    pub(super) lists: bool,
    pub(super) reading: Reading,
}

/// When files are read again.
#[derive(Clone)]
pub(super) enum Reading {
    /// As programs do it.
    Every(Duration),
    /// When something was mounted, at the next of those moments: what they find at all others is what they have.
    Told(Bell, Duration),
}

/// A wall clock that moves with tokio's. It stands at `start` when it is read first, inside the runtime that drives it.
#[must_use]
pub fn wall_from(start: Timestamp) -> Wall {
    let clock: OnceLock<Clock> = OnceLock::new();
    Arc::new(move || clock.get_or_init(|| Clock::starting_at(start)).wall())
}

impl Certificates {
    /// Makes them in an empty folder.
    pub fn make(folder: &Path, planes: &[&str]) -> anyhow::Result<Self> {
        pki::init(folder, TRUST_DOMAIN)?;
        pki::issue(folder, Kind::Coordinator, COORDINATOR_NAME, &[COORDINATOR.ip().to_string()])?;
        for plane in planes {
            pki::issue(folder, Kind::Plane, plane, &[])?;
        }
        Ok(Self { folder: folder.to_owned(), mounted: None, wall: Arc::new(system_wall) })
    }

    pub(super) fn of(&self, kind: Kind, name: &str) -> Arc<Credentials> {
        let lies = |file: &str| match self.mounted {
            Some(_) => mount_of(&self.folder, kind, name).join(file),
            None => self.folder.join(match file {
                "tls.crt" => format!("{kind}-{name}.crt"),
                "tls.key" => format!("{kind}-{name}.key"),
                other => other.to_owned(),
            }),
        };
        self.read_as(&lies)
    }

    /// What lies there under these names.
    pub(super) fn read_as(&self, lies: &dyn Fn(&str) -> PathBuf) -> Arc<Credentials> {
        let files = TlsFiles {
            ca: lies("ca.crt"),
            cert: lies("tls.crt"),
            key: lies("tls.key"),
            crl: self.mounted.as_ref().is_none_or(|mounted| mounted.lists).then(|| lies("crl.pem")),
            trust_domain: TRUST_DOMAIN.to_owned(),
            identities: Vec::new(),
        };
        #[allow(clippy::expect_used)] // Without certificates there is no test.
        Credentials::load_by(files, self.wall.clone()).expect("certificates that were just made")
    }
}

/// Where a program finds its files, where somebody renews them.
pub(super) fn mount_of(folder: &Path, kind: Kind, name: &str) -> PathBuf {
    folder.join(format!("mount-{kind}-{name}"))
}
