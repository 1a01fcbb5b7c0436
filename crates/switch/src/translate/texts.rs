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
    message.characters(element).map_or(Ok(Text::EMPTY), |text| unpadded(&text, element, pan))
}

/// The text of an element without the spaces that fill it.
pub(super) fn unpadded<const N: usize>(text: &[u8], element: u8, pan: &Pan) -> Result<Text<N>, ElementFault> {
    Text::from_ascii(&without(pan, without_filler(text))).map_err(|_| ElementFault(element))
}

/// A text from where the dialect has it; `None` when it was not sent, or is too long or too strange to keep.
pub(super) fn kept<const N: usize>(message: &Message, at: TextAt, pan: &Pan) -> Option<Text<N>> {
    let text = message.text_at(at)?;
    Text::from_ascii(&without(pan, &text)).ok().filter(|text| !text.is_empty())
}

/// The same, of a text that names something. Zeros fill the place of a name that the sender does not know; taken for one,
/// they would tie together all that have none.
pub(super) fn named<const N: usize>(message: &Message, at: TextAt, pan: &Pan) -> Option<Text<N>> {
    kept(message, at, pan).filter(|text: &Text<N>| text.as_str().bytes().any(|byte| byte != b'0'))
}

/// Characters without the white space at their end.
pub(super) fn without_filler(text: &[u8]) -> &[u8] {
    let is_filler = |character: u8| matches!(character, b' ' | b'\t'..=b'\r');
    let mut kept = text;
    while let Some((_, before)) = kept.split_last().filter(|(last, _)| is_filler(**last)) {
        kept = before;
    }
    kept
}

/// A text in which the card number, should a terminal have put it there, is masked but for its last four digits:
/// what is kept of a request is journaled and sent on (P9).
pub(super) fn without<'a>(pan: &Pan, text: &'a [u8]) -> Cow<'a, [u8]> {
    let digits = pan.expose();
    // A number of so many digits reaches over the end of one of the pieces of its length: hardly any text has a digit there.
    let may_hold =
        text.chunks_exact(digits.len().max(1)).any(|piece| piece.last().is_some_and(u8::is_ascii_digit));
    if !may_hold || !text.windows(digits.len().max(1)).any(|window| window == digits) {
        return Cow::Borrowed(text);
    }
    let masked = format!("{}{}", "*".repeat(digits.len().saturating_sub(4)), pan.last_four());
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    Cow::Owned(String::from_utf8_lossy(text).replace(digits, &masked).into_bytes())
}
