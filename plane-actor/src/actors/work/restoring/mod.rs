//! Work of a restore: what is behind each order. Each finds what is there already, so that an order that is repeated goes on where
//! the one before it stopped.
//!
//! | Orders | File |
//! |---|---|
//! | `Look` | `look`, of the backup by `folder` |
//! | `Build`, `Warm`, `Undo` | `volumes` |
//! | `Place`, `Start`, `Restart`, `Finish` | `objects`, which volume goes where in `bound` |
//! | `Mark`, `Meet`, `Lead`, `Time`, `RollBack`, `Check`, `Unmark`, `Settle` | `data`, with PD held still by `kept` |

mod bound;
mod data;
mod folder;
mod kept;
mod look;
mod objects;
mod telling;
mod volumes;
mod with;

pub(crate) use telling::Telling;

use crate::actors::plane_context::PlaneContext;
use shared::{
    reason::Refusal,
    restorer::{Done, Work},
    wire::RestoreOrder,
};
use std::rc::Rc;

pub(crate) async fn run(env: Rc<PlaneContext>, work: Work, telling: Telling) -> Result<Done, Refusal> {
    let (env, work, telling) = (env.as_ref(), &work, &telling);
    let answer = match &work.order {
        RestoreOrder::Look => look::look(env, work).await,
        RestoreOrder::Build => volumes::build(env, work, telling).await,
        RestoreOrder::Warm => volumes::warm(env, work, telling).await,
        RestoreOrder::Undo { unmark, started } => volumes::undo(env, work, *unmark, *started).await,
        RestoreOrder::Place => objects::place(env, work, telling).await,
        RestoreOrder::Start => objects::start(env, work).await,
        RestoreOrder::Restart { stores } => objects::restart(env, work, stores).await,
        RestoreOrder::Finish { certificate } => objects::finish(env, work, certificate).await,
        RestoreOrder::Mark { above } => data::mark(env, work, *above).await,
        RestoreOrder::Meet { stores } => data::meet(env, work, stores, telling).await,
        RestoreOrder::Lead { floor } => data::lead(env, work, *floor, telling).await,
        RestoreOrder::Time { above, version } => data::time(env, work, *version, *above).await,
        RestoreOrder::RollBack(times) => data::roll_back(env, work, *times, telling).await,
        RestoreOrder::Check { times, one_in } => data::check(env, work, *times, *one_in, telling).await,
        RestoreOrder::Unmark => data::unmark(env, work).await,
        RestoreOrder::Settle { stores } => data::settle(env, work, stores, telling).await,
    };
    answer.map(Box::new)
}
