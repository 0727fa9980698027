//! ARCHITECTURE.md answers a newcomer's guesses with files that there are.

use super::root;
use std::fs;

#[test]
fn a_newcomers_guesses_lead_to_files() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let (_, after) = text.split_once("## A newcomer's guesses\n").expect("the table of guesses");
    let table = after.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let files: Vec<&str> = rows.filter_map(|row| row.rsplit('`').nth(1)).collect();
    assert!(files.len() >= 10, "only {} guesses are answered", files.len());
    let gone: Vec<&&str> = files.iter().filter(|file| !root().join(file).is_file()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md sends newcomers to files that are nowhere: {gone:?}");
}
