//! One call to the API server: bounded in time, its failure put into words that name verb, resource and object.

use crate::ports::PortError;
use kube::{
    Api, Resource,
    api::{ListParams, ObjectList},
    core::{ApiResource, GroupVersionKind},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::reason::Reason;
use std::{fmt, future::Future, time::Duration};

/// An API server answers a read in milliseconds; ten seconds outlast a leader change of etcd, and twelve such calls in a
/// row still fit the default limit of Preparing (120 s).
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Objects per page of a list: the API server's own advice, and some 5 MB of pods.
const PAGE: u32 = 500;

/// Pages of one list. 10 000 pods are twice what one Kubernetes cluster of ours would hold; a server that goes on
/// handing out continue tokens must not keep us for ever.
const MAX_PAGES: usize = 20;

/// HTTP's number for it.
const NOT_FOUND: u16 = 404;

/// What is asked, for errors.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    verb: &'static str,
    resource: &'static str,
    place: String,
    forbidden: Reason,
    /// What of the backup's spec may be wrong instead of a role.
    unless: &'static str,
    limit: Duration,
}

impl Call {
    /// A call about one object, or about all of a namespace when `name` is empty. Without a namespace: cluster-wide.
    pub(crate) fn new(verb: &'static str, resource: &'static str, namespace: Option<&str>, name: &str) -> Self {
        let place = match (namespace, name) {
            (Some(namespace), "") => format!("namespace {namespace}"),
            (Some(namespace), name) => format!("{namespace}/{name}"),
            (None, name) => name.to_owned(),
        };
        Self { verb, resource, place, forbidden: Reason::AccessDenied, unless: "", limit: CALL_LIMIT }
    }

    /// Which field of the backup names this place: a typo there is refused like a missing right.
    pub(crate) fn named_by(mut self, field: &'static str) -> Self {
        self.unless = field;
        self
    }

    /// Which reason a 403 gets, if not `AccessDenied`.
    pub(crate) fn forbidden_as(mut self, reason: Reason) -> Self {
        self.forbidden = reason;
        self
    }

    /// Another time limit.
    pub(crate) fn within(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it. `Ok(None)`: 404, be it the object or the whole resource (a CRD that is not installed).
    pub(crate) async fn optional<T>(
        &self,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Option<T>, PortError> {
        match self.raw(call).await? {
            Ok(found) => Ok(Some(found)),
            // By the number: what is not installed is answered with a page, not with a status that has a reason.
            Err(kube::Error::Api(status)) if status.code == NOT_FOUND => Ok(None),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Runs it; the API server's refusals are left to the caller.
    pub(crate) async fn raw<T>(
        &self,
        call: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<Result<T, kube::Error>, PortError> {
        tokio::time::timeout(self.limit, call)
            .await
            .map_err(|_| PortError::Unavailable(format!("{self}: no answer within {} ms", self.limit.as_millis())))
    }

    /// Puts a failure into words: 403 is final and names what is missing, the rest may pass.
    pub(crate) fn failed(&self, error: &kube::Error) -> PortError {
        match error {
            kube::Error::Api(status) if status.is_forbidden() => PortError::refused(
                self.forbidden,
                format!(
                    "the plane actor may not {} {} ({}); {}add this verb to its role. The API server says: {}",
                    self.verb,
                    self.resource,
                    self.place,
                    if self.unless.is_empty() { String::new() } else { format!("correct {}, or ", self.unless) },
                    status.message
                ),
            ),
            kube::Error::Api(status) => {
                PortError::Unavailable(format!("{self}: API server answered {} {}", status.code, status.message))
            }
            other => PortError::Unavailable(format!("{self}: {other}")),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.verb, self.resource, self.place)
    }
}

/// Every object that the labels select; `None` when the resource does not exist here.
pub(crate) async fn list<K>(call: &Call, api: &Api<K>, labels: &str) -> Result<Option<Vec<K>>, PortError>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug,
{
    let mut found = Vec::new();
    let mut params = ListParams::default().labels(labels).limit(PAGE);
    for _ in 0..MAX_PAGES {
        let Some(page): Option<ObjectList<K>> = call.optional(api.list(&params)).await? else { return Ok(None) };
        found.extend(page.items);
        match page.metadata.continue_ {
            Some(token) if !token.is_empty() => params = params.continue_token(&token),
            _ => return Ok(Some(found)),
        }
    }
    Err(PortError::Unavailable(format!("{call}: more than {} objects", MAX_PAGES * PAGE as usize)))
}

pub(crate) fn resource(group: &str, kind: &str) -> ApiResource {
    let plural = format!("{}s", kind.to_ascii_lowercase());
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, "v1alpha1", kind), &plural)
}

/// An object as plain JSON. It came out of JSON, so it goes back; the empty value is for the type checker.
pub(crate) fn value(object: impl serde::Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}
