//! What every test here starts with: one EC2 of its own, one moto for all, and the edge between.

use plane_actor::{
    edge::aws::{AwsCloud, AwsConfig},
    ports::{Cloud, CloudConnect, CloudError, CloudIdentity, CreateSnapshots, Ec2, Find, SnapshotInfo},
};
use shared::{
    ids::{InstanceId, VolumeId},
    request::S3Target,
};
use std::sync::{OnceLock, mpsc};
use tests::{
    models::ec2::Home,
    servers::{
        ec2::{Ec2Handle, Ec2Server, Ec2State},
        moto::Moto,
    },
};

/// The account that moto gives to access keys it does not know.
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const KEY: &str = "AKIAISOCHRON";
pub(crate) const INSTANCE: &str = "i-0000000000000000a";
pub(crate) const ROOT: &str = "vol-0000000000000000f";
pub(crate) const DATA: [&str; 3] = ["vol-0000000000000000a", "vol-0000000000000000b", "vol-0000000000000000c"];

/// moto's URL. It takes two seconds to start, so all tests of this process share one; it dies with the process.
pub(crate) fn moto() -> &'static str {
    static MOTO: OnceLock<String> = OnceLock::new();
    MOTO.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        // A runtime of its own, because each test's ends with the test.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let moto = Moto::start().await.expect("moto starts");
                sender.send(moto.url.clone()).expect("the test waits");
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().expect("moto's thread lives")
    })
}

pub(crate) fn storage(bucket: &str) -> S3Target {
    S3Target { region: REGION.into(), ..S3Target::example(bucket, "p") }
}

pub(crate) fn keys(access_key: &str) -> CloudIdentity {
    CloudIdentity::Keys { access_key: access_key.into(), secret_key: "not to be seen".into() }
}

pub(crate) fn config(ec2: &str) -> AwsConfig {
    AwsConfig {
        region: REGION.into(),
        endpoint_ec2: ec2.into(),
        endpoint_ebs: ec2.into(),
        endpoint_s3: moto().into(),
        endpoint_sts: moto().into(),
        session: "isochron-test".into(),
    }
}

/// One account with one instance of three data volumes, and a connected edge.
pub(crate) struct Bench {
    pub(crate) server: Ec2Server,
    pub(crate) cloud: Cloud,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(Self::state()).await
    }

    pub(crate) fn state() -> Ec2State {
        Ec2State::of(ACCOUNT, KEY).with_instance(&Home::new(ACCOUNT, REGION), INSTANCE, ROOT, &DATA)
    }

    pub(crate) async fn with(state: Ec2State) -> Self {
        let server = Ec2Server::start(state).await.expect("a port");
        let cloud = AwsCloud::new(config(&server.url)).connect(&keys(KEY), &storage("b")).await.expect("connected");
        Self { server, cloud }
    }

    pub(crate) fn handle(&self) -> &Ec2Handle {
        &self.server.handle
    }
}

pub(crate) fn tags(attempt: &str) -> Vec<(String, String)> {
    vec![("isochron/backup".into(), "uid-1 *".into()), ("isochron/attempt".into(), attempt.into())]
}

pub(crate) fn call(attempt: &str) -> CreateSnapshots {
    CreateSnapshots {
        instance: InstanceId::from(INSTANCE),
        exclude: Vec::new(),
        tags: tags(attempt),
        copy_tags: false,
        description: "backup b1 & co".into(),
    }
}

pub(crate) fn volumes(of: &[&str]) -> Vec<VolumeId> {
    of.iter().map(|volume| VolumeId::from(*volume)).collect()
}

/// Every page of what carries these tags.
pub(crate) async fn all(ec2: &dyn Ec2, tags: &[(String, String)]) -> Result<Vec<SnapshotInfo>, CloudError> {
    let find = Find { tags: tags.to_vec(), volumes: Vec::new() };
    let (mut found, mut page) = (Vec::new(), None);
    loop {
        let answer = ec2.find_snapshots(&find, page).await?;
        found.extend(answer.snapshots);
        page = answer.next;
        if page.is_none() {
            return Ok(found);
        }
    }
}
