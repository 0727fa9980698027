//! `coordinator console`: asks, prints, and says by its exit status how it went.

use crate::{
    checking::{Outcome, check, wait_for},
    diagnosing::diagnose,
    draining::{DrainArgs, ReleaseArgs, until_idle},
    reach,
    reach::Way,
    writing::{ApplyArgs, DeleteArgs, apply, delete, objects, to_follow},
};
use clap::{Args, Subcommand};
use coordinator::console::{
    Answered, Output, Question, shown,
    watch::{self, End, Watch},
};
use coordinator::pages::{report, timeline_svg};
use shared::time::Timestamp;
use std::{
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

#[derive(Args)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    reach: reach::ReachArgs,
    /// How to show the answer.
    #[arg(long, short, value_enum, default_value = "table", global = true)]
    output: Output,
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Subcommand)]
enum Ask {
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
    /// One archive for whoever helps: what the coordinator and its planes say of themselves, with NAME also all of that
    /// backup. Texts that can be read by hand, without secrets; nothing is changed. With `-o json` what the coordinator
    /// alone knows, and no archive.
    Diagnose {
        /// name, namespace/name or uid
        name: Option<String>,
        /// Where to write it; without it a file named by the time, in this folder.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
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
    /// End a backup that has not ended: everything is let go, its snapshots are deleted, and it is Failed/Cancelled.
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
    /// Delete a VolumeBackup, and with it what its cleanPolicy names; or a VolumeBackupSchedule.
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
    fn may_be_shown_as(&self, output: Output) -> Result<(), Failure> {
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

/// Exit statuses, for scripts. 0: it went well.
mod status {
    /// The coordinator answered that it cannot, or a check was refused.
    pub(super) const FAILED: u8 = 1;
    /// The flags and the configuration name no coordinator; as clap says of a wrong command.
    pub(super) const WRONG_USE: u8 = 2;
    /// No coordinator answered, or none that leads.
    pub(super) const NOT_REACHED: u8 = 3;
    /// The backup that was watched ended badly.
    pub(super) const ENDED_BADLY: u8 = 4;
    /// It had not ended, or was not fine, when the time was over.
    pub(super) const TIMED_OUT: u8 = 5;
}

/// A failure, and the status that says it.
type Failure = (u8, String);

pub(crate) fn console(args: ConsoleArgs) -> ExitCode {
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, error)) => {
            eprintln!("coordinator: {error}");
            ExitCode::from(status)
        }
    }
}

