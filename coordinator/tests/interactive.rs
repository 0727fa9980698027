//! `coordinator console` as a conversation, driven through a pseudo-terminal as a person drives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serving;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use serving::{Serving, manifest, text};
use std::{
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);
const PROMPT: &str = "isochron> ";

struct Terminal {
    // Closed last: it ends the program.
    _master: Box<dyn MasterPty + Send>,
    program: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Receiver<Vec<u8>>,
    /// All of it, and how much of it was waited for.
    screen: String,
    seen: usize,
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Terminal {
    fn open(serving: &Serving, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 40, cols: 160, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_coordinator"));
        command.args(["console", "--socket"]);
        command.arg(serving.path("s"));
        command.args(more);
        command.env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", serving.path("state"));
        command.env("XDG_CONFIG_HOME", serving.path("home"));
        command.env_remove("NO_COLOR");
        for (name, value) in variables {
            command.env(name, value);
        }
        let program = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (mut reader, keys) = (pair.master.try_clone_reader().unwrap(), pair.master.take_writer().unwrap());
        let (tell, shown) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The other side of a terminal that is closed is an error, and the end.
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if tell.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut terminal = Self { _master: pair.master, program, keys, shown, screen: String::new(), seen: 0 };
        terminal.expect("help lists what can be asked");
        terminal.expect(PROMPT);
        terminal
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until this is shown, after all that was waited for before; what was shown up to it.
    fn expect(&mut self, wanted: &str) -> String {
        let begun = Instant::now();
        loop {
            if let Some(at) = self.screen[self.seen..].find(wanted) {
                let until = self.seen + at + wanted.len();
                let part = self.screen[self.seen..until].to_owned();
                self.seen = until;
                return part;
            }
            match self.shown.recv_timeout(Duration::from_millis(100)) {
                Ok(bytes) => self.screen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("it ended before {wanted:?}: {}", self.screen),
            }
            assert!(begun.elapsed() < LIMIT, "no {wanted:?} in {:?}", &self.screen[self.seen..]);
        }
    }

    /// A line, and what comes of it.
    fn say(&mut self, line: &str) -> String {
        self.press(&format!("{line}\r"));
        self.expect("\r\n");
        self.expect(PROMPT)
    }

    /// Its exit status.
    fn ended(mut self) -> u32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.program.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(begun.elapsed() < LIMIT, "it goes on: {}", self.screen);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_person_asks_one_question_after_the_other() {
    let serving = Serving::start("");
    serving.write("nightly", &manifest("nightly", "--x"));
    serving.wait(&["show", "nightly"], |done| done.status.success());
    let mut terminal = Terminal::open(&serving, &[], &[]);
    let help = terminal.say("help");
    assert!(help.contains("timeline") && help.contains("Why a backup is not done yet"), "{help}");
    assert!(terminal.say("help drain").contains("--because"));

    // A verb, a flag and a name of each kind by Tab.
    terminal.press("plan\t");
    terminal.expect("planes ");
    assert!(terminal.say("").contains("az2"));
    terminal.press("why ni\t");
    terminal.expect("br-admin/nightly ");
    assert!(terminal.say("").contains("waitingFor"), "{}", terminal.screen);
    terminal.press("drain az1 --bec\t");
    terminal.expect("--because ");
    let drained = terminal.say("'new nodes, at last'");
    assert!(drained.contains("new nodes, at last") && drained.contains("az1"), "{drained}");
    assert!(terminal.say("release az1").contains("released"));

    // What is wrong is told, and nothing ends by it.
    assert!(terminal.say("shwo nightly").contains("unrecognized subcommand"));
    assert!(terminal.say("show nobody").contains("no VolumeBackup called nobody"));
    assert!(terminal.say("show 'half").contains("coordinator: "));
    assert!(terminal.say("planes -o name").contains("az1\r\naz2\r\n"));
    // Up: the last line once more. Ctrl-C: a line is thrown away.
    terminal.press("\u{1b}[A");
    terminal.expect("planes -o name");
    assert!(terminal.say("").contains("az1\r\naz2\r\n"));
    terminal.press("cancel nightly\u{3}");
    terminal.expect(PROMPT);

    // Ctrl-C ends what is watched, and not the console.
    terminal.press("watch nightly\r");
    terminal.expect("Preparing");
    terminal.press("\u{3}");
    terminal.expect("watched no more");
    terminal.expect(PROMPT);
    assert!(terminal.say("planes").contains("az1"));
    assert!(!text(&serving.path("log")).contains("a person cancels"));
    terminal.press("exit\r");
    assert_eq!(terminal.ended(), 0);

    let history = serving.path("state/isochron/console_history");
    assert!(text(&history).contains("planes -o name"), "{}", text(&history));
    assert_eq!(history.metadata().unwrap().permissions().mode() & 0o077, 0, "nobody else reads it");
    let mut again = Terminal::open(&serving, &["-o", "json"], &[]);
    again.press("\u{1b}[A\u{1b}[A");
    again.expect("planes");
    assert!(
        again.say("").contains("\"plane\": \"az1\""),
        "the flags of the program hold for its lines: {}",
        again.screen
    );
    again.press("\u{4}");
    assert_eq!(again.ended(), 0);
}

/// Green, yellow, red or bold.
fn has_colours(text: &str) -> bool {
    ["\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m", "\u{1b}[1m"].iter().any(|code| text.contains(code))
}

#[test]
fn colours_are_for_who_wants_them() {
    let serving = Serving::start("");
    let say = |more: &[&str], variables: &[(&str, &str)]| {
        let mut terminal = Terminal::open(&serving, more, variables);
        let said = terminal.say("check");
        assert!(said.contains("control plane"), "{said}");
        terminal.press("quit\r");
        terminal.screen.clone()
    };
    assert!(has_colours(&say(&[], &[])));
    assert!(!has_colours(&say(&[], &[("NO_COLOR", "1")])));
    assert!(!has_colours(&say(&["--color", "never"], &[])));
    assert!(has_colours(&say(&["--color", "always"], &[("NO_COLOR", "1")])));

    let piped = |args: &[&str]| String::from_utf8(serving.console(args).stdout).unwrap();
    assert!(!has_colours(&piped(&["check"])) && has_colours(&piped(&["check", "--color", "always"])));
    assert!(!has_colours(&piped(&["check", "--color", "always", "-o", "json"])), "for programs there are none");
    let nobody = serving.console(&[]);
    assert_eq!(nobody.status.code(), Some(2), "there is no terminal: {nobody:?}");
}
