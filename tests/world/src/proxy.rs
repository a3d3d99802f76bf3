//! A proxy before the Admin API: shows what is asked, and loses or holds an answer on demand.
//!
//! Each connection carries one request, so that nothing waits behind a held answer.

use std::{
    fmt::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use reqwest::{
    Client, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use self::storm::{Blowing, Hurt};
pub use self::{foreign::Foreign, storm::Storm};
use crate::{api, process::lock};

mod foreign;
mod storm;

/// One request that came by.
#[derive(Debug, Clone)]
pub struct Passed {
    /// Its method.
    pub method: Method,
    /// Its path and query as sent.
    pub path: String,
    /// Its JSON body, null without one.
    pub body: Value,
    /// The access token that came with it.
    pub token: String,
}

impl Passed {
    /// Whether it is a notice for nobody, which no homeserver sends, or a registration of nothing, which
    /// makes no account.
    pub fn is_probe(&self) -> bool {
        let nobody = serde_json::json!({ "user_id": "", "content": {} });
        (self.path.ends_with("/send_server_notice") && self.body == nobody)
            || (self.path.ends_with("/v3/register") && self.body == serde_json::json!({}))
    }
}

/// A request that the homeserver answered.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The request.
    pub request: Passed,
    /// The status of its answer.
    pub status: u16,
    /// Whether the homeserver said that it has nothing at such a path.
    pub is_unknown_route: bool,
}

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// It waits here before the homeserver sees it, until released.
    HoldRequest,
    /// The homeserver acts on it; its answer waits here until released.
    HoldAnswer,
    /// The connection breaks before the homeserver sees it.
    LoseRequest,
    /// The homeserver acts on it; the connection breaks in place of the answer.
    LoseAnswer,
    /// The homeserver acts on it; where it takes longer than this, a page is answered with 504 and the
    /// connection to it is given up, as a web server does that stands in front.
    Impatient(Duration),
    /// The homeserver never sees it; this is answered, with a JSON body.
    Answer(u16, Value),
    /// The homeserver never sees it; a page is answered with this status, as a web server has it that
    /// stands in front.
    Page(u16),
    /// The homeserver never sees it; these bytes are the answer, its head included, and the
    /// connection ends.
    Raw(Vec<u8>),
    /// As [`Fault::Raw`], and the connection stays open and silent until released.
    Stall(Vec<u8>),
}

/// A fault that lies in wait for one request, or for all until it is lifted.
#[derive(Debug)]
pub struct Caught(Arc<Trap>);

#[derive(Debug)]
struct Trap {
    method: Method,
    path: String,
    fault: Fault,
    /// Whether it befalls every request and not only the next.
    lasts: bool,
    lifted: AtomicBool,
    reached: watch::Sender<bool>,
    released: watch::Sender<bool>,
}

/// A running proxy. It stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    shared: Arc<Shared>,
    running: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: String,
    http: Client,
    passed: Mutex<Vec<Passed>>,
    answered: Mutex<Vec<Answered>>,
    traps: Mutex<Vec<Arc<Trap>>>,
    /// What every request is answered that would change something, where it is kept back.
    keeps: Mutex<Option<Value>>,
    /// What hurts requests by chance.
    storm: Mutex<Option<Blowing>>,
    /// What another homeserver than Synapse serves, where it is to look like one.
    foreign: Mutex<Option<Foreign>>,
    /// How many connections are being served.
    served: watch::Sender<usize>,
}

/// A connection that is being served, for as long as this lives.
struct Served(Arc<Shared>);

impl Served {
    fn begin(shared: &Arc<Shared>) -> Self {
        shared.served.send_modify(|served| *served += 1);
        Self(shared.clone())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.served.send_modify(|served| *served -= 1);
    }
}

