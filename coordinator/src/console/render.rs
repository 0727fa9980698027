//! Client side: answers as tables for people, JSON for scripts.

use super::{check::drawn, question::Question, timeline::draw};
use comfy_table::{Table, presets};
use serde_json::Value;

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For scripts.
    Json,
    /// For people who like YAML.
    Yaml,
    /// For scripts: of a list, what each row is called, a line each.
    Name,
    /// A picture: of `timeline` alone.
    Svg,
    /// A page to be filed: of `report` alone.
    Html,
}

/// The answer to this question, as it is printed.
pub fn shown(question: &Question, value: &Value, output: Output) -> String {
    match (question, output) {
        (Question::Timeline { .. }, Output::Table) if value["steps"].is_array() => draw(value),
        (Question::Check { .. } | Question::Verify { .. }, Output::Table) if value["checks"].is_array() => drawn(value),
        _ => render(value, output),
    }
}

/// The text to print.
pub fn render(value: &Value, output: Output) -> String {
    match output {
        Output::Json => format!("{value:#}"),
        Output::Yaml => serde_saphyr::to_string(value).unwrap_or_else(|error| error.to_string()),
        // Nothing but what is drawn elsewhere has a picture.
        Output::Table | Output::Svg | Output::Html => table(value),
        Output::Name => names(value),
    }
}

/// As a later question wants to have it: namespace/name, a plane, a uid. What is no list has no names.
fn names(value: &Value) -> String {
    let rows = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |row: &Value, field: &str| row[field].as_str().map(str::to_owned);
    let name = |row: &Value| match (text(row, "uid"), text(row, "namespace"), text(row, "name")) {
        (Some(uid), ..) => Some(uid),
        (None, Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
        (None, None, Some(name)) => Some(name),
        (None, _, None) => text(row, "plane"),
    };
    rows.iter().filter_map(name).collect::<Vec<_>>().join("\n")
}

fn table(value: &Value) -> String {
    match value {
        Value::Array(rows) => rows_table(rows),
        Value::Object(fields) => {
            let mut out = String::new();
            for (key, field) in fields {
                match field {
                    Value::Null => {}
                    Value::Array(rows) if rows.is_empty() => out.push_str(&format!("{key}: none\n")),
                    Value::Array(rows) => out.push_str(&format!("{key}:\n{}\n", rows_table(rows))),
                    Value::Object(_) => out.push_str(&format!("{key}: {}\n", flat(field))),
                    _ => out.push_str(&format!("{key}: {}\n", cell(field))),
                }
            }
            out.trim_end().to_owned()
        }
        _ => cell(value),
    }
}

fn rows_table(rows: &[Value]) -> String {
    let mut columns: Vec<&String> = Vec::new();
    for row in rows.iter().filter_map(Value::as_object) {
        columns.extend(row.keys().filter(|key| !columns.contains(key)).collect::<Vec<_>>());
    }
    if columns.is_empty() {
        return rows.iter().map(cell).collect::<Vec<_>>().join("\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(columns.iter().map(|name| row.get(name.as_str()).map(cell).unwrap_or_default()));
    }
    table.to_string()
}

fn flat(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| format!("{key}={}", flat(field))).collect::<Vec<_>>().join(" ")
        }
        _ => cell(value),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_what_a_later_question_wants() {
        let of = |rows: Value| render(&rows, Output::Name);
        assert_eq!(of(json!([{"namespace": "a", "name": "x"}, {"namespace": "b", "name": "y"}])), "a/x\nb/y");
        assert_eq!(of(json!([{"plane": "az1", "connected": true}, {"plane": "az2"}])), "az1\naz2");
        assert_eq!(of(json!([{"uid": "u-1", "namespace": "a", "name": "x"}])), "u-1", "orphans are told by their uid");
        assert_eq!(of(json!([{"name": "prod", "current": true}])), "prod");
        assert_eq!(of(json!([])), "");
        assert_eq!(of(json!({"step": "Complete"})), "", "one backup is no list");
    }
}
