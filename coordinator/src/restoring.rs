//! `coordinator console restore`.

use clap::{Args, Subcommand};
use coordinator::console::{Question, restore::RestoreOptions};
use shared::{
    ids::PlaneId,
    wire::{Target, VolumeKind, VolumeWish},
};
use std::collections::BTreeMap;

#[derive(Args)]
pub(crate) struct RestoreArgs {
    #[command(subcommand)]
    what: RestoreVerb,
}

#[derive(Subcommand)]
enum RestoreVerb {
    /// What would a restore of a Complete backup take, and would it work? Each of its planes looks at its part as `verify`
    /// does, and at zones and quotas, with --target also at the TiDB cluster that is restored into: volumes in the order of
    /// restore, until when their data is there, the price. Nothing is changed. Exit status 1 where something does not hold, or
    /// a plane could not look.
    Plan(PlanArgs),
    /// Every restore, one line each.
    List,
    /// One restore whole: its stages, what each plane does, what its certificate says.
    Show {
        /// name, namespace/name or uid
        name: String,
    },
}

#[derive(Args)]
struct PlanArgs {
    /// name, namespace/name or uid
    name: String,
    /// Zone of the new volumes; or FROM=TO, of those that were in FROM. Else the zone that each was in.
    #[arg(long = "zone", value_name = "[FROM=]TO")]
    zones: Vec<String>,
    /// Type of the new volumes: gp3, io2, …
    #[arg(long = "type", value_name = "TYPE", default_value = "gp3")]
    kind: String,
    /// IOPS of each new volume.
    #[arg(long)]
    iops: Option<u32>,
    /// MiB/s of each new volume (gp3).
    #[arg(long, value_name = "MIB_PER_S")]
    throughput: Option<u32>,
    /// VolumeInitializationRate, 100 to 300 MiB/s of each volume; without it data comes as it is read.
    #[arg(long, value_name = "MIB_PER_S")]
    rate: Option<u32>,
    /// How long a drill would keep the volumes, for its price.
    #[arg(long, default_value_t = RestoreOptions::default().hours)]
    hours: u32,
    /// The TiDB cluster to restore into; with PLANE= that of one plane. Is it fresh, does its TiKV wait, is it of the same line?
    #[arg(long = "target", value_name = "[PLANE=]NAMESPACE/NAME")]
    targets: Vec<String>,
}

impl RestoreArgs {
    /// # Errors
    /// What was written has no meaning.
    pub(crate) fn question(self) -> Result<Question, String> {
        let PlanArgs { name, zones, kind, iops, throughput, rate, hours, targets } = match self.what {
            RestoreVerb::Plan(plan) => plan,
            RestoreVerb::List => return Ok(Question::Restores { name: None }),
            RestoreVerb::Show { name } => return Ok(Question::Restores { name: Some(name) }),
        };
        let (zone, zones) = keyed("--zone", &zones, |zone| Ok(zone.to_owned()))?;
        let (target, targets) = keyed("--target", &targets, target)?;
        let wish = VolumeWish { zones, zone, kind: VolumeKind { name: kind, iops, throughput }, rate };
        let targets = targets.into_iter().map(|(plane, target)| (PlaneId(plane), target)).collect();
        Ok(Question::RestorePlan { name, options: RestoreOptions { wish, hours, target, targets } })
    }
}

/// Values with a key, and the one without.
fn keyed<T>(
    flag: &str,
    words: &[String],
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<(Option<T>, BTreeMap<String, T>), String> {
    let (mut of_all, mut of_one) = (None, BTreeMap::new());
    for word in words {
        // A plane may be called by an ARN.
        let twice = match word.rsplit_once('=') {
            Some((key, value)) => of_one.insert(key.to_owned(), read(value)?).is_some(),
            None => of_all.replace(read(word)?).is_some(),
        };
        if twice {
            return Err(format!("{flag} {word}: said twice"));
        }
    }
    Ok((of_all, of_one))
}

fn target(word: &str) -> Result<Target, String> {
    match word.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(Target { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err(format!("--target {word}: write NAMESPACE/NAME, or PLANE=NAMESPACE/NAME")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Line {
        #[command(flatten)]
        restore: RestoreArgs,
    }

    fn of(words: &str) -> Result<Question, String> {
        Line::try_parse_from(words.split_whitespace()).map_err(|error| error.to_string())?.restore.question()
    }

    #[test]
    fn what_is_asked_in_the_pod_is_what_was_written() {
        for words in [
            "plan nightly",
            "plan br/nightly --zone eu-1a=eu-1c --zone eu-1b --type io2 --iops 900 --rate 300 --hours 12",
            "plan n --throughput 500 --target tidb/back --target arn:aws:eks:eu:1:cluster/az1=tidb/back-az1",
        ] {
            let question = of(words).unwrap();
            let Question::RestorePlan { name, options } = &question else { panic!("{question:?}") };
            let again = format!("plan {name} {}", options.words().join(" "));
            assert_eq!(of(&again).as_ref(), Ok(&question), "{again}");
        }
        let Ok(Question::RestorePlan { options, .. }) = of("plan n") else { panic!() };
        assert_eq!(options, RestoreOptions::default());
    }

    #[test]
    fn what_has_no_meaning_is_said() {
        for (words, word) in [
            ("plan n --target back", "write NAMESPACE/NAME"),
            ("plan n --target az1=/back", "write NAMESPACE/NAME"),
            ("plan n --zone a --zone b", "said twice"),
            ("plan n --zone a=b --zone a=c", "said twice"),
            ("plan", "required"),
            ("plan n --rate fast", "invalid value"),
        ] {
            let why = of(words).unwrap_err();
            assert!(why.contains(word), "{words}: {why}");
        }
    }
}
