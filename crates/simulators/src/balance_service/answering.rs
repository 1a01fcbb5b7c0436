//! Answers in HTTP: true ones, lies, and one that breaks off in the middle.

use super::chance::Lie;
use super::messages::Ask;
use bytes::Bytes;
use domain::Units;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde::Serialize;
use serde_json::Value;
use std::pin::Pin;
use std::task::{Context, Poll};

/// An answer of the service.
pub(super) type Reply = Response<Content>;

/// The connection is broken off on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(super) enum Broken {
    /// In good order, as when a process ends.
    #[error("the connection is broken off, as the profile says")]
    Off,
    /// With a reset.
    #[error("the connection is reset, as the profile says")]
    Reset,
}

/// A body that is whole, or that breaks the connection after its bytes.
#[derive(Clone, Debug)]
pub(super) struct Content {
    bytes: Bytes,
    sent: bool,
    breaks: bool,
}

impl Content {
    fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), sent: false, breaks: false }
    }

    /// What a signature is made over.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if !self.sent {
            self.sent = true;
            return Poll::Ready(Some(Ok(Frame::data(self.bytes.clone()))));
        }
        Poll::Ready(self.breaks.then_some(Err(Broken::Off)))
    }

    fn is_end_stream(&self) -> bool {
        self.sent && !self.breaks
    }

    fn size_hint(&self) -> SizeHint {
        if self.breaks {
            return SizeHint::new();
        }
        SizeHint::with_exact(if self.sent { 0 } else { u64::try_from(self.bytes.len()).unwrap_or(u64::MAX) })
    }
}

fn with(status: StatusCode, content_type: &'static str, content: Content) -> Reply {
    let mut reply = Response::new(content);
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

/// A line for people.
pub(super) fn plain(status: StatusCode, text: &str) -> Reply {
    with(status, "text/plain; charset=utf-8", Content::whole(text.to_owned() + "\n"))
}

/// A JSON body.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    match serde_json::to_vec(value) {
        Ok(bytes) => with(status, "application/json", Content::whole(bytes)),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// The first half of a JSON body, and then the end of the connection.
pub(super) fn broken_off(value: &Value) -> Reply {
    let text = value.to_string();
    let half = text.get(..text.len() / 2).unwrap_or_default().to_owned();
    let content = Content { breaks: true, ..Content::whole(half) };
    let mut reply = with(StatusCode::OK, "application/json", content);
    reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    reply
}

/// An answer that is not one; `None` where the lie is in the signature.
pub(super) fn garbled(lie: Lie, ask: &Ask) -> Option<Reply> {
    let id = ask.ask_id;
    let approve =
        |id: &str, units: &str| format!(r#"{{"ask_id":"{id}","decision":"approve","units":{units}}}"#);
    let text = match lie {
        Lie::OtherAsk => approve("tx-000-0000000000000000", &format!("\"{}\"", ask.units)),
        Lie::Float => approve(&id.to_string(), &format!("{}.0", ask.units)),
        Lie::TooMuch => approve(&id.to_string(), &format!("\"{}\"", Units(ask.units.0.saturating_add(1)))),
        Lie::Nothing => approve(&id.to_string(), "\"0\""),
        Lie::Huge => " ".repeat(1 << 20) + &approve(&id.to_string(), &format!("\"{}\"", ask.units)),
        Lie::NotJson => "<html><body>Everything is fine.</body></html>".to_owned(),
        Lie::Unsigned => return None,
    };
    Some(with(StatusCode::OK, "application/json", Content::whole(text)))
}
