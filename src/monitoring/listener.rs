//! The listener: it answers `GET`, hears by a `POST` that somebody reports something, closes the connection after each answer, and lets nobody wait on it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, warn};

use super::View;
use crate::metrics;

/// How many are answered at once; more are turned away.
const AT_ONCE: usize = 16;

/// How long somebody may take to say what they want.
const TO_ASK: Duration = Duration::from_secs(5);

/// How long all of it may take.
const WHOLE: Duration = Duration::from_secs(20);

/// How much somebody may say, bytes: what hyper takes at least.
const MOST: usize = 8192;

/// How long nobody is answered after something has gone wrong with the machine's sockets.
const PAUSE: Duration = Duration::from_millis(200);

/// Whoever stands before the homeserver says here that somebody reports something, so that the bot looks for
/// it at once.
const REPORTS: &str = "/reports";

const PLAIN: &str = "text/plain; charset=utf-8";

/// Answers whoever asks, until `over`.
pub(super) async fn serve(socket: TcpListener, view: Arc<View>, over: CancellationToken) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = over.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let Ok(place) = places.clone().try_acquire_owned() else {
                    debug!("too many ask at once; turned away");
                    continue;
                };
                let view = view.clone();
                tasks.spawn(async move {
                    answer(stream, view).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "nobody can be answered who asks how the bot is");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Answers one request.
async fn answer(stream: TcpStream, view: Arc<View>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let view = view.clone();
        async move { Ok::<_, Infallible>(respond(request.method(), request.uri().path(), &view).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(TO_ASK)
        .keep_alive(false)
        .max_buf_size(MOST)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(WHOLE, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(%error, "who asked how the bot is was not answered"),
        Err(_) => debug!("who asked how the bot is took too long"),
    }
}

async fn respond(method: &Method, path: &str, view: &View) -> Response<String> {
    if (method, path) == (&Method::POST, REPORTS) {
        view.expect_report();
        return plain(StatusCode::ACCEPTED, "I look for new reports");
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed here");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/healthz" => verdict(view.health()),
        "/readyz" => verdict(view.readiness().await),
        "/metrics" => match view.metrics().await {
            Ok(text) => response(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => {
                error!(%error, "the metrics cannot be written");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written")
            }
        },
        _ => plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics here"),
    }
}

/// One line: what the bot does, or why it is not as it should be.
fn verdict(found: Result<&'static str, String>) -> Response<String> {
    match found {
        Ok(status) => plain(StatusCode::OK, &format!("ok: {status}")),
        Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn plain(status: StatusCode, line: &str) -> Response<String> {
    response(status, PLAIN, format!("{line}\n"))
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
