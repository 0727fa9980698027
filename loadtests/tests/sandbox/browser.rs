//! A real browser that is driven: keys are pressed, and what the page then is is asked of it. By the browser's own protocol
//! over a WebSocket, of which text frames of one part are all that is needed.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Far above what a browser takes to answer.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Browser {
    program: Child,
    page: TcpStream,
    calls: u64,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ended_already = self.program.kill();
        let _ = self.program.wait();
    }
}

impl Browser {
    /// Opens a page.
    pub(crate) fn open(browser: &Path, folder: &Path, url: &str) -> Self {
        let mut program = Command::new(browser)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"])
            .args(["--remote-debugging-port=0", &format!("--user-data-dir={}", folder.display()), url])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(program.stderr.take().unwrap()).lines().map_while(Result::ok);
        let told = lines.find_map(|line| line.split_once("DevTools listening on ws://").map(|(_, at)| at.to_owned()));
        let address = told.unwrap().split('/').next().unwrap().to_owned();
        // Whatever else it says must find room.
        std::thread::spawn(move || lines.for_each(drop));
        let begun = Instant::now();
        let path = loop {
            let pages: Value = serde_json::from_str(&get(&address, "/json/list")).unwrap_or_default();
            let page = pages.as_array().into_iter().flatten().find(|one| one["type"] == "page");
            if let Some(at) = page.and_then(|page| page["webSocketDebuggerUrl"].as_str()) {
                break at.split_once(&address).unwrap().1.to_owned();
            }
            assert!(begun.elapsed() < LIMIT, "no page: {pages}");
            std::thread::sleep(Duration::from_millis(50));
        };
        let mut page = TcpStream::connect(&address).unwrap();
        page.set_read_timeout(Some(LIMIT)).unwrap();
        write!(
            page,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            page.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { program, page, calls: 0 }
    }

    /// One command, and its result.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let text = json!({"id": self.calls, "method": method, "params": parameters}).to_string();
        let length = u64::try_from(text.len()).unwrap();
        // A client's frames are masked; a mask of zeros changes nothing.
        let mut frame = vec![0x81, 0x80 | 127];
        frame.extend(length.to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.page.write_all(&frame).unwrap();
        loop {
            let told: Value = serde_json::from_slice(&self.frame()).unwrap_or_default();
            if told["id"] == self.calls {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
        }
    }

    fn frame(&mut self) -> Vec<u8> {
        let mut read = |length: usize| {
            let mut bytes = vec![0; length];
            self.page.read_exact(&mut bytes).unwrap();
            bytes
        };
        let head = read(2);
        let length = match head[1] & 0x7f {
            126 => read(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => read(8).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => usize::from(short),
        };
        read(length)
    }

    /// What an expression is.
    pub(crate) fn ask(&mut self, expression: &str) -> Value {
        let told = self.call("Runtime.evaluate", &json!({"expression": expression, "returnByValue": true}));
        assert!(told["exceptionDetails"].is_null(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    /// Asks until it is so.
    pub(crate) fn wait(&mut self, expression: &str) {
        let begun = Instant::now();
        while self.ask(expression) != true {
            assert!(begun.elapsed() < LIMIT, "never: {expression}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key and lets it go.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        let down = json!({"type": if text.is_empty() { "rawKeyDown" } else { "keyDown" }, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
        self.call("Input.dispatchKeyEvent", &down);
        let up = json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code});
        self.call("Input.dispatchKeyEvent", &up);
    }
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    // The browser keeps the connection open whatever it is asked: the length says where the answer ends.
    let mut more = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            let length = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value);
            let length = length.filter_map(|value| value.trim().parse::<usize>().ok()).next().unwrap_or(0);
            if body.len() >= length {
                return body.to_owned();
            }
        }
        match stream.read(&mut more) {
            Ok(0) | Err(_) => return String::new(),
            Ok(count) => bytes.extend(&more[..count]),
        }
    }
}
