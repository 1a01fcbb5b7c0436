//! What messages use up of limits and of velocity rules: a list of entries, each of which says what it added and what
//! of that was given back. A counter is the sum over the list.

use super::arithmetic::{less, lesser, plus};
use super::{Model, Transaction};
use domain::{Amounts, Authorization, Timestamp};

/// One message's entry.
#[derive(Clone, Debug)]
pub(super) struct Use {
    /// The message that added it: its window is the window of this message (E27).
    pub(super) number: u64,
    /// The hold that it is a part of; its own number where it stands alone.
    pub(super) hold: u64,
    pub(super) at: Timestamp,
    pub(super) card: u32,
    pub(super) request: Authorization,
    /// Posted without an authorization.
    pub(super) forced: bool,
    pub(super) used: Amounts,
    pub(super) back: Amounts,
    pub(super) counting: Counting,
    /// Whether its place among the approvals was given back.
    pub(super) uncounted: bool,
}

/// Who counts an entry, and as what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Counting {
    /// An approval that takes money: limits and rules count it.
    Payment,
    /// More money for a payment that is counted already.
    More,
    /// An approval that takes nothing: rules alone count it.
    Answer,
    /// Rules that count attempts alone count it.
    Attempt,
}

impl Use {
    /// Whether limits look at it.
    pub(super) fn is_limited(&self) -> bool {
        matches!(self.counting, Counting::Payment | Counting::More)
    }

    /// What it still comes to.
    pub(super) fn left(&self) -> Amounts {
        less(self.used, self.back)
    }
}

impl Model {
    /// Enters what a message uses.
    pub(super) fn enter(&mut self, message: &Transaction, used: Amounts, counting: Counting) {
        self.uses.push(Use {
            number: message.number,
            hold: message.number,
            at: message.at,
            card: message.card,
            request: *message.request(),
            forced: message.clearing_flags.forced,
            used,
            back: self.nothing(message.card),
            counting,
            uncounted: false,
        });
    }

    /// Gives back a part of what a hold uses: what was added last goes first, or `first` before all (E30).
    pub(super) fn give_back(&mut self, hold: u64, amounts: Amounts, first: Option<u64>) {
        let mut left = amounts;
        let mut parts: Vec<&mut Use> = self.uses.iter_mut().filter(|used| used.hold == hold).collect();
        parts.sort_by_key(|part| (Some(part.number) != first, std::cmp::Reverse(part.number)));
        for part in parts {
            let share = if part.number == hold { left } else { lesser(part.left(), left) };
            part.back = plus(part.back, share);
            left = less(left, share);
        }
    }

    /// A payment that came to nothing gives its place among the approvals back.
    pub(super) fn uncount(&mut self, hold: u64) {
        for part in self.uses.iter_mut().filter(|used| used.number == hold) {
            part.uncounted = true;
        }
    }
}
