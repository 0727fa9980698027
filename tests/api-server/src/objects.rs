//! What is stored, and what a request does to it.

use http::{Method, Uri};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Status and body.
pub(crate) type Reply = (u16, Value);

/// Objects by path.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) all: BTreeMap<String, Value>,
    /// What is listed; nothing else is installed.
    pub(crate) plurals: BTreeSet<String>,
    /// `verb resource` that an access review says no to.
    pub(crate) denied: BTreeSet<String>,
    /// Statuses are written at `…/status`, and nowhere else.
    pub(crate) apart: bool,
    version: u64,
}

impl Objects {
    pub(crate) fn answer(&mut self, method: &Method, uri: &Uri, body: Value) -> Reply {
        let path = uri.path();
        match method.as_str() {
            "GET" => self.read(path, uri.query().unwrap_or_default()),
            "POST" => self.create(path, body, uri.query().unwrap_or_default()),
            "PUT" => self.put(path, body),
            "PATCH" => self.patch(path, &body),
            "DELETE" => self.delete(path, &body["preconditions"]),
            _ => refusal(405),
        }
    }

    pub(crate) fn store(&mut self, path: &str, mut object: Value) -> Reply {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.all.insert(path.to_owned(), object.clone());
        (200, object)
    }

    pub(crate) fn change(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.all.get(path).cloned() {
            change(&mut object);
            self.store(path, object);
        }
    }

    fn read(&self, path: &str, query: &str) -> Reply {
        match self.all.get(path) {
            Some(object) => (200, object.clone()),
            None if path.rsplit('/').next().is_some_and(|last| self.plurals.contains(last)) => {
                (200, self.list(path, query))
            }
            None => refusal(404),
        }
    }

    fn create(&mut self, path: &str, mut body: Value, query: &str) -> Reply {
        // A subresource that makes something and stores nothing.
        if path.ends_with("/token") {
            body["status"] = json!({"token": "a-token", "expirationTimestamp": "2030-01-01T00:00:00Z"});
            return (201, body);
        }
        if path.ends_with("/selfsubjectaccessreviews") {
            let asked = &body["spec"]["resourceAttributes"];
            let word = |field: &str| asked[field].as_str().unwrap().to_owned();
            body["status"] =
                json!({"allowed": !self.denied.contains(&format!("{} {}", word("verb"), word("resource")))});
            return (201, body);
        }
        let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
        if self.all.contains_key(&path) {
            let (code, mut value) = refusal(409);
            value["reason"] = json!("AlreadyExists");
            return (code, value);
        }
        body["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        if query.contains("dryRun=All") {
            return (201, body);
        }
        self.store(&path, body)
    }

    /// As with and without a status subresource.
    fn put(&mut self, path: &str, mut body: Value) -> Reply {
        let (of, to_status) = path.strip_suffix("/status").map_or((path, false), |of| (of, true));
        if to_status && !self.apart {
            return refusal(404);
        }
        if self.apart
            && let Some(stored) = self.all.get(of)
        {
            let mut kept = if to_status { stored.clone() } else { body.clone() };
            kept["status"] = if to_status { body["status"].take() } else { stored["status"].clone() };
            kept["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"].take();
            body = kept;
        }
        self.replace(of, body)
    }

    fn patch(&mut self, path: &str, body: &Value) -> Reply {
        let Some(mut stored) = self.all.get(path).cloned() else { return refusal(404) };
        merge(&mut stored, body);
        self.store(path, stored)
    }

    fn replace(&mut self, path: &str, body: Value) -> Reply {
        let Some(stored) = self.all.get(path) else { return refusal(404) };
        let given = &body["metadata"]["resourceVersion"];
        if !given.is_null() && *given != stored["metadata"]["resourceVersion"] {
            return refusal(409);
        }
        self.store(path, body)
    }

    fn delete(&mut self, path: &str, preconditions: &Value) -> Reply {
        let Some(stored) = self.all.get(path) else { return refusal(404) };
        let met = |field: &str| preconditions[field].is_null() || preconditions[field] == stored["metadata"][field];
        if !met("resourceVersion") || !met("uid") {
            return refusal(409);
        }
        self.all.remove(path);
        (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }

    fn list(&self, path: &str, query: &str) -> Value {
        let query: BTreeMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
        let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
        let selector = query.get("labelSelector").copied().unwrap_or_default().replace("%2C", ",").replace("%2F", "/");
        let terms: Vec<String> = selector.split(',').filter(|term| !term.is_empty()).map(str::to_owned).collect();
        let selected = |object: &&Value| terms.iter().all(|term| fits(&object["metadata"]["labels"], term));
        let below = format!("{path}/");
        let under = self.all.iter().filter(|(key, _)| key.starts_with(&below)).map(|(_, object)| object);
        let under: Vec<&Value> = under.filter(selected).collect();
        let page: Vec<&&Value> = under.iter().skip(from).take(limit).collect();
        let more = (from + page.len() < under.len()).then(|| (from + page.len()).to_string());
        let metadata = json!({"resourceVersion": self.version.to_string(), "continue": more});
        json!({"apiVersion": "v1", "kind": "List", "items": page, "metadata": metadata})
    }
}

/// A merge patch (RFC 7386): members of members, and null takes one away.
fn merge(stored: &mut Value, patch: &Value) {
    let Value::Object(parts) = patch else { return *stored = patch.clone() };
    if !stored.is_object() {
        *stored = json!({});
    }
    for (name, part) in parts {
        if part.is_null() {
            stored.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut stored[name], part);
        }
    }
}

/// `label=value` or `!label`, as they come in a query.
fn fits(labels: &Value, term: &str) -> bool {
    match (term.split_once("%3D"), term.strip_prefix("%21").or_else(|| term.strip_prefix('!'))) {
        (Some((label, value)), _) => labels[label] == value,
        (None, Some(label)) => labels[label].is_null(),
        (None, None) => !labels[term].is_null(),
    }
}

pub(crate) fn refusal(code: u16) -> Reply {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let message = format!("refused with {code}");
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message});
    (code, status)
}
