//! The timeline of an attempt as one SVG: lanes of planes below the steps, the hold shaded, a tick for each CreateSnapshots
//! call that EC2 accepted, and each part of the barrier beside its limit. A pure function of the answer to
//! `console timeline`, so that an older answer is drawn, too, as far as it goes.
//!
//! Three stretches of time lie side by side, each on a scale of its own: what comes before the barrier, the barrier, and
//! the copying after it, which lasts a thousand times as long.

mod scale;
mod told;

use super::look::colours;
use crate::human::span;
use maud::{Markup, PreEscaped, html};
use scale::{Stretch, stretches};
use serde_json::Value;
use shared::time::Millis;
use std::collections::{BTreeMap, BTreeSet};
use told::{Step, Timeline};

/// The drawing's width, in its own units; it fits whatever room it is given.
const WIDTH: f64 = 1000.0;
/// Where the lanes begin and end.
const LEFT: f64 = 142.0;
const RIGHT: f64 = WIDTH - 16.0;
/// Of a lane, and of the bar in it.
const LANE: f64 = 30.0;
const BAR: f64 = 20.0;
/// Above the first lane: name, outcome, scale.
const TOP: f64 = 92.0;
/// Below the last: limits and the legend.
const BOTTOM: f64 = 92.0;
/// One line more.
const NOTE: f64 = 20.0;
/// Lanes that are drawn: more of them nobody looks at, and the picture says how many there are.
const PLANES: usize = 64;
/// Ticks of one plane that are drawn: as many as a lane has units, or they could not be told apart.
const TICKS: usize = 840;
/// About what a character of the small print takes.
const LETTER: f64 = 6.2;

/// For a file of its own, or an `<img>`.
pub fn standalone(answer: &Value) -> String {
    let style = format!("{}{STYLE}", colours(".timeline"));
    format!("{}\n", drawn(answer, html! { style { (PreEscaped(style)) } }).into_string())
}

/// For a page that has [`style`] and the colours.
pub(crate) fn inline(answer: &Value) -> Markup {
    drawn(answer, html! {})
}

/// Of the drawings on a page.
pub(crate) fn style() -> &'static str {
    STYLE
}

const STYLE: &str = ".timeline{background:var(--ground);max-width:100%;height:auto}\
.timeline text{font:12px ui-sans-serif,system-ui,sans-serif;fill:var(--ink)}\
.timeline .name{font-size:17px;font-weight:600}.timeline .dim{fill:var(--dim)}\
.timeline .lane{fill:var(--panel)}.timeline .rule{stroke:var(--line);stroke-width:1}\
.timeline .plain{fill:var(--quiet)}.timeline .settle{fill:var(--busy-fill)}.timeline .reach{fill:var(--good-fill)}\
.timeline .hold{fill:var(--warn-fill)}.timeline .copy{fill:var(--quiet)}.timeline .bad{fill:var(--bad-fill)}\
.timeline .held{fill:var(--warn-fill);opacity:.45}.timeline .tick{stroke:var(--ink);stroke-width:1.6}\
.timeline .limit{stroke:var(--bad);stroke-width:2}.timeline .used{fill:var(--warn)}.timeline .track{fill:var(--quiet)}\
.timeline .good-word{fill:var(--good);font-weight:700}.timeline .warn-word{fill:var(--warn);font-weight:700}\
.timeline .bad-word{fill:var(--bad);font-weight:700}.timeline .end{text-anchor:end}.timeline .mid{text-anchor:middle}";

fn drawn(answer: &Value, style: Markup) -> Markup {
    let mut told: Timeline = serde_json::from_value(answer.clone()).unwrap_or_default();
    let stretches = stretches(&told.steps, LEFT, RIGHT);
    let all = lanes(&told);
    if all.len() > PLANES {
        let text = format!("the first {PLANES} of {} planes are drawn", all.len());
        told.note = Some(told.note.take().into_iter().chain([text]).collect::<Vec<_>>().join("; "));
    }
    let lanes = all.get(..PLANES).unwrap_or(&all);
    let below = TOP + LANE * (lanes.len() + 1) as f64;
    let height = below + BOTTOM + if told.note.is_some() { NOTE } else { 0.0 };
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox=(format!("0 0 {WIDTH} {height}"))
            width=(WIDTH) height=(height) role="img" aria-label=(format!("Timeline of {}", told.name)) {
            title { "Timeline of " (told.name) ", attempt " (told.attempt) ": " (told.step) }
            (style)
            rect width="100%" height="100%" fill="none" {}
            (heading(&told))
            @for lane in 0..=lanes.len() {
                rect.lane x=(u(LEFT)) y=(u(TOP + LANE * lane as f64 + 2.0)) width=(u(RIGHT - LEFT)) height=(u(LANE - 4.0)) rx="3" {}
            }
            (axis(&stretches, below))
            (held(&told, &stretches, below))
            (coordinator(&told, &stretches))
            @for (lane, plane) in lanes.iter().enumerate() { (lane_of(&told, plane, &stretches, TOP + LANE * (lane + 1) as f64)) }
            (limits(&told, below + 22.0))
            (legend(&told, below + 78.0))
        }
    }
}

