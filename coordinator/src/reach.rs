//! How the console reaches a coordinator: flags and variables, else a context of the user's configuration, else the
//! local socket. Every failure says which of them it was.

use crate::colour::terminal_width;
use anyhow::{Context as _, bail};
use bytes::Bytes;
use clap::Args;
use coordinator::{
    config::SOCKET,
    console::{
        Answered, Output, Question,
        contexts::{self, Contexts},
        render,
    },
    edge::socket,
};
use serde_json::json;
use shell::{
    quic::{Client, DialError},
    tls::{Credentials, TRUST_DOMAIN, TlsFiles},
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

#[cfg(test)]
mod tests;

/// How long it may take to connect to one address, and then to be answered.
const LIMIT: Duration = Duration::from_secs(10);

/// The same where planes are asked, which have 30 s.
const CHECK_LIMIT: Duration = Duration::from_secs(45);
/// The same of planes that look at a backup: 130 s.
const VERIFY_LIMIT: Duration = Duration::from_secs(150);

/// What a pod's name is followed by in the identity of a replica: a dash and a UUID.
const IDENTITY_TAIL: usize = 37;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ReachArgs {
    /// Coordinator addresses, host:port.
    #[arg(long, env = "ISOCHRON_SERVER", value_delimiter = ',', global = true)]
    server: Vec<String>,
    /// Name in the coordinator's certificate, if it is not the host dialled.
    #[arg(long, env = "ISOCHRON_SERVER_NAME", global = true)]
    server_name: Option<String>,
    /// Trust domain of the certificates.
    #[arg(long, env = "ISOCHRON_TRUST_DOMAIN", global = true)]
    trust_domain: Option<String>,
    /// CA certificate.
    #[arg(long, env = "ISOCHRON_CA", global = true)]
    ca: Option<PathBuf>,
    /// Admin certificate.
    #[arg(long, env = "ISOCHRON_CERT", global = true)]
    cert: Option<PathBuf>,
    /// Its key.
    #[arg(long, env = "ISOCHRON_KEY", global = true)]
    key: Option<PathBuf>,
    /// Revoked certificates: a coordinator named there is not asked.
    #[arg(long, env = "ISOCHRON_CRL", global = true)]
    crl: Option<PathBuf>,
    /// A context of your configuration; without it, the current one.
    #[arg(long, env = "ISOCHRON_CONTEXT", global = true)]
    context: Option<String>,
    /// Socket of a coordinator on this machine or in this pod.
    #[arg(long, env = "ISOCHRON_SOCKET", global = true)]
    socket: Option<PathBuf>,
}

/// Where to ask, and by whose word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Quic { server: Vec<String>, server_name: Option<String>, files: Box<TlsFiles>, by: String },
    Socket(PathBuf),
}

/// The user's configuration, if there is a place for one.
pub(crate) fn context_file() -> Option<PathBuf> {
    contexts::default_path(|name| std::env::var_os(name))
}

/// Makes a context the current one.
pub(crate) fn use_context(name: &str) -> anyhow::Result<()> {
    let file = context_file().context("there is neither $XDG_CONFIG_HOME nor $HOME")?;
    contexts::change(&file, |all| {
        all.choose(&file, Some(name))?;
        name.clone_into(&mut all.current_context);
        Ok(())
    })?;
    println!("the console asks {name} from now on");
    Ok(())
}

/// What a standby's answer means for whoever asked.
pub(crate) fn not_leading(leader: Option<&str>) -> String {
    let Some(leader) = leader else {
        return "this coordinator does not lead, and knows of none that does; ask again in a moment".to_owned();
    };
    let pod = leader.get(..leader.len().saturating_sub(IDENTITY_TAIL)).filter(|pod| !pod.is_empty());
    let pod = pod.map_or(String::new(), |pod| format!(" (in Kubernetes: kubectl exec {pod} -- coordinator console …)"));
    format!("this coordinator does not lead; {leader} does: ask that one{pod}")
}

impl ReachArgs {
    /// `console contexts`.
    pub(crate) fn show_contexts(&self, output: Output) -> anyhow::Result<()> {
        let file = context_file().context("there is neither $XDG_CONFIG_HOME nor $HOME")?;
        let all = Contexts::load(&file)?;
        let meant = self.context.as_deref().unwrap_or(&all.current_context);
        let rows = all.contexts.iter().map(|context| {
            json!({
                "current": context.name == meant,
                "name": context.name,
                "server": context.server.join(","),
                "cert": context.cert,
            })
        });
        println!("{}", render(&rows.collect(), output, terminal_width()));
        Ok(())
    }

    /// Where these flags, the variables and the user's configuration lead.
    ///
    /// # Errors
    /// They name no coordinator, or not all that asking it takes: whoever asked has to mend that.
    pub(crate) fn find(&self) -> anyhow::Result<Way> {
        let file = context_file();
        let all = file.as_deref().map(Contexts::load).transpose()?.unwrap_or_default();
        self.way(file.as_deref(), &all, Path::exists)
    }

