//! The wall clock is the test's own, so nothing here waits for real time.

use super::*;
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicU64, Ordering},
};

/// What the source does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Gives {
    /// Credentials for so many seconds from now.
    For(u64),
    Endless,
    Nothing,
}

#[derive(Clone, Default)]
struct Bench {
    /// Seconds since some day.
    now: Arc<AtomicU64>,
    script: Arc<Mutex<VecDeque<Gives>>>,
    asked: Arc<AtomicU64>,
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bench")
    }
}

impl Bench {
    fn renewing(&self, script: &[Gives]) -> Renewing {
        self.script.lock().unwrap().extend(script);
        let now = self.now.clone();
        Renewing::with_clock(self.clone(), Arc::new(move || at(now.load(Ordering::SeqCst))))
    }

    fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

impl ProvideCredentials for Bench {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let gives = self.script.lock().unwrap().pop_front().expect("the script says what is given");
        let end = |seconds: u64| at(self.now.load(Ordering::SeqCst) + seconds);
        let key = format!("KEY{number}");
        let result = match gives {
            Gives::For(seconds) => {
                Ok(Credentials::new(key, "never shown", Some("token".into()), Some(end(seconds)), "t"))
            }
            Gives::Endless => Ok(Credentials::new(key, "never shown", None, None, "t")),
            Gives::Nothing => Err(CredentialsError::provider_error("STS is away")),
        };
        future::ProvideCredentials::new(async move {
            // Long enough for others to come meanwhile.
            tokio::task::yield_now().await;
            result
        })
    }
}

async fn key(of: &Renewing) -> String {
    of.provide_credentials().await.expect("credentials").access_key_id().to_owned()
}

/// Lets a renewal beside the calls come to its end.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_hour_is_renewed_ten_minutes_before_its_end_beside_the_calls() {
    let bench = Bench::default();
    let renewing = bench.renewing(&[Gives::For(3600), Gives::For(3600)]);
    assert_eq!(key(&renewing).await, "KEY1");
    bench.pass(2999);
    assert_eq!((key(&renewing).await.as_str(), bench.asked()), ("KEY1", 1));
    settle().await;
    assert_eq!(bench.asked(), 1, "too early");
    bench.pass(1);
    assert_eq!(key(&renewing).await, "KEY1", "this call does not wait");
    settle().await;
    assert_eq!((key(&renewing).await.as_str(), bench.asked()), ("KEY2", 2));
}

#[tokio::test]
async fn callers_at_the_same_time_cost_one_renewal() {
    let bench = Bench::default();
    let renewing = bench.renewing(&[Gives::For(3600), Gives::For(3600), Gives::For(3600)]);
    let all = futures::future::join_all((0..20).map(|_| key(&renewing))).await;
    assert!(all.iter().all(|key| key == "KEY1"), "{all:?}");
    bench.pass(3500);
    let all = futures::future::join_all((0..20).map(|_| key(&renewing))).await;
    assert!(all.iter().all(|key| key == "KEY1"), "{all:?}");
    settle().await;
    assert_eq!((key(&renewing).await.as_str(), bench.asked()), ("KEY2", 2));
}

#[tokio::test]
async fn while_sts_is_away_good_ones_are_used_to_their_end_and_no_longer() {
    let bench = Bench::default();
    let renewing =
        bench.renewing(&[Gives::For(3600), Gives::Nothing, Gives::Nothing, Gives::Nothing, Gives::For(3600)]);
    assert_eq!(key(&renewing).await, "KEY1");
    bench.pass(3001);
    assert_eq!(key(&renewing).await, "KEY1");
    settle().await;
    bench.pass(29);
    assert_eq!((key(&renewing).await.as_str(), bench.asked()), ("KEY1", 2), "not asked again at once");
    bench.pass(1);
    assert_eq!(key(&renewing).await, "KEY1");
    settle().await;
    assert_eq!(bench.asked(), 3);
    // Half a minute before their end they are no longer given away.
    bench.pass(3600 - 30 - 3031);
    let error = renewing.provide_credentials().await.expect_err("none that are good");
    assert!(chain(&error).contains("STS is away"), "{}", chain(&error));
    assert_eq!(key(&renewing).await, "KEY5");
}

#[tokio::test]
async fn short_ones_are_renewed_half_way_and_endless_ones_looked_at() {
    let bench = Bench::default();
    let renewing = bench.renewing(&[Gives::For(60), Gives::Endless, Gives::Nothing, Gives::Endless]);
    assert_eq!(key(&renewing).await, "KEY1");
    bench.pass(30);
    assert_eq!(key(&renewing).await, "KEY1");
    settle().await;
    assert_eq!(key(&renewing).await, "KEY2");
    bench.pass(900);
    assert_eq!(key(&renewing).await, "KEY2");
    settle().await;
    bench.pass(1_000_000);
    assert_eq!(key(&renewing).await, "KEY2", "nobody said that they end");
    settle().await;
    assert_eq!((key(&renewing).await.as_str(), bench.asked()), ("KEY4", 4));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_never_answers_is_given_up() {
    #[derive(Debug)]
    struct Silent;
    impl ProvideCredentials for Silent {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }
    let error = Renewing::new(Silent).provide_credentials().await.expect_err("no answer");
    assert!(matches!(error, CredentialsError::ProviderTimedOut(_)), "{error:?}");
}

#[tokio::test]
async fn nothing_of_it_is_shown() {
    let bench = Bench::default();
    let renewing = bench.renewing(&[Gives::For(3600)]);
    let given = renewing.provide_credentials().await.expect("credentials");
    let shown = format!("{renewing:?} {given:?}");
    assert!(!shown.contains("never shown") && !shown.contains("token"), "{shown}");
}
