//! Whom a SPIFFE id names: by its form, `spiffe://<trust-domain>/<kind>/<name>`, or by what the configuration says of it, where a
//! mesh makes ids of another form. One id names nobody twice; that is looked at when files are read, not when somebody dials.

use crate::link::Identity;
use serde::{Deserialize, Serialize};
use shared::plane_name::{is_name, of_path_segment};
use std::collections::BTreeMap;

/// Stands for a name, once in an id.
const NAME: &str = "{name}";

/// Longest id (SPIFFE, *The SPIFFE Identity and Verifiable Identity Document*, 2.3).
const MAX_ID: usize = 2048;

/// More planes than a coordinator has, and some people.
const MAX_MAPPINGS: usize = 4096;

/// Forms of ids that a mesh makes: a handful. Each is compared with every other and with every single id.
const MAX_PATTERNS: usize = 64;

/// One line of the configuration's `identities`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mapping {
    /// A SPIFFE id, as certificates have it; or a form of them, with `{name}` once for what lies between two slashes, or for a part
    /// of it.
    pub uri: String,
    /// Whom it names: `plane/NAME`, `coordinator/NAME`, `admin/NAME`, `operator/NAME` or `viewer/NAME`. Where `uri` has `{name}`, this
    /// ends with it.
    pub is: String,
}

/// Why `identities` cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum MappingError {
    /// Only SPIFFE ids are looked for in certificates.
    #[error("identities: {0:?} is no SPIFFE id; write spiffe://<trust-domain>/<path>, of at most 2048 bytes")]
    NoId(String),
    /// No kind of ours, or no name.
    #[error(
        "identities: {uri} cannot be {is:?}; write plane/NAME, coordinator/NAME, admin/NAME, operator/NAME or viewer/NAME"
    )]
    NoIdentity {
        /// Whose.
        uri: String,
        /// What stands there.
        is: String,
    },
    /// It says what a name is on one side only, or more than once.
    #[error(
        "identities: {uri} is {is:?}; {NAME} stands once in both, and in `is` behind the slash alone, or in neither"
    )]
    Placeholder {
        /// Whose.
        uri: String,
        /// What stands there.
        is: String,
    },
    /// It would be a matter of luck who somebody is.
    #[error("identities: {uri} is both {one} and {other}; an id may name only one")]
    Two {
        /// The id, or a form of ids.
        uri: String,
        /// One of them.
        one: String,
        /// The other.
        other: String,
    },
    /// More than anybody has.
    #[error("identities: more than {MAX_MAPPINGS} ids, or more than {MAX_PATTERNS} of them with {NAME}")]
    TooMany,
}

/// Ids of one form: what stands before the name, and behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    before: String,
    behind: String,
    kind: String,
    /// By the configuration, not by the form of old.
    said: bool,
}

impl Pattern {
    fn of(uri: &str, kind: &str, said: bool) -> Option<Self> {
        let (before, behind) = uri.split_once(NAME)?;
        let of = |text: &str| text.to_owned();
        Some(Self { before: of(before), behind: of(behind), kind: of(kind), said })
    }

    fn identity(&self, id: &str) -> Option<Identity> {
        let segment = id.strip_prefix(self.before.as_str())?.strip_suffix(self.behind.as_str())?;
        let name = of_path_segment(segment)?;
        Identity::of_kind(&self.kind, name)
    }

    /// May one id be of both forms? A name has no slash, so such forms have as many of them.
    fn overlaps(&self, other: &Self) -> bool {
        let slashes = |pattern: &Self| pattern.before.matches('/').count() + pattern.behind.matches('/').count();
        let begins = self.before.starts_with(&other.before) || other.before.starts_with(&self.before);
        let ends = self.behind.ends_with(&other.behind) || other.behind.ends_with(&self.behind);
        begins && ends && slashes(self) == slashes(other)
    }

    fn told(&self) -> String {
        format!("{}/{NAME}", self.kind)
    }
}

/// Whom every id names.
#[derive(Clone, Debug)]
pub struct Names {
    trust_domain: String,
    single: BTreeMap<String, Identity>,
    patterns: Vec<Pattern>,
}

impl Names {
    /// The form of old in a trust domain, and what the configuration says besides.
    ///
    /// # Errors
    /// A line that says nothing, or an id that would name two.
    pub fn of(trust_domain: &str, mappings: &[Mapping]) -> Result<Self, MappingError> {
        let of_old = Identity::KINDS
            .iter()
            .filter_map(|kind| Pattern::of(&format!("spiffe://{trust_domain}/{kind}/{NAME}"), kind, false));
        let mut names =
            Self { trust_domain: trust_domain.to_owned(), single: BTreeMap::new(), patterns: of_old.collect() };
        if mappings.len() > MAX_MAPPINGS {
            return Err(MappingError::TooMany);
        }
        for mapping in mappings {
            names.put(mapping)?;
        }
        for (id, identity) in &names.single {
            names.single_is_one(id, identity)?;
        }
        Ok(names)
    }

