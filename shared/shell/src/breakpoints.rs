//! Where a test stops a process: before or after any effect that a machine wants (the boundary at which a crash is
//! interesting, because what is stored and what is sent lie on its two sides).
//!
//! Only in builds with the feature `breakpoints`, which nothing but the tests' own features turns on, and which does not
//! compile in a release build.
//!
//! ```text
//! test                                         process, $ISOCHRON_BREAK=F
//!   F: "before\n1\nSend\norder: Suspend" ─────►  every effect: is F there, and are all its fragments in the effect?
//!   F.reached appears ◄───────────────────────  yes: F is renamed, and the process stands still
//!   kill -9, or SIGTERM, or a cut, and …
//!   F.reached removed ────────────────────────► goes on
//! ```
//! The process never ends itself: a test that kills it from outside kills it as the kernel would. It stands still as a
//! whole (the thread of its actors sleeps), so nothing overtakes the boundary.

use std::{
    env,
    fmt::Debug,
    fs, io,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

#[cfg(not(debug_assertions))]
compile_error!("feature `breakpoints` lets a file stop the process: it is for tests, never for a release build");

/// Names the file that a breakpoint is read from. It may come and go while the process runs.
pub const VARIABLE: &str = "ISOCHRON_BREAK";

/// Between two looks at whether the test wants it to go on.
const LOOK: Duration = Duration::from_millis(2);

/// Longest stop. A test that forgets its breakpoint has failed; it must not find a process that hangs for ever.
const LONGEST: Duration = Duration::from_secs(120);

/// An effect that is about to be carried out; `after` says that it was.
pub(crate) struct Passing(Option<String>);

impl Passing {
    /// Stops here if a breakpoint wants it.
    pub(crate) fn before(effect: &impl Debug) -> Self {
        let Some(file) = file() else { return Self(None) };
        let text = format!("{effect:?}");
        stop_at(&file, "before", &text);
        Self(Some(text))
    }

    /// The effect was carried out: of a fence, it is stored.
    pub(crate) fn after(self) {
        if let (Some(text), Some(file)) = (self.0, file()) {
            stop_at(&file, "after", &text);
        }
    }
}

fn file() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from)
}

/// The file says: side, count, then fragments of the effect's `Debug` text, one a line; the first begins it.
fn stop_at(file: &Path, side: &str, text: &str) {
    let Ok(wish) = fs::read_to_string(file) else { return };
    let mut lines = wish.lines();
    let (wanted, count) = (lines.next(), lines.next().and_then(|line| line.parse::<u32>().ok()));
    let mut fragments = lines.clone();
    let begins = fragments.next().is_some_and(|first| text.starts_with(first));
    if wanted != Some(side) || !begins || !fragments.all(|fragment| text.contains(fragment)) {
        return;
    }
    let outcome = match count {
        Some(2..) => count_down(file, side, count.unwrap_or(1) - 1, lines),
        _ => stand_still(file),
    };
    if let Err(error) = outcome {
        tracing::error!(%error, file = %file.display(), "breakpoint does not work; ending");
        process::abort();
    }
}

fn count_down<'a>(file: &Path, side: &str, left: u32, rest: impl Iterator<Item = &'a str>) -> io::Result<()> {
    let lines: Vec<&str> = rest.collect();
    fs::write(file, format!("{side}\n{left}\n{}", lines.join("\n")))
}

fn stand_still(file: &Path) -> io::Result<()> {
    let reached = file.with_added_extension("reached");
    tracing::warn!(file = %file.display(), "standing still at a breakpoint");
    fs::rename(file, &reached)?;
    let begun = Instant::now();
    while reached.try_exists()? {
        if begun.elapsed() > LONGEST {
            return Err(io::Error::other(format!("nobody let it go on within {LONGEST:?}")));
        }
        thread::sleep(LOOK);
    }
    tracing::warn!("going on");
    Ok(())
}
