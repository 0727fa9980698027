//! `coordinator pki`: certificates for coordinator, planes and admins.
// A warning is no part of what a script reads.
#![allow(clippy::print_stderr)]

use crate::{colour::terminal_width, reach};
use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use coordinator::console::{
    Output,
    contexts::{self, Contexts},
    render,
};
use serde_json::json;
use shared::calendar::rfc3339;
use shell::{
    clock::system_wall,
    pki::{self, Kind, Listed, State},
    tls::TRUST_DOMAIN,
};
use std::path::{Path, PathBuf};

/// `pki list` warns of what ends sooner.
const WARN_DAYS: i64 = 60;

#[derive(Args)]
pub(crate) struct PkiArgs {
    /// Where the authority lives.
    #[arg(long, default_value = "pki", global = true)]
    dir: PathBuf,
    #[command(subcommand)]
    command: Pki,
}

#[derive(Subcommand)]
enum Pki {
    /// Make an authority.
    Init {
        /// Goes into every identity: spiffe://<trust-domain>/…
        #[arg(long, default_value = TRUST_DOMAIN)]
        trust_domain: String,
    },
    /// A plane actor's certificate; NAME is the k8sClusterName.
    Plane {
        /// k8sClusterName
        name: String,
    },
    /// An admin's certificate, and a context for the console in your configuration folder.
    Admin {
        /// Who
        name: String,
        /// What the console may do with it: ask; or end what runs, too; or everything.
        #[arg(long, value_enum, default_value = "admin")]
        role: RoleArg,
        /// Coordinator addresses, host:port, for the context.
        #[arg(long, value_delimiter = ',')]
        server: Vec<String>,
        /// Name in the coordinator's certificate, if it is not the host in --server.
        #[arg(long, default_value = "")]
        server_name: String,
        /// Write no context: the certificate is for somebody else.
        #[arg(long, conflicts_with_all = ["server", "server_name"])]
        no_context: bool,
    },
    /// A coordinator's certificate.
    Coordinator {
        /// Instance name, and a DNS name in the certificate: what planes and admins say as `serverName`
        name: String,
        /// DNS names or IP addresses that they dial.
        #[arg(long = "san", required = true, value_delimiter = ',')]
        sans: Vec<String>,
    },
    /// Revoke a certificate by its serial (`pki list`).
    Revoke {
        /// Hexadecimal serial
        serial: String,
    },
    /// A new key and certificate with the names of the old one, which stays good until it ends or is revoked.
    Renew {
        /// plane, admin, operator, viewer or coordinator
        kind: Kind,
        /// Of whom, as it was issued
        name: String,
    },
    /// All that was issued, what ends first at the top.
    List {
        /// How to show it.
        #[arg(long, value_enum, default_value = "table")]
        output: Output,
    },
    /// Make the next authority. Until `retire-ca` both are believed.
    RotateCa,
    /// Believe the newest authority alone.
    RetireCa,
}

/// What a person may do with the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RoleArg {
    /// Ask.
    Viewer,
    /// Ask, and cancel.
    Operator,
    /// Everything.
    Admin,
}

impl RoleArg {
    fn kind(self) -> Kind {
        match self {
            Self::Viewer => Kind::Viewer,
            Self::Operator => Kind::Operator,
            Self::Admin => Kind::Admin,
        }
    }
}

