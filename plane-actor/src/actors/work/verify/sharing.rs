//! Does anybody else have a way to the data? EC2 tells it of one snapshot a call, so of many only some are asked, other ones
//! with each verification.

use super::{
    super::question::{Look, Said, Stop},
    snapshots::Shown,
};
use crate::{budgets::Action, ports::Cloud};
use futures::{StreamExt, stream};
use shared::{
    ids::SnapshotId,
    wire::{FindingState, Verify},
};

/// Snapshots asked about: at the ten a second that such calls are planned with, some 15 s.
pub(super) const AT_MOST: usize = 200;
/// At a time.
const AT_ONCE: usize = 4;

pub(super) async fn look(look: &Look<'_>, cloud: &Cloud, ask: &Verify, shown: &Shown) -> Said {
    let there: Vec<&SnapshotId> = shown.here.keys().collect();
    let chosen = turn(&there, ask.number, AT_MOST);
    if chosen.is_empty() {
        return Said::new(FindingState::Unchecked, "no snapshot of the certificate is there to look at");
    }
    let asked = chosen.iter().map(|id| async move {
        let shared = look.ec2(cloud, Action::DescribeByIds, || cloud.ec2.shared_with(id)).await;
        (*id, shared)
    });
    let answers: Vec<(&SnapshotId, Result<Vec<String>, Stop>)> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    said(answers, there.len())
}

fn said(answers: Vec<(&SnapshotId, Result<Vec<String>, Stop>)>, of: usize) -> Said {
    let (asked, mut amiss, mut stopped) = (answers.len(), Vec::new(), None);
    for (id, answer) in answers {
        match answer {
            Ok(others) if others.iter().any(|other| other == "all") => amiss.push(format!("{id} is public")),
            Ok(others) if !others.is_empty() => amiss.push(format!("{id} is shared with {}", others.join(", "))),
            Ok(_) => {}
            Err(stop) => stopped = Some(stop),
        }
    }
    match stopped {
        Some(stop) if amiss.is_empty() => stop.into(),
        _ => Said::all(FindingState::Broken, &amiss, || format!("{asked} of {of} were asked about, none is shared")),
    }
}

/// At most so many, beginning elsewhere with each number.
pub(super) fn turn<T: Clone>(all: &[T], number: u64, most: usize) -> Vec<T> {
    let begin = usize::try_from(number % all.len().max(1) as u64).unwrap_or_default();
    all.iter().cycle().skip(begin).take(all.len().min(most)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::CloudError;

    #[test]
    fn what_is_shared_outweighs_what_was_not_told() {
        let ids = ["a", "b", "c"].map(SnapshotId::new);
        let of = |answers: [Result<Vec<&str>, Stop>; 3]| {
            let told = answers.map(|answer| answer.map(|them| them.into_iter().map(str::to_owned).collect()));
            let Said { state, text } = said(ids.iter().zip(told).collect(), 3);
            (state, text)
        };
        let denied = || Err(Stop::Answer(CloudError::Denied("ec2:DescribeSnapshotAttribute".to_owned())));
        assert_eq!(of([Ok(vec![]), Ok(vec![]), Ok(vec![])]).0, FindingState::Sound);
        assert_eq!(of([Ok(vec![]), denied(), Ok(vec![])]).0, FindingState::Doubtful);
        assert_eq!(of([Ok(vec![]), Err(Stop::Barrier), Ok(vec![])]).0, FindingState::Unchecked);
        let shared = of([Ok(vec!["111122223333"]), denied(), Ok(vec!["all"])]);
        assert_eq!(shared, (FindingState::Broken, "a is shared with 111122223333; c is public".to_owned()));
    }

    #[test]
    fn each_verification_looks_at_others_until_all_had_their_turn() {
        let all: Vec<u32> = (0..10).collect();
        assert_eq!(turn(&all, 0, 4), [0, 1, 2, 3]);
        assert_eq!(turn(&all, 8, 4), [8, 9, 0, 1]);
        assert_eq!(turn(&all, 3, 100).len(), 10);
        assert_eq!(turn::<u32>(&[], 3, 100), Vec::<u32>::new());
    }
}
