//! A child process that cannot outlive its test: started, waited for with a deadline, killed with all it started.
//!
//! Every child leads a process group of its own, so that one signal reaches its helpers too; but then Ctrl-C in a
//! terminal no longer reaches it, and a test that is itself killed runs no destructor. Therefore a small shell
//! stands between: it holds a pipe from the test process and kills the group when that pipe closes, however
//! the test process ended. (Its temporary folder then stays behind.)
//!
//! All waits are in real time: none of this works in a test with paused tokio time.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use shared::reason::cut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

/// How long a server may take from its start to its first good answer. The slowest takes 5 s here on an idle
/// machine; tests start several at once beside a build.
pub const START_LIMIT: Duration = Duration::from_secs(90);

/// Pause between two looks at a condition: short beside every start time, long beside a look's cost.
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// One look at a condition; a server that accepts a connection and then says nothing is not ready.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// Last lines of a log that a failure shows, and bytes of each: some servers log their whole configuration in one, and why
/// they ended stands after it.
const LOG_TAIL_LINES: usize = 40;
const LOG_LINE: usize = 400;

/// Runs the command line it is given and ends the whole group once standard input closes. The program itself gets
/// neither the pipe nor a terminal; its exit code becomes the shell's. A signal meant for the group reaches the shell
/// too: it goes on waiting for the program, whose own answer to the signal is what a test wants to see.
const KEEPER: &str = r#"
exec 3<&0 </dev/null
{ trap '' TERM INT HUP; read -r _ <&3; kill -KILL 0; } &
trap 'again=yes' TERM INT HUP
"$@" 3<&- &
program=$! again=yes code=127
while [ "$again" = yes ]; do
    again=no
    wait "$program"
    got=$?
    [ "$got" = 127 ] || code=$got
done
exit "$code"
"#;

/// A running program: its process group, its log file, and the pipe that keeps it alive.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    group: u32,
    log: PathBuf,
    alive: Option<ChildStdin>,
}

impl Process {
    /// Starts `program`; what it prints goes to `<folder>/<name>.log`, appended, so that a restart keeps the story.
    pub fn spawn<A: AsRef<OsStr>>(
        name: &str,
        program: &Path,
        args: impl IntoIterator<Item = A>,
        env: &[(&str, &str)],
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new("sh");
        forget_variables(&mut command);
        let mut child = command
            .args(["-c", KEEPER, name])
            .arg(program)
            .args(args)
            .envs(env.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", program.display()))?;
        // The leader's process id is the group's.
        let group = child.id().context("a child just started has no process id")?;
        let alive = child.stdin.take().context("a child started with a pipe has none")?;
        Ok(Self { name: name.to_owned(), child, group, log, alive: Some(alive) })
    }

    /// The file that the program's output goes to.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The end of the log, for messages about a failure.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail: Vec<_> = lines[lines.len().saturating_sub(LOG_TAIL_LINES)..]
            .iter()
            .map(|line| cut((*line).to_owned(), LOG_LINE))
            .collect();
        format!("last lines of {}:\n{}", self.log.display(), tail.join("\n"))
    }

    /// True until the program has ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks `probe` again and again until it says yes. Fails at the deadline, and at once when the program
    /// ends, with the end of its log.
    pub async fn wait_until<F, P>(&mut self, what: &str, limit: Duration, mut probe: P) -> Result<()>
    where
        P: FnMut() -> F,
        F: Future<Output = bool>,
    {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}) before {what}; {}", self.name, self.log_tail());
            }
            if timeout(PROBE_LIMIT, probe()).await.unwrap_or(false) {
                return Ok(());
            }
            if started.elapsed() > limit {
                bail!("{}: not {what} within {limit:?}; {}", self.name, self.log_tail());
            }
            sleep(POLL_PAUSE).await;
        }
    }

    /// Sends a signal (`"TERM"`, `"STOP"`, `"CONT"`…) to the program and all it started. A stopped program keeps
    /// its sockets open and answers nothing, like a machine that hangs; `CONT` lets it go on.
    ///
    /// # Errors
    /// When the group is gone already.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = self.kill_command(signal).status()?;
        ensure!(status.success(), "{}: cannot send SIG{signal}: {status}", self.name);
        Ok(())
    }

    /// Waits for the program to end, and returns its exit code: as in a shell, 128 more than the signal that ended the
    /// program alone; `None` when the whole group was killed.
    pub async fn wait(&mut self, limit: Duration) -> Result<Option<i32>> {
        match timeout(limit, self.child.wait()).await {
            Ok(status) => Ok(status?.code()),
            Err(_) => bail!("{} still runs after {limit:?}; {}", self.name, self.log_tail()),
        }
    }

    /// Kills the program and all it started, as `kill -9` does, and waits until it is gone.
    pub async fn kill(mut self) -> Result<()> {
        // A group that is gone already is what was asked for.
        let _gone_already = self.signal("KILL");
        self.wait(PROBE_LIMIT).await.map(|_code| ())
    }

    fn kill_command(&self, signal: &str) -> std::process::Command {
        // `kill` as a program, because the system call would need unsafe code or one more dependency.
        let mut command = std::process::Command::new("kill");
        command.args(["-s", signal, "--", &format!("-{}", self.group)]).stderr(Stdio::null());
        command
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once waited for, the number may belong to somebody else's group.
        if self.is_running() {
            let _the_shell_does_it_too = self.kill_command("KILL").status();
        }
        drop(self.alive.take());
    }
}