    fn put(&mut self, mapping: &Mapping) -> Result<(), MappingError> {
        let Mapping { uri, is } = mapping;
        let path = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
        if uri.len() > MAX_ID
            || path.is_none_or(|(domain, path)| domain.is_empty() || domain.contains('{') || path.is_empty())
        {
            return Err(MappingError::NoId(uri.clone()));
        }
        let nobody = || MappingError::NoIdentity { uri: uri.clone(), is: is.clone() };
        let (kind, name) = is.split_once('/').ok_or_else(nobody)?;
        match (uri.matches(NAME).count(), name == NAME) {
            (0, false) if !is.contains(NAME) => {
                let identity = Identity::of_kind(kind, name.to_owned()).filter(|_| is_name(name)).ok_or_else(nobody)?;
                match self.single.insert(uri.clone(), identity.clone()) {
                    Some(other) if other != identity => Err(two(uri, &identity, &other)),
                    _ => Ok(()),
                }
            }
            (1, true) => {
                Identity::of_kind(kind, name.to_owned()).ok_or_else(nobody)?;
                let pattern = Pattern::of(uri, kind, true).ok_or_else(nobody)?;
                if let Some(other) = self.patterns.iter().find(|other| other.overlaps(&pattern)) {
                    return Err(two(uri, &pattern.told(), &other.told()));
                }
                self.patterns.push(pattern);
                if self.patterns.len() > MAX_PATTERNS { Err(MappingError::TooMany) } else { Ok(()) }
            }
            _ => Err(MappingError::Placeholder { uri: uri.clone(), is: is.clone() }),
        }
    }

    fn single_is_one(&self, id: &str, identity: &Identity) -> Result<(), MappingError> {
        let by_form = self.patterns.iter().filter_map(|pattern| pattern.identity(id));
        match by_form.into_iter().find(|other| other != identity) {
            Some(other) => Err(two(id, identity, &other)),
            None => Ok(()),
        }
    }

    /// Whom this id names; `None`: nobody.
    pub fn identity(&self, id: &str) -> Option<Identity> {
        let single = self.single.get(id).cloned();
        single.or_else(|| self.patterns.iter().find_map(|pattern| pattern.identity(id)))
    }

    /// The same, of ids alone that the configuration speaks of.
    pub(super) fn said(&self, id: &str) -> Option<Identity> {
        let single = self.single.get(id).cloned();
        single.or_else(|| self.patterns.iter().filter(|pattern| pattern.said).find_map(|pattern| pattern.identity(id)))
    }

    /// In which ids have the form of old.
    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }
}

