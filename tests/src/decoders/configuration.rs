//! Configuration files and variables.

use super::laws;
use coordinator::{config::CoordinatorConfig, console::contexts::Contexts};
use shell::config::{Loaded, merge};
use std::path::Path;

const FILE: &str = "/etc/isochron/config.yaml";

/// What `--print-config` prints is a file that says the same.
fn printed(loaded: &Loaded<CoordinatorConfig>) {
    let text = loaded.print();
    let again = merge::<CoordinatorConfig>(Some((Path::new(FILE), &text)), []);
    let again = again.unwrap_or_else(|error| panic!("what is printed cannot be read: {error}\n{text}"));
    assert_eq!(format!("{:?}", again.value), format!("{:?}", loaded.value), "it comes back as something else\n{text}");
}

/// A program's file.
pub(super) fn file(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    match merge::<CoordinatorConfig>(Some((Path::new(FILE), text)), []) {
        Ok(loaded) => {
            printed(&loaded);
            true
        }
        Err(error) => {
            laws::refused(&error.to_string());
            false
        }
    }
}

/// Its variables, one a line.
pub(super) fn environment(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    match merge::<CoordinatorConfig>(None, pairs.map(|(name, value)| (name.to_owned(), value.to_owned()))) {
        Ok(loaded) => {
            printed(&loaded);
            true
        }
        // It quotes the variable's value and what is wrong with it.
        Err(error) => {
            error.to_string().split(" does not fit ").for_each(laws::refused);
            false
        }
    }
}

/// The console's contexts.
pub(super) fn contexts(bytes: &[u8]) -> bool {
    let Some(text) = laws::text(bytes) else { return false };
    match Contexts::parse(text) {
        Ok(read) => {
            let text = serde_saphyr::to_string(&read);
            let text = text.unwrap_or_else(|error| panic!("what was read cannot be written: {error}: {read:?}"));
            assert_eq!(Contexts::parse(&text).as_ref(), Ok(&read), "it comes back as something else\n{text}");
            if let Err(error) = read.choose(Path::new(FILE), None) {
                assert!(error.to_string().starts_with(FILE), "{error}");
            }
            true
        }
        Err(error) => {
            laws::refused(&error);
            false
        }
    }
}
