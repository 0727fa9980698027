//! Exit statuses of the console, for scripts. 0: it went well.

use crate::checking::Outcome;

/// All of them, for `--help` and the manual page.
pub(crate) const MEANING: &str = "Exit status: 0 it went well; 1 the coordinator says no, or a check was refused; 2 wrong use; 3 no \
    coordinator answered, or none that leads; 4 the backup that was watched ended badly; 5 its time was over.";

/// The coordinator answered that it cannot, or a check was refused.
pub(crate) const FAILED: u8 = 1;
/// The flags and the configuration name no coordinator; as clap says of a wrong command.
pub(crate) const WRONG_USE: u8 = 2;
/// No coordinator answered, or none that leads.
pub(crate) const NOT_REACHED: u8 = 3;
/// The backup that was watched ended badly.
pub(crate) const ENDED_BADLY: u8 = 4;
/// It had not ended, or was not fine, when the time was over.
pub(crate) const TIMED_OUT: u8 = 5;

/// A failure, and the status that says it.
pub(crate) type Failure = (u8, String);

/// What came of it, as a failure if it is one.
pub(crate) fn told(outcome: Outcome) -> Result<(), Failure> {
    match outcome {
        Outcome::Fine => Ok(()),
        Outcome::Refused(why) => Err((FAILED, why)),
        Outcome::NotReached(why) => Err((NOT_REACHED, why)),
        Outcome::TimedOut(why) => Err((TIMED_OUT, why)),
    }
}
