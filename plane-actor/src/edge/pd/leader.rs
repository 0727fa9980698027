//! Finds PD's leader, keeps a connection to it, and finds it again when it moves (`facts/pd-tikv.md` §4.1, §4.2).
//!
//! Every question goes through [`Leaders::call`]: one bounded attempt at a time, each against one leader, until an
//! answer, a final refusal, or the end of the budget. All questions asked here may be repeated without harm.

use crate::{
    edge::{
        proto::pdpb::{self, GetMembersRequest, GetMembersResponse, pd_client::PdClient},
        rest::{Answer, Rest},
        tls,
        url::full,
    },
    ports::{ClusterTls, PdEndpoint, PortError},
    unread::unread,
};
use futures::{StreamExt, stream::FuturesUnordered};
use http::{Method, StatusCode};
use shared::{ids::ClusterId, reason::Reason};
use std::{collections::BTreeSet, future::Future, time::Duration};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Status, transport::Channel};

/// One attempt, discovery included. PD answers in milliseconds; what takes longer than this is not coming.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);

/// All attempts of one question: one that hangs to its limit, then two leader changes of lease (3 s) plus election.
const BUDGET: Duration = Duration::from_secs(25);

/// One GetMembers. Members are asked side by side, so that dead ones do not add up.
const MEMBERS_LIMIT: Duration = Duration::from_secs(5);

/// Between attempts: short enough to meet a new leader soon, doubling so that a dead PD is not hammered by all planes.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// PD clusters have 3, 5 or 7 members with a URL or two each; more would only be a corrupted answer.
const MEMBER_URLS: usize = 32;

/// Pages of ScanRegions and all stores of a large cluster stay far below this; tonic's default (4 MiB) might not hold.
const MESSAGE_LIMIT: usize = 32 << 20;

/// Why one attempt brought no result.
#[derive(Debug)]
pub(super) enum Fail {
    /// The leader moved, is starting, or could not be reached: find it and ask again.
    Again(String),
    /// Asking again changes nothing.
    Final(PortError),
}

/// The leader of the moment.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    /// Client URL, `http://host:port` without a trailing slash.
    pub(super) url: String,
    /// Goes into every request.
    pub(super) cluster: ClusterId,
    /// Discovery that found it.
    generation: u64,
    channel: Channel,
    rest: Rest,
}

impl Leader {
    /// A gRPC client of this leader.
    pub(super) fn grpc(&self) -> PdClient<Channel> {
        PdClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_LIMIT)
    }

    /// The request header that PD insists on.
    pub(super) fn header(&self) -> Option<pdpb::RequestHeader> {
        Some(pdpb::RequestHeader { cluster_id: self.cluster.0 })
    }

    /// One HTTP exchange below `/pd/api/v1`, whatever its status.
    pub(super) async fn exchange(&self, method: Method, path: &str, body: String) -> Result<Answer, Fail> {
        let url = format!("{}/pd/api/v1{path}", self.url);
        self.rest.send(method, &url, body, ATTEMPT_LIMIT).await.map_err(Fail::Again)
    }

    /// One HTTP exchange that must succeed. Judged by status alone: texts vary by version (§3.1).
    pub(super) async fn ask(&self, method: Method, path: &str, body: String) -> Result<Answer, Fail> {
        let answer = self.exchange(method.clone(), path, body).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        let text = format!("{method} {path} at {} answered {}: {}", self.url, answer.status, answer.excerpt());
        // The member list decides whom to ask; these three say that the question itself is wrong (§4.1).
        if matches!(answer.status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
            return Err(Fail::Final(PortError::Unavailable(text)));
        }
        Err(Fail::Again(text))
    }

    /// GET, decoded. 64-bit numbers are decoded into integers by the types asked for, never through a float.
    pub(super) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Fail> {
        let answer = self.ask(Method::GET, path, String::new()).await?;
        serde_json::from_slice(&answer.body).map_err(|error| {
            let (error, excerpt) = (unread(&error), answer.excerpt());
            let text = format!("GET {path} at {} answered what cannot be read ({error}): {excerpt}", self.url);
            Fail::Final(PortError::Unavailable(text))
        })
    }
}

