//! Which file leads to which, and what that says: circles, and ways that must not be.

use super::modules::{Module, Modules, Words};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// File to file, with the names that lead there.
pub(crate) type Arrows = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Item(String),
    Module(usize),
    /// Of a package that is not ours.
    Foreign,
}

impl Modules {
    /// Every arrow, and every path of ours that leads nowhere: nothing may hide behind what this reader does not know.
    pub(crate) fn arrows(&self) -> (Arrows, Vec<String>) {
        let (mut arrows, mut lost) = (Arrows::new(), Vec::new());
        for (id, module) in self.all.iter().enumerate() {
            let out = arrows.entry(module.file.clone()).or_default();
            let imports = module.imports.iter().filter(|import| !import.public).map(|import| (&import.path, true));
            for (path, import) in imports.chain(module.paths.iter().map(|path| (path, false))) {
                let found = self.resolve(id, path, import, &mut BTreeSet::new());
                if found.is_empty() && self.is_ours(module, path) {
                    lost.push(format!("{}: {}", module.file, path.join("::")));
                }
                let files = found.into_iter().filter_map(|found| match found {
                    Found::Item(file) => Some(file),
                    Found::Module(_) | Found::Foreign => None,
                });
                for file in files.filter(|file| *file != module.file) {
                    out.entry(file).or_default().insert(path.join("::"));
                }
            }
        }
        (arrows, lost)
    }

    fn is_ours(&self, module: &Module, path: &Words) -> bool {
        match path[0].as_str() {
            "crate" | "super" => true,
            "self" => path.len() > 1,
            first => path.len() > 1 && !module.children.contains_key(first) && self.crates.contains_key(first),
        }
    }

    /// `seen` are the questions under way: what asks itself has no answer. A crate alone is no path of a body, but a
    /// variable that is called like one.
    fn resolve(&self, from: usize, path: &Words, import: bool, seen: &mut BTreeSet<(usize, Words)>) -> BTreeSet<Found> {
        if !seen.insert((from, path.clone())) {
            return BTreeSet::new();
        }
        let supers = path.iter().take_while(|word| *word == "super").count();
        let (first, rest) = match path[0].as_str() {
            "crate" => (BTreeSet::from([Found::Module(self.all[from].root)]), &path[1..]),
            "self" => (BTreeSet::from([Found::Module(from)]), &path[1..]),
            "super" => {
                let above = (0..supers).fold(from, |at, _| self.all[at].parent.unwrap_or(at));
                (BTreeSet::from([Found::Module(above)]), &path[supers..])
            }
            word => {
                let here = self.look_up(from, word, path.len() == 1, seen);
                let krate = self.crates.get(word).filter(|_| here.is_empty() && (import || path.len() > 1));
                let foreign = (here.is_empty() && import).then_some(Found::Foreign);
                let other = krate.map(|root| Found::Module(*root)).or(foreign);
                (here.into_iter().chain(other).collect(), &path[1..])
            }
        };
        rest.iter().enumerate().fold(first, |found, (i, word)| self.step(&found, word, i + 1 == rest.len(), seen))
    }

    /// One word further. What is inside an item (a variant, a method) is the item.
    fn step(
        &self,
        found: &BTreeSet<Found>,
        word: &str,
        last: bool,
        seen: &mut BTreeSet<(usize, Words)>,
    ) -> BTreeSet<Found> {
        let mut out = BTreeSet::new();
        for one in found {
            match one {
                Found::Item(_) | Found::Foreign => out.extend([one.clone()]),
                Found::Module(id) => out.extend(self.look_up(*id, word, last, seen)),
            }
        }
        out
    }

    /// A name in a module, through as many `use` as it takes. One name may be a module and a function: only the module
    /// leads on.
    fn look_up(&self, id: usize, word: &str, last: bool, seen: &mut BTreeSet<(usize, Words)>) -> BTreeSet<Found> {
        let module = &self.all[id];
        let mut found = BTreeSet::new();
        found.extend(module.items.contains(word).then(|| Found::Item(module.file.clone())));
        found.extend(module.children.get(word).map(|child| Found::Module(*child)));
        for import in module.imports.iter().filter(|import| import.name == word) {
            found.extend(self.resolve(id, &import.path, true, seen));
        }
        if found.is_empty() {
            for import in module.imports.iter().filter(|import| import.name == "*") {
                let all = self.resolve(id, &import.path, true, seen);
                found.extend(self.step(&all, word, last, seen));
            }
        }
        if found.is_empty() && module.by_macro && !self.crates.contains_key(word) {
            found.insert(Found::Item(module.file.clone()));
        }
        let is_module = |found: &Found| matches!(found, Found::Module(_));
        if !last && found.iter().any(is_module) {
            found.retain(is_module);
        }
        found
    }
}

/// Files that lead to each other, each group once.
pub(crate) fn circles(arrows: &Arrows) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> = arrows.keys().map(|file| (file, reach(arrows, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, there) in &reached {
        let circle: BTreeSet<String> =
            there.iter().filter(|other| reached[*other].contains(file)).map(|other| (*other).clone()).collect();
        circles.extend((!circle.is_empty()).then_some(circle));
    }
    circles.into_iter().collect()
}

/// Everything that a file leads to, itself only on a circle.
fn reach<'a>(arrows: &'a Arrows, from: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut left) = (BTreeSet::new(), vec![from]);
    while let Some(file) = left.pop() {
        left.extend(arrows[file].keys().filter(|next| seen.insert(*next)));
    }
    seen
}

/// The shortest way from one of the first to one of the second, file by file with the names that lead on.
pub(crate) fn way(arrows: &Arrows, from: impl Fn(&str) -> bool, to: impl Fn(&str) -> bool) -> Option<String> {
    let mut ways: VecDeque<Vec<&String>> =
        arrows.keys().filter(|file| from(file) && !to(file)).map(|file| vec![file]).collect();
    let mut seen: BTreeSet<&String> = ways.iter().map(|way| way[0]).collect();
    while let Some(way) = ways.pop_front() {
        let last = way[way.len() - 1];
        for next in arrows.get(last).into_iter().flat_map(BTreeMap::keys).filter(|next| seen.insert(next)) {
            let further: Vec<&String> = way.iter().copied().chain([next]).collect();
            if to(next) {
                return Some(
                    further.windows(2).map(|pair| arrow(arrows, pair[0], pair[1])).collect::<Vec<_>>().join("\n"),
                );
            }
            ways.push_back(further);
        }
    }
    None
}

/// A circle as its arrows.
pub(crate) fn show(arrows: &Arrows, circle: &BTreeSet<String>) -> String {
    let mut lines = Vec::new();
    for from in circle {
        let inside = arrows[from].keys().filter(|to| circle.contains(*to));
        lines.extend(inside.map(|to| arrow(arrows, from, to)));
    }
    lines.join("\n")
}

fn arrow(arrows: &Arrows, from: &str, to: &str) -> String {
    let names: Vec<&str> = arrows[from][to].iter().map(String::as_str).collect();
    format!("  {} -> {}: {}", from, to, names.join(", "))
}
