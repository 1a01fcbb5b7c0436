//! Reads from a message what its dialect's places say: words, flags, texts, and what is made of several of them.
//!
//! Nothing here allocates but the list of additional amounts in an answer. A thing that the dialect has no place for, or
//! whose place is empty in this message, is `None`.

use crate::characters::Characters;
use crate::code::Compared;
use crate::digits;
use crate::draft::Draft;
use crate::locations::{Alternative, Condition, FlagAt, Meaning, Place, TextAt, WordAt};
use crate::message::Message;
use crate::mti::Mti;
use crate::short_text::ShortText;
use crate::value::Value;

/// The message that another one follows, as far as it is named. Zeros on the wire say that a part is not known.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct OriginalData {
    /// Its message type.
    pub mti: Option<Mti>,
    /// Its STAN.
    pub stan: Option<u64>,
    /// Its transmission time, MMDDhhmmss.
    pub transmission: Option<u64>,
    /// Its local time, YYMMDDhhmmss.
    pub local_time: Option<u64>,
    /// Its acquirer.
    pub acquirer: Option<u64>,
}

/// What an additional amount is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AmountKind {
    /// The money that is booked.
    Ledger,
    /// What of it may be spent.
    Available,
    /// The cash that is handed out with a purchase.
    Cashback,
    /// What was asked for, where less was approved.
    Original,
    /// Something else, with its two characters.
    Other([u8; 2]),
}

/// One amount beside the transaction's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AdditionalAmount {
    /// The account's type as in the processing code, 00 for unspecified.
    pub account: u8,
    /// What it is.
    pub kind: AmountKind,
    /// Its currency, ISO 4217 numeric.
    pub currency: u16,
    /// The amount in minor units; below zero is a debit.
    pub minor: i64,
}

/// The size of one additional amount: account 2, type 2, currency 3, sign 1, amount 12.
const AMOUNT_CHARACTERS: usize = 20;

/// Twelve digits.
const AMOUNT_MAX: u64 = 999_999_999_999;

