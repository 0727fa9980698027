//! Pages and answers over HTTP: what a viewer may ask the console, for browsers and programs. Nobody has a name here, so
//! nothing is changed, and nothing is asked that costs a plane anything.

use crate::{
    console::{API, Answered, OVER_HTTP, Question, plain, question_of, text},
    pages,
    ports::AdminCall,
};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use serde_json::Value;
use shell::{http::Pages, link::Role};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// An answer comes from memory in a moment, or from one record that is read: who waits longer waits for nothing.
const LIMIT: Duration = Duration::from_secs(5);
/// Only what this server itself serves; nothing is framed, sent or loaded.
const OF_PAGES: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A report is a file: it has its style in itself, and no script.
const OF_REPORTS: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
/// Where pages begin, and those of backups.
const UI: &str = "/ui/";
const BACKUPS: &str = "/ui/backups/";

/// What is served beside metrics and probes.
pub fn pages(admins: mpsc::Sender<AdminCall>) -> Pages {
    let web = Web { admins };
    Arc::new(move |asked| {
        let web = web.clone();
        Box::pin(async move { web.page(&asked).await })
    })
}

#[derive(Clone)]
struct Web {
    admins: mpsc::Sender<AdminCall>,
}

impl Web {
    async fn page(&self, asked: &str) -> Option<Response<Bytes>> {
        let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
        Some(match path {
            "/" | "/ui" => to_the_first_page(),
            "/ui/" => self.overview(query).await,
            "/ui/style.css" => served(StatusCode::OK, "text/css; charset=utf-8", pages::style()),
            "/ui/page.js" => served(StatusCode::OK, "text/javascript; charset=utf-8", pages::SCRIPT.to_owned()),
            "/ui/icon.svg" => served(StatusCode::OK, "image/svg+xml", pages::ICON.to_owned()),
            _ if path.starts_with(BACKUPS) => {
                let name = plain(path.strip_prefix(BACKUPS)?).filter(|name| name.matches('/').count() == 1)?;
                self.backup(name, query == "report").await
            }
            _ if path.starts_with(API) => self.answer(&question_of(asked)?).await,
            _ => return None,
        })
    }

    /// For programs: as `console -o json` prints it, or why not.
    async fn answer(&self, question: &Question) -> Response<Bytes> {
        let about_one = matches!(
            question,
            Question::Show { .. }
                | Question::Why { .. }
                | Question::Timeline { .. }
                | Question::Schedules { name: Some(_), .. }
        );
        match self.ask(question).await {
            Answered::Ok(value) => served(StatusCode::OK, JSON, value.to_string()),
            answered @ Answered::Error(_) if about_one => served(StatusCode::NOT_FOUND, JSON, text(&answered)),
            answered => served(StatusCode::SERVICE_UNAVAILABLE, JSON, text(&answered)),
        }
    }

    async fn overview(&self, query: &str) -> Response<Bytes> {
        let from = query.split('&').find_map(|pair| pair.strip_prefix("from=")?.parse().ok()).unwrap_or(0);
        let all = async {
            let glance = self.told(&Question::Glance { from }).await?;
            let planes = self.told(&Question::Planes).await?;
            let schedules = self.told(&Question::Schedules { name: None, plan: false, at: None }).await?;
            Ok(pages::overview(&glance, &planes, &schedules))
        };
        shown("Backups", 0, all.await)
    }

    async fn backup(&self, name: String, as_report: bool) -> Response<Bytes> {
        let shows = self.told(&Question::Show { name: name.clone() }).await;
        if as_report {
            return match shows.and_then(|value| pages::report(&value)) {
                Ok(report) => as_file(report),
                Err(why) => shown(&name, 2, Err(why)),
            };
        }
        let page = async {
            let value = shows?;
            pages::backup(&name, &value, &self.told(&Question::Why { name: name.clone() }).await?)
        };
        shown(&name, 2, page.await)
    }

    /// For people: the answer, or why there is none.
    async fn told(&self, question: &Question) -> Result<Value, String> {
        match self.ask(question).await {
            Answered::Ok(value) => Ok(value),
            Answered::Error(error) => Err(error),
            Answered::NotLeading { leader: Some(leader) } => {
                Err(format!("This replica does not lead and knows nothing; {leader} leads. Ask that one, or again."))
            }
            Answered::NotLeading { leader: None } => {
                Err("This replica does not lead, and knows of none that does. Ask again in a moment.".to_owned())
            }
        }
    }

    async fn ask(&self, question: &Question) -> Answered {
        let body = match serde_json::to_vec(question) {
            Ok(body) => Bytes::from(body),
            Err(error) => return Answered::Error(error.to_string()),
        };
        let (reply, mut answers) = mpsc::channel(1);
        let call = AdminCall { who: OVER_HTTP.to_owned(), role: Role::Viewer, body, reply };
        // Planes and people with a name come in by the same way, and are not to wait for pages.
        if self.admins.try_send(call).is_err() {
            return Answered::Error("the coordinator is busy or ends; ask again in a moment".to_owned());
        }
        match timeout(LIMIT, answers.recv()).await {
            Ok(Some(answer)) => {
                serde_json::from_slice(&answer).unwrap_or_else(|error| Answered::Error(error.to_string()))
            }
            Ok(None) => Answered::Error("the coordinator ended without an answer".to_owned()),
            Err(_) => Answered::Error(format!("no answer within {} s; ask again", LIMIT.as_secs())),
        }
    }
}

/// A page, or one that says why there is none.
fn shown(title: &str, depth: usize, page: Result<String, String>) -> Response<Bytes> {
    match page {
        Ok(page) => served(StatusCode::OK, HTML, page),
        Err(why) => served(StatusCode::SERVICE_UNAVAILABLE, HTML, pages::message(title, depth, &why)),
    }
}

fn as_file(report: String) -> Response<Bytes> {
    let mut response = served(StatusCode::OK, HTML, report);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(OF_REPORTS));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"backup-report.html\""));
    response
}

/// Relative, for who comes through a proxy.
fn to_the_first_page() -> Response<Bytes> {
    let mut response = served(StatusCode::FOUND, "text/plain; charset=utf-8", format!("{UI}\n"));
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("ui/"));
    response
}

fn served(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, OF_PAGES),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
