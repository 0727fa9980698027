//! The list of planes as the configuration file has it now: adding one needs no restart.

use crate::{config::CoordinatorConfig, metrics::Metrics};
use shell::config;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Reads the file again every `every` and tells what `planes:` says when that has changed. What cannot be read, or names
/// no plane, changes nothing: it is logged once for each cause, and the metric says so until it is mended. Every other
/// key needs a restart, which is said as well.
pub async fn follow(file: PathBuf, every: Duration, planes: watch::Sender<BTreeSet<String>>, metrics: Arc<Metrics>) {
    let mut told = String::new();
    let mut others = read(&file).map(rest).ok();
    loop {
        tokio::time::sleep(every).await;
        let path = file.clone();
        let read = match tokio::task::spawn_blocking(move || read(&path)).await {
            Ok(read) => read,
            Err(error) => Err(error.to_string()),
        };
        metrics.configuration_readable(read.is_ok());
        let fresh = match read {
            Ok(fresh) => fresh,
            Err(error) => {
                if told != error {
                    tracing::warn!(error, "configuration file cannot be used, the list of planes stays as it was");
                    told = error;
                }
                continue;
            }
        };
        told.clear();
        if *planes.borrow() != fresh.planes {
            tracing::info!(planes = ?fresh.planes, "the list of planes has changed");
            planes.send_replace(fresh.planes.clone());
        }
        let rest = rest(fresh);
        if others.replace(rest.clone()).is_some_and(|before| before != rest) {
            tracing::warn!("configuration file has changed beyond its list of planes: that needs a restart");
        }
    }
}

fn read(file: &std::path::Path) -> Result<CoordinatorConfig, String> {
    let loaded = config::load::<CoordinatorConfig>(Some(file), std::env::vars()).map_err(|error| {
        let error = anyhow::Error::from(error);
        format!("{error:#}")
    })?;
    if loaded.value.planes.is_empty() {
        return Err("planes: is empty".to_owned());
    }
    Ok(loaded.value)
}

/// Everything but the planes, to be compared.
fn rest(config: CoordinatorConfig) -> String {
    format!("{:?}", CoordinatorConfig { planes: BTreeSet::new(), ..config })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn text(metrics: &Metrics) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &metrics.registry()).unwrap();
        text
    }

    /// Writes as a mounted ConfigMap changes: the whole file at once.
    fn write(file: &std::path::Path, text: &str) {
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    #[tokio::test]
    async fn the_list_follows_the_file_and_survives_a_bad_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yaml");
        write(&file, "planes: [az1]\n");
        let metrics = Arc::new(Metrics::new());
        let (tell, mut planes) = watch::channel(names(&["az1"]));
        let every = Duration::from_millis(5);
        let following = tokio::spawn(follow(file.clone(), every, tell, metrics.clone()));
        write(&file, "planes: [az1, 'arn:aws:eks:eu-west-1:1:cluster/az2']\n");
        planes.changed().await.unwrap();
        assert_eq!(*planes.borrow_and_update(), names(&["az1", "arn:aws:eks:eu-west-1:1:cluster/az2"]));
        for bad in ["planes: [az1", "planes: []\n", "plains: [az9]\n"] {
            write(&file, bad);
            while !text(&metrics).contains("isochron_configuration_unreadable 1") {
                tokio::time::sleep(every).await;
            }
            write(&file, "planes: [az1, 'arn:aws:eks:eu-west-1:1:cluster/az2']\n");
            while !text(&metrics).contains("isochron_configuration_unreadable 0") {
                tokio::time::sleep(every).await;
            }
        }
        assert!(!planes.has_changed().unwrap(), "{:?}", planes.borrow());
        write(&file, "planes: [az1]\n");
        planes.changed().await.unwrap();
        assert_eq!(*planes.borrow(), names(&["az1"]));
        following.abort();
    }
}
