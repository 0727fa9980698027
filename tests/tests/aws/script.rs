//! A server that gives the answers it was told to give, one request after another: for what moto never says.

use std::sync::{Arc, Mutex};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What to do with one request.
pub(crate) enum Line {
    /// Answers with status, and body.
    Answer(u16, String),
    /// Closes the connection.
    Lose,
}

pub(crate) struct Script {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Script {
    pub(crate) async fn start(lines: Vec<Line>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            for line in lines {
                let (mut stream, _) = listener.accept().await.expect("a connection");
                let request = read(&mut stream).await;
                log.lock().expect("the log").push(request);
                if let Line::Answer(status, body) = line {
                    let head =
                        format!("HTTP/1.1 {status} Scripted\r\nConnection: close\r\nContent-Length: {}", body.len());
                    let _closed_early = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await;
                }
            }
        });
        Self { url, seen, task }
    }

    /// First line of every request so far, and its `if-none-match` or its `authorization` that is no signature.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.whole().iter().map(|request| short(request)).collect()
    }

    /// Every request so far: head, empty line, body.
    pub(crate) fn whole(&self) -> Vec<String> {
        self.seen.lock().expect("the log").clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = header(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            while bytes.len() < end + 4 + length && stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}

fn short(request: &str) -> String {
    let head = request.split("\r\n\r\n").next().unwrap_or_default();
    let first = head.lines().next().unwrap_or_default().to_owned();
    let signed = |value: &&str| value.starts_with("AWS4");
    let authorization = header(head, "authorization").filter(|value| !signed(value));
    match (header(head, "if-none-match"), authorization) {
        (Some(value), _) => format!("{first} if-none-match={value}"),
        (None, Some(value)) => format!("{first} authorization={value}"),
        (None, None) => first,
    }
}

pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
