//! Breakpoints are for tests: what is built without the tests' own features has none of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures::future::LocalBoxFuture;
use std::hint::black_box;

/// A text of the driver's that every build has: without it this would find nothing in nothing.
const DRIVER: &str = "machine keeps a deadline after its expiry";

/// Both programs, whole, so that they are linked into this file's executable.
fn programs(
    (coordinator, ports, clock, metrics, gates): (
        coordinator::config::CoordinatorConfig,
        coordinator::ports::Ports,
        shell::clock::Clock,
        std::sync::Arc<coordinator::metrics::Metrics>,
        coordinator::ports::Inbound,
    ),
    plane: plane_actor::config::PlaneConfig,
    plane_ports: plane_actor::ports::Ports,
) -> LocalBoxFuture<'static, anyhow::Result<()>> {
    Box::pin(async move {
        coordinator::run(coordinator, ports, clock, metrics, gates).await?;
        plane_actor::run(plane, plane_ports, std::future::pending()).await
    })
}

#[test]
fn only_programs_that_are_built_for_tests_can_be_stopped() {
    black_box(programs as fn(_, _, _) -> _);
    let executable = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let has = |text: &str| executable.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(has(DRIVER), "the programs are not in this executable");
    // Not in one piece here, or it would find this file.
    let variable = black_box(["ISOCHRON", "BREAK"]).join("_");
    assert_eq!(has(&variable), cfg!(feature = "servers"), "${variable} in {:?}", std::env::current_exe());
}
