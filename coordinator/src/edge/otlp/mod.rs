//! Traces of attempts to a receiver of OpenTelemetry's protocol, as JSON over HTTP (OTLP/HTTP 1.x). One trace an attempt, by the id
//! that status and logs have.

mod error;
mod export;
mod spans;
mod way;

pub use error::OtlpError;
pub use export::start;
