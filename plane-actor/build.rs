//! Makes the gRPC clients of PD and TiKV from our own trimmed `.proto` files, without protoc.

use std::error::Error;

const FILES: [&str; 11] = [
    "metapb.proto",
    "errorpb.proto",
    "backup.proto",
    "debugpb.proto",
    "import_sstpb.proto",
    "pdpb.proto",
    "recover_data.proto",
    "kvrpcpb.proto",
    "coprocessor.proto",
    "tikvpb.proto",
    "tipb.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    tonic_prost_build::configure().build_server(false).compile_fds(files)?;
    Ok(())
}
