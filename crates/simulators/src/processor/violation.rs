//! Broken promises of the switch, as the processor sees them.
//!
//! Every one is counted; the first few are kept with a description that is masked, so that a report can be
//! passed on.

use iso8583::{CardData, Message, describe};
use std::collections::BTreeMap;
use std::fmt;

/// Which promise was broken.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ViolationKind {
    /// The answer cannot be decoded.
    Undecodable,
    /// The answer has no STAN or transmission time to match it by.
    Unmatchable,
    /// Nothing that waits for an answer has these references: a second answer, or one to nobody.
    Unexpected,
    /// The message type is not that of the answer to what was sent.
    WrongType,
    /// An element does not come back as it was sent.
    NotEchoed,
    /// There is no response code, DE 39.
    NoResponseCode,
    /// Approved without an approval code, DE 38.
    NoApprovalCode,
    /// Declined with an approval code, DE 38.
    NeedlessApprovalCode,
    /// A repeat was not answered with the very bytes of the first answer.
    RepeatDiffers,
    /// Approved what should have been declined.
    ApprovedAgainstRules,
    /// An advice or a reversal of an approval was refused.
    FollowUpRefused,
}

impl ViolationKind {
    /// The promise in a few words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "answer cannot be decoded",
            Self::Unmatchable => "answer without references",
            Self::Unexpected => "answer that nobody waits for",
            Self::WrongType => "wrong message type",
            Self::NotEchoed => "element not echoed",
            Self::NoResponseCode => "no response code",
            Self::NoApprovalCode => "approved without an approval code",
            Self::NeedlessApprovalCode => "declined with an approval code",
            Self::RepeatDiffers => "repeat answered differently",
            Self::ApprovedAgainstRules => "approved against the rules",
            Self::FollowUpRefused => "follow-up refused",
        }
    }
}

/// A broken promise, with what was seen. Card data is masked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Which promise.
    pub kind: ViolationKind,
    /// What was found.
    pub found: String,
    /// The answer, element by element.
    pub answer: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.kind.as_str(), self.found, self.answer)
    }
}

/// All broken promises of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Violations {
    /// How often each promise was broken.
    pub counts: BTreeMap<ViolationKind, u64>,
    /// The first few.
    pub examples: Vec<Violation>,
}

impl Violations {
    /// Violations that are kept with a description, for each kind.
    const EXAMPLES_MAX: usize = 3;

    pub(crate) fn add(&mut self, kind: ViolationKind, found: String, answer: Option<&Message>) {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        if *count <= Self::EXAMPLES_MAX as u64 {
            let answer = answer.map_or_else(|| "no message".to_owned(), in_one_line);
            self.examples.push(Violation { kind, found, answer });
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        for example in other.examples {
            let kept = self.examples.iter().filter(|kept| kept.kind == example.kind).count();
            if kept < Self::EXAMPLES_MAX {
                self.examples.push(example);
            }
        }
    }

    /// How many promises were broken in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

fn in_one_line(message: &Message) -> String {
    let rows = describe(message, CardData::Masked);
    let fields: Vec<String> = rows.iter().map(|row| format!("{}={}", row.element, row.value)).collect();
    fields.join(" ")
}
