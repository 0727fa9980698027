//! Where the old manager was: its definitions are there, made by `kubectl create`, and ours come over them.

use super::{KINDS, SETTLE, eventually, get, good, manifest};
use anyhow::{Result, ensure};
use coordinator::edge::kube::{Kinds, client_of, crds};
use tests::servers::{incumbent, kube::KubeApi};
use tokio::{sync::watch, time::timeout};

type Fit = Result<(), String>;

async fn until(fit: &mut watch::Receiver<Fit>, wanted: impl FnMut(&Fit) -> bool) -> Result<Fit> {
    Ok(timeout(SETTLE, fit.wait_for(wanted)).await??.clone())
}

#[tokio::test]
async fn our_definitions_come_over_the_old_ones_by_force_and_are_missed_when_they_go() -> Result<()> {
    let api = KubeApi::start().await?;
    api.kubectl_with_input(&["create", "-f", "-"], &incumbent::definitions()).await?;
    api.kubectl(&[&["wait", "--for=condition=Established", "--timeout=30s"], &KINDS[..]].concat()).await?;
    eventually(&api, &manifest("x", &good()), true).await?;
    api.kubectl_with_input(&["create", "-f", "-"], &manifest("old", &good())).await?;
    let stored = get(&api, "old").await?;

    let mut kinds = Kinds::follow(client_of(&api.kubeconfig).await?);
    let looked =
        until(&mut kinds.fit, |fit| fit.as_ref().err().is_none_or(|why| !why.contains("looked at yet"))).await?;
    let why = looked.expect_err("the old manager's definitions drop what is ours");
    ensure!(why.contains("volumebackups.federation.pingcap.com") && why.contains("status."), "{why}");

    // What the page says, and what it said before.
    let apply = ["apply", "--server-side", "-f", "-"];
    let refused = format!("{:#}", api.kubectl_with_input(&apply, &crds()).await.expect_err("somebody else's"));
    ensure!(refused.contains("conflict") && refused.contains(".spec.versions"), "{refused}");
    let by_force = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    api.kubectl_with_input(&by_force, &crds()).await?;
    ensure!(until(&mut kinds.fit, Fit::is_ok).await?.is_ok());
    // Its defaults are shown now; nothing was written.
    let kept = get(&api, "old").await?;
    ensure!(
        kept["metadata"] == stored["metadata"] && kept["spec"]["clusters"] == stored["spec"]["clusters"],
        "{kept:#}"
    );
    // Once more, and without force: they are ours now.
    api.kubectl_with_input(&apply, &crds()).await?;

    // Somebody applies the old file again.
    api.kubectl_with_input(&by_force, &incumbent::definitions()).await?;
    let why = until(&mut kinds.fit, Fit::is_err).await?.expect_err("ours are gone");
    ensure!(why.contains("--force-conflicts"), "the remedy is named: {why}");
    Ok(())
}
