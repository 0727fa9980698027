//! The S3 double behind [`Objects`]: one bucket exists; a conditional put is atomic; everything can be mirrored to a
//! directory for a person to look at.

use super::{World, engine::State};
use async_trait::async_trait;
use plane_actor::ports::{CloudError, Objects};
use std::path::{Component, Path};

pub(crate) struct Bucket {
    pub(crate) world: World,
    pub(crate) plane: String,
    pub(crate) bucket: String,
}

impl Bucket {
    async fn enter<T: Send>(
        &self,
        action: &'static str,
        act: impl FnOnce(&mut State) -> Result<T, CloudError> + Send,
    ) -> Result<T, CloudError> {
        let number = self.world.with(|state| state.calls.called(&self.plane, action));
        self.world.pause(self.world.with(|state| state.config.s3)).await;
        let answer = self.world.with(|state| {
            if state.faults.s3_down {
                return Err(CloudError::OutcomeUnknown(format!("{action}: connection refused")));
            }
            if state.faults.no_bucket || self.bucket != state.config.bucket {
                return Err(CloudError::NotFound(format!("{action}: NoSuchBucket: {}", self.bucket)));
            }
            if state.faults.s3_denied {
                return Err(CloudError::Denied(action.to_owned()));
            }
            act(state)
        });
        self.world.with(|state| state.calls.replied(&self.plane, number, answer))
    }
}

impl State {
    fn put(&mut self, key: &str, body: Vec<u8>) -> Result<(), CloudError> {
        if let Some(root) = &self.config.mirror {
            mirror(root, key, Some(&body)).map_err(|error| CloudError::OutcomeUnknown(format!("mirror: {error}")))?;
        }
        self.counters.s3_puts += 1;
        self.objects.insert(key.to_owned(), body);
        Ok(())
    }
}

/// Writes or removes one file below `root`. Keys that would leave it are kept in memory only.
fn mirror(root: &Path, key: &str, body: Option<&[u8]>) -> std::io::Result<()> {
    let path = root.join(key);
    let inside = Path::new(key).components().all(|part| matches!(part, Component::Normal(_)));
    match body {
        _ if !inside => Ok(()),
        Some(body) => {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(path, body)
        }
        None if path.exists() => std::fs::remove_file(path),
        None => Ok(()),
    }
}

#[async_trait]
impl Objects for Bucket {
    async fn list_after(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<String>, CloudError> {
        self.enter("s3:ListBucket", |state| {
            let from = state.objects.range(prefix.to_owned()..);
            let below = from.map(|(key, _)| key).take_while(|key| key.starts_with(prefix));
            Ok(below.filter(|key| key.as_str() > after).take(limit).cloned().collect())
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, CloudError> {
        self.enter("s3:GetObject", |state| match state.objects.get(key) {
            Some(_) if state.faults.s3_unreadable => Err(CloudError::Denied(format!("s3:GetObject {key}"))),
            found => Ok(found.cloned()),
        })
        .await
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), CloudError> {
        self.enter("s3:PutObject", |state| state.put(key, body)).await
    }

    async fn put_if_absent(&self, key: &str, body: Vec<u8>) -> Result<bool, CloudError> {
        self.enter("s3:PutObject", |state| {
            if state.objects.contains_key(key) {
                return Ok(false);
            }
            state.put(key, body).map(|()| true)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), CloudError> {
        self.enter("s3:DeleteObject", |state| {
            if state.objects.remove(key).is_some() {
                state.counters.s3_deletes += 1;
                if let Some(root) = &state.config.mirror {
                    mirror(root, key, None).map_err(|error| CloudError::OutcomeUnknown(format!("mirror: {error}")))?;
                }
            }
            Ok(())
        })
        .await
    }
}
