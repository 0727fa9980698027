//! A small HTTP/1 server for `/metrics` and probes; nothing else is served, and nothing steers by it.

mod exposition;

use bytes::Bytes;
use exposition::{OPEN_METRICS, PROMETHEUS, asks_for_open_metrics, prometheus};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text::encode, registry::Registry};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

/// Connections at a time: probes and a few scrapers. Further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 32;
/// A connection that has not sent its request's head in this time is closed; so is an idle one.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// A whole connection: scrapers dial anew, and nobody keeps a place for ever.
const CONNECTION_LIMIT: Duration = Duration::from_secs(300);
/// What is under way at the end may take this long.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
const TEXT: &str = "text/plain; charset=utf-8";

/// `Ok`, or why not, for a person.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What is served.
#[derive(Clone)]
pub struct Routes {
    /// `/metrics`
    pub metrics: Arc<Registry>,
    /// `/healthz`: 503 makes Kubernetes restart the process.
    pub healthy: Check,
    /// `/readyz`: 503 takes it out of its Service, and a rollout waits.
    pub ready: Check,
    /// `/leadz`: 503 makes a load balancer choose another replica. `None`: a program without replicas.
    pub leads: Option<Check>,
}

/// A running server. Dropping it ends it at once; [`HttpServer::close`] lets answers finish.
pub struct HttpServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    places: Arc<Semaphore>,
}

/// Takes the port and serves; needs a tokio runtime.
pub fn serve(address: SocketAddr, routes: Routes) -> std::io::Result<HttpServer> {
    let listener = TcpListener::from_std(crate::listen::tcp(address)?)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let task = tokio::spawn(accept(listener, routes, places.clone(), stopped));
    Ok(HttpServer { address, stop, task, places })
}

impl HttpServer {
    /// Where it listens (the port, when 0 was asked for).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and lets answers under way finish, for at most 2 s.
    pub async fn close(self) {
        let _ = self.stop.send(true);
        // All places free: all connections have ended.
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        let _ = timeout(CLOSE_LIMIT, self.places.acquire_many(all)).await;
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, routes: Routes, places: Arc<Semaphore>, mut stopped: watch::Receiver<bool>) {
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, routes.clone(), place, stopped.clone()));
            }
            Err(error) => {
                // Out of file descriptors, mostly: pause instead of spinning.
                tracing::warn!(%error, "HTTP connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    routes: Routes,
    _place: OwnedSemaphorePermit,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let response = answer(&routes, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    // Errors here are the peer's: it went away, or it speaks no HTTP.
    let _ = timeout(CONNECTION_LIMIT, async {
        tokio::select! {
            done = served.as_mut() => return done,
            _ = stopped.wait_for(|stop| *stop) => served.as_mut().graceful_shutdown(),
        }
        served.await
    })
    .await;
}

fn answer(routes: &Routes, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => metrics(routes, request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok())),
        "/healthz" => checked(&routes.healthy),
        "/readyz" => checked(&routes.ready),
        "/leadz" if let Some(leads) = &routes.leads => checked(leads),
        _ => {
            let leads = routes.leads.as_ref().map_or("", |_| " /leadz");
            respond(StatusCode::NOT_FOUND, TEXT, format!("/metrics /healthz /readyz{leads}\n"))
        }
    }
}

fn metrics(routes: &Routes, accept: Option<&str>) -> Response<Full<Bytes>> {
    let mut text = String::new();
    match encode(&mut text, &routes.metrics) {
        Ok(()) if asks_for_open_metrics(accept) => respond(StatusCode::OK, OPEN_METRICS, text),
        Ok(()) => respond(StatusCode::OK, PROMETHEUS, prometheus(&text)),
        Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "metrics cannot be written\n".to_owned()),
    }
}

fn checked(check: &Check) -> Response<Full<Bytes>> {
    match check() {
        Ok(()) => respond(StatusCode::OK, TEXT, "ok\n".to_owned()),
        Err(why) => respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get(address: SocketAddr, path: &str) -> String {
        get_as(address, path, "*/*").await
    }

    async fn get_as(address: SocketAddr, path: &str, accept: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    fn http_without_leads(routes: Routes) -> Routes {
        Routes { leads: None, ..routes }
    }

    #[tokio::test]
    async fn probes_and_metrics_are_served_until_close() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        registry.register("isochron_test", "Help", counter.clone());
        counter.inc();
        let ready = Arc::new(AtomicBool::new(false));
        let seen = ready.clone();
        let routes = Routes {
            metrics: Arc::new(registry),
            healthy: Arc::new(|| Ok(())),
            ready: Arc::new(move || if seen.load(Ordering::SeqCst) { Ok(()) } else { Err("not yet".to_owned()) }),
            leads: Some(Arc::new(|| Err("another leads".to_owned()))),
        };
        let server = serve("127.0.0.1:0".parse().unwrap(), routes.clone()).unwrap();
        let address = server.address();
        let metrics = get_as(address, "/metrics", "application/openmetrics-text").await;
        assert!(metrics.contains("isochron_test_total 1\n# EOF\n"), "{metrics}");
        assert!(metrics.contains(&format!("content-type: {OPEN_METRICS}")), "{metrics}");
        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("# HELP isochron_test_total Help.\n"), "{metrics}");
        assert!(metrics.contains(&format!("content-type: {PROMETHEUS}")), "{metrics}");
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let not_ready = get(address, "/readyz").await;
        assert!(not_ready.starts_with("HTTP/1.1 503") && not_ready.ends_with("not yet\n"), "{not_ready}");
        let leads = get(address, "/leadz").await;
        assert!(leads.starts_with("HTTP/1.1 503") && leads.ends_with("another leads\n"), "{leads}");
        ready.store(true, Ordering::SeqCst);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(get(address, "/").await.starts_with("HTTP/1.1 404"));

        let _idle = TcpStream::connect(address).await.unwrap();
        timeout(Duration::from_secs(4), server.close()).await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");

        let alone = serve("127.0.0.1:0".parse().unwrap(), http_without_leads(routes)).unwrap();
        assert!(get(alone.address(), "/leadz").await.starts_with("HTTP/1.1 404"));
    }
}
