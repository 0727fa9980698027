//! Which purpose a mount serves, by TiKV's configuration (`facts/topology.md` §9).

use serde_json::Value;
use toml::Table;

/// Where both operators put TiKV's data.
pub(crate) const DATA_DIR: &str = "/var/lib/tikv";

/// The kind that BR gives meaning to.
pub(crate) const DATA_KIND: &str = "storage.data-dir";

/// Configuration is a handful of levels deep; deeper nesting is not TiKV's and is not followed.
const MAX_DEPTH: usize = 8;

/// TiKV's directories, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Directories {
    /// Absolute; empty when unknown.
    pub(crate) data: String,
    /// TOML configuration; empty when unknown.
    pub(crate) config: Table,
}

impl Directories {
    /// `config` is TOML text, or the object form that v1 also accepts; what does not parse counts as unknown, because
    /// the kind of a volume is for people (only `storage.data-dir` means something to restore).
    pub(crate) fn new(data: impl Into<String>, config: Option<&Value>) -> Self {
        let config = match config {
            Some(Value::String(text)) => text.parse().unwrap_or_default(),
            Some(object @ Value::Object(_)) => Table::try_from(without_nulls(object)).unwrap_or_default(),
            _ => Table::new(),
        };
        Self { data: data.into(), config }
    }

    /// Of `mounts`, the one under which the data directory lies: the longest that is a prefix of it.
    pub(crate) fn data_mount<'a>(&self, mounts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        mounts.filter(|mount| covers(mount, &self.data)).max_by_key(|mount| mount.len())
    }

    /// What a mount that does not hold the data directory is for: the dotted key whose value is the mount or a
    /// directory in it. Empty: not found.
    pub(crate) fn key_of(&self, mount: &str) -> String {
        let mut keys = Vec::new();
        walk(&self.config, "", 0, &mut keys);
        if !self.data.is_empty() && !keys.iter().any(|(key, _)| key == "raft-engine.dir") {
            keys.push(("raft-engine.dir".to_owned(), format!("{}/raft-engine", trimmed(&self.data))));
        }
        let exact = keys.iter().find(|(_, path)| trimmed(path) == trimmed(mount));
        let inside = || keys.iter().find(|(key, path)| key != DATA_KIND && covers(mount, path));
        exact.or_else(inside).map(|(key, _)| key.clone()).unwrap_or_default()
    }
}

/// True when `path` is `mount` or lies below it.
fn covers(mount: &str, path: &str) -> bool {
    let (mount, path) = (trimmed(mount), trimmed(path));
    !mount.is_empty() && path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn trimmed(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn walk(table: &Table, prefix: &str, depth: usize, keys: &mut Vec<(String, String)>) {
    if depth == MAX_DEPTH {
        return;
    }
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => walk(inner, &key, depth + 1, keys),
            toml::Value::String(path) if path.starts_with('/') => keys.push((key, path.clone())),
            _ => {}
        }
    }
}

/// TOML has no null; an absent key says the same.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().filter(|value| !value.is_null()).map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// `spec.tikv.config` as TOML text: restore tooling decodes it as a string (`facts/tidb-operator.md` §5.7). `None`: it is
/// text already, absent, or has no TOML form.
pub(crate) fn as_toml_text(config: &Value) -> Option<String> {
    let Value::Object(_) = config else { return None };
    toml::to_string(&Table::try_from(without_nulls(config)).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mounts_find_their_keys() {
        let text = json!(
            "[raft-engine]\n  dir = \"/var/lib/raft\"\n[rocksdb]\nwal-dir = '/var/lib/wal/kv'\n[log.file]\nfilename = \"/var/log/tikv/tikv.log\"\n[a.b]\nc = \"relative\""
        );
        let object = json!({"raft-engine": {"dir": "/var/lib/raft", "x": null}, "rocksdb": {"wal-dir": "/var/lib/wal/kv"},
                            "log": {"file": {"filename": "/var/log/tikv/tikv.log"}}});
        for config in [text, object] {
            let dirs = Directories::new(DATA_DIR, Some(&config));
            let rows = [
                ("/var/lib/raft", "raft-engine.dir"),
                ("/var/lib/raft/", "raft-engine.dir"),
                ("/var/lib/wal", "rocksdb.wal-dir"),
                ("/var/log/tikv", "log.file.filename"),
                ("/var/lib/other", ""),
                ("/var/lib/ra", ""),
            ];
            for (mount, key) in rows {
                assert_eq!(dirs.key_of(mount), key, "{mount}");
            }
        }
        assert_eq!(Directories::new(DATA_DIR, None).key_of("/var/lib/tikv/raft-engine"), "raft-engine.dir");
        assert_eq!(Directories::new("", Some(&json!("= not toml"))).key_of("/var/lib/raft"), "");
    }

    #[test]
    fn the_data_mount_is_the_longest_prefix() {
        let dirs = Directories::new("/var/lib/tikv/sub", None);
        let mounts = ["/var/lib", "/var/lib/tikv", "/var/lib/tikv/sub/raft", "/var/lib/tik"];
        assert_eq!(dirs.data_mount(mounts.into_iter()), Some("/var/lib/tikv"));
        assert_eq!(dirs.data_mount(["/data"].into_iter()), None);
    }

    #[test]
    fn an_object_becomes_toml_text() {
        let text = as_toml_text(&json!({"raft-engine": {"dir": "/r"}, "log": {"level": null}})).unwrap();
        assert_eq!(text.parse::<Table>().unwrap()["raft-engine"]["dir"].as_str(), Some("/r"));
        assert_eq!(as_toml_text(&json!("x = 1")), None);
    }
}
