//! The corpus: `tests/fuzz/corpus/TARGET/NAME`, as it stands; `NAME.hex` holds bytes in hex, on lines of any length.

use std::{fs, io, path::PathBuf};

/// Where a target's files are.
#[must_use]
pub fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// Every file of a target, in the order of names.
///
/// # Errors
/// A folder or file that cannot be read, and a `.hex` that is none: each with its path.
pub fn read(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = folder(target);
    let at =
        |path: &std::path::Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| at(&folder, error))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut bytes = fs::read(&path).map_err(|error| at(&path, error))?;
        if name.ends_with(".hex") {
            let wrong = || at(&path, io::Error::new(io::ErrorKind::InvalidData, "it is no hex"));
            bytes = of_hex(&bytes).ok_or_else(wrong)?;
        }
        all.push((name, bytes));
    }
    all.sort();
    Ok(all)
}

/// As [`read`] takes it.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect::<Option<Vec<u8>>>().filter(|_| digits.len().is_multiple_of(2))
}
