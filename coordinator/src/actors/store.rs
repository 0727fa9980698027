//! Records and claims as ledger objects: JSON with the writer and the number of the save, so that a save whose outcome
//! is unknown can be read back (`design.md` §5). What is long is packed; who wrote it stays readable.

use crate::{
    aside::aside,
    ports::{Ledger, LedgerKey, PortError, Text, Version},
};
use futures::FutureExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shared::{
    barrier::{Claim, Record, Summary},
    pack::{pack, unpack},
    reason::cut,
    restoring,
    wire::TEXT_MAX,
};
use shell::driver::{FenceError, Performed};
use std::{cell::RefCell, rc::Rc, sync::Arc};

/// A process, as the writer of ledger objects, or one slot of it: `PROCESS/SLOT`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Writer(pub String);

impl Writer {
    /// A slot of this process. What it saves is told from what another slot saves, which has counted the same numbers.
    fn slot(&self) -> Self {
        Self(format!("{}/{}", self.0, uuid::Uuid::new_v4().simple()))
    }

    /// True: it is this process, or a slot of it.
    pub fn is_of(&self, process: &Self) -> bool {
        self.0.split('/').next() == Some(process.0.as_str())
    }
}

/// What a ledger object holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// Who wrote it.
    pub writer: Writer,
    /// Grows with every save of this writer.
    pub save: u64,
    /// What is stored.
    pub body: T,
}

/// The body stands in the text as it is.
const PLAIN: u16 = 1;
/// The body is [`pack`]ed.
const PACKED: u16 = 2;
/// Longer bodies are packed. A claim, or a record before its planes have prepared, can be read as it stands, also by a
/// version that knows no other form.
const PLAIN_MAX: usize = 4096;
/// No record of ours is longer when unpacked: 300 stores of 4 volumes take 0.5 MiB.
const UNPACKED_MAX: usize = 64 * 1024 * 1024;

/// A ledger object's text, as JSON.
#[derive(Serialize, Deserialize)]
struct Form<T> {
    /// Shape of the body.
    format: u16,
    writer: Writer,
    save: u64,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    body: Option<T>,
    /// JSON, packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gzip: Option<String>,
}

/// It quotes a value that is wrong, which may be as long as the text is.
fn wrong(error: serde_json::Error) -> String {
    cut(error.to_string(), TEXT_MAX)
}

fn none<T>() -> Option<T> {
    None
}

impl<T: DeserializeOwned> Stored<T> {
    /// Reads an object's text, of this version or of one before.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Form { format, writer, save, body, gzip } = serde_json::from_str::<Form<T>>(text).map_err(wrong)?;
        let body = match (format, body, gzip) {
            (PLAIN, Some(body), _) => body,
            (PACKED, _, Some(packed)) => {
                let text = unpack(&packed, UNPACKED_MAX).map_err(|error| error.to_string())?;
                serde_json::from_slice(&text).map_err(wrong)?
            }
            (PLAIN | PACKED, ..) => return Err(format!("there is no body of format {format}")),
            _ => return Err(format!("format {format} is not known to this version")),
        };
        Ok(Self { writer, save, body })
    }
}

impl<T: Serialize> Stored<T> {
    /// The text of an object.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        let body = serde_json::to_vec(&self.body)?;
        let (writer, save) = (self.writer.clone(), self.save);
        if body.len() <= PLAIN_MAX {
            return serde_json::to_string(&Form { format: PLAIN, writer, save, body: Some(&self.body), gzip: None });
        }
        let gzip = Some(pack(&body));
        serde_json::to_string(&Form::<()> { format: PACKED, writer, save, body: None, gzip })
    }
}

/// What is stored under a key, with its version.
pub(super) async fn read<T: DeserializeOwned>(
    ledger: &dyn Ledger,
    key: &LedgerKey,
) -> Result<Option<(Stored<T>, Version)>, PortError> {
    let Some(entry) = ledger.read(key).await? else { return Ok(None) };
    let stored = Stored::parse(&entry.body).map_err(PortError::Unavailable)?;
    Ok(Some((stored, entry.version)))
}

/// Writer and number of a text, whatever its body is.
#[derive(Deserialize)]
struct Head {
    writer: Writer,
    save: u64,
}

/// What can be kept in the ledger, and what is noted beside its text.
pub(super) trait LedgerBody: Serialize + Send + Sync + 'static {
    /// Its text takes milliseconds to write and pack: that is done beside the thread of the actors.
    fn is_long(&self) -> bool;

    /// Some hundred bytes that a list shows without the text; empty: nothing.
    fn note(&self) -> String;
}

/// A record of so many planes or stores is packed in less time than another thread takes to wake up.
const FEW: usize = 16;

