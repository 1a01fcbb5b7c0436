//! Where a dialect keeps what the standard has no element for: results of verifications, flags, references.
//!
//! Every network has its own places for the same things. A dialect file names the place of each; it is compiled into
//! positions and tables once, and read from a message without allocating. [`WordAt`], [`FlagAt`] and [`TextAt`] are the
//! things that have a place, so that whoever reads a message asks for a thing and knows no element.
//!
//! Guarantees that every place exists in the dialect, that every word is one of those listed here, and that no masked value
//! is read as a text: what is read as a text may be kept.

use crate::bitmap::Bitmap;
use crate::code::Code;
use crate::error::Fault;
use crate::spec::ElementSpec;

/// Declares one enum of things that have a place: the variants with their keys in a dialect file.
macro_rules! things {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $key:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Everything that can have a place.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its key in a dialect file.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => $key,)+
                }
            }
        }
    };
}

things! {
    /// What is said in one of a few words; the values of the wire are translated by the dialect.
    WordAt {
        /// The three or four digits printed on the card.
        Cvv2Result = "cvv2_result",
        /// The billing address.
        AvsResult = "avs_result",
        /// How far the cardholder was authenticated online.
        ThreeDSecure = "three_d_secure",
        /// The value behind 3-D Secure (CAVV, AAV).
        AuthenticationValueResult = "authentication_value_result",
        /// The PIN.
        PinResult = "pin_result",
        /// The cryptogram of the chip or of a wallet.
        CryptogramResult = "cryptogram_result",
        /// What the hold is for.
        Purpose = "purpose",
        /// Who began the transaction.
        Initiator = "initiator",
        /// Where the card was.
        Presence = "presence",
        /// What an advice is, where its message type does not say it.
        MessageClass = "message_class",
    }
}

const CRYPTOGRAM: &[&str] = &["absent", "valid", "invalid", "not_checked"];

impl WordAt {
    /// The words that can be said.
    #[must_use]
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Cvv2Result => &["absent", "match", "no_match", "not_checked", "not_on_card"],
            Self::AvsResult => {
                &["absent", "match", "postal_code_only", "address_only", "no_match", "not_checked"]
            }
            Self::ThreeDSecure => &["absent", "authenticated", "attempted", "exempt", "failed"],
            Self::AuthenticationValueResult | Self::CryptogramResult => CRYPTOGRAM,
            Self::PinResult => &["absent", "verified", "wrong", "tries_exceeded", "not_checked"],
            Self::Purpose => &["sale", "pre_authorization", "estimated", "final", "verification"],
            Self::Initiator => &["cardholder", "merchant", "recurring"],
            Self::Presence => &["card_present", "card_not_present", "ecommerce"],
            Self::MessageClass => &["financial_advice", "clearing"],
        }
    }
}

things! {
    /// What is said by yes or no.
    FlagAt {
        /// The terminal can complete a sale for less than was asked.
        PartialApproval = "partial_approval",
        /// The answer is to carry the balances.
        BalancesWanted = "balances_wanted",
        /// The amount is added to a hold that exists.
        Incremental = "incremental",
        /// No other clearing follows.
        FinalClearing = "final_clearing",
    }
}

things! {
    /// What is said in characters: references, numbers, amounts.
    TextAt {
        /// The electronic commerce indicator.
        Eci = "eci",
        /// How the card was read, in the three digits of 1987.
        EntryMode = "entry_mode",
        /// The merchant's category.
        MerchantCategory = "merchant_category",
        /// The network's transaction id, which stays through a transaction.
        NetworkReference = "network_reference",
        /// The network's risk score.
        RiskScore = "risk_score",
        /// Acquirer reference number of a clearing.
        AcquirerReference = "acquirer_reference",
        /// Which one of several clearings, from 1.
        ClearingSequence = "clearing_sequence",
        /// How many clearings there will be.
        ClearingCount = "clearing_count",
        /// The message type of the message that this one follows.
        OriginalMti = "original_mti",
        /// Its STAN.
        OriginalStan = "original_stan",
        /// Its transmission time, DE 7.
        OriginalTransmission = "original_transmission",
        /// Its local time, DE 12 of 1993.
        OriginalLocalTime = "original_local_time",
        /// Its acquirer.
        OriginalAcquirer = "original_acquirer",
        /// Its amount; in an answer, the amount that was asked for where less was approved.
        OriginalAmount = "original_amount",
        /// What the transaction comes to in the end, in a reversal of a part.
        NewTotal = "new_total",
    }
}

