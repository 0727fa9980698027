//! `coordinator console watch`: one backup until it has ended.

use crate::{
    checking::Outcome,
    interrupts,
    reach::Way,
    status::{self, Failure, told},
};
use coordinator::console::{
    Question,
    watch::{self, End, Watch},
};
use std::{
    io::{IsTerminal, Write, stdout},
    thread::sleep,
    time::{Duration, Instant},
};

/// One after the other, all within one time.
pub(crate) fn follow_all(way: &Way, names: Result<Vec<String>, Outcome>, limit: Duration) -> Result<(), Failure> {
    let begun = Instant::now();
    for name in names.map_err(|outcome| told(outcome).err().unwrap_or_default())? {
        follow(way, name, Some(limit.saturating_sub(begun.elapsed())))?;
    }
    Ok(())
}

/// Until it has ended, or the time is over; whether a coordinator answers or not.
pub(crate) fn follow(way: &Way, name: String, limit: Option<Duration>) -> Result<(), Failure> {
    let question = Question::Show { name };
    let (begun, mut watch, mut drawn) = (Instant::now(), Watch::default(), 0);
    let terminal = stdout().is_terminal();
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
        let _ = stdout().flush();
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
            None if interrupts::pressed() => {
                return Err((status::FAILED, "it is watched no more, and goes on".to_owned()));
            }
            None => sleep(watch::PAUSE),
        }
    }
}
