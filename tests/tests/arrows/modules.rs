//! A crate as a tree of modules: what each one defines, imports and names.

use super::tokens::{Token, tokens};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// A path as it is written, word by word.
pub(crate) type Words = Vec<String>;

#[derive(Debug, Clone)]
pub(crate) struct Import {
    /// What it is called here; `*` for all of a module.
    pub(crate) name: String,
    pub(crate) path: Words,
    /// Handed on to others, by any `pub`.
    pub(crate) public: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) parent: Option<usize>,
    /// Of the crate that it is in.
    pub(crate) root: usize,
    /// Where it is written; modules in braces share it with the module around them.
    pub(crate) file: String,
    /// Where its children's files are.
    folder: String,
    pub(crate) items: BTreeSet<String>,
    pub(crate) children: BTreeMap<String, usize>,
    pub(crate) imports: Vec<Import>,
    /// Everything that is named in it outside of `use`, words alone too.
    pub(crate) paths: BTreeSet<Words>,
    /// A macro writes items here whose names nobody sees.
    pub(crate) by_macro: bool,
}

/// Every module of every crate.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    pub(crate) all: Vec<Module>,
    /// Crates that others name, by name.
    pub(crate) crates: BTreeMap<String, usize>,
    /// Files of tests, which are left out.
    pub(crate) tests: BTreeSet<String>,
    /// The workspace; every file is told from here.
    pub(crate) base: PathBuf,
}

impl Modules {
    /// Reads the crate of a folder from its root file. Without a name nobody can import it: a program.
    pub(crate) fn read(&mut self, name: Option<&str>, folder: &str, file: &str) {
        let root = self.all.len();
        let (folder, file) = (format!("{folder}/src"), format!("{folder}/src/{file}"));
        self.all.push(Module { root, file, folder, ..Module::default() });
        self.crates.extend(name.map(|name| (name.to_owned(), root)));
        self.read_file(root);
    }

    fn read_file(&mut self, module: usize) {
        let file = &self.all[module].file;
        let text = fs::read_to_string(self.base.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.items(module, &tokens(&text));
    }

    /// Where the module of a folder's name is written.
    fn file_of(&self, folder: &str) -> String {
        let own = format!("{folder}.rs");
        if self.base.join(&own).exists() { own } else { format!("{folder}/mod.rs") }
    }

    fn items(&mut self, module: usize, mut rest: &[Token]) {
        let mut test = false;
        while let Some(first) = rest.first() {
            if first.is('#') {
                let length = group(rest);
                test |= is_test(&rest[..length]);
                self.body(module, &rest[..length]);
                rest = &rest[length..];
                continue;
            }
            let length = item(rest);
            if test {
                self.leave_out(module, &rest[..length]);
            } else {
                self.item(module, &rest[..length]);
            }
            (rest, test) = (&rest[length..], false);
        }
    }

    fn item(&mut self, module: usize, item: &[Token]) {
        let public = item[0].word() == Some("pub");
        let head = &item[visibility(item)..];
        let words: Vec<&str> = head.iter().map_while(Token::word).collect();
        match &words[..] {
            ["use"] | ["use", ..] => return self.import(module, &head[1..], public),
            ["mod", name, ..] => return self.child(module, name, &head[2..]),
            ["macro_rules"] => {
                self.all[module].items.extend(head.get(2).and_then(Token::word).map(str::to_owned));
            }
            [_] if head.get(1).is_some_and(|token| token.is('!') || *token == Token::Step) => {
                self.all[module].by_macro = true;
            }
            words => self.all[module].items.extend(defined(words).map(str::to_owned)),
        }
        self.body(module, head);
    }

    fn child(&mut self, module: usize, name: &str, body: &[Token]) {
        let (folder, child) = (format!("{}/{name}", self.all[module].folder), self.all.len());
        let (parent, root) = (Some(module), self.all[module].root);
        self.all[module].children.insert(name.to_owned(), child);
        let inline = body.first().is_some_and(|token| token.is('{'));
        let file = if inline { self.all[module].file.clone() } else { self.file_of(&folder) };
        self.all.push(Module { parent, root, file, folder, ..Module::default() });
        if inline {
            self.items(child, &body[1..body.len() - 1]);
        } else {
            self.read_file(child);
        }
    }

    /// Of a test module only the file is noted.
    fn leave_out(&mut self, module: usize, item: &[Token]) {
        let head = &item[visibility(item)..];
        if let [Token::Word(word), Token::Word(name), Token::Mark(';')] = head
            && word == "mod"
        {
            let file = self.file_of(&format!("{}/{name}", self.all[module].folder));
            self.tests.insert(file);
        }
    }

    fn import(&mut self, module: usize, tree: &[Token], public: bool) {
        let mut leaves = Vec::new();
        leaves_of(tree, &[], &mut leaves);
        let imports = leaves.into_iter().map(|(name, path)| Import { name, path, public });
        self.all[module].imports.extend(imports);
    }

    /// What is named in a body, and what is imported there.
    fn body(&mut self, module: usize, body: &[Token]) {
        let mut at = 0;
        while let Some(token) = body.get(at) {
            let before = at.checked_sub(1).map(|before| &body[before]);
            let Some(word) = token.word() else {
                at += 1;
                continue;
            };
            if word == "use" && before.is_none_or(|before| before.is('{') || before.is(';') || before.is('}')) {
                let length = body[at..].iter().take_while(|token| !token.is(';')).count();
                self.import(module, &body[at + 1..at + length], false);
                at += length;
                continue;
            }
            let mut path = vec![word.to_owned()];
            at += 1;
            while let [Token::Step, Token::Word(next), ..] = &body[at..] {
                path.push(next.clone());
                at += 2;
            }
            // Behind a dot stands a field or a method, behind `::` the rest of something that began before. A small word
            // alone is a variable, unless it is called.
            let called = body.get(at).is_some_and(|after| after.is('('));
            let named = called || path.len() > 1 || !word.starts_with(char::is_lowercase);
            if named && before.is_none_or(|before| !before.is('.') && *before != Token::Step) {
                self.all[module].paths.insert(path);
            }
        }
    }
}

/// How long the group of brackets is that `rest` begins with, its attribute's `#` or macro's name included.
fn group(rest: &[Token]) -> usize {
    let mut open = 0;
    for (at, token) in rest.iter().enumerate() {
        match token {
            Token::Mark('(' | '[' | '{') => open += 1,
            Token::Mark(')' | ']' | '}') if open == 1 => return at + 1,
            Token::Mark(')' | ']' | '}') => open -= 1,
            _ => {}
        }
    }
    rest.len()
}

/// How long the item is that `rest` begins with: to its semicolon, or to the end of its braces.
fn item(rest: &[Token]) -> usize {
    let words: Vec<&str> = rest[visibility(rest)..].iter().map_while(Token::word).take(2).collect();
    let by_semicolon = matches!(&words[..], ["use" | "static" | "type", ..])
        || matches!(&words[..], ["const", name] if !matches!(*name, "fn" | "async" | "unsafe" | "extern"));
    let mut at = 0;
    while at < rest.len() {
        match &rest[at] {
            Token::Mark(';') => return at + 1,
            Token::Mark('{') if !by_semicolon => return at + group(&rest[at..]),
            Token::Mark('(' | '[' | '{') => at += group(&rest[at..]),
            _ => at += 1,
        }
    }
    at
}

/// How many tokens `pub`, `pub(crate)` and their like are.
fn visibility(item: &[Token]) -> usize {
    match item {
        [Token::Word(word), Token::Mark('('), ..] if word == "pub" => group(item),
        [Token::Word(word), ..] if word == "pub" => 1,
        _ => 0,
    }
}

fn defined<'a>(words: &[&'a str]) -> Option<&'a str> {
    let kind =
        |word: &&str| matches!(*word, "fn" | "struct" | "enum" | "union" | "trait" | "type" | "const" | "static");
    let last = words.iter().rposition(kind)?;
    words.get(last + 1).copied()
}

