//! The wire: HTTP/1.1, one form in, one XML out.

use super::{
    Ec2Handle, Ec2State,
    blocks::{self, Answer, Question},
    fault::{ApiError, Fault},
    form::Form,
    world::{Headers, Outcome, logged},
    xml::Xml,
};
use crate::servers::accept::accept;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::HeaderValue,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{io, net::Ipv4Addr};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

/// Largest request; EC2's own forms are far smaller.
const BODY: usize = 1 << 20;

/// Connections at a time: some hundreds of planes with a handful each.
const CONNECTIONS: usize = 1024;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Ec2Server {
    /// What goes into `AWS_ENDPOINT_URL_EC2` and `AWS_ENDPOINT_URL_EBS`.
    pub url: String,
    /// Knobs and windows.
    pub handle: Ec2Handle,
    task: JoinHandle<()>,
}

/// What hyper is told in order to close the connection without a reply.
fn lost() -> io::Error {
    io::Error::other("the reply is lost, as planned")
}

impl Ec2Server {
    /// Listens on a loopback port of its own.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(state: Ec2State) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let handle = Ec2Handle::new(state);
        let task = {
            let handle = handle.clone();
            tokio::spawn(accept("EC2 server", listener, CONNECTIONS, move |stream| serve(stream, handle.clone())))
        };
        Ok(Self { url, handle, task })
    }
}

impl Drop for Ec2Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(stream: TcpStream, handle: Ec2Handle) {
    let service = service_fn(|request| answer(&handle, request));
    // No Date header: the SDK would take EC2's clock for the true one.
    let connection = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    // Ends with an error whenever a reply is lost as planned, or a client goes away.
    let _ended = connection.await;
}

async fn answer(handle: &Ec2Handle, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    let header =
        |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let headers = Headers {
        authorization: header("authorization"),
        attempt: header("amz-sdk-request"),
        invocation: header("amz-sdk-invocation-id"),
    };
    if let Some(question) = Question::read(request.uri().path(), request.uri().query().unwrap_or_default())
        && request.method() == Method::GET
    {
        return blocks::answer(handle, &headers, &question).await.map(direct);
    }
    if request.method() != Method::POST || request.uri().path() != "/" {
        let error = ApiError::with(404, "InvalidAction", "only POST / is known here");
        return Ok(refusal(&error, "none"));
    }
    let body = Limited::new(request.into_body(), BODY).collect().await.map_err(|_| lost())?.to_bytes();
    let form = match Form::parse(&body) {
        Ok(form) => form,
        Err(error) => return Ok(refusal(&error, "none")),
    };
    let fault = handle.world().fault(&logged(&form));
    if let Some(Fault::SlowStart(delay)) = fault {
        sleep(delay).await;
    }
    let now = handle.now();
    let outcome = handle.world().call(now, &headers, &form, fault);
    reply(outcome).await
}

async fn reply(outcome: Outcome) -> Result<Response<Full<Bytes>>, io::Error> {
    let Outcome { reply, request, fault } = outcome;
    match fault {
        Some(Fault::LostReply) => return Err(lost()),
        Some(Fault::SlowReply(delay)) => sleep(delay).await,
        Some(Fault::DoneThenError) => {
            let error = ApiError::with(500, "InternalError", "An internal error has occurred");
            return Ok(refusal(&error, &request));
        }
        _ => (),
    }
    Ok(match reply {
        Ok(mut xml) => {
            if fault == Some(Fault::CutReply) {
                xml.truncate(xml.rfind("<item><snapshotId>").unwrap_or(xml.len() / 2));
            }
            response(StatusCode::OK, xml)
        }
        Err(error) => refusal(&error, &request),
    })
}

/// EBS direct's answers; its error codes stand in a header, and so does what it tells with a block.
fn direct(answer: Result<Answer, ApiError>) -> Response<Full<Bytes>> {
    match answer {
        Ok(Answer::Page(page)) => json(StatusCode::OK, page.to_string(), &[]),
        Ok(Answer::Block(data, sum)) => {
            let length = data.len().to_string();
            let told = [
                ("x-amz-data-length", length.as_str()),
                ("x-amz-checksum", &sum),
                ("x-amz-checksum-algorithm", "SHA256"),
            ];
            let mut response = json(StatusCode::OK, String::new(), &told);
            *response.body_mut() = Full::new(Bytes::from(data));
            response
        }
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json(status, blocks::body(&error).to_string(), &[("x-amzn-errortype", &error.code)])
        }
    }
}

fn json(status: StatusCode, body: String, told: &[(&'static str, &str)]) -> Response<Full<Bytes>> {
    let mut response = response(status, body);
    let headers = response.headers_mut();
    headers.insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in told {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(*name, value);
        }
    }
    response
}

fn refusal(error: &ApiError, request: &str) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response(status, Xml::error(&error.code, &error.message, request))
}

fn response(status: StatusCode, xml: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(xml)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/xml;charset=UTF-8");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    response
}