    fn way(&self, file: Option<&Path>, all: &Contexts, exists: impl Fn(&Path) -> bool) -> anyhow::Result<Way> {
        let shown = file.map_or("(no configuration folder)".to_owned(), |file| file.display().to_string());
        let by_flags = !self.server.is_empty() || self.ca.is_some() || self.cert.is_some() || self.key.is_some();
        if let Some(path) = self.socket.clone().filter(|_| !by_flags && self.context.is_none()) {
            return Ok(Way::Socket(path));
        }
        let context = all.choose(file.unwrap_or(Path::new(&shown)), self.context.as_deref())?;
        if context.is_none() && !by_flags {
            if exists(Path::new(SOCKET)) {
                return Ok(Way::Socket(PathBuf::from(SOCKET)));
            }
            bail!(
                "which coordinator? There are no flags, no context in {shown} and no socket {SOCKET}.\n\
                 From your machine: coordinator pki admin NAME --server HOST:7443\n\
                 In Kubernetes:     kubectl -n isochron exec deploy/isochron-coordinator -- coordinator console status"
            );
        }
        let by = match context {
            Some(context) => format!("the context {} of {shown}", context.name),
            None => "flags and variables".to_owned(),
        };
        let lacks = |what: &str| format!("{by} names no {what}; give --{what}, or write it there");
        let server =
            if self.server.is_empty() { context.map(|it| it.server.clone()) } else { Some(self.server.clone()) };
        let server = server.filter(|server| !server.is_empty()).with_context(|| lacks("server"))?;
        let base = file.and_then(Path::parent).unwrap_or(Path::new(""));
        let said = |flag: &Option<PathBuf>, of: fn(&contexts::Context) -> &PathBuf| {
            let kept = context.map(of).filter(|path| !path.as_os_str().is_empty()).map(|path| base.join(path));
            flag.clone().or(kept)
        };
        let pick = |flag: &Option<PathBuf>, of: fn(&contexts::Context) -> &PathBuf, what: &str| {
            said(flag, of).with_context(|| lacks(what))
        };
        let kept = |of: fn(&contexts::Context) -> &String| context.map(of).filter(|text| !text.is_empty()).cloned();
        Ok(Way::Quic {
            files: Box::new(TlsFiles {
                ca: pick(&self.ca, |it| &it.ca, "ca")?,
                cert: pick(&self.cert, |it| &it.cert, "cert")?,
                key: pick(&self.key, |it| &it.key, "key")?,
                crl: said(&self.crl, |it| &it.crl),
                trust_domain: self
                    .trust_domain
                    .clone()
                    .or_else(|| kept(|it| &it.trust_domain))
                    .unwrap_or_else(|| TRUST_DOMAIN.to_owned()),
                identities: context.map(|context| context.identities.clone()).unwrap_or_default(),
            }),
            server_name: self.server_name.clone().or_else(|| kept(|it| &it.server_name)),
            server,
            by,
        })
    }
}

impl Way {
    /// Asks one question.
    ///
    /// # Errors
    /// Nobody answered; the text says who was asked.
    pub(crate) fn ask(&self, question: &Question) -> anyhow::Result<Answered> {
        let body = serde_json::to_vec(question)?;
        let limit = match question {
            Question::Check { .. } => CHECK_LIMIT,
            Question::Verify { .. } | Question::RestorePlan { .. } | Question::Orphans { planes: true, .. } => {
                VERIFY_LIMIT
            }
            _ => LIMIT,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match self {
            Way::Socket(path) => {
                let answer = runtime.block_on(socket::ask(path, &body, limit));
                parse(&answer.with_context(|| format!("asked through the socket {}", path.display()))?)
            }
            Way::Quic { server, server_name, files, by } => {
                let body = Bytes::from(body);
                let asked = ask_over_quic(server, server_name.as_deref(), files.as_ref().clone(), (&body, limit));
                runtime.block_on(asked).with_context(|| format!("asked {} by {by}", server.join(", ")))
            }
        }
    }
}

/// Asks one server after the other until one leads.
async fn ask_over_quic(
    server: &[String],
    name: Option<&str>,
    files: TlsFiles,
    (body, limit): (&Bytes, Duration),
) -> anyhow::Result<Answered> {
    let client = Client::new(Credentials::load(files)?)?;
    let (mut standby, mut failures) = (None, Vec::new());
    for one in server {
        match ask_one(&client, one, name, (body, limit)).await {
            Ok(answered @ Answered::NotLeading { .. }) => standby = Some(answered),
            Ok(answered) => {
                // Or the goodbye never leaves, and the coordinator counts this session until it times out.
                client.shutdown().await;
                return Ok(answered);
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    client.shutdown().await;
    standby.map_or_else(|| Err(anyhow::anyhow!("{}", failures.join("; "))), Ok)
}

async fn ask_one(
    client: &Client,
    server: &str,
    name: Option<&str>,
    (body, limit): (&Bytes, Duration),
) -> anyhow::Result<Answered> {
    let connection = client.dial_admin(&[server.to_owned()], name, LIMIT).await?;
    let mut responses = connection.request(body.clone()).await?;
    let first = timeout(limit, responses.next()).await.context("no answer in time")?;
    let first: Result<Bytes, DialError> = first.context("the coordinator ended without an answer")?;
    parse(&first?)
}

fn parse(answer: &[u8]) -> anyhow::Result<Answered> {
    serde_json::from_slice(answer).context("the answer cannot be read; are both of one version?")
}
