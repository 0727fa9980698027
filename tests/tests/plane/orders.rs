//! What orders carry.

use shared::{
    ids::{Attempt, BackupUid},
    request::{Credentials, Limits, MemberSpec, SizeLevel, Storage},
};
use tests::world::World;

pub(crate) fn attempt(number: u32) -> Attempt {
    Attempt { backup: BackupUid::new("uid-1"), number }
}

pub(crate) fn spec(world: &World, plane: &str) -> MemberSpec {
    let planes = world.config().planes;
    let here = planes.iter().find(|p| p.name == plane).unwrap();
    MemberSpec {
        backup_name: "nightly".into(),
        backup_namespace: "admin".into(),
        tc_name: here.tc_name.clone(),
        tc_namespace: here.tc_namespace.clone(),
        init: planes[0].name == plane,
        storage: Storage {
            provider: "aws".into(),
            region: String::new(),
            bucket: world.config().bucket,
            prefix: format!("nightly-{plane}"),
            endpoint: String::new(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
        },
        credentials: Credentials::Default,
        size_level: SizeLevel::Full,
        delete_ratio_milli: 1000,
        limits: Limits::default(),
        allow_weaker_holds: false,
    }
}
