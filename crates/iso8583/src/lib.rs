//! ISO 8583: bytes to messages and frames, and back.
//!
//! A *dialect* file says how one card network or processor writes its messages: how the MTI and the
//! bitmap look, and for every data element its content, its encoding and its length. [`Dialect`] is
//! that file compiled into a flat table. [`Dialect::decode`] walks the received bytes once, checks
//! every element against the table and keeps only positions; values are read on access.
//! [`Draft`] goes the other way. [`FrameFormat`] cuts a byte stream into message bodies.
//!
//! A dialect also says what a message means as far as every network says it elsewhere: [`Locations`] has the place of each
//! thing that the standard has no element for, read by name ([`Message::word_at`], [`Message::flag_at`],
//! [`Message::text_at`]); [`NetworkManagement`] has the codes of sign-on, echo and the like; and a table has the response
//! code for each of our words. [`MacKey`] makes and checks the code in DE 64 or 128.
//!
//! Guarantees:
//! - Zero copy: a [`Message`] borrows nothing and copies nothing; it shares the received [`bytes::Bytes`].
//! - No panic and no unbounded work on any input. A length is checked before it is used.
//! - A fault is never silent: [`DecodeError`] names the element, the offset, what was found and what is
//!   allowed, and the elements read before the fault are kept, so that a format error can be answered.
//! - A message authentication code is compared in constant time, and no key is printed or outlives its owner.
//! - Card data is masked in everything this crate prints, unless the caller asks for it in so many words.
//!
//! Left out on purpose: any business word. This crate does not know what an approval is; it does no
//! input or output, reads no clock and starts no task.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use iso8583::{Draft, Mti, shipped};
//!
//! let dialect = shipped("ascii-1987").expect("is shipped")?;
//! let mut bytes = BytesMut::new();
//! Draft::new(&dialect, Mti::parse("0800").expect("is an MTI"))
//!     .number(11, 42)
//!     .text(70, "301")
//!     .encode_into(&mut bytes)?;
//! assert_eq!(&bytes[..], b"080080200000000000000400000000000000000042301");
//!
//! let message = dialect.decode(Bytes::from(bytes))?;
//! assert_eq!(message.number(11), Some(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

// Frames on a byte stream.
mod frame;
mod length_header;

// The words of the standard: message types, alphabets, wire forms, lengths, faults.
mod code;
mod content;
mod ebcdic;
mod encoding;
mod error;
mod length;
mod mti;
mod mti_encoding;

// A dialect, from its file to a table.
mod dialect;
mod dialect_error;
mod dialect_file;
mod element_file;
mod element_table;
mod location_file;
mod locations;
mod network_management;
mod problem;
mod rules;
mod spec;

// Bytes to a message.
mod bitmap;
mod characters;
mod composite;
mod decode;
mod digits;
mod element;
mod header;
mod hex;
mod located;
mod message;
mod position;
mod presence;
mod quick;
mod received;
mod scan;
mod short_text;
mod tlv;
mod value;
mod walk;

// A message to bytes.
mod compose;
mod draft;
mod echo;
mod network_function;

// Message authentication codes.
mod mac;
mod sealed;

#[cfg(test)]
mod filled;

// A message for people.
mod describe;
mod mask;

pub use characters::Characters;
pub use compose::PartValue;
pub use content::Content;
pub use decode::Rejected;
pub use describe::{CardData, Row, describe, describe_element};
pub use dialect::{Dialect, SHIPPED, shipped};
pub use dialect_error::DialectError;
pub use draft::Draft;
pub use ebcdic::CodePage;
pub use encoding::Encoding;
pub use error::{DecodeError, EncodeError, Fault, Place};
pub use frame::{Frame, FrameError, FrameFormat};
pub use length::{Length, Prefix, PrefixEncoding, Unit};
pub use length_header::{Hint, LengthHeader};
pub use located::{AdditionalAmount, AmountKind, OriginalData};
pub use locations::{AdditionalAmounts, FlagAt, Locations, TextAt, WordAt};
pub use mac::{MacAlgorithm, MacKey, MacKeyError, MacPadding};
pub use message::Message;
pub use mti::{Class, Function, Mti, Origin, Version};
pub use network_management::{EmptyFrame, NetworkFunction, NetworkManagement};
pub use rules::{MessageRules, ResponseClass};
pub use sealed::MacError;
pub use spec::ElementSpec;
pub use value::{Digits, Value};
