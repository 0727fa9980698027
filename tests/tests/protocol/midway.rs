//! In the middle of a verification or of a scan a barrier begins, or somebody dies: the barrier is as long as without it,
//! whoever asked is told the truth or nothing, and nothing of what is kept is touched.

use crate::{LIMIT, completes, nothing_left, soon, story, world};
use serde_json::Value;
use shared::{
    barrier::{Milestone, Record},
    time::Millis,
};
use shell::link::Role;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};
use tests::{
    rig::{KEY, Rig},
    world::{Span, WorldConfig},
};
use tokio::time::sleep;

const SECOND: &str = "br-admin/second";
const PLANES: [&str; 3] = ["az1", "az2", "az3"];
/// From the wish, of which a barrier comes some seconds later.
const STARTS: [u64; 6] = [0, 1_000, 2_000, 3_000, 4_000, 5_000];
/// What a call under way and a bucket that is not full may cost.
const MORE: Millis = Millis(400);

/// What a person asks.
#[derive(Clone, Copy, Debug)]
enum Question {
    Verify,
    Scan,
}

const BOTH: [Question; 2] = [Question::Verify, Question::Scan];

impl Question {
    /// `None`: the coordinator is gone before it has answered.
    async fn ask(self, rig: &Rig) -> Option<Value> {
        match self {
            Self::Verify => rig.verify(Role::Operator, KEY).await,
            Self::Scan => rig.scan(Role::Viewer, None).await,
        }
    }

    /// After how many of its calls in az1 somebody dies; a scan of this small world makes few.
    fn moments(self) -> &'static [usize] {
        match self {
            Self::Verify => &[1, 3, 5],
            Self::Scan => &[1, 2],
        }
    }

    /// All of it was looked at, and nothing is amiss.
    fn is_fine(self, told: &Value) -> bool {
        let told = &told["ok"];
        match self {
            Self::Verify => told["level"] == "Sound",
            Self::Scan => told["whole"] == true && told["found"].as_array().is_some_and(Vec::is_empty),
        }
    }

    /// Not all of it was, which is said with the reason.
    fn is_unfinished(self, told: &Value, why: &str) -> bool {
        let told = &told["ok"];
        match self {
            Self::Verify => told["level"] == "Unchecked" && told["fine"] == false && told.to_string().contains(why),
            Self::Scan => told["whole"] == false && told["planes"].to_string().contains(why),
        }
    }
}

/// Calls take long and always as long, so that what one takes more than another is what was in its way.
fn steady(seed: u64) -> WorldConfig {
    let mut world = world(seed);
    (world.ec2.create, world.ec2.describe) = (Span(2_000, 2_000), Span(700, 700));
    world.s3 = Span(300, 300);
    world
}

async fn complete(rig: &Rig) {
    assert_eq!(rig.backup("", LIMIT).await, "Complete", "{:?}", rig.failure());
    sleep(Duration::from_secs(60)).await;
}

fn calls(rig: &Rig) -> BTreeMap<&'static str, usize> {
    PLANES.map(|plane| (plane, rig.world.calls(plane).len())).into()
}

/// The second backup has touched nothing yet.
fn is_preparing(rig: &Rig) -> bool {
    let begun = |record: &Record| record.request.name == "second" && record.milestone != Milestone::Preparing;
    !rig.records().iter().any(begun)
}

/// An answer, and whether the barrier had not begun when it was asked for.
type Told = (Value, bool);

