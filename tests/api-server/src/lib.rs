//! A Kubernetes API server in memory behind kube's client: versions, uids, preconditions and lists in pages as the real
//! one has them, and faults on demand. It knows no schema; what kinds do is tried on a real one (`tests/tests/kube_crd`).

#![allow(clippy::unwrap_used)] // Only tests ask it.

mod objects;

use http::{Method, Request, Response, Uri};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use objects::{Objects, Reply, refusal};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

/// What goes wrong with the next call of a method.
pub enum Fault {
    /// It is carried out, but no answer comes.
    Mute,
    /// It never arrives.
    Lost,
    /// It is refused with this status.
    Refuse(u16),
    /// Somebody else changes the object just before.
    Race(Box<dyn FnOnce(&mut Value) + Send>),
}

#[derive(Default)]
struct State {
    objects: Objects,
    /// `None`: of any method that writes.
    faults: Vec<(Option<Method>, Fault)>,
    refused: BTreeMap<String, u16>,
    pages: bool,
    requests: Vec<String>,
    bodies: Vec<Value>,
    watches: Vec<String>,
}

/// A handle on the server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<State>>);

impl ApiServer {
    /// One that lists these plurals, and a client of it. What is not listed is not installed: 404.
    #[must_use]
    pub fn listing(plurals: &[&str]) -> (Self, Client) {
        let server = Self::default();
        server.0.lock().unwrap().objects.plurals = plurals.iter().map(|plural| (*plural).to_owned()).collect();
        let client = server.client();
        (server, client)
    }

    /// With this object.
    #[must_use]
    pub fn with(self, path: &str, object: Value) -> Self {
        self.put(path, object);
        self
    }

    /// With these, whatever the selector.
    #[must_use]
    pub fn list(self, path: &str, items: &[Value]) -> Self {
        self.with(path, json!({"metadata": {}, "items": items}))
    }

    /// Every request to this path is refused so.
    #[must_use]
    pub fn failing(self, path: &str, status: u16) -> Self {
        self.0.lock().unwrap().refused.insert(path.to_owned(), status);
        self
    }

    /// An access review says that this is not allowed; the call itself is another matter ([`ApiServer::failing`]).
    #[must_use]
    pub fn may_not(self, verb: &str, resource: &str) -> Self {
        self.0.lock().unwrap().objects.denied.insert(format!("{verb} {resource}"));
        self
    }

    /// A 404 is a page in words, as a real server says it of a resource that is not installed.
    #[must_use]
    pub fn pages(self) -> Self {
        self.0.lock().unwrap().pages = true;
        self
    }

    /// Somebody installs the definitions with a status subresource, or without.
    pub fn statuses_apart(&self, apart: bool) {
        self.0.lock().unwrap().objects.apart = apart;
    }

    /// The next call of this method goes wrong; several faults are met one after the other.
    pub fn fail(&self, method: Method, fault: Fault) {
        self.0.lock().unwrap().faults.push((Some(method), fault));
    }

    /// The next call that writes, of whatever method, goes wrong.
    pub fn fail_write(&self, fault: Fault) {
        self.0.lock().unwrap().faults.push((None, fault));
    }

    /// As it is stored.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.all.get(path).cloned()
    }

    /// Every object below a path.
    #[must_use]
    pub fn under(&self, path: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        state.objects.all.iter().filter(|(key, _)| key.starts_with(path)).map(|(_, object)| object.clone()).collect()
    }

    /// Puts an object as somebody else would.
    pub fn put(&self, path: &str, object: Value) {
        self.0.lock().unwrap().objects.store(path, object);
    }

    /// Changes an object as somebody else would.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        self.0.lock().unwrap().objects.change(path, change);
    }

    /// Takes an object away, as somebody else would.
    pub fn remove(&self, path: &str) {
        self.0.lock().unwrap().objects.all.remove(path);
    }

    /// What the next watch streams, one line per event, before it ends.
    pub fn watch(&self, lines: &[Value]) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect();
        self.0.lock().unwrap().watches.push(text);
    }

    /// Method and path of every call since the last look.
    pub fn calls(&self) -> Vec<String> {
        let path = |request: String| request.split('?').next().unwrap_or_default().to_owned();
        self.requests().into_iter().map(path).collect()
    }

    /// Method, path and query of every call since the last look.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }

    /// What was sent to be written.
    #[must_use]
    pub fn bodies(&self) -> Vec<Value> {
        self.0.lock().unwrap().bodies.clone()
    }

    /// kube's client, with this server instead of a network. Needs tokio.
    #[must_use]
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                match server.serve(&parts.method, &parts.uri, serde_json::from_slice(&body).unwrap_or(Value::Null)) {
                    Some(response) => Ok::<_, Infallible>(response),
                    None => std::future::pending().await,
                }
            }
        });
        Client::new(service, "default")
    }

    /// `None`: no answer ever comes.
    fn serve(&self, method: &Method, uri: &Uri, body: Value) -> Option<Response<Body>> {
        let mut state = self.0.lock().unwrap();
        state.requests.push(format!("{method} {uri}"));
        if uri.query().is_some_and(|query| query.contains("watch=true")) {
            let text = (!state.watches.is_empty()).then(|| state.watches.remove(0))?;
            return Some(Response::new(Body::from(text.into_bytes())));
        }
        if method != Method::GET {
            state.bodies.push(body.clone());
        }
        let (code, value) = state.answer(method, uri, body)?;
        let (kind, text) = match code {
            404 if state.pages => ("text/plain", "404 page not found\n".to_owned()),
            _ => ("application/json", value.to_string()),
        };
        let response = Response::builder().status(code).header("content-type", kind);
        Some(response.body(Body::from(text.into_bytes())).unwrap())
    }
}

impl State {
    fn answer(&mut self, method: &Method, uri: &Uri, body: Value) -> Option<Reply> {
        if let Some(status) = self.refused.get(uri.path()) {
            return Some(refusal(*status));
        }
        let meant = |of: &Option<Method>| of.as_ref().map_or(method != Method::GET, |of| of == method);
        let fault = self.faults.iter().position(|(of, _)| meant(of)).map(|index| self.faults.remove(index).1);
        match fault {
            Some(Fault::Refuse(code)) => return Some(refusal(code)),
            Some(Fault::Lost) => return None,
            Some(Fault::Mute) => {
                self.objects.answer(method, uri, body);
                return None;
            }
            Some(Fault::Race(change)) => self.objects.change(uri.path(), change),
            None => {}
        }
        Some(self.objects.answer(method, uri, body))
    }
}
