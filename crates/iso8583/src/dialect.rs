//! A dialect: the table that says how every part of a message is written.
//!
//! A [`Dialect`] is compiled once, at start, and is cheap to clone: clones share one table. It is
//! immutable, so that many links can use it at once.

use crate::bitmap::{BitmapFormat, LAST_ELEMENT};
use crate::dialect_error::{DialectError, Document};
use crate::dialect_file::{Compiled, compile};
use crate::header::HeaderFormat;
use crate::locations::Locations;
use crate::mti::Mti;
use crate::mti_encoding::MtiEncoding;
use crate::network_management::NetworkManagement;
use crate::problem::Problem;
use crate::quick::Quick;
use crate::rules::{MessageRules, ResponseClass, ResponseCodes};
use crate::spec::ElementSpec;
use std::fmt;
use std::sync::Arc;

/// The dialects that come with the product, by name, with the text of their files.
pub const SHIPPED: [(&str, &str); 6] = [
    ("ascii-1987", include_str!("../../../config/dialects/ascii-1987.toml")),
    ("ascii-1993", include_str!("../../../config/dialects/ascii-1993.toml")),
    ("binary-1987", include_str!("../../../config/dialects/binary-1987.toml")),
    ("ebcdic-1987", include_str!("../../../config/dialects/ebcdic-1987.toml")),
    ("mastercard-like", include_str!("../../../config/dialects/mastercard-like.toml")),
    ("visa-like", include_str!("../../../config/dialects/visa-like.toml")),
];

/// The shipped dialect called `name`. `None` if there is none.
///
/// The shipped files are part of the program and tested; an error would be a defect of this crate.
#[must_use]
pub fn shipped(name: &str) -> Option<Result<Dialect, DialectError>> {
    let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
    Some(Dialect::from_toml(text, name))
}

/// How one network or processor writes its messages.
#[derive(Clone)]
pub struct Dialect {
    pub(crate) table: Arc<Table>,
}

/// The compiled form, indexed by data element.
pub(crate) struct Table {
    pub(crate) name: Box<str>,
    pub(crate) header: HeaderFormat,
    pub(crate) mti: MtiEncoding,
    pub(crate) bitmap: BitmapFormat,
    elements: Vec<Option<ElementSpec>>,
    /// The common case of each element, as many in a row as a word of a bitmap speaks of.
    pub(crate) quick: Box<[[Quick; 64]; 3]>,
    rules: Vec<(Mti, MessageRules)>,
    response_codes: ResponseCodes,
    pub(crate) network_management: Option<NetworkManagement>,
    pub(crate) locations: Locations,
}

impl Dialect {
    /// Compiles a dialect file's text. `origin` is the file's name, for error messages.
    ///
    /// # Errors
    /// [`DialectError`] names the line, the key, what was found and what is allowed.
    pub fn from_toml(text: &str, origin: &str) -> Result<Self, DialectError> {
        let mut compiled = compile(text, origin)?;
        let mut elements = vec![None; usize::from(LAST_ELEMENT) + 1];
        let mut quick = Box::new([[Quick::NEVER; 64]; 3]);
        for spec in compiled.elements.drain(..) {
            if let Some(slot) = quick.as_flattened_mut().get_mut(usize::from(spec.de) - 1) {
                *slot = spec.quick;
            }
            if let Some(slot) = elements.get_mut(usize::from(spec.de)) {
                *slot = Some(spec);
            }
        }
        let Compiled { name, header, mti, bitmap, rules, .. } = compiled;
        let Compiled { response_codes, network_management, locations, .. } = compiled;
        let table = Table {
            name,
            header,
            mti,
            bitmap,
            elements,
            quick,
            rules,
            response_codes,
            network_management,
            locations,
        };
        Ok(Self { table: Arc::new(table) })
    }

    /// The dialect's name, as its file gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.table.name
    }

    /// The rules for messages of this type, or for those it repeats. `None` if the dialect has none.
    #[must_use]
    pub fn rules(&self, mti: Mti) -> Option<&MessageRules> {
        self.table.rules(mti)
    }

    /// The response code for one of our words, for example `insufficient_funds`. `None` if the dialect's
    /// table does not have the word.
    #[must_use]
    pub fn response_code(&self, word: &str) -> Option<&str> {
        self.table.response_codes.get(word).map(|code| &**code)
    }

    /// The response code for one of our words, or else that of the class of answers that it belongs to: a word
    /// that is newer than the dialect file still has a code. `None` if the dialect has no table at all.
    #[must_use]
    pub fn response_code_of(&self, word: &str, class: ResponseClass) -> Option<&str> {
        self.response_code(word).or_else(|| self.response_code(class.word()))
    }

    /// Refuses a word in the table of response codes that is not one of `known`. The codec gives no answers and has no
    /// list of its own; whoever gives them has one, and a misspelt word would lose its code without a sound. `text` and
    /// `origin` are those that the dialect was read from: the error names the line.
    pub fn check_response_words(&self, text: &str, origin: &str, known: &[&str]) -> Result<(), DialectError> {
        let mut document = Document::new(text, origin);
        for word in self.table.response_codes.keys().filter(|word| !known.contains(&&***word)) {
            let problem = Problem::new("", &**word, format!("one of {}", known.join(", ")));
            document.keep::<()>(Err(problem), &format!("response_codes.{word}"));
        }
        document.finish(())
    }

    /// How the dialect manages the network. `None` if it says nothing of it.
    #[must_use]
    pub fn network_management(&self) -> Option<&NetworkManagement> {
        self.table.network_management.as_ref()
    }

    /// Where the dialect keeps what the standard has no element for. What is there is read from a message:
    /// [`Message::word_at`](crate::Message::word_at), `flag_at`, `text_at`, `original_data`, `additional_amounts`.
    #[must_use]
    pub fn locations(&self) -> &Locations {
        &self.table.locations
    }

    /// What the dialect says of data element `de`. `None` if it does not list it.
    #[must_use]
    pub fn element(&self, de: u8) -> Option<&ElementSpec> {
        self.table.element(de)
    }
}

impl Table {
    #[inline]
    pub(crate) fn element(&self, de: u8) -> Option<&ElementSpec> {
        self.elements.get(usize::from(de))?.as_ref()
    }
}

impl Table {
    pub(crate) fn rules(&self, mti: Mti) -> Option<&MessageRules> {
        let first_sent = mti.first_sent();
        self.rules.iter().find(|(ruled, _)| *ruled == first_sent).map(|(_, rules)| rules)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name())
    }
}
