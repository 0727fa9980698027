//! `coordinator console check`, and `verify`: asks until everything is fine, if told to wait, and says by the exit status how it came out.

use crate::{
    colour::Form,
    reach::{Way, not_leading},
};
use coordinator::console::{Answered, Question};
use serde_json::Value;
use shared::duration::{Units, parse};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Between two checks. Each asks EC2 and every store.
const PAUSE: Duration = Duration::from_secs(5);

/// How it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is fine, warnings aside.
    Fine,
    /// A check was refused, or the coordinator cannot say.
    Refused(String),
    /// Nobody answered who leads.
    NotReached(String),
    /// It was waited for, in vain.
    TimedOut(String),
}

/// What one look comes to.
enum Look {
    Checked(Value),
    /// The coordinator cannot say.
    Unknown(String),
    Away(String),
}

impl Look {
    /// Why it is not fine, in one line; `None`: it is.
    fn why(&self) -> Option<String> {
        match self {
            Self::Checked(value) if value["fine"] == true => None,
            Self::Checked(value) => Some(first_refused(value)),
            Self::Unknown(why) | Self::Away(why) => Some(why.clone()),
        }
    }
}

/// The first check that was refused.
fn first_refused(value: &Value) -> String {
    let mut checks = value["checks"].as_array().into_iter().flatten();
    let Some(first) = checks.find(|check| check["state"] == "refused") else { return "a check is refused".to_owned() };
    let word = |field: &str| first[field].as_str().unwrap_or_default();
    format!("{}, {}: {}", word("group"), word("what"), word("found"))
}

/// `10m`, `90s`, `1h`.
pub(crate) fn wait_for(text: &str) -> Result<Duration, String> {
    parse(text, Units::Go).map(|length| Duration::from_millis(length.0)).map_err(|error| error.to_string())
}

/// Asks once, or until everything is fine or the time is over; meanwhile each new reason to go on is told on the standard
/// error. Prints the last answer.
pub(crate) fn check(way: &Way, question: Question, wait: Option<Duration>, form: Form) -> Outcome {
    let (begun, mut told) = (Instant::now(), String::new());
    let pause = |why: String| {
        if told != why {
            eprintln!("coordinator: not fine yet: {why}");
            told = why;
        }
        sleep(PAUSE);
    };
    let (answer, outcome) = until_fine(wait, || (look(way, &question), begun.elapsed()), pause);
    if let Some(answer) = &answer {
        form.print(&question, answer);
    }
    outcome
}

fn look(way: &Way, question: &Question) -> Look {
    match way.ask(question) {
        Ok(Answered::Ok(value)) => Look::Checked(value),
        Ok(Answered::Error(error)) => Look::Unknown(error),
        Ok(Answered::NotLeading { leader }) => Look::Away(not_leading(leader.as_deref())),
        Err(error) => Look::Away(format!("{error:#}")),
    }
}

/// The last answer, if there was one, and what it comes to. `look` also says how long all took so far.
fn until_fine(
    wait: Option<Duration>,
    mut look: impl FnMut() -> (Look, Duration),
    mut pause: impl FnMut(String),
) -> (Option<Value>, Outcome) {
    loop {
        let (look, elapsed) = look();
        if let Some(why) = look.why().filter(|_| wait.is_some_and(|wait| elapsed.saturating_add(PAUSE) <= wait)) {
            pause(why);
            continue;
        }
        let outcome = match (look.why(), wait, &look) {
            (None, _, _) => Outcome::Fine,
            (Some(why), Some(_), _) => Outcome::TimedOut(format!("not fine after {} s: {why}", elapsed.as_secs())),
            (Some(why), None, Look::Away(_)) => Outcome::NotReached(why),
            (Some(why), None, Look::Checked(_) | Look::Unknown(_)) => Outcome::Refused(why),
        };
        let answer = match look {
            Look::Checked(value) => Some(value),
            Look::Unknown(_) | Look::Away(_) => None,
        };
        return (answer, outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What comes of these looks, four seconds each, and how many there were.
    fn play(wait: Option<u64>, looks: Vec<Look>) -> (Outcome, u64) {
        let (mut looks, mut made) = (looks.into_iter(), 0);
        let next = || {
            made += 1;
            (looks.next().unwrap_or_else(|| panic!("look {made} is one too many")), Duration::from_secs(4 * made))
        };
        let (_, outcome) = until_fine(wait.map(Duration::from_secs), next, |_| {});
        (outcome, made)
    }

    fn fine() -> Look {
        Look::Checked(json!({ "fine": true }))
    }

    fn refused() -> Look {
        let row =
            |state: &str| json!({ "group": "plane az1", "what": "session", "state": state, "found": "not connected" });
        Look::Checked(json!({ "fine": false, "checks": [row("warning"), row("refused")] }))
    }

    fn away() -> Look {
        Look::Away("nobody".to_owned())
    }

    const AWAY: &str = "plane az1, session: not connected";

    #[test]
    fn without_waiting_the_first_answer_counts() {
        assert_eq!(play(None, vec![fine()]), (Outcome::Fine, 1));
        assert_eq!(play(None, vec![refused()]), (Outcome::Refused(AWAY.to_owned()), 1));
        assert_eq!(play(None, vec![away()]), (Outcome::NotReached("nobody".to_owned()), 1));
    }

    #[test]
    fn what_is_waited_for_is_asked_again_until_the_time_is_over() {
        assert_eq!(play(Some(60), vec![refused(), away(), fine()]), (Outcome::Fine, 3));
        let late = |seconds: u64, why: &str| Outcome::TimedOut(format!("not fine after {seconds} s: {why}"));
        assert_eq!(play(Some(12), vec![refused(), refused()]), (late(8, AWAY), 2));
        assert_eq!(play(Some(1), vec![away()]), (late(4, "nobody"), 1));
        // It may come, as what is read may.
        let unknown = || Look::Unknown("no such backup".to_owned());
        assert_eq!(play(Some(60), vec![unknown(), fine()]), (Outcome::Fine, 2));
        assert_eq!(play(None, vec![unknown()]), (Outcome::Refused("no such backup".to_owned()), 1));
    }

    #[test]
    fn a_length_has_a_unit() {
        assert_eq!(wait_for("10m"), Ok(Duration::from_secs(600)));
        assert!(wait_for("10").is_err() && wait_for("soon").is_err());
    }
}
