//! What is spoken on a link, as named on the command line: a dialect and a frame.

use crate::exit::Exit;
use anyhow::{Context, anyhow};
use iso8583::{Dialect, FrameFormat, LengthHeader};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use std::path::Path;

/// The longest input, in bytes: the tool reads captured messages, not streams of unknown size.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// The longest frame: what four digits can say. Real messages stay below 2 KiB, and the bound tells a binary length
/// from digits read as one.
const FRAME_BYTES_MAX: usize = 9_999;

/// A dialect by the name of a shipped one, or by the path of a dialect file.
pub(crate) fn dialect(name: &str) -> Result<Dialect, (Exit, anyhow::Error)> {
    let parsed = match iso8583::shipped(name) {
        Some(parsed) => parsed,
        None if Path::new(name).extension().is_some_and(|extension| extension == "toml") => {
            let text = std::fs::read_to_string(name)
                .with_context(|| format!("--dialect {name} cannot be read"))
                .map_err(|error| (Exit::Configuration, error))?;
            Dialect::from_toml(&text, name)
        }
        None => {
            let shipped: Vec<&str> = iso8583::SHIPPED.iter().map(|(name, _)| *name).collect();
            let error = anyhow!(
                "--dialect {name:?} is not known; allowed is one of {}, or the path of a dialect file that ends in .toml",
                shipped.join(", ")
            );
            return Err((Exit::Configuration, error));
        }
    };
    parsed.map_err(|error| (Exit::Configuration, error.into()))
}

/// A frame by the name of its length header, as a value parser of arguments.
pub(crate) fn frame(name: &str) -> Result<FrameFormat, String> {
    let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
    let length = LengthHeader::deserialize(name).map_err(|error| error.to_string())?;
    Ok(FrameFormat { length, includes_itself: false, max_bytes: FRAME_BYTES_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_not_known_is_answered_with_those_that_are() {
        assert_eq!(frame("ascii-4").unwrap().length, LengthHeader::Ascii4);
        let error = frame("ascii-5").unwrap_err();
        assert!(error.contains("ascii-5") && error.contains("binary-2"), "{error}");
    }

    #[test]
    fn a_dialect_that_is_not_known_is_answered_with_those_that_are() {
        assert_eq!(dialect("binary-1987").unwrap().name(), "binary-1987");
        let (exit, error) = dialect("klingon").unwrap_err();
        assert_eq!(exit, Exit::Configuration);
        assert!(error.to_string().contains("ascii-1987"), "{error}");
        let (_, error) = dialect("no-such-file.toml").unwrap_err();
        assert!(error.to_string().contains("no-such-file.toml cannot be read"), "{error}");
    }
}
