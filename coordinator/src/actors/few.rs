//! Requests about objects, a few at a time. A coordinator that starts, or whose API server is back, has something to say
//! on many objects at once; beside it the Lease and the saves of a barrier need the same API server.

use crate::ports::{EventKind, ObjectRef, Objects, PortError, Status, Teardown};
use async_trait::async_trait;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Requests in flight. At some 20 ms each this is 400 a second; each of an HTTP/1.1 client takes a connection.
pub(super) const IN_FLIGHT: usize = 8;

/// [`Objects`] of which [`IN_FLIGHT`] calls run at a time; the others wait in order. Saves and the Lease do not pass
/// here.
pub(super) struct Few {
    objects: Arc<dyn Objects>,
    free: Semaphore,
}

impl Few {
    pub(super) fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects, free: Semaphore::new(IN_FLIGHT) }
    }

    async fn one<T>(&self, call: impl Future<Output = T>) -> T {
        // Nobody closes it.
        let _one = self.free.acquire().await;
        call.await
    }
}

#[async_trait]
impl Objects for Few {
    async fn publish(&self, object: &ObjectRef, status: &Status) -> Result<(), PortError> {
        self.one(self.objects.publish(object, status)).await
    }

    async fn add_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.one(self.objects.add_finalizer(object)).await
    }

    async fn remove_finalizer(&self, object: &ObjectRef) -> Result<(), PortError> {
        self.one(self.objects.remove_finalizer(object)).await
    }

    async fn teardown(&self, namespace: &str) -> Result<Teardown, PortError> {
        self.one(self.objects.teardown(namespace)).await
    }

    async fn is_there(&self, object: &ObjectRef) -> Result<bool, PortError> {
        self.one(self.objects.is_there(object)).await
    }

    async fn event(&self, object: &ObjectRef, kind: EventKind, reason: &str, message: &str) -> Result<(), PortError> {
        self.one(self.objects.event(object, kind, reason, message)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::reason::{Reason, Refusal};
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        time::Duration,
    };

    #[derive(Default)]
    struct Slow {
        now: AtomicUsize,
        most: AtomicUsize,
        all: AtomicUsize,
    }

    impl Slow {
        async fn call(&self) -> Result<(), PortError> {
            self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.now.fetch_sub(1, SeqCst);
            self.all.fetch_add(1, SeqCst);
            Ok(())
        }
    }

    #[async_trait]
    impl Objects for Slow {
        async fn publish(&self, _: &ObjectRef, _: &Status) -> Result<(), PortError> {
            self.call().await
        }
        async fn add_finalizer(&self, _: &ObjectRef) -> Result<(), PortError> {
            self.call().await
        }
        async fn remove_finalizer(&self, _: &ObjectRef) -> Result<(), PortError> {
            self.call().await
        }
        async fn event(&self, _: &ObjectRef, _: EventKind, _: &str, _: &str) -> Result<(), PortError> {
            self.call().await
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_objects_take_eight_connections() {
        let slow = Arc::new(Slow::default());
        let few = Few::new(slow.clone());
        let object = ObjectRef { uid: "u".into(), namespace: "n".to_owned(), name: "b".to_owned() };
        let status = Status::Without("Invalid", Refusal::new(Reason::SpecInvalid, "no"));
        let all = (0..250).map(|_| async {
            few.publish(&object, &status).await?;
            few.add_finalizer(&object).await?;
            few.event(&object, EventKind::Normal, "Word", "text").await?;
            few.remove_finalizer(&object).await
        });
        assert!(futures::future::join_all(all).await.iter().all(Result::is_ok));
        assert_eq!((slow.most.load(SeqCst), slow.all.load(SeqCst)), (IN_FLIGHT, 1000));
    }
}
