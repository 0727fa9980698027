//! The search, the same for every model: all of its states, and the way to a rule that broke.

use stateright::{Checker, Expectation, HasDiscoveries, Model};
use std::{fmt::Debug, hash::Hash};

/// Searches every state. `seen`: what has to happen on the way; `at_least`: states, so that a model which has lost its
/// way is noticed; `why`: what there is to say of the state in which a rule broke.
pub(crate) fn search<M>(model: M, seen: &[&'static str], at_least: usize, why: impl Fn(&M, &M::State) -> String)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
    M::Action: Clone + Debug + PartialEq + 'static,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = std::time::Instant::now();
    let checker = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let states = checker.unique_state_count();
    eprintln!("{states} states, {} steps, {:?}", checker.state_count(), begun.elapsed());
    for property in checker.model().properties().iter().filter(|property| property.expectation == Expectation::Always) {
        if let Some(path) = checker.discovery(property.name) {
            let path = path.into_vec();
            let steps: String =
                path.iter().flat_map(|(_, action)| action).map(|action| format!("  {action:?}\n")).collect();
            let why = path.last().map(|(state, _)| why(checker.model(), state)).unwrap_or_default();
            panic!("broken: {}\n{steps}{why}", property.name);
        }
    }
    for name in seen {
        assert!(checker.discovery(name).is_some(), "{name}: never");
    }
    assert!(states >= at_least, "{states} states, at least {at_least} were expected: what is no longer reached?");
}
