//! The rig: our programs in their environment.

use super::{
    environment::Environment,
    network_paths::Reach,
    programs::Programs,
    site::{PLANES, SitePlan},
};
use anyhow::Result;
use std::ops::{Deref, DerefMut};

/// A plane that the coordinator knows and that never connects.
pub const ABSENT_PLANE: &str = "prod-az9";

/// Everything that runs. Dropped in the order of the fields: programs first.
#[derive(Debug)]
pub struct Rig {
    programs: Option<Programs>,
    environment: Environment,
}

impl Deref for Rig {
    type Target = Environment;

    fn deref(&self) -> &Environment {
        &self.environment
    }
}

impl DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut Environment {
        &mut self.environment
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(programs) = &self.programs
        {
            eprintln!("{}", programs.log_tails());
        }
    }
}

impl Rig {
    /// Servers and objects, no program of ours.
    pub async fn servers(plans: &[SitePlan]) -> Result<Self> {
        Ok(Self { programs: None, environment: Environment::start(plans).await? })
    }

    /// All of it, with a coordinator that leads and planes that are connected.
    pub async fn start(plans: &[SitePlan]) -> Result<Self> {
        Self::start_reaching(plans, Reach::Direct).await
    }

    /// The same with planes that reach the coordinator in another way.
    pub async fn start_reaching(plans: &[SitePlan], reach: Reach) -> Result<Self> {
        let mut rig = Self::servers(plans).await?;
        rig.run(&PLANES, reach).await?;
        Ok(rig)
    }

    /// A coordinator that knows planes, none of which runs.
    pub async fn coordinator_alone() -> Result<Self> {
        let mut rig = Self::servers(&[]).await?;
        rig.run(&[], Reach::Direct).await?;
        Ok(rig)
    }

    async fn run(&mut self, planes: &[&'static str], reach: Reach) -> Result<()> {
        let mut known: Vec<&str> = PLANES.to_vec();
        known.push(ABSENT_PLANE);
        self.programs = Some(Programs::start(self, self.folder.path(), &known, planes, reach).await?);
        Ok(())
    }

    /// The programs of ours.
    #[allow(clippy::expect_used)] // Who asks for programs has started them.
    pub fn programs(&self) -> &Programs {
        self.programs.as_ref().expect("started with programs")
    }

    /// The programs of ours, to end them and to start them again.
    #[allow(clippy::expect_used)] // Who asks for programs has started them.
    pub fn programs_mut(&mut self) -> &mut Programs {
        self.programs.as_mut().expect("started with programs")
    }
}
