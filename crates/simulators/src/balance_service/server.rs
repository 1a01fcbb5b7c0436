//! The HTTP side: connections, signatures, and each message's fate.

use super::answering::{Broken, Reply, broken_off, garbled, json, plain};
use super::chance::{Booked, Draw, Fault, Inclination, draw};
use super::duty::{Duty, is_duty};
use super::messages::{Answer, Ask};
use super::{AnswerSigning, Books, Options, Profile};
use bytes::Bytes;
use domain::Timestamp;
use funding::Keys;
use funding::contract::ASKS_PATH;
use funding::signature::{ID_HEADER, SIGNATURE_HEADER, Signed, TIMESTAMP_HEADER};
use http::header::HeaderValue;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at once; one more is closed at once.
const CONNECTIONS_MAX: usize = 4_096;
/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Transactions and duties that are remembered; with more, everything is answered with status 503.
const REMEMBERED_MAX: usize = 5_000_000;
/// How long a failing `accept` (no file descriptors left, for example) is left alone.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    books: Mutex<Books>,
    profile: Mutex<Profile>,
    times: Mutex<HashMap<String, u32>>,
    keys: Keys,
    answers: AnswerSigning,
    seed: u64,
}

/// The way in and out of a running service.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) shared: Arc<Shared>,
    pub(super) tasks: TaskTracker,
    pub(super) closing: CancellationToken,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            books: Mutex::new(options.books),
            profile: Mutex::new(options.profile),
            times: Mutex::default(),
            keys: options.keys,
            answers: options.answers,
            seed: options.seed,
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_profile(&self, profile: Profile) {
        *self.profile.lock().unwrap_or_else(PoisonError::into_inner) = profile;
    }

    /// What happens to this message, which has just arrived.
    fn draw(&self, id: &str) -> Draw {
        let times = {
            let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
            let times = times.entry(id.to_owned()).or_default();
            *times = times.saturating_add(1);
            *times
        };
        let profile = *self.profile.lock().unwrap_or_else(PoisonError::into_inner);
        draw(&profile, self.seed, id, times)
    }
}

/// Takes connections until the service closes.
pub(super) async fn accept(listener: TcpListener, doors: Doors) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = doors.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let doors = doors.clone();
        doors.tasks.clone().spawn(async move {
            serve(stream, &doors).await;
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, doors: &Doors) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let service = service_fn(|request| answer(request, doors));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        _ = connection.as_mut() => return,
        () = doors.stop.cancelled() => return,
        () = doors.closing.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        () = doors.stop.cancelled() => {}
    }
}

