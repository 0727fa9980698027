//! What the sources and the documents cite is there: the document, and the section by its number.
//!
//! A citation is the name of a document in this repository and what stands behind it: `facts/pd-tikv.md` with `§2.1`, `§2.2`
//! or `§3.4–3.6`, `facts/aws.md` with `A2, A5`. A `§` without a name belongs to the document that was named last in the
//! same file, and in a document to itself.

use super::{files, root};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// Where a document that is named by less than its whole path may lie.
const PLACES: [&str; 3] = ["", "shared/docs", "shared/docs/facts"];
/// Patches are not among them: what they show of a file is checked there, and one of them plants a wrong citation.
const KINDS: [&str; 8] = ["rs", "md", "proto", "yaml", "toml", "py", "sh", "Dockerfile"];

/// One section that is cited; `document`: as it was written, or none was named yet.
#[derive(Debug, PartialEq, Eq)]
struct Citation {
    line: usize,
    document: Option<String>,
    section: String,
}

/// Every text of the repository, by its path from the root.
pub(super) fn texts() -> BTreeMap<String, String> {
    let files = files(&root(), &KINDS);
    let relative = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// Takes one text apart.
struct Reader<'a> {
    left: &'a str,
    line: usize,
    named: Option<String>,
    found: Vec<Citation>,
    /// Documents that are named without any section, and the line.
    documents: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn read(text: &'a str, own: Option<&str>) -> Self {
        let mut reader =
            Reader { left: text, line: 1, named: own.map(str::to_owned), found: Vec::new(), documents: Vec::new() };
        while let Some(next) = reader.left.chars().next() {
            if next == '§' {
                reader.sections();
            } else if is_name(next) {
                reader.word(own.is_some());
            } else {
                reader.skip(next.len_utf8());
            }
        }
        reader
    }

    fn skip(&mut self, bytes: usize) {
        let (gone, left) = self.left.split_at(bytes);
        self.line += gone.matches('\n').count();
        self.left = left;
    }

    /// A word; or the name of a document, and the sections right behind it.
    fn word(&mut self, in_document: bool) {
        let length = self.left.find(|c| !is_name(c)).unwrap_or(self.left.len());
        let word = self.left[..length].trim_end_matches('.').to_owned();
        let line = self.line;
        self.skip(length);
        if !word.ends_with(".md") {
            return;
        }
        let before = self.named.replace(word.clone());
        let until = self.found.len();
        self.sections();
        if self.found.len() == until {
            self.documents.push((line, word));
        }
        // A document that names another goes on to speak of itself.
        if in_document {
            self.named = before;
        }
    }

    /// As many as stand here, with nothing but commas, ranges and a line's end between them.
    fn sections(&mut self) {
        loop {
            let begins = self.left;
            let at = between(begins);
            let sign = begins[at..].strip_prefix('§');
            let number = sign.map_or_else(|| letter(&begins[at..]), |rest| number(rest));
            let Some(section) = number else { break };
            let sign = if sign.is_some() { '§'.len_utf8() } else { 0 };
            self.skip(at);
            self.found.push(Citation { line: self.line, document: self.named.clone(), section: section.to_owned() });
            self.skip(sign + section.len());
            // The end of `§3.4–3.6`.
            if let Some(end) = self.left.strip_prefix('–').and_then(number_of) {
                let citation = Citation { line: self.line, document: self.named.clone(), section: end.to_owned() };
                self.found.push(citation);
                self.skip('–'.len_utf8() + end.len());
            }
        }
        // A `§` that is no section's is left alone.
        if self.left.starts_with('§') {
            self.skip('§'.len_utf8());
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-')
}

/// Bytes of what may stand between two sections of one citation: quotes, commas, dashes, ends of lines with what begins the
/// next line of a comment.
fn between(text: &str) -> usize {
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let line =
            text[..at].ends_with('\n') || (at > 0 && text[..at].trim_end_matches([' ', '/', '!']).ends_with('\n'));
        match next {
            '`' | ',' | ' ' | '\n' | '–' => at += next.len_utf8(),
            '/' | '!' if line => at += 1,
            _ => break,
        }
    }
    at
}

/// `2.1` at the beginning, without a full stop behind it.
fn number(text: &str) -> Option<&str> {
    let length = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..length].trim_end_matches('.');
    number.starts_with(|c: char| c.is_ascii_digit()).then_some(number)
}

fn number_of(text: &str) -> Option<&str> {
    letter(text).or_else(|| number(text))
}

/// `A`, `A2` at the beginning, and no word.
fn letter(text: &str) -> Option<&str> {
    let length = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, mut chars) = (&text[..length], text[..length].chars());
    let is_letter = chars.next().is_some_and(|first| ('A'..='D').contains(&first));
    (is_letter && chars.all(|c| c.is_ascii_digit())).then_some(word)
}

