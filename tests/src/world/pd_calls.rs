//! How a call of PD comes to it, whosever PD it is: what a plane's network and PD's members make of it.

use super::{
    World,
    engine::{State, millis},
};
use plane_actor::ports::PortError;

/// A plane that calls.
#[derive(Clone)]
pub(super) struct PdCalls {
    pub(super) world: World,
    pub(super) plane: String,
}

impl PdCalls {
    pub(super) async fn enter<T: Send>(
        &self,
        call: &str,
        act: impl FnOnce(&mut State) -> Result<T, PortError> + Send,
    ) -> Result<T, PortError> {
        self.world.pause(self.world.with(|state| state.config.pd)).await;
        let slow = self.world.with(|state| state.faults.pd_slow.get(&self.plane).copied());
        self.world.sleep_ms(slow.map_or(0, millis)).await;
        self.world.with(|state| {
            if let Some(left) = state.faults.pd_errors.get_mut(&self.plane).filter(|left| **left > 0) {
                *left -= 1;
                return Err(PortError::Unavailable(format!("PD of plane {}: {call}: 503", self.plane)));
            }
            if state.faults.pd_down.contains(&self.plane) {
                return Err(PortError::Unavailable(format!("PD of plane {}: {call}: no member answers", self.plane)));
            }
            act(state)
        })
    }
}
