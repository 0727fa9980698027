use super::*;
use crate::{
    fixtures,
    ports::{Entry, Noted},
};
use async_trait::async_trait;
use shared::{
    ids::ClusterId,
    reason::{Reason, Refusal},
};
use std::sync::Mutex;

/// What happens to the next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Somebody put a label on the object.
    Labelled,
    /// Another process saved it.
    Overtaken,
    /// It happens, but no answer comes.
    Mute,
    /// It does not happen, and no answer comes.
    Lost,
    /// It is too large.
    Refused,
}

#[derive(Default)]
struct One {
    text: Mutex<Option<(String, u64)>>,
    next: Mutex<Vec<Next>>,
    writes: Mutex<u32>,
}

impl One {
    fn next(&self, next: &[Next]) {
        self.next.lock().unwrap().extend(next);
    }

    fn entry(&self, key: &LedgerKey) -> Option<Entry> {
        let kept = self.text.lock().unwrap().clone();
        kept.map(|(body, version)| Entry { key: key.clone(), body, version: Version(version.to_string()) })
    }
}

#[async_trait]
impl Ledger for One {
    async fn records(&self) -> Result<Vec<Noted>, PortError> {
        Ok(Vec::new())
    }

    async fn claims(&self) -> Result<Vec<Entry>, PortError> {
        Ok(Vec::new())
    }

    async fn restores(&self) -> Result<Vec<Entry>, PortError> {
        Ok(Vec::new())
    }
    async fn read(&self, key: &LedgerKey) -> Result<Option<Entry>, PortError> {
        Ok(self.entry(key))
    }

    async fn write(&self, key: &LedgerKey, text: &Text<'_>, expected: Option<&Version>) -> Result<Version, PortError> {
        *self.writes.lock().unwrap() += 1;
        let next = self.next.lock().unwrap().pop();
        let mut kept = self.text.lock().unwrap();
        match (next, kept.as_mut()) {
            (Some(Next::Labelled), Some((_, version))) => *version += 1,
            (Some(Next::Overtaken), Some((body, version))) => {
                *body = Stored { writer: Writer("another".to_owned()), save: 1, body: &7 }.text().unwrap();
                *version += 1;
            }
            (Some(Next::Lost), _) => return Err(PortError::Unavailable("no answer".to_owned())),
            (Some(Next::Refused), _) => return Err(Refusal::new(Reason::TooLarge, format!("{key:?}")).into()),
            _ => {}
        }
        let now = kept.as_ref().map(|(_, version)| Version(version.to_string()));
        if now.as_ref() != expected {
            return Err(PortError::Conflict("another version".to_owned()));
        }
        let version = kept.as_ref().map_or(1, |(_, version)| version + 1);
        *kept = Some((text.body.to_owned(), version));
        if next == Some(Next::Mute) {
            return Err(PortError::Unavailable("no answer".to_owned()));
        }
        Ok(Version(version.to_string()))
    }

    async fn may_write(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn delete(&self, _: &LedgerKey, _: &Version) -> Result<(), PortError> {
        Ok(())
    }
}

fn claim(epoch: u64) -> Claim {
    Claim { cluster: ClusterId(7), epoch: shared::epoch::Epoch(epoch), live: None }
}

fn slot(one: &Arc<One>) -> Slot {
    let key = LedgerKey::Claim(ClusterId(7));
    let version = one.entry(&key).map(|entry| entry.version);
    Slot::new(one.clone(), key, &Writer("me".to_owned()), version)
}

fn stored(one: &One) -> Claim {
    Stored::parse(&one.entry(&LedgerKey::Claim(ClusterId(7))).unwrap().body).unwrap().body
}

#[tokio::test]
async fn a_label_that_somebody_puts_there_costs_one_more_write() {
    let one = Arc::new(One::default());
    let mut slot = slot(&one);
    for epoch in 1..4 {
        one.next(&[Next::Labelled]);
        slot.save(&Arc::new(claim(epoch))).await.unwrap();
        assert_eq!(stored(&one), claim(epoch));
    }
    assert_eq!(*one.writes.lock().unwrap(), 1 + 2 + 2);
    one.next(&[Next::Labelled, Next::Labelled]);
    assert!(matches!(slot.save(&Arc::new(claim(9))).await, Err(FenceError::Lost(_))), "not for ever");
}

#[tokio::test]
async fn another_writer_is_never_written_over() {
    let one = Arc::new(One::default());
    let mut slot = slot(&one);
    slot.save(&Arc::new(claim(1))).await.unwrap();
    one.next(&[Next::Overtaken]);
    assert!(matches!(slot.save(&Arc::new(claim(2))).await, Err(FenceError::Lost(_))));
    assert!(one.text.lock().unwrap().as_ref().unwrap().0.contains("another"));
}

#[tokio::test]
async fn an_answer_that_was_lost_is_looked_up() {
    let one = Arc::new(One::default());
    let mut first = slot(&one);
    one.next(&[Next::Mute]);
    first.save(&Arc::new(claim(1))).await.unwrap();
    one.next(&[Next::Lost]);
    assert!(matches!(first.save(&Arc::new(claim(2))).await, Err(FenceError::Lost(_))));
    // Made anew from what is stored, it counts its saves from the beginning: its first is not the other's first.
    let mut second = slot(&one);
    one.next(&[Next::Lost]);
    assert!(matches!(second.save(&Arc::new(claim(2))).await, Err(FenceError::Lost(_))));
    assert_eq!(stored(&one), claim(1));
}

#[tokio::test]
async fn what_will_never_be_taken_is_not_tried_again() {
    let one = Arc::new(One::default());
    let mut slot = slot(&one);
    one.next(&[Next::Refused]);
    let Err(FenceError::Refused(refusal)) = slot.save(&Arc::new(claim(1))).await else { panic!() };
    assert_eq!(refusal.reason, Reason::TooLarge);
    assert_eq!(*one.writes.lock().unwrap(), 1);
}

#[test]
fn a_record_of_the_version_before_is_read() {
    let stored: Stored<Record> = Stored::parse(include_str!("format1.json")).unwrap();
    let record = stored.body;
    assert_eq!((record.milestone, record.epoch), (shared::barrier::Milestone::Complete, shared::epoch::Epoch(5)));
    assert_eq!(record.certificate.as_ref().map(|certificate| certificate.planes.len()), Some(3));
    // What this version writes of it is the same.
    let text = Stored { body: &record, writer: stored.writer, save: stored.save }.text().unwrap();
    assert_eq!(Stored::<Record>::parse(&text).unwrap().body, record);
    assert!(text.starts_with(r#"{"format":2,"writer":""#), "{text}");
    assert!(text.len() * 2 < include_str!("format1.json").len(), "{}", text.len());
}

#[test]
fn what_is_short_stays_readable_and_what_is_unknown_is_refused() {
    let text = Stored { writer: Writer("w".to_owned()), save: 3, body: &claim(1) }.text().unwrap();
    assert!(text.starts_with(r#"{"format":1,"writer":"w","save":3,"body":{"cluster":7,"#), "{text}");
    for text in [
        r#"{"format":3,"writer":"w","save":1}"#,
        r#"{"format":1,"writer":"w","save":1}"#,
        r#"{"format":2,"writer":"w","save":1,"gzip":"H4sI"}"#,
    ] {
        assert!(Stored::<Claim>::parse(text).is_err(), "{text}");
    }
    assert!(fixtures::record().note().len() < 512);
}
