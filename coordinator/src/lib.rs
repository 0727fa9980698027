//! The coordinator: holds the global backup barrier of TiDB clusters that span several Kubernetes clusters.
//!
//! [`run`] joins actors to ports and nothing else; `main.rs` makes the ports from Kubernetes or a directory, the demo
//! and the simulation from doubles.

pub mod actors;
pub mod aside;
pub mod config;
pub mod console;
pub mod edge;
pub mod ending;
#[cfg(test)]
mod fixtures;
mod human;
pub mod known;
pub mod metrics;
pub mod migration;
pub mod pages;
pub mod ports;
pub mod standing;
#[cfg(test)]
mod starting;

use actix::Actor;
use actors::{
    Allowed, Ask, AskSchedules, CoordinatorActor, Known, LedgerKnown, ObjectSeen, Outcomes, PlaneConnecting,
    RestoreSeen, ScheduleActor, ScheduleSeen, StartLeading, Wished,
};
use config::CoordinatorConfig;
use ending::Ending;
use metrics::Metrics;
use ports::{Inbound, Ports};
use shell::clock::Clock;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::LocalSet};

/// Object events that may wait. The source waits for room; a resync repeats everything anyway.
const OBJECT_QUEUE: usize = 256;

/// Runs a coordinator on this thread until it is told to end and nothing is under way any more ([`ending`]), or until
/// leadership is lost (an error: the process ends, and its successor goes on from the ledger).
///
/// Its actors live in a `LocalSet` of their own and are gone when this returns. Otherwise they would act on while the
/// process puts its affairs in order: begin a barrier that nobody is left to end, or save after the Lease was resigned.
pub async fn run(
    config: CoordinatorConfig,
    ports: Ports,
    clock: Clock,
    metrics: Arc<Metrics>,
    inbound: Inbound,
) -> anyhow::Result<()> {
    LocalSet::new().run_until(act(config, ports, clock, metrics, inbound)).await
}

async fn act(
    config: CoordinatorConfig,
    ports: Ports,
    clock: Clock,
    metrics: Arc<Metrics>,
    mut inbound: Inbound,
) -> anyhow::Result<()> {
    let (events_tx, mut events) = mpsc::channel(OBJECT_QUEUE);
    let (schedules_tx, mut schedule_events) = mpsc::channel(OBJECT_QUEUE);
    let (restores_tx, mut restore_events) = mpsc::channel(OBJECT_QUEUE);
    let (source, schedule_source) = (ports.source.clone(), ports.schedules.clone());
    let restore_source = ports.restores.clone();
    let mut ending = Ending::new(Duration::from_secs(config.stop_grace_seconds));
    let (known, standing) = (inbound.known.borrow_and_update().clone(), inbound.standing.clone());
    let outcomes = Arc::new(Outcomes::default());
    let mut ledger_known = outcomes.are_complete();
    let allowed = Allowed { planes: known, policy: config.policy.clone() };
    let told = (standing.clone(), outcomes.clone());
    let prices = config.prices.clone();
    let schedules =
        ScheduleActor::new(allowed.clone(), ports.clone(), clock.clone(), metrics.clone(), told.0, told.1, prices)
            .start();
    let whole = serde_json::to_value(&config)?;
    let (verify, scan) = (config.verify.pace(), config.scan.every());
    let wished = Wished { prices: config.prices, verify, scan, whole };
    let coordinator = CoordinatorActor::new(allowed, ports, clock, metrics, standing.clone(), outcomes, wished).start();
    let (mut led, mut decided) = (false, false);
    loop {
        let leading = *inbound.leading.borrow_and_update();
        match (leading, led) {
            (true, false) => {
                led = true;
                standing.lead();
                coordinator.send(StartLeading).await?;
                let (source, events) = (source.clone(), events_tx.clone());
                tokio::task::spawn_local(async move { source.run(events).await });
                let (source, events) = (schedule_source.clone(), schedules_tx.clone());
                tokio::task::spawn_local(async move { source.run(events).await });
                let (source, events) = (restore_source.clone(), restores_tx.clone());
                tokio::task::spawn_local(async move { source.run(events).await });
            }
            (false, true) => anyhow::bail!("leadership was lost"),
            _ => {}
        }
        tokio::select! {
            biased;
            Some(()) = inbound.stops.recv() => {
                // Who never led has begun nothing.
                if !led || ending.demand(&coordinator, &schedules).await? {
                    break;
                }
            }
            is_over = ending.is_over() => {
                if is_over || ending.demand(&coordinator, &schedules).await? {
                    break;
                }
            }
            Ok(()) = inbound.known.changed() => {
                let known = inbound.known.borrow_and_update().clone();
                schedules.send(Known(known.clone())).await?;
                coordinator.send(Known(known)).await?;
            }
            // A decision whose maker is gone is final: stand-alone always leads.
            changed = inbound.leading.changed(), if !decided => match changed {
                Ok(()) => {}
                Err(_) if led => decided = true,
                Err(_) => anyhow::bail!("nobody decides who leads"),
            },
            // Its maker lives as long as the coordinator.
            Ok(()) = ledger_known.changed() => schedules.send(LedgerKnown).await?,
            Some(event) = events.recv() => {
                schedules.send(ObjectSeen(event.clone())).await?;
                coordinator.send(ObjectSeen(event)).await?;
            }
            Some(event) = schedule_events.recv() => {
                coordinator.send(ScheduleSeen(event.clone())).await?;
                schedules.send(ScheduleSeen(event)).await?;
            }
            Some(event) = restore_events.recv() => coordinator.send(RestoreSeen(event)).await?,
            Some(connecting) = inbound.planes.recv() => coordinator.send(PlaneConnecting(connecting)).await?,
            Some(call) = inbound.admins.recv() => {
                if !led {
                    // Nothing is known here; an empty answer would be taken for the truth.
                    let reply = console::not_leading(standing.holder(), &call.who);
                    // An admin who does not read has gone.
                    let _ = call.reply.try_send(reply.into());
                } else if console::is_about_schedules(&call.body) {
                    schedules.send(AskSchedules(call)).await?;
                } else {
                    coordinator.send(Ask(call)).await?;
                }
            }
        }
    }
    Ok(())
}
