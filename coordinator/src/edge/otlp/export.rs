//! Sends what has ended, in a task of its own: whoever hands an attempt over never waits, and a receiver that hangs costs a trace
//! and nothing else.

use super::{error::OtlpError, spans::request, way::way};
use crate::{
    aside::aside,
    ports::{EndedAttempt, Traces},
};
use bytes::Bytes;
use http::{Method, Request, Uri, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::Connect},
    rt::TokioExecutor,
};
use std::{path::Path, sync::Arc, time::Duration};
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

/// The task ends when nobody hands it anything any more and all is sent. `ca`: PEM of who has signed the receiver's certificate; empty: whom
/// this machine believes.
///
/// # Errors
/// The endpoint is none, or nobody could be believed.
pub fn start(endpoint: &str, ca: &Path) -> Result<(Arc<dyn Traces>, JoinHandle<()>), OtlpError> {
    let to = receiver(endpoint).ok_or_else(|| OtlpError::Endpoint(endpoint.to_owned()))?;
    let client = Client::builder(TokioExecutor::new()).build(way(&to, ca)?);
    let (tx, rx) = mpsc::channel(QUEUE);
    Ok((Arc::new(Queue(tx)), tokio::spawn(send_all(client, to, rx))))
}

fn receiver(endpoint: &str) -> Option<Uri> {
    let base = endpoint.trim_end_matches('/');
    let base = base.strip_suffix(PATH).unwrap_or(base);
    let uri: Uri = format!("{base}{PATH}").parse().ok()?;
    (matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty()))
        .then_some(uri)
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

async fn send_all<C: Connect + Clone + Send + Sync + 'static>(
    client: Client<C, Full<Bytes>>,
    to: Uri,
    mut attempts: mpsc::Receiver<EndedAttempt>,
) {
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

async fn send<C: Connect + Clone + Send + Sync + 'static>(
    client: &Client<C, Full<Bytes>>,
    to: &Uri,
    body: &Bytes,
) -> Result<(), String> {
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

async fn post<C: Connect + Clone + Send + Sync + 'static>(
    client: &Client<C, Full<Bytes>>,
    to: &Uri,
    body: Bytes,
) -> Result<(), Failed> {
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
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use serde_json::Value;
    use tokio::{
        io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    /// Reads one request; what came, by its head and body.
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> (String, Value) {
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
        let (traces, task) = start(&at, Path::new("")).unwrap();
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
        let (traces, task) = start(&at, Path::new("")).unwrap();
        traces.ended(attempt(None));
        drop(traces);
        let (mut stream, _) = listener.accept().await.unwrap();
        read(&mut stream).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 3\r\n\r\nno!").await.unwrap();
        task.await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "nothing more came");
    }

    /// Behind TLS a receiver must show whom the file believes.
    #[tokio::test]
    async fn a_receiver_behind_tls_is_believed_by_its_authority() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&ours, &theirs] {
            shell::pki::init(folder.path(), "isochron.local").unwrap();
        }
        let names = ["localhost".to_owned()];
        let issued = shell::pki::issue(ours.path(), shell::pki::Kind::Coordinator, "collector", &names).unwrap();
        let chain = CertificateDer::pem_file_iter(&issued.cert).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let server = server.unwrap().with_no_client_auth();
        let server = server.with_single_cert(chain, PrivateKeyDer::from_pem_file(&issued.key).unwrap()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("https://localhost:{}", listener.local_addr().unwrap().port());

        let (traces, strangers) = start(&at, &theirs.path().join("ca.crt")).unwrap();
        traces.ended(attempt(None));
        assert!(acceptor.accept(listener.accept().await.unwrap().0).await.is_err(), "nothing is told to a stranger");
        strangers.abort();

        let (traces, task) = start(&at, &ours.path().join("ca.crt")).unwrap();
        traces.ended(attempt(None));
        drop(traces);
        let mut stream = loop {
            // The first one's next try may come in between.
            if let Ok(stream) = acceptor.accept(listener.accept().await.unwrap().0).await {
                break stream;
            }
        };
        let (_, body) = read(&mut stream).await;
        assert_eq!(body, request(&attempt(None)));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        stream.flush().await.unwrap();
        task.await.unwrap();
    }

    /// The receiver takes connections and says nothing.
    #[tokio::test]
    async fn whoever_hands_a_trace_over_never_waits() {
        let (_hangs, at) = listening().await;
        let (traces, task) = start(&at, Path::new("")).unwrap();
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
        assert_eq!(is("https://c:4318").as_deref(), Some("https://c:4318/v1/traces"));
        assert_eq!(is("http://c/otlp").as_deref(), Some("http://c/otlp/v1/traces"));
        for bad in ["", "c:4318", "grpc://c", "http://", "/v1/traces"] {
            assert_eq!(is(bad), None, "{bad}");
        }
    }
}
