//! Somebody who dials, with whatever certificate, again and again, while stores are held: the backup is Complete, nobody's session ends,
//! and no lease comes nearer to its end. One row of SECURITY.md's table each.

use crate::{CERTIFICATES, LIMIT, PLANES, at, margins, nothing_left, slow, story};
use bytes::Bytes;
use shared::{
    barrier::Milestone,
    epoch::Epoch,
    ids::{Attempt, BackupUid, PlaneId},
    time::{Millis, Timestamp},
    wire::{self, Answer, Hello, PlanePhase, Progress, Renewed, Up, WIRE_VERSION},
};
use shell::{
    clock::system_wall,
    pki::{self, Kind},
    quic::{Client, Counts, DialError},
    tls::{Credentials, TlsFiles},
};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    path::Path,
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Duration,
};
use tests::{
    quic_net::{COORDINATOR, COORDINATOR_HOST, QuicNet, TRUST_DOMAIN},
    rig::Rig,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};

/// Who attacks at a time, each from an address of its own.
const ATTACKERS: u8 = 3;
/// Between two dials of one of them.
const PAUSE: Duration = Duration::from_millis(100);
const DIAL: Duration = Duration::from_secs(5);

/// Certificates that should let nobody in, or not under that name.
static FOREIGN: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    pki::init(folder.path(), TRUST_DOMAIN).unwrap();
    pki::issue(folder.path(), Kind::Plane, "az1", &[]).unwrap();
    folder
});

/// Certificates of the planes' own authority: of one that is revoked, one that has ended, and one that may be let in.
static OWN: LazyLock<()> = LazyLock::new(|| {
    let folder = CERTIFICATES.0.path();
    let revoked = pki::issue(folder, Kind::Plane, "az8", &[]).unwrap();
    pki::revoke(folder, &revoked.serial).unwrap();
    let long_ago = Timestamp(system_wall().0 - 500 * 86_400_000);
    pki::issue_at(folder, Kind::Plane, "az7", &[], long_ago).unwrap();
    pki::issue(folder, Kind::Plane, "az9", &[]).unwrap();
});

fn credentials(own: &Path, ca: &Path, who: &str) -> Arc<Credentials> {
    let files = TlsFiles {
        ca: ca.join("ca.crt"),
        cert: own.join(format!("{who}.crt")),
        key: own.join(format!("{who}.key")),
        crl: None,
        trust_domain: TRUST_DOMAIN.to_owned(),
        identities: Vec::new(),
    };
    Credentials::load(files).unwrap()
}

fn of_ours(who: &str) -> Arc<Credentials> {
    let folder = CERTIFICATES.0.path();
    credentials(folder, folder, who)
}

fn hello(plane: &str) -> Hello {
    let (version, plane, boot) = ("attacker".to_owned(), PlaneId::from(plane), "1".to_owned());
    let none = false;
    Hello {
        wire: WIRE_VERSION,
        version,
        plane,
        boot,
        verifies: none,
        scans: none,
        divides: none,
        unpacks: none,
        diagnoses: none,
        inspects: none,
        restores: none,
    }
}

/// What dials came to, by the first words of it.
type Outcomes = Rc<RefCell<BTreeMap<String, u32>>>;

fn told(error: &DialError) -> String {
    match error {
        DialError::Refused { close, .. } => format!("refused as {close:?}"),
        DialError::Unreachable(_) => "not let in".to_owned(),
        other => other.to_string(),
    }
}

