//! What is asked, by whose word, and what a browser is told beside the answer.
#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

/// A coordinator that answers with this, and what it was asked.
fn coordinator(answered: impl Fn(&Question) -> Answered + Send + 'static) -> (Pages, mpsc::Receiver<(Role, Question)>) {
    let (admins, mut calls) = mpsc::channel::<AdminCall>(8);
    let (tell, told) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            let question: Question = serde_json::from_slice(&call.body).unwrap();
            call.reply.try_send(text(&answered(&question)).into()).unwrap();
            tell.try_send((call.role, question)).unwrap();
        }
    });
    (super::pages(admins), told)
}

async fn get(pages: &Pages, asked: &str) -> (u16, String, http::HeaderMap) {
    let response = pages(asked.to_owned()).await.unwrap_or_else(|| panic!("{asked}: no such page"));
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), body, response.headers().clone())
}

fn invalid(nasty: &str) -> Value {
    json!({ "step": "Invalid", "reason": "S3Missing", "message": nasty, "action": nasty })
}

#[tokio::test]
async fn a_program_gets_the_consoles_answer_as_a_viewer() {
    let (pages, mut told) = coordinator(|question| match question {
        Question::Why { .. } => Answered::Error("no VolumeBackup called x".to_owned()),
        Question::Status => Answered::NotLeading { leader: Some("pod-2".to_owned()) },
        _ => Answered::Ok(json!([{ "plane": "az1" }])),
    });
    let (status, body, headers) = get(&pages, "/api/v1/planes").await;
    assert_eq!((status, body.as_str()), (200, r#"[{"plane":"az1"}]"#));
    assert_eq!(
        (headers[CONTENT_TYPE].to_str().unwrap(), &headers[CACHE_CONTROL]),
        (JSON, &HeaderValue::from_static("no-store"))
    );
    assert_eq!(told.recv().await.unwrap(), (Role::Viewer, Question::Planes));
    let (status, body, _) = get(&pages, "/api/v1/why/br/x").await;
    assert_eq!((status, body.as_str()), (404, r#"{"error":"no VolumeBackup called x"}"#));
    let (status, body, _) = get(&pages, "/api/v1/status").await;
    assert_eq!((status, body.as_str()), (503, r#"{"notLeading":{"leader":"pod-2"}}"#));
    for asked in ["/api/v1/cancel/x", "/api/v1/check", "/ui/backups/x", "/ui/backups/a/b/c", "/etc/passwd", "/ui/../x"]
    {
        assert!(pages(asked.to_owned()).await.is_none(), "{asked}");
    }
}

#[tokio::test]
async fn whatever_a_name_or_a_plane_says_is_text() {
    let nasty = "\"><script>alert(1)</script>'&";
    let (pages, mut told) = coordinator(move |question| match question {
        Question::Glance { .. } => Answered::Ok(json!({
            "running": [{ "namespace": nasty, "name": nasty, "step": nasty, "waitingFor": nasty,
                          "clock": { "name": nasty, "left_ms": 5 }, "limit_ms": 9,
                          "planes": [{ "plane": nasty, "doing": nasty, "refused": nasty }] }],
            "runningAll": 1, "from": 0, "all": 900, "orphans": 1, "counts": { nasty: 3 },
            "backups": [{ "namespace": nasty, "name": nasty, "outcome": nasty, "reason": nasty, "started": nasty }],
        })),
        Question::Planes => Answered::Ok(json!([{ "plane": nasty, "connected": true, "version": nasty }])),
        Question::Schedules { .. } => Answered::Ok(json!([{ "namespace": nasty, "name": nasty, "schedule": nasty,
                                                            "lastSuccess": nasty, "message": nasty }])),
        _ => Answered::Ok(invalid(nasty)),
    });
    for asked in ["/ui/", "/ui/?from=60", "/ui/backups/%22%3E%3Cscript%3E/b", "/ui/backups/a/%3Cscript%3E?report"] {
        let (status, body, headers) = get(&pages, asked).await;
        assert_eq!(status, 200, "{asked}: {body}");
        let scripts: Vec<_> = body.match_indices("<script").collect();
        // Its own, by a name that the policy allows; a report has none.
        assert_eq!(scripts.len(), usize::from(!asked.ends_with("report")), "{asked}: {body}");
        assert!(!body.contains("alert(1)</script>") && !body.contains(" style="), "{asked}: {body}");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
    assert_eq!(told.recv().await.unwrap().1, Question::Glance { from: 0 });
    told.recv().await.unwrap();
    told.recv().await.unwrap();
    assert_eq!(told.recv().await.unwrap().1, Question::Glance { from: 60 });
}

#[tokio::test]
async fn a_standby_says_who_leads() {
    let (pages, _told) = coordinator(|_| Answered::NotLeading { leader: Some("<b>pod-2</b>".to_owned()) });
    let (status, body, _) = get(&pages, "/ui/").await;
    assert_eq!(status, 503);
    assert!(body.contains("&lt;b&gt;pod-2&lt;/b&gt; leads") && body.contains("<main"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_coordinator_that_does_not_answer() {
    let (admins, mut calls) = mpsc::channel(1);
    let pages = super::pages(admins);
    let kept = tokio::spawn(async move { calls.recv().await });
    let begun = tokio::time::Instant::now();
    let (status, body, _) = get(&pages, "/api/v1/status").await;
    assert_eq!((status, begun.elapsed()), (503, LIMIT), "{body}");
    drop(kept.await.unwrap());
    let (status, body, _) = get(&pages, "/api/v1/status").await;
    assert!(status == 503 && body.contains("busy or ends"), "{body}");
}

#[tokio::test]
async fn the_first_page_is_found_through_a_proxy_too() {
    let (pages, _told) = coordinator(|_| Answered::Error("not asked".to_owned()));
    for asked in ["/", "/ui"] {
        let (status, _, headers) = get(&pages, asked).await;
        assert_eq!((status, &headers[LOCATION]), (302, &HeaderValue::from_static("ui/")));
    }
    let (_, style, headers) = get(&pages, "/ui/style.css").await;
    assert!(style.contains("prefers-color-scheme") && headers[CONTENT_TYPE] == "text/css; charset=utf-8");
    assert!(!style.contains("url(") && !style.contains("@import"));
    assert!(get(&pages, "/ui/page.js").await.1.contains("'use strict'"));
}
