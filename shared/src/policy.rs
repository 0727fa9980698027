//! Who may back up what, as whom, and where to: who may create a VolumeBackup would otherwise have all rights that planes have.

use crate::{
    ids::PlaneId,
    reason::{Reason, Refusal},
    request::{Credentials, Request, S3Target},
    restoring::RestoreRequest,
};
use serde::{Deserialize, Serialize};

/// What the coordinator's configuration allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Policy {
    /// `spec.template.s3.endpoint` may begin with `http://`: metadata and credentials' signatures then go over the network as
    /// they are.
    pub http_endpoints: bool,
    /// Without any, every namespace may everything; else what no rule allows is refused.
    pub rules: Vec<Rule>,
}

/// One of them. A pattern is a name, or the beginning of one with `*` behind it; an empty list allows all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Rule {
    /// For objects in these namespaces.
    pub namespaces: Vec<String>,
    /// `k8sClusterName`.
    pub planes: Vec<String>,
    /// `tcNamespace`: namespaces of TidbClusters in the planes.
    pub tidb_namespaces: Vec<String>,
    /// `s3.bucket`.
    pub buckets: Vec<String>,
    /// ARNs in `iam.amazonaws.com/role` and `--s3.role-arn`.
    pub roles: Vec<String>,
    /// `s3.endpoint`; AWS's own needs none.
    pub endpoints: Vec<String>,
}

/// As much of a wish as a policy judges.
struct Wish<'a> {
    namespace: &'a str,
    /// Where an endpoint stands.
    field: &'static str,
    credentials: &'a Credentials,
    /// Planes, and the namespaces of TidbClusters there.
    members: Vec<(&'a PlaneId, &'a str)>,
    storages: Vec<&'a S3Target>,
}

impl Policy {
    /// Of a backup that would begin.
    ///
    /// # Errors
    /// What is not allowed, and what would be.
    pub fn check(&self, request: &Request) -> Result<(), Refusal> {
        self.judge(&Wish {
            namespace: &request.namespace,
            field: "spec.template.s3.endpoint",
            credentials: &request.credentials,
            members: request.members.iter().map(|member| (&member.plane, member.tc_namespace.as_str())).collect(),
            storages: vec![&request.storage],
        })
    }

    /// Of a restore that would begin.
    ///
    /// # Errors
    /// What is not allowed, and what would be.
    pub fn check_restore(&self, request: &RestoreRequest) -> Result<(), Refusal> {
        let members = &request.members;
        self.judge(&Wish {
            namespace: &request.namespace,
            field: "spec.clusters.backup.s3.endpoint",
            credentials: &request.credentials,
            members: members.iter().map(|member| (&member.plane, member.target.namespace.as_str())).collect(),
            storages: members.iter().map(|member| &member.storage).collect(),
        })
    }

    fn judge(&self, wish: &Wish<'_>) -> Result<(), Refusal> {
        let http = |storage: &&&S3Target| storage.endpoint.starts_with("http://");
        if let Some(storage) = wish.storages.iter().find(http).filter(|_| !self.http_endpoints) {
            let (field, endpoint) = (wish.field, &storage.endpoint);
            let text = format!("{field} is {endpoint}, without TLS; policy.httpEndpoints does not allow that");
            return Err(Refusal::new(Reason::NotAllowed, text));
        }
        if self.rules.is_empty() {
            return Ok(());
        }
        let namespace = wish.namespace;
        let mut last = format!("no rule of the coordinator's policy is for namespace {namespace}");
        for rule in self.rules.iter().filter(|rule| any(&rule.namespaces, namespace)) {
            match rule.denies(wish) {
                None => return Ok(()),
                Some(denied) => last = format!("namespace {namespace} may not use {denied}"),
            }
        }
        Err(Refusal::new(Reason::NotAllowed, last))
    }
}

impl Rule {
    fn denies(&self, wish: &Wish<'_>) -> Option<String> {
        let own_role = match wish.credentials {
            Credentials::Role(arn) => Some(arn.as_str()),
            Credentials::Secret(_) | Credentials::ServiceAccount(_) | Credentials::Default => None,
        };
        let storages = || wish.storages.iter();
        let of_bucket = storages().filter_map(|storage| storage.role.as_ref().map(|role| role.arn.as_str()));
        let planes = wish.members.iter().map(|(plane, _)| ("plane", &self.planes, plane.as_str()));
        let tidb = wish.members.iter().map(|(_, of)| ("TidbClusters of namespace", &self.tidb_namespaces, *of));
        let roles = own_role.into_iter().chain(of_bucket).map(|arn| ("role", &self.roles, arn));
        let endpoints = storages().map(|storage| storage.endpoint.as_str()).filter(|endpoint| !endpoint.is_empty());
        let endpoints = endpoints.map(|endpoint| ("endpoint", &self.endpoints, endpoint));
        planes
            .chain(tidb)
            .chain(storages().map(|storage| ("bucket", &self.buckets, storage.bucket.as_str())))
            .chain(roles)
            .chain(endpoints)
            .find(|(_, allowed, used)| !any(allowed, used))
            .map(|(what, allowed, used)| format!("{what} {used}; it may use {}", allowed.join(", ")))
    }
}