/// Both error channels of PD's gRPC (§1.9), first half: transport, role and header problems.
pub(super) fn status_fail(status: &Status) -> Fail {
    let text = format!("{:?}: {}", status.code(), tls::chain_of(status));
    match status.code() {
        Code::FailedPrecondition if status.message().contains("cluster id") => {
            Fail::Final(PortError::refused(Reason::ClusterMismatch, format!("PD belongs to another cluster: {text}")))
        }
        Code::Unimplemented => {
            Fail::Final(PortError::refused(Reason::VersionUnsupported, format!("PD does not know the call: {text}")))
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            Fail::Final(PortError::refused(Reason::PdUnavailable, format!("PD refuses this client: {text}")))
        }
        Code::InvalidArgument | Code::OutOfRange => Fail::Final(PortError::Unavailable(text)),
        _ => Fail::Again(text),
    }
}

/// Second half: business errors inside an OK reply. NOT_BOOTSTRAPPED is also what a leader says that has not loaded
/// the cluster yet, so all of them are asked again within the budget.
pub(super) fn header_fail(header: Option<&pdpb::ResponseHeader>) -> Result<(), Fail> {
    match header.and_then(|h| h.error.as_ref()) {
        Some(error) if error.r#type() != pdpb::ErrorType::Ok => {
            Err(Fail::Again(format!("{}: {}", error.r#type().as_str_name(), error.message)))
        }
        _ => Ok(()),
    }
}

#[derive(Debug, Default)]
struct Known {
    leader: Option<Leader>,
    generation: u64,
    members: BTreeSet<String>,
}

/// All members of one PD, and which of them leads.
#[derive(Debug)]
pub(super) struct Leaders {
    seeds: Vec<String>,
    tls: Option<ClusterTls>,
    rest: Rest,
    cluster: ClusterId,
    // Held during discovery: callers that find no leader wait for one discovery instead of starting their own.
    known: Mutex<Known>,
}

impl Leaders {
    /// Learns the cluster id and the members.
    ///
    /// # Errors
    /// `PdUnavailable` when no member answered within the budget or the TLS secret is unusable.
    pub(super) async fn connect(endpoint: &PdEndpoint) -> Result<Self, PortError> {
        let unusable = |text: String| PortError::refused(Reason::PdUnavailable, text);
        let rest = Rest::new(endpoint.tls.as_ref()).map_err(|e| unusable(e.to_string()))?;
        let seeds: Vec<String> = endpoint.urls.iter().map(|url| full(url, rest.scheme())).collect();
        let deadline = Instant::now() + BUDGET;
        let mut pause = FIRST_PAUSE;
        loop {
            match ask_members(&seeds, endpoint.tls.as_ref()).await {
                Ok((_, members)) => {
                    let cluster = ClusterId(members.header.map_or(0, |h| h.cluster_id));
                    return Ok(Self { seeds, tls: endpoint.tls.clone(), rest, cluster, known: Mutex::default() });
                }
                Err(text) if Instant::now() + pause >= deadline => {
                    return Err(unusable(format!("no PD member answered: {text}")));
                }
                Err(_) => sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// PD's cluster id, fixed when the client was made.
    pub(super) fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// Asks the leader `question` until it answers, refuses for good, or the budget is used up.
    ///
    /// # Errors
    /// A final refusal, or `Unavailable` with `what` and the last failure.
    pub(super) async fn call<T, F, A>(&self, what: &str, question: F) -> Result<T, PortError>
    where
        F: Fn(Leader) -> A,
        A: Future<Output = Result<T, Fail>>,
    {
        let deadline = Instant::now() + BUDGET;
        let mut pause = FIRST_PAUSE;
        loop {
            let mut asked = None;
            let attempt = async {
                let leader = self.leader().await?;
                asked = Some(leader.generation);
                question(leader).await
            };
            let text = match timeout(ATTEMPT_LIMIT, attempt).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(Fail::Final(error))) => return Err(error),
                Ok(Err(Fail::Again(text))) => text,
                Err(_) => format!("no answer within {} s", ATTEMPT_LIMIT.as_secs()),
            };
            tracing::debug!(what, reason = %text, "PD did not answer; looking for its leader again");
            self.forget(asked).await;
            if Instant::now() + pause >= deadline {
                return Err(PortError::Unavailable(format!("PD, {what}: {text}")));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn leader(&self) -> Result<Leader, Fail> {
        let mut known = self.known.lock().await;
        if let Some(leader) = &known.leader {
            return Ok(leader.clone());
        }
        let urls: Vec<String> = self.seeds.iter().chain(&known.members).cloned().collect();
        let (url, answer) = ask_members(&urls, self.tls.as_ref()).await.map_err(Fail::Again)?;
        self.same_cluster(&url, &answer)?;
        known.members = answer.members.iter().flat_map(|m| m.client_urls.iter().cloned()).take(MEMBER_URLS).collect();
        let Some(member) = answer.leader else {
            return Err(Fail::Again(format!("{url} knows no PD leader (an election?)")));
        };
        let (url, channel) = self.dial_first(&member).await?;
        known.generation += 1;
        let generation = known.generation;
        let leader = Leader { url, cluster: self.cluster, generation, channel, rest: self.rest.clone() };
        known.leader = Some(leader.clone());
        Ok(leader)
    }

    /// An address that came to belong to another TiDB cluster must never be held in place of ours.
    fn same_cluster(&self, url: &str, answer: &GetMembersResponse) -> Result<(), Fail> {
        let id = answer.header.as_ref().map_or(0, |h| h.cluster_id);
        if id == self.cluster.0 {
            return Ok(());
        }
        let text = format!("PD at {url} now answers as cluster {id}; before it was {}", self.cluster);
        Err(Fail::Final(PortError::refused(Reason::ClusterMismatch, text)))
    }

    async fn dial_first(&self, leader: &pdpb::Member) -> Result<(String, Channel), Fail> {
        let mut failures = Vec::new();
        for url in leader.client_urls.iter().take(MEMBER_URLS) {
            let url = url.trim_end_matches('/').to_owned();
            match dial(&url, self.tls.as_ref()).await {
                Ok(channel) => return Ok((url, channel)),
                Err(text) => failures.push(format!("{url}: {text}")),
            }
        }
        Err(Fail::Again(format!("PD leader {} cannot be reached: {}", leader.name, failures.join("; "))))
    }

    /// Only the leader that failed is forgotten, not one that a call beside this one has found meanwhile.
    async fn forget(&self, generation: Option<u64>) {
        let mut known = self.known.lock().await;
        if generation.is_some() && known.leader.as_ref().map(|l| l.generation) == generation {
            known.leader = None;
        }
    }
}

async fn dial(url: &str, tls: Option<&ClusterTls>) -> Result<Channel, String> {
    let (scheme, authority) = url.split_once("://").unwrap_or(("", url));
    match (scheme, tls.is_some()) {
        ("http", true) => Err("is http, but this TiDB cluster has TLS".to_owned()),
        ("https", false) => Err("is https, but no client certificate is known for this TiDB cluster".to_owned()),
        // No keep-alives: PD ends connections that ping without a call, and every call has its own limit.
        _ => tls::dial(tls::endpoint(authority, tls).map_err(|e| e.to_string())?).await,
    }
}

/// The first answer that names a leader; without one, any answer.
async fn ask_members(urls: &[String], tls: Option<&ClusterTls>) -> Result<(String, GetMembersResponse), String> {
    let distinct: BTreeSet<&String> = urls.iter().take(MEMBER_URLS).collect();
    let mut asked: FuturesUnordered<_> = distinct
        .into_iter()
        .map(|url| async move {
            let exchange = async {
                let channel = dial(url, tls).await?;
                let answer = PdClient::new(channel).get_members(GetMembersRequest::default()).await;
                answer.map(tonic::Response::into_inner).map_err(|status| tls::chain_of(&status))
            };
            match timeout(MEMBERS_LIMIT, exchange).await {
                Ok(Ok(answer)) if answer.header.as_ref().is_none_or(|header| header.cluster_id == 0) => {
                    Err(format!("{url}: it does not know its cluster id yet"))
                }
                Ok(Ok(answer)) => Ok((url.clone(), answer)),
                Ok(Err(text)) => Err(format!("{url}: {text}")),
                Err(_) => Err(format!("{url}: no answer within {} s", MEMBERS_LIMIT.as_secs())),
            }
        })
        .collect();
    let mut leaderless = None;
    let mut failures = Vec::new();
    while let Some(answer) = asked.next().await {
        match answer {
            Ok(found) if found.1.leader.is_some() => return Ok(found),
            Ok(found) => leaderless = Some(found),
            Err(text) => failures.push(text),
        }
    }
    leaderless
        .ok_or_else(|| if failures.is_empty() { "no PD address is known".to_owned() } else { failures.join("; ") })
}
