//! Texts that are kept: without fillers, and without card numbers.

use super::ElementFault;
use domain::{Pan, Text};
use iso8583::{Message, TextAt};
use std::borrow::Cow;

/// A text element without the spaces that fill it; empty when it was not sent.
pub(super) fn padded<const N: usize>(
    message: &Message,
    element: u8,
    pan: &Pan,
) -> Result<Text<N>, ElementFault> {
    message.text(element).map_or(Ok(Text::EMPTY), |text| unpadded(&text, element, pan))
}

/// The text of an element without the spaces that fill it.
pub(super) fn unpadded<const N: usize>(text: &str, element: u8, pan: &Pan) -> Result<Text<N>, ElementFault> {
    Text::new(&without(pan, text.trim_end())).map_err(|_| ElementFault(element))
}

/// A text from where the dialect has it; `None` when it was not sent, or is too long or too strange to keep.
pub(super) fn kept<const N: usize>(message: &Message, at: TextAt, pan: &Pan) -> Option<Text<N>> {
    let text = message.text_at(at)?;
    Text::name(&without(pan, text.as_str())).ok()
}

/// The same, of a text that names something. Zeros fill the place of a name that the sender does not know; taken for one,
/// they would tie together all that have none.
pub(super) fn named<const N: usize>(message: &Message, at: TextAt, pan: &Pan) -> Option<Text<N>> {
    kept(message, at, pan).filter(|text: &Text<N>| text.as_str().bytes().any(|byte| byte != b'0'))
}

/// A text in which the card number, should a terminal have put it there, is masked but for its last four digits:
/// what is kept of a request is journaled and sent on (P9).
pub(super) fn without<'a>(pan: &Pan, text: &'a str) -> Cow<'a, str> {
    // Hardly any text has as many digits as a card number, and only such a one need be searched.
    let digits_in_text = text.bytes().filter(u8::is_ascii_digit).count();
    if digits_in_text < pan.expose().len() {
        return Cow::Borrowed(text);
    }
    let digits = std::str::from_utf8(pan.expose()).unwrap_or_default();
    if digits.is_empty() || !text.contains(digits) {
        return Cow::Borrowed(text);
    }
    let masked = format!("{}{}", "*".repeat(digits.len().saturating_sub(4)), pan.last_four());
    Cow::Owned(text.replace(digits, &masked))
}
