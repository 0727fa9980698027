//! What programs say that must never be said: panics (tokio swallows those of tasks) and alarms. Kept per thread, because
//! each thread runs one seed at a time.

use std::{
    cell::RefCell,
    fmt::{Debug, Write},
    sync::Once,
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Kept of one run; more of the same say nothing new.
const KEPT: usize = 20;
/// What an actor logs when its machine raised an alarm.
const ALARM: &str = "impossible state";

#[derive(Default)]
struct Said {
    panics: Vec<String>,
    alarms: Vec<String>,
    /// Every warning and error, for a trace.
    lines: Option<Vec<String>>,
}

thread_local! {
    static SAID: RefCell<Said> = RefCell::default();
}

/// Forgets what this thread's last run said. `trace`: keeps every warning as well.
pub fn begin(trace: bool) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let kept = SAID.try_with(|said| keep(&mut said.borrow_mut().panics, info.to_string()));
            if kept.is_err() {
                before(info);
            }
        }));
        // Somebody else's subscriber stays; then alarms are not seen, and their tests assert on them in their own way.
        let _ = tracing::subscriber::set_global_default(Ear { verbose: trace });
    });
    SAID.with(|said| *said.borrow_mut() = Said { lines: trace.then(Vec::new), ..Said::default() });
}

/// Panics and alarms since [`begin`].
pub fn end() -> (Vec<String>, Vec<String>) {
    SAID.with(|said| {
        let said = std::mem::take(&mut *said.borrow_mut());
        (said.panics, said.alarms)
    })
}

/// Log lines since the last call.
pub fn take_lines() -> Vec<String> {
    SAID.with(|said| said.borrow_mut().lines.as_mut().map(std::mem::take).unwrap_or_default())
}

fn keep(texts: &mut Vec<String>, text: String) {
    if texts.len() < KEPT {
        texts.push(text);
    }
}

/// Hears errors, and warnings for a trace. Spans cost nothing.
struct Ear {
    verbose: bool,
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?} "),
            name => write!(self.0, "{name}={value:?} "),
        };
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= if self.verbose { Level::WARN } else { Level::ERROR }
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(if self.verbose { Level::WARN.into() } else { Level::ERROR.into() })
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = format!("            {} {}: {}", event.metadata().level(), event.metadata().target(), text.0);
        // A thread that is ending says nothing that counts.
        let _ = SAID.try_with(|said| {
            let mut said = said.borrow_mut();
            if text.0.contains(ALARM) {
                keep(&mut said.alarms, text.0.clone());
            }
            if let Some(lines) = &mut said.lines {
                lines.push(line);
            }
        });
    }
}
