//! The wire: every request is read whole, judged, and passed on to moto as it came.

use super::{
    FrontHandle,
    gate::{ObjectCall, Refused, StsCall},
};
use crate::servers::{
    accept::accept,
    ec2::{Ec2Handle, form::Form},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1 as client,
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, SystemTime},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// Largest body of either side; a backupmeta is some 100 KiB.
const BODY: usize = 16 << 20;

/// Connections at a time.
const CONNECTIONS: usize = 256;

type Answer = Response<Full<Bytes>>;

/// A running gate; it ends when this is dropped.
#[derive(Debug)]
pub struct Front {
    /// What goes into `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_STS`.
    pub url: String,
    /// Knobs and windows.
    pub handle: FrontHandle,
    task: JoinHandle<()>,
}

impl Front {
    /// Listens on a loopback port of its own, before this moto and beside this EC2.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(moto: SocketAddr, ec2: Ec2Handle) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let handle = FrontHandle::new(ec2);
        let task = {
            let handle = handle.clone();
            tokio::spawn(accept("gate", listener, CONNECTIONS, move |stream| serve(stream, moto, handle.clone())))
        };
        Ok(Self { url, handle, task })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, moto: SocketAddr, handle: FrontHandle) {
    let service = service_fn(|request| answer(&handle, moto, request));
    // Ends with an error when a client goes away.
    let _ended = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(handle: &FrontHandle, moto: SocketAddr, request: Request<Incoming>) -> Result<Answer, io::Error> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    let header = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (key, region) = signer(header);
    let action = Form::parse(&body).ok().filter(|form| parts.method == Method::POST && form.text("Action").is_some());
    match action {
        Some(form) => sts(handle, moto, parts, body, call(&form, key, region)).await,
        None => objects(handle, moto, parts, body, key).await,
    }
}

fn call(form: &Form, key: String, region: String) -> StsCall {
    let field = |name: &str| form.text(name).unwrap_or_default().to_owned();
    StsCall {
        action: field("Action"),
        key,
        region,
        role: field("RoleArn"),
        session: field("RoleSessionName"),
        token: field("WebIdentityToken"),
        outcome: "ok".to_owned(),
        issued: None,
    }
}

async fn sts(
    handle: &FrontHandle,
    moto: SocketAddr,
    parts: Parts,
    body: Bytes,
    mut call: StsCall,
) -> Result<Answer, io::Error> {
    let now = SystemTime::now();
    let judged = handle.gate().judge(&call, knows(&handle.ec2, &call.key), now);
    if let Err((status, code, message)) = judged {
        call.outcome = code.clone();
        handle.gate().sts.push(call);
        let xml = format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        );
        return Ok(plain(status, xml));
    }
    let (status, answer) = pass(moto, parts, body).await?.into_parts();
    let answer = String::from_utf8_lossy(&answer.collect().await.map_err(io::Error::other)?.to_bytes()).into_owned();
    let answer = handle.gate().issue(&mut call, answer, now);
    if let Some(issued) = &call.issued {
        let account = call.role.split(':').nth(4).unwrap_or_default().to_owned();
        let length = handle.gate().length.unwrap_or(Duration::from_secs(3600));
        let end = handle.ec2.now() + length;
        handle.ec2.state(|state| {
            state.keys.insert(issued.key.clone(), account);
            state.ends.insert(issued.key.clone(), end);
        });
    }
    handle.gate().sts.push(call);
    Ok(plain(status.status.as_u16(), answer))
}

async fn objects(
    handle: &FrontHandle,
    moto: SocketAddr,
    parts: Parts,
    body: Bytes,
    key: String,
) -> Result<Answer, io::Error> {
    let admitted = handle.gate().admits(&key, knows(&handle.ec2, &key), SystemTime::now());
    let (method, path) = (parts.method.to_string(), parts.uri.to_string());
    let outcome = admitted.as_ref().map_or_else(|(_, code, _)| code.clone(), |()| "ok".to_owned());
    handle.gate().objects.push(ObjectCall { method, path, key, outcome });
    match admitted {
        Ok(()) if parts.method == Method::GET || parts.method == Method::HEAD => pass(moto, parts, body).await,
        Ok(()) => {
            let _alone = handle.writes.lock().await;
            pass(moto, parts, body).await
        }
        Err(refused) => Ok(object_refusal(&refused)),
    }
}

/// S3's words for the same.
fn object_refusal((status, code, message): &Refused) -> Answer {
    let code = if code == "InvalidClientTokenId" { "InvalidAccessKeyId" } else { code };
    plain(*status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
}

fn knows(ec2: &Ec2Handle, key: &str) -> bool {
    let mut known = false;
    ec2.state(|state| known = state.keys.contains_key(key));
    known
}

/// Access key and Region; empty: unsigned.
fn signer(authorization: &str) -> (String, String) {
    let scope = authorization.split(['=', ',', ' ']).find(|part| part.contains("/aws4_request")).unwrap_or_default();
    let mut parts = scope.split('/').map(str::to_owned);
    let (key, _date, region) = (parts.next(), parts.next(), parts.next());
    (key.unwrap_or_default(), region.unwrap_or_default())
}

async fn pass(moto: SocketAddr, parts: Parts, body: Bytes) -> Result<Answer, io::Error> {
    let stream = TcpStream::connect(moto).await?;
    let (mut sender, connection) = client::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driving = tokio::spawn(connection);
    let answer = sender.send_request(Request::from_parts(parts, Full::new(body))).await.map_err(io::Error::other)?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, BODY).collect().await.map_err(io::Error::other)?.to_bytes();
    driving.abort();
    Ok(Response::from_parts(head, Full::new(body)))
}

fn plain(status: u16, body: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = hyper::header::HeaderValue::from_static("text/xml");
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    answer
}
