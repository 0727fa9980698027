//! Makes the server side of TiKV's services from the plane actor's `.proto` files, for `servers::tikv` only: the demo
//! needs none of it. Messages are the plane actor's own types, so only service traits are generated here.

use std::error::Error;

const FOLDER: &str = "../plane-actor/proto";

const SERVICES: [&str; 5] =
    ["backup.proto", "debugpb.proto", "import_sstpb.proto", "recover_data.proto", "tikvpb.proto"];

/// Where messages are.
const PACKAGES: [&str; 8] =
    ["metapb", "errorpb", "backup", "debugpb", "import_sstpb", "recover_data", "kvrpcpb", "coprocessor"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    if std::env::var_os("CARGO_FEATURE_SERVERS").is_none() {
        return Ok(());
    }
    let files = protox::compile(SERVICES, [FOLDER])?;
    let mut builder = tonic_prost_build::configure().build_client(false);
    for package in PACKAGES {
        builder = builder.extern_path(format!(".{package}"), format!("::plane_actor::edge::proto::{package}"));
    }
    builder.compile_fds(files)?;
    Ok(())
}
