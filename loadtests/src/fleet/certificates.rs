//! Throw-away certificates of everybody, each with a key of its own.

use crate::embedded::{TRUST_DOMAIN, credentials};
use shell::{
    pki::{self, Kind},
    tls::Credentials,
};
use std::{path::Path, sync::Arc};
use tests::light::plane_name;

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
    credentials(folder, Kind::Coordinator, COORDINATOR)
}

pub(super) fn of_plane(folder: &Path, number: u32) -> anyhow::Result<Arc<Credentials>> {
    credentials(folder, Kind::Plane, &plane_name(number))
}

pub(super) fn of_admin(folder: &Path) -> anyhow::Result<Arc<Credentials>> {
    credentials(folder, Kind::Admin, ADMIN)
}
