//! What people may call an object in a question.

use shared::ids::BackupUid;

/// Its name, or namespace and name.
pub(crate) fn is_named(text: &str, namespace: &str, name: &str) -> bool {
    name == text || text.split_once('/') == Some((namespace, name))
}

/// The same, or its uid.
pub(crate) fn is_called(text: &str, uid: &BackupUid, namespace: &str, name: &str) -> bool {
    uid.as_str() == text || is_named(text, namespace, name)
}
