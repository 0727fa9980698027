//! What planes say of themselves: a few of them in an answer, each packed as it came.

use super::file_of;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use shared::{pack::unpack, plane_name::file_stem};
use shell::redact;
use std::collections::BTreeMap;

/// What a reader finds there.
pub const PLANES_TELL: &str = "what each plane knows of itself: version, configuration, ledger, attempts and what they hold, budgets, metrics, the \
                               last lines of its log, the last steps of its machines";

/// Planes of one answer.
pub const PLANES_AT_ONCE: usize = 8;

/// Longest words of one plane when unpacked: twenty times what they take packed.
const TOLD_BYTES: usize = 8 * 1024 * 1024;

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// By plane: what it says, packed, or why it says nothing.
    pub planes: BTreeMap<String, Result<String, String>>,
    /// Behind whom to ask on; `None`: these were the last.
    pub next: Option<String>,
}

/// The files of a page, and the planes that say nothing, each with why.
type Read = (Vec<(String, String)>, Vec<(String, String)>);

impl Page {
    /// As it is answered.
    pub(crate) fn value(self) -> Value {
        json!(self)
    }

    /// The files of the planes that have said something; which have not, and why.
    pub fn files(&self) -> Read {
        let (mut files, mut silent) = (Vec::new(), Vec::new());
        for (plane, told) in &self.planes {
            match told.clone().and_then(|packed| parts(&packed)) {
                Ok(parts) => {
                    let folder = format!("planes/{}", file_stem(plane));
                    files.extend(
                        parts.iter().map(|(part, field)| file_of(&format!("{folder}/{}", file_stem(part)), field)),
                    );
                }
                Err(why) => silent.push((plane.clone(), why)),
            }
        }
        (files, silent)
    }
}

/// What was answered; `None`: it is no such answer.
pub fn page(answer: &Value) -> Option<Page> {
    serde_json::from_value(answer.clone()).ok()
}

fn parts(packed: &str) -> Result<Map<String, Value>, String> {
    let text = unpack(packed, TOLD_BYTES).map_err(|error| format!("what it said cannot be unpacked: {error}"))?;
    match serde_json::from_slice(&text).map(redact::value) {
        Ok(Value::Object(parts)) => Ok(parts),
        Ok(_) | Err(_) => Err("what it said is no list of parts".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::pack::pack;

    #[test]
    fn what_planes_say_becomes_files_and_who_is_silent_is_named() {
        let said = json!({"log": ["one", "password=hunter2"], "../ledger": {"epochs": {}}});
        let told = |text: &str| Ok(pack(text.as_bytes()));
        let planes = BTreeMap::from([
            ("az1".to_owned(), told(&said.to_string())),
            ("eks/az2".to_owned(), told(&said.to_string())),
            ("az3".to_owned(), Err("it is not connected".to_owned())),
            ("az4".to_owned(), told("7")),
            ("az5".to_owned(), Ok("?".to_owned())),
        ]);
        let answered = Page { planes, next: Some("az5".to_owned()) };
        let read = page(&answered.clone().value()).unwrap();
        assert_eq!(read, answered);
        let (files, silent) = read.files();
        let files: BTreeMap<_, _> = files.into_iter().collect();
        assert_eq!(files.len(), 4, "{files:?}");
        assert_eq!(files["planes/az1/log.txt"], "one\npassword=(removed)\n");
        assert!(files.keys().all(|name| name.matches('/').count() == 2 && !name.contains("..")), "{files:?}");
        let silent: Vec<_> = silent.iter().map(|(plane, _)| plane.as_str()).collect();
        assert_eq!(silent, ["az3", "az4", "az5"]);
        assert_eq!(page(&json!({"planes": 7})), None);
    }
}
