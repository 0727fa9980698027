//! Every verb of the console, with its words.

use crate::{
    checking::wait_for,
    draining::{DrainArgs, ReleaseArgs},
    restoring::RestoreArgs,
    status::{self, Failure},
    writing::{ApplyArgs, DeleteArgs},
};
use clap::Subcommand;
use coordinator::console::Output;
use shared::time::Timestamp;
use std::{path::PathBuf, time::Duration};

#[derive(Subcommand)]
pub(crate) enum Ask {
    /// Which coordinators the console knows, and which one it asks.
    Contexts,
    /// Ask another of them from now on.
    UseContext {
        /// Its name
        name: String,
    },
    /// Everything at a glance.
    Status,
    /// Planes and their sessions.
    Planes,
    /// Every backup, one line each.
    Backups,
    /// One backup whole.
    Show {
        /// name, namespace/name or uid
        name: String,
    },
    /// Why a backup is not done yet, and what to do.
    Why {
        /// name, namespace/name or uid
        name: String,
    },
    /// Would a backup work? Control plane and planes; with NAME each of its planes also looks at all that Prepare needs.
    /// Nothing is changed. Exit status 1 where a backup would be refused.
    Check {
        /// A VolumeBackup or VolumeBackupSchedule: name, namespace/name or uid
        name: Option<String>,
        /// Ask again until all is fine, for this long at most: 10m, 90s.
        #[arg(long, value_name = "DURATION", value_parser = wait_for)]
        wait: Option<Duration>,
    },
    /// Is a Complete backup still whole? Each of its planes looks at its metadata in S3 and its snapshots in EC2. Nothing is
    /// changed. Exit status 1 where something does not hold, or a plane could not look.
    Verify {
        /// name, namespace/name or uid
        name: String,
    },
    /// Getting a backup back: what it takes, and restores as they stand. A restore is a VolumeRestore object (`console apply`).
    Restore(RestoreArgs),
    /// One archive for whoever helps: what the coordinator and its planes say of themselves, with NAME also all of that
    /// backup. Texts that can be read by hand, without secrets; nothing is changed. With `-o json` what the coordinator
    /// alone knows, and no archive.
    Diagnose {
        /// name, namespace/name or uid
        name: Option<String>,
        /// Where to write it; without it a file named by the time, in this folder.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// With `-o json`: what planes know of themselves, a few whose names come behind this one, packed; '' begins.
        #[arg(long, value_name = "PLANE")]
        planes_after: Option<String>,
    },
    /// Where the time of its last attempt went, step by step and plane by plane; a picture with `-o svg`.
    Timeline {
        /// name, namespace/name or uid
        name: String,
    },
    /// One backup in one HTML file, to be filed: verdict, evidence, timeline, snapshots, sizes and the certificate itself.
    /// It loads nothing from anywhere.
    Report {
        /// name, namespace/name or uid
        name: String,
    },
    /// One backup until it has ended: bars of every plane on a terminal, else a line for each change.
    Watch {
        /// name, namespace/name or uid
        name: String,
        /// Give up after this long, in seconds.
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// End a backup that has not ended: everything is let go, its snapshots are deleted, and it is Failed/Cancelled. The same
    /// of a restore, where no backup is called so: what was made is taken away, unless TiKV was started on it.
    Cancel {
        /// name, namespace/name or uid
        name: String,
    },
    /// Begin no backup that needs PLANE, for an hour or as long as --for says: what is under way goes on, what comes waits.
    /// Without PLANE and --all the drains that there are. A restart or fail-over of the coordinator ends them.
    Drain(DrainArgs),
    /// End a drain now: what waits begins.
    Release(ReleaseArgs),
    /// Make the objects of a file, or change them to what it says, as `kubectl apply --server-side` would.
    Apply(ApplyArgs),
    /// Delete a VolumeBackup or VolumeRestore, and with it what its cleanPolicy names; or a VolumeBackupSchedule.
    Delete(DeleteArgs),
    /// What the coordinator logs; with FILTER from now on, until it ends or is told otherwise.
    LogLevel {
        /// As --log takes it: info, debug, info,coordinator=debug
        filter: Option<String>,
    },
    /// What nothing names: records whose VolumeBackup is gone although nobody deleted it, and what each plane finds of its own
    /// snapshots and folders that no record and no object knows. Everything of them is kept.
    Orphans {
        /// Delete the one with this uid: a record, and what its cleanPolicy names, as if its object had been deleted; or what
        /// planes find in AWS, as far as it surely is theirs and nothing certifies it.
        #[arg(long, value_name = "UID")]
        delete: Option<String>,
        /// Only records; planes are not asked.
        #[arg(long)]
        records: bool,
    },
    /// Schedules, one line each; or one of them, with its coming runs and its backups.
    Schedules {
        /// name or namespace/name
        name: Option<String>,
        /// Only which backups stay or go, and why.
        #[arg(long, requires = "name")]
        plan: bool,
        /// As it will be at this moment, if nothing else happens: RFC 3339, or a date (midnight UTC).
        #[arg(long, requires = "name", value_parser = moment)]
        at: Option<Timestamp>,
    },
}

impl Ask {
    /// Pictures are of one question, pages of another.
    pub(crate) fn may_be_shown_as(&self, output: Output) -> Result<(), Failure> {
        match (output, self) {
            (Output::Svg, Self::Timeline { .. }) | (Output::Html, Self::Report { .. }) => Ok(()),
            (Output::Svg, _) => Err((status::WRONG_USE, "svg is for `console timeline NAME`".to_owned())),
            (Output::Html, _) => Err((status::WRONG_USE, "html is for `console report NAME`".to_owned())),
            (Output::Table | Output::Json | Output::Yaml | Output::Name, _) => Ok(()),
        }
    }
}

/// An RFC 3339 moment, or a date.
fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>().map(|at| at.as_millisecond());
    let date = || text.parse::<jiff::civil::Date>().and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC));
    at.or_else(|_| date().map(|midnight| midnight.timestamp().as_millisecond()))
        .map(Timestamp)
        .map_err(|_| "write a moment like 2026-12-01T03:00:00Z, or a date like 2026-12-01".to_owned())
}
