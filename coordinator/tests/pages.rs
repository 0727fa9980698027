//! What the pages tell people to run or to look at exists: every command of `coordinator`, every verb of its console,
//! every metric.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

const PAGES: [&str; 13] = [
    "README.md",
    "ARCHITECTURE.md",
    "PROTOCOL.md",
    "SECURITY.md",
    "deploy/README.md",
    "deploy/INSTALL.md",
    "deploy/console.md",
    "deploy/UPGRADE.md",
    "deploy/RESTORE.md",
    "deploy/UNINSTALL.md",
    "deploy/METHODS.md",
    "deploy/runbook.md",
    "deploy/images/README.md",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// What stands between backticks, and each line of a block.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block {
            found.push(line.split(" #").next().unwrap_or_default().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && !word.starts_with('-')
}

/// `coordinator VERB` and `console VERB`, as words of a command line.
fn verbs(code: &str) -> Vec<Vec<String>> {
    let words: Vec<&str> = code.split_whitespace().collect();
    let after = |place: usize| words[place + 1..].iter().find(|word| is_word(word)).map(|word| (*word).to_owned());
    let mut found = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let console = *word == "console";
        // Not the folder, the image or the deployment of that name.
        let program = *word == "coordinator" && words.get(place + 1).is_some_and(|next| is_word(next));
        if console {
            found.extend(after(place).map(|verb| vec!["console".to_owned(), verb]));
        } else if program && (place == 0 || words[place - 1] == "--") {
            found.extend(after(place).filter(|verb| verb != "console").map(|verb| vec![verb]));
        }
    }
    found
}

#[test]
fn every_attack_has_its_test() {
    let mut all = String::new();
    for folder in ["coordinator/src", "shared", "plane-actor", "tests/tests", "tests/src"] {
        sources(&root().join(folder), &mut all);
    }
    let page = read("SECURITY.md");
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| Attack |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut tests = 0;
    for row in rows {
        let named = row.rsplit('|').nth(1).unwrap_or_default();
        for test in named.split('`').skip(1).step_by(2) {
            assert!(all.contains(&format!("fn {test}()")), "SECURITY.md names the test {test}, which is not there");
            tests += 1;
        }
    }
    assert!(tests > 15, "{tests} tests");
}

#[test]
fn every_command_on_a_page_is_one() {
    let mut cited = BTreeSet::new();
    for page in PAGES {
        for text in code(&read(page)) {
            cited.extend(verbs(&text).into_iter().map(|verb| (verb, page)));
        }
    }
    let consoles = cited.iter().filter(|(verb, _)| verb[0] == "console").count();
    assert!(consoles > 5, "too few were found for the test to be true: {cited:?}");
    for (verb, page) in cited {
        let run = Command::new(env!("CARGO_BIN_EXE_coordinator")).args(&verb).arg("--help").output().unwrap();
        assert!(
            run.status.success(),
            "{page} says `coordinator {}`: {}",
            verb.join(" "),
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

/// Names of metrics, braces of a shorthand (`a_{b,c}_d`) written out, labels left out.
fn metrics(code: &str) -> Vec<String> {
    let starts = ["isochron_", "fed_volume_backup_"];
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.char_indices().filter(|(at, _)| starts.iter().any(|start| code[*at..].starts_with(start))) {
        let rest = &code[at..];
        let head: String = rest.chars().take_while(|c| is_name(*c)).collect();
        let shorthand = rest[head.len()..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
        match shorthand.filter(|(_, tail)| tail.starts_with(is_name)) {
            Some((middles, tail)) => {
                let tail: String = tail.chars().take_while(|c| is_name(*c)).collect();
                found.extend(middles.split(',').map(|middle| format!("{head}{middle}{tail}")));
            }
            None => found.push(head),
        }
    }
    found
}

/// Everything that `folder` has in files of Rust.
fn sources(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("tests.rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_metric_on_a_page_is_one() {
    let mut registered = String::new();
    for program in ["coordinator/src", "plane-actor/src", "shared/shell/src"] {
        sources(&root().join(program), &mut registered);
    }
    let mut cited = BTreeSet::new();
    for page in PAGES {
        for text in code(&read(page)) {
            cited.extend(metrics(&text).into_iter().map(|name| (name, page)));
        }
    }
    assert!(cited.len() > 4, "too few were found for the test to be true: {cited:?}");
    for (name, page) in cited {
        // The encoder adds unit and kind, in this order.
        let parts = ["", "_sum", "_count", "_bucket", "_total", "_seconds"];
        let mut bare = vec![name.clone()];
        for part in &parts[1..] {
            bare.extend(bare.clone().iter().filter_map(|name| name.strip_suffix(part)).map(str::to_owned));
        }
        let is_one = bare.iter().any(|name| registered.contains(&format!("\"{name}\"")));
        assert!(is_one, "{page} names the metric {name}, which nobody registers");
    }
}
