//! Every decoder of what others wrote, each behind one function of bytes that asserts its laws: any bytes at all are
//! answered, never with a panic; what is read can be written again and reads the same; an error is a text of bounded
//! length. `tests/tests/decoders` feeds them a corpus and seeded mutations of it, `tests/fuzz` is for libFuzzer.
//!
//! | Target | Reads | By |
//! |---|---|---|
//! | `wire_down`, `wire_up`, `wire_hello` | frames of QUIC, and what either machine makes of the words | `shared::wire`, `Barrier`, `Member` |
//! | `record`, `claim`, `note` | what the coordinator's ledger holds, packed or plain | `coordinator::actors::Stored`, `Barrier`, `Summary` |
//! | `certificate`, `plane_ledger` | the file beside a backup; what a plane keeps | JSON, `Member` |
//! | `config`, `environment`, `contexts` | the configuration file and variables of both programs; the console's contexts | `shell::config`, `console::contexts` |
//! | `cron`, `duration`, `names` | expressions with zones; lengths of time; planes' names in URIs, stamps in backups' names | `shared` |
//! | `manifests`, `objects` | files of a directory; objects of an API server with their status | `coordinator::edge` |
//! | `question` | what a console asks | `coordinator::console` |
//! | `backupmeta`, `clustermeta`, `certified`, `lock` | a plane's objects in S3, by whatever tool | `plane_actor::decoders` |
//! | `tikv_config`, `tidb_cluster` | TiKV's `/config`; the object of a TiDB cluster, of either operator | `plane_actor::decoders` |
//!
//! Not here, because others' code alone decodes: protobuf (prost), HTTP and XML of AWS (its SDK), X.509 and TLS. The plane's
//! configuration is another struct behind the reader of `config`.

mod configuration;
mod console;
pub mod corpus;
mod laws;
mod ledger;
mod manifests;
pub mod mutate;
mod plane;
mod schedules;
mod table;
mod wire;

pub use table::{TARGETS, Target};
