//! What a year may come to.

use super::{course::Course, identities::PLANES, months::Month, sessions::Sessions};
use crate::{
    figures::{Figure, Figures},
    soak::WARM,
};
use shared::member::MAX_ATTEMPTS_KEPT;

/// What may be left of a backup that was made and deleted, in bytes, as `loadtests soak` has it.
const KEPT_OF_EACH: f64 = 256.0;
/// Certificate and key of each program: those in use, and those that were replaced and have not ended. A third of a life has passed
/// when the one before ends, so at most one of each is there, and the first renewal after its end removes it.
const FILES: f64 = 2.0 * 3.0 * 4.0;

/// A list of the revoked is so long without a line, and a line of it, in KiB of PEM.
const LIST: f64 = 0.4;
const LINE: f64 = 0.05;
/// A week.
const LISTED_AFTER_END: f64 = 7.0 * 24.0 * 60.0 * 60.0;

/// Each plane leaves one certificate in two thirds of a life, which is listed from then on until a week after its end. While one authority
/// follows another there are two lists.
fn lists(year: &Course<'_>) -> f64 {
    let life = year.args.life().as_secs_f64();
    let each = (life + LISTED_AFTER_END) / (life * 2.0 / 3.0) + 2.0;
    2.0 * (LIST + LINE * (PLANES.len() as f64 * each).min(year.identities.made.renewals as f64))
}

/// A process remembers at most so many backups that have ended: 32 attempts in a plane's memory, the last steps of 32 machines in a
/// coordinator's, with a wide margin.
const FULL: usize = 4 * WARM as usize;

/// One of them.
type Count = fn(&Month) -> f64;

pub(super) fn figures(year: &Course<'_>, sessions: Sessions) -> Figures {
    let months = &year.months;
    let mut figures = Figures::default();
    let total = |of: Count| months.iter().map(of).sum::<f64>();
    let most = |of: Count| months.iter().map(of).fold(0.0, f64::max);
    let made = total(|month| month.backups as f64);
    figures.add(Figure::shown("backups made", made, ""));
    figures.add(Figure::shown("failures, each mended after 90 s", total(|month| f64::from(month.failures)), ""));
    figures.add(Figure::at_least(
        "certificates consistent, by oracle and bank",
        total(|month| month.proven as f64),
        "",
        made * 0.97,
    ));
    figures.add(Figure::at_most("certificates that are not what they say", year.proofs.lies.len() as f64, "", 0.0));
    for lie in &year.proofs.lies {
        eprintln!("{lie}");
    }
    for (name, oldest) in ["the first schedule", "the second"].into_iter().zip(year.oldest) {
        figures.add(Figure::at_most(&format!("oldest last good backup of {name}"), oldest, "intervals", 3.0));
    }
    identities(year, &mut figures);
    figures.add(Figure::at_most("attempts that upgrades of planes forgot", year.forgotten as f64, "", 0.0));
    held(sessions, made, &mut figures);
    left(year, &mut figures, &most);
    figures
}

fn identities(year: &Course<'_>, figures: &mut Figures) {
    let made = year.identities.made;
    figures.add(Figure::shown("certificates renewed", made.renewals as f64, ""));
    figures.add(Figure::shown("lists of the revoked made", made.lists as f64, ""));
    figures.add(Figure::at_least("of both, mounted while stores were held", made.in_hold as f64, "", 5.0));
    figures.add(Figure::at_least(
        "the missed renewal was told of before",
        f64::from(u8::from(year.identities.warned)),
        "",
        1.0,
    ));
    figures.add(Figure::at_least("lines in the log that something ends soon", year.reminders as f64, "", 1.0));
    figures.add(Figure::at_most(
        "believed or not, as it should not be",
        year.identities.misjudged.len() as f64,
        "",
        0.0,
    ));
    for what in &year.identities.misjudged {
        eprintln!("{what}");
    }
}

