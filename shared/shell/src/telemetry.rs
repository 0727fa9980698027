//! Logs of a process, and what a panic means. Message constant, values as fields; ERROR means that a person must look.

use std::{
    cell::RefCell,
    io::{IsTerminal, stderr},
    panic::{self, PanicHookInfo},
    str::FromStr,
    sync::Once,
};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line, for collectors.
    Json,
    /// For people.
    #[default]
    Text,
}

impl FromStr for Format {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(format!("{text} is neither text nor json")),
        }
    }
}

/// Why logs cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is no filter.
    #[error("log filter {filter:?} cannot be read; write for example info,coordinator=debug")]
    Filter {
        /// What was given.
        filter: String,
        /// Why.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// Something else in this process has set them up.
    #[error("logs are set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logs on standard error, once per process: standard output belongs to what a command prints. `filter` is
/// tracing's (`info,quinn=warn`). Colours only where a terminal shows them.
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let registry = tracing_subscriber::registry().with(parsed);
    match format {
        Format::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_ansi(false).with_writer(stderr);
            registry.with(lines).try_init()?;
        }
        Format::Text => {
            let lines = fmt::layer().with_ansi(stderr().is_terminal()).with_writer(stderr);
            registry.with(lines).try_init()?;
        }
    }
    Ok(())
}

/// A panic ends the process, after it was logged: an actor whose handler panicked is gone silently otherwise
/// (`facts/tech.md` §1), and its machine with it. Recovery is the same as after any other end: by the record.
pub fn abort_on_panic() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let (message, place) = describe(info);
        tracing::error!(message, place, "panic, process ends");
        before(info);
        std::process::abort();
    }));
}

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Makes a test fail if anything panicked on its thread, also where tokio or actix caught it. Tests of actors run on one
/// thread, so its own list is enough and tests beside it do not disturb it. Make one first; it checks when dropped.
#[must_use = "it checks when it is dropped, at the end of the test"]
pub struct PanicGuard(());

impl PanicGuard {
    /// Watches from here on.
    #[expect(clippy::new_without_default, reason = "making one has an effect")]
    pub fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let (message, place) = describe(info);
                PANICS.with_borrow_mut(|panics| panics.push(format!("{message} at {place}")));
                before(info);
            }));
        });
        PANICS.with_borrow_mut(Vec::clear);
        Self(())
    }

    /// What panicked so far.
    pub fn seen(&self) -> Vec<String> {
        PANICS.with_borrow(Clone::clone)
    }
}

impl Drop for PanicGuard {
    fn drop(&mut self) {
        // While unwinding the test fails anyway; a second panic would end the whole test process.
        if !std::thread::panicking() {
            let seen = self.seen();
            assert!(seen.is_empty(), "something panicked during this test: {seen:?}");
        }
    }
}

fn describe(info: &PanicHookInfo<'_>) -> (String, String) {
    let message = info.payload_as_str().unwrap_or("no message").to_owned();
    (message, info.location().map(ToString::to_string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_that_tokio_caught_is_seen() {
        let guard = PanicGuard::new();
        let set = tokio::task::LocalSet::new();
        let caught = set.run_until(async { tokio::task::spawn_local(async { panic!("in a handler") }).await }).await;
        assert!(caught.is_err());
        assert_eq!(guard.seen().len(), 1);
        assert!(panic::catch_unwind(panic::AssertUnwindSafe(|| drop(guard))).is_err());
        PANICS.with_borrow_mut(Vec::clear);
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let error = init(Format::Text, "info,coordinator=loud").unwrap_err();
        assert!(matches!(error, TelemetryError::Filter { .. }), "{error}");
    }
}
