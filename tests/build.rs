//! Makes the server side of TiKV's services from the plane actor's `.proto` files, for `servers::tikv` only: the demo
//! needs none of it. Messages are the plane actor's own types, so only service traits are generated here.

use std::error::Error;

const FOLDER: &str = "../plane-actor/proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={FOLDER}");
    if std::env::var_os("CARGO_FEATURE_SERVERS").is_none() {
        return Ok(());
    }
    let files = protox::compile(["backup.proto", "debugpb.proto", "import_sstpb.proto"], [FOLDER])?;
    let mut builder = tonic_prost_build::configure().build_client(false);
    for package in ["metapb", "errorpb", "backup", "debugpb", "import_sstpb"] {
        builder = builder.extern_path(format!(".{package}"), format!("::plane_actor::edge::proto::{package}"));
    }
    builder.compile_fds(files)?;
    Ok(())
}
