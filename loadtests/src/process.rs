//! What the kernel says of a process on Linux.

use anyhow::Context;
use cap::Cap;
use std::alloc::System;

/// The system's, counted.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// Ticks of a second in `/proc/self/stat` on every Linux.
const TICKS: f64 = 100.0;

/// Processor time of all threads of this process, in seconds.
pub(crate) fn cpu_seconds() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("/proc/self/stat")?;
    let ticks: Vec<f64> = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// The most memory that this process ever had, in MiB.
#[cfg(feature = "servers")]
pub(crate) fn peak_mebibytes() -> anyhow::Result<f64> {
    Ok(kibibytes("VmHWM:")? / 1024.0)
}

/// Memory of this process that is in RAM now, in KiB.
pub(crate) fn resident_kibibytes() -> anyhow::Result<f64> {
    kibibytes("VmRSS:")
}

/// What is allocated now, in bytes, exactly: no page and no arena of an allocator is in it.
pub(crate) fn live_bytes() -> usize {
    HEAP.allocated()
}

/// Files and sockets that this process has open.
pub(crate) fn descriptors() -> anyhow::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}

fn kibibytes(field: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("/proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