pub(crate) fn main(args: &PkiArgs) -> anyhow::Result<()> {
    let issued = match &args.command {
        Pki::Init { trust_domain } => {
            pki::init(&args.dir, trust_domain)?;
            println!("authority of {trust_domain} in {}", args.dir.display());
            println!("every program's configuration says the same: `trustDomain: {trust_domain}`");
            return Ok(());
        }
        Pki::Revoke { serial } => {
            pki::revoke(&args.dir, serial)?;
            println!(
                "revoked {serial}; give {} to coordinators, planes and admins",
                args.dir.join("crl.pem").display()
            );
            return Ok(());
        }
        Pki::Renew { kind, name } => return renew(&args.dir, *kind, name),
        Pki::List { output } => return list(&args.dir, *output),
        Pki::RotateCa => {
            pki::rotate_ca(&args.dir, system_wall())?;
            println!("ca.crt and crl.pem in {} hold both authorities now", args.dir.display());
            println!("1. give both files to every program, and wait until each has read them (a minute in Kubernetes)");
            println!(
                "2. coordinator pki renew KIND NAME for all in `coordinator pki list` with an older CA; put them in use"
            );
            println!("3. coordinator pki retire-ca, and give both files to every program again");
            return Ok(());
        }
        Pki::RetireCa => {
            pki::retire_ca(&args.dir, system_wall())?;
            println!("ca.crt and crl.pem in {} hold the newest authority alone", args.dir.display());
            println!("give both files to every program");
            return Ok(());
        }
        Pki::Plane { name } => pki::issue(&args.dir, Kind::Plane, name, &[])?,
        Pki::Admin { name, role, .. } => pki::issue(&args.dir, role.kind(), name, &[])?,
        Pki::Coordinator { name, sans } => pki::issue(&args.dir, Kind::Coordinator, name, sans)?,
    };
    println!("serial {}\ncert   {}\nkey    {}", issued.serial, issued.cert.display(), issued.key.display());
    if let Pki::Plane { name } = &args.command {
        println!("ledger ConfigMap isochron-plane-{}", shared::plane_name::object_name(name));
    }
    if let Pki::Admin { name, server, server_name, no_context: false, .. } = &args.command {
        add_context(&args.dir, name, &issued, server, server_name)?;
    }
    Ok(())
}

/// What the console finds without flags.
fn add_context(
    dir: &Path,
    name: &str,
    issued: &pki::Issued,
    server: &[String],
    server_name: &str,
) -> anyhow::Result<()> {
    let Some(file) = reach::context_file() else {
        println!("no context: there is neither $XDG_CONFIG_HOME nor $HOME");
        return Ok(());
    };
    let trust_domain = pki::trust_domain(dir)?;
    let absolute = |path: &Path| std::path::absolute(path).with_context(|| format!("where is {}?", path.display()));
    let context = contexts::Context {
        name: format!("{name}@{trust_domain}"),
        server: server.to_vec(),
        server_name: server_name.to_owned(),
        ca: absolute(&dir.join("ca.crt"))?,
        cert: absolute(&issued.cert)?,
        key: absolute(&issued.key)?,
        crl: absolute(&dir.join("crl.pem"))?,
        trust_domain,
        identities: Vec::new(),
    };
    let called = context.name.clone();
    let current = contexts::change(&file, |all: &mut Contexts| Ok(all.put(context)))
        .context("the certificate is made, but the console has no context for it")?;
    println!("context {called} in {}", file.display());
    if !current {
        println!("        another context is the current one: coordinator console use-context {called}");
    }
    if server.is_empty() {
        println!("        it names no server yet: write `server: [HOST:7443]` there, or give --server");
    }
    Ok(())
}

fn renew(dir: &Path, kind: Kind, name: &str) -> anyhow::Result<()> {
    let renewed = pki::renew(dir, kind, name, system_wall())?;
    let (new, old) = (&renewed.new, &renewed.old);
    println!("serial {}\ncert   {}\nkey    {}", new.serial, new.cert.display(), new.key.display());
    println!("before {} ({}), good until it ends", old.serial, old.cert.display());
    println!("       once the new one is in use: coordinator pki revoke {}", old.serial);
    Ok(())
}

fn list(dir: &Path, output: Output) -> anyhow::Result<()> {
    let all = pki::list(dir, system_wall())?;
    let row = |one: &Listed| {
        json!({
            "serial": one.serial,
            "kind": one.kind,
            "name": one.name,
            "ca": one.ca,
            "notAfter": rfc3339(one.not_after),
            "daysLeft": one.days_left,
            "state": one.state.to_string(),
        })
    };
    println!("{}", render(&all.iter().map(row).collect(), output, terminal_width()));
    for one in all.iter().filter(|one| one.state == State::Valid && one.days_left < WARN_DAYS) {
        let Listed { kind, name, days_left, .. } = one;
        let what = if kind == "ca" { "rotate-ca".to_owned() } else { format!("renew {kind} {name:?}") };
        eprintln!("warning: {kind}/{name} ends in {days_left} days: coordinator pki {what}");
    }
    Ok(())
}
