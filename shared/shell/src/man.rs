//! Manual pages, which a program makes of its own commands: they are those of the version that is there.

use std::{fs, io, path::Path};

/// Writes a page for the program and one for each of its commands (`coordinator-console-why.1`) into this folder, which is
/// made if it is not there; pages of these names are replaced.
///
/// # Errors
/// The folder or a file in it cannot be written.
pub fn write(command: clap::Command, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(command, folder)
}
