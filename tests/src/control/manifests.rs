//! What the console applies and deletes.

use super::Control;
use async_trait::async_trait;
use coordinator::ports::{Applied, Kind, Manifests, Named, PortError};
use serde_json::Value;

#[async_trait]
impl Manifests for Control {
    async fn apply(&self, named: &Named, manifest: &Value) -> Result<Applied, PortError> {
        let key = format!("{}/{}", named.namespace, named.name);
        let there = match named.kind {
            Kind::Backup => self.get(&key).is_some(),
            Kind::Schedule => self.lock().schedules.contains_key(&key),
            Kind::Restore => self.get_restore(&key).is_some(),
        };
        self.apply(&manifest.to_string()).map_err(|error| PortError::Unavailable(error.to_string()))?;
        Ok(if there { Applied::Configured } else { Applied::Created })
    }

    async fn delete(&self, named: &Named) -> Result<(), PortError> {
        let key = format!("{}/{}", named.namespace, named.name);
        match named.kind {
            Kind::Backup => self.delete(&key),
            Kind::Schedule => self.delete_schedule(&key),
            Kind::Restore => self.delete_restore(&key),
        }
        Ok(())
    }
}
