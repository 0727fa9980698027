//! The site has every page, and says of every command whether somebody has played it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

/// Pages whose blocks are played as they are, but for those that say why not.
const PLAYED: [&str; 2] = ["deploy/README.md", "deploy/INSTALL.md"];
/// Pages of `deploy` whose blocks all say why they are not.
const SHOWN: [&str; 3] = ["deploy/RESTORE.md", "deploy/UNINSTALL.md", "deploy/images/README.md"];
/// The list itself.
const ASIDE: &str = "deploy/site/SUMMARY.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Every `.md` below `folder`, from the root.
fn found(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap().map(Result::unwrap) {
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "md") {
            into.insert(path.to_str().unwrap().to_owned());
        }
    }
}

/// What the summary links to, from the root.
fn named() -> Vec<String> {
    let summary = read("deploy/site/SUMMARY.md");
    let links = summary.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let from_root =
        |link: &str| link.strip_prefix("../../").map_or_else(|| link.replacen("../", "deploy/", 1), str::to_owned);
    links.map(from_root).collect()
}

#[test]
fn the_site_has_every_page_and_every_page_is_there() {
    let named = named();
    for page in &named {
        assert!(root().join(page).is_file(), "deploy/site/SUMMARY.md names {page}, which is not there");
    }
    let named: BTreeSet<String> = named.into_iter().collect();
    let mut there = BTreeSet::new();
    found(Path::new("deploy"), &mut there);
    there.extend(
        ["README.md", "SECURITY.md", "PROTOCOL.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
            .map(str::to_owned),
    );
    there.remove(ASIDE);
    assert!(there.len() > 15, "{there:?}");
    for page in there {
        assert!(named.contains(&page), "deploy/site/SUMMARY.md does not name {page}");
    }
}

#[test]
fn every_block_of_commands_is_played_or_says_why_not() {
    for page in PLAYED.into_iter().chain(SHOWN) {
        let (text, mut before, mut open) = (read(page), "", false);
        for (number, line) in (1..).zip(text.lines()) {
            if let Some(language) = line.strip_prefix("```") {
                let says = before.starts_with("<!-- not played") && before.len() > "<!-- not played: -->".len();
                let played = PLAYED.contains(&page) && language == "shell";
                assert!(open || says || played, "{page}, line {number}: why is this block not played?");
                open = !open;
            }
            before = line;
        }
        assert!(!open, "{page}: the last block has no end");
    }
}
