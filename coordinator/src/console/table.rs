//! Answers as tables for people: columns in the order in which they are read, none without a value, lengths of time with their
//! units, and no wider than the terminal.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value};

/// Fields of all answers, as they are read: who it is, how it stands, what it waits for, details, and texts at the end. One list for
/// all, since one word means one thing. Others follow by their names.
const ORDER: [&str; 72] = [
    "ready",
    "current",
    "plane",
    "namespace",
    "name",
    "backup",
    "uid",
    "ca",
    "kind",
    "connected",
    "answered",
    "lastSeen",
    "phase",
    "step",
    "state",
    "verdict",
    "reason",
    "why",
    "expires",
    "waitingFor",
    "doing",
    "done",
    "total",
    "clock",
    "left_ms",
    "endsBy",
    "since",
    "until",
    "because",
    "by",
    "underWay",
    "again_ms",
    "refused",
    "attempt",
    "schedule",
    "zone",
    "nextRun",
    "next",
    "lastSuccess",
    "lastSuccessTime",
    "lastBackup",
    "commitTs",
    "at",
    "created",
    "deleteNow",
    "kept",
    "freedAtMost",
    "backups",
    "added",
    "addedBytes",
    "costPerMonth",
    "sizeUnknown",
    "running",
    "account",
    "region",
    "bucket",
    "path",
    "snapshots",
    "gib",
    "files",
    "version",
    "session",
    "over",
    "drained",
    "certificateEnds",
    "daysLeft",
    "notAfter",
    "serial",
    "planes",
    "message",
    "notes",
    "action",
];

/// What it is called in JSON where it is a length of time.
const MILLIS: &str = "_ms";

/// Fields of an answer within an answer that stand in one line together.
const FLAT_MAX: usize = 160;

/// `width`: columns of the terminal; without one a table is as wide as it is.
pub(super) fn table(value: &Value, width: Option<u16>) -> String {
    match value {
        Value::Array(rows) => rows_table(rows, width),
        Value::Object(fields) => {
            let lines = ordered(fields.iter().map(|(name, field)| (name.as_str(), field)));
            lines.into_iter().filter_map(|(name, field)| part(name, field, width)).collect::<Vec<_>>().join("\n")
        }
        _ => cell("", value),
    }
}

/// A field of an answer that is no list.
fn part(name: &str, field: &Value, width: Option<u16>) -> Option<String> {
    let title = name.strip_suffix(MILLIS).unwrap_or(name);
    Some(match field {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::Array(rows) if rows.is_empty() => format!("{title}: none"),
        Value::Array(rows) => format!("{title}:\n{}", rows_table(rows, width)),
        Value::Object(_) => match cell(name, field) {
            flat if flat.len() <= FLAT_MAX => format!("{title}: {flat}"),
            flat => format!("{title}:{}", nested(field).unwrap_or(flat)),
        },
        _ => format!("{title}: {}", cell(name, field)),
    })
}

/// What has more to say than a line holds, below it.
fn nested(field: &Value) -> Option<String> {
    let lines = serde_saphyr::to_string(field).ok()?;
    Some(lines.trim_end().lines().map(|line| format!("\n  {line}")).collect())
}

fn ordered<'a>(fields: impl Iterator<Item = (&'a str, &'a Value)>) -> Vec<(&'a str, &'a Value)> {
    let mut all: Vec<_> = fields.collect();
    all.sort_by_key(|(name, _)| place(name));
    all
}

fn place(name: &str) -> (usize, &str) {
    (ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len()), name)
}

