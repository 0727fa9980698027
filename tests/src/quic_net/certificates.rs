//! Who is who on the simulated network.

use shell::{
    pki::{self, Kind},
    tls::{Credentials, TlsFiles},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where every coordinator listens.
pub const COORDINATOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 7443);
/// Of every certificate.
pub const TRUST_DOMAIN: &str = "simulated";
/// In its certificate.
pub(super) const COORDINATOR_NAME: &str = "main";

/// Certificates of a coordinator and of planes in a folder; several networks may share them.
#[derive(Clone, Debug)]
pub struct Certificates {
    pub(super) folder: PathBuf,
    /// An [`super::Issuer`] renews them, and each program has a mount of its own.
    pub(super) renewed: bool,
}

impl Certificates {
    /// Makes them in an empty folder.
    pub fn make(folder: &Path, planes: &[&str]) -> anyhow::Result<Self> {
        pki::init(folder, TRUST_DOMAIN)?;
        pki::issue(folder, Kind::Coordinator, COORDINATOR_NAME, &[COORDINATOR.ip().to_string()])?;
        for plane in planes {
            pki::issue(folder, Kind::Plane, plane, &[])?;
        }
        Ok(Self { folder: folder.to_owned(), renewed: false })
    }

    pub(super) fn of(&self, kind: Kind, name: &str) -> Arc<Credentials> {
        let lies = |file: &str| match self.renewed {
            true => mount_of(&self.folder, kind, name).join(file),
            false => self.folder.join(match file {
                "tls.crt" => format!("{kind}-{name}.crt"),
                "tls.key" => format!("{kind}-{name}.key"),
                other => other.to_owned(),
            }),
        };
        let files = TlsFiles {
            ca: lies("ca.crt"),
            cert: lies("tls.crt"),
            key: lies("tls.key"),
            // Who renews so often keeps no list.
            crl: (!self.renewed).then(|| lies("crl.pem")),
            trust_domain: TRUST_DOMAIN.to_owned(),
            identities: Vec::new(),
        };
        #[allow(clippy::expect_used)] // Without certificates there is no test.
        Credentials::load(files).expect("certificates that were just made")
    }
}

/// Where a program finds its files, where somebody renews them.
pub(super) fn mount_of(folder: &Path, kind: Kind, name: &str) -> PathBuf {
    folder.join(format!("mount-{kind}-{name}"))
}
