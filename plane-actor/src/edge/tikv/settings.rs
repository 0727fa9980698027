//! What a backup depends on in TiKV's configuration (`facts/pd-tikv.md` §3.8).

use crate::{
    edge::rest::Rest,
    ports::{PortError, TikvSettings},
};
use http::{Method, StatusCode};
use serde::Deserialize;
use std::time::Duration;

/// The status port answers from memory.
const LIMIT: Duration = Duration::from_secs(10);

/// A duration as TiKV or Go writes it ("0s", "500ms", "1d2h") is zero when every digit in it is. An empty text counts
/// as zero: what is not set is not known to be on.
pub(crate) fn is_zero_duration(text: &str) -> bool {
    text.chars().filter(char::is_ascii_digit).all(|digit| digit == '0')
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Config {
    resolved_ts: ResolvedTs,
    raftstore: Raftstore,
    storage: Storage,
}

#[derive(Deserialize)]
struct ResolvedTs {
    enable: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raftstore {
    // Up to 7.5.x.
    report_min_resolved_ts_interval: Option<String>,
    // From 7.6 on (fact 17: renamed without an alias).
    pd_report_min_resolved_ts_interval: Option<String>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(default)]
    engine: String,
}

fn is_v2(engine: &str) -> bool {
    matches!(engine, "raft-kv2" | "partitioned-raft-kv")
}

fn read(config: &Config, engine_type: Option<&str>) -> TikvSettings {
    let raftstore = &config.raftstore;
    let interval =
        raftstore.pd_report_min_resolved_ts_interval.as_ref().or(raftstore.report_min_resolved_ts_interval.as_ref());
    TikvSettings {
        resolved_ts_enabled: config.resolved_ts.enable,
        report_enabled: interval.is_some_and(|interval| !is_zero_duration(interval)),
        raft_kv: !is_v2(&config.storage.engine) && !engine_type.is_some_and(is_v2),
    }
}

/// Asks the status port at `base` (`http[s]://host:port`). `/engine_type` does not exist before 7.1 and is refused to
/// a client whose common name is not allowed, although `/config` is not; then `/config` alone decides.
pub(super) async fn ask(rest: &Rest, base: &str) -> Result<TikvSettings, PortError> {
    let get = async |path: &str| rest.send(Method::GET, &format!("{base}{path}"), String::new(), LIMIT).await;
    let answer = get("/config").await.map_err(PortError::Unavailable)?;
    let wrong = |text: String| PortError::Unavailable(format!("GET {base}/config: {text}"));
    if !answer.status.is_success() {
        return Err(wrong(format!("{}: {}", answer.status, answer.excerpt())));
    }
    let config: Config = serde_json::from_slice(&answer.body).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let engine = get("/engine_type").await.map_err(PortError::Unavailable)?;
    let text = String::from_utf8_lossy(&engine.body);
    match engine.status {
        status if status.is_success() => Ok(read(&config, Some(text.trim()))),
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(read(&config, None)),
        status => Err(PortError::Unavailable(format!("GET {base}/engine_type: {status}: {}", engine.excerpt()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_durations() {
        assert!(["0s", "0ms", "0", "", "0m0s"].into_iter().all(is_zero_duration));
        assert!(!["1s", "500ms", "1d2h", "10s", "0m1s"].into_iter().any(is_zero_duration));
    }

    #[test]
    fn both_names_of_the_report_interval_and_both_signs_of_the_engine() {
        let config = |raftstore: &str, engine: &str| -> Config {
            let json = format!(
                r#"{{"resolved-ts":{{"enable":true}},"raftstore":{{{raftstore}}},"storage":{{"engine":"{engine}"}}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        let old = config(r#""report-min-resolved-ts-interval":"1s""#, "raft-kv");
        let new = config(r#""pd-report-min-resolved-ts-interval":"0s""#, "raft-kv");
        assert!(read(&old, None).report_enabled && read(&old, Some("raft-kv")).raft_kv);
        assert!(!read(&new, None).report_enabled);
        assert!(!read(&config("", "raft-kv"), None).report_enabled);
        assert!(!read(&old, Some("partitioned-raft-kv")).raft_kv);
        assert!(!read(&config("", "partitioned-raft-kv"), None).raft_kv);
    }
}
