//! Makes the gRPC clients of PD and TiKV from our own trimmed `.proto` files, without protoc.

use std::error::Error;

const FILES: [&str; 6] =
    ["metapb.proto", "errorpb.proto", "backup.proto", "debugpb.proto", "import_sstpb.proto", "pdpb.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;
    Ok(())
}
