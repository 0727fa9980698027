//! Pages of `deploy/`, played: their own blocks, taken out of the file, in a real shell with a real kubectl and a real Helm,
//! from `pki init` to a Complete backup.

mod blocks;
mod pods;
mod reader;

use reader::{Before, Reader};
use std::time::{Duration, Instant};
use tests::processes::site::PLANES;

/// From nothing to a proved backup by the charts, programs and all servers of the test's own included. What its readers are
/// promised are ten minutes, most of them their load balancer's.
const BY_THE_CHARTS: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_installation_page_works_as_written() {
    let mut reader = Reader::sit_down(Before::OldManager).await.unwrap();
    let said = reader.read("README.md").await;
    // By now the page has shown all that it promises.
    for words in [
        "customresourcedefinition.apiextensions.k8s.io/volumebackups.federation.pingcap.com serverside-applied",
        "context alice@isochron.local in ",
        "ready: yes",
        "volumebackup.federation.pingcap.com/shop-2024-05-01 condition met",
        "verdict: Consistent",
        "volumebackupschedule.federation.pingcap.com/nightly-key condition met",
    ] {
        assert!(said.contains(words), "{words:?} is missing in\n{said}");
    }
    all_are_connected(&said);
    reader.leading_is_told_apart_from_ready().await.unwrap();
}

/// Helm alone, in a control plane that has never seen either kind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_nothing_to_a_complete_backup_by_the_charts() {
    let begun = Instant::now();
    let mut reader = Reader::sit_down(Before::Nothing).await.unwrap();
    let said = reader.read("INSTALL.md").await;
    let took = begun.elapsed();
    for words in [
        "Isochron's coordinator, for 3 plane(s): prod-az1, prod-az2, prod-az3",
        "Isochron's plane actor of plane prod-az3, which dials isochron.internal.example.com:7443",
        "volumebackup.federation.pingcap.com/shop-2024-05-01 condition met",
        "Consistent",
        "volumebackupschedule.federation.pingcap.com/nightly-key condition met",
    ] {
        assert!(said.contains(words), "{words:?} is missing in\n{said}");
    }
    all_are_connected(&said);
    assert_eq!(reader.snapshots(), 0, "the last step of the page took all away");
    assert!(took < BY_THE_CHARTS, "it took {took:?}");
}

fn all_are_connected(said: &str) {
    assert!(!said.contains("REFUSED"), "{said}");
    for plane in PLANES {
        let connected = said.lines().any(|line| line.contains(plane) && line.contains("yes"));
        assert!(connected, "{plane} is not shown as connected in\n{said}");
    }
}
