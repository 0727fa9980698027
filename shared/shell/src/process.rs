//! What a process takes: the metrics that every client library of Prometheus tells by these names, read from `/proc` at
//! each scrape. Where there is no `/proc` there are none.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};
use std::{fmt, fs};

/// Ticks of a second in `/proc`: a constant of Linux towards programs, whatever the kernel's own clock does.
const TICKS: f64 = 100.0;

/// Registers them.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

#[derive(Debug)]
struct Process;

/// One look. Each part for itself: a kernel may keep one from us and not another.
#[derive(Debug, Default, PartialEq)]
struct Taken {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<i64>,
    started_seconds: Option<f64>,
    open_files: Option<i64>,
    most_files: Option<i64>,
    threads: Option<i64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let taken = look();
        if let Some(seconds) = taken.cpu_seconds {
            let metric = ConstCounter::new(seconds);
            let help = "Processor time that this process has used";
            metric.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, metric.metric_type())?)?;
        }
        let mut gauge = |name: &str, help: &str, value: Option<f64>| -> fmt::Result {
            let Some(value) = value else { return Ok(()) };
            let metric = ConstGauge::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
        };
        let whole = |value: Option<i64>| value.map(|value| value as f64);
        gauge("process_resident_memory_bytes", "Memory that is resident", whole(taken.resident_bytes))?;
        gauge("process_start_time_seconds", "When this process began (Unix time)", taken.started_seconds)?;
        gauge("process_open_fds", "Open files and sockets", whole(taken.open_files))?;
        gauge("process_max_fds", "How many files and sockets it may open", whole(taken.most_files))?;
        gauge("process_threads", "Threads of this process", whole(taken.threads))
    }
}

fn look() -> Taken {
    let read = |name: &str| fs::read_to_string(name).unwrap_or_default();
    let mut taken = of_texts(&read("/proc/self/stat"), &read("/proc/self/status"), &read("/proc/stat"));
    taken.most_files = most_files(&read("/proc/self/limits"));
    // The look itself has one open.
    taken.open_files =
        fs::read_dir("/proc/self/fd").ok().and_then(|found| i64::try_from(found.count().saturating_sub(1)).ok());
    taken
}

/// `/proc/self/stat`, `/proc/self/status` and `/proc/stat`.
fn of_texts(stat: &str, status: &str, machine: &str) -> Taken {
    // The program's name is in brackets and may hold anything; the fields behind it are numbered from the third.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<f64>().ok());
    let line = |text: &str, name: &str| -> Option<i64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let booted = line(machine, "btime ").map(|seconds| seconds as f64);
    Taken {
        cpu_seconds: field(14).zip(field(15)).map(|(user, system)| (user + system) / TICKS),
        resident_bytes: line(status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
        started_seconds: booted.zip(field(22)).map(|(booted, since)| booted + since / TICKS),
        threads: field(20).map(|threads| threads as i64),
        ..Taken::default()
    }
}

/// The soft limit; `unlimited` is none that could be told.
fn most_files(limits: &str) -> Option<i64> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_counted_behind_the_programs_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 4200 1000 200 18446744073709551615";
        let status = "Name:\ta\nVmHWM:\t 9 kB\nVmRSS:\t  2048 kB\n";
        let taken = of_texts(stat, status, "cpu 1 2\nbtime 1700000000\n");
        assert_eq!(taken.cpu_seconds, Some(3.0));
        assert_eq!(taken.resident_bytes, Some(2 << 20));
        assert_eq!(taken.started_seconds, Some(1_700_000_042.0));
        assert_eq!(taken.threads, Some(9));
        assert_eq!(of_texts("", "", ""), Taken::default());
        assert_eq!(most_files("Max open files            1024                 4096                 files"), Some(1024));
        assert_eq!(most_files("Max open files            unlimited            unlimited            files"), None);
    }

    #[test]
    fn a_scrape_tells_them() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for name in ["process_cpu_seconds_total ", "process_resident_memory_bytes ", "process_open_fds "] {
            assert!(text.lines().any(|line| line.starts_with(name)), "{name}\n{text}");
        }
    }
}