/// A request as it is read and passed on.
struct Request {
    passed: Passed,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// An answer as it is written.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Proxy {
    /// Starts one before the homeserver at `target`, an address without a slash at its end.
    pub async fn start(target: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            http: api::http(),
            passed: Mutex::default(),
            answered: Mutex::default(),
            traps: Mutex::default(),
            keeps: Mutex::default(),
            storm: Mutex::default(),
            foreign: Mutex::default(),
            served: watch::Sender::new(0),
        });
        let running = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { url, shared, running })
    }

    /// Its address, to be set as `homeserver.admin_url`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Passed> {
        lock(&self.shared.passed).clone()
    }

    /// All requests that the homeserver has answered so far, in the order of the answers. One that
    /// was lost or answered here is not among them.
    pub fn answered(&self) -> Vec<Answered> {
        lock(&self.shared.answered).clone()
    }

    /// The requests so far that were not mere looking: all but `GET`, and but what asks only whether
    /// the homeserver sends notices, and is for nobody.
    pub fn changes(&self) -> Vec<Passed> {
        let mut requests = self.requests();
        requests.retain(|request| request.method != Method::GET && !request.is_probe());
        requests
    }

    /// From now on the homeserver sees nothing that would change it: all but `GET` is answered 200
    /// with this body.
    pub fn keep_changes(&self, answer: Value) {
        *lock(&self.shared.keeps) = Some(answer);
    }

    /// From now on it looks like a homeserver that is not Synapse and serves this; with `None` like Synapse
    /// again.
    pub fn look_like(&self, foreign: impl Into<Option<Foreign>>) {
        *lock(&self.shared.foreign) = foreign.into();
    }

    /// Waits until the homeserver has answered all that was sent here, by whoever does not run any
    /// more, too. An error after [`crate::PATIENCE`].
    pub async fn settled(&self) -> Result<()> {
        // Connections are taken in the order in which they came: once this one, which asks for
        // nothing, has come to its end, all before it are counted.
        let mut last = TcpStream::connect(self.url.trim_start_matches("http://")).await?;
        last.shutdown().await?;
        last.read_to_end(&mut Vec::new()).await?;
        let mut served = self.shared.served.subscribe();
        let wait = served.wait_for(|served| *served == 0);
        tokio::time::timeout(crate::PATIENCE, wait).await.context("requests go on")??;
        Ok(())
    }

    /// Lets `fault` befall the next request with this method whose path contains `path`.
    /// Several faults befall as many requests, in the order in which they were set.
    pub fn next(&self, method: Method, path: &str, fault: Fault) -> Caught {
        self.set(method, path, fault, false)
    }

    /// Lets `fault` befall every request with this method whose path contains `path`, until it is
    /// lifted.
    pub fn every(&self, method: Method, path: &str, fault: Fault) -> Caught {
        self.set(method, path, fault, true)
    }

    fn set(&self, method: Method, path: &str, fault: Fault, lasts: bool) -> Caught {
        let trap = Arc::new(Trap {
            method,
            path: path.to_owned(),
            fault,
            lasts,
            lifted: AtomicBool::new(false),
            reached: watch::Sender::new(false),
            released: watch::Sender::new(false),
        });
        lock(&self.shared.traps).push(trap.clone());
        Caught(trap)
    }
}

impl Caught {
    /// Waits until the fault has befallen a request: it or its answer is held or lost. An error
    /// after [`crate::PATIENCE`].
    pub async fn reached(&self) -> Result<()> {
        let mut reached = self.0.reached.subscribe();
        let wait = reached.wait_for(|reached| *reached);
        let result = tokio::time::timeout(crate::PATIENCE, wait).await;
        let what = || format!("no {} with {} came", self.0.method, self.0.path);
        result.with_context(what)?.map(|_| ()).with_context(what)
    }

    /// Ends a fault that lasts.
    pub fn lift(&self) {
        self.0.lifted.store(true, Ordering::SeqCst);
    }

    /// Lets go of what is held.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }
}

impl Trap {
    async fn hold(&self) {
        self.reached.send_replace(true);
        let mut released = self.released.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _released = released.wait_for(|released| *released).await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the proxy.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (shared, served) = (shared.clone(), Served::begin(&shared));
        connections.spawn(async move {
            let _served = served;
            // A caller who goes away is none of the proxy's business.
            let _gone = serve(stream, &shared).await;
        });
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream).await?;
    lock(&shared.passed).push(request.passed.clone());
    let kept = lock(&shared.keeps).clone().filter(|_| request.passed.method != Method::GET);
    if let Some(body) = kept {
        return write(&mut stream, json_answer(200, &body)?).await;
    }
    let Some(trap) = take_trap(shared, &request.passed) else {
        let hurt = lock(&shared.storm).as_mut().and_then(|storm| storm.next(&request.passed));
        if let Some(hurt) = hurt {
            return suffer(&mut stream, shared, request, hurt).await;
        }
        return write(&mut stream, foreign::answer(shared, request).await?).await;
    };
    let answer = match &trap.fault {
        Fault::HoldRequest => {
            trap.hold().await;
            Some(forward(shared, request).await?)
        }
        Fault::HoldAnswer => {
            let answer = forward(shared, request).await?;
            trap.hold().await;
            Some(answer)
        }
        Fault::LoseRequest => None,
        Fault::LoseAnswer => {
            forward(shared, request).await?;
            None
        }
        Fault::Impatient(patience) => {
            match tokio::time::timeout(*patience, forward(shared, request)).await {
                Ok(answer) => Some(answer?),
                Err(_) => Some(page(504)?),
            }
        }
        Fault::Answer(status, body) => Some(json_answer(*status, body)?),
        Fault::Page(status) => Some(page(*status)?),
        Fault::Raw(bytes) => return raw(&mut stream, bytes, &trap, false).await,
        Fault::Stall(bytes) => return raw(&mut stream, bytes, &trap, true).await,
    };
    trap.reached.send_replace(true);
    match answer {
        Some(answer) => write(&mut stream, answer).await,
        None => Ok(()),
    }
}

