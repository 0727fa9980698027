//! `loadtests year`: one year of both programs' lives in virtual time, over real QUIC with mutual TLS and certificates of our own
//! PKI, and what stays of it. It is `loadtests soak` with a calendar: certificates that end and are renewed, lists of the revoked that
//! end, an authority that another one follows, a certificate that is taken back, one that nobody renews, three upgrades and two ways back.
//!
//! ```text
//! calendar ──► deeds of an interval ──► issuer (mounted files) ─► Credentials ─► rustls ─┐ one clock: tokio's, paused
//!    │                              └─► upgrades, failures ─────► processes             │
//!    └──► schedules ─► backups ─► oracle          sessions over QUIC, watched ◄──────────┘
//! ```
//! Whoever changes something does it in the middle of a backup, so that files are read while stores are held.

mod args;
mod bounds;
mod calendar;
mod course;
mod identities;
mod months;
mod net;
mod play;
mod proofs;
mod sessions;
mod upgrades;
mod versions;

pub(crate) use args::YearArgs;

/// True if every figure is within its bound.
pub(crate) fn main(args: &YearArgs) -> anyhow::Result<bool> {
    let (months, figures) = match play::run(args) {
        Ok(year) => year,
        Err(error) => {
            eprintln!("FAILED: {error:#}");
            return Ok(false);
        }
    };
    if args.json {
        println!("{}", serde_json::to_string(&serde_json::json!({ "months": months, "year": figures }))?);
    } else {
        println!("{}", months::table(&months));
        figures.print(false)?;
    }
    Ok(figures.ok())
}