fn rows_table(rows: &[Value], width: Option<u16>) -> String {
    let objects: Vec<&Map<String, Value>> = rows.iter().filter_map(Value::as_object).collect();
    let mut columns: Vec<&str> = Vec::new();
    for (name, value) in objects.iter().flat_map(|row| row.iter()) {
        if says_something(value) && !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    columns.sort_by_key(|name| place(name));
    if columns.is_empty() {
        return rows.iter().map(|row| cell("", row)).collect::<Vec<_>>().join("\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(columns.iter().map(|name| header(name)));
    for row in objects {
        table.add_row(columns.iter().map(|name| row.get(*name).map(|value| cell(name, value)).unwrap_or_default()));
    }
    table.to_string()
}

/// A column without one value is left out.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => true,
    }
}

/// `certificateEnds` is CERTIFICATE ENDS.
fn header(name: &str) -> String {
    let mut title = String::new();
    for letter in name.strip_suffix(MILLIS).unwrap_or(name).chars() {
        if letter.is_ascii_uppercase() {
            title.push(' ');
        }
        title.push(letter.to_ascii_uppercase());
    }
    title
}

fn cell(name: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if name.ends_with(MILLIS) => {
            number.as_i64().map_or_else(|| number.to_string(), |ms| format!("{} s", thousandths(ms)))
        }
        Value::Object(fields) => {
            let parts = ordered(fields.iter().map(|(name, field)| (name.as_str(), field)));
            let text = |(name, field): (&str, &Value)| {
                format!("{}={}", name.strip_suffix(MILLIS).unwrap_or(name), cell(name, field))
            };
            parts.into_iter().map(text).collect::<Vec<_>>().join(" ")
        }
        Value::Array(list) => list.iter().map(|one| cell(name, one)).collect::<Vec<_>>().join(", "),
        Value::Number(_) => value.to_string(),
    }
}

fn thousandths(ms: i64) -> String {
    let (sign, ms) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs());
    format!("{sign}{}.{:03}", ms / 1_000, ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_come_as_they_are_read_and_none_without_a_value() {
        let rows = json!([
            {"certificateEnds": "2027", "connected": true, "drained": null, "lastSeen": null, "plane": "az1", "zzz": 1, "aaa": []},
            {"certificateEnds": null, "connected": false, "drained": null, "lastSeen": "2026", "plane": "az2", "zzz": 2, "aaa": []},
        ]);
        let words: Vec<Vec<String>> =
            table(&rows, None).lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        assert_eq!(words[0], ["PLANE", "CONNECTED", "LAST", "SEEN", "CERTIFICATE", "ENDS", "ZZZ"]);
        assert_eq!(words[1], ["az1", "yes", "-", "2027", "1"]);
        assert_eq!(words[2], ["az2", "no", "2026", "-", "2"]);
    }

    #[test]
    fn lengths_of_time_have_their_unit() {
        let answer =
            json!({"clock": {"left_ms": 59_084, "name": "hold"}, "step": "Snapshotting", "left_ms": -7, "planes": []});
        assert_eq!(
            table(&answer, None),
            "step: Snapshotting\nclock: name=hold left=59.084 s\nleft: -0.007 s\nplanes: none"
        );
    }

    #[test]
    fn what_is_wider_than_the_terminal_is_wrapped_and_nothing_is_lost() {
        let rows = json!([{"name": "shop", "message": "plane az1: no answer from PD within ten seconds, asked again"}]);
        let wide = table(&rows, None);
        assert!(wide.lines().any(|line| line.chars().count() > 60), "{wide}");
        let narrow = table(&rows, Some(40));
        assert!(narrow.lines().all(|line| line.chars().count() <= 40), "{narrow}");
        for word in ["shop", "plane", "asked", "again"] {
            assert!(narrow.contains(word), "{word} in\n{narrow}");
        }
    }

    #[test]
    fn a_field_with_many_of_its_own_has_a_line_for_each() {
        let planes: Map<String, Value> = (0..20).map(|n| (format!("plane-{n}"), json!(n))).collect();
        let shown = table(&json!({"record": {"attempt": 1, "planes": planes}, "step": "Complete"}), None);
        let begin = "step: Complete\nrecord:\n  attempt: 1\n  planes:\n    plane-0: 0\n    plane-1: 1\n";
        assert!(shown.starts_with(begin), "{shown}");
    }

    #[test]
    fn the_order_names_nothing_twice() {
        let mut all = ORDER.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), ORDER.len());
    }
}