/// Numbers of a document's sections.
fn sections_of(text: &str) -> BTreeSet<String> {
    let titles =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim_start());
    let first = titles.filter_map(|title| title.split(' ').next()).map(|word| word.trim_end_matches('.'));
    first.filter(|word| number(word) == Some(*word) || letter(word) == Some(*word)).map(str::to_owned).collect()
}

/// The path of a document by what it is called; `None`: there is none of that name.
fn find<'a>(texts: &'a BTreeMap<String, String>, name: &str) -> Option<&'a String> {
    let mut paths = PLACES.iter().map(|place| [place, name].join("/").trim_start_matches('/').to_owned());
    paths.find_map(|path| texts.get_key_value(&path)).map(|(path, _)| path)
}

/// What is cited in `path` and is not there.
fn broken(texts: &BTreeMap<String, String>, path: &str, text: &str) -> Vec<String> {
    let own = path.ends_with(".md").then_some(path);
    let reader = Reader::read(text, own);
    let mut wrong = Vec::new();
    for (line, document) in &reader.documents {
        let ours = document.starts_with("facts/") || document.starts_with("shared/docs/");
        if ours && find(texts, document).is_none() {
            wrong.push(format!("{path}:{line}: there is no {document}"));
        }
    }
    for Citation { line, document, section } in &reader.found {
        match document.as_ref().map(|document| (document, find(texts, document))) {
            None => wrong.push(format!("{path}:{line}: §{section} of what? No document was named before")),
            Some((document, None)) => wrong.push(format!("{path}:{line}: there is no {document}")),
            Some((document, Some(found))) if !sections_of(&texts[found]).contains(section) => {
                wrong.push(format!("{path}:{line}: {document} has no section {section}"));
            }
            Some(_) => {}
        }
    }
    wrong
}

#[test]
fn what_is_cited_is_there() {
    let mut texts = texts();
    // The examples below are no citations.
    texts.retain(|path, _| !path.ends_with("arrows/citations.rs"));
    let found: usize = texts.values().map(|text| Reader::read(text, None).found.len()).sum();
    assert!(found > 200, "only {found} citations were found: this reader is blind");
    let wrong: Vec<String> = texts.iter().flat_map(|(path, text)| broken(&texts, path, text)).collect();
    assert!(wrong.is_empty(), "citations that lead nowhere:\n{}", wrong.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cited(text: &str) -> Vec<String> {
        let citations = Reader::read(text, None).found.into_iter();
        citations.map(|one| format!("{} {}", one.document.unwrap_or_default(), one.section)).collect()
    }

    #[test]
    fn citations_are_read() {
        assert_eq!(cited("(`facts/a.md` §2.1: so it is)."), ["facts/a.md 2.1"]);
        assert_eq!(cited("`a.md` §1, §2, §6.4) and (§3.8)."), ["a.md 1", "a.md 2", "a.md 6.4", "a.md 3.8"]);
        assert_eq!(cited("/// `a.md` §1.5,\n    /// §1.7; here"), ["a.md 1.5", "a.md 1.7"]);
        assert_eq!(cited("`a.md` §3.4–3.6, `b.md` §4"), ["a.md 3.4", "a.md 3.6", "b.md 4"]);
        assert_eq!(cited("`aws.md` A4, A10, C) or A1"), ["aws.md A4", "aws.md A10", "aws.md C"]);
        assert_eq!(cited("`aws.md` A1–A7): exclusions, A 3"), ["aws.md A1", "aws.md A7"]);
        assert_eq!(cited("see `a.md`. A new one. Any §."), [] as [String; 0]);
        assert_eq!(cited("§7"), [" 7"]);
    }

    #[test]
    fn a_wrong_citation_is_told() {
        let text = |text: &str| text.to_owned();
        let texts = BTreeMap::from([
            (text("shared/docs/facts/a.md"), text("# A\n## 1. One\n### 1.1 Two\n## B. Three\nSee §1 and `b.md` §9.\n")),
            (text("shared/docs/b.md"), text("## 9\n")),
        ]);
        let told = |cited: &str| broken(&texts, "x.rs", cited);
        assert_eq!(told("`facts/a.md` §1, §1.1; `facts/a.md` B; `b.md` §9"), [] as [String; 0]);
        assert_eq!(told("\n`facts/a.md` §1.2"), ["x.rs:2: facts/a.md has no section 1.2"]);
        assert_eq!(told("`facts/c.md` §1"), ["x.rs:1: there is no facts/c.md"]);
        assert_eq!(told("`facts/c.md`"), ["x.rs:1: there is no facts/c.md"]);
        assert_eq!(told("§1"), ["x.rs:1: §1 of what? No document was named before"]);
        let (path, document) = texts.iter().nth(1).unwrap();
        assert_eq!(broken(&texts, path, document), [] as [String; 0]);
    }
}
