//! Are the custom resources that the API server has the ones that this program needs? Those of the old manager bear the
//! same names, and on them the API server drops our fields without a word: a certificate is written and is not there.

use super::{call::bounded, crd::definitions};
use crate::ports::PortError;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use serde_json::Value;
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::sleep};

/// Between two looks. Somebody who applies the old manager's file over ours is seen within this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Fields that a message names; there may be hundreds.
const NAMED: usize = 5;

/// What to do about it.
const REMEDY: &str = "run: coordinator crd | kubectl apply --server-side --force-conflicts -f -";

/// Looks at the definitions for as long as it lives.
pub struct Kinds {
    /// Why not, for a person; the first look is still to come until it changes.
    pub fit: watch::Receiver<Result<(), String>>,
    task: JoinHandle<()>,
}

impl Kinds {
    /// Starts to look; needs a tokio runtime.
    pub fn follow(client: Client) -> Self {
        let (tell, fit) = watch::channel(Err("the custom resources have not been looked at yet".to_owned()));
        let api = Api::all(client);
        let task = tokio::spawn(async move {
            loop {
                let found = look(&api).await;
                let changed = tell.send_if_modified(|told| {
                    let changed = *told != found;
                    told.clone_from(&found);
                    changed
                });
                match &found {
                    Err(why) if changed => tracing::error!(why, "custom resources do not fit; status would be lost"),
                    Ok(()) if changed => tracing::info!("custom resources fit"),
                    _ => {}
                }
                sleep(LOOK_EVERY).await;
            }
        });
        Self { fit, task }
    }
}

impl Drop for Kinds {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(api: &Api<CustomResourceDefinition>) -> Result<(), String> {
    for ours in definitions() {
        let name = ours.metadata.name.clone().unwrap_or_default();
        let what = format!("get CustomResourceDefinition {name}");
        match bounded(&what, api.get(&name)).await {
            Ok(theirs) => fits(&name, &ours, &theirs)?,
            Err(PortError::NotFound(_)) => {
                return Err(format!("there is no CustomResourceDefinition {name}; {REMEDY}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

/// Every field of ours is kept there. More than ours is fine: a newer version may have been here.
fn fits(name: &str, ours: &CustomResourceDefinition, theirs: &CustomResourceDefinition) -> Result<(), String> {
    let mut lost = Vec::new();
    for version in &ours.spec.versions {
        let Some(there) = theirs.spec.versions.iter().find(|there| there.name == version.name && there.served) else {
            return Err(format!("CustomResourceDefinition {name} does not serve {}; {REMEDY}", version.name));
        };
        let schema = |version| serde_json::to_value(version).unwrap_or(Value::Null)["schema"]["openAPIV3Schema"].take();
        missing(&schema(version), &schema(there), &mut String::new(), &mut lost);
    }
    if lost.is_empty() {
        return Ok(());
    }
    let more = lost.len().saturating_sub(NAMED);
    let named = lost.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    Err(format!("CustomResourceDefinition {name} is another than ours and drops {named}{rest}; {REMEDY}"))
}

/// Paths of `ours` that an API server would prune under `theirs`; of a part that is missing whole, only the part.
fn missing(ours: &Value, theirs: &Value, path: &mut String, lost: &mut Vec<String>) {
    if theirs["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    for (name, part) in ours["properties"].as_object().into_iter().flatten() {
        let length = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        match theirs["properties"].get(name).or_else(|| theirs.get("additionalProperties").filter(|it| it.is_object()))
        {
            Some(there) => missing(part, there, path, lost),
            None => lost.push(path.clone()),
        }
        path.truncate(length);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(part) = ours.get(key).filter(|part| part.is_object()) {
            missing(part, &theirs[key], path, lost);
        }
    }
}

#[cfg(test)]
mod tests;
