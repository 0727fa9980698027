//! A gate in front of moto: what moto does not do and credentials depend on (`facts/aws.md` B). It knows which access
//! keys there are and when they end, who may assume which role, and what each call was signed with; moto does the rest.
//! Keys that STS gives out are made known to our EC2 as well.

mod gate;
mod http;
mod token;

pub use gate::{Issued, ObjectCall, StsCall};
pub use http::Front;

use super::ec2::Ec2Handle;
use gate::Gate;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// The knobs and the windows of a running gate.
#[derive(Debug, Clone)]
pub struct FrontHandle {
    gate: Arc<Mutex<Gate>>,
    /// S3 writes a key at once or not at all; moto looks, then writes, and lets two threads look before either writes.
    /// So writes of objects pass one at a time.
    writes: Arc<tokio::sync::Mutex<()>>,
    ec2: Ec2Handle,
}

impl FrontHandle {
    fn new(ec2: Ec2Handle) -> Self {
        Self { gate: Arc::default(), writes: Arc::default(), ec2 }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // A test that panicked with the lock held has failed anyway.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keys of a person or a program in this account, known to STS and S3 but not to EC2.
    pub fn know(&self, access_key: &str) {
        self.gate().known.insert(access_key.to_owned());
    }

    /// `principal` may assume `role` from now on: an access key, or `system:serviceaccount:NAMESPACE:NAME`.
    pub fn trust(&self, role: &str, principal: &str) {
        self.gate().trust.insert((role.to_owned(), principal.to_owned()));
    }

    /// Nobody may assume this role any more.
    pub fn distrust(&self, role: &str) {
        self.gate().trust.retain(|(trusted, _)| trusted != role);
    }

    /// Every call of this STS action is refused so, until [`Self::answer`].
    pub fn refuse(&self, action: &str, status: u16, code: &str) {
        self.gate().refused.insert(action.to_owned(), (status, code.to_owned()));
    }

    /// Ends [`Self::refuse`].
    pub fn answer(&self, action: &str) {
        self.gate().refused.remove(action);
    }

    /// Sessions made from now on end so soon, whatever length was asked for. `None`: moto's hour.
    pub fn sessions_of(&self, length: Option<Duration>) {
        self.gate().length = length;
    }

    /// Every call of STS, oldest first.
    #[must_use]
    pub fn sts_calls(&self) -> Vec<StsCall> {
        self.gate().sts.clone()
    }

    /// Every call of S3, oldest first.
    #[must_use]
    pub fn object_calls(&self) -> Vec<ObjectCall> {
        self.gate().objects.clone()
    }
}
