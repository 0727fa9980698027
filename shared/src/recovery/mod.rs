//! The regions that lie on a restored cluster's volumes, and who is to lead each of them. Values and functions: a restore asks every
//! store what it has ([`Meta`]), plans ([`plan`]), has leaders elected, and plans again without those that were not.

mod evidence;
mod fault;
mod kept;
mod meta;
mod plan;

pub use evidence::{Checked, FlashbackTimes, Led, Met, MetStore, Normal, RolledBack};
pub use fault::Fault;
pub use meta::Meta;
pub use plan::{Elected, Plan, Planned, plan};

#[cfg(test)]
mod tests;
