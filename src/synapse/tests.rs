//! Faults of the homeserver and of the way to it, from a server that can be told to have them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ruma::server_name;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wiremock::MockServer;

use super::{Access, Reader, Writer, http::Limits};
use crate::clock::SystemClock;

mod accounts;
mod changing;
mod elsewhere;
mod media;
mod reading;
mod words;

const TOKEN: &str = "syt_the_admin_token";

/// Limits that a test can wait for.
const SHORT: Limits = Limits {
    connect: Duration::from_secs(2),
    whole: Duration::from_millis(300),
    length: 1000,
    idle: 8,
    pause: Duration::from_millis(1),
};

fn access(base: &str) -> Access {
    Access {
        base: base.parse().unwrap(),
        media: None,
        token: TOKEN.into(),
        token_expires: None,
        accounts: None,
        server_name: server_name!("example.org").to_owned(),
    }
}

/// A reader with Synod's own limits, except that it does not wait between repeats.
fn reader(base: &str) -> Reader {
    let limits = Limits { pause: SHORT.pause, ..Limits::READ };
    Reader::limited(access(base), Arc::new(SystemClock), limits).unwrap()
}

fn short_reader(base: &str) -> Reader {
    Reader::limited(access(base), Arc::new(SystemClock), SHORT).unwrap()
}

fn writer(base: &str) -> Writer {
    Writer::new(access(base)).unwrap()
}

fn short_writer(base: &str) -> Writer {
    Writer::within(access(base), Limits { idle: 0, ..SHORT }).unwrap()
}

/// How many requests reached `server`.
async fn asked(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// An address at which nobody listens.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What a connection does once it has got a whole request.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Sends these bytes and keeps the connection open for the next request.
    Say(&'static str),
    /// Sends these bytes and closes the connection.
    SayAndClose(&'static str),
    /// Sends nothing, ever.
    Hang,
}

/// A server of plain bytes: for what a proper HTTP server would not do, and for seeing the
/// requests as they are.
#[derive(Debug, Clone)]
struct Bytes {
    base: String,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Bytes {
    async fn start(then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { base, requests: Arc::default(), connections: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *serving.connections.lock().unwrap() += 1;
                tokio::spawn(serving.clone().serve(stream, then));
            }
        });
        server
    }

    async fn serve(self, mut stream: TcpStream, then: Then) {
        while let Some(request) = request(&mut stream).await {
            self.requests.lock().unwrap().push(request);
            match then {
                Then::Say(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
                Then::SayAndClose(bytes) => {
                    stream.write_all(bytes.as_bytes()).await.unwrap();
                    return;
                }
                Then::Hang => std::future::pending().await,
            }
        }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// The next request of `stream`, head and body; `None` at its end.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut request = String::new();
    loop {
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return Some(request);
            }
        }
        let mut bytes = [0; 4096];
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => request.push_str(std::str::from_utf8(&bytes[..count]).unwrap()),
        }
    }
}
