//! Sends what has ended, in a task of its own: whoever hands an attempt over never waits, and a receiver that hangs costs a trace
//! and nothing else.

use super::spans::request;
use crate::{
    aside::aside,
    ports::{EndedAttempt, Traces},
};
use bytes::Bytes;
use http::{Method, Request, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Attempts that wait to be sent: those of an hour in which every plane of a fleet has its backup.
const QUEUE: usize = 64;
/// One request. A collector answers in milliseconds.
const LIMIT: Duration = Duration::from_secs(5);
/// Tries of one trace, with a pause between them that doubles: a collector that is restarted is back by then.
const TRIES: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Of an answer, which says at most how many spans were refused.
const ANSWER_BYTES: usize = 64 * 1024;
/// Where OTLP/HTTP takes traces, below its base.
const PATH: &str = "/v1/traces";

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum OtlpError {
    /// It is no address of ours.
    #[error(
        "tracing.endpoint {0:?} is not http://HOST:PORT; encrypted ways are a collector's business, beside this process"
    )]
    Endpoint(String),
}

/// The task ends when nobody hands it anything any more and all is sent.
///
/// # Errors
/// The endpoint is none.
pub fn start(endpoint: &str) -> Result<(Arc<dyn Traces>, JoinHandle<()>), OtlpError> {
    let to = receiver(endpoint).ok_or_else(|| OtlpError::Endpoint(endpoint.to_owned()))?;
    let (tx, rx) = mpsc::channel(QUEUE);
    Ok((Arc::new(Queue(tx)), tokio::spawn(send_all(to, rx))))
}

fn receiver(endpoint: &str) -> Option<Uri> {
    let base = endpoint.trim_end_matches('/');
    let base = base.strip_suffix(PATH).unwrap_or(base);
    let uri: Uri = format!("{base}{PATH}").parse().ok()?;
    (uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

struct Queue(mpsc::Sender<EndedAttempt>);

impl Traces for Queue {
    /// Overflow rule: the receiver is away or too slow; what finds no room is lost, and said so.
    fn ended(&self, attempt: EndedAttempt) {
        if let Err(lost) = self.0.try_send(attempt) {
            let record = &lost.into_inner().view.record;
            let (backup, attempt) = (&record.request.backup, record.attempt);
            tracing::warn!(%backup, attempt, limit = QUEUE, "trace is lost: too many wait for tracing.endpoint");
        }
    }
}

async fn send_all(to: Uri, mut attempts: mpsc::Receiver<EndedAttempt>) {
    let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    while let Some(attempt) = attempts.recv().await {
        let (backup, number) = (attempt.view.record.request.backup.clone(), attempt.view.record.attempt);
        // Those of the widest backup are some megabytes of text.
        let Ok(body) = aside(move || Bytes::from(request(&attempt).to_string())).await else {
            continue;
        };
        match send(&client, &to, &body).await {
            Ok(()) => tracing::debug!(%backup, attempt = number, "trace is sent"),
            Err(error) => tracing::warn!(%backup, attempt = number, %to, error, "trace is lost"),
        }
    }
}

/// Why a try came to nothing.
enum Failed {
    /// It may come to something later.
    Now(String),
    ForGood(String),
}

async fn send(client: &Client<HttpConnector, Full<Bytes>>, to: &Uri, body: &Bytes) -> Result<(), String> {
    let mut pause = FIRST_PAUSE;
    let mut last = String::new();
    for number in 1..=TRIES {
        match timeout(LIMIT, post(client, to, body.clone())).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Failed::ForGood(why))) => return Err(why),
            Ok(Err(Failed::Now(why))) => last = why,
            Err(_) => last = format!("no answer within {} s", LIMIT.as_secs()),
        }
        if number < TRIES {
            sleep(pause).await;
            pause *= 2;
        }
    }
    Err(format!("{last} ({TRIES} tries)"))
}

async fn post(client: &Client<HttpConnector, Full<Bytes>>, to: &Uri, body: Bytes) -> Result<(), Failed> {
    let request = Request::builder().method(Method::POST).uri(to.clone()).header(CONTENT_TYPE, "application/json");
    let request = request.body(Full::new(body)).map_err(|error| Failed::ForGood(error.to_string()))?;
    let answer = client.request(request).await.map_err(|error| Failed::Now(format!("{error:#}")))?;
    let status = answer.status();
    // Read to its end, so that the connection can be used again.
    let read = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await.map(|body| body.to_bytes());
    if status.is_success() {
        return Ok(());
    }
    let text =
        read.map(|text| String::from_utf8_lossy(&text).chars().take(200).collect::<String>()).unwrap_or_default();
    let why = format!("{status} {text}");
    // What the protocol calls retryable.
    Err(if matches!(status.as_u16(), 429 | 502 | 503 | 504) { Failed::Now(why) } else { Failed::ForGood(why) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{super::spans::tests::attempt, *};
    use serde_json::Value;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    /// Reads one request; what came, by its head and body.
    async fn read(stream: &mut TcpStream) -> (String, Value) {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head
                    .lines()
                    .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
                if body.len() == length.unwrap() {
                    return (head.to_owned(), serde_json::from_str(body).unwrap());
                }
            }
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "it ended in the middle");
            bytes.extend(&chunk[..count]);
        }
    }

    async fn listening() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        (listener, at)
    }

    #[tokio::test]
    async fn a_trace_is_sent_again_while_the_receiver_is_busy_and_is_whole() {
        let (listener, at) = listening().await;
        let (traces, task) = start(&at).unwrap();
        traces.ended(attempt(None));
        drop(traces);
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, first) = read(&mut stream).await;
        assert!(
            head.starts_with("POST /v1/traces HTTP/1.1") && head.contains("content-type: application/json"),
            "{head}"
        );
        stream.write_all(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let (_, again) = read(&mut stream).await;
        assert_eq!(first, again, "word for word");
        assert_eq!(again, request(&attempt(None)));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        task.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_refused_is_not_sent_again() {
        let (listener, at) = listening().await;
        let (traces, task) = start(&at).unwrap();
        traces.ended(attempt(None));
        drop(traces);
        let (mut stream, _) = listener.accept().await.unwrap();
        read(&mut stream).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nno!").await.unwrap();
        task.await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "nothing more came");
    }

    /// The receiver takes connections and says nothing.
    #[tokio::test]
    async fn whoever_hands_a_trace_over_never_waits() {
        let (_hangs, at) = listening().await;
        let (traces, task) = start(&at).unwrap();
        let one = attempt(None);
        for _ in 0..10 * QUEUE {
            traces.ended(one.clone());
        }
        assert!(!task.is_finished());
        task.abort();
    }

    #[test]
    fn an_endpoint_is_a_base_or_the_whole_path() {
        let is = |endpoint: &str| receiver(endpoint).map(|uri| uri.to_string());
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(is(endpoint).as_deref(), Some("http://c:4318/v1/traces"), "{endpoint}");
        }
        assert_eq!(is("http://c/otlp").as_deref(), Some("http://c/otlp/v1/traces"));
        for bad in ["", "c:4318", "https://c:4318", "grpc://c", "http://", "/v1/traces"] {
            assert_eq!(is(bad), None, "{bad}");
        }
    }
}
