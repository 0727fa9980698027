//! `coordinator console`: asks, prints, and says by its exit status how it went.

use crate::{
    checking::check,
    colour::{Colour, Form},
    diagnosing::diagnose,
    draining::until_idle,
    following::{follow, follow_all},
    interactive::{Names, talk},
    interrupts, reach,
    reach::{ReachArgs, Way},
    status::{self, Failure, told},
    verbs::Ask,
    writing::{apply, delete, objects, to_follow},
};
use clap::{Args, CommandFactory, Parser};
use coordinator::{
    console::{Answered, Output, Question, render},
    pages::{report, timeline_svg},
};
use serde_json::Value;
use std::{
    io::{IsTerminal, stdin},
    process::ExitCode,
    time::Duration,
};

#[derive(Args)]
pub(crate) struct ConsoleArgs {
    #[command(flatten)]
    reach: ReachArgs,
    /// How to show the answer.
    #[arg(long, short, value_enum, default_value = "table", global = true)]
    output: Output,
    /// Whether tables have colours; auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value = "auto", value_name = "WHEN", global = true)]
    color: Colour,
    /// Without one it is a conversation: a line a question, with completion and history.
    #[command(subcommand)]
    ask: Option<Ask>,
}

pub(crate) fn console(args: ConsoleArgs) -> ExitCode {
    let outcome = match args.ask {
        Some(ask) => run(&args.reach, Form { output: args.output, colour: args.color.is_on() }, ask),
        None => converse(&args.reach, args.output, args.color),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, error)) => {
            eprintln!("coordinator: {error}");
            ExitCode::from(status)
        }
    }
}

/// A line of a conversation.
#[derive(Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true, help_template = "{subcommands}\n\n{options}")]
struct Line {
    /// How to show the answer.
    #[arg(long, short, value_enum, global = true)]
    output: Option<Output>,
    #[command(subcommand)]
    ask: Ask,
}

/// One question after the other, at a terminal.
fn converse(reach: &ReachArgs, output: Output, color: Colour) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        return Err((status::WRONG_USE, "ask something (--help lists what), or at a terminal".to_owned()));
    }
    let way = reach.find().map_err(wrong)?;
    interrupts::note();
    let colour = color.is_on();
    let say = |words: Vec<String>| {
        // Pressed earlier, when nothing was watched: it is not about what comes now.
        interrupts::pressed();
        match Line::try_parse_from(words) {
            Ok(line) => {
                if let Err((_, error)) = run(reach, Form { output: line.output.unwrap_or(output), colour }, line.ask) {
                    eprintln!("coordinator: {error}");
                }
            }
            // Help is no error, and who closed the terminal reads neither.
            Err(error) => drop(error.print()),
        }
    };
    talk(Line::command(), colour, |kind| known(&way, kind), say).map_err(wrong)
}

/// What there is of a kind, for completion: of backups those that run and the newest.
fn known(way: &Way, kind: Names) -> Vec<String> {
    let schedules = Question::Schedules { name: None, plan: false, at: None };
    let (question, lists) = match kind {
        Names::Backups => (Question::Glance { from: 0 }, ["running", "waiting", "backups"].as_slice()),
        Names::Planes => (Question::Planes, [].as_slice()),
        Names::Schedules => (schedules, [].as_slice()),
    };
    let Ok(Answered::Ok(answer)) = way.ask(&question) else { return Vec::new() };
    let of = |rows: &Value| render(rows, Output::Name, None).lines().map(str::to_owned).collect::<Vec<_>>();
    if lists.is_empty() { of(&answer) } else { lists.iter().flat_map(|list| of(&answer[*list])).collect() }
}

fn wrong(error: anyhow::Error) -> Failure {
    (status::WRONG_USE, format!("{error:#}"))
}

fn run(reach_args: &ReachArgs, form: Form, ask: Ask) -> Result<(), Failure> {
    ask.may_be_shown_as(form.output)?;
    match ask {
        Ask::Contexts => reach_args.show_contexts(form.output).map_err(wrong),
        Ask::UseContext { name } => reach::use_context(&name).map_err(wrong),
        // A file that is wrong is told whether or not there is a coordinator.
        Ask::Apply(of) => {
            let objects = objects(&of).map_err(wrong)?;
            let way = reach_args.find().map_err(wrong)?;
            told(apply(&way, &objects, form))?;
            of.wait.map_or(Ok(()), |wait| follow_all(&way, to_follow(&way, &objects), wait))
        }
        ask => asked(&reach_args.find().map_err(wrong)?, form, ask),
    }
}

fn asked(way: &Way, form: Form, ask: Ask) -> Result<(), Failure> {
    let as_report = matches!(ask, Ask::Report { .. });
    let question = match ask {
        Ask::Watch { name, timeout } => return follow(way, name, timeout.map(Duration::from_secs)),
        Ask::Check { name, wait } => return told(check(way, Question::Check { name }, wait, form)),
        Ask::Verify { name } => return told(check(way, Question::Verify { name }, None, form)),
        Ask::Restore(of) => {
            let question = of.question().map_err(|why| (status::WRONG_USE, why))?;
            return told(check(way, question, None, form));
        }
        Ask::Delete(of) => return told(delete(way, &of, form)),
        Ask::Diagnose { name, planes_after: Some(after), .. } => Question::DiagnosePlanes { name, after },
        Ask::Diagnose { name, file, .. } if form.output == Output::Table => {
            return told(diagnose(way, name.as_deref(), file));
        }
        Ask::Drain(drain) => match drain.wait {
            Some(wait) => return told(until_idle(way, &drain, wait, form)),
            None => drain.question(),
        },
        Ask::Release(release) => release.question(),
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
        Ask::Contexts | Ask::UseContext { .. } | Ask::Apply(_) => return Ok(()),
    };
    match way.ask(&question).map_err(|error| (status::NOT_REACHED, format!("{error:#}")))? {
        Answered::Ok(value) => {
            match (&question, form.output) {
                (_, Output::Table | Output::Html) if as_report => {
                    println!("{}", report(&value).map_err(|why| (status::FAILED, why))?);
                }
                (Question::Timeline { .. }, Output::Svg) => println!("{}", timeline_svg(&value)),
                (question, _) => form.print(question, &value),
            }
            Ok(())
        }
        Answered::Error(error) => Err((status::FAILED, error)),
        Answered::NotLeading { leader } => Err((status::NOT_REACHED, reach::not_leading(leader.as_deref()))),
    }
}
