//! A message for people: one row an element and a part of an element, card data masked unless asked for.
//!
//! Rows are data, so that a caller can make a table or JSON of them.

use crate::dialect::Dialect;
use crate::error::{DecodeError, Fault, Place};
use crate::mask::masked;
use crate::message::Message;
use crate::position::FaultAt;
use crate::value::Value;
use serde::Serialize;

/// Whether card data is shown in clear.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CardData {
    /// Masked: the default everywhere.
    Masked,
    /// In clear, because a person asked for it in so many words.
    Shown,
}

/// One line of a described message.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// `header`, `MTI`, the data element's number, or the path of a part: `48.38`, `55.9F02`.
    pub element: String,
    /// Its name in the dialect.
    pub name: String,
    /// Its value, masked where `masked` says so.
    pub value: String,
    /// Whether the value is masked.
    pub masked: bool,
}

/// Describes a message, row by row in the order of the wire.
#[must_use]
pub fn describe(message: &Message, card_data: CardData) -> Vec<Row> {
    let mti = Row {
        element: "MTI".to_owned(),
        name: "message type indicator".to_owned(),
        value: message.mti().to_string(),
        masked: false,
    };
    let mut rows = header(message).into_iter().chain([mti]).collect();
    for de in message.elements() {
        if let Some(value) = message.value(de) {
            push_rows(&mut rows, de, de.to_string(), value, card_data);
        }
    }
    rows
}

/// Describes the value of data element `de` alone, as it stands behind its length prefix: the chip data out of a log, say.
///
/// # Errors
/// What is wrong with the value, and where, counted from its first byte; or that the dialect does not list `de`.
pub fn describe_element(
    dialect: &Dialect,
    de: u8,
    value: &[u8],
    card_data: CardData,
) -> Result<Vec<Row>, DecodeError> {
    let spec = dialect.element(de);
    let located = match spec {
        Some(spec) => spec.accept_bytes(value, 0, value.len()).map(|span| Value::new(spec, value, span)),
        None => Err(FaultAt::new(0, Fault::Unlisted)),
    };
    let name = || spec.map_or_else(Box::default, |spec| spec.name().into());
    let value = located.map_err(|fault| {
        let FaultAt { offset, path, fault } = *fault;
        DecodeError::new(Place::Element { de, name: name(), path }, offset, fault)
    })?;
    let mut rows = Vec::new();
    if let Some(value) = value {
        push_rows(&mut rows, de, de.to_string(), value, card_data);
    }
    Ok(rows)
}

/// The row of what stands before the MTI, if the dialect has that: as text where it is text, in hexadecimal
/// otherwise.
fn header(message: &Message) -> Option<Row> {
    let header = message.header();
    let is_text = header.iter().all(|byte| byte.is_ascii_graphic());
    let value =
        if is_text { String::from_utf8_lossy(header).into_owned() } else { const_hex::encode_upper(header) };
    let row = Row { element: "header".to_owned(), name: "message header".to_owned(), value, masked: false };
    (!header.is_empty()).then_some(row)
}

/// The row of a value, and those of its parts. A composite with a masked part is masked as a whole, and its
/// other parts are shown in their own rows.
fn push_rows(rows: &mut Vec<Row>, de: u8, path: String, value: Value<'_>, card_data: CardData) {
    let spec = value.spec();
    let hide = card_data == CardData::Masked && spec.hides_something();
    let text = value.text();
    rows.push(Row {
        element: path.clone(),
        name: spec.name().to_owned(),
        value: if hide { masked(de, &text) } else { text.into_owned() },
        masked: hide,
    });
    for (key, part) in value.parts() {
        push_rows(rows, de, format!("{path}.{key}"), part, card_data);
    }
}
