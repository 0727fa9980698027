//! For people: a table of volumes for each plane, the sums, and the checks below.

use crate::{console::check, human::span};
use comfy_table::{Table, presets};
use serde_json::Value;

const GIB: f64 = (1_u64 << 30) as f64;
/// What is not known.
const UNKNOWN: &str = "unknown";

/// The answer as it is printed.
pub fn drawn(answer: &Value) -> String {
    let (plan, rate) = (&answer["plan"], answer["options"]["wish"]["rate"].as_u64());
    let money = |amount: &Value| match amount.as_str() {
        Some(amount) => format!("{amount} {}", text(&answer["currency"])),
        None => UNKNOWN.to_owned(),
    };
    let mut out = format!(
        "{}, moment {}, TiDB {}\n",
        text(&answer["of"]),
        text(&answer["commitTs"]),
        text(&answer["clusterVersion"])
    );
    for plane in rows(&plan["planes"]) {
        out.push_str(&format!("\nplane {}: {}\n", text(&plane["plane"]), sums(&plane["totals"], rate)));
        if !rows(&plane["volumes"]).is_empty() {
            out.push_str(&format!("{}\n", volumes(rows(&plane["volumes"]))));
        }
    }
    if let Some(more) = answer["volumesLeftOut"].as_u64().filter(|more| *more > 0) {
        out.push_str(&format!("{more} more volumes are in the sums and not shown\n"));
    }
    let totals = &plan["totals"];
    out.push_str(&format!("\nin all: {}\n", sums(totals, rate)));
    out.push_str(&format!(
        "price: {} a month while they live; initialization {} once; a drill of {} h {}\n\n",
        money(&totals["perMonth"]),
        money(&totals["initialization"]),
        answer["options"]["hours"],
        money(&totals["drill"]),
    ));
    for line in rows(&answer["notAsked"]) {
        out.push_str(&format!("– {}  {}  {}\n", text(&line["group"]), text(&line["what"]), text(&line["found"])));
    }
    out + &check::drawn(answer)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or(UNKNOWN)
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn gib(bytes: &Value) -> String {
    bytes.as_f64().map_or(UNKNOWN.to_owned(), |bytes| format!("{:.1}", bytes / GIB))
}

fn sums(totals: &Value, rate: Option<u64>) -> String {
    let at_most = if totals["dataUnknown"].as_u64() > Some(0) { "at most " } else { "" };
    let when = match (rate, totals["ready_ms"].as_u64()) {
        (None, _) => "when it is all there is not known: without --rate it comes as it is read, at a rate that AWS does not state"
            .to_owned(),
        (Some(rate), Some(ready)) => format!("all there {at_most}{} after the first volume is made, at {rate} MiB/s", span(ready)),
        (Some(rate), None) => format!("when it is all there at {rate} MiB/s is not known, see below"),
    };
    format!(
        "{} volumes, {} GiB, {at_most}{} GiB of data; {when}",
        totals["volumes"],
        totals["gib"],
        gib(&totals["dataBytes"])
    )
}

fn volumes(volumes: &[Value]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "POD", "CLAIM", "STORE", "SNAPSHOT", "GIB", "DATA GIB", "FROM", "TO", "TODAY", "NEW", "KEY", "READY", "A MONTH",
    ]);
    for one in volumes {
        let number = |field: &str| one[field].as_u64().map_or("?".to_owned(), |number| number.to_string());
        let known = |field: &str| text_or(&one[field], "?");
        let ready = one["ready_ms"].as_u64().map_or("-".to_owned(), span);
        let key = match (one["encrypted"] == true, one["key"].as_str().filter(|key| !key.is_empty())) {
            (false, _) => "none".to_owned(),
            (true, Some(key)) => key.rsplit('/').next().unwrap_or(key).to_owned(),
            (true, None) => "the account's".to_owned(),
        };
        table.add_row([
            number("pod"),
            known("claim"),
            number("store"),
            known("snapshot"),
            number("gib"),
            one["dataBytes"].as_u64().map_or("?".to_owned(), |_| gib(&one["dataBytes"])),
            known("zoneFrom"),
            known("zoneTo"),
            kind(&one["today"]),
            kind(&one["kind"]),
            key,
            ready,
            text_or(&one["perMonth"], "?"),
        ]);
    }
    table
}

fn text_or(value: &Value, other: &str) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(other).to_owned()
}

/// `gp3/3000/125`
fn kind(kind: &Value) -> String {
    let parts = [text_or(&kind["name"], "?"), numbered(&kind["iops"]), numbered(&kind["throughput"])];
    parts.join("/").trim_end_matches(['/', '-']).to_owned()
}

fn numbered(value: &Value) -> String {
    value.as_u64().map_or("-".to_owned(), |number| number.to_string())
}
