//! Whole processes, as users have them: programs `coordinator` and `plane-actor` on real servers and under the rights of
//! `deploy/`, with what ends them, starts them again and cuts them off. Only `tests/run` has all that these need.

pub mod backup;
pub mod cluster_objects;
mod commands;
pub mod environment;
pub mod leftovers;
pub mod network_paths;
pub mod programs;
pub mod rig;
pub mod site;