impl LedgerBody for Record {
    fn is_long(&self) -> bool {
        self.planes.len().max(self.cluster_stores.len()) > FEW
    }

    fn note(&self) -> String {
        // Names and numbers have a JSON form. Without one the record itself is read.
        serde_json::to_string(&Summary::of(self)).unwrap_or_default()
    }
}

impl LedgerBody for restoring::Record {
    fn is_long(&self) -> bool {
        self.planes.values().map(|kept| kept.placed.len()).sum::<usize>() > FEW
    }

    fn note(&self) -> String {
        String::new()
    }
}

impl LedgerBody for Claim {
    fn is_long(&self) -> bool {
        false
    }

    fn note(&self) -> String {
        String::new()
    }
}

/// One object that this actor alone writes, with the version it was last seen at.
pub(super) struct Slot {
    ledger: Arc<dyn Ledger>,
    key: LedgerKey,
    writer: Writer,
    save: u64,
    version: Option<Version>,
}

/// Writes of one save: the second only after somebody had touched the object without changing what we keep in it.
const WRITES: usize = 2;

impl Slot {
    pub(super) fn new(ledger: Arc<dyn Ledger>, key: LedgerKey, writer: &Writer, version: Option<Version>) -> Self {
        Self { ledger, key, writer: writer.slot(), save: 0, version }
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Something was to be saved through it: after a fence that held, something was.
    pub(super) fn is_used(&self) -> bool {
        self.save > 0
    }

    /// Writes by compare-and-set. A save that conflicts, or whose outcome is unknown, is read back: our own writer and
    /// number there mean that it succeeded. Our own save before it, under another version, means that somebody put a
    /// label there or the like, and has not taken over.
    pub(super) async fn save<T: LedgerBody>(&mut self, body: &Arc<T>) -> Result<(), FenceError> {
        self.save += 1;
        let (text, note) = self.texts(body.clone()).await?;
        for _ in 0..WRITES {
            match self.ledger.write(&self.key, &Text { body: &text, note: &note }, self.version.as_ref()).await {
                Ok(version) => {
                    self.version = Some(version);
                    return Ok(());
                }
                Err(PortError::Refused(refusal)) => return Err(FenceError::Refused(refusal)),
                Err(error) => {
                    if self.read_back(error).await? {
                        return Ok(());
                    }
                }
            }
        }
        Err(FenceError::Lost("somebody goes on changing what is stored".to_owned()))
    }

    /// What is to be saved, and its note.
    async fn texts<T: LedgerBody>(&self, body: Arc<T>) -> Result<(String, String), FenceError> {
        let (writer, save, long) = (self.writer.clone(), self.save, body.is_long());
        let write = move || Ok((Stored { writer, save, body: body.as_ref() }.text()?, body.note()));
        let lost = |error: &dyn std::error::Error| FenceError::Lost(error.to_string());
        let written = if long { aside(write).await.map_err(|error| lost(&error))? } else { write() };
        written.map_err(|error: serde_json::Error| lost(&error))
    }

    /// True: the save has happened. False: it may be tried again, on the version that is there now.
    async fn read_back(&mut self, error: PortError) -> Result<bool, FenceError> {
        let entry = match self.ledger.read(&self.key).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Err(FenceError::Lost(format!("{error}; nothing is stored"))),
            Err(second) => return Err(FenceError::Unknown(format!("{error}; reading back: {second}"))),
        };
        let stored: Head =
            serde_json::from_str(&entry.body).map_err(|wrong| FenceError::Lost(format!("{error}; {wrong}")))?;
        let ours = stored.writer == self.writer;
        let moved = self.version.as_ref() != Some(&entry.version);
        if ours && stored.save == self.save {
            self.version = Some(entry.version);
            return Ok(true);
        }
        if ours && stored.save + 1 == self.save && moved && matches!(error, PortError::Conflict(_)) {
            self.version = Some(entry.version);
            return Ok(false);
        }
        Err(FenceError::Lost(format!("{error}; stored is save {} of another writer or time", stored.save)))
    }
}

/// A slot that an actor shares with the save that is under way.
pub(super) type SharedSlot = Rc<RefCell<Option<Slot>>>;

/// Saves before anything that comes after it is done.
pub(super) fn save_first<T: LedgerBody>(slot: &SharedSlot, body: T) -> Performed {
    let (slot, body) = (slot.clone(), Arc::new(body));
    Performed::Fence(
        async move {
            let taken = slot.borrow_mut().take();
            let Some(mut held) = taken else {
                return Err(FenceError::Lost("another save of this record is under way".to_owned()));
            };
            let outcome = held.save(&body).await;
            slot.borrow_mut().replace(held);
            outcome
        }
        .boxed_local(),
    )
}

#[cfg(test)]
mod tests;