/// Answers just these bytes.
async fn raw(
    stream: &mut BufReader<TcpStream>,
    bytes: &[u8],
    trap: &Trap,
    stalls: bool,
) -> Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    if stalls {
        trap.hold().await;
    }
    trap.reached.send_replace(true);
    Ok(stream.shutdown().await?)
}

/// Lets this befall a request.
async fn suffer(
    stream: &mut BufReader<TcpStream>,
    shared: &Shared,
    request: Request,
    hurt: Hurt,
) -> Result<()> {
    match hurt {
        Hurt::LoseRequest => Ok(()),
        Hurt::LoseAnswer => forward(shared, request).await.map(|_| ()),
        Hurt::Page(status) => write(stream, page(status)?).await,
        Hurt::PageAfter(status) => {
            forward(shared, request).await?;
            write(stream, page(status)?).await
        }
        Hurt::TooLarge => {
            let body = json!({ "errcode": "M_TOO_LARGE", "error": "Too large" });
            write(stream, json_answer(413, &body)?).await
        }
        Hurt::Nothing => write(stream, json_answer(200, &json!({}))?).await,
        Hurt::NothingAfter => {
            forward(shared, request).await?;
            write(stream, json_answer(200, &json!({}))?).await
        }
        Hurt::Late(wait) => {
            tokio::time::sleep(wait).await;
            let answer = forward(shared, request).await?;
            write(stream, answer).await
        }
    }
}

fn json_answer(status: u16, body: &Value) -> Result<Answer> {
    Ok(Answer {
        status: StatusCode::from_u16(status)?,
        headers: HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse()?)]),
        body: serde_json::to_vec(body)?,
    })
}

fn page(status: u16) -> Result<Answer> {
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, "text/html".parse()?)]);
    if (300..400).contains(&status) {
        headers.insert(LOCATION, "https://elsewhere.example/".parse()?);
    }
    let body = format!("<html><body><h1>{status}</h1></body></html>").into_bytes();
    Ok(Answer { status: StatusCode::from_u16(status)?, headers, body })
}

fn take_trap(shared: &Shared, passed: &Passed) -> Option<Arc<Trap>> {
    let mut traps = lock(&shared.traps);
    traps.retain(|trap| !trap.lifted.load(Ordering::SeqCst));
    let fits = |trap: &Arc<Trap>| trap.method == passed.method && passed.path.contains(&trap.path);
    let position = traps.iter().position(fits)?;
    let trap = traps.get(position)?.clone();
    if !trap.lasts {
        traps.remove(position);
    }
    Some(trap)
}

async fn read(stream: &mut BufReader<TcpStream>) -> Result<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let mut lines = lines.iter();
    let mut words = lines.next().context("no request line")?.split(' ');
    let method = Method::from_bytes(words.next().context("no method")?.as_bytes())?;
    let path = words.next().context("no path")?.to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
    }
    let length = headers.get("content-length").map_or(Ok("0"), |length| length.to_str())?;
    let mut body = vec![0; length.parse()?];
    stream.read_exact(&mut body).await?;
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token =
        bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default().to_owned();
    Ok(Request { passed: Passed { method, path, body: json, token }, headers, body })
}

async fn forward(shared: &Shared, request: Request) -> Result<Answer> {
    let url = format!("{}{}", shared.target, request.passed.path);
    let method = request.passed.method.clone();
    let mut onward = shared.http.request(method, url).body(request.body);
    for name in [AUTHORIZATION, CONTENT_TYPE] {
        if let Some(value) = request.headers.get(&name) {
            onward = onward.header(name, value);
        }
    }
    let answer = onward.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await?.to_vec();
    let said: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let is_unknown_route =
        matches!(status.as_u16(), 404 | 405) && said["errcode"] == "M_UNRECOGNIZED";
    let answered = Answered { request: request.passed, status: status.as_u16(), is_unknown_route };
    lock(&shared.answered).push(answered);
    Ok(Answer { status, headers, body })
}

async fn write(stream: &mut BufReader<TcpStream>, answer: Answer) -> Result<()> {
    let mut head = format!("HTTP/1.1 {}\r\nconnection: close\r\n", answer.status);
    for name in [CONTENT_TYPE, RETRY_AFTER, LOCATION] {
        if let Some(value) = answer.headers.get(&name) {
            write!(head, "{name}: {}\r\n", value.to_str()?)?;
        }
    }
    write!(head, "content-length: {}\r\n\r\n", answer.body.len())?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body).await?;
    Ok(stream.shutdown().await?)
}