fn run(args: ConsoleArgs) -> Result<(), Failure> {
    let wrong = |error: anyhow::Error| (status::WRONG_USE, format!("{error:#}"));
    args.ask.may_be_shown_as(args.output)?;
    let as_report = matches!(args.ask, Ask::Report { .. });
    let question = match args.ask {
        Ask::Contexts => return args.reach.show_contexts(args.output).map_err(wrong),
        Ask::UseContext { name } => return reach::use_context(&name).map_err(wrong),
        Ask::Watch { name, timeout } => {
            let limit = timeout.map(Duration::from_secs);
            return follow(&args.reach.find().map_err(wrong)?, name, limit);
        }
        Ask::Check { name, wait } => {
            return told(check(&args.reach.find().map_err(wrong)?, Question::Check { name }, wait, args.output));
        }
        Ask::Verify { name } => {
            return told(check(&args.reach.find().map_err(wrong)?, Question::Verify { name }, None, args.output));
        }
        Ask::Diagnose { name, file } if args.output == Output::Table => {
            return told(diagnose(&args.reach.find().map_err(wrong)?, name.as_deref(), file));
        }
        Ask::Drain(drain) => match drain.wait {
            Some(wait) => return told(until_idle(&args.reach.find().map_err(wrong)?, &drain, wait, args.output)),
            None => drain.question(),
        },
        Ask::Release(release) => release.question(),
        Ask::Apply(of) => {
            let objects = objects(&of).map_err(wrong)?;
            let way = args.reach.find().map_err(wrong)?;
            told(apply(&way, &objects, args.output))?;
            return of.wait.map_or(Ok(()), |wait| follow_all(&way, to_follow(&way, &objects), wait));
        }
        Ask::Delete(of) => return told(delete(&args.reach.find().map_err(wrong)?, &of, args.output)),
        Ask::Diagnose { name, .. } => Question::Diagnose { name },
        Ask::Status => Question::Status,
        Ask::Planes => Question::Planes,
        Ask::Backups => Question::Backups,
        Ask::Show { name } | Ask::Report { name } => Question::Show { name },
        Ask::Why { name } => Question::Why { name },
        Ask::Timeline { name } => Question::Timeline { name },
        Ask::Cancel { name } => Question::Cancel { name },
        Ask::LogLevel { filter } => Question::LogLevel { filter },
        Ask::Orphans { delete, records } => Question::Orphans { delete, planes: !records },
        Ask::Schedules { name, plan, at } => Question::Schedules { name, plan, at },
    };
    let way = args.reach.find().map_err(wrong)?;
    match way.ask(&question).map_err(|error| (status::NOT_REACHED, format!("{error:#}")))? {
        Answered::Ok(value) => {
            let text = match (&question, args.output) {
                (_, Output::Table | Output::Html) if as_report => {
                    report(&value).map_err(|why| (status::FAILED, why))?
                }
                (Question::Timeline { .. }, Output::Svg) => timeline_svg(&value),
                (question, output) => shown(question, &value, output),
            };
            println!("{text}");
            Ok(())
        }
        Answered::Error(error) => Err((status::FAILED, error)),
        Answered::NotLeading { leader } => Err((status::NOT_REACHED, reach::not_leading(leader.as_deref()))),
    }
}

fn told(outcome: Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Fine => Ok(()),
        Outcome::Refused(why) => Err((status::FAILED, why)),
        Outcome::NotReached(why) => Err((status::NOT_REACHED, why)),
        Outcome::TimedOut(why) => Err((status::TIMED_OUT, why)),
    }
}

/// One after the other, all within one time.
fn follow_all(way: &Way, names: Result<Vec<String>, Outcome>, limit: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    for name in names.map_err(|outcome| told(outcome).err().unwrap_or_default())? {
        follow(way, name, Some(limit.saturating_sub(begun.elapsed())))?;
    }
    Ok(())
}

/// Until it has ended, or the time is over; whether a coordinator answers or not.
fn follow(way: &Way, name: String, limit: Option<Duration>) -> Result<(), Failure> {
    let question = Question::Show { name };
    let (begun, mut watch, mut drawn) = (Instant::now(), Watch::default(), 0);
    let terminal = std::io::stdout().is_terminal();
    loop {
        let answer = way.ask(&question).map_err(|error| format!("{error:#}"));
        let look = watch.look(answer.as_ref().map_err(String::as_str));
        if terminal && !look.screen.is_empty() {
            // Up over what was drawn before, and it is erased.
            let up = if drawn > 0 { format!("\u{1b}[{drawn}A\u{1b}[J") } else { String::new() };
            let text = look.screen.trim_end();
            println!("{up}{text}");
            drawn = text.lines().count();
        } else if let Some(line) = look.line.as_ref().filter(|_| look.end != Some(End::Unknown)) {
            println!("{line}");
        }
        // Somebody who reads this through a pipe wants to see it now; who closed it reads no more.
        let _ = std::io::stdout().flush();
        match look.end {
            Some(End::Well) => return Ok(()),
            Some(End::Badly) => {
                return Err((status::ENDED_BADLY, "it ended badly; `console why` says what to do".to_owned()));
            }
            Some(End::Unknown) => return Err((status::FAILED, look.line.unwrap_or_default())),
            None if limit.is_some_and(|limit| begun.elapsed() >= limit) => {
                let seconds = begun.elapsed().as_secs();
                return Err((status::TIMED_OUT, format!("it has not ended within {seconds} s; it goes on")));
            }
            None => sleep(watch::PAUSE),
        }
    }
}
