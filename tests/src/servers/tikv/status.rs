//! The status port of one store (`facts/pd-tikv.md` §3.8), with its differences between versions.

use super::state::{Knobs, Mode, Shared};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::{convert::Infallible, sync::Arc};
use tokio::net::TcpListener;

/// Serves until its runtime ends.
pub(super) async fn serve(shared: Arc<Shared>, store: u64, listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let knobs = shared.lock().stores.get(&store).map(|store| store.knobs.clone());
                std::future::ready(Ok::<_, Infallible>(answer(&request, knobs)))
            });
            // A client that goes away in the middle is its own business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(request: &Request<Incoming>, knobs: Option<Knobs>) -> Response<Full<Bytes>> {
    let (status, body) = match (request.method(), request.uri().path(), knobs) {
        (&Method::GET, "/status", Some(_)) => (StatusCode::OK, String::new()),
        (&Method::GET, "/config", Some(knobs)) => (StatusCode::OK, config(&knobs)),
        (&Method::GET, "/engine_type", Some(knobs)) if at_least(&knobs.version, (7, 1)) => {
            (StatusCode::OK, engine(&knobs).to_owned())
        }
        _ => (StatusCode::NOT_FOUND, "path not found".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

fn engine(knobs: &Knobs) -> &'static str {
    if knobs.mode == Mode::V2 { "partitioned-raft-kv" } else { "raft-kv" }
}

fn config(knobs: &Knobs) -> String {
    // Renamed in 7.6 without an alias (§3.8).
    let renamed = at_least(&knobs.version, (7, 6));
    let interval = if renamed { "pd-report-min-resolved-ts-interval" } else { "report-min-resolved-ts-interval" };
    let data = "/var/lib/tikv";
    // TiKV fills in what is not set, except for directories that lie within an engine's own.
    let raft = knobs.raft_dir.clone().unwrap_or_else(|| format!("{data}/raft-engine"));
    json!({
        "log": { "level": "info" },
        "raftstore": { interval: knobs.report_interval, "raftdb-path": format!("{data}/raft") },
        "raft-engine": { "enable": true, "dir": raft },
        "rocksdb": { "wal-dir": "", "titan": { "enabled": renamed, "dirname": "" } },
        "raftdb": { "wal-dir": "" },
        "resolved-ts": { "enable": knobs.resolved_ts_enable, "advance-ts-interval": "20s" },
        "storage": { "data-dir": data, "engine": engine(knobs) },
    })
    .to_string()
}

fn at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= least
}
