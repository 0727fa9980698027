//! `loadtests sandbox`, driven as a person does: by its standard input, the console's answers over HTTP, and a browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "sandbox/browser.rs"]
mod browser;
#[path = "sandbox/keyboard.rs"]
mod keyboard;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(120);

struct Sandbox {
    program: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: String,
    _folder: tempfile::TempDir,
    folder: PathBuf,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ended_already = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Sandbox {
    fn start() -> Self {
        let kept = tempfile::tempdir().unwrap();
        let folder = kept.path().to_owned();
        let mut program = Command::new(env!("CARGO_BIN_EXE_loadtests"))
            .args(["sandbox", "--http", "127.0.0.1:0", "--dir"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (program.stdin.take(), BufReader::new(program.stdout.take().unwrap()));
        let mut sandbox = Self { program, input, output, address: String::new(), _folder: kept, folder };
        let page = sandbox.line();
        let address = page.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        sandbox.address = address.unwrap_or_else(|| panic!("{page}")).to_owned();
        while !sandbox.line().starts_with("to break") {}
        sandbox
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "it ended");
        line
    }

    /// The first line of what it says to a command.
    fn say(&mut self, command: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        self.line()
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    fn ask(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(&format!("/api/v1/{path}"))).unwrap()
    }

    fn wait(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.ask(path);
            if fits(&answer) {
                return answer;
            }
            assert!(begun.elapsed() < LIMIT, "{path}: {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn plane(planes: &Value, name: &str) -> bool {
    planes.as_array().unwrap().iter().any(|row| row["plane"] == name && row["connected"] == true)
}

#[test]
fn a_person_breaks_it_by_commands_and_sees_what_comes_of_it() {
    let mut sandbox = Sandbox::start();
    sandbox.wait("planes", |planes| ["az1", "az2", "az3"].iter().all(|name| plane(planes, name)));
    let environment = std::fs::read_to_string(sandbox.folder.join("env")).unwrap();
    assert!(
        environment.contains("ISOCHRON_SERVER=127.0.0.1:") && environment.contains("admin-demo.crt"),
        "{environment}"
    );

    assert!(sandbox.say("backup one").contains("sandbox/one is written"));
    let proven = sandbox.wait("show/sandbox/one", |shown| shown["step"] == "Complete");
    assert_eq!(proven["record"]["certificate"]["verdict"], "Consistent");
    let page = sandbox.get("/ui/backups/sandbox/one");
    assert!(page.contains(">CONSISTENT<") && page.contains("<svg"), "{page}");
    assert!(sandbox.get("/metrics").contains("isochron_planes_connected 3"));

    // Snapshots that end in error are found after the certificate; nothing is called good.
    assert!(sandbox.say("broken").contains("end in error"));
    sandbox.say("backup two");
    let failed = sandbox.wait("why/sandbox/two", |why| why["step"] == "Failed");
    assert!(failed["reason"].is_string(), "{failed}");
    assert!(sandbox.say("calm").contains("mended"));

    assert!(sandbox.say("kill az2").contains("az2 is killed"));
    assert!(sandbox.say("kill az2").contains("dead already"));
    sandbox.wait("planes", |planes| !plane(planes, "az2"));
    // It waits for the plane under its clock, which is what the page counts down.
    sandbox.say("backup three");
    sandbox.wait("glance", |glance| glance["running"][0]["clock"]["name"] == "Connect");
    looked_at(&sandbox.address, &sandbox.folder);
    assert!(sandbox.say("start az2").contains("az2 starts"));
    sandbox.wait("show/sandbox/three", |shown| shown["step"] == "Complete");

    assert!(sandbox.say("burn").contains("no such command"));
    assert!(sandbox.say("restart tikv-99").contains("there is no store 99"));
    assert!(sandbox.say("delete one").contains("deleted"));
    sandbox.wait("show/sandbox/one", |shown| shown["error"].is_string());
    writeln!(sandbox.input.as_mut().unwrap(), "quit").unwrap();
    assert!(sandbox.program.wait().unwrap().success());
}

/// The first page in a real browser, light and dark; it is looked at only where one is installed.
fn looked_at(address: &str, folder: &Path) {
    let Some(browser) = installed() else {
        eprintln!("NOT RUN: the web page in a browser: chromium is missing (on Debian: chromium)");
        return;
    };
    let run = |more: &[&str]| {
        let mut command = Command::new(&browser);
        command.args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--window-size=1100,900",
        ]);
        command.arg(format!("--user-data-dir={}", folder.join("browser").display()));
        let done = command.args(more).arg(format!("http://{address}/ui/")).output().unwrap();
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        // What the page's policy refuses is told as a line of the page's console.
        assert!(!told.contains("Refused to") && !told.contains("Uncaught"), "{told}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let page = run(&["--virtual-time-budget=5000", "--dump-dom"]);
    for text in [r#"<body class="live">"#, "sandbox/three", r#"<span class="lamp off">"#, "left of the connect clock"] {
        assert!(page.contains(text), "{text} in {page}");
    }
    let shot = |name: &str, more: &[&str]| {
        let file = folder.join(name);
        let to = format!("--screenshot={}", file.display());
        run(&[more, &[to.as_str()]].concat());
        std::fs::read(file).unwrap()
    };
    let (light, dark) = (shot("light.png", &[]), shot("dark.png", &["--blink-settings=preferredColorScheme=0"]));
    keyboard::walked(&browser, folder, &format!("http://{address}/ui/"));
    assert!(light.len() > 10_000 && dark.len() > 10_000 && light != dark, "{} {}", light.len(), dark.len());
}

fn installed() -> Option<PathBuf> {
    let named = std::env::var_os("ISOCHRON_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    named.or_else(|| std::env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.is_file()))
}
