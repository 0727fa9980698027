//! `/readyz`: could this process serve? It says nothing of who leads; a standby is ready, or no rollout would end.

use coordinator::edge::kube::{Contact, Kinds};
use shell::tls::Credentials;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// The API server is asked every two seconds; as long as a Lease without an answer, and it is told.
const SILENCE: Duration = Duration::from_secs(15);

/// What readiness hangs on.
pub(crate) struct Ready {
    /// Certificates as they stand.
    pub(crate) credentials: Arc<Credentials>,
    /// The task that serves QUIC has ended.
    pub(crate) deaf: Box<dyn Fn() -> bool + Send + Sync>,
    /// Only with Kubernetes.
    pub(crate) kube: Option<Kube>,
}

/// What the API server said.
pub(crate) struct Kube {
    pub(crate) contact: watch::Receiver<Contact>,
    pub(crate) kinds: Kinds,
}

impl Ready {
    /// Says what is missing.
    pub(crate) fn check(&self) -> Result<(), String> {
        if (self.deaf)() {
            return Err("QUIC is served no longer".to_owned());
        }
        self.credentials.current().in_force()?;
        let Some(kube) = &self.kube else { return Ok(()) };
        reached(&kube.contact.borrow(), Instant::now())?;
        kube.kinds.fit.borrow().clone()
    }
}

fn reached(contact: &Contact, now: Instant) -> Result<(), String> {
    let trouble = if contact.trouble.is_empty() { String::new() } else { format!(": {}", contact.trouble) };
    match contact.at.map(|at| now.saturating_duration_since(at)) {
        None => Err(format!("the API server has not answered yet{trouble}")),
        Some(silent) if silent > SILENCE => {
            Err(format!("the API server has not answered for {} s{trouble}", silent.as_secs()))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_that_is_silent_for_long_is_told() {
        let at = Instant::now();
        let contact = Contact { at: Some(at), trouble: "read the Lease: 500".to_owned() };
        assert_eq!(reached(&contact, at + SILENCE), Ok(()), "one failed try is nothing");
        let told = reached(&contact, at + SILENCE + Duration::from_secs(1)).unwrap_err();
        assert_eq!(told, "the API server has not answered for 16 s: read the Lease: 500");
        assert_eq!(
            reached(&Contact::default(), at),
            Err("the API server has not answered yet".to_owned()),
            "nothing is known at the start"
        );
    }
}
