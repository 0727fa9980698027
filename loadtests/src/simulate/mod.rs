//! `loadtests simulate`: attempts at whole backups in virtual time, each from a seed of its own, with faults, invariants
//! and an oracle. One paused runtime per thread; a seed knows nothing of threads, so its bytes do not depend on them.

mod report;

use clap::Args;
use report::Report;
use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tests::sim::{self, Kind, Options};

/// Every so many seeds one is run twice, and the first one always is: the same bytes must come out.
const TWICE_EVERY: u64 = 100;
/// Without `--attempts` and `--seconds`.
const ATTEMPTS: u64 = 1_000;
/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(15);

/// What can be chosen.
#[derive(Args, Clone, Debug)]
pub(crate) struct SimulateArgs {
    /// How many attempts; seeds are SEED, SEED + 1, … (1000 without --seconds, no bound with it).
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    attempts: Option<u64>,
    /// The first seed; a fresh one if it is left out. It is printed either way.
    #[arg(long)]
    seed: Option<u64>,
    /// Begin no further attempt after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print what happened, event by event. For one attempt.
    #[arg(long)]
    trace: bool,
    /// Threads; all cores if it is left out.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,
    /// Faults of these kinds alone, by name, with semicolons between; all if it is left out.
    #[arg(long, value_delimiter = ';', value_parser = kind)]
    kinds: Vec<Kind>,
    /// Stop at the first attempt that breaks an invariant.
    #[arg(long)]
    fail_fast: bool,
}

fn kind(name: &str) -> Result<Kind, String> {
    let names = || Kind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    Kind::named(name).ok_or_else(|| format!("there is no such kind; there are {}", names()))
}

impl SimulateArgs {
    fn options(&self) -> Options {
        Options { trace: false, kinds: self.kinds.clone() }
    }
}

/// True if no invariant was broken and the same seeds gave the same bytes.
pub(crate) fn main(args: &SimulateArgs) -> anyhow::Result<bool> {
    let seed = args.seed.unwrap_or_else(fresh_seed);
    let attempts = args.attempts.unwrap_or(if args.seconds.is_some() { u64::MAX } else { ATTEMPTS });
    anyhow::ensure!(!args.trace || attempts == 1, "--trace shows one attempt: add --attempts 1");
    eprintln!("simulate: seeds from {seed}");
    if args.trace {
        let outcome = sim::run(seed, &Options { trace: true, ..args.options() });
        outcome.trace.iter().for_each(|line| println!("{line}"));
        let mut report = Report::of(&args.kinds);
        report.add(&outcome);
        eprintln!("{}", report.text());
        return Ok(report.holds());
    }
    let report = run(args, seed, attempts);
    println!("{}", if args.json { report.json() } else { report.text() });
    Ok(report.holds())
}

fn run(args: &SimulateArgs, seed: u64, attempts: u64) -> Report {
    let begun = Instant::now();
    let end = args.seconds.map(|seconds| begun + Duration::from_secs(seconds));
    let (options, report) = (args.options(), Mutex::new(Report::of(&args.kinds)));
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = args.threads.map_or(cores, |threads| threads as usize);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let late = end.is_some_and(|end| Instant::now() >= end);
                    if nth >= attempts || late || stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let clean = one(&report, &options, seed.wrapping_add(nth), nth % TWICE_EVERY == 0);
                    if !clean && args.fail_fast {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
        scope.spawn(|| progress(&report, attempts, begun, || next.load(Ordering::Relaxed), end, &stop));
    });
    let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.finish(begun.elapsed());
    report
}

/// False: it broke something.
fn one(report: &Mutex<Report>, options: &Options, seed: u64, twice: bool) -> bool {
    let outcome = sim::run(seed, options);
    let again = twice.then(|| sim::run(seed, options));
    let clean = outcome.violations.is_empty();
    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
    report.add(&outcome);
    if let Some(again) = again {
        report.compare(&outcome, &again);
    }
    if !clean {
        eprintln!("simulate: seed {seed} broke an invariant; {}", report.replay(seed));
    }
    clean
}

fn progress(
    report: &Mutex<Report>,
    attempts: u64,
    begun: Instant,
    begun_so_far: impl Fn() -> u64,
    end: Option<Instant>,
    stop: &AtomicBool,
) {
    let mut told = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let over = begun_so_far() >= attempts || end.is_some_and(|end| Instant::now() >= end);
        if over || stop.load(Ordering::Relaxed) {
            return;
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            let done = report.lock().unwrap_or_else(PoisonError::into_inner).line();
            eprintln!("simulate: {} s, {done}", begun.elapsed().as_secs());
        }
    }
}

/// From the operating system's randomness, small enough to be typed.
fn fresh_seed() -> u64 {
    RandomState::new().build_hasher().finish() % 1_000_000_000_000
}
