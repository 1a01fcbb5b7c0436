//! Names that the product gives, and short texts.

use crate::json::{Mismatch, Node};
use crate::mask;
use domain::{AccountId, AssetCode, CardId, Currency, Text};

const NAME: &str = "a name of 1 to 40 bytes without control characters";

pub(crate) fn account_id(node: &Node) -> Result<AccountId, Mismatch> {
    AccountId::new(node.text(NAME)?).map_err(|_| node.mismatch(NAME))
}

pub(crate) fn card_id(node: &Node) -> Result<CardId, Mismatch> {
    CardId::new(node.text(NAME)?).map_err(|_| node.mismatch(NAME))
}

pub(super) fn currency(node: &Node) -> Result<Currency, Mismatch> {
    let allowed = "an ISO 4217 alphabetic code such as \"USD\"";
    Currency::from_alpha(node.text(allowed)?).map_err(|_| node.mismatch(allowed))
}

pub(super) fn asset_code(node: &Node) -> Result<AssetCode, Mismatch> {
    let allowed = "1 to 8 upper-case letters or digits, such as \"USDT\"";
    AssetCode::new(node.text(allowed)?).map_err(|_| node.mismatch(allowed))
}

/// The product's words for a statement, with every run of digits that could be a card number masked: they are
/// journaled.
pub(crate) fn note(node: &Node) -> Result<Text<40>, Mismatch> {
    let written: Text<40> = text(node)?;
    Text::new(&mask::masked(written.as_str())).map_err(|_| node.mismatch("a text of at most 40 bytes"))
}

/// An operator's words, masked in the same way.
pub(super) fn masked<const N: usize>(node: &Node) -> Result<Text<N>, Mismatch> {
    let written: Text<N> = text(node)?;
    let allowed = format!("a text of at most {N} bytes");
    Text::new(&mask::masked(written.as_str())).map_err(|_| node.mismatch(&allowed))
}

/// A text of at most `N` bytes that may be empty.
pub(super) fn text<const N: usize>(node: &Node) -> Result<Text<N>, Mismatch> {
    let allowed = format!("a text of at most {N} bytes without control characters");
    Text::new(node.text(&allowed)?).map_err(|_| node.mismatch(allowed))
}

/// A whole number that fits `T`.
pub(super) fn whole<T: TryFrom<i128>>(node: &Node, allowed: &str) -> Result<T, Mismatch> {
    let number = if let Node::Integer(number) = node { T::try_from(*number).ok() } else { None };
    number.ok_or_else(|| node.mismatch(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_in_a_note_is_masked_before_it_is_kept() {
        let kept = |text: &str| note(&Node::Text(text.into())).map(|note| note.as_str().to_owned()).ok();
        assert_eq!(kept("card 4242 4242 4242 4242").as_deref(), Some("card ****4242"));
        assert_eq!(kept("order 20261120").as_deref(), Some("order 20261120"));
    }
}