/// A number for a coordinate: a tenth of a unit is less than anybody sees.
fn u(at: f64) -> String {
    let text = format!("{at:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// In the order of the spec; an answer of a version that did not name them has them in its steps.
fn lanes(told: &Timeline) -> Vec<String> {
    let mut lanes = told.planes.clone();
    if lanes.is_empty() {
        let seen: BTreeSet<_> = told.steps.iter().flat_map(|step| step.planes.keys()).collect();
        lanes = seen.into_iter().cloned().collect();
    }
    lanes
}

fn heading(told: &Timeline) -> Markup {
    let (class, outcome) = match (told.verdict.as_deref(), told.step.as_str()) {
        (_, "Failed" | "Aborting") => ("bad-word", told.reason.clone().unwrap_or_else(|| "failed".to_owned())),
        (Some("Weaker"), _) => ("warn-word", "WEAKER".to_owned()),
        (Some(verdict), _) => ("good-word", verdict.to_uppercase()),
        (None, _) => ("dim", "no certificate yet".to_owned()),
    };
    let hold = told.hold_ms.map(|hold| match told.limits.get("hold_ms") {
        Some(limit) => format!("held for {} of {}", span(hold), Millis(*limit)),
        None => format!("held for {}", span(hold)),
    });
    html! {
        text.name x="16" y="28" { (told.name) }
        text.dim x="16" y="48" { "attempt " (told.attempt) ", " (told.step) @if let Some(hold) = hold { ", " (hold) } }
        text.end.(class) x=(u(RIGHT)) y="28" { (outcome) }
    }
}

/// The steps of the coordinator, with their names where there is room.
fn coordinator(told: &Timeline, stretches: &[Stretch]) -> Markup {
    html! {
        text.end.dim x=(u(LEFT - 10.0)) y=(u(TOP + 19.0)) { "steps" }
        @for step in &told.steps {
            @if let Some((from, to)) = place(stretches, step.began_ms, step.ends()) {
                g {
                    title { (step.step) ": from " (span(step.began_ms)) ", for " (span(step.ends() - step.began_ms)) }
                    rect.(step.kind()) x=(u(from)) y=(u(TOP + 5.0)) width=(u((to - from - 1.0).max(1.5))) height=(u(BAR)) rx="2" {}
                    @if to - from > LETTER * step.step.len() as f64 + 6.0 {
                        text.mid x=(u(f64::midpoint(from, to))) y=(u(TOP + 19.0)) { (step.step) }
                    }
                }
            }
        }
    }
}

/// What one plane did of each step, until it had answered.
fn lane_of(told: &Timeline, plane: &str, stretches: &[Stretch], top: f64) -> Markup {
    let calls = told.steps.iter().filter_map(|step| step.calls.get(plane)).flatten().take(TICKS);
    html! {
        text.end x=(u(LEFT - 10.0)) y=(u(top + 19.0)) { (short(plane)) }
        @for step in &told.steps {
            @if let Some(answered) = step.planes.get(plane) {
                @if let Some((from, to)) = place(stretches, step.began_ms, *answered) {
                    g {
                        title { (plane) ", " (step.step) ": answered at " (span(*answered)) }
                        rect.(step.kind()) x=(u(from)) y=(u(top + 5.0)) width=(u((to - from).max(1.5))) height=(u(BAR)) rx="2" {}
                    }
                }
            }
        }
        @for (instance, at) in calls {
            @if let Some((at_x, _)) = place(stretches, *at, *at) {
                g {
                    title { "CreateSnapshots of " (instance) " accepted at " (span(*at)) }
                    line.tick x1=(u(at_x)) x2=(u(at_x)) y1=(u(top + 3.0)) y2=(u(top + 27.0)) {}
                }
            }
        }
    }
}

/// A plane's name beside its lane; an EKS ARN ends with what tells it from others.
fn short(plane: &str) -> String {
    const ROOM: usize = 18;
    let letters = plane.chars().count();
    if letters <= ROOM {
        plane.to_owned()
    } else {
        format!("…{}", plane.chars().skip(letters - ROOM + 1).collect::<String>())
    }
}

/// From the last cover to the last release writes go on, and the cluster's shape may not change.
fn held(told: &Timeline, stretches: &[Stretch], below: f64) -> Markup {
    let of = |name: &str| told.steps.iter().find(|step| step.step == name);
    let until = ["Releasing", "Aborting", "Confirming", "Snapshotting"].into_iter().find_map(of).map(Step::ends);
    let span = of("Snapshotting").zip(until).and_then(|(first, until)| place(stretches, first.began_ms, until));
    html! {
        @if let Some((from, to)) = span {
            rect.held x=(u(from)) y=(u(TOP)) width=(u((to - from).max(2.0))) height=(u(below - TOP)) {}
        }
    }
}

fn place(stretches: &[Stretch], from: u64, to: u64) -> Option<(f64, f64)> {
    let last = || stretches.iter().rev().find(|stretch| stretch.last == from);
    let on = stretches.iter().find(|stretch| stretch.holds(from)).or_else(last)?;
    Some((on.at(from), on.at(to.min(on.last))))
}

fn axis(stretches: &[Stretch], below: f64) -> Markup {
    html! {
        @for stretch in stretches {
            text.dim.mid x=(u(f64::midpoint(stretch.left, stretch.right))) y="70" { (stretch.name) }
            line.rule x1=(u(stretch.left)) x2=(u(stretch.left)) y1="76" y2=(u(below)) {}
            @if let Some(end) = stretch.end() { text.dim.end x=(u(stretch.right)) y=(u(TOP - 4.0)) { (span(end)) } }
            @for at in stretch.marks() {
                line.rule x1=(u(stretch.at(at))) x2=(u(stretch.at(at))) y1=(u(TOP)) y2=(u(below)) stroke-dasharray="2 3" {}
                text.dim.mid x=(u(stretch.at(at))) y=(u(TOP - 4.0)) { (span(at)) }
            }
        }
    }
}

/// Each clock as a track that ends with its limit.
fn limits(told: &Timeline, top: f64) -> Markup {
    let clocks = [("settle", told.settle_ms), ("reach", told.reach_ms), ("hold", told.hold_ms)];
    let width = (RIGHT - LEFT) / 3.0 - 20.0;
    html! {
        text.end.dim x=(u(LEFT - 10.0)) y=(u(top + 13.0)) { "clocks" }
        @for (place, (name, took)) in clocks.into_iter().enumerate() {
            @if let (Some(took), Some(limit)) = (took, told.limits.get(&format!("{name}_ms")).filter(|limit| **limit > 0)) {
                @let left = LEFT + (width + 30.0) * place as f64;
                @let part = (took as f64 / *limit as f64).min(1.0);
                rect.track x=(u(left)) y=(u(top)) width=(u(width)) height="8" rx="2" {}
                rect.used x=(u(left)) y=(u(top)) width=(u((width * part).max(1.5))) height="8" rx="2" {}
                line.limit x1=(u(left + width)) x2=(u(left + width)) y1=(u(top - 4.0)) y2=(u(top + 12.0)) {}
                text x=(u(left)) y=(u(top + 26.0)) { (name) " " (span(took)) }
                text.end.dim x=(u(left + width)) y=(u(top + 26.0)) { "limit " (Millis(*limit).to_string()) }
            }
        }
    }
}

fn legend(told: &Timeline, y: f64) -> Markup {
    let calls: usize = told.steps.iter().flat_map(|step| step.calls.values()).map(BTreeMap::len).sum();
    html! {
        @if calls > 0 {
            line.tick x1=(u(LEFT + 4.0)) x2=(u(LEFT + 4.0)) y1=(u(y - 12.0)) y2=(u(y + 2.0)) {}
            text.dim x=(u(LEFT + 14.0)) y=(u(y)) { "a CreateSnapshots call that EC2 accepted (" (calls) ")" }
            rect.hold x=(u(LEFT + 330.0)) y=(u(y - 11.0)) width="16" height="13" rx="2" {}
            text.dim x=(u(LEFT + 354.0)) y=(u(y)) { "held: writes go on, regions may not change" }
        }
        @if let Some(note) = &told.note {
            text.warn-word x=(u(LEFT)) y=(u(y + NOTE)) { (note) }
        }
    }
}

#[cfg(test)]
mod tests;
