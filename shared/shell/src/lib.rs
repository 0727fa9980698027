//! Isochron's thin shell around the machines: what both programs share that has a clock, a socket or a file.
//!
//! `driver` runs a pure machine inside an actix actor, `clock` reads time for it, `link` and `quic` carry frames between
//! identities that `tls` proves and `pki` issues; `listen` makes sockets; `seldom` bounds lines that strangers cause; `config` (in `yaml`),
//! `telemetry`, `http`, `man`, `process` and `told` are how a program meets its admin; `redact` takes secrets out of what leaves for
//! other people's eyes.
#![warn(missing_docs)]

#[cfg(feature = "breakpoints")]
pub mod breakpoints;
pub mod clock;
pub mod config;
pub mod driver;
pub mod expiry;
pub mod http;
pub mod link;
pub mod listen;
pub mod man;
pub mod pki;
pub mod process;
pub mod quic;
pub mod redact;
pub mod seldom;
pub mod signals;
pub mod telemetry;
pub mod tls;
pub mod told;
pub mod yaml;