/// How long the stores are held by a backup, with a question so long after its wish; and what was answered.
fn held(question: Option<(Question, u64)>) -> (Millis, Option<Told>) {
    let told = RefCell::new(None);
    story(steady(930), async |rig: Rc<Rig>| {
        complete(&rig).await;
        rig.control.apply(&rig.manifest_of("second", "q", "Delete", "")).unwrap();
        let asking = question.map(|(question, after)| {
            let rig = rig.clone();
            tokio::task::spawn_local(async move {
                sleep(Duration::from_millis(after)).await;
                let early = is_preparing(&rig);
                (question.ask(&rig).await.expect("an answer"), early)
            })
        });
        assert!(completes(&rig, SECOND, LIMIT).await, "{:#?}", rig.control.get(SECOND));
        let record = rig.records().into_iter().find(|record| record.request.name == "second").expect("its record");
        let answer = match asking {
            Some(asking) => Some(asking.await.unwrap()),
            None => None,
        };
        assert_eq!(rig.lies(), Vec::<String>::new());
        told.replace(Some((record.barrier.hold.expect("it was held"), answer)));
        rig.control.delete(SECOND);
        soon("the second is gone", || rig.control.get(SECOND).is_none()).await;
        nothing_left(&rig).await;
    });
    told.into_inner().expect("the story was played")
}

#[test]
fn a_barrier_that_begins_in_the_middle_of_a_question_is_as_long_as_without_it() {
    let (alone, _) = held(None);
    for question in BOTH {
        let mut met = 0;
        for after in STARTS {
            let (beside, told) = held(Some((question, after)));
            assert!(beside <= alone.plus(MORE), "{question:?} after {after} ms: held for {beside}, without it {alone}");
            let (told, early) = told.expect("it was asked");
            let stopped = question.is_unfinished(&told, "is in its barrier");
            assert!(stopped || question.is_fine(&told), "{question:?} after {after} ms: {told:#}");
            met += usize::from(stopped && early);
        }
        assert!(met > 0, "{question:?}: no barrier began in the middle of it");
    }
}

/// Who dies.
#[derive(Clone, Copy, Debug)]
enum Dies {
    Coordinator,
    Plane,
}

fn somebody_dies(question: Question, dies: Dies, after: usize) {
    let label = format!("{question:?}, {dies:?} after {after} calls");
    story(steady(931), async |rig: Rc<Rig>| {
        complete(&rig).await;
        let kept = (rig.world.mutations().total(), rig.world.objects(), rig.record().unwrap());
        let begun = calls(&rig)["az1"];
        let asking = tokio::task::spawn_local({
            let rig = rig.clone();
            async move { question.ask(&rig).await }
        });
        soon("calls are made", || calls(&rig)["az1"] >= begun + after).await;
        assert!(!asking.is_finished(), "{label}: it was over before");
        match dies {
            Dies::Coordinator => rig.kill_coordinator(),
            Dies::Plane => rig.kill_plane("az1"),
        }
        sleep(Duration::from_secs(2)).await;
        match dies {
            Dies::Coordinator => rig.start_coordinator(),
            Dies::Plane => rig.start_plane("az1"),
        }
        let told = asking.await.unwrap();
        match (dies, &told) {
            // Nobody is there to answer; a console says so, and asks the next one when it is told to.
            (Dies::Coordinator, told) => assert_eq!(*told, None, "{label}"),
            (Dies::Plane, None) => panic!("{label}: no answer"),
            (Dies::Plane, Some(told)) => {
                let said = question.is_unfinished(told, "az1") && !question.is_fine(told);
                assert!(said, "{label}: what was not looked at is not told: {told:#}");
            }
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(rig.record().unwrap().certificate, kept.2.certificate, "{label}");
        assert_eq!(rig.record().unwrap().milestone, kept.2.milestone, "{label}");
        let after = question.ask(&rig).await.expect("an answer");
        assert!(question.is_fine(&after), "{label}: {after:#}");
        assert_eq!(rig.world.mutations().total(), kept.0, "{label}: it changed something: {:?}", rig.world.mutations());
        assert!(rig.world.objects() == kept.1, "{label}: files were changed");
        assert_eq!(rig.lies(), Vec::<String>::new(), "{label}");
        nothing_left(&rig).await;
    });
}

#[test]
fn who_dies_in_the_middle_of_a_question_leaves_nothing_and_the_next_one_is_answered() {
    for question in BOTH {
        for dies in [Dies::Coordinator, Dies::Plane] {
            for after in question.moments() {
                somebody_dies(question, dies, *after);
            }
        }
    }
}
