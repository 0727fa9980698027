//! YAML files as users write them: several documents in a file, VolumeBackups, VolumeBackupSchedules and VolumeRestores among
//! them.
//! Errors name the line.

use super::super::kube::crd::{API_VERSION, BackupSpec, KIND, RESTORE_KIND, RestoreSpec, SCHEDULE_KIND, ScheduleSpec};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use shared::{reason::cut, wire::TEXT_MAX};
use shell::yaml;

/// Most documents of one file, as many as there may be files: each costs some memory and a line of the log.
const MAX_DOCUMENTS: usize = 10_000;

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A VolumeBackup.
    Backup,
    /// A VolumeBackupSchedule.
    Schedule,
    /// A VolumeRestore.
    Restore,
}

impl Kind {
    fn of(api_version: &str, kind: &str) -> Option<Self> {
        match kind {
            _ if api_version != API_VERSION => None,
            KIND => Some(Self::Backup),
            SCHEDULE_KIND => Some(Self::Schedule),
            RESTORE_KIND => Some(Self::Restore),
            _ => None,
        }
    }
}

/// One object as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// `default` where it names none.
    pub namespace: String,
    /// Of the object.
    pub name: String,
    /// Where it begins in its file, from 1.
    pub line: usize,
    /// The whole document.
    pub manifest: Value,
    /// Why its spec cannot be understood, with the line.
    pub problem: Option<String>,
}

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Of the file, from 1.
    pub line: usize,
    /// In one line, at most [`TEXT_MAX`] bytes.
    pub text: String,
}

impl Fault {
    fn new(line: usize, text: String) -> Self {
        Self { line, text: cut(text, TEXT_MAX) }
    }
}

/// A file that could be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Those of our kinds.
    pub documents: Vec<Document>,
    /// Documents of other kinds.
    pub ignored: Vec<Fault>,
}

/// Reads a file. One document that is no YAML, or does not say whose it is, makes the whole file unreadable: what is
/// missing from it cannot be told from what was deleted.
pub fn parse(text: &str) -> Result<Parsed, Fault> {
    let mut parsed = Parsed::default();
    let documents = split(text);
    if let Some((line, _)) = documents.get(MAX_DOCUMENTS) {
        let text = format!("the file has {} documents; at most {MAX_DOCUMENTS} are read", documents.len());
        return Err(Fault::new(*line, text));
    }
    for (line, document) in documents {
        let manifest: Value = yaml::read(&document).map_err(|error| fault(&error, line))?;
        if manifest.is_null() {
            continue;
        }
        let field = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (api_version, kind) = (field("/apiVersion"), field("/kind"));
        let Some(kind) = Kind::of(api_version, kind) else {
            let text = format!(
                "apiVersion {api_version:?}, kind {kind:?} is no {KIND}, {SCHEDULE_KIND} or {RESTORE_KIND} of {API_VERSION}; ignored"
            );
            parsed.ignored.push(Fault::new(line, text));
            continue;
        };
        let name = field("/metadata/name").to_owned();
        let namespace = match field("/metadata/namespace") {
            "" => "default".to_owned(),
            namespace => namespace.to_owned(),
        };
        check_names(&namespace, &name).map_err(|text| Fault::new(line, text))?;
        let problem = match kind {
            Kind::Backup => problem::<BackupSpec>(&document, &manifest, line),
            Kind::Schedule => problem::<ScheduleSpec>(&document, &manifest, line),
            Kind::Restore => problem::<RestoreSpec>(&document, &manifest, line),
        };
        let problem = problem.map(|fault| format!("line {}: {}", fault.line, fault.text));
        parsed.documents.push(Document { kind, namespace, name, line, manifest, problem });
    }
    Ok(parsed)
}

/// Documents with the number of their first line. A line that begins with `---` parts documents wherever it stands, by
/// YAML's own rules; what follows it on the line belongs to the next document.
fn split(text: &str) -> Vec<(usize, String)> {
    let mut documents = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        let marker = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        if let Some(rest) = marker {
            documents.push((index + 1, format!("{rest}\n")));
        } else if let Some((_, document)) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents
}

/// Why the spec is not one of its kind.
fn problem<S: Serialize + DeserializeOwned>(document: &str, manifest: &Value, line: usize) -> Option<Fault> {
    #[derive(Deserialize)]
    struct Shape<S> {
        spec: S,
    }
    let shape: Shape<S> = match yaml::read(document) {
        Ok(shape) => shape,
        Err(error) => return Some(fault(&error, line)),
    };
    let known = serde_json::to_value(&shape.spec).unwrap_or_default();
    let stray = stray("spec", manifest.get("spec")?, &known)?;
    // As kubectl refuses it: a field that nobody reads is a wish that nobody grants.
    Some(Fault::new(line, format!("unknown field {stray}")))
}

/// The first field of `given` that the type did not take.
fn stray(path: &str, given: &Value, known: &Value) -> Option<String> {
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => {
            given.iter().filter(|(_, value)| !value.is_null()).find_map(|(name, value)| match known.get(name) {
                Some(known) => stray(&format!("{path}.{name}"), value, known),
                None => Some(format!("{path}.{name}")),
            })
        }
        (Value::Array(given), Value::Array(known)) => given
            .iter()
            .zip(known)
            .enumerate()
            .find_map(|(index, (given, known))| stray(&format!("{path}[{index}]"), given, known)),
        _ => None,
    }
}

/// As an API server has it: a DNS label and a DNS subdomain. They become file names.
fn check_names(namespace: &str, name: &str) -> Result<(), String> {
    let label = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    if name.is_empty() {
        return Err("metadata.name is missing, or is no text: put it in quotes".to_owned());
    }
    // Together with the file suffixes below the 255 bytes that a file name may have.
    if !name.split('.').all(label) || name.len() > 180 {
        return Err(format!("metadata.name {name:?} must be of a-z, 0-9, '-' and '.', at most 180 characters"));
    }
    if !label(namespace) || namespace.len() > 63 {
        return Err(format!("metadata.namespace {namespace:?} must be of a-z, 0-9 and '-', at most 63 characters"));
    }
    Ok(())
}

/// `document`: the line of the file on which the parser's first line stands.
fn fault(error: &serde_saphyr::Error, document: usize) -> Fault {
    let before = document.saturating_sub(1);
    let line = error.location().and_then(|at| usize::try_from(at.line()).ok()).filter(|line| *line > 0);
    let options = serde_saphyr::render_options! { line_offset: before as u64 };
    // The first line is the cause; the others draw the place, which we name ourselves.
    let text = error.without_snippet().render_with_options(options);
    let text = text.lines().next().unwrap_or_default().to_owned();
    Fault::new(line.map_or(document, |line| before.saturating_add(line)), text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
