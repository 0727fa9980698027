//! Configuration in layers: defaults, one YAML file, `ISOCHRON_…` variables; and where each value came from.
//!
//! A program's configuration is one serde struct with `#[serde(default, deny_unknown_fields)]` at every level. Every key
//! must stand in its serialised default (no `skip_serializing_if`, no section that is `None`), because that is the list
//! of keys. The variable of `quic.maxSessions` (or `quic.max_sessions`) is `ISOCHRON_QUIC_MAX_SESSIONS`.

use crate::yaml;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use shared::{reason::cut, wire::TEXT_MAX};
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

#[cfg(test)]
mod tests;

/// Begins the name of every variable.
pub const ENV_PREFIX: &str = "ISOCHRON";

/// Largest file that is read; a configuration is a few kilobytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Neither file nor variable says anything.
    Default,
    /// The configuration file.
    File(PathBuf),
    /// A variable, by its name.
    Env(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "${name}"),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read {path}: check --config")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Unknown key, wrong type or no YAML; says the line.
    #[error("{path}: {message}")]
    File {
        /// Which.
        path: PathBuf,
        /// What, at which line and column.
        message: String,
    },
    /// A variable's value does not fit its key.
    #[error("${name}={value:?} does not fit {key}: {message}")]
    Env {
        /// Which variable.
        name: String,
        /// Its value.
        value: String,
        /// The key it stands for.
        key: String,
        /// Why not.
        message: String,
    },
    /// Two keys have one variable, or the default cannot be written: a fault in the program.
    #[error("configuration of this program is wrong: {0}")]
    Program(String),
}

/// A configuration and where each of its values came from.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// What holds.
    pub value: T,
    /// By key (`quic.listen`), every key there is.
    pub sources: BTreeMap<String, Source>,
    /// `ISOCHRON_…` variables that are no key of this program. Not an error: Kubernetes makes such for Services.
    pub unused: Vec<String>,
    tree: Value,
}

/// Reads the layers. `env` is usually `std::env::vars()`.
pub fn load<T>(file: Option<&Path>, env: impl IntoIterator<Item = (String, String)>) -> Result<Loaded<T>, ConfigError>
where
    T: Serialize + DeserializeOwned + Default,
{
    let text = file.map(|path| text_of(path).map(|text| (path, text))).transpose()?;
    merge(text.as_ref().map(|(path, text)| (*path, text.as_str())), env)
}

