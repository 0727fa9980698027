//! Who is answered, and who leaves room for whom.
#![allow(clippy::unwrap_used)]

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
        pages: None,
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

fn with_pages(pages: Pages) -> Routes {
    Routes {
        metrics: Arc::new(Registry::default()),
        healthy: Arc::new(|| Ok(())),
        ready: Arc::new(|| Ok(())),
        leads: None,
        pages: Some(pages),
    }
}

#[tokio::test]
async fn pages_are_what_is_left_and_end_their_connection() {
    let pages: Pages = Arc::new(|asked| {
        Box::pin(async move { (asked != "/nothing").then(|| Response::new(Bytes::from(format!("page {asked}")))) })
    });
    let server = serve("127.0.0.1:0".parse().unwrap(), with_pages(pages)).unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET /ui/?from=3 HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("connection: close\r\n") && text.ends_with("page /ui/?from=3"), "{text}");
    assert!(get(server.address(), "/nothing").await.starts_with("HTTP/1.1 404"));
    let post = "POST /ui/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(post.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 405"), "{text}");
}

/// However many pages are asked for and not read, probes and scrapers are answered.
#[tokio::test]
async fn readers_of_pages_leave_room_for_probes() {
    let large: Pages = Arc::new(|_| Box::pin(async { Some(Response::new(Bytes::from(vec![b'x'; 64 << 20]))) }));
    let server = serve("127.0.0.1:0".parse().unwrap(), with_pages(large)).unwrap();
    let mut readers = Vec::new();
    for _ in 0..MAX_PAGES {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(b"GET /ui/ HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        // It has begun, and reads no further.
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        readers.push(stream);
    }
    let refused = get(server.address(), "/ui/").await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.ends_with("ask again\n"), "{refused}");
    assert!(get(server.address(), "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(server.address(), "/metrics").await.starts_with("HTTP/1.1 200"));
    drop(readers);
}

/// Whoever keeps connections open keeps its own places and no others': there are more than one address may have.
#[tokio::test]
async fn who_keeps_connections_open_is_let_in_only_so_often() {
    let server = serve("127.0.0.1:0".parse().unwrap(), with_pages(Arc::new(|_| Box::pin(async { None })))).unwrap();
    let mut kept = Vec::new();
    for _ in 0..sources::MAX_OF_ONE {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        kept.push(stream);
    }
    let mut one_more = TcpStream::connect(server.address()).await.unwrap();
    // It may be gone before it has asked.
    let _ = one_more.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(one_more.read(&mut [0; 16]).await.unwrap_or_default(), 0, "nobody answers it");
    drop(kept);
}
