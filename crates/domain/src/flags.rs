//! What is remarkable about money that moved although nobody could be asked any more: clearings and refunds.

use serde::{Deserialize, Serialize};

/// What is remarkable about a clearing, for people who may have to dispute it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default)]
pub struct ClearingFlags {
    /// No authorization stands behind it.
    pub forced: bool,
    /// More was paid in all than was authorized and not reversed.
    pub over_capture: bool,
    /// What is above the hold is inside the tolerance of the merchant's category.
    pub inside_tolerance: bool,
    /// The hold had run out, or was ended by an operator.
    pub after_expiry: bool,
    /// The authorization was reversed before.
    pub after_reversal: bool,
    /// The authorization was declined.
    pub after_decline: bool,
    /// The account owes money now.
    pub overdrawn: bool,
    /// Nothing could be converted: no rate was ever known.
    pub unpriced: bool,
}

/// What is remarkable about a refund.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default)]
pub struct RefundFlags {
    /// No payment fits it.
    pub unmatched: bool,
    /// More comes back than was paid.
    pub above_original: bool,
    /// The card is closed or frozen.
    pub card_not_active: bool,
    /// Nothing could be converted: no rate was ever known.
    pub unpriced: bool,
}

impl ClearingFlags {
    /// The words of those that are set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.forced, "forced"),
            (self.over_capture, "over_capture"),
            (self.inside_tolerance, "inside_tolerance"),
            (self.after_expiry, "after_expiry"),
            (self.after_reversal, "after_reversal"),
            (self.after_decline, "after_decline"),
            (self.overdrawn, "overdrawn"),
            (self.unpriced, "unpriced"),
        ];
        all.into_iter().filter_map(|(set, word)| set.then_some(word))
    }
}

impl RefundFlags {
    /// The words of those that are set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.unmatched, "unmatched"),
            (self.above_original, "above_original"),
            (self.card_not_active, "card_not_active"),
            (self.unpriced, "unpriced"),
        ];
        all.into_iter().filter_map(|(set, word)| set.then_some(word))
    }
}
