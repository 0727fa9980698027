//! Definitions with a status subresource on a real API server: a status is written there and nowhere else, says of which wish
//! it is, and goes back to its old place when the definitions do.

use super::{KINDS, SETTLE, applied, complete, get, good, manifest};
use anyhow::{Context, Result, ensure};
use coordinator::{
    config::Share,
    edge::kube::{Kinds, KubeObjects, KubeSource, client_of, crds, crds_with_status},
    ports::{Object, ObjectRef, Objects, Source, Status},
};
use serde_json::{Value, json};
use shared::{
    reason::{Reason, Refusal},
    request::Limits,
    time::Timestamp,
};
use std::sync::Arc;
use tests::servers::kube::KubeApi;
use tokio::{sync::mpsc, time::timeout};

/// What a status says of the wish, what of the object, and its phase.
async fn seen(api: &KubeApi) -> Result<(Value, Value, Value)> {
    let object = get(api, "nightly").await?;
    let status = &object["status"];
    Ok((status["observedGeneration"].clone(), object["metadata"]["generation"].clone(), status["phase"].clone()))
}

async fn patch(api: &KubeApi, patch: &Value) -> Result<()> {
    api.kubectl(&["patch", "vbk", "nightly", "--type=merge", "-p", &patch.to_string()]).await.map(drop)
}

fn invalid(text: &str) -> Status {
    Status::Without("Invalid", Refusal::new(Reason::BrMissing, text))
}

/// As the coordinator's own source sees it.
async fn first(api: &KubeApi) -> Result<Object> {
    let source = KubeSource::new(client_of(&api.kubeconfig).await?, &Share::default(), Limits::default());
    let (tell, mut events) = mpsc::channel(16);
    let watching = tokio::spawn(async move { source.run(tell).await });
    let object = applied(&mut events, |object| object.name == "nightly").await;
    watching.abort();
    object
}

#[tokio::test]
async fn a_status_that_is_kept_apart_is_written_there_and_says_of_which_wish_it_is() -> Result<()> {
    let api = KubeApi::start().await?;
    api.apply(&crds_with_status()).await?;
    api.kubectl(&[&["wait", "--for=condition=Established", "--timeout=30s"], &KINDS[..]].concat()).await?;
    let mut kinds = Kinds::follow(client_of(&api.kubeconfig).await?);
    timeout(SETTLE, kinds.fit.wait_for(Result::is_ok)).await?.context("these definitions fit as well")?;

    // A copy brings no status with it.
    let mut copied: Value = serde_json::from_str(&manifest("nightly", &good()))?;
    copied["status"] = json!({"phase": "Complete", "commitTs": "7"});
    super::eventually(&api, &copied.to_string(), true).await?;
    api.kubectl_with_input(&["create", "-f", "-"], &copied.to_string()).await?;
    ensure!(get(&api, "nightly").await?["status"].is_null(), "it came with the copy");

    let object = first(&api).await?;
    let target = ObjectRef { uid: object.uid.clone(), namespace: "default".to_owned(), name: "nightly".to_owned() };
    let objects = KubeObjects::new(client_of(&api.kubeconfig).await?, "test", Arc::new(|| Timestamp(0)));
    objects.add_finalizer(&target).await?;
    objects.publish(&target, &invalid("one")).await?;
    objects.publish(&target, &invalid("two")).await?;
    ensure!(seen(&api).await? == (json!(1), json!(1), json!("Invalid")), "{:?}", seen(&api).await?);

    // Who may edit the object does not edit its status.
    patch(&api, &json!({"status": {"phase": "Complete"}})).await?;
    ensure!(seen(&api).await?.2 == "Invalid");
    // Another wish is another generation, of which only the next status is.
    patch(&api, &json!({"spec": {"template": {"cleanPolicy": "Delete"}}})).await?;
    ensure!(seen(&api).await? == (json!(1), json!(2), json!("Invalid")), "{:?}", seen(&api).await?);
    objects.publish(&target, &Status::Barrier(Arc::new(complete(&object)?))).await?;
    ensure!(seen(&api).await? == (json!(2), json!(2), json!("Complete")), "{:?}", seen(&api).await?);
    let stored = get(&api, "nightly").await?;
    ensure!(stored["status"]["commitTs"] == "449462718912512000", "fields were lost: {stored:#}");
    ensure!(stored["metadata"]["finalizers"].as_array().is_some_and(|all| all.len() == 1), "{stored:#}");

    // The usual definitions come back under the coordinator.
    api.apply(&crds()).await?;
    let written = async {
        loop {
            // Until the API server has them in force, each status still goes to its place of before.
            objects.publish(&target, &invalid("three")).await?;
            objects.publish(&target, &invalid("four")).await?;
            if seen(&api).await?.0.is_null() {
                return anyhow::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    timeout(SETTLE, written).await??;
    ensure!(seen(&api).await?.2 == "Invalid");
    patch(&api, &json!({"status": {"phase": "Complete"}})).await?;
    ensure!(seen(&api).await?.2 == "Complete", "anybody may, as it was");
    Ok(())
}
