//! What a backup depends on in TiKV's configuration (`facts/pd-tikv.md` §3.8).

use crate::{
    edge::rest::Rest,
    ports::{PortError, TikvSettings},
    unread::unread,
};
use http::{Method, StatusCode};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

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
    // From 7.6 on (§3.8: renamed without an alias).
    pd_report_min_resolved_ts_interval: Option<String>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(default)]
    engine: String,
}

/// The parts of `/config` that name directories. What a version does not have is absent or null there.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    storage: DataDir,
    #[serde(default)]
    raftstore: RaftDb,
    #[serde(default, rename = "raft-engine")]
    raft_engine: RaftEngine,
    #[serde(default)]
    rocksdb: Rocks,
    #[serde(default)]
    raftdb: Rocks,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DataDir {
    data_dir: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RaftDb {
    raftdb_path: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RaftEngine {
    // On by default in every version that a backup knows.
    enable: Option<bool>,
    dir: Option<String>,
    spill_dir: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Rocks {
    wal_dir: Option<String>,
    #[serde(default)]
    titan: Titan,
}

#[derive(Default, Deserialize)]
struct Titan {
    // Absent or null: TiKV decides by what it finds on disk, so it may be on.
    enabled: Option<bool>,
    dirname: Option<String>,
}

/// Where this process keeps data, defaults resolved as it resolves them (`facts/topology.md` §9). Only the raft log that
/// is in use is named: the other's directory is not written. Empty when the data directory is not said.
fn directories(places: &Places) -> BTreeMap<String, String> {
    let set = |path: &Option<String>| path.clone().filter(|path| !path.is_empty());
    let Some(data) = set(&places.storage.data_dir) else { return BTreeMap::new() };
    let below = |rest: &str| format!("{}/{rest}", data.trim_end_matches('/'));
    let titan = &places.rocksdb.titan;
    let engine = places.raft_engine.enable != Some(false);
    let (engine_dir, spill) = (set(&places.raft_engine.dir), set(&places.raft_engine.spill_dir));
    let raftdb = set(&places.raftstore.raftdb_path);
    let rows = [
        ("storage.data-dir", true, Some(data.clone())),
        ("raft-engine.dir", engine, engine_dir.or_else(|| Some(below("raft-engine")))),
        ("raft-engine.spill-dir", engine, spill),
        ("raftstore.raftdb-path", !engine, raftdb.or_else(|| Some(below("raft")))),
        ("raftdb.wal-dir", !engine, set(&places.raftdb.wal_dir)),
        ("rocksdb.wal-dir", true, set(&places.rocksdb.wal_dir)),
        (
            "rocksdb.titan.dirname",
            titan.enabled != Some(false),
            set(&titan.dirname).or_else(|| Some(below("db/titandb"))),
        ),
    ];
    let used = rows.into_iter().filter_map(|(key, used, path)| Some((key.to_owned(), path.filter(|_| used)?)));
    used.collect()
}

fn is_v2(engine: &str) -> bool {
    matches!(engine, "raft-kv2" | "partitioned-raft-kv")
}

fn read(config: &Config, places: &Places, engine_type: Option<&str>) -> TikvSettings {
    let raftstore = &config.raftstore;
    let interval =
        raftstore.pd_report_min_resolved_ts_interval.as_ref().or(raftstore.report_min_resolved_ts_interval.as_ref());
    TikvSettings {
        resolved_ts_enabled: config.resolved_ts.enable,
        report_enabled: interval.is_some_and(|interval| !is_zero_duration(interval)),
        raft_kv: !is_v2(&config.storage.engine) && !engine_type.is_some_and(is_v2),
        directories: directories(places),
    }
}

/// `/config`, which says all but what `/engine_type` does, where there is one.
pub(crate) fn parse(body: &[u8]) -> Result<impl FnOnce(Option<&str>) -> TikvSettings + use<>, String> {
    let wrong = |error: serde_json::Error| format!("cannot be read: {}", unread(&error));
    let config: Config = serde_json::from_slice(body).map_err(wrong)?;
    let places: Places = serde_json::from_slice(body).map_err(wrong)?;
    Ok(move |engine_type: Option<&str>| read(&config, &places, engine_type))
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
    let settings = parse(&answer.body).map_err(wrong)?;
    let engine = get("/engine_type").await.map_err(PortError::Unavailable)?;
    let text = String::from_utf8_lossy(&engine.body);
    match engine.status {
        status if status.is_success() => Ok(settings(Some(text.trim()))),
        StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(settings(None)),
        status => Err(PortError::Unavailable(format!("GET {base}/engine_type: {status}: {}", engine.excerpt()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
        let nowhere: Places = serde_json::from_str("{}").unwrap();
        let read = |config: &Config, engine: Option<&str>| read(config, &nowhere, engine);
        let old = config(r#""report-min-resolved-ts-interval":"1s""#, "raft-kv");
        let new = config(r#""pd-report-min-resolved-ts-interval":"0s""#, "raft-kv");
        assert!(read(&old, None).report_enabled && read(&old, Some("raft-kv")).raft_kv);
        assert!(!read(&new, None).report_enabled);
        assert!(!read(&config("", "raft-kv"), None).report_enabled);
        assert!(!read(&old, Some("partitioned-raft-kv")).raft_kv);
        assert!(!read(&config("", "partitioned-raft-kv"), None).raft_kv);
    }

    #[test]
    fn directories_are_those_in_use_with_their_defaults() {
        let of = |config: serde_json::Value| -> String {
            let places: Places = serde_json::from_value(config).unwrap();
            directories(&places).into_iter().map(|(key, path)| format!("{key}={path}")).collect::<Vec<_>>().join(" ")
        };
        let data = json!({"data-dir": "/d/"});
        let rows = [
            (
                json!({"storage": data}),
                "raft-engine.dir=/d/raft-engine rocksdb.titan.dirname=/d/db/titandb storage.data-dir=/d/",
            ),
            (
                json!({"storage": data, "rocksdb": {"wal-dir": "", "titan": {"enabled": false, "dirname": "/t"}},
                    "raft-engine": {"enable": true, "dir": "/raft", "spill-dir": null}}),
                "raft-engine.dir=/raft storage.data-dir=/d/",
            ),
            (
                json!({"storage": data, "rocksdb": {"wal-dir": "/w", "titan": {"enabled": null, "dirname": "/t"}},
                    "raft-engine": {"dir": "", "spill-dir": "/s"}, "raftstore": {"raftdb-path": "/d/raft"},
                    "raftdb": {"wal-dir": "/unused"}}),
                "raft-engine.dir=/d/raft-engine raft-engine.spill-dir=/s rocksdb.titan.dirname=/t rocksdb.wal-dir=/w \
                 storage.data-dir=/d/",
            ),
            (
                json!({"storage": data, "rocksdb": {"titan": {"enabled": false}}, "raft-engine": {"enable": false},
                    "raftstore": {}, "raftdb": {"wal-dir": "/rw"}}),
                "raftdb.wal-dir=/rw raftstore.raftdb-path=/d/raft storage.data-dir=/d/",
            ),
            (json!({"storage": {}}), ""),
        ];
        for (config, expected) in rows {
            assert_eq!(of(config.clone()), expected, "{config}");
        }
    }
}
