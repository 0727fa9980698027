//! A plane that a test orders by hand: what an order carries, and the door to the test's end of its link.

use crate::world::World;
use async_trait::async_trait;
use plane_actor::ports::{Dialer, PortError};
use shared::request::{MemberSpec, S3Target};
use shell::link::{Identity, Link, pair};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// Of this plane of the world; its first plane is the init plane.
#[must_use]
#[allow(clippy::expect_used)] // Who asks for a plane that is not there has no test.
pub fn member_spec(world: &World, plane: &str) -> MemberSpec {
    let config = world.config();
    let at = config.planes.iter().position(|here| here.name == plane).expect("a plane of this world");
    let here = &config.planes[at];
    MemberSpec {
        backup_namespace: "admin".to_owned(),
        tc_name: here.tc_name.clone(),
        tc_namespace: here.tc_namespace.clone(),
        init: at == 0,
        storage: S3Target::example(&config.bucket, &format!("nightly-{plane}")),
        ..MemberSpec::example()
    }
}

/// Whoever dials gets one end of a link; the other comes out of `links`.
pub struct Door {
    /// The test's ends.
    pub links: mpsc::Sender<Link>,
    /// Of the plane.
    pub name: String,
    /// Its certificate was renewed.
    pub outdated: Arc<Notify>,
}

#[async_trait]
impl Dialer for Door {
    async fn dial(&self) -> Result<Link, PortError> {
        let (ours, theirs) = pair(Identity::Coordinator("hand".to_owned()), Identity::Plane(self.name.clone()));
        self.links.send(theirs).await.map_err(|_| PortError::Unavailable("closed".to_owned()))?;
        Ok(ours)
    }

    async fn outdated(&self) {
        self.outdated.notified().await;
    }
}
