//! Logs of a process, and what a panic means. Message constant, values as fields; ERROR means that a person must look.

mod recent;

use std::{
    cell::RefCell,
    io::{IsTerminal, stderr},
    panic::{self, PanicHookInfo},
    str::FromStr,
    sync::{Once, OnceLock},
};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Registry, filter::filter_fn, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

/// Libraries that print at TRACE what they send and receive: session tokens in headers, ServiceAccounts' tokens in forms.
/// Begins of their targets.
const INDISCREET: [&str; 7] = ["aws_", "h2", "hyper", "kube", "reqwest", "rustls", "tower"];

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
    /// There is no filter to change.
    #[error("logs of this process were not set up by it")]
    NotSetUp,
    /// Something else in this process has set them up.
    #[error("logs are set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logs on standard error, once per process: standard output belongs to what a command prints. `filter` is
/// tracing's (`info,quinn=warn`); whatever it says, no library prints credentials. Colours only where a terminal shows
/// them.
pub fn init(format: Format, filter: &str) -> Result<(), TelemetryError> {
    let (changeable, handle) = reload::Layer::new(parsed(filter)?);
    let registry = tracing_subscriber::registry().with(changeable).with(filter_fn(is_discreet));
    match format {
        Format::Json => {
            let lines = fmt::layer().json().flatten_event(true).with_ansi(false).with_writer(recent::Kept::and(stderr));
            registry.with(lines).try_init()?;
        }
        Format::Text => {
            let ansi = stderr().is_terminal();
            registry.with(fmt::layer().with_ansi(ansi).with_writer(recent::Kept::and(stderr))).try_init()?;
        }
    }
    // Once per process, as `try_init` has just said.
    let _ = FILTER.set(handle);
    Ok(())
}

/// The last lines that this process has logged, oldest first and without colours, for `console diagnose`; none where
/// `init` was not called.
pub fn recent() -> Vec<String> {
    recent::lines()
}

/// The filter that `init` has set up, to be changed while the process runs.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

fn parsed(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

/// What is logged now, in the words of `init`.
///
/// # Errors
/// `init` was not called.
pub fn filter() -> Result<String, TelemetryError> {
    let handle = FILTER.get().ok_or(TelemetryError::NotSetUp)?;
    handle.with_current(ToString::to_string).map_err(|_| TelemetryError::NotSetUp)
}

/// From now on this is logged, until the process ends or is told otherwise; whatever it says, no library prints
/// credentials.
///
/// # Errors
/// It is no filter, or `init` was not called.
pub fn set_filter(filter: &str) -> Result<(), TelemetryError> {
    let parsed = parsed(filter)?;
    FILTER.get().ok_or(TelemetryError::NotSetUp)?.reload(parsed).map_err(|_| TelemetryError::NotSetUp)
}

fn is_discreet(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::TRACE || !INDISCREET.iter().any(|begin| metadata.target().starts_with(begin))
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
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

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
    fn no_filter_makes_libraries_print_what_they_send() {
        #[derive(Clone, Default)]
        struct Lines(Arc<Mutex<Vec<u8>>>);
        impl Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let writer = lines.clone();
        let layer = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let filter = EnvFilter::try_new("trace,aws_sigv4::http_request=trace").unwrap();
        let logs = tracing_subscriber::registry().with(filter).with(filter_fn(is_discreet)).with(layer);
        tracing::subscriber::with_default(logs, || {
            tracing::trace!(target: "aws_sigv4::http_request::sign", "a session token");
            tracing::trace!(target: "aws_smithy_runtime::client::orchestrator", "a form");
            tracing::trace!(target: "plane_actor", "ours");
            tracing::debug!(target: "aws_smithy_runtime::client::orchestrator", "an attempt");
        });
        let printed = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(printed.contains("ours") && printed.contains("an attempt"), "{printed}");
        assert!(!printed.contains("a session token") && !printed.contains("a form"), "{printed}");
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let error = init(Format::Text, "info,coordinator=loud").unwrap_err();
        assert!(matches!(error, TelemetryError::Filter { .. }), "{error}");
    }
}