/// One place of a message: characters of an element or of a part of one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    pub(crate) de: u8,
    /// The path inside the element; empty for the element itself.
    pub(crate) path: Box<str>,
    /// The first character, from 0.
    pub(crate) from: usize,
    /// How many characters; `None` for all that follow.
    pub(crate) length: Option<usize>,
}

/// Something that must be said elsewhere in the message, for a place to mean anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Condition {
    pub(crate) place: Place,
    pub(crate) is: Box<[Code]>,
}

/// Places whose characters are joined, and what they mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) places: Box<[Place]>,
    pub(crate) when: Option<Condition>,
    pub(crate) meaning: Meaning,
    /// Whether there is one place and no condition, and the wire holds the characters of that place as they are.
    pub(crate) is_plain: bool,
}

/// What the characters of a place mean.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// What they say, or what is said in their place here.
    Text { values: Box<[(Code, Box<str>)]> },
    /// Yes, if they are one of these.
    Flag { is: Box<[Code]> },
    /// One of our words, or `other` where something else is there.
    Word { values: Box<[(Code, &'static str)]>, other: Option<&'static str> },
}

/// The amounts of DE 54 and its kin: twenty characters each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AdditionalAmounts {
    pub(crate) de: u8,
    pub(crate) ledger: Box<str>,
    pub(crate) available: Box<str>,
    pub(crate) cashback: Box<str>,
    pub(crate) original: Box<str>,
}

/// The alternatives for one thing, in order of precedence.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Alternatives {
    pub(crate) list: Box<[Alternative]>,
    /// One of these elements must be there for any of them to say something: most messages say little, and of
    /// most things this tells at once that they say nothing.
    any_of: Bitmap,
}

impl Alternatives {
    pub(crate) fn new(list: Box<[Alternative]>) -> Self {
        let mut any_of = Bitmap::default();
        list.iter()
            .filter_map(|alternative| alternative.places.first())
            .for_each(|place| any_of.insert(place.de));
        Self { list, any_of }
    }

    /// The elements of which one must be there for any of them to say something.
    pub(crate) const fn any_of(&self) -> Bitmap {
        self.any_of
    }

    /// Those that a message with these elements may say.
    #[inline]
    pub(crate) fn among(&self, present: Bitmap) -> &[Alternative] {
        if self.any_of.and(present).is_empty() { &[] } else { &self.list }
    }
}

/// Where a dialect keeps things. A thing without a place is never found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Locations {
    pub(crate) words: Vec<Alternatives>,
    pub(crate) flags: Vec<Alternatives>,
    pub(crate) texts: Vec<Alternatives>,
    /// The elements of which one must be there for a message to name the one that it follows.
    pub(crate) original_in: Bitmap,
    pub(crate) additional_amounts: Option<AdditionalAmounts>,
    pub(crate) response_detail: Option<(u8, usize)>,
}

impl Locations {
    /// What a message with the elements `present` may say of a word.
    #[inline]
    pub(crate) fn word(&self, word: WordAt, present: Bitmap) -> &[Alternative] {
        self.words.get(word as usize).map_or(&[], |alternatives| alternatives.among(present))
    }

