//! The purchases that everything is asked about: one request is encoded, and its digits are changed in place.

use anyhow::{Context, Result};
use bytes::BytesMut;
use iso8583::{Dialect, Draft, Mti};

/// An 0100 of 1.00 USD in the dialect `ascii-1987` behind two length bytes, ready to be changed.
#[derive(Clone, Debug)]
pub struct Purchases {
    frame: Vec<u8>,
    pan_at: usize,
    transmission_at: usize,
    stan_at: usize,
    rrn_at: usize,
    pans: Vec<[u8; 16]>,
    pick: Pick,
}

/// Which card a purchase is made with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pick {
    /// Any, at random by its number.
    Any,
    /// Always the first: one hot account.
    First,
}

/// Numbers are told apart up to here: six digits of STAN in each of sixty seconds of transmission.
pub const NUMBERS_MAX: u64 = 60_000_000;

impl Purchases {
    /// Purchases with the cards from `first` on, `count` of them.
    ///
    /// # Errors
    /// The request cannot be encoded.
    pub fn new(first: u32, count: u32, pick: Pick) -> Result<Self> {
        let (pan, stan, rrn) = ("4242424242424242", 987_654, "135791357913");
        let body = encode(&dialect()?, pan, 1_119_235_959, stan, rrn)?;
        let mut frame = u16::try_from(body.len())?.to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        let find = |text: &str| {
            let places = frame.windows(text.len()).position(|window| window == text.as_bytes());
            places.with_context(|| format!("{text} is not in the request"))
        };
        let (pan_at, transmission_at) = (find(pan)?, find("1119235959")?);
        let (stan_at, rrn_at) = (find("987654")?, find(rrn)?);
        let pans = (first..first + count).map(pan_of).collect();
        Ok(Self { frame, pan_at, transmission_at, stan_at, rrn_at, pans, pick })
    }

    /// The card, from 0, that purchase `number` is made with.
    #[must_use]
    pub fn card(&self, number: u64) -> usize {
        match self.pick {
            Pick::First => 0,
            Pick::Any => usize::try_from(mixed(number) % self.pans.len().max(1) as u64).unwrap_or(0),
        }
    }

    /// Appends purchase `number`, framed.
    pub fn write(&self, number: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let Some(frame) = out.get_mut(start..) else { return };
        let pan = self.pans.get(self.card(number)).copied().unwrap_or([b'0'; 16]);
        if let Some(place) = frame.get_mut(self.pan_at..self.pan_at + 16) {
            place.copy_from_slice(&pan);
        }
        put(frame, self.transmission_at, 10, 1_120_000_000 + number / 1_000_000 % 60);
        put(frame, self.stan_at, 6, number % 1_000_000);
        put(frame, self.rrn_at, 12, number);
    }
}

/// Writes the last `width` digits of `number`.
fn put(frame: &mut [u8], at: usize, width: usize, mut number: u64) {
    let Some(place) = frame.get_mut(at..at + width) else { return };
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// The number that `digits` say.
#[must_use]
pub fn number_in(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit.wrapping_sub(b'0') % 10))
}

/// Spreads numbers evenly (the last step of splitmix64).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn encode(dialect: &Dialect, pan: &str, transmission: u64, stan: u64, rrn: &str) -> Result<BytesMut> {
    let mut body = BytesMut::new();
    Draft::new(dialect, Mti::parse("0100").context("an MTI")?)
        .text(2, pan)
        .text(3, "000000")
        .number(4, 100)
        .number(7, transmission)
        .number(11, stan)
        .number(12, 120_000)
        .number(13, 1_120)
        .number(14, 2_912)
        .number(18, 5_411)
        .number(19, 840)
        .number(22, 51)
        .number(25, 0)
        .text(32, "12345")
        .text(37, rrn)
        .text(41, "TERM0001")
        .text(42, "MERCHANT0000001")
        .text(43, "COFFEE AND MORE        BERLIN         DE")
        .text(49, "840")
        .encode_into(&mut body)?;
    Ok(body)
}

/// The dialect of the requests.
///
/// # Errors
/// Never: it is shipped.
pub fn dialect() -> Result<Dialect> {
    Ok(iso8583::shipped("ascii-1987").context("the dialect is shipped")??)
}

/// The bytes of one request without its length: an 0100 with 18 elements.
///
/// # Errors
/// The request cannot be encoded.
pub fn body() -> Result<Vec<u8>> {
    Ok(body_in(&dialect()?)?.to_vec())
}

/// The same request in another dialect.
///
/// # Errors
/// The request cannot be encoded.
pub fn body_in(dialect: &Dialect) -> Result<BytesMut> {
    encode(dialect, "4242424242424242", 1_120_120_000, 123, "123456789012")
}

/// A card number of the test range with a right check digit.
#[must_use]
pub fn pan_of(card: u32) -> [u8; 16] {
    let mut digits = *b"9999990000000000";
    put(&mut digits, 6, 9, u64::from(card));
    let sum: u32 = digits[..15]
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let doubled = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    digits[15] = b'0' + u8::try_from((10 - sum % 10) % 10).unwrap_or(0);
    digits
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_changed_request_reads_as_the_purchase_with_that_number() {
        let purchases = Purchases::new(7, 1, Pick::Any).unwrap();
        let mut out = Vec::new();
        purchases.write(12_345_678, &mut out);
        let message = dialect().unwrap().decode(Bytes::from(out.split_off(2))).unwrap();
        assert_eq!(message.number(11), Some(345_678));
        assert_eq!(message.number(7), Some(1_120_000_012));
        assert_eq!(message.text(37).unwrap(), "000012345678");
        assert_eq!(message.text(2).unwrap().as_bytes(), pan_of(7));
    }

    #[test]
    fn purchases_are_spread_over_all_cards_or_kept_on_the_first() {
        let purchases = Purchases::new(0, 10, Pick::Any).unwrap();
        let mut counts = [0; 10];
        (0..10_000).for_each(|number| counts[purchases.card(number)] += 1);
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
        let hot = Purchases::new(0, 10, Pick::First).unwrap();
        assert!((0..100).all(|number| hot.card(number) == 0));
    }
}
