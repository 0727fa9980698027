use super::*;
use actix::{ActorContext, Addr, Handler, Message};
use futures::FutureExt;
use shared::time::{Millis, Timestamp};
use std::{cell::RefCell, rc::Rc, sync::Arc};
use tokio::{sync::Notify, task::LocalSet, time::sleep};

/// Logs what it is told; `Note(n)` asks for the effects listed in `answers`.
#[derive(Default)]
struct Toy {
    due: Option<Instant>,
    /// Keeps its deadline when it expires, which no machine may.
    stuck: bool,
    told: Vec<String>,
}

#[derive(Debug)]
enum Input {
    Note(u32),
    Batch(Vec<Effect>),
    Timer(u64),
    Stick,
    Expired,
}

#[derive(Clone, Debug)]
enum Effect {
    Say(&'static str),
    Save { takes_ms: u64, ok: bool },
    Feed(u32),
}

impl Machine for Toy {
    type Input = Input;
    type Effect = Effect;
    type Timer = &'static str;

    fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Note(number) => self.told.push(format!("note {number}")),
            Input::Stick => (self.due, self.stuck) = (Some(now.at), true),
            Input::Expired if self.stuck => {}
            Input::Expired => {
                self.due = None;
                self.told.push("expired".to_owned());
            }
            Input::Timer(after) => self.due = Some(now.at + Millis(after)),
            Input::Batch(effects) => {
                self.told.push("batch".to_owned());
                return effects;
            }
        }
        Vec::new()
    }

    fn deadline(&self) -> Option<(Instant, &'static str)> {
        self.due.map(|due| (due, "toy"))
    }

    fn expired(_: &'static str) -> Input {
        Input::Expired
    }
}

type Log = Rc<RefCell<Vec<String>>>;

struct ToyActor {
    driver: Driver<Toy>,
    clock: crate::clock::Clock,
    /// Milliseconds that every message takes to handle, beyond tokio's clock.
    skew: u64,
    per_message: u64,
    log: Log,
    /// How often the clocks were read: every wake-up does.
    wakes: Rc<RefCell<u32>>,
}

impl Actor for ToyActor {
    type Context = Context<Self>;
    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(1000);
        self.drive(ctx);
    }
}

impl Performer for ToyActor {
    type M = Toy;
    fn driver(&mut self) -> &mut Driver<Toy> {
        &mut self.driver
    }
    fn now(&self) -> Now {
        *self.wakes.borrow_mut() += 1;
        let now = self.clock.now();
        Now { at: now.at + Millis(self.skew), ..now }
    }
    fn perform(&mut self, effect: Effect, ctx: &mut Context<Self>) -> Performed {
        match effect {
            Effect::Say(word) => {
                self.log.borrow_mut().push(word.to_owned());
                Performed::Done
            }
            Effect::Feed(number) => {
                self.feed(Input::Note(number), ctx);
                Performed::Done
            }
            Effect::Save { takes_ms, ok } => {
                let log = self.log.clone();
                Performed::Fence(
                    async move {
                        sleep(Duration::from_millis(takes_ms)).await;
                        log.borrow_mut().push(format!("saved {ok}"));
                        if ok { Ok(()) } else { Err(FenceError::Lost("conflict".to_owned())) }
                    }
                    .boxed_local(),
                )
            }
        }
    }
    fn fence_failed(&mut self, error: FenceError, _ctx: &mut Context<Self>) {
        self.log.borrow_mut().push(format!("failed: {error}"));
    }
}

struct Tell(Input);
impl Message for Tell {
    type Result = ();
}
impl Handler<Tell> for ToyActor {
    type Result = ();
    fn handle(&mut self, Tell(input): Tell, ctx: &mut Context<Self>) {
        self.skew += self.per_message;
        self.feed(input, ctx);
    }
}

/// Spawns a future that comes home with a note once it is notified.
struct Await(u32, Arc<Notify>);
impl Message for Await {
    type Result = ();
}
impl Handler<Await> for ToyActor {
    type Result = ();
    fn handle(&mut self, Await(number, home): Await, ctx: &mut Context<Self>) {
        let work = async move { home.notified().await };
        ctx.spawn(work.into_actor(self).map(move |(), actor: &mut Self, ctx| {
            actor.log.borrow_mut().push("came home".to_owned());
            actor.feed(Input::Note(number), ctx);
        }));
    }
}

struct Told;
impl Message for Told {
    type Result = Vec<String>;
}
impl Handler<Told> for ToyActor {
    type Result = Vec<String>;
    fn handle(&mut self, _: Told, _ctx: &mut Context<Self>) -> Vec<String> {
        self.driver.machine().told.clone()
    }
}

