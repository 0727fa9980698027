//! `loadtests sandbox --kube`: a backup on a real API server, made, seen and deleted by kubectl. Run by `tests/run`.
#![cfg(feature = "servers")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(120);

struct Sandbox {
    program: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ended_already = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Sandbox {
    fn start(folder: &Path) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_loadtests"))
            .args(["sandbox", "--kube", "--http", "127.0.0.1:0", "--dir"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(program.stdout.take().unwrap());
        Self { program, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended");
        line
    }

    fn say(&mut self, command: &str) -> String {
        writeln!(self.program.stdin.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }
}

/// As a person does it in the next terminal.
fn kubectl(kubeconfig: &str, words: &[&str]) -> std::process::Output {
    let program = std::env::var_os("ISOCHRON_KUBECTL").expect("tests/servers/provide");
    Command::new(program).env("KUBECONFIG", kubeconfig).env("KUBERC", "off").args(words).output().unwrap()
}

fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_backup_is_made_and_seen_by_kubectl() {
    let folder = tempfile::tempdir().unwrap();
    let mut sandbox = Sandbox::start(folder.path());
    let mut greeting = String::new();
    while !greeting.contains("to break") {
        greeting.push_str(&sandbox.line());
    }
    let config = greeting.lines().find_map(|line| line.strip_prefix("kubectl   export KUBECONFIG='"));
    let config = config.and_then(|rest| rest.split('\'').next()).unwrap_or_else(|| panic!("{greeting}")).to_owned();
    assert!(std::fs::read_to_string(folder.path().join("env")).unwrap().contains(&config), "the shell's file has it");

    let said = sandbox.say("backup one");
    assert!(said.contains("sandbox/one is written"), "{said}");
    let object = || {
        let told = kubectl(&config, &["get", "vbk", "one", "-n", "sandbox", "-o", "json"]);
        serde_json::from_slice::<Value>(&told.stdout).unwrap_or_default()
    };
    until("it is complete", || object()["status"]["phase"] == "Complete");
    let status = object()["status"].clone();
    let began = status["timeStarted"].as_str().unwrap();
    assert!(
        Some(began) >= object()["metadata"]["creationTimestamp"].as_str(),
        "by the clock of the API server: {began}"
    );
    let events = kubectl(&config, &["get", "events", "-n", "sandbox", "-o", "name"]);
    assert!(!events.stdout.is_empty(), "events are there as well");
    let twice = sandbox.say("delete two");
    assert!(twice.contains("not found"), "{twice}");

    assert!(sandbox.say("delete one").contains("is deleted"));
    until("it is gone", || !kubectl(&config, &["get", "vbk", "one", "-n", "sandbox"]).status.success());
    assert!(sandbox.program.stdin.take().is_some(), "whoever closes it ends the sandbox");
    assert!(sandbox.program.wait().unwrap().success());
    assert!(!Path::new(&config).exists(), "and the API server with it");
}
