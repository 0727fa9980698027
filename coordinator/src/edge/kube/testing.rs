//! An API server in memory behind kube's client: versions, uids and preconditions as the real one has them, and faults
//! on demand.

use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use shared::time::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tower_test::mock;

/// What goes wrong with the next call of a method.
pub(crate) enum Fault {
    /// It is carried out, but no answer comes.
    Mute,
    /// It is refused with this status.
    Refuse(u16),
    /// Somebody else changes the object just before.
    Race(Box<dyn FnOnce(&mut Value) + Send>),
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    faults: Vec<(Method, Fault)>,
    calls: Vec<String>,
    unanswered: Vec<mock::SendResponse<Response<Body>>>,
    watches: Vec<String>,
}

/// A handle on the server.
#[derive(Clone, Default)]
pub(crate) struct Api(Arc<Mutex<State>>);

impl Api {
    /// A server and a client of it.
    pub(crate) fn start() -> (Self, Client) {
        let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
        let api = Self::default();
        let server = api.clone();
        tokio::spawn(async move {
            while let Some((request, answer)) = handle.next_request().await {
                let (parts, body) = request.into_parts();
                let bytes = body.collect().await.unwrap().to_bytes();
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                server.serve(&parts.method, &parts.uri, body, answer);
            }
        });
        (api, Client::new(service, "default"))
    }

    pub(crate) fn fail(&self, method: Method, fault: Fault) {
        self.0.lock().unwrap().faults.push((method, fault));
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Every object below a path.
    pub(crate) fn under(&self, path: &str) -> Vec<Value> {
        let state = self.0.lock().unwrap();
        state.objects.iter().filter(|(key, _)| key.starts_with(path)).map(|(_, object)| object.clone()).collect()
    }

    /// Puts an object as somebody else would.
    pub(crate) fn put(&self, path: &str, mut object: Value) {
        let mut state = self.0.lock().unwrap();
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().unwrap().objects.remove(path);
    }

    /// What the next watch streams, one line per event, before it ends.
    pub(crate) fn watch(&self, lines: &[Value]) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect();
        self.0.lock().unwrap().watches.push(text);
    }

    /// Method and path of every call since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    fn serve(&self, method: &Method, uri: &http::Uri, body: Value, answer: mock::SendResponse<Response<Body>>) {
        let mut state = self.0.lock().unwrap();
        state.calls.push(format!("{method} {}", uri.path()));
        if uri.query().is_some_and(|query| query.contains("watch=true")) {
            match state.watches.is_empty() {
                true => state.unanswered.push(answer),
                false => {
                    let text = state.watches.remove(0);
                    answer.send_response(Response::new(Body::from(text.into_bytes())));
                }
            }
            return;
        }
        let fault = state.faults.iter().position(|(of, _)| of == method);
        let fault = fault.map(|index| state.faults.remove(index).1);
        let mut mute = false;
        let (code, value) = match fault {
            Some(Fault::Refuse(code)) => refusal(code),
            Some(Fault::Race(change)) => {
                state.version += 1;
                let version = state.version;
                if let Some(object) = state.objects.get_mut(uri.path()) {
                    change(object);
                    object["metadata"]["resourceVersion"] = json!(version.to_string());
                }
                state.answer(method, uri, body)
            }
            Some(Fault::Mute) => {
                mute = true;
                state.answer(method, uri, body)
            }
            None => state.answer(method, uri, body),
        };
        if mute {
            state.unanswered.push(answer);
            return;
        }
        let response = Response::builder().status(code).body(Body::from(value.to_string().into_bytes()));
        answer.send_response(response.unwrap());
    }
}

impl State {
    fn answer(&mut self, method: &Method, uri: &http::Uri, mut body: Value) -> (u16, Value) {
        let path = uri.path().to_owned();
        let current = self.objects.get(&path).map(|object| object["metadata"]["resourceVersion"].clone());
        match method.as_str() {
            "GET" => match self.objects.get(&path) {
                Some(object) => (200, object.clone()),
                None if path.ends_with('s') && !path.contains("isochron-") => (200, self.list(&path, uri)),
                None => refusal(404),
            },
            "POST" => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) {
                    let (code, mut value) = refusal(409);
                    value["reason"] = json!("AlreadyExists");
                    return (code, value);
                }
                self.version += 1;
                body["metadata"]["uid"] = json!(format!("uid-{}", self.version));
                self.store(path, body)
            }
            "PUT" => match current {
                None => refusal(404),
                Some(current) => {
                    let given = body["metadata"]["resourceVersion"].clone();
                    if !given.is_null() && given != current { refusal(409) } else { self.store(path, body) }
                }
            },
            "DELETE" => match current {
                None => refusal(404),
                Some(current) => {
                    let uid = self.objects[&path]["metadata"]["uid"].clone();
                    for (wanted, is) in [("resourceVersion", &current), ("uid", &uid)] {
                        let wanted = &body["preconditions"][wanted];
                        if !wanted.is_null() && wanted != is {
                            return refusal(409);
                        }
                    }
                    self.objects.remove(&path);
                    (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
                }
            },
            _ => refusal(405),
        }
    }

    fn store(&mut self, path: String, mut body: Value) -> (u16, Value) {
        self.version += 1;
        body["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path, body.clone());
        (200, body)
    }

    fn list(&self, path: &str, uri: &http::Uri) -> Value {
        let query: BTreeMap<&str, &str> =
            uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
        let from: usize = query.get("continue").map_or(0, |token| token.parse().unwrap());
        let limit: usize = query.get("limit").map_or(usize::MAX, |limit| limit.parse().unwrap());
        let under: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(key, _)| key.starts_with(&format!("{path}/")))
            .map(|(_, object)| object)
            .filter(|object| match query.get("labelSelector").and_then(|selector| selector.rsplit_once("%3D")) {
                Some((label, value)) => object["metadata"]["labels"][label.replace("%2F", "/")] == value,
                None => true,
            })
            .collect();
        let page: Vec<&&Value> = under.iter().skip(from).take(limit).collect();
        let more = (from + page.len() < under.len()).then(|| (from + page.len()).to_string());
        let version = self.version.to_string();
        json!({"apiVersion": "v1", "kind": "List", "items": page, "metadata": {"resourceVersion": version, "continue": more}})
    }
}

fn refusal(code: u16) -> (u16, Value) {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let message = format!("refused with {code}");
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}),
    )
}

/// 2024-05-01T03:00:20Z.
pub(crate) fn wall() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(|| Timestamp(1_714_532_420_000))
}
