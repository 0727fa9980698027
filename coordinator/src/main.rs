//! The coordinator's program: joins edges to ports, and the admin's commands.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout)]

mod next_runs;
mod reach;
mod ready;
mod serve;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use coordinator::console::{
    Answered, Output, Question,
    contexts::{self, Contexts},
    render,
};
use shared::time::Timestamp;
use shell::{
    pki::{self, Kind},
    tls::TRUST_DOMAIN,
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

#[derive(Parser)]
#[command(
    name = "coordinator",
    version,
    about = "Holds the global backup barrier of TiDB clusters over several Kubernetes clusters"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the coordinator.
    Serve(serve::ServeArgs),
    /// Ask a running coordinator what it believes.
    Console(ConsoleArgs),
    /// Print the custom resource definitions.
    Crd,
    /// Print when a schedule's expression fires, before applying it.
    NextRuns(next_runs::NextRunsArgs),
    /// Make certificates for coordinator, planes and admins.
    Pki(PkiArgs),
}

#[derive(Args)]
struct ConsoleArgs {
    #[command(flatten)]
    reach: reach::ReachArgs,
    /// How to show the answer.
    #[arg(long, value_enum, default_value = "table", global = true)]
    output: Output,
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Subcommand)]
enum Ask {
    /// Which coordinators the console knows, and which one it asks.
    Contexts,
    /// Ask another of them from now on.
    UseContext {
        /// Its name
        name: String,
    },
    /// Everything at a glance.
    Status,
    /// Planes and their sessions.
    Planes,
    /// Every backup, one line each.
    Backups,
    /// One backup whole.
    Show {
        /// name, namespace/name or uid
        name: String,
    },
    /// Why a backup is not done yet, and what to do.
    Why {
        /// name, namespace/name or uid
        name: String,
    },
    /// Records whose VolumeBackup is gone although nobody deleted it; everything of them is kept.
    Orphans {
        /// Delete the one with this uid, and what its cleanPolicy names, as if its object had been deleted.
        #[arg(long, value_name = "UID")]
        delete: Option<String>,
    },
    /// Schedules, one line each; or one of them, with its coming runs and its backups.
    Schedules {
        /// name or namespace/name
        name: Option<String>,
        /// Only which backups stay or go, and why.
        #[arg(long, requires = "name")]
        plan: bool,
        /// As it will be at this moment, if nothing else happens: RFC 3339, or a date (midnight UTC).
        #[arg(long, requires = "name", value_parser = moment)]
        at: Option<Timestamp>,
    },
}

/// An RFC 3339 moment, or a date.
fn moment(text: &str) -> Result<Timestamp, String> {
    let at = text.parse::<jiff::Timestamp>().map(|at| at.as_millisecond());
    let date = || text.parse::<jiff::civil::Date>().and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC));
    at.or_else(|_| date().map(|midnight| midnight.timestamp().as_millisecond()))
        .map(Timestamp)
        .map_err(|_| "write a moment like 2026-12-01T03:00:00Z, or a date like 2026-12-01".to_owned())
}

#[derive(Args)]
struct PkiArgs {
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
    /// Revoke a certificate by its serial (see `index` in the authority's folder).
    Revoke {
        /// Hexadecimal serial
        serial: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve(args) => serve::main(args),
        Command::Console(args) => console(args),
        Command::Crd => {
            print!("{}", coordinator::edge::kube::crds());
            Ok(())
        }
        Command::NextRuns(args) => return next_runs::main(&args),
        Command::Pki(args) => make(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("coordinator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn console(args: ConsoleArgs) -> anyhow::Result<()> {
    let question = match args.ask {
        Ask::Contexts => return args.reach.show_contexts(args.output),
        Ask::UseContext { name } => return reach::use_context(&name),
        Ask::Status => Question::Status,
        Ask::Planes => Question::Planes,
        Ask::Backups => Question::Backups,
        Ask::Show { name } => Question::Show { name },
        Ask::Why { name } => Question::Why { name },
        Ask::Orphans { delete } => Question::Orphans { delete },
        Ask::Schedules { name, plan, at } => Question::Schedules { name, plan, at },
    };
    match args.reach.ask(&question)? {
        Answered::Ok(value) => println!("{}", render(&value, args.output)),
        Answered::Error(error) => bail!("{error}"),
        Answered::NotLeading { leader } => bail!("{}", reach::not_leading(leader.as_deref())),
    }
    Ok(())
}

fn make(args: &PkiArgs) -> anyhow::Result<()> {
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
        Pki::Plane { name } => pki::issue(&args.dir, Kind::Plane, name, &[])?,
        Pki::Admin { name, .. } => pki::issue(&args.dir, Kind::Admin, name, &[])?,
        Pki::Coordinator { name, sans } => pki::issue(&args.dir, Kind::Coordinator, name, sans)?,
    };
    println!("serial {}\ncert   {}\nkey    {}", issued.serial, issued.cert.display(), issued.key.display());
    if let Pki::Plane { name } = &args.command {
        println!("ledger ConfigMap isochron-plane-{}", shared::plane_name::object_name(name));
    }
    if let Pki::Admin { name, server, server_name, no_context: false } = &args.command {
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
