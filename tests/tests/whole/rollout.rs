//! Programs of an earlier version beside those of this one, in every order in which a rollout and its way back meets them. The
//! earlier programs are built by `tests/rollout`.

use std::{path::PathBuf, time::Duration};
use tests::processes::{
    backup::Wish,
    leftovers::Leftovers,
    programs::Who,
    rig::Rig,
    site::{PLANES, SitePlan},
};

/// A program that is told to end, with nothing under way.
const END_LIMIT: Duration = Duration::from_secs(30);

struct Rollout {
    rig: Rig,
    backups: Vec<String>,
}

impl Rollout {
    /// These programs end as in a rollout, and others start in their place.
    async fn replace(&mut self, who: &[Who], coordinator: &str, plane: &str) {
        for who in who {
            let variable = if *who == Who::Coordinator { coordinator } else { plane };
            let program =
                std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: see tests/rollout"));
            let programs = self.rig.programs_mut();
            programs.process(*who).signal("TERM").unwrap();
            programs.process(*who).wait(END_LIMIT).await.unwrap().expect("it ends by itself");
            programs.becomes(*who, PathBuf::from(program));
            programs.start_again(*who).await.unwrap();
        }
        self.rig.programs_mut().connected(&PLANES).await.unwrap();
    }

    async fn earlier(&mut self, who: &[Who]) {
        self.replace(who, "ISOCHRON_EARLIER_COORDINATOR", "ISOCHRON_EARLIER_PLANE_ACTOR").await;
    }

    async fn present(&mut self, who: &[Who]) {
        self.replace(who, "ISOCHRON_COORDINATOR", "ISOCHRON_PLANE_ACTOR").await;
    }

    async fn back_up(&mut self, name: &str) {
        let wish = Wish::of(&self.rig.sites[0], name);
        self.rig.apply_backup(&wish.manifest()).await.unwrap();
        let status = self.rig.ended(name).await.unwrap();
        assert_eq!(status["phase"], "Complete", "{name}: {status:#}");
        assert_eq!(status["certificate"]["verdict"], "Consistent", "{name}: {status:#}");
        self.backups.push(name.to_owned());
    }

    async fn delete(&mut self, name: &str) {
        self.rig.delete_backup(name).await.unwrap();
        self.backups.retain(|kept| kept != name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs programs of an earlier version: tests/rollout"]
async fn neighbours_back_up_and_delete_together_whoever_is_first() {
    let planes: Vec<Who> = (0..PLANES.len()).map(Who::Plane).collect();
    let mut rollout = Rollout { rig: Rig::start(&[SitePlan::shop()]).await.unwrap(), backups: Vec::new() };
    rollout.earlier(&[Who::Coordinator]).await;
    rollout.earlier(&planes).await;
    for name in ["old", "old-for-new"] {
        rollout.back_up(name).await;
    }
    // The coordinator first.
    rollout.present(&[Who::Coordinator]).await;
    rollout.back_up("new-coordinator").await;
    rollout.delete("old-for-new").await;
    rollout.present(&planes[..1]).await;
    rollout.back_up("planes-of-both").await;
    rollout.present(&planes[1..]).await;
    rollout.back_up("new").await;
    // And back, the coordinator first again: planes that are newer than it.
    rollout.earlier(&[Who::Coordinator]).await;
    rollout.back_up("new-planes").await;
    rollout.delete("new").await;
    rollout.earlier(&planes).await;
    rollout.delete("planes-of-both").await;
    rollout.back_up("old-again").await;
    for name in rollout.backups.clone() {
        rollout.delete(&name).await;
    }
    assert_eq!(rollout.rig.traces().await.unwrap(), Leftovers::default());
}
