//! What every error of the API looks like: problem details (RFC 9457), with the fields at fault.
//!
//! Guarantees: `found` is masked and cut before it gets here (see `mask`); a problem never holds a card number
//! or an expiry. `type` is one of the words below, so that clients can branch on it.

use authorizer::Refusal;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Declares [`Kind`] once: variant, status, the last word of its `type`, and its title.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $status:ident, $word:literal, $title:literal;)+) => {
        /// What kind of problem it is; a closed set.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Kind {
            $($(#[$doc])* $variant,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The HTTP status that it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// The word at the end of `type`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// A line for people; the same for every problem of the kind.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson = BAD_REQUEST, "malformed_json", "The body is not valid JSON";
    /// The path or the query cannot be read.
    InvalidAddress = BAD_REQUEST, "invalid_address", "The path or the query cannot be read";
    /// A posting without a usable `Idempotency-Key`.
    InvalidIdempotencyKey = BAD_REQUEST, "invalid_idempotency_key", "The Idempotency-Key header is missing or invalid";
    /// No key, or a wrong one.
    Unauthorized = UNAUTHORIZED, "unauthorized", "A valid API key is required";
    /// The path names something that is not there.
    NotFound = NOT_FOUND, "not_found", "There is no such thing";
    /// No endpoint has this path.
    NoSuchEndpoint = NOT_FOUND, "no_such_endpoint", "No endpoint has this path";
    /// The endpoint does not know this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The endpoint does not take this method";
    /// The body did not arrive in time.
    BodyTimedOut = REQUEST_TIMEOUT, "body_timed_out", "The body did not arrive in time";
    /// Something of this name exists, and is not what was asked for.
    ExistsWithOtherContent = CONFLICT, "exists_with_other_content", "It exists already, with other content";
    /// Another card has this number.
    CardNumberTaken = CONFLICT, "card_number_taken", "Another card has this number";
    /// Another request is creating it at this moment.
    BeingCreated = CONFLICT, "being_created", "Another request is creating it right now";
    /// The card's status does not allow the change.
    StatusConflict = CONFLICT, "status_conflict", "The card's status does not allow this";
    /// The body is longer than it may be.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large";
    /// The body is not sent as JSON.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be application/json";
    /// The JSON is well formed and says something that is not allowed.
    InvalidRequest = UNPROCESSABLE_ENTITY, "invalid_request", "The request holds something that is not allowed";
    /// The account has not enough available.
    InsufficientFunds = UNPROCESSABLE_ENTITY, "insufficient_funds", "The account has not enough available";
    /// The idempotency key came with another request before.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The Idempotency-Key was used for another request";
    /// A bug of ours.
    Internal = INTERNAL_SERVER_ERROR, "internal", "The switch failed";
    /// As many requests are in flight, or commands queued, as there may be.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "The switch is busy";
    /// The switch is stopping, or its journal has failed.
    Stopped = SERVICE_UNAVAILABLE, "stopped", "The switch takes no changes at the moment";
    /// The command was taken and its end was not seen.
    OutcomeUnknown = SERVICE_UNAVAILABLE, "outcome_unknown", "The outcome of the change is not known";
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// Where: a field such as `limits[0].amount_max`, a header, or a query parameter.
    pub field: String,
    /// What stands there; masked, and cut where it is long.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
}

/// An error answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    kind: Kind,
    detail: String,
    faults: Vec<Fault>,
}

impl Problem {
    /// A problem with a sentence that says what happened to which thing. The caller vouches for the sentence:
    /// nothing that a client sent may stand in it unmasked.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), faults: Vec::new() }
    }

    /// A problem with the fields at fault; the first one also makes the sentence.
    pub(crate) fn with_faults(kind: Kind, faults: Vec<Fault>) -> Self {
        let detail = match (faults.as_slice(), faults.len()) {
            ([], _) => kind.title().to_owned(),
            ([first, ..], 1) => first.to_string(),
            ([first, ..], count) => format!("{first} (and {} more, see errors)", count - 1),
        };
        Self { kind, detail, faults }
    }

    /// A problem with one field at fault.
    pub(crate) fn at(kind: Kind, field: &str, found: impl Into<String>, allowed: impl Into<String>) -> Self {
        let fault = Fault { field: field.to_owned(), found: found.into(), allowed: allowed.into() };
        Self::with_faults(kind, vec![fault])
    }

    /// What kind of problem it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The fields at fault; empty where no field is.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: found {}; allowed: {}", self.field, self.found, self.allowed)
    }
}

impl From<crate::Unavailable> for Problem {
    fn from(error: crate::Unavailable) -> Self {
        let kind = match error {
            crate::Unavailable::Overloaded => Kind::Overloaded,
            crate::Unavailable::Stopped => Kind::Stopped,
            crate::Unavailable::OutcomeUnknown => Kind::OutcomeUnknown,
        };
        Self::new(kind, error.to_string())
    }
}

/// A shard's refusal. Where a handler knows more (the asset, the field), it makes the problem itself.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        let field = |field: &str, found: String| Self::at(Kind::InvalidRequest, field, found, detail.clone());
        match refusal {
            Refusal::NoSuchAccount
            | Refusal::NoSuchCard
            | Refusal::NoSuchTransaction
            | Refusal::NoSuchProgram(_) => Self::new(Kind::NotFound, detail),
            Refusal::CardClosed | Refusal::NoOpenHold => Self::new(Kind::StatusConflict, detail),
            Refusal::InsufficientFunds { .. } => Self::new(Kind::InsufficientFunds, detail),
            Refusal::NotPositive { found } => field("amount", format!("{found} units")),
            Refusal::OutOfRange => Self::new(Kind::InvalidRequest, detail),
            Refusal::RequestKeyReused => Self::new(Kind::IdempotencyKeyReused, detail),
            Refusal::UnknownZone(zone) => field("limits", crate::mask::shown(zone.as_str())),
            Refusal::EmptyLimit { index } => field(&format!("limits[{index}]"), "a limit of nothing".into()),
            Refusal::TooManyLimits { found, .. } => field("limits", format!("{found} limits")),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault],
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let body = Body {
            r#type: format!("urn:authswitch:problem:{}", self.kind.as_str()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            errors: &self.faults,
        };
        // A struct of strings always serializes; an empty body would still carry the status.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, json).into_response();
        let mut set =
            |name: HeaderName, value| response.headers_mut().insert(name, HeaderValue::from_static(value));
        set(header::CONTENT_TYPE, "application/problem+json");
        if status == StatusCode::UNAUTHORIZED {
            set(header::WWW_AUTHENTICATE, "Bearer");
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Every request can be sent again: postings carry a key, and creations answer 200 the second time.
            set(header::RETRY_AFTER, "1");
        }
        response
    }
}
