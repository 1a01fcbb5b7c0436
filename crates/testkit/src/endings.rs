//! How the balance service ends an ask in a random history.

use crate::random::Random;
use domain::FundingFailure;

/// How the balance service ends an ask; some of it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    InFull,
    /// So many hundredths of what was asked; above 100 is a lie.
    Part(i128),
    /// With a code of the service's own or of its contract.
    Declined(&'static str),
    NotAsked(FundingFailure),
    Unknown(FundingFailure),
}

impl Ending {
    /// An end of an ask; half of them grant it.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let failure = random.pick(&[
            FundingFailure::TimedOut,
            FundingFailure::Refused,
            FundingFailure::Reset,
            FundingFailure::HttpError,
            FundingFailure::Malformed,
            FundingFailure::Overloaded,
            FundingFailure::StaleRate,
        ]);
        match random.below(10) {
            0..=4 => Self::InFull,
            5 | 6 => Self::Part(random.pick(&[0, 1, 40, 99, 101, -10])),
            7 => Self::Declined(random.pick(&["", "limit_exceeded", "not_permitted"])),
            8 => Self::NotAsked(failure),
            _ => Self::Unknown(failure),
        }
    }
}
