//! One backup in one HTML file: what an auditor files. It asks nothing of any network, and holds the certificate itself.

use super::{evidence::proofs, frame::style, picture};
use crate::console::timeline;
use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use shared::{
    barrier::{Milestone, PlaneRecord, Record, Verdict, View},
    calendar::rfc3339,
    evidence::AcceptedSnapshot,
    ids::{PlaneId, VolumeId},
    reason::Refusal,
    time::Timestamp,
};
use std::collections::BTreeMap;

/// Nothing is loaded from anywhere, and no script runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// Of the answer to `console show`.
///
/// # Errors
/// It is not one that this version knows.
pub fn report(shown: &Value) -> Result<String, String> {
    let request = &shown["record"]["request"];
    let name = match (request["namespace"].as_str(), request["name"].as_str()) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        _ => "a backup that cannot begin".to_owned(),
    };
    Ok(page(&name, &body(shown)?))
}

/// What stands in it.
///
/// # Errors
/// As [`report`].
pub(super) fn body(shown: &Value) -> Result<Markup, String> {
    if shown["step"] == "Invalid" {
        return Ok(never(shown));
    }
    let view: View = serde_json::from_value(shown.clone())
        .map_err(|error| format!("the answer cannot be read ({error}); are both of one version?"))?;
    let record = &view.record;
    let name = format!("{}/{}", record.request.namespace, record.request.name);
    Ok(html! {
        (headline(&view, &name))
        @if let Some(failure) = &record.failure { (failed(failure, record)) }
        figure { (picture::inline(&timeline(&view))) }
        (evidence(record))
        (planes(record))
        (sizes(&shown["sizes"]))
        (snapshots(record))
        (certificate(record))
    })
}

fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Backup report: " (title) }
                style { (PreEscaped(style())) }
            }
            body {
                main { (body) }
                footer { "Made by Isochron " (env!("CARGO_PKG_VERSION")) " from the record of the backup. This file loads nothing and sends nothing." }
            }
        }
    };
    page.into_string()
}

fn headline(view: &View, name: &str) -> Markup {
    let record = &view.record;
    let verdict = record.certificate.as_ref().map(|certificate| certificate.verdict);
    let (class, large) = match (record.milestone, verdict) {
        (Milestone::Failed | Milestone::Aborting, _) => ("bad", "FAILED".to_owned()),
        (Milestone::Complete, Some(verdict)) => (class_of(verdict), verdict.as_str().to_uppercase()),
        (Milestone::Complete, None) => ("warn", "COMPLETE, NOT PROVEN".to_owned()),
        _ => ("busy", format!("NOT ENDED: {:?}", view.phase)),
    };
    let wall = |at: Option<Timestamp>| at.map_or("-".to_owned(), rfc3339);
    html! {
        h1 { "Backup " (name) }
        p.verdict.(class) { (large) }
        @if let (Milestone::Complete, Some(verdict)) = (record.milestone, verdict) { p { (sentence(verdict.meaning())) } }
        table.facts {
            tr { th { "Moment (commitTs)" } td.num { @match record.commit_ts.filter(|_| verdict.is_some()) {
                Some(ts) => { (ts) " = " (rfc3339(Timestamp(i64::try_from(ts.physical_ms()).unwrap_or(i64::MAX)))) }
                None => "none",
            } } }
            tr { th { "First seen" } td.num { (wall(record.times.started)) } }
            tr { th { "Snapshots accepted, all let go" } td.num { (wall(record.times.snapshots_created)) } }
            tr { th { "Ended" } td.num { (wall(record.times.completed)) } }
            tr { th { "TiDB cluster" } td { @match record.cluster { Some(cluster) => (cluster), None => "not known" } " " (record.cluster_version) } }
            tr { th { "Attempt, epoch" } td { (record.attempt) ", " (record.epoch.0) } }
            tr { th { "VolumeBackup uid" } td { code { (record.request.backup) } } }
        }
    }
}

/// A part of a sentence as one of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Consistent => "good",
        Verdict::Weaker => "warn",
    }
}

fn failed(failure: &Refusal, record: &Record) -> Markup {
    html! {
        div.box {
            p { strong.bad { (failure.reason.as_str()) } }
            p { (failure.message) }
            p { strong { "What to do: " } (failure.reason.action()) }
            @if let Some(left) = &record.clean_failure { p { strong { "Its clean-up is not done: " } (left) } }
            p.dim { "More on this word: " code { "deploy/runbook.md#" (failure.reason.as_str().to_lowercase()) } }
        }
    }
}

/// Its spec can never work, so nothing of it is kept.
fn never(shown: &Value) -> Markup {
    let word = |field: &str| shown[field].as_str().unwrap_or_default().to_owned();
    html! {
        p.verdict.bad { "INVALID" }
        div.box {
            p { strong.bad { (word("reason")) } }
            p { (word("message")) }
            p { strong { "What to do: " } (word("action")) }
        }
    }
}

