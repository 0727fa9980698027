//! An API server of a few objects: GET by path (query cut off), POST and PUT with resourceVersions; everything else is
//! 404, as for a CRD that is not installed.

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use shared::{
    evidence::{ClusterStore, StoreState},
    ids::StoreId,
    time::Millis,
};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

/// What happens to the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is stored, but the answer never comes.
    StoredButSilent,
    /// Not stored, no answer.
    Silent,
    /// Not stored, 500.
    Broken,
}

#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Value>,
    statuses: BTreeMap<String, u16>,
    /// What is not installed is answered by a page in words, as a real server does.
    pages: bool,
    requests: Vec<String>,
    bodies: Vec<Value>,
    next: Vec<Reply>,
    version: u64,
}

impl Fake {
    pub(crate) fn with(self, path: &str, object: Value) -> Self {
        self.0.lock().unwrap().objects.insert(path.to_owned(), object);
        self
    }

    pub(crate) fn list(self, path: &str, items: &[Value]) -> Self {
        self.with(path, json!({"metadata": {"resourceVersion": "1"}, "items": items}))
    }

    /// Every request to this path is refused so.
    pub(crate) fn failing(self, path: &str, status: u16) -> Self {
        self.0.lock().unwrap().statuses.insert(path.to_owned(), status);
        self
    }

    /// A 404 is a page in words, as of a resource that is not installed.
    pub(crate) fn pages(self) -> Self {
        self.0.lock().unwrap().pages = true;
        self
    }

    pub(crate) fn next_write(&self, reply: Reply) {
        self.0.lock().unwrap().next.push(reply);
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        change(self.0.lock().unwrap().objects.get_mut(path).unwrap());
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.0.lock().unwrap().requests.clone()
    }

    /// What was sent to be written.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }

    pub(crate) fn client(&self) -> Client {
        let fake = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let fake = fake.clone();
            async move { Ok::<_, Infallible>(fake.answer(request).await) }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let path = parts.uri.path().to_owned();
        let paged = self.0.lock().unwrap().pages;
        let outcome = {
            let mut inner = self.0.lock().unwrap();
            inner.requests.push(format!("{} {}", parts.method, parts.uri));
            match inner.statuses.get(&path) {
                Some(status) => Ok((*status, failure(*status, "as the test wants it"))),
                None if parts.method == Method::GET => Ok(match inner.objects.get(&path) {
                    Some(object) => (200, object.clone()),
                    None => (404, failure(404, "404 page not found")),
                }),
                None => {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    inner.bodies.push(body.clone());
                    inner.write(&parts.method, &path, body)
                }
            }
        };
        match outcome {
            Ok((404, _)) if paged => {
                let page = Body::from(b"404 page not found\n".to_vec());
                Response::builder().status(404).header("content-type", "text/plain").body(page).unwrap()
            }
            Ok((status, body)) => {
                let body = Body::from(serde_json::to_vec(&body).unwrap());
                Response::builder().status(status).header("content-type", "application/json").body(body).unwrap()
            }
            Err(()) => std::future::pending().await,
        }
    }
}

impl Inner {
    fn write(&mut self, method: &Method, path: &str, mut object: Value) -> Result<(u16, Value), ()> {
        let reply = if self.next.is_empty() { None } else { Some(self.next.remove(0)) };
        match reply {
            Some(Reply::Silent) => return Err(()),
            Some(Reply::Broken) => return Ok((500, failure(500, "etcd has no leader"))),
            Some(Reply::StoredButSilent) | None => {}
        }
        if path.ends_with("/token") {
            object["status"] = json!({"token": "a-token", "expirationTimestamp": "2030-01-01T00:00:00Z"});
            return Ok((201, object));
        }
        let path = match *method {
            Method::POST => format!("{path}/{}", object["metadata"]["name"].as_str().unwrap()),
            _ => path.to_owned(),
        };
        let stored = self.objects.get(&path);
        let conflict = match *method {
            Method::POST => stored.is_some(),
            _ => stored
                .is_none_or(|stored| stored["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]),
        };
        if conflict {
            return Ok((409, failure(409, "the object has been modified")));
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path, object.clone());
        if reply.is_some() { Err(()) } else { Ok((200, object)) }
    }
}

fn failure(code: u16, message: &str) -> Value {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

/// A store as PD lists it.
pub(crate) fn store(id: u64, address: &str) -> ClusterStore {
    ClusterStore {
        store: StoreId(id),
        address: address.to_owned(),
        state: StoreState::Up,
        start_timestamp: 1,
        uptime: Millis::secs(1000),
        heartbeat_age: Millis(0),
        version: "7.5.1".to_owned(),
    }
}
