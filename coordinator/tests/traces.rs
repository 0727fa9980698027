//! A coordinator that is a program of its own sends the trace of an attempt, once it has ended.
#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serving;

use serde_json::Value;
use serving::{Serving, manifest, text};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

/// What was posted, and where to.
fn taken(mut stream: TcpStream) -> (String, Value) {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "it ended in the middle");
        bytes.extend(&chunk[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
            return (head.lines().next().unwrap().to_owned(), body);
        }
    }
}

#[test]
fn an_attempt_that_has_ended_goes_to_the_otlp_receiver() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = listener.local_addr().unwrap();
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || listener.incoming().try_for_each(|stream| tell.send(taken(stream.unwrap()))));
    let serving = Serving::start(&format!("tracing: {{endpoint: 'http://{endpoint}'}}\n"));
    serving.write("nightly", &manifest("nightly", ""));
    serving.wait(&["show", "nightly"], |done| done.status.success());
    assert!(told.try_recv().is_err(), "it has only begun");

    assert!(serving.console(&["cancel", "nightly"]).status.success());
    let no_trace = |_| panic!("no trace in time: {}", text(&serving.path("log")));
    let (line, body) = told.recv_timeout(LIMIT).unwrap_or_else(no_trace);
    assert_eq!(line, "POST /v1/traces HTTP/1.1");
    let spans = &body["resourceSpans"][0]["scopeSpans"][0]["spans"];
    let shown = serving.console(&["show", "nightly", "-o", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!((&spans[0]["traceId"], &spans[0]["name"]), (&shown["trace"], &Value::from("backup br-admin/nightly")));
    assert!(spans[0]["status"]["message"].as_str().unwrap().starts_with("Cancelled"), "{spans:#}");
    assert_eq!(spans[1]["name"], "Preparing", "{spans:#}");
}