impl Message {
    /// One of the words of [`WordAt::words`]. A value that the dialect has no word for says nothing.
    #[must_use]
    #[inline]
    pub fn word_at(&self, word: WordAt) -> Option<&'static str> {
        match self.table.locations.word(word, self.present) {
            [] => None,
            alternatives => self.said_word(alternatives),
        }
    }

    /// Whether a flag is set. `None` if the message says nothing of it, or the dialect has no place for it.
    #[must_use]
    #[inline]
    pub fn flag_at(&self, flag: FlagAt) -> Option<bool> {
        match self.table.locations.flag(flag, self.present) {
            [] => None,
            alternatives => self.said_flag(alternatives),
        }
    }

    /// A text without the spaces around it. `None` if there is none but spaces.
    #[must_use]
    #[inline]
    pub fn text_at(&self, text: TextAt) -> Option<Characters<'_>> {
        match self.table.locations.text(text, self.present) {
            [] => None,
            alternatives => self.said_text(alternatives),
        }
    }

    /// A text that is a number.
    #[must_use]
    #[inline]
    pub fn number_at(&self, text: TextAt) -> Option<u64> {
        match self.table.locations.text(text, self.present) {
            [] => None,
            alternatives => self.said_number(alternatives),
        }
    }

    fn said_word(&self, alternatives: &[Alternative]) -> Option<&'static str> {
        self.applying(alternatives).find_map(|alternative| {
            let Meaning::Word { values, other } = &alternative.meaning else { return None };
            if values.is_empty() {
                return other.filter(|_| alternative.places.iter().all(|place| self.is_there(place)));
            }
            self.read(alternative, |found| {
                let compared = Compared::new(found);
                let said = values.iter().find(|(code, _)| code.is(compared)).map(|(_, word)| *word);
                said.or_else(|| other.filter(|_| found.iter().any(|character| *character != b' ')))
            })?
        })
    }

    fn said_flag(&self, alternatives: &[Alternative]) -> Option<bool> {
        let mut said = None;
        for alternative in self.applying(alternatives) {
            let Meaning::Flag { is } = &alternative.meaning else { continue };
            let yes = self.read(alternative, |found| {
                let compared = Compared::new(found);
                is.iter().any(|code| code.is(compared))
            });
            said = yes.or(said);
            if yes == Some(true) {
                break;
            }
        }
        said
    }

    fn said_number(&self, alternatives: &[Alternative]) -> Option<u64> {
        if let [only] = alternatives
            && only.is_plain
            && matches!(&only.meaning, Meaning::Text { values } if values.is_empty())
        {
            // Digits alone, but for some who fill up with spaces.
            return match self.read(only, digits::number)? {
                None => self.said_text(alternatives)?.number(),
                number => number,
            };
        }
        self.said_text(alternatives)?.number()
    }

    fn said_text(&self, alternatives: &[Alternative]) -> Option<Characters<'_>> {
        self.applying(alternatives).find_map(|alternative| {
            let found = self.characters_of(alternative)?;
            let Meaning::Text { values } = &alternative.meaning else { return None };
            if values.is_empty() {
                return found.trimmed();
            }
            let compared = Compared::new(&found);
            match values.iter().find(|(code, _)| code.is(compared)) {
                Some((_, to)) if to.is_empty() => None,
                Some((_, to)) => ShortText::of(to.as_bytes()).map(Characters::short),
                None => found.trimmed(),
            }
        })
    }

    /// The message that this one follows. `None` if nothing is said of it.
    #[must_use]
    #[inline]
    pub fn original_data(&self) -> Option<OriginalData> {
        if self.table.locations.original_in.and(self.present).is_empty() {
            return None;
        }
        let known = |text| self.number_at(text).filter(|number| *number > 0);
        let mti = self.text_at(TextAt::OriginalMti);
        let original = OriginalData {
            mti: mti.and_then(|mti| Mti::parse(mti.as_str())).filter(|mti| mti.digits() != *b"0000"),
            stan: known(TextAt::OriginalStan),
            transmission: known(TextAt::OriginalTransmission),
            local_time: known(TextAt::OriginalLocalTime),
            acquirer: known(TextAt::OriginalAcquirer),
        };
        (original != OriginalData::default()).then_some(original)
    }

    /// The additional amounts, in order; one that cannot be read is passed over.
    pub fn additional_amounts(&self) -> impl Iterator<Item = AdditionalAmount> {
        let place = self.table.locations.additional_amounts();
        let value = place.and_then(|place| self.value(place.de));
        let starts = (0..).step_by(AMOUNT_CHARACTERS);
        let entries = starts.map_while(move |start| value?.excerpt(start, Some(AMOUNT_CHARACTERS)));
        entries.filter_map(move |entry| {
            let text = entry.as_str();
            let code = text.get(2..4)?;
            let kind = match place? {
                place if *place.ledger == *code => AmountKind::Ledger,
                place if *place.available == *code => AmountKind::Available,
                place if *place.cashback == *code => AmountKind::Cashback,
                place if *place.original == *code => AmountKind::Original,
                _ => AmountKind::Other(code.as_bytes().try_into().ok()?),
            };
            let digits = |from: usize, to: usize| -> Option<i64> {
                let digits = text.get(from..to)?;
                digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
            };
            let amount = digits(8, AMOUNT_CHARACTERS)?;
            Some(AdditionalAmount {
                account: digits(0, 2)?.try_into().ok()?,
                kind,
                currency: digits(4, 7)?.try_into().ok()?,
                minor: match text.as_bytes().get(7)? {
                    b'C' => amount,
                    b'D' => amount.checked_neg()?,
                    _ => return None,
                },
            })
        })
    }

    /// The alternatives that something is said of and whose condition holds.
    fn applying<'a>(&'a self, alternatives: &'a [Alternative]) -> impl Iterator<Item = &'a Alternative> {
        alternatives.iter().filter(|alternative| {
            let is_there = alternative.places.first().is_some_and(|place| self.has(place.de));
            is_there
                && alternative.when.as_ref().is_none_or(|Condition { place, is }| {
                    self.excerpt(place).is_some_and(|found| {
                        let compared = Compared::new(&found);
                        is.iter().any(|code| code.is(compared))
                    })
                })
        })
    }

    fn is_there(&self, place: &Place) -> bool {
        self.at(place).is_some_and(|value| !value.raw().is_empty())
    }

    /// What `read` makes of the characters of an alternative; `None` if there are none.
    #[inline]
    fn read<T>(&self, alternative: &Alternative, read: impl Fn(&[u8]) -> T) -> Option<T> {
        match &*alternative.places {
            [place] if alternative.is_plain => self.plain(place).map(read),
            _ => self.characters_of(alternative).map(|found| read(&found)),
        }
    }

    /// The characters of a place that the wire holds as they are; `None` if there are none.
    #[inline]
    fn plain(&self, place: &Place) -> Option<&[u8]> {
        let rest = self.raw(place.de)?.get(place.from..)?;
        let found = match place.length {
            Some(length) => rest.get(..length)?,
            None => Some(rest).filter(|rest| rest.len() <= ShortText::MAX)?,
        };
        Some(found).filter(|found| !found.is_empty())
    }

    /// The characters of all places of an alternative, joined; `None` if there are none.
    fn characters_of(&self, alternative: &Alternative) -> Option<Characters<'_>> {
        let (first, others) = alternative.places.split_first()?;
        let found = self.excerpt(first)?;
        if others.is_empty() {
            return Some(found).filter(|found| !found.is_empty());
        }
        let mut text = ShortText::of(&found)?;
        for place in others {
            text.push(&self.excerpt(place)?)?;
        }
        (!text.as_bytes().is_empty()).then(|| Characters::short(text))
    }

    #[inline]
    fn at(&self, place: &Place) -> Option<Value<'_>> {
        let value = self.value(place.de)?;
        if place.path.is_empty() { Some(value) } else { value.part(&place.path) }
    }

    #[inline]
    fn excerpt(&self, place: &Place) -> Option<Characters<'_>> {
        self.at(place)?.excerpt(place.from, place.length)
    }
}

