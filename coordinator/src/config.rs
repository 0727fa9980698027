//! What a coordinator is told at start.

use serde::{Deserialize, Serialize};
use shared::{
    policy::Policy,
    restore::{self, Nano},
    time::Millis,
    verify::Pace,
};
use shell::tls::Mapping;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv6Addr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

/// Where a console looks for a coordinator beside it.
pub const SOCKET: &str = "/run/isochron/console.sock";

/// The three clocks of a barrier by default, and what letting go takes at the most (`shared::request::Limits`).
pub const STOP_GRACE: Millis = Millis::secs(120 + 120 + 60 + 30);

/// One YAML file; every key also as `ISOCHRON_…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct CoordinatorConfig {
    /// Every plane that may be named in `spec.clusters`; others are `Invalid/PlaneUnknown`.
    pub planes: BTreeSet<String>,
    /// QUIC, planes and admins (7443/udp). `[::]` is all interfaces, IPv4 as well.
    pub listen: SocketAddr,
    /// Planes whose networks drop UDP, over TLS and TCP; without it nobody is let in that way.
    pub tcp: Option<SocketAddr>,
    /// `/metrics /healthz /readyz /leadz` (6060).
    pub http: SocketAddr,
    /// Pages for browsers (`/ui/`) and the console's answers for programs (`/api/v1/`) on that port as well. They change
    /// nothing and hold no secret; whoever reaches the port can read them.
    pub ui: bool,
    /// Unix socket for a console inside the pod, which needs no certificate; empty: none. Without its folder there is
    /// none either.
    pub socket: PathBuf,
    /// Trust domain of the URI SANs.
    pub trust_domain: String,
    /// Whom URI SANs of another form name: planes, people, and this coordinator.
    pub identities: Vec<Mapping>,
    /// Certificates; read again when they change.
    pub tls: TlsFiles,
    /// Namespace of the ledger's ConfigMaps and the leader Lease.
    pub namespace: String,
    /// Of several coordinators that share objects out, which this is; all but one have a name. It is part of the Lease's name
    /// and stands on every record; claims are common to all in [`CoordinatorConfig::namespace`].
    pub name: String,
    /// Which objects are this coordinator's.
    pub objects: Share,
    /// Where the wall clock of schedules hangs that name no zone themselves: an IANA name. The old manager took it from
    /// the chart's value `timezone`.
    pub timezone: String,
    /// How long barriers under way may take to finish once the process is told to end; then they are aborted. Kubernetes
    /// must leave it that long: `terminationGracePeriodSeconds`.
    pub stop_grace_seconds: u64,
    /// What AWS takes for what backups keep there.
    pub prices: Prices,
    /// How often backups that are kept are looked at (`console verify`).
    pub verify: VerifyEvery,
    /// How often planes look through AWS for what nothing names (`console orphans`).
    pub scan: ScanEvery,
    /// Who may back up what, and where to.
    pub policy: Policy,
    /// Where each attempt's trace goes when it has ended.
    pub tracing: Tracing,
    /// Stand-alone: the directory of VolumeBackup files, instead of Kubernetes.
    pub standalone: Option<PathBuf>,
}

/// Which VolumeBackups and schedules are one coordinator's; by default all. Only in Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Share {
    /// Those in these namespaces; empty: in all.
    pub namespaces: BTreeSet<String>,
    /// Of them those with these labels, as `kubectl get -l` takes it; empty: all. What a schedule makes has the schedule's labels.
    pub label_selector: String,
}

/// Of a Region and a contract; only for what people are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Prices {
    /// A GiB of blocks in snapshots for a month; by default that of us-east-1 (`facts/aws.md` A12).
    pub snapshot_gib_month: f64,
    /// In which money.
    pub currency: String,
    /// Of volumes, by EC2's word for their type; by default gp3 in us-east-1 (`facts/restore.md` §5.2).
    pub volumes: BTreeMap<String, VolumePrice>,
    /// A GiB of data that is initialised at 1 MiB/s; at 300 it is 300 times as much. 0: nobody has said.
    pub initialization_gib_mib: f64,
}

/// Of one type of volume, for a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct VolumePrice {
    /// A GiB.
    pub gib_month: f64,
    /// One of the IOPS above `free_iops`.
    pub iops_month: f64,
    /// IOPS that cost nothing.
    pub free_iops: u32,
    /// A MiB/s above `free_mib`.
    pub mib_month: f64,
    /// MiB/s that cost nothing.
    pub free_mib: u32,
}

