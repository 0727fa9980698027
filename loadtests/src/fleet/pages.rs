//! Every page and every answer over HTTP of a coordinator with ten thousand backups, as a browser or a program asks for it.

use super::stored;
use crate::figures::{Figure, Figures};
use anyhow::{Context, bail, ensure};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

/// One page or answer.
const PAGE_MS: f64 = 100.0;
/// Of anything here that is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// What is asked for; `middle` is one of the backups.
fn paths(middle: u32, backups: u32) -> Vec<String> {
    let backup = format!("{}/{}", stored::NAMESPACE, stored::name(middle));
    let schedule = format!("{}/{}", stored::NAMESPACE, stored::schedule_name(middle / stored::OF_A_SCHEDULE));
    let mut paths = vec![
        "/ui/".to_owned(),
        format!("/ui/?from={}", backups.saturating_sub(60)),
        format!("/ui/backups/{backup}"),
        format!("/ui/backups/{backup}?report"),
        "/ui/style.css".to_owned(),
        "/ui/page.js".to_owned(),
        "/ui/icon.svg".to_owned(),
    ];
    let answers = ["status", "planes", "backups", "schedules", "orphans", "drains", "glance?from=0"]
        .map(str::to_owned)
        .into_iter();
    let of_backup = ["show", "why", "timeline"].map(|verb| format!("{verb}/{backup}"));
    let of_schedule = [format!("schedules/{schedule}"), format!("schedules/{schedule}?plan=true")];
    paths.extend(answers.chain(of_backup).chain(of_schedule).map(|path| format!("/api/v1/{path}")));
    paths.push("/metrics".to_owned());
    paths
}

/// The best of the rounds of each, and the slowest of them all.
pub(super) async fn measure(
    address: SocketAddr,
    (middle, backups): (u32, u32),
    (rounds, slack): (u32, f64),
    api: &str,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let mut slowest = (0.0, String::new());
    for path in paths(middle, backups) {
        let mut best = f64::MAX;
        for _ in 0..rounds {
            let took = timeout(LIMIT, fetched(address, &path)).await.context("too late")?;
            best = best.min(took.with_context(|| path.clone())?.as_secs_f64() * 1000.0);
        }
        figures.add(Figure::at_most(&format!("GET {path}, {api}"), best, "ms", PAGE_MS * slack));
        if best > slowest.0 {
            slowest = (best, path);
        }
    }
    figures.add(Figure::shown(&format!("slowest page, {} {api}", slowest.1), slowest.0, "ms"));
    Ok(())
}

/// From the dial to the last byte.
async fn fetched(address: SocketAddr, path: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let took = begun.elapsed();
    let head = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
    if head != b"HTTP/1.1 200 OK" {
        bail!("{}", String::from_utf8_lossy(&answer[..answer.len().min(400)]));
    }
    ensure!(answer.len() > 200, "an empty page");
    Ok(took)
}
