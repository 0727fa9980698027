//! The glossary names types that there are: a word whose type was renamed or is gone fails here.

use super::citations::texts;
use std::collections::BTreeMap;

const GLOSSARY: &str = "shared/docs/glossary.md";

/// The word that begins a declaration, and what is declared: `pub(crate) enum Phase {` is `Phase`.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let is_type = matches!(words.next()?, "struct" | "enum" | "trait" | "type");
    let name = words.next().filter(|_| is_type)?;
    Some(&name[..name.find(|c: char| !c.is_alphanumeric()).unwrap_or(name.len())])
}

/// What stands in backticks and begins, behind its modules, with a capital.
fn types(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        let name = word.rsplit("::").next().unwrap_or_default();
        let is_path = word.chars().all(|c| c.is_alphanumeric() || c == ':');
        is_path && name.starts_with(|c: char| c.is_ascii_uppercase()) && name.contains(|c: char| c.is_lowercase())
    })
}

/// True: a file declares it that is, or lies in, each of the modules named before it.
fn exists(places: &BTreeMap<&str, Vec<&str>>, path: &str) -> bool {
    let mut words: Vec<&str> = path.split("::").collect();
    let name = words.pop().unwrap_or_default();
    let has = |file: &str, module: &str| file.trim_end_matches(".rs").split('/').any(|part| part == module);
    places.get(name).is_some_and(|files| files.iter().any(|file| words.iter().all(|module| has(file, module))))
}

#[test]
fn the_glossary_names_types_that_there_are() {
    let texts = texts();
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (path, text) in texts.iter().filter(|(path, _)| path.ends_with(".rs")) {
        for name in text.lines().filter_map(declared) {
            places.entry(name).or_default().push(path);
        }
    }
    let named: Vec<&str> = texts[GLOSSARY].lines().flat_map(types).collect();
    assert!(named.len() > 40, "only {} types were found in {GLOSSARY}", named.len());
    let gone: Vec<&str> = named.into_iter().filter(|path| !exists(&places, path)).collect();
    assert!(gone.is_empty(), "{GLOSSARY} names types that are nowhere: {}", gone.join(", "));
}

#[test]
fn declarations_and_types_are_read() {
    assert_eq!(declared("    pub(super) enum Phase {"), Some("Phase"));
    assert_eq!(declared("pub struct Ts(pub u64);"), Some("Ts"));
    assert_eq!(declared("type Wall = u8;"), Some("Wall"));
    assert_eq!(declared("/// an enum Phase"), None);
    let line = "| clean | `backupmeta`, `wire::Clean` and `Reason`, `spec.clusters[0]`, `Save(x)`, `S3` |";
    assert_eq!(types(line).collect::<Vec<_>>(), ["wire::Clean", "Reason"]);
    let places = BTreeMap::from([("Clean", vec!["shared/src/wire/messages.rs"])]);
    assert!(exists(&places, "wire::Clean") && exists(&places, "Clean") && exists(&places, "messages::Clean"));
    assert!(!exists(&places, "barrier::Clean") && !exists(&places, "Cleaner"));
}