/// The path in an environment variable that `tests/run` sets. A missing one is a failure, not a reason to skip: a test
/// that did not run must not look like one that passed.
pub fn program(variable: &str) -> Result<PathBuf> {
    let path: OsString = std::env::var_os(variable).ok_or_else(|| {
        anyhow!("{variable} is not set: run the tests with `tests/run`, which builds the real servers and names them")
    })?;
    let path = PathBuf::from(path);
    ensure!(path.is_file(), "{variable} names {}, which is no file: run `tests/run`", path.display());
    Ok(path)
}

/// Takes our variables away from a program under test: it takes configuration from them, and what `tests/run` or a person
/// has set is not for it.
pub fn forget_variables(command: &mut Command) {
    for (variable, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ISOCHRON_")) {
        command.env_remove(variable);
    }
}

/// Runs a helper program to its end and returns what it printed.
pub async fn output(command: &mut Command, input: &str, limit: Duration) -> Result<String> {
    let shown = shown(command.as_std());
    let run = async {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut pipe = child.stdin.take().context("a child started with a pipe has none")?;
        // Written beside the reading: a program may print before it has read everything. One that ends without
        // reading is judged by its exit code, not by the broken pipe.
        let feed = async {
            let _broken_pipe = pipe.write_all(input.as_bytes()).await;
            drop(pipe);
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        anyhow::Ok(output?)
    };
    let output = timeout(limit, run).await.with_context(|| format!("{shown}: no end within {limit:?}"))??;
    if !output.status.success() {
        let mut message = format!("{shown}: {}", output.status);
        write!(message, ": {}", String::from_utf8_lossy(&output.stderr).trim())?;
        bail!(message);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command line for messages: the program without its folder, and its arguments.
fn shown(command: &std::process::Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// The loopback address with this port.
#[must_use]
pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A plain HTTP answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// One small HTTP request without a client library: for readiness and for the servers' own control pages.
///
/// It speaks HTTP/1.0, so the answer ends with the connection and is never chunked.
pub async fn http(method: &str, server: SocketAddr, path: &str, body: &str) -> Result<Answer> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        anyhow::Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = timeout(PROBE_LIMIT, exchange)
        .await
        .with_context(|| format!("{method} http://{server}{path}: no answer within {PROBE_LIMIT:?}"))?
        .with_context(|| format!("{method} http://{server}{path}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("not HTTP: {head:?}"))?;
    Ok(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "a test says what it expected")]
mod tests {
    use super::*;

    fn processes_with(marker: &str) -> usize {
        let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
        entries
            .flatten()
            .filter(|entry| {
                std::fs::read(entry.path().join("cmdline"))
                    .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
            })
            .count()
    }

    async fn becomes(count: usize, marker: &str) -> bool {
        for _ in 0..100 {
            if processes_with(marker) == count {
                return true;
            }
            sleep(POLL_PAUSE).await;
        }
        false
    }

    fn spawn_script(script: &str, folder: &Path) -> Process {
        Process::spawn("script", Path::new("/bin/sh"), ["-c", script], &[], folder).expect("sh starts")
    }

    #[tokio::test]
    async fn dropping_kills_grandchildren_too() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let process = spawn_script("sleep 987001 & sleep 987001; true", folder.path());
        assert!(becomes(2, "sleep\u{0}987001").await, "{}", process.log_tail());
        drop(process);
        assert!(becomes(0, "sleep\u{0}987001").await);
    }

    #[tokio::test]
    async fn the_group_dies_when_the_test_process_is_gone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut process = spawn_script("sleep 987002; true", folder.path());
        assert!(becomes(1, "sleep\u{0}987002").await, "{}", process.log_tail());
        // What the system does with the pipe of a process that was killed.
        process.alive = None;
        assert!(becomes(0, "sleep\u{0}987002").await);
        assert_eq!(process.wait(PROBE_LIMIT).await.expect("it ends"), None);
    }

    #[tokio::test]
    async fn a_polite_signal_leaves_the_program_time_and_its_exit_code() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let script = "trap 'sleep 0.3; echo tidied up; exit 5' TERM; echo up; while :; do sleep 0.05; done";
        let mut process = spawn_script(script, folder.path());
        let log = process.log().to_owned();
        let shows = |text: &'static str| {
            let log = log.clone();
            move || std::future::ready(std::fs::read_to_string(&log).unwrap_or_default().contains(text))
        };
        process.wait_until("up", PROBE_LIMIT, shows("up")).await.expect("it starts");
        process.signal("TERM").expect("it is there");
        assert_eq!(process.wait(PROBE_LIMIT).await.expect("it ends"), Some(5));
        assert!(process.log_tail().contains("tidied up"));
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_log() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut process = spawn_script("echo the disk is on fire; exit 7", folder.path());
        let error = process.wait_until("ready", PROBE_LIMIT, || async { false }).await;
        let message = format!("{:#}", error.expect_err("it ended"));
        assert!(message.contains("exit status: 7"), "{message}");
        assert!(message.contains("the disk is on fire"), "{message}");
    }

    #[tokio::test]
    async fn a_deadline_is_kept() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut process = spawn_script("sleep 987003", folder.path());
        let started = Instant::now();
        let outcome = process.wait_until("ready", Duration::from_millis(200), || async { false }).await;
        assert!(format!("{:#}", outcome.expect_err("never ready")).contains("not ready within 200ms"));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
