//! What a test starts the server with.

use crate::models::ec2::{Ec2, Home};
use std::{collections::BTreeMap, time::Duration};

/// Who may call, and what there is.
#[derive(Debug, Clone, Default)]
pub struct Ec2State {
    /// Access key → account.
    pub keys: BTreeMap<String, String>,
    /// Access key of a session → when it ends, since the server's start.
    pub ends: BTreeMap<String, Duration>,
    /// Account of every other access key, for credentials that STS makes up. `None`: unknown keys are refused.
    pub any_key: Option<String>,
    /// What there is; its time is since the server's start.
    pub ec2: Ec2,
}

impl Ec2State {
    /// An empty account whose access key is `key`.
    #[must_use]
    pub fn of(account: &str, key: &str) -> Self {
        Self { keys: [(key.to_owned(), account.to_owned())].into(), ..Self::default() }
    }

    /// Adds a running instance with a root volume and data volumes, all attached.
    #[must_use]
    pub fn with_instance(mut self, home: &Home, id: &str, root: &str, data: &[&str]) -> Self {
        self.ec2.add_instance(home, id, root, data);
        self
    }
}