impl Prices {
    /// As plans of restores reckon. What is no price, as a negative one, is not known.
    pub(crate) fn of_volumes(&self) -> restore::Prices {
        let price = |price: &VolumePrice| {
            Some(restore::KindPrice {
                gib: Nano::from_units(price.gib_month)?,
                iops: Nano::from_units(price.iops_month)?,
                free_iops: price.free_iops,
                throughput: Nano::from_units(price.mib_month)?,
                free_throughput: price.free_mib,
            })
        };
        let kinds = self.volumes.iter().filter_map(|(kind, of)| Some((kind.clone(), price(of)?)));
        let initialization = Some(self.initialization_gib_mib).filter(|units| *units > 0.0).and_then(Nano::from_units);
        restore::Prices { kinds: kinds.collect(), initialization }
    }
}

impl Default for Prices {
    fn default() -> Self {
        let gp3 = VolumePrice { gib_month: 0.08, iops_month: 0.005, free_iops: 3_000, mib_month: 0.04, free_mib: 125 };
        Self {
            snapshot_gib_month: 0.05,
            currency: "USD".to_owned(),
            volumes: BTreeMap::from([("gp3".to_owned(), gp3)]),
            initialization_gib_mib: 0.0,
        }
    }
}

/// Verifications that nobody has to ask for: one at a time, the newest backup of each schedule and TiDB cluster more often
/// than all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct VerifyEvery {
    /// Without it only who asks on the console is told.
    pub enabled: bool,
    /// The newest ones, so many hours after they were looked at last.
    pub newest_hours: NonZeroU32,
    /// All others.
    pub rest_hours: NonZeroU32,
}

impl Default for VerifyEvery {
    fn default() -> Self {
        let hours = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self { enabled: true, newest_hours: hours(24), rest_hours: hours(168) }
    }
}

impl VerifyEvery {
    /// `None`: nothing is looked at unasked.
    pub(crate) fn pace(self) -> Option<Pace> {
        let length = |hours: NonZeroU32| Millis::secs(u64::from(hours.get()) * 3600);
        self.enabled.then(|| Pace { newest: length(self.newest_hours), rest: length(self.rest_hours) })
    }
}

/// Scans that nobody has to ask for; they delete nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct ScanEvery {
    /// Without it only who asks on the console is told.
    pub enabled: bool,
    /// Between two of them.
    pub hours: NonZeroU32,
}

impl Default for ScanEvery {
    fn default() -> Self {
        Self { enabled: true, hours: NonZeroU32::new(24).unwrap_or(NonZeroU32::MIN) }
    }
}

impl ScanEvery {
    /// `None`: nobody looks unasked.
    pub(crate) fn every(self) -> Option<Millis> {
        self.enabled.then(|| Millis::secs(u64::from(self.hours.get()) * 3600))
    }
}

/// OpenTelemetry; only in a program that was built with feature `otlp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct Tracing {
    /// Who takes OTLP over HTTP, `http://HOST:PORT` or `https://HOST:PORT`; empty: nobody.
    pub endpoint: String,
    /// PEM file of who has signed the receiver's certificate; empty: whom the machine believes.
    pub ca: PathBuf,
}

/// PEM files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "camelCase")]
pub struct TlsFiles {
    /// Trusted roots.
    pub ca: PathBuf,
    /// Own certificate chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Revoked certificates; empty: none.
    pub crl: PathBuf,
}

impl Default for CoordinatorConfig {
    fn default() -> Self {
        Self {
            planes: BTreeSet::new(),
            listen: everywhere(7443),
            tcp: None,
            http: everywhere(6060),
            ui: true,
            socket: PathBuf::from(SOCKET),
            trust_domain: shell::tls::TRUST_DOMAIN.to_owned(),
            identities: Vec::new(),
            tls: TlsFiles::default(),
            namespace: "isochron".to_owned(),
            name: String::new(),
            objects: Share::default(),
            timezone: "UTC".to_owned(),
            stop_grace_seconds: STOP_GRACE.0 / 1000,
            prices: Prices::default(),
            verify: VerifyEvery::default(),
            scan: ScanEvery::default(),
            policy: Policy::default(),
            tracing: Tracing::default(),
            standalone: None,
        }
    }
}

/// All interfaces, both address families.
fn everywhere(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))
}
