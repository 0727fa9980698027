//! `deploy/console.md` and what is answered: no field without a word there, and no word there without a field.

use crate::{
    LIMIT, at,
    lifecycle::vanish,
    orphans::{plant, plant_volume},
    restores::{fresh, restored},
    schedules::manifest,
    story, world,
};
use serde_json::{Value, json};
use shared::barrier::Milestone;
use shell::link::Role;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    rc::Rc,
    time::Duration,
};
use tests::rig::Rig;

/// Fields of each verb, as the page has them: `planes[].plane`.
type Fields = BTreeMap<String, BTreeSet<String>>;

fn documented() -> Fields {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/console.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut all = Fields::new();
    for section in page.split("\n## ").skip(1) {
        let (verb, text) = section.split_once('\n').unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.map(|row| row.split('|').nth(1).unwrap());
        let names = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned));
        all.insert(verb.to_owned(), names.collect());
    }
    all
}

/// Every place of a value, down to texts, numbers and what is empty.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Array(list) if !list.is_empty() => list.iter().for_each(|one| places(one, &format!("{at}[]"), found)),
        Value::Object(fields) if !fields.is_empty() => {
            let dot = if at.is_empty() { "" } else { "." };
            fields.iter().for_each(|(name, field)| places(field, &format!("{at}{dot}{name}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('.').collect()
}

/// Is it that field, or a part of it?
fn is_of(place: &str, field: &str) -> bool {
    let (place, field) = (segments(place), segments(field));
    let fits = |(one, word): (&&str, &&str)| one == word || *word == "*" || one.trim_end_matches("[]") == *word;
    place.len() >= field.len() && place.iter().zip(&field).all(fits)
}

/// Is it nothing where a field with parts may be?
fn is_above(place: &str, field: &str) -> bool {
    let (place, field) = (segments(place), segments(field));
    let fits = |(one, word): (&&str, &&str)| one == word || *word == "*" || *one == word.trim_end_matches("[]");
    place.len() <= field.len() && place.iter().zip(&field).all(fits)
}

/// Answers that were seen, by the verb of the page.
#[derive(Default)]
struct Seen(BTreeMap<String, Vec<String>>);

impl Seen {
    fn add(&mut self, verb: &str, answer: &Value) {
        let answer = answer.get("ok").unwrap_or_else(|| panic!("{verb}: {answer:#}"));
        places(answer, "", self.0.entry(verb.to_owned()).or_default());
    }

    async fn ask(&mut self, rig: &Rig, verb: &str, question: Value) {
        let answer = rig.ask(&question).await.expect("an answer in time");
        self.add(verb, &answer);
    }

    async fn look(&mut self, rig: &Rig, name: &str) {
        self.ask(rig, "status", json!({"ask": "status"})).await;
        self.ask(rig, "planes", json!({"ask": "planes"})).await;
        self.ask(rig, "backups", json!({"ask": "backups"})).await;
        self.ask(rig, "drain", json!({"ask": "drains"})).await;
        self.ask(rig, "schedules", json!({"ask": "schedules", "name": null, "plan": false, "at": null})).await;
        for verb in ["show", "why", "timeline"] {
            self.ask(rig, verb, json!({"ask": verb, "name": name})).await;
        }
    }

    fn is_what_the_page_says(&self) {
        let page = documented();
        assert_eq!(page.keys().collect::<Vec<_>>(), self.0.keys().collect::<Vec<_>>());
        for (verb, fields) in &page {
            let places = &self.0[verb];
            for place in places.iter().filter(|place| !place.is_empty()) {
                let known = fields.iter().any(|field| is_of(place, field) || is_above(place, field));
                assert!(known, "`{verb}` answers {place:?}, and deploy/console.md has no word of it");
            }
            for field in fields {
                let there = places.iter().any(|place| is_of(place, field));
                assert!(there, "deploy/console.md has {field:?} of `{verb}`, which is never answered");
            }
        }
    }
}

#[test]
fn every_field_of_an_answer_has_its_word_on_the_page_and_no_other() {
    story(world(1400), async |rig: Rc<Rig>| {
        let mut seen = Seen::default();
        let schedule = manifest(&rig, "nightly", &json!({"schedule": "@every 60s"}));
        rig.control.apply(&schedule).unwrap();
        rig.control.apply(&rig.manifest("")).unwrap();
        at(&rig, Milestone::Snapshotting).await;
        seen.look(&rig, "backup").await;
        assert_eq!(rig.ended(LIMIT).await, "Complete", "{:?}", rig.failure());
        tokio::time::sleep(Duration::from_secs(90)).await;
        seen.ask(&rig, "drain", json!({"ask": "drain", "plane": null, "length": 60_000, "because": "x"})).await;
        seen.look(&rig, "backup").await;
        seen.ask(&rig, "schedules NAME", json!({"ask": "schedules", "name": "nightly", "plan": false, "at": null}))
            .await;
        seen.add("check", &rig.check(Some("nightly")).await.unwrap());
        seen.add("verify", &rig.verify(Role::Admin, "backup").await.unwrap());
        let target = json!({"az1": {"namespace": "tidb", "name": "shop-az1"}});
        let options = json!({"wish": {"kind": {"name": "gp3"}, "rate": 300}, "targets": target});
        seen.add("restore plan", &rig.restore_plan("backup", &options).await.unwrap());
        rig.world.set_target(fresh());
        for (restore, end) in [("back", "Complete"), ("again", "Failed")] {
            assert_eq!(restored(&rig, restore, "").await["phase"], end);
            seen.ask(&rig, "restore list", json!({"ask": "restores", "name": null})).await;
            seen.ask(&rig, "restore show", json!({"ask": "restores", "name": restore})).await;
        }
        plant(&rig, |_| ());
        plant_volume(&rig, "another");
        vanish(&rig).await;
        for delete in [None, Some("u-lost")] {
            seen.add("orphans", &rig.scan(Role::Admin, delete).await.unwrap());
        }
        seen.is_what_the_page_says();
    });
}
