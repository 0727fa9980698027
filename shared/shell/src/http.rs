//! A small HTTP/1 server for `/metrics` and probes, and for the pages of a program that has some. Nothing steers by it, and
//! whoever reads pages takes no place of a probe or a scraper.

mod exposition;
mod sources;

use bytes::Bytes;
use exposition::{OPEN_METRICS, PROMETHEUS, asks_for_open_metrics, prometheus};
use futures::future::BoxFuture;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, ALLOW, CONNECTION, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::{encoding::text::encode, registry::Registry};
use sources::{Seat, Sources};
use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinHandle,
    time::timeout,
};

/// Connections at a time: probes and a few scrapers. Further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 32;
/// Somebody else always comes in.
const _: () = assert!(sources::MAX_OF_ONE < MAX_CONNECTIONS);
/// Of them, those that were given a page, until they end: it may be large, and its reader slow.
const MAX_PAGES: usize = 16;
/// A connection that has not sent its request's head in this time is closed; so is an idle one.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// A whole connection: scrapers dial anew, and nobody keeps a place for ever.
const CONNECTION_LIMIT: Duration = Duration::from_secs(300);
/// What is under way at the end may take this long.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);
const TEXT: &str = "text/plain; charset=utf-8";

/// `Ok`, or why not, for a person.
pub type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What else is served, by path and query; `None`: there is no such page.
pub type Pages = Arc<dyn Fn(String) -> BoxFuture<'static, Option<Response<Bytes>>> + Send + Sync>;

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
    /// Every other path. `None`: there are none.
    pub pages: Option<Pages>,
}

/// What connections share, and the place of one that was given a page.
#[derive(Clone)]
struct Visit {
    routes: Routes,
    pages: Arc<Semaphore>,
    place: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
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
    let (pages, sources) = (Arc::new(Semaphore::new(MAX_PAGES)), Sources::default());
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Closed at once: it has as many as one address may.
                let Some(seat) = sources.seat(peer.ip()) else { continue };
                let visit = Visit { routes: routes.clone(), pages: pages.clone(), place: Arc::default() };
                tokio::spawn(connection(stream, visit, (place, seat), stopped.clone()));
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
    visit: Visit,
    _place: (OwnedSemaphorePermit, Seat),
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let visit = visit.clone();
        async move { Ok::<_, Infallible>(answer(&visit, &request).await) }
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

async fn answer(visit: &Visit, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let routes = &visit.routes;
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
        path => {
            if let Some(page) = visit.page(request.uri().path_and_query().map_or(path, |asked| asked.as_str())).await {
                return page;
            }
            let leads = routes.leads.as_ref().map_or("", |_| " /leadz");
            respond(StatusCode::NOT_FOUND, TEXT, format!("/metrics /healthz /readyz{leads}\n"))
        }
    }
}

impl Visit {
    /// The connection ends with it, so that its place is free again.
    async fn page(&self, asked: &str) -> Option<Response<Full<Bytes>>> {
        let pages = self.routes.pages.as_ref()?;
        let mut page = match self.pages.clone().try_acquire_owned() {
            Err(_) => {
                let busy = "too many pages are read at this moment; ask again\n";
                respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, busy.to_owned())
            }
            Ok(place) => {
                *self.place.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
                pages(asked.to_owned()).await?.map(Full::new)
            }
        };
        page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        Some(page)
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
mod tests;
