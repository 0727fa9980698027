//! `coordinator console drain` and `release`.

use crate::{
    checking::{Outcome, wait_for},
    colour::Form,
    reach::{Way, not_leading},
};
use clap::Args;
use coordinator::console::{Answered, Question};
use serde_json::Value;
use shared::time::Millis;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Between two looks whether anything is still under way.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(crate) struct DrainArgs {
    /// k8sClusterName
    plane: Option<String>,
    /// Every plane.
    #[arg(long, conflicts_with = "plane")]
    all: bool,
    /// How long, if nobody releases it before: 30m, 2h; at most 24h.
    #[arg(long = "for", value_name = "DURATION", value_parser = wait_for)]
    length: Option<Duration>,
    /// Why, for whoever meets it.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    because: String,
    /// Come back only when no barrier is under way there any more, within this time: 10m, 90s.
    #[arg(long, value_name = "DURATION", value_parser = wait_for)]
    pub(crate) wait: Option<Duration>,
}

#[derive(Args)]
#[group(id = "what", required = true, multiple = false)]
pub(crate) struct ReleaseArgs {
    /// k8sClusterName
    #[arg(group = "what")]
    plane: Option<String>,
    /// The drain of every plane; those of single planes stay.
    #[arg(long, group = "what")]
    all: bool,
}

impl DrainArgs {
    pub(crate) fn question(&self) -> Question {
        if self.plane.is_none() && !self.all {
            return Question::Drains;
        }
        let length = self.length.map(|length| Millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX)));
        Question::Drain { plane: self.plane.clone(), length, because: self.because.clone() }
    }

    /// Is it the row of what is drained here?
    fn is_meant(&self, row: &Value) -> bool {
        self.plane.is_none() || row["plane"] == self.plane.as_deref().unwrap_or_default() || row["plane"] == "(all)"
    }
}

impl ReleaseArgs {
    pub(crate) fn question(&self) -> Question {
        Question::Release { plane: self.plane.clone() }
    }
}

/// Drains, and waits until nothing is under way there; prints the last answer.
pub(crate) fn until_idle(way: &Way, drain: &DrainArgs, wait: Duration, form: Form) -> Outcome {
    let begun = Instant::now();
    let (mut question, mut told) = (drain.question(), String::new());
    loop {
        let rows = match way.ask(&question) {
            Ok(Answered::Ok(rows)) => rows,
            Ok(Answered::Error(why)) => return Outcome::Refused(why),
            Ok(Answered::NotLeading { leader }) => return Outcome::NotReached(not_leading(leader.as_deref())),
            Err(error) => return Outcome::NotReached(format!("{error:#}")),
        };
        let busy = match busy(&rows, drain) {
            Some(busy) => busy,
            None => return Outcome::Refused("the drain has ended, or the coordinator was restarted".to_owned()),
        };
        if busy.is_empty() || begun.elapsed() >= wait {
            form.print(&question, &rows);
            let late = || Outcome::TimedOut(format!("still under way after {} s: {busy}", begun.elapsed().as_secs()));
            return if busy.is_empty() { Outcome::Fine } else { late() };
        }
        if told != busy {
            eprintln!("coordinator: under way: {busy}");
            told = busy;
        }
        sleep(PAUSE);
        question = Question::Drains;
    }
}

/// Backups that are under way there; `None`: nothing is drained there.
fn busy(rows: &Value, drain: &DrainArgs) -> Option<String> {
    let mut meant = rows.as_array().into_iter().flatten().filter(|row| drain.is_meant(row)).peekable();
    meant.peek()?;
    let mut names: Vec<&str> =
        meant.flat_map(|row| row["underWay"].as_array().into_iter().flatten()).filter_map(Value::as_str).collect();
    names.sort_unstable();
    names.dedup();
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(plane: Option<&str>) -> DrainArgs {
        let plane = plane.map(str::to_owned);
        DrainArgs { all: plane.is_none(), plane, length: None, because: String::new(), wait: None }
    }

    #[test]
    fn only_what_is_under_way_where_it_is_drained_is_waited_for() {
        let rows = json!([
            {"plane": "az1", "underWay": ["a/one", "a/two"]},
            {"plane": "az2", "underWay": []},
            {"plane": "(all)", "underWay": ["a/two"]},
        ]);
        assert_eq!(busy(&rows, &of(Some("az1"))).as_deref(), Some("a/one, a/two"));
        assert_eq!(busy(&rows, &of(Some("az2"))).as_deref(), Some("a/two"), "a drain of all is one of az2, too");
        assert_eq!(busy(&json!([rows[1]]), &of(Some("az2"))).as_deref(), Some(""));
        assert_eq!(busy(&json!([rows[1]]), &of(Some("az1"))), None);
    }
}