fn held(sessions: Sessions, made: f64, figures: &mut Figures) {
    figures.add(Figure::shown("sessions begun", sessions.begun as f64, ""));
    figures.add(Figure::at_least(
        "holds that a session came through",
        sessions.through as f64,
        "",
        made * PLANES.len() as f64 * 0.95,
    ));
    figures.add(Figure::at_most("sessions lost in a hold", sessions.in_hold as f64, "", 0.0));
    figures.add(Figure::shown("the same, by what was broken on purpose", sessions.lost_to_faults as f64, ""));
    figures.add(Figure::at_most("sessions lost beside a hold, unexplained", sessions.cut as f64, "", 0.0));
    figures.add(Figure::at_most("words that earlier planes do not know", sessions.unknown as f64, "", 0.0));
}

/// What is allocated more at the end of months than at their beginning, and of how many backups: of those without a restart, which
/// would hide what a process never forgets, and long enough after one that what a process remembers is full.
fn growth(months: &[Month]) -> (f64, usize) {
    let (mut grown, mut backups, mut since) = (0.0, 0, 0);
    for pair in months.windows(2) {
        let [before, month] = pair else { continue };
        since = if before.undisturbed { since + before.backups } else { 0 };
        if month.undisturbed && since >= FULL {
            grown += month.rest.live - before.rest.live;
            backups += month.backups;
        }
    }
    (grown, backups)
}

fn left(year: &Course<'_>, figures: &mut Figures, most: &dyn Fn(Count) -> f64) {
    let months = &year.months;
    // Until retention deletes, and planes' ledgers hold all that they may.
    let mut made = 0;
    let warm = months.iter().position(|month| {
        made += month.backups;
        made > 2 * WARM as usize
    });
    let warm = warm.unwrap_or(0);
    let flat = &months[warm..];
    // In the first month the version before writes records, without what it did not know.
    let Some(first) = months.get(warm.max(1)) else { return };
    let (grown, backups) = growth(months);
    if backups == 0 {
        figures.add(Figure::shown("too few backups between restarts for a word on memory", 0.0, ""));
    } else {
        figures.add(Figure::at_most("memory kept of each backup", grown.max(0.0) / backups as f64, "B", KEPT_OF_EACH));
    }
    figures.add(Figure::shown(
        "allocated at the last rest, world and all",
        months.last().map_or(0.0, |month| month.rest.live / 1_048_576.0),
        "MiB",
    ));
    let same: [(&str, Count); 2] = [
        ("lines of the coordinator's metrics", |month| month.rest.series),
        ("open files", |month| month.rest.descriptors),
    ];
    for (name, of) in same {
        // A backup failed in the first month: what failures bring is there once.
        let there = months[..=warm].iter().map(of).fold(0.0, f64::max);
        figures.add(Figure::at_most(name, flat.iter().map(of).fold(0.0, f64::max), "", there));
    }
    let longest = flat.iter().map(|month| month.rest.longest).fold(0.0, f64::max);
    figures.add(Figure::at_most("the longest object in the ledger", longest, "KiB", first.rest.longest * 1.1));
    figures.add(Figure::at_most(
        "attempts in a plane's ledger",
        most(|month| month.rest.attempts),
        "",
        MAX_ATTEMPTS_KEPT as f64,
    ));
    figures.add(Figure::at_most("certificates and keys of the authority", most(|month| month.files as f64), "", FILES));
    figures.add(Figure::at_most(
        "the lists of the revoked",
        most(|month| month.list_bytes as f64) / 1024.0,
        "KiB",
        lists(year),
    ));
    let none: [(&str, Count); 7] = [
        ("sessions at rest that should not be, or are missing", |month| month.linked.abs_diff(PLANES.len()) as f64),
        ("ledger: more than a record a backup and a claim", |month| month.rest.ledger_surplus),
        ("barriers in memory at rest", |month| month.rest.barriers),
        ("attempts in planes' memory beyond the backups", |month| month.rest.members),
        ("records without an object", |month| month.rest.orphans),
        ("snapshots that no certificate names", |month| month.rest.snapshots),
        ("holds left in TiDB", |month| month.rest.holds),
    ];
    for (name, of) in none {
        figures.add(Figure::at_most(name, most(of), "", 0.0));
    }
}
