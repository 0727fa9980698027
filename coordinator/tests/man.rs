//! Manual pages of both programs of this package: one for each command, and each can be read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{collections::BTreeMap, fs, path::Path, process::Command};

fn pages(program: &str, args: &[&str]) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("man1");
    let done = Command::new(program).args(args).arg(&written).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let files = fs::read_dir(&written).unwrap().map(|entry| entry.unwrap().path());
    let pages =
        files.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
    let pages = pages.collect();
    lint(&written);
    pages
}

/// By the program that shows them, where it is there.
fn lint(folder: &Path) {
    let pages = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let Ok(done) = Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8", "-Kutf8"]).args(pages).output() else {
        return;
    };
    let told = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && told.is_empty(), "{told}");
}

/// Every verb that `--help` lists.
fn verbs(program: &str, args: &[&str]) -> Vec<String> {
    let done = Command::new(program).args(args).arg("--help").output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let (_, list) = text.split_once("Commands:\n").unwrap();
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn every_command_has_a_page() {
    let (coordinator, kubectl) = (env!("CARGO_BIN_EXE_coordinator"), env!("CARGO_BIN_EXE_kubectl-isochron"));
    let (of_coordinator, of_kubectl) = (pages(coordinator, &["man"]), pages(kubectl, &["--man"]));
    let (all, console) = (verbs(coordinator, &[]), verbs(coordinator, &["console"]));
    assert!(all.len() >= 7 && console.len() >= 21, "{all:?} {console:?}");
    let has = |pages: &BTreeMap<String, String>, name: String| {
        let page = pages.get(&format!("{name}.1")).unwrap_or_else(|| panic!("no page of {name}: {:?}", pages.keys()));
        assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{name}: {page}");
    };
    for verb in &all {
        has(&of_coordinator, format!("coordinator-{verb}"));
    }
    for verb in &console {
        has(&of_coordinator, format!("coordinator-console-{verb}"));
        has(&of_kubectl, format!("kubectl-isochron-{verb}"));
    }
    let page = &of_coordinator["coordinator-console.1"];
    assert!(page.contains("Exit status") && page.contains("ISOCHRON_SERVER"), "{page}");
    assert!(of_coordinator["coordinator-console-drain.1"].contains("because"));
    assert!(of_kubectl["kubectl-isochron.1"].contains("kubeconfig"));
}
