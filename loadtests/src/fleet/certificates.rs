//! Throw-away certificates of everybody, each with a key of its own.

use shell::{
    pki::{self, Kind},
    tls::{Credentials, TlsFiles},
};
use std::{path::Path, sync::Arc};
use tests::light::plane_name;

const TRUST_DOMAIN: &str = "fleet.local";
const COORDINATOR: &str = "fleet";
const ADMIN: &str = "fleet";

pub(super) fn make(folder: &Path, planes: u32) -> anyhow::Result<()> {
    pki::init(folder, TRUST_DOMAIN)?;
    pki::issue(folder, Kind::Coordinator, COORDINATOR, &["127.0.0.1".to_owned()])?;
    pki::issue(folder, Kind::Admin, ADMIN, &[])?;
    for number in 0..planes {
        pki::issue(folder, Kind::Plane, &plane_name(number), &[])?;
    }
    Ok(())
}

pub(super) fn of_coordinator(folder: &Path) -> anyhow::Result<Arc<Credentials>> {
    load(folder, Kind::Coordinator, COORDINATOR)
}

pub(super) fn of_plane(folder: &Path, number: u32) -> anyhow::Result<Arc<Credentials>> {
    load(folder, Kind::Plane, &plane_name(number))
}

pub(super) fn of_admin(folder: &Path) -> anyhow::Result<Arc<Credentials>> {
    load(folder, Kind::Admin, ADMIN)
}

fn load(folder: &Path, kind: Kind, name: &str) -> anyhow::Result<Arc<Credentials>> {
    Ok(Credentials::load(TlsFiles {
        ca: folder.join("ca.crt"),
        cert: folder.join(format!("{kind}-{name}.crt")),
        key: folder.join(format!("{kind}-{name}.key")),
        crl: Some(folder.join("crl.pem")),
        trust_domain: TRUST_DOMAIN.to_owned(),
    })?)
}
