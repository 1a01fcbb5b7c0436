//! Whether a message has what its kind must have.
//!
//! Decoding does not apply these rules: a message that lacks an element can still be read and answered, and the
//! caller asks when it wants to know.

use crate::error::{DecodeError, Fault, Place};
use crate::message::Message;
use crate::rules::MessageRules;

impl Message {
    /// Whether every mandatory element is there.
    ///
    /// # Errors
    /// Names the first that is not; the offset is that of the bitmap, which says so.
    pub fn check_presence(&self) -> Result<(), DecodeError> {
        let Some(rules) = self.table.rules(self.mti()) else {
            return Ok(());
        };
        match rules.mandatory.without(self.present).iter().next() {
            None => Ok(()),
            Some(de) => {
                let name = self.table.element(de).map_or_else(Box::default, |spec| spec.name.clone());
                let offset = self.header().len() + self.table.mti.bytes();
                let place = Place::Element { de, name, path: String::new() };
                Err(DecodeError::new(place, offset, Fault::Missing))
            }
        }
    }

    /// The elements that the dialect does not expect in a message of this type. Most networks want them
    /// ignored.
    #[must_use]
    pub fn unexpected(&self) -> Vec<u8> {
        match self.table.rules(self.mti()) {
            Some(MessageRules { mandatory, optional: Some(optional), .. }) => {
                self.elements().filter(|de| !mandatory.contains(*de) && !optional.contains(*de)).collect()
            }
            Some(_) | None => Vec::new(),
        }
    }
}