/// Dials as this plane until it is aborted; a link that comes of it is used for `then`.
fn attack(
    rig: &Rig<QuicNet>,
    credentials: &Arc<Credentials>,
    plane: &'static str,
    then: fn() -> Vec<Up>,
    outcomes: &Outcomes,
) -> Vec<JoinHandle<()>> {
    let one = |number: u8| {
        let client: Client = rig.net.somebody(number, credentials.clone());
        let outcomes = outcomes.clone();
        tokio::task::spawn_local(async move {
            let frames: Vec<Bytes> = then().iter().map(|up| wire::encode(up).unwrap().into()).collect();
            loop {
                let dialled = client.dial_plane(&[COORDINATOR.to_string()], None, &hello(plane), DIAL).await;
                let outcome = match &dialled {
                    Ok(_) => "linked".to_owned(),
                    Err(error) => told(error),
                };
                *outcomes.borrow_mut().entry(outcome).or_default() += 1;
                if let Ok((mut link, _)) = dialled {
                    // As fast as they are taken.
                    while !frames.is_empty() {
                        for frame in &frames {
                            if link.tx.send(frame.clone()).await.is_err() {
                                break;
                            }
                        }
                        if link.tx.is_closed() {
                            break;
                        }
                    }
                    while link.rx.recv().await.is_some() {}
                }
                sleep(PAUSE).await;
            }
        })
    };
    (1..=ATTACKERS).map(one).collect()
}

fn nothing() -> Vec<Up> {
    Vec::new()
}

fn of_no_attempt(answer: Answer) -> Up {
    let attempt = Attempt { backup: BackupUid::from("none"), number: 1 };
    Up::Answer { attempt, epoch: Epoch(1), answer }
}

fn short_frames() -> Vec<Up> {
    (0..100).map(|number| of_no_attempt(Answer::Renewed(Renewed { number }))).collect()
}

fn long_frames() -> Vec<Up> {
    let text = "x".repeat(1 << 20);
    vec![of_no_attempt(Answer::Progress(Progress { phase: PlanePhase::Covering, done: 1, total: 9, text }))]
}

/// One attack from before the hold to the end of the backup. Returns what its dials came to, and what the server counted.
fn under(
    name: &str,
    seed: u64,
    attacker: impl FnOnce(&Rig<QuicNet>, &Outcomes) -> Vec<JoinHandle<()>>,
) -> (BTreeMap<String, u32>, Counts) {
    LazyLock::force(&OWN);
    story(slow(seed), async |rig: Rc<Rig<QuicNet>>| {
        sleep(Duration::from_secs(2)).await;
        let monitor = rig.net.monitor().unwrap();
        let watched = margins::watch(&rig);
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        let outcomes = Outcomes::default();
        let attackers = attacker(&rig, &outcomes);
        at(&rig, Milestone::Certified).await;
        let ours = monitor.peers().into_iter().filter(|peer| PLANES.contains(&peer.identity.name())).count();
        assert_eq!(ours, PLANES.len(), "{name}");
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{name}: {:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new(), "{name}");
        assert_eq!(rig.record().unwrap().attempt, 1, "{name}");
        for attacker in attackers {
            attacker.abort();
        }
        let outcomes = outcomes.take();
        println!("{name}: {outcomes:?}");
        let margins = watched.tell(name);
        // As without anybody: renewals go out at a quarter of the lease.
        assert!(margins.plane >= Millis(11_000) && margins.store >= Millis(7_000), "{name}: {margins}");
        drop(watched);
        nothing_left(&rig, name).await;
        (outcomes, monitor.counts())
    })
}

#[test]
fn strangers_and_ended_certificates_cost_a_barrier_nothing() {
    let foreign = credentials(FOREIGN.path(), CERTIFICATES.0.path(), "plane-az1");
    LazyLock::force(&OWN);
    for (seed, name, who, plane, outcome) in [
        (61, "another authority's certificate", foreign, "az1", "not let in"),
        (62, "a revoked certificate", of_ours("plane-az8"), "az8", "not let in"),
        (63, "a certificate that has ended", of_ours("plane-az7"), "az7", "not let in"),
        (64, "a plane that says another's name", of_ours("plane-az9"), "az1", "refused as Identity"),
        (65, "a plane that is not configured", of_ours("plane-az9"), "az9", "refused as Refused"),
    ] {
        let (outcomes, counts) = under(name, seed, |rig, outcomes| attack(rig, &who, plane, nothing, outcomes));
        assert_eq!(outcomes.keys().collect::<Vec<_>>(), [outcome], "{name}: {counts:?}");
        assert!(outcomes.values().sum::<u32>() > 100, "{name}: {outcomes:?}");
    }
}

