//! Certificates that are renewed all the time, as by cert-manager, and an authority that another one follows, under a barrier.

use crate::{PLANES, at, margins, nothing_left, slow};
use shared::{barrier::Milestone, time::Millis};
use std::{cell::Cell, collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    quic_net::{Issuer, QuicNet, READ_EVERY},
    rig::{self, Rig},
};
use tokio::time::sleep;

/// Between two renewals of everybody's certificate.
const EVERY: Duration = Duration::from_millis(300);

/// After so many of them another authority follows.
const ROTATED_AFTER: u64 = 5;

/// From the certificate to the end; renewals cost real time.
const ENDS: Duration = Duration::from_secs(60);

/// Everybody has read the files again, and a plane that has nothing under way has linked anew.
const SETTLED: Duration = Duration::from_secs(4);

struct Course {
    hold: Millis,
    margins: margins::Margins,
    /// Certificates that were made while stores were held.
    made: u64,
}

/// Renews until it is told to stop; another authority follows after some rounds.
async fn renew(mut issuer: Issuer, made: Rc<Cell<u64>>, stop: Rc<Cell<bool>>) -> Issuer {
    for round in 1.. {
        sleep(EVERY).await;
        if stop.get() {
            break;
        }
        if round == ROTATED_AFTER {
            issuer.next_authority().unwrap();
            // Who has not read the newer authority believes nobody whom it signed.
            sleep(4 * READ_EVERY).await;
        }
        made.set(made.get() + issuer.renew_all().unwrap());
    }
    issuer
}

/// One backup, with certificates that are renewed or not.
fn play(renewing: bool) -> Course {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(folder.path(), &PLANES).unwrap();
    let config = slow(31);
    let net = QuicNet::new(config.seed, issuer.certificates(), &PLANES);
    rig::run_over(config, net, async move |rig: Rc<Rig<QuicNet>>| {
        sleep(Duration::from_secs(2)).await;
        let monitor = rig.net.monitor().unwrap();
        let watched = margins::watch(&rig);
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Barrier).await;
        let before = monitor.counts();
        let (made, stop) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(!renewing)));
        let renewals = tokio::task::spawn_local(renew(issuer, made.clone(), stop.clone()));
        at(&rig, Milestone::Certified).await;
        let (after, under_hold) = (monitor.counts(), made.get());
        assert_eq!(after, before, "no session began or ended under the barrier");
        assert_eq!(rig.ended(ENDS).await, "Complete", "{:?}", rig.failure());
        assert_eq!(rig.lies(), Vec::<String>::new());
        assert_eq!(rig.record().unwrap().attempt, 1);
        stop.set(true);
        let mut issuer = renewals.await.unwrap();
        if renewing {
            sleep(SETTLED).await;
            all_show_the_newest(&rig, &issuer);
            issuer.retire_authority().unwrap();
            sleep(SETTLED).await;
            assert_eq!(monitor.counts().revoked, 0, "nobody had anything older");
            issuer.renew_all().unwrap();
            sleep(SETTLED).await;
            // Both sides showed what the newer authority signed: nothing else is believed.
            all_show_the_newest(&rig, &issuer);
        }
        let name = if renewing { "certificates renewed every 300 ms" } else { "certificates as they are" };
        let course =
            Course { hold: rig.record().unwrap().barrier.hold.unwrap(), margins: watched.tell(name), made: under_hold };
        drop(watched);
        nothing_left(&rig, name).await;
        course
    })
}

fn all_show_the_newest(rig: &Rig<QuicNet>, issuer: &Issuer) {
    let shown: BTreeMap<String, String> = rig
        .net
        .monitor()
        .unwrap()
        .peers()
        .into_iter()
        .map(|peer| (peer.identity.name().to_owned(), peer.serial))
        .collect();
    for plane in PLANES {
        assert_eq!(shown.get(plane), issuer.serial(plane).as_ref(), "{plane} has linked with its newest certificate");
    }
    assert_eq!(shown.len(), PLANES.len());
}

#[test]
fn certificates_that_are_renewed_all_the_time_cost_a_barrier_nothing() {
    let (without, with) = (play(false), play(true));
    println!(
        "held {} ms without renewals, {} ms with {} certificates made under the barrier",
        without.hold.0, with.hold.0, with.made
    );
    assert_eq!(without.made, 0);
    // Four programs, and a barrier of some ten seconds: an authority that another follows, and rounds after it.
    assert!(with.made > 4 * (ROTATED_AFTER + 3), "{}", with.made);
    let slack = Millis(50);
    assert!(with.hold <= without.hold.plus(slack), "{:?} after {:?}", with.hold, without.hold);
    assert!(with.margins.plane.plus(slack) >= without.margins.plane, "{} after {}", with.margins, without.margins);
    assert!(with.margins.store.plus(slack) >= without.margins.store, "{} after {}", with.margins, without.margins);
}
