//! Which elements a message must have, may have, and gives back in its answer; and the codes of answers.
//!
//! Guarantees that a rule speaks only of elements that the dialect lists. A repeat follows the rules of the
//! message it repeats.

use crate::bitmap::Bitmap;
use crate::mti::Mti;
use crate::problem::Problem;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a dialect says of one kind of message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MessageRules {
    pub(crate) mandatory: Bitmap,
    /// `None` if the dialect does not say, so that nothing is unexpected.
    pub(crate) optional: Option<Bitmap>,
    echo: Box<[u8]>,
    /// The same elements as a set.
    echo_set: Bitmap,
}

/// The rules of one kind of message as a dialect file writes them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageTable {
    #[serde(default)]
    mandatory: Vec<u8>,
    optional: Option<Vec<u8>>,
    #[serde(default)]
    echo: Vec<u8>,
}

impl MessageRules {
    /// Elements that must be there.
    pub fn mandatory(&self) -> impl Iterator<Item = u8> + use<> {
        self.mandatory.iter()
    }

    /// Elements that may be there besides; `None` if the dialect does not say.
    #[must_use]
    pub fn optional(&self) -> Option<impl Iterator<Item = u8> + use<>> {
        self.optional.map(Bitmap::iter)
    }

    /// Elements that the answer gives back as they came, if they came.
    #[must_use]
    pub fn echo(&self) -> &[u8] {
        &self.echo
    }

    pub(crate) const fn echo_set(&self) -> Bitmap {
        self.echo_set
    }
}

/// Compiles the rules of one kind of message; `is_listed` says which elements the dialect has.
pub(crate) fn compile_rules(
    key: &str,
    table: &MessageTable,
    is_listed: impl Fn(u8) -> bool,
) -> Result<(Mti, MessageRules), Problem> {
    let mti = Mti::parse(key).filter(|mti| !mti.is_repeat());
    let mti = mti.ok_or_else(|| Problem::new("", key, "four digits of a message that is not a repeat"))?;
    let check = |name: &str, elements: &[u8]| match elements.iter().find(|de| !is_listed(**de)) {
        Some(de) => Err(Problem::new(name, de.to_string(), "elements that the dialect lists")),
        None => {
            let mut set = Bitmap::default();
            elements.iter().for_each(|de| set.insert(*de));
            Ok(set)
        }
    };
    let mandatory = check("mandatory", &table.mandatory)?;
    let optional = table.optional.as_deref().map(|elements| check("optional", elements)).transpose()?;
    let echo_set = check("echo", &table.echo)?;
    Ok((mti, MessageRules { mandatory, optional, echo: echo_set.iter().collect(), echo_set }))
}

/// The response codes by our words, each of which the dialect's DE 39 can hold.
pub(crate) type ResponseCodes = BTreeMap<Box<str>, Box<str>>;

/// What an answer amounts to, whatever its reason: the word whose code stands in for a reason without one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ResponseClass {
    /// Money was promised, or nothing speaks against it.
    Approved,
    /// The request is refused.
    Decline,
    /// The message cannot be read.
    FormatError,
    /// Messages of this kind or function are not served.
    NotServed,
    /// It could not be decided in time.
    Unavailable,
    /// The message authentication code is wrong.
    WrongMac,
}

impl ResponseClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Approved,
        Self::Decline,
        Self::FormatError,
        Self::NotServed,
        Self::Unavailable,
        Self::WrongMac,
    ];

    /// Its word in a dialect's table of response codes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Decline => "decline",
            Self::FormatError => "format_error",
            Self::NotServed => "not_served",
            Self::Unavailable => "unavailable",
            Self::WrongMac => "wrong_mac",
        }
    }
}

/// A table that has codes has one for every class, so that every reason has a code.
pub(crate) fn check_classes(has: impl Fn(&str) -> bool) -> Result<(), Problem> {
    match ResponseClass::ALL.iter().find(|class| !has(class.word())) {
        None => Ok(()),
        Some(class) => Err(Problem::new(class.word(), "nothing", "a code for every class of answers")),
    }
}
