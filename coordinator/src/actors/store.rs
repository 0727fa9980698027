//! Records and claims as ledger objects: JSON with the writer and the number of the save, so that a save whose outcome
//! is unknown can be read back (DESIGN §5).

use crate::ports::{Ledger, LedgerKey, PortError, Version};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use shell::driver::FenceError;
use std::sync::Arc;

/// This process, as the writer of ledger objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Writer(pub String);

/// A ledger object's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored<T> {
    /// Shape of the body.
    pub format: u16,
    /// Who wrote it.
    pub writer: Writer,
    /// Grows with every save of this writer.
    pub save: u64,
    /// What is stored.
    pub body: T,
}

/// The only format there is.
const FORMAT: u16 = 1;

impl<T: Serialize + DeserializeOwned> Stored<T> {
    /// Reads an object's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let stored: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if stored.format != FORMAT {
            return Err(format!("format {} is not known to this version", stored.format));
        }
        Ok(stored)
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

impl Slot {
    pub(super) fn new(ledger: Arc<dyn Ledger>, key: LedgerKey, writer: Writer, version: Option<Version>) -> Self {
        Self { ledger, key, writer, save: 0, version }
    }

    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Writes by compare-and-set. A save that conflicts, or whose outcome is unknown, is read back: our own writer and
    /// number there mean that it succeeded.
    pub(super) async fn save<T: Serialize>(&mut self, body: &T) -> Result<(), FenceError> {
        self.save += 1;
        let stored = Stored { format: FORMAT, writer: self.writer.clone(), save: self.save, body };
        let text = serde_json::to_string(&stored).map_err(|error| FenceError::Lost(error.to_string()))?;
        match self.ledger.write(&self.key, &text, self.version.as_ref()).await {
            Ok(version) => {
                self.version = Some(version);
                Ok(())
            }
            Err(error) => self.read_back(error).await,
        }
    }

    async fn read_back(&mut self, error: PortError) -> Result<(), FenceError> {
        let entry = match self.ledger.read(&self.key).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return Err(FenceError::Lost(format!("{error}; nothing is stored"))),
            Err(second) => return Err(FenceError::Unknown(format!("{error}; reading back: {second}"))),
        };
        let stored: Stored<serde_json::Value> = Stored::parse(&entry.body).map_err(FenceError::Lost)?;
        if stored.writer == self.writer && stored.save == self.save {
            self.version = Some(entry.version);
            return Ok(());
        }
        Err(FenceError::Lost(format!("{error}; stored is save {} of another writer or time", stored.save)))
    }
}