struct Stop;
impl Message for Stop {
    type Result = ();
}
impl Handler<Stop> for ToyActor {
    type Result = ();
    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

struct Rig {
    addr: Addr<ToyActor>,
    log: Log,
    wakes: Rc<RefCell<u32>>,
}

fn rig(per_message: u64) -> Rig {
    rig_of(per_message, Driver::new(Toy::default()))
}

fn rig_of(per_message: u64, driver: Driver<Toy>) -> Rig {
    let log = Log::default();
    let wakes = Rc::new(RefCell::new(0));
    let clock = crate::clock::Clock::starting_at(Timestamp(0));
    let actor = ToyActor { driver, clock, skew: 0, per_message, log: log.clone(), wakes: wakes.clone() };
    Rig { addr: actor.start(), log, wakes }
}

impl Rig {
    fn tell(&self, input: Input) {
        self.addr.try_send(Tell(input)).unwrap();
    }
    async fn told(&self) -> Vec<String> {
        self.addr.send(Told).await.unwrap()
    }
    fn said(&self) -> Vec<String> {
        self.log.borrow().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_timer_is_not_starved_behind_500_messages() {
    let test = async {
        let rig = rig(10);
        sleep(Duration::from_millis(1)).await;
        rig.tell(Input::Timer(100));
        for number in 1..=500 {
            rig.tell(Input::Note(number));
        }
        let told = rig.told().await;
        assert_eq!(told.len(), 501);
        let at = told.iter().position(|line| line == "expired").unwrap();
        assert_eq!(at, 9, "due 100 ms after the timer was set, at 10 ms a message: before the tenth note");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_passes_a_fence() {
    let test = async {
        let rig = rig(0);
        let batch = vec![
            Effect::Say("before"),
            Effect::Save { takes_ms: 1000, ok: true },
            Effect::Say("between"),
            Effect::Save { takes_ms: 1000, ok: true },
            Effect::Say("after"),
        ];
        let home = Arc::new(Notify::new());
        rig.addr.try_send(Await(7, home.clone())).unwrap();
        sleep(Duration::from_millis(1)).await;
        home.notify_one();
        rig.tell(Input::Batch(batch));
        rig.tell(Input::Batch(vec![Effect::Say("second batch")]));
        sleep(Duration::from_millis(500)).await;
        assert!(rig.said().contains(&"came home".to_owned()), "actix polls one spawned future before the wait begins");
        sleep(Duration::from_millis(2500)).await;
        let said: Vec<_> = rig.said().into_iter().filter(|line| line != "came home").collect();
        assert_eq!(said, ["before", "saved true", "between", "saved true", "after", "second batch"]);
        assert_eq!(rig.told().await, ["batch", "note 7", "batch"], "the held input is stepped after its batch");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_fell_due_behind_a_fence_comes_before_what_was_held() {
    let test = async {
        let rig = rig(0);
        rig.tell(Input::Timer(100));
        rig.tell(Input::Batch(vec![Effect::Feed(1), Effect::Save { takes_ms: 2000, ok: true }]));
        rig.tell(Input::Note(2));
        sleep(Duration::from_millis(2100)).await;
        assert_eq!(rig.told().await, ["batch", "expired", "note 1", "note 2"]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_fence_drops_the_rest_and_the_machine() {
    let test = async {
        let rig = rig(0);
        rig.tell(Input::Timer(200));
        rig.tell(Input::Batch(vec![Effect::Save { takes_ms: 10, ok: false }, Effect::Say("never")]));
        rig.tell(Input::Note(1));
        sleep(Duration::from_millis(500)).await;
        assert_eq!(rig.said(), ["saved false", "failed: save lost: conflict"]);
        assert_eq!(rig.told().await, ["batch"], "neither a later input nor the timer reaches the machine");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn a_fence_has_three_seconds() {
    let test = async {
        let rig = rig(0);
        rig.tell(Input::Batch(vec![Effect::Save { takes_ms: 60_000, ok: true }, Effect::Say("never")]));
        sleep(Duration::from_millis(2_990)).await;
        assert_eq!(rig.said(), [""; 0]);
        sleep(Duration::from_millis(20)).await;
        assert_eq!(rig.said(), [format!("failed: {}", FenceError::TimedOut)]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn one_timer_only() {
    let test = async {
        let rig = rig(0);
        sleep(Duration::from_millis(1)).await;
        for after in (1..=100).rev() {
            rig.tell(Input::Timer(after * 1000));
        }
        rig.tell(Input::Note(1));
        sleep(Duration::from_millis(1_001)).await;
        let wakes = *rig.wakes.borrow();
        assert_eq!(rig.told().await, ["note 1", "expired"]);
        sleep(Duration::from_secs(300)).await;
        assert_eq!(*rig.wakes.borrow(), wakes, "no older timer wakes the machine");
        assert_eq!(rig.told().await, ["note 1", "expired"]);
        rig.addr.send(Stop).await.unwrap();
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_answers_itself_without_end_is_stopped() {
    let test = async {
        let rig = rig(0);
        let mut batch = vec![Effect::Feed(1); HELD_LIMIT + 1];
        batch.push(Effect::Say("never"));
        rig.tell(Input::Batch(batch));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(rig.said(), [format!("failed: {}", FenceError::Overflow(HELD_LIMIT))]);
        assert_eq!(rig.told().await, ["batch"]);
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test(start_paused = true)]
async fn what_an_actor_tells_at_its_start_is_held_besides() {
    for more in [0, 1] {
        let test = async {
            let rig = rig_of(0, Driver::beginning_with(Toy::default(), 1_000));
            rig.tell(Input::Batch(vec![Effect::Feed(1); HELD_LIMIT + 1_000 + more]));
            sleep(Duration::from_millis(1)).await;
            let overflow = format!("failed: {}", FenceError::Overflow(HELD_LIMIT + 1_000));
            assert_eq!(rig.said(), vec![overflow; more]);
        };
        LocalSet::new().run_until(test).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_keeps_its_deadline_does_not_shut_out_its_mailbox() {
    let test = async {
        let rig = rig(0);
        rig.tell(Input::Stick);
        rig.tell(Input::Note(1));
        sleep(Duration::from_millis(10)).await;
        assert_eq!(rig.told().await, ["note 1"]);
    };
    LocalSet::new().run_until(test).await;
}