fn two(uri: &str, one: &impl ToString, other: &impl ToString) -> MappingError {
    MappingError::Two { uri: uri.to_owned(), one: one.to_string(), other: other.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "isochron.local";

    fn names(lines: &[(&str, &str)]) -> Result<Names, MappingError> {
        let line = |(uri, is): &(&str, &str)| Mapping { uri: (*uri).to_owned(), is: (*is).to_owned() };
        Names::of(DOMAIN, &lines.iter().map(line).collect::<Vec<_>>())
    }

    fn told(names: &Names, id: &str) -> Option<String> {
        names.identity(id).map(|identity| identity.to_string())
    }

    #[test]
    fn without_a_line_the_form_of_old_names_everybody() {
        let names = names(&[]).unwrap();
        for kind in Identity::KINDS {
            assert_eq!(told(&names, &format!("spiffe://isochron.local/{kind}/a")), Some(format!("{kind}/a")));
        }
        let arn = "spiffe://isochron.local/plane/arn%3Aaws%3Aeks%3Aeu-west-1%3A1%3Acluster%2Faz1";
        assert_eq!(told(&names, arn).as_deref(), Some("plane/arn:aws:eks:eu-west-1:1:cluster/az1"));
        for nobody in [
            "spiffe://isochron.local/plane/",
            "spiffe://isochron.local/plane/a/b",
            "spiffe://isochron.local/planes/a",
            "spiffe://isochron.local.evil/plane/a",
            "spiffe://other/plane/a",
            "https://isochron.local/plane/a",
        ] {
            assert_eq!(told(&names, nobody), None, "{nobody}");
            assert_eq!(names.said(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn lines_name_single_ids_and_forms_of_them() {
        let names = names(&[
            ("spiffe://mesh.example/ns/isochron/sa/coordinator", "coordinator/isochron"),
            ("spiffe://mesh.example/ns/isochron/sa/plane-{name}", "plane/{name}"),
            ("spiffe://old.example/az1", "plane/prod-az1"),
            ("spiffe://new.example/az1", "plane/prod-az1"),
            ("spiffe://people.example/{name}/laptop", "viewer/{name}"),
        ])
        .unwrap();
        for (id, who) in [
            ("spiffe://mesh.example/ns/isochron/sa/coordinator", "coordinator/isochron"),
            ("spiffe://mesh.example/ns/isochron/sa/plane-prod-az2", "plane/prod-az2"),
            ("spiffe://old.example/az1", "plane/prod-az1"),
            ("spiffe://new.example/az1", "plane/prod-az1"),
            ("spiffe://people.example/ann/laptop", "viewer/ann"),
            ("spiffe://isochron.local/admin/ann", "admin/ann"),
        ] {
            assert_eq!(told(&names, id).as_deref(), Some(who), "{id}");
        }
        assert_eq!(names.said("spiffe://isochron.local/admin/ann"), None, "its form says so, no line");
        for nobody in [
            "spiffe://mesh.example/ns/isochron/sa/plane-",
            "spiffe://mesh.example/ns/isochron/sa/plane-a/b",
            "spiffe://mesh.example/ns/other/sa/plane-a",
            "spiffe://old.example/az1/x",
            "spiffe://people.example/ann",
        ] {
            assert_eq!(told(&names, nobody), None, "{nobody}");
        }
    }

    #[test]
    fn an_id_that_would_name_two_is_refused() {
        for (lines, said) in [
            (
                vec![("spiffe://m/x", "plane/a"), ("spiffe://m/x", "plane/b")],
                "spiffe://m/x is both plane/b and plane/a",
            ),
            (
                vec![("spiffe://m/x", "plane/a"), ("spiffe://m/x", "admin/a")],
                "spiffe://m/x is both admin/a and plane/a",
            ),
            (vec![("spiffe://m/x", "plane/a"), ("spiffe://m/{name}", "plane/{name}")], "both plane/a and plane/x"),
            (
                vec![("spiffe://m/{name}", "plane/{name}"), ("spiffe://m/p-{name}", "plane/{name}")],
                "spiffe://m/p-{name} is both",
            ),
            (vec![("spiffe://m/a/{name}", "plane/{name}"), ("spiffe://m/{name}/b", "plane/{name}")], "is both"),
            (vec![("spiffe://isochron.local/plane/a", "plane/b")], "both plane/b and plane/a"),
            (vec![("spiffe://isochron.local/admin/{name}", "viewer/{name}")], "both viewer/{name} and admin/{name}"),
        ] {
            let refused = names(&lines).unwrap_err();
            assert!(matches!(refused, MappingError::Two { .. }), "{lines:?}: {refused}");
            assert!(refused.to_string().contains(said), "{lines:?}: {refused}");
        }
        // The same twice is no second name, and a form of another length meets nobody.
        let fine = [("spiffe://m/x", "plane/a"), ("spiffe://m/x", "plane/a"), ("spiffe://m/x/{name}", "plane/{name}")];
        names(&fine).unwrap();
        names(&[("spiffe://isochron.local/plane/a", "plane/a")]).unwrap();
    }

    #[test]
    fn a_line_that_says_nothing_is_refused() {
        for (uri, is) in [
            ("https://m/x", "plane/a"),
            ("spiffe://m", "plane/a"),
            ("spiffe:///x", "plane/a"),
            ("spiffe://{name}/x", "plane/{name}"),
            ("spiffe://m/x", "plane"),
            ("spiffe://m/x", "plane/"),
            ("spiffe://m/x", "planes/a"),
            ("spiffe://m/x", "plane/ a"),
            ("spiffe://m/{name}", "plane/a"),
            ("spiffe://m/x", "plane/{name}"),
            ("spiffe://m/{name}/{name}", "plane/{name}"),
            ("spiffe://m/{name}", "plane/a-{name}"),
            ("spiffe://m/{name}", "king/{name}"),
        ] {
            let refused = names(&[(uri, is)]).unwrap_err();
            assert!(refused.to_string().starts_with("identities: "), "{uri} {is}: {refused}");
            assert!(!matches!(refused, MappingError::Two { .. }), "{uri} {is}: {refused}");
        }
        let many = vec![("spiffe://m/x", "plane/a"); MAX_MAPPINGS + 1];
        assert_eq!(names(&many).unwrap_err(), MappingError::TooMany);
    }
}
