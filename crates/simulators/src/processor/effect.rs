//! What a message about money does to the books when it is approved.

use super::references::References;

/// What an approval, or the acknowledgement of an advice, means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    /// Money is held until it is cleared: 0100 and 0120.
    Hold,
    /// Money leaves at once: 0200, and a clearing without an authorization.
    Take,
    /// Money comes at once: a refund.
    Bring,
    /// Nothing is moved: a question.
    Nothing,
    /// The hold of an earlier message is raised.
    Raise(Earlier),
    /// An earlier message's hold ends, and this is what it came to: 0220.
    Complete(Earlier),
}

/// An earlier message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Earlier {
    pub(crate) references: References,
    pub(crate) mti: [u8; 4],
}

impl Effect {
    /// The message that this one builds on.
    pub(crate) const fn earlier(self) -> Option<Earlier> {
        match self {
            Self::Raise(earlier) | Self::Complete(earlier) => Some(earlier),
            Self::Hold | Self::Take | Self::Bring | Self::Nothing => None,
        }
    }

    /// Whether a reversal that the plan draws may undo it.
    pub(crate) const fn is_reversible(self) -> bool {
        matches!(self, Self::Hold | Self::Take | Self::Bring)
    }
}

/// What a terminal says beside the standard's elements, in the private element of this project's own dialects, DE 61:
/// a character for a flag, at its place.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Marks {
    /// Nothing.
    #[default]
    None,
    /// The answer is to carry the balances.
    BalancesWanted,
    /// The amount is an estimate, and a completion will follow.
    PreAuthorization,
    /// The amount is added to a hold.
    Incremental,
    /// No other clearing follows.
    Final,
}

impl Marks {
    /// DE 61.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::BalancesWanted => "01",
            Self::PreAuthorization => "002",
            Self::Incremental => "0001",
            Self::Final => "                  1",
        }
    }
}
