//! The HTTP side: paths, signatures, and what is refused before it is a message.

use super::answering::{Broken, Reply, json, plain};
use super::duty::{Duty, is_duty};
use super::fate::{Message, take};
use super::messages::Ask;
use super::shared::Doors;
use bytes::Bytes;
use domain::Timestamp;
use funding::Keys;
use funding::contract::ASKS_PATH;
use funding::signature::{ID_HEADER, SIGNATURE_HEADER, Signed, TIMESTAMP_HEADER};
use http::header::HeaderValue;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Transactions and duties that are remembered; with more, everything is answered with status 503.
const REMEMBERED_MAX: usize = 5_000_000;
/// Answers one request.
pub(super) async fn answer(request: Request<Incoming>, doors: &Doors) -> Result<Reply, Broken> {
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
        Ok((_, message)) => take(message, &id, doors).await,
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

/// Signs an answer to the request of this id.
pub(super) fn signed(mut reply: Reply, id: &str, keys: &Keys) -> Reply {
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
