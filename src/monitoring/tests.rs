//! Who asks is answered shortly, whatever they send.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::*;

const OUTAGE: Duration = Duration::from_millis(1);

/// A listener on some port of this machine, of a bot that is not there yet.
struct Shown {
    service: Service,
    address: SocketAddr,
    monitor: Monitor,
}

async fn shown(outage_after: Duration) -> Shown {
    let service = Service::of_nobody();
    let view =
        Arc::new(View::new(Metrics::counting([], []).unwrap(), service.clone(), outage_after));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let over = CancellationToken::new();
    TaskTracker::new().spawn(listener::serve(socket, view.clone(), over.clone()));
    let monitor = Monitor(Some(Arc::new(Inner { view, _listens: over.drop_guard() })));
    Shown { service, address, monitor }
}

impl Shown {
    /// What comes back until the connection is closed.
    async fn sent(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // It may be closed before all of it was taken.
        let _ = stream.write_all(request).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn asked(&self, method: &str, path: &str) -> String {
        self.sent(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await
    }

    /// Status and body of an answer to `GET`.
    async fn got(&self, path: &str) -> (u16, String) {
        let answer = self.asked("GET", path).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn a_bot_that_starts_is_well_and_not_ready() {
    let shown = shown(Duration::from_mins(5)).await;
    assert_eq!(shown.got("/healthz").await, (200, "ok: Starting\n".to_owned()));
    assert_eq!(shown.got("/readyz").await, (503, "starting\n".to_owned()));
    let (status, text) = shown.got("/metrics").await;
    assert_eq!(status, 200);
    for line in ["synod_healthy 1", "synod_ready 0", "# TYPE synod_build_info gauge"] {
        assert!(text.lines().any(|one| one == line), "{line} is not in {text}");
    }
    let answer = shown.asked("GET", "/metrics").await;
    assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
}

#[tokio::test]
async fn an_outage_and_a_loop_that_hangs_are_told_in_one_line_and_over_when_they_are() {
    let shown = shown(OUTAGE).await;
    shown.service.answers();
    assert_eq!(shown.got("/healthz").await, (200, "ok: Connected to the homeserver\n".to_owned()));
    shown.service.fails();
    tokio::time::sleep(OUTAGE).await;
    let silent = (503, "the homeserver has not answered for 0 s\n".to_owned());
    assert_eq!(shown.got("/healthz").await, silent);
    assert_eq!(shown.got("/readyz").await, silent);
    shown.service.answers();
    assert_eq!(shown.got("/healthz").await.0, 200);
    shown.service.within(Duration::ZERO);
    tokio::time::sleep(OUTAGE).await;
    for path in ["/healthz", "/readyz"] {
        let (status, line) = shown.got(path).await;
        assert!(status == 503 && line.starts_with("the sync loop hangs"), "{line}");
    }
    shown.service.without_limit();
    assert_eq!(shown.got("/healthz").await.0, 200);
}

#[tokio::test]
async fn a_short_outage_is_no_illness_but_nothing_is_ready_in_it() {
    let shown = shown(Duration::from_mins(5)).await;
    shown.service.answers();
    shown.service.fails();
    let waiting = (200, "ok: Waiting for the homeserver to answer\n".to_owned());
    assert_eq!(shown.got("/healthz").await, waiting);
    assert_eq!(shown.got("/readyz").await, (503, "the homeserver does not answer\n".to_owned()));
}

#[tokio::test]
async fn there_is_nothing_else_to_get_and_nothing_to_change() {
    let shown = shown(Duration::from_mins(5)).await;
    for path in ["/", "/healthz/", "/metrics/../x", "/HEALTHZ", "/admin"] {
        assert_eq!(shown.got(path).await.0, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let answer = shown.asked(method, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("GET, HEAD"), "{answer}");
    }
    let head = shown.asked("HEAD", "/healthz").await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    // What follows on the same connection is not listened to.
    let twice = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(shown.sent(twice).await.matches("HTTP/1.1 ").count(), 1);
}

#[tokio::test]
async fn what_is_no_request_or_too_large_a_one_is_turned_away_and_the_next_is_answered() {
    let shown = shown(Duration::from_mins(5)).await;
    let large = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for nonsense in
        [large.as_bytes(), many.as_bytes(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"\n\n\n\n"]
    {
        let answer = shown.sent(nonsense).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{answer}");
        assert_eq!(shown.got("/healthz").await.0, 200);
    }
}

#[tokio::test]
async fn those_who_ask_for_nothing_are_let_go_and_hold_nobody_up_for_long() {
    let shown = shown(Duration::from_mins(5)).await;
    let mut idle = Vec::new();
    for _ in 0..16 {
        let mut stream = TcpStream::connect(shown.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        idle.push(stream);
    }
    // All places are taken by now or soon: who comes then is turned away at once.
    while !shown.asked("GET", "/healthz").await.is_empty() {}
    let mut read = Vec::new();
    for stream in &mut idle {
        // Closed, with or without a word.
        let _ = stream.read_to_end(&mut read).await;
    }
    while shown.asked("GET", "/healthz").await.is_empty() {}
}

#[tokio::test]
async fn the_listener_ends_with_the_bot() {
    let Shown { address, monitor, service } = shown(Duration::from_mins(5)).await;
    TcpStream::connect(address).await.unwrap();
    drop((monitor, service));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_and_none_is_listened_on_unless_one_is_given() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = taken.local_addr().unwrap();
    let settings = config::Monitoring { listen, outage_after: OUTAGE };
    let error = Monitor::begin(Some(&settings), &Service::of_nobody()).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains(&listen.to_string()) && error.contains("monitoring.listen"), "{error}");
    let monitor = Monitor::begin(None, &Service::of_nobody()).await.unwrap();
    assert!(monitor.0.is_none());
}
