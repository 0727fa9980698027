//! What a program's metrics are called, as a table for people: made of what it tells, so that no page can say otherwise.
//! Used by the tests that compare `deploy/metrics.md`, and by who writes it anew.

use std::collections::{BTreeMap, BTreeSet};

/// One metric, as a scrape in OpenMetrics tells it.
#[derive(Default)]
struct Told {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// A row for each metric of a scrape in which every series is there: name as exposed, labels, kind, meaning.
pub fn table(open_metrics: &str) -> String {
    let mut all: BTreeMap<String, Told> = BTreeMap::new();
    for line in open_metrics.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            // The library ends every help with a stop of its own.
            all.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            all.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((name, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let of = all
                .iter_mut()
                .filter(|(known, _)| name.starts_with(known.as_str()))
                .max_by_key(|(known, _)| known.len());
            let labels = rest.split_once('}').map(|(labels, _)| labels).unwrap_or_default();
            if let Some((_, told)) = of {
                told.labels.extend(labels.split("\",").filter_map(|label| Some(label.split_once('=')?.0.to_owned())));
            }
        }
    }
    let mut text = "| Metric | Labels | Kind | Meaning |\n|---|---|---|---|\n".to_owned();
    for (name, Told { kind, help, labels }) in &all {
        let exposed = match kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        };
        let labels: Vec<_> = labels.iter().filter(|label| *label != "le").map(String::as_str).collect();
        text += &format!("| `{exposed}` | {} | {kind} | {} |\n", labels.join(", "), help.replace('|', "\\|"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_metric_as_it_is_exposed() {
        let text = "# HELP a_calls Calls, by action|outcome.\n# TYPE a_calls counter\na_calls_total{action=\"x\",outcome=\"Ok\"} 1\n\
                    # HELP a_calls_late Late.\n# TYPE a_calls_late gauge\na_calls_late 1\n# EOF\n";
        let rows: Vec<_> = table(text).lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            rows,
            [
                "| `a_calls_total` | action, outcome | counter | Calls, by action\\|outcome |",
                "| `a_calls_late` |  | gauge | Late |"
            ]
        );
    }
}
