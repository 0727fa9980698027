//! The last lines of the log, kept in memory: whoever is called for help is rarely given the log itself.

use shared::reason::cut;
use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tracing_subscriber::fmt::MakeWriter;

/// A barrier of three planes logs some fifty lines at `info`; a night of a hundred backups some thousands, of which the
/// last count.
const LINES: usize = 1_000;
/// All of them together: they travel in one frame of 4 MiB, beside metrics and steps of machines.
const BYTES: usize = 512 * 1024;
/// Of one line; errors of AWS are the longest, at one or two kilobytes.
const LINE_BYTES: usize = 4 * 1024;

static KEPT: Mutex<Lines> = Mutex::new(Lines { lines: VecDeque::new(), bytes: 0 });

struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Lines {
    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            self.bytes -= self.lines.pop_front().map_or(self.bytes, |oldest| oldest.len());
        }
    }
}

fn kept() -> MutexGuard<'static, Lines> {
    // Lines are whole, so a panicking holder has spoilt nothing.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn lines() -> Vec<String> {
    let kept: Vec<String> = kept().lines.iter().cloned().collect();
    kept.iter().map(|line| without_colours(line)).collect()
}

/// Writes to `W` what it is told, and keeps it.
pub(super) struct Kept<W>(W);

impl<W> Kept<W> {
    pub(super) fn and(writer: W) -> Self {
        Self(writer)
    }
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for Kept<W> {
    type Writer = Line<W::Writer>;
    fn make_writer(&'a self) -> Self::Writer {
        Line { out: self.0.make_writer(), line: Vec::new() }
    }
}

/// One event: it is kept when it is whole.
pub(super) struct Line<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LINE_BYTES.saturating_sub(self.line.len());
        self.line.extend(bytes.iter().take(room));
        // Whoever reads the log may have gone; that is no reason to keep less.
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W> Drop for Line<W> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        let text = text.trim_end();
        if !text.is_empty() {
            kept().push(cut(text.to_owned(), LINE_BYTES));
        }
    }
}

/// Without what makes a terminal show colours: ESC, `[`, numbers, a letter.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_no_more() {
        let mut lines = Lines { lines: VecDeque::new(), bytes: 0 };
        for number in 0..3 * LINES {
            lines.push(format!("line {number}"));
        }
        assert_eq!((lines.lines.len(), lines.lines[0].as_str()), (LINES, "line 2000"));
        for _ in 0..1_000 {
            lines.push("x".repeat(LINE_BYTES));
        }
        assert!(lines.bytes <= BYTES && lines.bytes == lines.lines.iter().map(String::len).sum::<usize>());
        assert_eq!(lines.lines.len(), BYTES / LINE_BYTES);
    }

    #[test]
    fn a_line_is_written_through_and_kept_without_its_colours() {
        let (mut out, mark) = (Vec::new(), "a mark that no other test has");
        let mut line = Line { out: &mut out, line: Vec::new() };
        write!(line, "\u{1b}[2m12:00\u{1b}[0m \u{1b}[1;32m INFO\u{1b}[0m {mark}\n{}", "y".repeat(2 * LINE_BYTES))
            .unwrap();
        drop(line);
        assert!(out.len() > 2 * LINE_BYTES, "all of it is logged");
        let kept = lines().into_iter().find(|line| line.contains(mark)).unwrap();
        assert!(kept.starts_with(&format!("12:00  INFO {mark}")) && kept.len() <= LINE_BYTES, "{kept}");
    }
}
