//! For people: a mark for each check, and below what is not fine its reason, what to do, and where more of it stands.

use serde_json::Value;

/// The answer as it is printed.
pub fn drawn(answer: &Value) -> String {
    let checks: Vec<&Value> = answer["checks"].as_array().into_iter().flatten().collect();
    let width = |field: &str| checks.iter().map(|check| word(&check[field]).chars().count()).max().unwrap_or_default();
    let (groups, whats) = (width("group"), width("what"));
    let mut out = String::new();
    for check in &checks {
        let took = check["took_ms"].as_u64().map_or(String::new(), |took| format!(" ({took} ms)"));
        let (group, what, found) = (word(&check["group"]), word(&check["what"]), word(&check["found"]));
        out.push_str(&format!("{} {group:<groups$}  {what:<whats$}  {found}{took}\n", mark(check)));
        for more in more(check) {
            out.push_str(&format!("  {:<groups$}  {:<whats$}  {more}\n", "", ""));
        }
    }
    out.push_str(&verdict(answer, &checks));
    out
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn mark(check: &Value) -> char {
    match word(&check["state"]) {
        "fine" => '√',
        "warning" => '‼',
        _ => '×',
    }
}

fn more(check: &Value) -> Vec<String> {
    let advice = check["reason"].as_str().map(|reason| format!("{reason}: {}", word(&check["action"])));
    let page = check["runbook"].as_str().map(|page| format!("see {page}"));
    advice.into_iter().chain(page).collect()
}

fn verdict(answer: &Value, checks: &[&Value]) -> String {
    let count = |state: &str| checks.iter().filter(|check| check["state"] == state).count();
    let (refused, warnings) = (count("refused"), count("warning"));
    let of = answer["of"].as_str().map_or(String::new(), |name| format!("{name}: "));
    let left_out = match answer["leftOut"].as_u64() {
        None | Some(0) => String::new(),
        Some(more) => format!("; {more} more checks are not shown"),
    };
    let warnings = match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        more => format!(", {more} warnings"),
    };
    match answer["fine"] == true {
        true => format!("{of}{} checks, all fine{warnings}{left_out}", checks.len()),
        false => format!("{of}{} checks, {refused} refused{warnings}{left_out}", checks.len()),
    }
}
