//! What ties messages to one another, and how it is written.

use domain::Currency;

/// STAN, DE 11, and transmission time, DE 7.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct References {
    pub(crate) stan: u32,
    /// `MMDDhhmmss` as a number.
    pub(crate) transmission: u32,
}

/// A few digits without an allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Inline<const N: usize>([u8; N]);

pub(super) type ThreeDigits = Inline<3>;

impl<const N: usize> Inline<N> {
    /// The lowest `N` decimal digits of `number`.
    fn digits(number: u64) -> Self {
        let mut digits = [b'0'; N];
        let mut rest = number;
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        Self(digits)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl ThreeDigits {
    pub(super) fn of(currency: Currency) -> Self {
        Self::digits(currency.numeric().into())
    }
}

/// DE 37: month, day, hour and STAN. The same for a purchase, its repeats and whatever follows it.
pub(super) fn retrieval_reference(references: References) -> Inline<12> {
    let hour = u64::from(references.transmission / 10_000);
    Inline::digits(hour * 1_000_000 + u64::from(references.stan))
}

/// DE 90: the original's type, STAN, transmission time and acquirer; no forwarding institution.
pub(super) fn original_data(original: References, mti: [u8; 4], acquirer: u64) -> String {
    let mti = String::from_utf8_lossy(&mti).into_owned();
    format!("{mti}{:06}{:010}{acquirer:011}{:011}", original.stan, original.transmission, 0)
}
