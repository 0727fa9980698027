//! Client side: answers as tables for people, JSON for scripts.

use super::{check::drawn, question::Question, restore, table::table, timeline::draw};
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

/// The answer to this question, as it is printed; `width`: columns of the terminal, where there is one.
pub fn shown(question: &Question, value: &Value, output: Output, width: Option<u16>) -> String {
    match (question, output) {
        (Question::Timeline { .. }, Output::Table) if value["steps"].is_array() => draw(value),
        (Question::Check { .. } | Question::Verify { .. }, Output::Table) if value["checks"].is_array() => drawn(value),
        (Question::RestorePlan { .. }, Output::Table) if value["plan"].is_object() => restore::drawn(value),
        _ => render(value, output, width),
    }
}

/// The text to print; `width`: see [`shown`].
pub fn render(value: &Value, output: Output, width: Option<u16>) -> String {
    match output {
        Output::Json => format!("{value:#}"),
        Output::Yaml => serde_saphyr::to_string(value).unwrap_or_else(|error| error.to_string()),
        // Nothing but what is drawn elsewhere has a picture.
        Output::Table | Output::Svg | Output::Html => table(value, width),
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_what_a_later_question_wants() {
        let of = |rows: Value| render(&rows, Output::Name, None);
        assert_eq!(of(json!([{"namespace": "a", "name": "x"}, {"namespace": "b", "name": "y"}])), "a/x\nb/y");
        assert_eq!(of(json!([{"plane": "az1", "connected": true}, {"plane": "az2"}])), "az1\naz2");
        assert_eq!(of(json!([{"uid": "u-1", "namespace": "a", "name": "x"}])), "u-1", "orphans are told by their uid");
        assert_eq!(of(json!([{"name": "prod", "current": true}])), "prod");
        assert_eq!(of(json!([])), "");
        assert_eq!(of(json!({"step": "Complete"})), "", "one backup is no list");
    }
}
