//! Circles that still stand. The list only shrinks: one that is gone is an error too.

pub(crate) const CIRCLES: &[&[&str]] = &[&["shared/shell/src/pki.rs", "shared/shell/src/pki/files.rs"]];
