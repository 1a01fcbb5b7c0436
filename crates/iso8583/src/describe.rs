//! A message for people: one row an element, card data masked unless asked for.
//!
//! Rows are data, so that a caller can make a table or JSON of them.

use crate::mask::masked;
use crate::message::Message;
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
    /// `MTI`, or the data element's number.
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
    std::iter::once(mti).chain(message.elements().filter_map(|de| row(message, de, card_data))).collect()
}

fn row(message: &Message, de: u8, card_data: CardData) -> Option<Row> {
    let spec = message.table.element(de)?;
    let value = message.text(de)?;
    let hide = spec.sensitive && card_data == CardData::Masked;
    Some(Row {
        element: de.to_string(),
        name: spec.name.to_string(),
        value: if hide { masked(de, &value) } else { value.into_owned() },
        masked: hide,
    })
}