fn is_test(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute.iter().filter_map(Token::word).collect();
    words == ["cfg", "test"]
}

/// `a::{b, c::{self, d as e}}` as (b, a::b), (c, a::c), (e, a::c::d).
fn leaves_of(tree: &[Token], before: &[String], out: &mut Vec<(String, Words)>) {
    let mut path = before.to_vec();
    for (at, token) in tree.iter().enumerate() {
        match token {
            Token::Word(word) if word == "as" => {
                let name = tree.get(at + 1).and_then(Token::word).unwrap_or_default();
                return out.push((name.to_owned(), path));
            }
            Token::Word(word) if word == "self" && !before.is_empty() && at == 0 => {}
            Token::Word(word) => path.push(word.clone()),
            Token::Mark('*') => return out.push(("*".to_owned(), path)),
            Token::Mark('{') => {
                let inside = &tree[at + 1..at + group(&tree[at..]) - 1];
                return split(inside).into_iter().for_each(|part| leaves_of(part, &path, out));
            }
            Token::Step | Token::Mark(_) => {}
        }
    }
    out.extend(path.last().cloned().map(|name| (name, path)));
}

/// At the commas that are in no braces.
fn split(list: &[Token]) -> Vec<&[Token]> {
    let mut open = 0;
    let parts = list.split(|token| {
        match token {
            Token::Mark('{') => open += 1,
            Token::Mark('}') => open -= 1,
            _ => {}
        }
        open == 0 && token.is(',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_imports_is_taken_apart() {
        let mut leaves = Vec::new();
        leaves_of(&tokens("crate::a::{b, c::{self, d as e, f::*}, super_}"), &[], &mut leaves);
        let lines: Vec<String> = leaves.iter().map(|(name, path)| format!("{name} = {}", path.join("::"))).collect();
        let expected = [
            "b = crate::a::b",
            "c = crate::a::c",
            "e = crate::a::c::d",
            "* = crate::a::c::f",
            "super_ = crate::a::super_",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn items_are_found_with_their_names() {
        let mut modules = Modules::default();
        modules.all.push(Module::default());
        let text = "pub(crate) async fn a() { b::c(); x.y(); use d::E; } const F: [u8; 2] = G; struct H(I);
            macro_rules! j { () => {} } #[cfg(test)] mod tests { use k::L; } impl M for H { fn n() {} }";
        modules.items(0, &tokens(text));
        let module = &modules.all[0];
        assert_eq!(module.items.iter().collect::<Vec<_>>(), ["F", "H", "a", "j"]);
        assert!(module.paths.contains(&vec!["b".to_owned(), "c".to_owned()]));
        assert!(module.paths.contains(&vec!["G".to_owned()]) && !module.paths.contains(&vec!["y".to_owned()]));
        assert_eq!(module.imports.iter().map(|import| import.name.as_str()).collect::<Vec<_>>(), ["E"]);
    }
}
