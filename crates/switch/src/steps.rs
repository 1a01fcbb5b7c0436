//! Single steps of the hot path, so that each can be measured by itself.

use crate::keys::Tokenizer;
use crate::translate::{self, Incoming, Reading, Writer};
use authorizer::Answer;
use bytes::BytesMut;
use domain::{Authorization, Mono, NetworkName};
use iso8583::{Dialect, EncodeError, FrameFormat, Message};

/// The steps of one link before and behind the decision.
pub struct Steps {
    dialect: Dialect,
    tokens: Tokenizer,
    writer: Writer,
    network: NetworkName,
}

impl Steps {
    /// Those of a link that speaks `dialect` in such frames; card tokens are made with `key`.
    #[must_use]
    pub fn of(dialect: &Dialect, frame: FrameFormat, network: NetworkName, key: &[u8; 32]) -> Option<Self> {
        let writer = Writer::new(dialect, frame, None);
        Some(Self { dialect: dialect.clone(), tokens: Tokenizer::with_key(key)?, writer, network })
    }

    /// Translates an authorization request into the domain's words; `None` if it is something else.
    #[must_use]
    pub fn translate(&self, message: &Message) -> Option<Authorization> {
        let (tokens, dialect, network) = (&self.tokens, &self.dialect, self.network);
        let reading = Reading { tokens, dialect, partial: None, network, deadline: Mono::MAX };
        match translate::read(message, reading) {
            Ok(Incoming::Authorization(request)) => Some(request),
            Ok(_) | Err(_) => None,
        }
    }

    /// Appends the answer to `request`, framed.
    ///
    /// # Errors
    /// The dialect has no room for it.
    pub fn answer(&self, request: &Message, answer: &Answer, out: &mut BytesMut) -> Result<(), EncodeError> {
        self.writer.decided(request, answer, out)
    }
}
