//! Frames of QUIC.

use super::laws::{self, NOW};
use serde::{Serialize, de::DeserializeOwned};
use shared::{
    barrier::{Barrier, Input as Told, Record},
    ids::{Attempt, BackupUid, PlaneId},
    member::{Input as Ordered, Member},
    request::Request,
    time::Timestamp,
    wire::{self, CodecError, Down, Hello, Up, Welcome, bounded},
};
use std::fmt::Debug;

/// The one message of a frame; with field names it is written as we write it, and reads the same.
fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let message = match wire::decode::<T>(bytes) {
        Ok(message) => message,
        Err(error) => {
            laws::refused(&error.to_string());
            return None;
        }
    };
    match wire::encode(&message) {
        Ok(again) => {
            assert_eq!(wire::decode::<T>(&again).ok().as_ref(), Some(&message), "it comes back as something else");
            for surplus in [&[0xc0][..], &[0x93], &again] {
                let glued = [&again, surplus].concat();
                assert!(wire::decode::<T>(&glued).is_err(), "two frames in one pass for the first");
            }
        }
        // Without the fields' names more fits into a frame than with them.
        Err(error) => assert!(matches!(error, CodecError::TooLarge { .. }), "{error}"),
    }
    Some(message)
}

/// Coordinator to plane, and a member that is ordered so.
pub(super) fn down(bytes: &[u8]) -> bool {
    let down = read::<Down>(bytes);
    let is_read = down.is_some();
    if let Some(Down::Order { attempt, epoch, order }) = down {
        let told = || Ordered::Order { epoch, order: order.clone() };
        laws::total(&mut Member::new(attempt, None, NOW.at), [Ordered::LinkUp, told(), told(), Ordered::LinkLost]);
    }
    is_read
}

/// Plane to coordinator: what is no plane's word is refused, what is for people is cut, and a barrier takes the rest.
pub(super) fn up(bytes: &[u8]) -> bool {
    let Some(up) = read::<Up>(bytes) else { return false };
    let up = match bounded(up) {
        Ok(up) => up,
        Err(error) => {
            laws::refused(&error.to_string());
            return false;
        }
    };
    assert_eq!(bounded(up.clone()).as_ref(), Ok(&up), "what is bounded stays as it is");
    assert!(!matches!(wire::encode(&up), Err(CodecError::Encode(_))), "{up:?}");
    if let Up::Answer { attempt, epoch, answer } = up {
        let told = |attempt: Attempt| Told::Answer { plane: plane(), attempt, epoch, answer: answer.clone() };
        let ours = Attempt { backup: BackupUid::from("u1"), number: 1 };
        let inputs = [Told::Start, Told::PlaneUp(plane()), told(attempt), told(ours)];
        laws::total(&mut Barrier::new(backup()), inputs);
    }
    true
}

/// Either greeting.
pub(super) fn hello(bytes: &[u8]) -> bool {
    let (hello, welcome) = (read::<Hello>(bytes), read::<Welcome>(bytes));
    hello.is_some() || welcome.is_some()
}

fn plane() -> PlaneId {
    PlaneId::from("az1")
}

/// A backup of one plane that has just begun.
pub(super) fn backup() -> Record {
    let request = Request { backup: BackupUid::from("u1"), ..Request::example(&["az1"]) };
    Record::new(request, Timestamp(NOW.wall.0 - 300))
}
