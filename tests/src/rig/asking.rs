//! What a coordinator tells people who ask: its metrics, and a console.

use super::{Network, Rig};
use coordinator::ports::AdminCall;
use serde_json::{Value, json};
use shell::link::Role;
use std::time::Duration;
use tokio::{sync::mpsc, time::timeout};

/// It answers from memory.
const LIMIT: Duration = Duration::from_secs(5);
/// Planes have 30 s, the ledger less.
const CHECK_LIMIT: Duration = Duration::from_secs(40);
/// The same of planes that look at a backup.
const VERIFY_LIMIT: Duration = Duration::from_secs(150);

/// The same of planes that look at themselves.
const PLANES_LIMIT: Duration = Duration::from_secs(20);

impl<N: Network> Rig<N> {
    /// `None`: no coordinator runs, or none answers.
    pub async fn ask(&self, question: &Value) -> Option<Value> {
        self.ask_as(Role::Admin, question).await
    }

    /// The same with another certificate.
    pub async fn ask_as(&self, role: Role, question: &Value) -> Option<Value> {
        self.ask_within(LIMIT, role, question).await
    }

    /// `console check`, as somebody asks who may only look; `None`: of no object.
    pub async fn check(&self, name: Option<&str>) -> Option<Value> {
        self.ask_within(CHECK_LIMIT, Role::Viewer, &json!({"ask": "check", "name": name})).await
    }

    /// `console verify`.
    pub async fn verify(&self, role: Role, name: &str) -> Option<Value> {
        self.ask_within(VERIFY_LIMIT, role, &json!({"ask": "verify", "name": name})).await
    }

    /// `console restore plan`, as somebody asks who may only look.
    pub async fn restore_plan(&self, name: &str, options: &Value) -> Option<Value> {
        let question = json!({"ask": "restorePlan", "name": name, "options": options});
        self.ask_within(VERIFY_LIMIT, Role::Viewer, &question).await
    }

    /// `console orphans`, planes and all; `delete`: what of this backup may go.
    pub async fn scan(&self, role: Role, delete: Option<&str>) -> Option<Value> {
        self.ask_within(VERIFY_LIMIT, role, &json!({"ask": "orphans", "delete": delete, "planes": true})).await
    }

    /// `console diagnose`, planes whose names come behind `after`.
    pub async fn diagnose_planes(&self, name: Option<&str>, after: &str) -> Option<Value> {
        let question = json!({"ask": "diagnosePlanes", "name": name, "after": after});
        self.ask_within(PLANES_LIMIT, Role::Viewer, &question).await
    }

    async fn ask_within(&self, limit: Duration, role: Role, question: &Value) -> Option<Value> {
        let admins = self.admins.borrow().clone()?;
        let (reply, mut answers) = mpsc::channel(1);
        let call = AdminCall { who: "ann".to_owned(), role, body: question.to_string().into(), reply };
        timeout(limit, admins.send(call)).await.ok()?.ok()?;
        let answer = timeout(limit, answers.recv()).await.ok()??;
        serde_json::from_slice(&answer).ok()
    }

    /// How many records have no object, as the metric and the console tell it.
    pub async fn orphans_told(&self) -> (Option<usize>, Option<usize>) {
        let console = self
            .ask(&json!({"ask": "orphans", "delete": null}))
            .await
            .and_then(|said| Some(said["ok"].as_array()?.len()));
        (self.metric("isochron_records_orphaned"), console)
    }

    /// Lines of the metrics: it grows with every series that is never taken back.
    pub fn series(&self) -> usize {
        self.scraped().map_or(0, |text| text.lines().count())
    }

    /// Series of a metric that bear this label.
    pub fn series_with(&self, name: &str, label: &str) -> usize {
        let text = self.scraped().unwrap_or_default();
        text.lines().filter(|line| line.starts_with(name) && line.contains(label)).count()
    }

    fn scraped(&self) -> Option<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.metrics.borrow().registry()).ok()?;
        Some(text)
    }

    /// A metric without labels, as it is scraped.
    pub fn metric(&self, name: &str) -> Option<usize> {
        let text = self.scraped()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    }
}
