//! How asks end, in the words that are counted.

use domain::{FundingFailure, FundingOutcome, Units};

/// The end of an ask as metrics tell it apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AskEnd {
    /// All that was asked was reserved.
    Approved,
    /// A part was reserved.
    Partial,
    /// The service said no.
    Declined,
    /// There was no answer, or none that counts.
    Failed(FundingFailure),
}

impl AskEnd {
    /// Every end.
    pub const ALL: [Self; 12] = [
        Self::Approved,
        Self::Partial,
        Self::Declined,
        Self::Failed(FundingFailure::TimedOut),
        Self::Failed(FundingFailure::Refused),
        Self::Failed(FundingFailure::Reset),
        Self::Failed(FundingFailure::HttpError),
        Self::Failed(FundingFailure::Malformed),
        Self::Failed(FundingFailure::Overloaded),
        Self::Failed(FundingFailure::Interrupted),
        Self::Failed(FundingFailure::BreakerOpen),
        Self::Failed(FundingFailure::StaleRate),
    ];

    /// What became of an ask for `asked` units.
    #[must_use]
    pub fn of(outcome: FundingOutcome, asked: Units) -> Self {
        match outcome {
            FundingOutcome::Approved { units } if units < asked => Self::Partial,
            FundingOutcome::Approved { .. } => Self::Approved,
            FundingOutcome::Declined { .. } => Self::Declined,
            FundingOutcome::NotAsked(failure) | FundingOutcome::Unknown(failure) => Self::Failed(failure),
        }
    }

    /// The word that metrics and logs use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Partial => "partial",
            Self::Declined => "declined",
            Self::Failed(failure) => failure.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_end_has_a_word_of_its_own() {
        let words: BTreeSet<_> = AskEnd::ALL.iter().map(|end| end.as_str()).collect();
        assert_eq!(words.len(), AskEnd::ALL.len());
        let part = FundingOutcome::Approved { units: Units(4) };
        assert_eq!(AskEnd::of(part, Units(5)), AskEnd::Partial);
        assert_eq!(AskEnd::of(part, Units(4)), AskEnd::Approved);
    }
}
