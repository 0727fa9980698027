//! The first page: what runs, planes as lamps, backups as squares, schedules.

use super::frame::{CALM, LIVE, page};
use crate::console::{GLANCE_ROWS, segments};
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;

/// Rows of tables that are drawn: beyond that a person asks the console.
const ROWS: usize = 200;

/// Of the answers to `glance`, `planes` and `schedules`.
pub fn overview(glance: &Value, planes: &Value, schedules: &Value) -> String {
    let runs = !rows(&glance["running"]).is_empty();
    let refresh = if runs { LIVE } else { CALM };
    page(
        "Backups",
        0,
        refresh,
        &html! {
            (running(glance))
            h2 { "Planes" }
            (lamps(planes))
            h2 { "Backups" }
            (squares(glance))
            (newest(glance))
            h2 { "Schedules" }
            (plan(schedules))
        },
    )
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or("-")
}

fn link(row: &Value) -> String {
    format!("backups/{}", segments(&format!("{}/{}", word(row, "namespace"), word(row, "name"))))
}

fn running(glance: &Value) -> Markup {
    let (shown, all) = (rows(&glance["running"]), glance["runningAll"].as_u64().unwrap_or_default());
    html! {
        h1 { @if all == 0 { "Nothing runs" } @else if all == 1 { "One backup runs" } @else { (all) " backups run" } }
        @for row in shown {
            div.card.held[is_held(row)] {
                h3 { a href=(link(row)) { (word(row, "namespace")) "/" (word(row, "name")) } span.busy { (word(row, "step")) } }
                (countdown(row))
                @if !word(row, "waitingFor").is_empty() { p.dim { "Waits for " (word(row, "waitingFor")) } }
                div.doing {
                    @for plane in rows(&row["planes"]) { (doing(plane)) }
                }
            }
        }
        @for row in rows(&glance["waiting"]) {
            div.card {
                h3 { (word(row, "namespace")) "/" (word(row, "name")) span.busy { (word(row, "step")) } }
                p.dim { "Waits for " (word(row, "waitingFor")) }
            }
        }
        @if glance["orphans"].as_u64().unwrap_or_default() > 0 {
            div.box.warn-box { p { (glance["orphans"]) " records have lost their object; everything of them is kept. "
                code { "coordinator console orphans" } " names them." } }
        }
    }
}

/// Under these clocks production is held.
fn is_held(row: &Value) -> bool {
    matches!(row["clock"]["name"].as_str(), Some("Settle" | "Reach" | "Hold" | "HoldsEnd"))
}

/// The clock that runs, and what is left of it; a script counts it down.
pub(super) fn countdown(row: &Value) -> Markup {
    let (left, limit) = (row["clock"]["left_ms"].as_u64(), row["limit_ms"].as_u64());
    html! {
        @if let Some(left) = left {
            div.left data-left=(left) {
                span.count { (left / 1000) " s" }
                span.dim { " left of the " (word(&row["clock"], "name").to_lowercase()) " clock"
                    @if let Some(limit) = limit { " (" (limit / 1000) " s)" } }
                @if let Some(limit) = limit { progress max=(limit) value=(left) aria-label="what is left of the clock" {} }
            }
        }
    }
}

/// A plane, how far it is, and its own words.
fn doing(plane: &Value) -> Markup {
    let (done, total) = (plane["done"].as_u64().unwrap_or(0), plane["total"].as_u64().unwrap_or(0));
    let answered = plane["answered"] == true;
    html! {
        span { (word(plane, "plane")) }
        @if answered { progress max="1" value="1" aria-label="answered" {} }
        @else if total > 0 { progress max=(total) value=(done.min(total)) aria-label=(format!("{done} of {total}")) {} }
        @else { progress max="1" value="0" aria-label="not begun" {} }
        span {
            @if plane["connected"] != true { strong.bad { "away " } }
            @if let Some(refused) = plane["refused"].as_str() { span.bad { (refused) } }
            @else if answered { span.dim { "answered" } }
            @else { span.dim { (plane["doing"].as_str().unwrap_or_default()) } }
        }
    }
}