fn evidence(record: &Record) -> Markup {
    let proofs = proofs(record);
    html! {
        @if !proofs.is_empty() {
            h2 { "Evidence" }
            table {
                thead { tr { th { "" } th { "What is needed" } th { "What was found" } } }
                @for proof in &proofs {
                    tr {
                        td.num { @if proof.weaker { strong.warn { "‼ " (proof.number) } } @else { strong.good { "√ " (proof.number) } } }
                        td { (proof.claim) }
                        td { (proof.found) }
                    }
                }
            }
        }
    }
}

fn planes(record: &Record) -> Markup {
    html! {
        h2 { "Planes" }
        div.wide { table {
            thead { tr { th { "Plane" } th { "TiDB cluster" } th { "Account, Region" } th { "Stores" } th { "Snapshots" } th { "Kept in" } } }
            @for member in &record.request.members {
                @let kept = record.planes.get(&member.plane);
                tr {
                    td { (member.plane) }
                    td { (member.tc_namespace) "/" (member.tc_name) }
                    td { (kept.map_or("-", |kept| kept.account.as_str())) ", " (kept.map_or("-", |kept| kept.region.as_str())) }
                    td.num { (kept.map_or(0, |kept| kept.stores.len())) }
                    td.num { (taken(record, &member.plane).len()) }
                    td { code { (record.request.storage.of_plane(&member.plane).path()) } }
                }
                @if let Some(remark) = kept.and_then(PlaneRecord::remark) { tr { td {} td.dim colspan="5" { (remark) } } }
            }
        } }
    }
}

fn taken<'a>(record: &'a Record, plane: &PlaneId) -> BTreeMap<&'a VolumeId, &'a AcceptedSnapshot> {
    let of = record.certificate.as_ref().and_then(|certificate| certificate.planes.get(plane));
    of.into_iter().flat_map(|part| &part.evidence.snapshots).map(|one| (&one.volume, one)).collect()
}

fn sizes(sizes: &Value) -> Markup {
    let rows = [
        ("Full size of the volumes' snapshots", "full"),
        ("Added to the snapshots before it", "added"),
        ("Price of what it added, a month", "addedCostPerMonth"),
        ("Freed if it is deleted", "freedIfDeleted"),
    ];
    let known: Vec<_> = rows.iter().filter_map(|(what, field)| Some((what, sizes[field].as_str()?))).collect();
    html! {
        @if !known.is_empty() {
            h2 { "Size and cost" }
            table.facts { @for (what, text) in known { tr { th { (what) } td.num { (text) } } } }
        }
    }
}

fn snapshots(record: &Record) -> Markup {
    html! {
        h2 { "Stores, volumes, snapshots" }
        div.wide { table.small {
            thead { tr { th { "Plane" } th { "Store" } th { "Instance" } th { "Volume" } th { "Holds" } th { "Snapshot" } th { "EC2's start time" } } }
            @for (plane, kept) in &record.planes {
                @let taken = taken(record, plane);
                @for store in &kept.stores {
                    @for volume in &store.volumes {
                        tr {
                            td { (plane) }
                            td { (store.store) " " span.dim { (store.address) } }
                            td { code { (store.instance) } }
                            td { code { (volume.volume) } " " span.dim { (volume.zone) } }
                            td { @if volume.directories.is_empty() { (volume.kind) } @else {
                                (volume.directories.keys().cloned().collect::<Vec<_>>().join(", "))
                            } " " span.dim { (volume.mount_path) } }
                            @match taken.get(&volume.volume) {
                                Some(snapshot) => {
                                    td { code { (snapshot.snapshot) } }
                                    td.num { (rfc3339(snapshot.start_time)) }
                                }
                                None => { td { "none" } td {} }
                            }
                        }
                    }
                }
            }
        } }
    }
}

/// Word for word what lies beside every backupmeta.
fn certificate(record: &Record) -> Markup {
    let Some(certificate) = &record.certificate else { return html! {} };
    let text = certificate.to_json(&record.barrier, &record.moments);
    let link = format!("data:application/json;base64,{}", BASE64_STANDARD.encode(&text));
    let pretty = serde_json::from_str::<Value>(&text).map_or(text, |value| format!("{value:#}"));
    html! {
        h2 { "Certificate" }
        p {
            a href=(link) download="isochron-certificate.json" { "isochron-certificate.json" }
            ", byte for byte the file that lies beside each plane's " code { "backupmeta" } "."
        }
        details { summary { "Show it" } pre { (pretty) } }
    }
}

#[cfg(test)]
mod tests;