impl Draft {
    /// Sets the additional amounts, as many as the element has room for. Nothing is set where the dialect has no place
    /// for them, or an amount exceeds twelve digits.
    pub fn additional_amounts(&mut self, amounts: &[AdditionalAmount]) -> &mut Self {
        let table = std::sync::Arc::clone(&self.table);
        let Some(place) = table.locations.additional_amounts() else { return self };
        let room = table.element(place.de).and_then(crate::locations::characters_max).unwrap_or(0);
        let mut text = String::with_capacity(amounts.len() * AMOUNT_CHARACTERS);
        for amount in amounts.iter().take(room / AMOUNT_CHARACTERS) {
            let code = match &amount.kind {
                AmountKind::Ledger => &*place.ledger,
                AmountKind::Available => &*place.available,
                AmountKind::Cashback => &*place.cashback,
                AmountKind::Original => &*place.original,
                AmountKind::Other(code) => std::str::from_utf8(code).unwrap_or("00"),
            };
            let (sign, minor) = if amount.minor < 0 { ('D', amount.minor) } else { ('C', amount.minor) };
            if minor.unsigned_abs() > AMOUNT_MAX || amount.account > 99 || amount.currency > 999 {
                return self;
            }
            text += &format!(
                "{:02}{code}{:03}{sign}{:012}",
                amount.account,
                amount.currency,
                minor.unsigned_abs()
            );
        }
        if text.is_empty() { self } else { self.text(place.de, &text) }
    }

    /// Sets the amount that was asked for, where less was approved: in the element that the dialect has for it, its first
    /// twelve digits, or else among the additional amounts, which is for the caller to add. Whether there is such
    /// an element.
    pub fn original_amount(&mut self, minor: u64) -> bool {
        let table = std::sync::Arc::clone(&self.table);
        let place = table.locations.first_place(TextAt::OriginalAmount);
        let Some(place) = place.filter(|place| place.path.is_empty() && minor <= AMOUNT_MAX) else {
            return false;
        };
        let width = table.element(place.de).and_then(crate::locations::characters_max).unwrap_or(0);
        let digits = minor.to_string();
        let zeros = place.length.unwrap_or(12).saturating_sub(digits.len());
        let mut text = "0".repeat(place.from + zeros) + &digits;
        text.extend(std::iter::repeat_n('0', width.saturating_sub(text.len())));
        self.text(place.de, &text);
        true
    }
}