fn lamps(planes: &Value) -> Markup {
    html! {
        ul.lamps {
            @for plane in rows(planes).iter().take(ROWS) {
                @let on = plane["connected"] == true;
                li {
                    span.lamp.on[on].off[!on] {}
                    strong { (word(plane, "plane")) }
                    span.dim {
                        @if on { "connected, version " (word(plane, "version")) }
                        @else if let Some(seen) = plane["lastSeen"].as_str() { "away since " (seen) }
                        @else { "away" }
                        @if let Some(days) = plane["daysLeft"].as_i64() { ", certificate for " (days) " days" }
                        @if let Some(drained) = plane["drained"].as_str() { ", " strong { "drained " (drained) } }
                    }
                }
            }
        }
    }
}

/// Sign and word of an outcome: nobody has to tell colours apart.
fn sign(outcome: &str) -> (&'static str, &'static str) {
    match outcome {
        "proven" => ("√", "proven consistent"),
        "weaker" => ("‼", "complete, weaker than a proof"),
        "failed" => ("×", "failed"),
        "invalid" => ("?", "can never work"),
        "leaving" => ("−", "being deleted"),
        _ => ("·", "unknown"),
    }
}

fn squares(glance: &Value) -> Markup {
    let counts: BTreeMap<String, u64> = serde_json::from_value(glance["counts"].clone()).unwrap_or_default();
    html! {
        @if rows(&glance["backups"]).is_empty() { p.dim { "None yet." } }
        ul.squares {
            @for row in rows(&glance["backups"]) {
                @let (sign, meaning) = sign(word(row, "outcome"));
                @let title = format!("{}/{}, {meaning}, {}", word(row, "namespace"), word(row, "name"), word(row, "started"));
                li { a.(word(row, "outcome")) href=(link(row)) title=(title) aria-label=(title) { (sign) } }
            }
        }
        ul.key { @for (outcome, count) in &counts { li { (sign(outcome).0) " " (sign(outcome).1) ": " (count) } } }
    }
}

fn newest(glance: &Value) -> Markup {
    let (from, all) = (glance["from"].as_u64().unwrap_or(0), glance["all"].as_u64().unwrap_or(0));
    let (room, shown) = (GLANCE_ROWS as u64, rows(&glance["backups"]));
    html! {
        @if !shown.is_empty() {
            details open[from > 0] {
                summary { "Backups " (from + 1) " to " (from + shown.len() as u64) " of " (all) }
                div.wide { table {
                    thead { tr { th { "Backup" } th { "Outcome" } th { "Reason" } th { "First seen" } th { "Ended" } } }
                    @for row in shown {
                        tr {
                            td { a href=(link(row)) { (word(row, "namespace")) "/" (word(row, "name")) } }
                            td { (sign(word(row, "outcome")).1) }
                            td { (word(row, "reason")) }
                            td.num { (word(row, "started")) }
                            td.num { (word(row, "ended")) }
                        }
                    }
                } }
            }
        }
        div.pages {
            @if from > 0 { a href={ "?from=" (from.saturating_sub(room)) } { "← newer" } }
            @if from + room < all { a href={ "?from=" (from + room) } { "older →" } }
        }
    }
}

fn plan(schedules: &Value) -> Markup {
    html! {
        @if rows(schedules).is_empty() { p.dim { "None." } } @else {
            div.wide { table {
                thead { tr { th { "Schedule" } th { "Fires" } th { "Next run" } th { "Last good backup" } th { "It ended" } th { "Says" } } }
                @for row in rows(schedules).iter().take(ROWS) {
                    tr {
                        td { (word(row, "namespace")) "/" (word(row, "name")) " " span.dim { (word(row, "phase")) } }
                        td.num { code { (word(row, "schedule")) } " " span.dim { (word(row, "zone")) } }
                        td.num { (word(row, "nextRun")) }
                        td { @match row["lastSuccess"].as_str() {
                            Some(name) => a href={ "backups/" (segments(&format!("{}/{name}", word(row, "namespace")))) } { (name) },
                            None => strong.warn { "none" },
                        } }
                        td.num { (word(row, "lastSuccessTime")) }
                        td { (row["message"].as_str().unwrap_or_default()) }
                    }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests;
