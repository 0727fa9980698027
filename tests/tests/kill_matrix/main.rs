//! Whole processes killed at every boundary of an effect, cut off, hung, and the servers around them restarted: on the
//! rig of the whole-process tests. Afterwards the outcome is legal, every hold is gone within its bound, nothing is
//! left, and record and status say the same. At the end a table says so, line by line.
//!
//! `tests/run` plays a part that meets every step, every actor and both signals; all of it:
//! `cargo test … --test kill_matrix -- --ignored`. `ISOCHRON_KILL_MATRIX=TEXT` plays only lines whose label contains it.
//! Cuts are made by a relay, and once more by the kernel, with the coordinator in a network namespace of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod every;
mod judge;
mod namespaces;
mod questions;
mod runner;
mod steps;
mod table;

use runner::{Line, Runner};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use table::{Case, Injection, Side};
use tests::processes::{network_paths::Reach, programs::Who};

/// Stages beside each other. Cases mostly wait, so four of them take little more of two cores than one.
const LANES: u8 = 4;

/// Cases to play, and what came of those that were.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Case>,
    lines: Vec<Line>,
    failures: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_at_a_step_of_every_kind() {
    play(table::cases(false), |_| Reach::Relayed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "every step, actor and signal: about half an hour"]
async fn whoever_dies_at_any_step() {
    play(table::cases(true), |_| Reach::Relayed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn networks_are_cut_between_namespaces() {
    if namespaces::is_inside() {
        play(steps::NAMESPACES.to_vec(), Reach::Wired).await;
    } else {
        namespaces::again("networks_are_cut_between_namespaces").unwrap();
    }
}

async fn play(cases: Vec<Case>, reach: fn(u8) -> Reach) {
    let only = std::env::var("ISOCHRON_KILL_MATRIX").unwrap_or_default();
    let chosen = cases.into_iter().filter(|case| label(case).contains(&only));
    let queue = Arc::new(Mutex::new(Queue { waiting: chosen.collect(), ..Queue::default() }));
    let runners = u8::try_from(queue.lock().unwrap().waiting.len()).unwrap_or(LANES).min(LANES);
    let running: Vec<_> = (1..=runners).map(|number| tokio::spawn(run(number, reach(number), queue.clone()))).collect();
    for runner in running {
        runner.await.unwrap();
    }
    let queue = queue.lock().unwrap();
    print(&queue.lines);
    let unplayed = queue.waiting.len();
    assert!(queue.failures.is_empty(), "{} of the matrix failed:\n{}", queue.failures.len(), queue.failures.join("\n"));
    assert!(unplayed == 0 && !queue.lines.is_empty(), "{unplayed} cases were not played");
}

/// A runner ends with its first failure: what comes after it would prove nothing.
async fn run(number: u8, reach: Reach, queue: Arc<Mutex<Queue>>) {
    let mut runner = match Runner::start(number, reach).await {
        Ok(runner) => runner,
        Err(error) => return queue.lock().unwrap().failures.push(format!("runner {number} does not start: {error:#}")),
    };
    loop {
        let Some(case) = queue.lock().unwrap().waiting.pop_front() else { return };
        match runner.play(case).await {
            Ok(line) => {
                println!("{}", row(&line));
                queue.lock().unwrap().lines.push(line);
            }
            Err(error) => {
                let text = format!("runner {number}, {}: {error:#}", label(&case));
                println!("FAILED: {text}\n{}", runner.rig.programs().log_tails());
                queue.lock().unwrap().failures.push(text);
                return;
            }
        }
    }
}

fn label(case: &Case) -> String {
    let side = match case.side {
        _ if case.scenario.is_question() => "a look",
        _ if case.marks.is_empty() => "snapshots under way,",
        Side::Before => "before",
        Side::After => "after",
    };
    format!("{:?}: {side} {}; {}; {}", case.scenario, case.step, who(case), injection(case.injection))
}

fn who(case: &Case) -> String {
    match case.who {
        Who::Coordinator => "coordinator".to_owned(),
        Who::Plane(0) => "init plane".to_owned(),
        Who::Plane(number) => format!("plane {}", number + 1),
    }
}

fn injection(injection: Injection) -> String {
    match injection {
        Injection::Kill => "KILL".to_owned(),
        Injection::KillForLong => "KILL, for long".to_owned(),
        Injection::Term => "TERM".to_owned(),
        Injection::AllDie => "KILL of everybody".to_owned(),
        Injection::Hang(length) => format!("hangs {} s", length.as_secs()),
        Injection::Unplug(length) => format!("unplugged {} s", length.as_secs()),
        Injection::Cut { up, down, length } => {
            let way = match (up, down) {
                (true, true) => "both ways",
                (true, false) => "up",
                _ => "down",
            };
            format!("cut {way} {} s", length.as_secs())
        }
        Injection::StoreDies => "TiKV dies".to_owned(),
        Injection::PdDies => "PD restarts".to_owned(),
    }
}

fn row(line: &Line) -> String {
    let case = &line.case;
    let side = match case.side {
        _ if case.marks.is_empty() => "during",
        Side::Before => "before",
        Side::After => "after",
    };
    let stays = line.safe_point.map(|left| format!("  safe point: {} s", left.as_secs())).unwrap_or_default();
    format!(
        "{:9} {side:6} {:22} {:12} {:17} {:30} {:6.1} {:6.1}{stays}",
        format!("{:?}", case.scenario),
        case.step,
        who(case),
        injection(case.injection),
        line.outcome,
        line.gone.as_secs_f64(),
        case.bound().as_secs_f64(),
    )
}

fn print(lines: &[Line]) {
    println!(
        "\n{:9} {:6} {:22} {:12} {:17} {:30} {:>6} {:>6}",
        "scenario", "side", "step", "who", "injection", "outcome", "gone s", "bound"
    );
    let mut rows: Vec<String> = lines.iter().map(row).collect();
    rows.sort();
    println!("{}\n{} lines", rows.join("\n"), lines.len());
}
