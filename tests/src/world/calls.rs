//! Calls of AWS that planes made, in their order, and one whose answer is lost on its way back.

use plane_actor::ports::CloudError;
use std::collections::BTreeMap;

/// Calls kept of a plane; it makes some hundred for a backup.
const KEPT: usize = 100_000;

/// All of them.
#[derive(Default)]
pub(crate) struct Calls {
    /// By plane.
    made: BTreeMap<String, Vec<&'static str>>,
    /// Of which plane, and its how-manieth call.
    lost: Option<(String, usize)>,
}

impl Calls {
    /// A call is made: its number among this plane's.
    pub(crate) fn called(&mut self, plane: &str, action: &'static str) -> usize {
        let of_plane = self.made.entry(plane.to_owned()).or_default();
        let number = of_plane.len();
        if number < KEPT {
            of_plane.push(action);
        }
        number
    }

    /// What of its answer arrives.
    pub(crate) fn replied<T>(
        &self,
        plane: &str,
        number: usize,
        answer: Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        match &self.lost {
            Some((by, lost)) if by == plane && *lost == number => {
                Err(CloudError::OutcomeUnknown("connection reset before the reply".to_owned()))
            }
            _ => answer,
        }
    }

    /// Every call that this plane has begun.
    pub(crate) fn of(&self, plane: &str) -> Vec<&'static str> {
        self.made.get(plane).cloned().unwrap_or_default()
    }

    /// The answer to this call, counted from 0, is lost; what it asked for happens.
    pub(crate) fn lose(&mut self, plane: &str, number: usize) {
        self.lost = Some((plane.to_owned(), number));
    }
}
