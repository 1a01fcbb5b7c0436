//! The parts of an HTTP request: names in the path, and the body within its bounds.

use super::api::Api;
use crate::json::{Mismatch, Node};
use crate::mask::shown;
use crate::problem::{Kind, Problem};
use crate::read;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use domain::{AccountId, CardId};

/// The account named in the path.
pub(crate) struct AccountName(pub(crate) AccountId);

/// The card named in the path.
pub(crate) struct CardName(pub(crate) CardId);

impl<T: Send + Sync> FromRequestParts<T> for AccountName {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        read::account_id(&name_in_path(parts, state).await?).map(Self).map_err(bad_name)
    }
}

impl<T: Send + Sync> FromRequestParts<T> for CardName {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &T) -> Result<Self, Problem> {
        read::card_id(&name_in_path(parts, state).await?).map(Self).map_err(bad_name)
    }
}

async fn name_in_path<T: Send + Sync>(parts: &mut Parts, state: &T) -> Result<Node, Problem> {
    match Path::<String>::from_request_parts(parts, state).await {
        Ok(Path(name)) => Ok(Node::Text(name)),
        Err(_) => Err(Problem::at(
            Kind::InvalidAddress,
            "id in the path",
            "bytes that are not UTF-8",
            "a percent-encoded UTF-8 name",
        )),
    }
}

fn bad_name(mismatch: Mismatch) -> Problem {
    Problem::at(Kind::InvalidAddress, "id in the path", mismatch.found, mismatch.allowed)
}

impl<S> Api<S> {
    /// Reads a body as JSON, within its bounds in bytes and time.
    pub(crate) async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Node, Problem> {
        media_type(headers)?;
        let max = self.bounds.body_bytes_max;
        let too_large =
            |found: String| Problem::at(Kind::BodyTooLarge, "body", found, format!("at most {max} bytes"));
        let announced =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(length) =
            announced.filter(|length: &u64| *length > u64::try_from(max).unwrap_or(u64::MAX))
        {
            return Err(too_large(format!("{length} bytes")));
        }
        let within = self.bounds.body_within;
        match tokio::time::timeout(within, axum::body::to_bytes(body, max)).await {
            Ok(Ok(bytes)) => Node::parse(&bytes),
            // Either the bound was passed or the client went away, and then nobody reads this.
            Ok(Err(_)) => Err(too_large(format!("more than {max} bytes, or a body that broke off"))),
            Err(_) => {
                let allowed = format!("the whole body within {} ms", within.as_millis());
                Err(Problem::at(Kind::BodyTimedOut, "body", "a body that did not end", allowed))
            }
        }
    }
}

/// A body that is declared as something else than JSON is not guessed at.
fn media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let essence = text.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let found = format!("\"{}\"", shown(&text));
    Err(Problem::at(Kind::UnsupportedMediaType, "Content-Type", found, "application/json"))
}
