//! Who a plane is towards AWS: the double behind [`CloudConnect`].

use super::{World, port_blocks::BlocksDouble, port_cloud::Ec2Double, port_s3::Bucket};
use crate::models::ec2::Home;
use async_trait::async_trait;
use plane_actor::ports::{Cloud, CloudConnect, CloudIdentity, PortError};
use shared::{reason::Reason, request::S3Target};
use std::sync::Arc;

/// Keys that the world's secrets hold.
pub(crate) const ACCESS_KEY: &str = "AKIAEXAMPLEEXAMPLE00";
pub(crate) const SECRET_KEY: &str = "example-secret-key";
pub(crate) struct CloudDouble {
    pub(crate) world: World,
    pub(crate) plane: String,
}

#[async_trait]
impl CloudConnect for CloudDouble {
    async fn connect(&self, identity: &CloudIdentity, storage: &S3Target) -> Result<Cloud, PortError> {
        self.world.pause(self.world.with(|state| state.config.s3)).await;
        if let CloudIdentity::Keys { access_key, secret_key } = identity
            && (access_key != ACCESS_KEY || secret_key != SECRET_KEY)
        {
            return Err(PortError::refused(
                Reason::CredentialsRefused,
                format!("sts:GetCallerIdentity in plane {}: InvalidClientTokenId", self.plane),
            ));
        }
        let Home { account, region } = self.world.with(|state| state.home_of(&self.plane));
        let region = if storage.region.is_empty() { region } else { storage.region.clone() };
        let blocks = BlocksDouble { world: self.world.clone(), plane: self.plane.clone() };
        let ec2 = Arc::new(Ec2Double { world: self.world.clone(), plane: self.plane.clone() });
        let (world, plane) = (self.world.clone(), self.plane.clone());
        let objects = Bucket { world, plane, bucket: storage.bucket.clone() };
        Ok(Cloud {
            account,
            region,
            region_guessed: false,
            ec2: ec2.clone(),
            volumes: ec2,
            blocks: Arc::new(blocks),
            objects: Arc::new(objects),
        })
    }
}
