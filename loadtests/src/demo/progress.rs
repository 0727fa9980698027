//! Live progress: a bar per plane on a terminal, plain lines otherwise. Standard error only.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeMap, io::IsTerminal};

pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    planes: RefCell<BTreeMap<String, ProgressBar>>,
    last: RefCell<BTreeMap<String, String>>,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { bars, planes: RefCell::default(), last: RefCell::default(), quiet }
    }

    /// One sentence.
    pub(crate) fn say(&self, text: &str) {
        match &self.bars {
            _ if self.quiet => {}
            // A terminal that has gone away is no reason to stop.
            Some(bars) => drop(bars.println(text)),
            None => eprintln!("{text}"),
        }
    }

    /// What the coordinator's console says of the backup (`why`).
    pub(crate) fn show(&self, why: &Value) {
        if self.quiet {
            return;
        }
        let step = why["step"].as_str().unwrap_or("?");
        for plane in why["planes"].as_array().into_iter().flatten() {
            let name = plane["plane"].as_str().unwrap_or("?");
            let (done, total) = (plane["done"].as_u64().unwrap_or(0), plane["total"].as_u64().unwrap_or(0));
            let doing = plane["doing"].as_str().unwrap_or_default();
            match &self.bars {
                Some(bars) => self.bar(bars, name, step, doing, done, total),
                None => {
                    let line = if doing.is_empty() { step.to_owned() } else { format!("{step}: {doing}") };
                    if self.last.borrow_mut().insert(name.to_owned(), line.clone()).as_ref() != Some(&line) {
                        eprintln!("  {name}  {line}");
                    }
                }
            }
        }
    }

    fn bar(&self, bars: &MultiProgress, name: &str, step: &str, doing: &str, done: u64, total: u64) {
        let mut planes = self.planes.borrow_mut();
        let bar = planes.entry(name.to_owned()).or_insert_with(|| {
            let style =
                ProgressStyle::with_template("  {prefix} [{bar:24}] {msg}").unwrap_or(ProgressStyle::default_bar());
            bars.add(ProgressBar::new(1).with_style(style).with_prefix(name.to_owned()))
        });
        bar.set_length(total.max(1));
        bar.set_position(done.min(total));
        bar.set_message(if doing.is_empty() { step.to_owned() } else { format!("{step}: {doing}") });
    }

    pub(crate) fn end(&self) {
        for bar in self.planes.borrow().values() {
            bar.finish_and_clear();
        }
    }
}
