//! The coordinator's program: joins edges to ports, and the admin's commands.
// Standard output belongs to what a command prints.
#![allow(clippy::print_stdout)]

mod next_runs;
mod serve;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use coordinator::console::{Answered, Output, Question, render};
use shared::time::Timestamp;
use shell::{
    pki::{self, Kind},
    quic::Client,
    tls::{Credentials, TlsFiles},
};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// How long a console command may take to connect, and then to be answered.
const CONSOLE_LIMIT: Duration = Duration::from_secs(10);

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
    /// Coordinator addresses, host:port.
    #[arg(long, env = "ISOCHRON_SERVER", value_delimiter = ',', default_value = "127.0.0.1:7443")]
    server: Vec<String>,
    /// Name in the coordinator's certificate, if it is not the host dialled.
    #[arg(long, env = "ISOCHRON_SERVER_NAME")]
    server_name: Option<String>,
    /// Trust domain of the certificates.
    #[arg(long, env = "ISOCHRON_TRUST_DOMAIN", default_value = "isochron.local")]
    trust_domain: String,
    /// CA certificate.
    #[arg(long, env = "ISOCHRON_CA", default_value = "ca.crt")]
    ca: PathBuf,
    /// Admin certificate.
    #[arg(long, env = "ISOCHRON_CERT", default_value = "admin.crt")]
    cert: PathBuf,
    /// Its key.
    #[arg(long, env = "ISOCHRON_KEY", default_value = "admin.key")]
    key: PathBuf,
    /// How to show the answer.
    #[arg(long, value_enum, default_value = "table", global = true)]
    output: Output,
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Subcommand)]
enum Ask {
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
        #[arg(long, default_value = "isochron.local")]
        trust_domain: String,
    },
    /// A plane actor's certificate; NAME is the k8sClusterName.
    Plane {
        /// k8sClusterName
        name: String,
    },
    /// An admin's certificate.
    Admin {
        /// Who
        name: String,
    },
    /// A coordinator's certificate.
    Coordinator {
        /// Instance name
        name: String,
        /// DNS names or IP addresses that planes and admins dial.
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
        Ask::Status => Question::Status,
        Ask::Planes => Question::Planes,
        Ask::Backups => Question::Backups,
        Ask::Show { name } => Question::Show { name },
        Ask::Why { name } => Question::Why { name },
        Ask::Schedules { name, plan, at } => Question::Schedules { name, plan, at },
    };
    let credentials = Credentials::load(TlsFiles {
        ca: args.ca,
        cert: args.cert,
        key: args.key,
        crl: None,
        trust_domain: args.trust_domain,
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async {
        let client = Client::new(credentials)?;
        let connection = client.dial_admin(&args.server, args.server_name.as_deref(), CONSOLE_LIMIT).await?;
        let mut responses = connection.request(Bytes::from(serde_json::to_vec(&question)?)).await?;
        let first = tokio::time::timeout(CONSOLE_LIMIT, responses.next()).await.context("no answer in time")?;
        drop((responses, connection));
        // Or the goodbye never leaves, and the coordinator counts this session until it times out.
        client.shutdown().await;
        anyhow::Ok(first.context("the coordinator ended without an answer")??)
    })?;
    match serde_json::from_slice(&answer).context("the answer cannot be read; are both of one version?")? {
        Answered::Ok(value) => println!("{}", render(&value, args.output)),
        Answered::Error(error) => bail!("{error}"),
    }
    Ok(())
}

fn make(args: &PkiArgs) -> anyhow::Result<()> {
    let issued = match &args.command {
        Pki::Init { trust_domain } => {
            pki::init(&args.dir, trust_domain)?;
            println!("authority of {trust_domain} in {}", args.dir.display());
            return Ok(());
        }
        Pki::Revoke { serial } => {
            pki::revoke(&args.dir, serial)?;
            println!("revoked {serial}; give {} to every coordinator", args.dir.join("crl.pem").display());
            return Ok(());
        }
        Pki::Plane { name } => pki::issue(&args.dir, Kind::Plane, name, &[])?,
        Pki::Admin { name } => pki::issue(&args.dir, Kind::Admin, name, &[])?,
        Pki::Coordinator { name, sans } => pki::issue(&args.dir, Kind::Coordinator, name, sans)?,
    };
    println!("serial {}\ncert   {}\nkey    {}", issued.serial, issued.cert.display(), issued.key.display());
    Ok(())
}