/// The layers in one: what the file of this path says, under what the variables say.
pub fn merge<T>(
    file: Option<(&Path, &str)>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded<T>, ConfigError>
where
    T: Serialize + DeserializeOwned + Default,
{
    let mut tree = tree_of(&T::default())?;
    let mut sources = BTreeMap::new();
    leaves(&tree, &mut Vec::new(), &mut |path, _| {
        sources.insert(path.join("."), Source::Default);
    });
    let variables = variables(&tree)?;
    if let Some((path, text)) = file {
        let (value, given) = read::<T>(path, text)?;
        tree = tree_of(&value)?;
        for key in sources.iter_mut().filter(|(key, _)| names(&given, key)) {
            *key.1 = Source::File(path.to_owned());
        }
    }
    let mut unused = Vec::new();
    let env: BTreeMap<String, String> =
        env.into_iter().filter(|(name, _)| name.starts_with(&format!("{ENV_PREFIX}_"))).collect();
    for (name, text) in env {
        let Some(path) = variables.get(&name) else {
            unused.push(name);
            continue;
        };
        tree = overlay::<T>(&tree, path, &name, &text)?;
        sources.insert(path.join("."), Source::Env(name));
    }
    let value = T::deserialize(&tree).map_err(|error| ConfigError::Program(error.to_string()))?;
    Ok(Loaded { value, sources, unused, tree })
}

/// The variable of a key.
pub fn variable(path: &[String]) -> String {
    let mut name = ENV_PREFIX.to_owned();
    for key in path {
        name.push('_');
        let mut before = '_';
        for letter in key.chars() {
            if letter.is_ascii_uppercase() && before.is_ascii_lowercase() {
                name.push('_');
            }
            name.push(if letter == '-' { '_' } else { letter.to_ascii_uppercase() });
            before = letter;
        }
    }
    name
}

impl<T> Loaded<T> {
    /// What `--print-config` prints: YAML that may be used as a file again, each value with its source behind it.
    pub fn print(&self) -> String {
        let mut lines = Vec::new();
        self.lines(&self.tree, &mut Vec::new(), &mut lines);
        let width = lines.iter().filter(|(_, source)| source.is_some()).map(|(text, _)| text.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (line, source) in lines {
            match source {
                Some(source) => text += &format!("{line:width$}  # {source}\n"),
                None => text += &format!("{line}\n"),
            }
        }
        text
    }

    fn lines<'a>(&'a self, value: &Value, path: &mut Vec<String>, lines: &mut Vec<(String, Option<&'a Source>)>) {
        let Value::Object(section) = value else { return };
        for (key, value) in section {
            let indent = "  ".repeat(path.len());
            path.push(key.clone());
            if is_section(value) {
                lines.push((format!("{indent}{key}:"), None));
                self.lines(value, path, lines);
            } else {
                // JSON is YAML, on one line whatever the value is.
                lines.push((format!("{indent}{key}: {value}"), self.sources.get(&path.join("."))));
            }
            path.pop();
        }
    }
}

fn tree_of<T: Serialize>(value: &T) -> Result<Value, ConfigError> {
    serde_json::to_value(value).map_err(|error| ConfigError::Program(error.to_string()))
}

/// A map with keys is a section; an empty one is a value (a map that a user may fill).
fn is_section(value: &Value) -> bool {
    value.as_object().is_some_and(|section| !section.is_empty())
}

fn leaves(value: &Value, path: &mut Vec<String>, visit: &mut impl FnMut(&[String], &Value)) {
    match value {
        Value::Object(section) if is_section(value) => {
            for (key, value) in section {
                path.push(key.clone());
                leaves(value, path, visit);
                path.pop();
            }
        }
        _ => visit(path, value),
    }
}

fn variables(defaults: &Value) -> Result<BTreeMap<String, Vec<String>>, ConfigError> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut clash = None;
    leaves(defaults, &mut Vec::new(), &mut |path, _| {
        let name = variable(path);
        if let Some(other) = found.insert(name.clone(), path.to_vec()) {
            clash = Some(format!("{} and {} are both ${name}", other.join("."), path.join(".")));
        }
    });
    clash.map_or(Ok(found), |clash| Err(ConfigError::Program(clash)))
}

fn text_of(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > MAX_FILE_BYTES {
        return Err(failed(std::io::Error::other(format!("{size} bytes are over the limit of {MAX_FILE_BYTES}"))));
    }
    std::fs::read_to_string(path).map_err(failed)
}

/// The file as the program's struct (which refuses unknown keys, with their line) and as it was written.
fn read<T: DeserializeOwned + Default>(path: &Path, text: &str) -> Result<(T, Value), ConfigError> {
    let wrong = |error| ConfigError::File { path: path.to_owned(), message: yaml::told(&error) };
    let given: Value = yaml::read(text).map_err(wrong)?;
    if given.is_null() {
        // A file of comments only.
        return Ok((T::default(), given));
    }
    Ok((yaml::read(text).map_err(wrong)?, given))
}

fn names(given: &Value, key: &str) -> bool {
    key.split('.').try_fold(given, |value, key| value.get(key)).is_some()
}

/// The tree with one variable in it. Its text is read as YAML (numbers, booleans, `[a, b]`), else as it stands, else as
/// a list with commas: whichever the program's struct takes first.
fn overlay<T: DeserializeOwned>(tree: &Value, path: &[String], name: &str, text: &str) -> Result<Value, ConfigError> {
    let list = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect();
    let yaml = yaml::read::<Value>(text).ok();
    let mut message = None;
    for candidate in yaml.into_iter().chain([Value::from(text), Value::Array(list)]) {
        let mut tried = tree.clone();
        let Some(place) = path.iter().try_fold(&mut tried, |value, key| value.get_mut(key)) else { break };
        *place = candidate;
        match T::deserialize(&tried) {
            Ok(_) => return Ok(tried),
            Err(error) => message.get_or_insert(error.to_string()),
        };
    }
    Err(ConfigError::Env {
        name: name.to_owned(),
        value: cut(text.to_owned(), TEXT_MAX),
        key: path.join("."),
        message: cut(message.unwrap_or_default(), TEXT_MAX),
    })
}
