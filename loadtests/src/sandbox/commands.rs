//! What a person may do to the sandbox.

use std::time::Duration;

pub(super) const HELP: &str = "\
  backup NAME          back the cluster up: writes a VolumeBackup
  delete NAME          delete that VolumeBackup; its snapshots go too
  kill PLANE           kill the plane's actor; what it holds lets go by itself
  start PLANE          start it again
  cut PLANE [10s]      nothing gets through between plane and coordinator for so long
  restart tikv-N [5s]  TiKV store N ends, and comes back after so long
  throttle [N]         EC2 refuses the next N calls of every plane (RequestLimitExceeded)
  slow [2s]            every CreateSnapshots call takes so much longer
  broken [N]           the next N snapshot sets of every plane end in error
  calm                 all of this is mended
  help, quit";

/// Longest that anything may be asked to last.
const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Backup(String),
    Delete(String),
    Kill(String),
    Start(String),
    Cut(String, Duration),
    Restart(u64, Duration),
    Throttle(u32),
    Slow(Duration),
    Broken(u32),
    Calm,
    Help,
    Quit,
}

/// One line; `None`: nothing was asked.
///
/// # Errors
/// For the person who wrote it.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((verb, of)) = words.split_first() else { return Ok(None) };
    let name = || of.first().map(|name| (*name).to_owned()).ok_or_else(|| format!("{verb} what? `help` lists it"));
    let length = |at: usize, default: u64| of.get(at).map_or(Ok(Duration::from_secs(default)), |text| duration(text));
    let count =
        |default: u32| of.first().map_or(Ok(default), |text| text.parse().map_err(|_| format!("{text} is no number")));
    Ok(Some(match *verb {
        "backup" => Command::Backup(named(name()?)?),
        "delete" => Command::Delete(named(name()?)?),
        "kill" => Command::Kill(name()?),
        "start" => Command::Start(name()?),
        "cut" => Command::Cut(name()?, length(1, 10)?),
        "restart" => {
            let name = name()?;
            let store = name.strip_prefix("tikv-").unwrap_or(&name).parse();
            Command::Restart(store.map_err(|_| format!("{name} is no store; write tikv-3"))?, length(1, 5)?)
        }
        "throttle" => Command::Throttle(count(50)?),
        "slow" => Command::Slow(length(0, 2)?),
        "broken" => Command::Broken(count(1)?),
        "calm" => Command::Calm,
        "help" | "?" => Command::Help,
        "quit" | "exit" => Command::Quit,
        _ => return Err(format!("{verb}: there is no such command; `help` lists them")),
    }))
}

/// A name that Kubernetes would take: it becomes that of a file.
fn named(name: String) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.len() <= 63 && name.chars().all(plain) && !name.starts_with('-') && !name.ends_with('-') {
        Ok(name)
    } else {
        Err(format!("{name}: a name has lower-case letters, digits and dashes, 63 at most"))
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let wrong = || format!("{text}: write 10s or 500ms, an hour at most");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let length = match unit {
        "ms" => Duration::from_millis(number),
        "s" | "" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        _ => return Err(wrong()),
    };
    (length <= LONGEST).then_some(length).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_read_and_helped_with() {
        let seconds = Duration::from_secs;
        for (line, command) in [
            ("backup one", Command::Backup("one".to_owned())),
            (" delete  one ", Command::Delete("one".to_owned())),
            ("kill az2", Command::Kill("az2".to_owned())),
            ("start az2", Command::Start("az2".to_owned())),
            ("cut az1", Command::Cut("az1".to_owned(), seconds(10))),
            ("cut az1 500ms", Command::Cut("az1".to_owned(), Duration::from_millis(500))),
            ("restart tikv-3", Command::Restart(3, seconds(5))),
            ("restart 3 1m", Command::Restart(3, seconds(60))),
            ("throttle", Command::Throttle(50)),
            ("throttle 7", Command::Throttle(7)),
            ("slow 3s", Command::Slow(seconds(3))),
            ("broken", Command::Broken(1)),
            ("calm", Command::Calm),
            ("help", Command::Help),
            ("quit", Command::Quit),
        ] {
            assert_eq!(parse(line), Ok(Some(command)), "{line}");
            assert!(HELP.contains(line.split_whitespace().next().expect("a verb")), "{line}");
        }
        assert_eq!(parse("  "), Ok(None));
    }

    #[test]
    fn what_is_no_command_says_so() {
        for line in [
            "burn",
            "backup",
            "backup ../x",
            "backup A",
            "cut az1 10y",
            "cut az1 2h",
            "cut az1 61m",
            "throttle many",
            "restart az1",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
