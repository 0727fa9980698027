//! Which rights a restore needs here, and which are missing: asked of the API server itself, which is what decides.

use super::super::api::Call;
use crate::ports::{Gate, Owner, PortError};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::{Api, Client, api::PostParams};

/// Questions at once.
const AT_ONCE: usize = 8;

/// Group, resource, verbs.
type Right = (&'static str, &'static str, &'static [&'static str]);

/// Cluster-wide, of ClusterRole `isochron-restore`.
pub(crate) const CLUSTER_WIDE: [Right; 2] =
    [("", "persistentvolumes", &["create", "delete", "get", "list"]), ("storage.k8s.io", "storageclasses", &["get"])];

/// Where TiKV runs, of Role `isochron-restore`, besides what every plane has there.
pub(crate) const IN_NAMESPACE: [Right; 3] = [
    ("", "persistentvolumeclaims", &["create", "delete"]),
    ("", "pods", &["delete"]),
    ("pingcap.com", "tidbclusters", &["patch"]),
];

/// What every plane may read there.
const READ: [Right; 2] = [("", "pods", &["list"]), ("", "persistentvolumeclaims", &["get", "list"])];

pub(super) async fn missing(client: &Client, owner: &Owner, gate: &Gate) -> Result<Vec<String>, PortError> {
    let needed = |right: &Right| match right.1 {
        "tidbclusters" => *gate == Gate::RecoveryMode,
        "storageclasses" => *gate != Gate::RecoveryMode,
        _ => true,
    };
    let here = Some(owner.namespace.as_str());
    let all = CLUSTER_WIDE.iter().map(|right| (right, None));
    let all = all.chain(IN_NAMESPACE.iter().chain(&READ).map(|right| (right, here)));
    let asked: Vec<_> = all
        .filter(|(right, _)| needed(right))
        .flat_map(|((group, resource, verbs), namespace)| {
            verbs.iter().map(move |verb| may(client, Asked { group, resource, verb, namespace }))
        })
        .collect();
    let answers: Vec<Option<String>> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

struct Asked<'a> {
    group: &'static str,
    resource: &'static str,
    verb: &'static str,
    namespace: Option<&'a str>,
}

/// `None`: it may.
async fn may(client: &Client, asked: Asked<'_>) -> Result<Option<String>, PortError> {
    let Asked { group, resource, verb, namespace } = asked;
    let attributes = ResourceAttributes {
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        verb: Some(verb.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..Default::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let call = Call::new("create", "selfsubjectaccessreviews.authorization.k8s.io", None, "");
    let answer = call.raw(api.create(&PostParams::default(), &review)).await?.map_err(|error| call.failed(&error))?;
    if answer.status.is_some_and(|status| status.allowed) {
        return Ok(None);
    }
    let of = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
    let place = namespace.map_or_else(|| "cluster-wide".to_owned(), |namespace| format!("in namespace {namespace}"));
    Ok(Some(format!("{verb} {of} {place}")))
}
