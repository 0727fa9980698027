//! Regions as stores keep them: rows, a log, what each command does when it is applied, and who may be elected. Under the
//! cluster that is backed up ([`crate::world`]) and under the one that is restored ([`super::restored`]), which so applies
//! the same logs by the same functions.

pub(crate) mod apply;
pub(crate) mod kv;
pub(crate) mod peer;
pub(crate) mod vote;