    /// The same for a flag.
    #[inline]
    pub(crate) fn flag(&self, flag: FlagAt, present: Bitmap) -> &[Alternative] {
        self.flags.get(flag as usize).map_or(&[], |alternatives| alternatives.among(present))
    }

    /// The same for a text.
    #[inline]
    pub(crate) fn text(&self, text: TextAt, present: Bitmap) -> &[Alternative] {
        self.texts.get(text as usize).map_or(&[], |alternatives| alternatives.among(present))
    }

    /// Whether the dialect has a place for a word.
    #[must_use]
    pub fn has_word(&self, word: WordAt) -> bool {
        self.words.get(word as usize).is_some_and(|alternatives| !alternatives.list.is_empty())
    }

    /// Whether the dialect has a place for a flag.
    #[must_use]
    pub fn has_flag(&self, flag: FlagAt) -> bool {
        self.flags.get(flag as usize).is_some_and(|alternatives| !alternatives.list.is_empty())
    }

    /// Whether the dialect has a place for a text.
    #[must_use]
    pub fn has_text(&self, text: TextAt) -> bool {
        self.first_place(text).is_some()
    }

    /// The element that begins a text's place, for the answer to a message whose text makes no sense.
    #[must_use]
    pub fn element_of(&self, text: TextAt) -> Option<u8> {
        self.first_place(text).map(|place| place.de)
    }

    /// Where a text is before anywhere else.
    pub(crate) fn first_place(&self, text: TextAt) -> Option<&Place> {
        self.texts.get(text as usize)?.list.first()?.places.first()
    }

    /// Where additional amounts are, balances among them. `None` if the dialect has no place for them.
    #[must_use]
    pub const fn additional_amounts(&self) -> Option<&AdditionalAmounts> {
        self.additional_amounts.as_ref()
    }

    /// The element that has room for more about a decline or a format error, DE 44, and how many characters it holds.
    #[must_use]
    pub const fn response_detail(&self) -> Option<(u8, usize)> {
        self.response_detail
    }
}

/// The most characters that the element's text can have. `None` if there is no such bound.
pub(crate) fn characters_max(spec: &ElementSpec) -> Option<usize> {
    use crate::encoding::Encoding;
    use crate::length::Length;
    let count = match spec.length {
        Length::Fixed(count) => count,
        Length::Variable { max, .. } | Length::Enclosed { max, .. } => max,
    };
    let characters = spec.encoding.characters(spec.unit, count as usize);
    let shown = match spec.encoding {
        Encoding::Binary | Encoding::Hex => characters.checked_mul(2)?,
        Encoding::Ascii | Encoding::Ebcdic(_) | Encoding::Bcd => characters,
    };
    (count < u32::MAX).then_some(shown)
}

/// The part of `spec` at `path`, whose keys are joined by dots.
///
/// # Errors
/// [`Fault::NoSuchPart`] if it has no such part.
pub(crate) fn part_at<'a>(spec: &'a ElementSpec, path: &str) -> Result<&'a ElementSpec, Fault> {
    use crate::spec::Rest;
    if path.is_empty() {
        return Ok(spec);
    }
    let (key, rest) = path.split_once('.').unwrap_or((path, ""));
    let parts = spec.parts.as_ref().ok_or(Fault::NoSuchPart)?;
    let ordered = parts.order.iter().find(|part| *part.key == *key).map(|part| &part.spec);
    let found = match (ordered, &parts.rest) {
        (Some(spec), _) => Some(spec),
        (None, Rest::Nothing) => None,
        (None, Rest::Tags { format, known, unknown }) => format.tag(key).map(|tag| {
            known.iter().find(|(known, _)| **known == *tag).map_or(&**unknown, |(_, part)| &part.spec)
        }),
        (None, Rest::Bits { known, .. }) => {
            known.iter().find(|(_, part)| *part.key == *key).map(|(_, part)| &part.spec)
        }
    };
    part_at(found.ok_or(Fault::NoSuchPart)?, rest)
}