async fn answer(request: Request<Incoming>, doors: &Doors) -> Result<Reply, Broken> {
    let shared = &doors.shared;
    let (head, body) = request.into_parts();
    if head.method == Method::GET {
        return Ok(match head.uri.path() {
            "/healthz" => plain(StatusCode::OK, "ok"),
            "/books" => json(StatusCode::OK, &shared.books().view()),
            _ => plain(StatusCode::NOT_FOUND, "nothing is here"),
        });
    }
    let path = head.uri.path();
    if head.method != Method::POST || (path != ASKS_PATH && !is_duty(path)) {
        return Ok(plain(StatusCode::NOT_FOUND, "nothing is here"));
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is above 65536 bytes, or broke off"));
    };
    let body = body.to_bytes();
    let id = match check_signature(&head.headers, &body, &shared.keys) {
        Ok(id) => id,
        Err(problem) => return Ok(plain(StatusCode::UNAUTHORIZED, &problem)),
    };
    if shared.books().remembered() >= REMEMBERED_MAX {
        return Ok(plain(StatusCode::SERVICE_UNAVAILABLE, "as much is remembered as can be"));
    }
    let read = if path == ASKS_PATH {
        serde_json::from_slice(&body).map(|ask: Ask| (ask.ask_id.to_string(), Message::Ask(ask)))
    } else {
        Duty::read(path, &body).map(|duty| (duty.id.clone(), Message::Duty(duty)))
    };
    match read {
        Err(error) => Ok(plain(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}"))),
        Ok((named, _)) if named != id => {
            Ok(plain(StatusCode::BAD_REQUEST, &format!("the header names {id}, the body {named}")))
        }
        Ok((_, Message::Ask(ask))) => answer_ask(&ask, &id, doors).await,
        Ok((_, Message::Duty(duty))) => acknowledge(&duty, shared).await,
    }
}

/// What was posted.
enum Message {
    Ask(Ask),
    Duty(Duty),
}

async fn answer_ask(ask: &Ask, id: &str, doors: &Doors) -> Result<Reply, Broken> {
    let shared = &doors.shared;
    let Draw { latency, fault, inclination } = shared.draw(id);
    let book = || shared.books().ask(ask, inclination);
    let truth = |answer: Answer| json(StatusCode::OK, &answer.json(ask.ask_id));
    let reply = match fault {
        Fault::None => {
            let answer = book();
            sleep_unless_zero(latency).await;
            truth(answer)
        }
        Fault::Error(booked) => {
            book_if(booked, book);
            sleep_unless_zero(latency).await;
            return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault by the profile"));
        }
        Fault::Hang(booked) => {
            book_if(booked, book);
            std::future::pending().await
        }
        Fault::ResetBefore(booked) => {
            book_if(booked, book);
            return Err(Broken);
        }
        Fault::ResetWithin => return Ok(broken_off(&book().json(ask.ask_id))),
        Fault::Late(Booked::AtOnce) => {
            let answer = book();
            sleep(lateness(ask, shared)).await;
            truth(answer)
        }
        Fault::Late(Booked::NotYet) => truth(book_later(ask, inclination, doors).await?),
        Fault::Lie(lie) => {
            let answer = book();
            sleep_unless_zero(latency).await;
            match garbled(lie, ask) {
                Some(reply) => reply,
                None => return Ok(truth(answer)),
            }
        }
    };
    Ok(match shared.answers {
        AnswerSigning::Signed => signed(reply, id, &shared.keys),
        AnswerSigning::Unsigned => reply,
    })
}

/// Books an ask when its time is long over, even if whoever asked has gone: by then it may be cancelled.
async fn book_later(ask: &Ask, inclination: Inclination, doors: &Doors) -> Result<Answer, Broken> {
    let (ask, shared) = (ask.clone(), Arc::clone(&doors.shared));
    let lateness = lateness(&ask, &shared);
    let booking = doors.tasks.spawn(async move {
        sleep(lateness).await;
        shared.books().ask(&ask, inclination)
    });
    booking.await.map_err(|_| Broken)
}

/// Books a duty and acknowledges it, unless the profile has it fail.
async fn acknowledge(duty: &Duty, shared: &Shared) -> Result<Reply, Broken> {
    let Draw { latency, fault, .. } = shared.draw(&duty.id);
    let book = || shared.books().perform(duty);
    match fault {
        Fault::Error(booked) => {
            book_if(booked, book);
            return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault by the profile"));
        }
        Fault::Hang(booked) => {
            book_if(booked, book);
            std::future::pending::<()>().await;
        }
        Fault::ResetBefore(booked) => {
            book_if(booked, book);
            return Err(Broken);
        }
        Fault::ResetWithin => {
            book();
            return Err(Broken);
        }
        // An acknowledgement is never late and cannot lie: its status is all that it says.
        Fault::None | Fault::Late(_) | Fault::Lie(_) => book(),
    }
    sleep_unless_zero(latency).await;
    Ok(plain(StatusCode::OK, "acknowledged"))
}

fn book_if<T>(booked: Booked, book: impl FnOnce() -> T) {
    match booked {
        Booked::AtOnce => drop(book()),
        Booked::NotYet => {}
    }
}

fn lateness(ask: &Ask, shared: &Shared) -> Duration {
    let late_by = shared.profile.lock().unwrap_or_else(PoisonError::into_inner).late_by;
    Duration::from_millis(ask.remaining_ms).saturating_add(late_by)
}

/// A timer ticks in milliseconds, so a sleep of nothing would not be nothing.
async fn sleep_unless_zero(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}

fn check_signature(headers: &HeaderMap, body: &Bytes, keys: &Keys) -> Result<String, String> {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or("");
    let signed = Signed {
        id: header(ID_HEADER),
        timestamp: header(TIMESTAMP_HEADER),
        signature: header(SIGNATURE_HEADER),
        body,
    };
    keys.verify(signed, wall_clock()).map_err(|error| error.to_string())?;
    Ok(signed.id.to_owned())
}

fn signed(mut reply: Reply, id: &str, keys: &Keys) -> Reply {
    let timestamp = (wall_clock().micros() / 1_000_000).to_string();
    let signature = keys.sign(id, &timestamp, reply.body().bytes());
    for (name, value) in [(ID_HEADER, id), (TIMESTAMP_HEADER, &timestamp), (SIGNATURE_HEADER, &signature)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// The service's own clock, as far from the switch's as two machines' clocks are.
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_seconds(0).plus(since)
}