/// With a certificate that is good, and nothing to say that counts.
#[test]
fn a_plane_that_floods_its_session_is_cut_and_costs_others_nothing() {
    for (seed, name, frames) in
        [(66, "a flood of short frames", short_frames as fn() -> Vec<Up>), (67, "a flood of long frames", long_frames)]
    {
        let (outcomes, _) = under(name, seed, |rig, outcomes| {
            rig.known.send_modify(|planes| {
                planes.insert("az9".to_owned());
            });
            attack(rig, &of_ours("plane-az9"), "az9", frames, outcomes)
        });
        assert!(outcomes.get("linked").is_some_and(|linked| *linked > u32::from(ATTACKERS)), "{name}: {outcomes:?}");
    }
}

/// Restarts a plane, and says how long it waits for its session.
async fn comes_back(rig: &Rig<QuicNet>, plane: &str, bound: Duration) -> Duration {
    let monitor = rig.net.monitor().unwrap();
    let before = monitor.counts().let_in;
    rig.kill_plane(plane);
    rig.start_plane(plane);
    let begun = Instant::now();
    while monitor.counts().let_in == before {
        sleep(Duration::from_millis(10)).await;
        assert!(begun.elapsed() < bound, "{plane} is kept out: {:?}", monitor.counts());
    }
    begun.elapsed()
}

/// Sixty dials from each of three addresses. Until they are aborted, where they go on.
fn stall(rig: &Rig<QuicNet>, goes_on: bool) -> Vec<JoinHandle<()>> {
    let foreign = credentials(FOREIGN.path(), CERTIFICATES.0.path(), "plane-az1");
    let somebody = |number: u8| (0..60).map(move |_| number);
    let clients = (1..=3).flat_map(somebody).map(|number| rig.net.somebody(number, foreign.clone()));
    let dial = |client: Client| {
        tokio::task::spawn_local(async move {
            loop {
                drop(client.dial_plane(&[COORDINATOR.to_string()], None, &hello("az1"), DIAL).await);
                if !goes_on {
                    break;
                }
            }
        })
    };
    clients.map(dial).collect()
}

/// Nothing comes back to them: their addresses cannot prove themselves, and cost nobody a turn.
#[test]
fn a_plane_gets_in_beside_strangers_whose_addresses_prove_nothing() {
    story(slow(68), async |rig: Rc<Rig<QuicNet>>| {
        sleep(Duration::from_secs(2)).await;
        let stalling = stall(&rig, true);
        sleep(Duration::from_millis(30)).await;
        for number in 1..=3 {
            rig.net.wire.cut(COORDINATOR_HOST, &format!("somebody-{number}"));
        }
        sleep(Duration::from_secs(10)).await;
        let waited = comes_back(&rig, "az2", DIAL).await;
        println!(
            "beside 180 dials whose addresses prove nothing: {waited:?}, {:?}",
            rig.net.monitor().unwrap().counts()
        );
        let watched = margins::watch(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        watched.tell("dials whose addresses prove nothing");
        drop(watched);
        for one in stalling {
            one.abort();
        }
        nothing_left(&rig, "dials whose addresses prove nothing").await;
    });
}

/// They prove their addresses and stop in the middle of the handshake, for as long as one may take. A plane that comes then has its turn, although
/// they came before it.
#[test]
fn a_plane_gets_in_beside_strangers_that_stall() {
    story(slow(69), async |rig: Rc<Rig<QuicNet>>| {
        sleep(Duration::from_secs(2)).await;
        let stalling = stall(&rig, false);
        // Two ways there, one back, and not the last one there.
        sleep(Duration::from_millis(14)).await;
        for number in 1..=3 {
            rig.net.wire.cut(&format!("somebody-{number}"), COORDINATOR_HOST);
        }
        let waited = comes_back(&rig, "az2", 2 * DIAL).await;
        let watched = margins::watch(&rig);
        assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
        watched.tell("handshakes that stop in the middle");
        drop(watched);
        let counts = rig.net.monitor().unwrap().counts();
        println!("beside handshakes that stop in the middle: {waited:?}, {counts:?}");
        assert!(counts.refused + counts.handshakes_refused > 60, "there were too few of them: {counts:?}");
        for one in stalling {
            one.abort();
        }
        nothing_left(&rig, "handshakes that stop in the middle").await;
    });
}