fn any(patterns: &[String], name: &str) -> bool {
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    };
    patterns.is_empty() || patterns.iter().any(fits)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::request::ForeignRole;

    fn request() -> Request {
        let mut request = Request::example(&["az1", "az2"]);
        request.namespace = "shop".to_owned();
        request.storage.bucket = "shop-backup".to_owned();
        request.storage.endpoint = String::new();
        request
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn refused(rules: &[Rule], request: &Request) -> Option<String> {
        let policy = Policy { http_endpoints: true, rules: rules.to_vec() };
        policy.check(request).err().map(|refusal| {
            assert_eq!(refusal.reason, Reason::NotAllowed);
            refusal.message
        })
    }

    #[test]
    fn without_rules_everything_is_allowed_but_an_endpoint_without_tls() {
        assert_eq!(Policy::default().check(&request()), Ok(()));
        let mut bare = request();
        bare.storage.endpoint = "http://minio:9000".to_owned();
        assert_eq!(Policy::default().check(&bare).unwrap_err().reason, Reason::NotAllowed);
        assert_eq!(Policy { http_endpoints: true, rules: vec![] }.check(&bare), Ok(()));
        bare.storage.endpoint = "https://minio:9000".to_owned();
        assert_eq!(Policy::default().check(&bare), Ok(()));
    }

    #[test]
    fn what_no_rule_allows_is_refused_by_its_name() {
        let shop = Rule { namespaces: list(&["shop"]), buckets: list(&["shop-*"]), ..Rule::default() };
        assert_eq!(refused(std::slice::from_ref(&shop), &request()), None);
        let mut other = request();
        other.namespace = "bank".to_owned();
        assert!(refused(std::slice::from_ref(&shop), &other).unwrap().contains("no rule"), "it is nobody's");
        other.namespace = "shop".to_owned();
        other.storage.bucket = "bank-backup".to_owned();
        let text = refused(std::slice::from_ref(&shop), &other).unwrap();
        assert_eq!(text, "namespace shop may not use bucket bank-backup; it may use shop-*");
        // One rule that allows all of it is enough; two halves are none.
        let wide = Rule { namespaces: list(&["shop"]), ..Rule::default() };
        assert_eq!(refused(&[shop.clone(), wide], &other), None);
        let half = Rule { namespaces: list(&["s*"]), planes: list(&["az1"]), ..Rule::default() };
        assert!(refused(&[shop, half], &other).unwrap().contains("plane az2"));
    }

    #[test]
    fn each_list_is_looked_at() {
        let mut request = request();
        request.credentials = Credentials::Role("arn:aws:iam::1:role/shop".to_owned());
        let rule = |change: fn(&mut Rule)| {
            let mut rule = Rule::default();
            change(&mut rule);
            rule
        };
        for (rule, said) in [
            (rule(|rule| rule.planes = vec!["none".into()]), "plane az1"),
            (rule(|rule| rule.tidb_namespaces = vec!["none".into()]), "TidbClusters of namespace"),
            (rule(|rule| rule.buckets = vec!["none".into()]), "bucket shop-backup"),
            (rule(|rule| rule.roles = vec!["none".into()]), "role arn:aws:iam::1:role/shop"),
        ] {
            assert!(refused(&[rule], &request).unwrap().contains(said), "{said}");
        }
        let roles = Rule { roles: list(&["arn:aws:iam::1:role/*"]), ..Rule::default() };
        assert_eq!(refused(std::slice::from_ref(&roles), &request), None);
        request.storage.role =
            Some(ForeignRole { arn: "arn:aws:iam::2:role/x".to_owned(), external_id: String::new() });
        assert!(refused(&[roles], &request).unwrap().contains("arn:aws:iam::2"));
        request.storage.endpoint = "https://s3.example".to_owned();
        let endpoints = Rule { endpoints: list(&["https://s3.other"]), ..Rule::default() };
        assert!(refused(&[endpoints], &request).unwrap().contains("endpoint https://s3.example"));
    }
}
