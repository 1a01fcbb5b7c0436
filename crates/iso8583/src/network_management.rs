//! Network management as a dialect says it: which codes mean sign-on, sign-off, echo, key exchange and cutover,
//! and what becomes of frames that carry no message.
//!
//! Guarantees that a code means one function only, and that the element can hold every code, so that no sign-on
//! of ours fails for it.

use crate::content::Content;
use crate::error::Fault;
use crate::mti::{Class, Function, Mti};
use crate::problem::Problem;
use crate::short_text::ShortText;
use crate::spec::ElementSpec;
use crate::value::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a network management message is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NetworkFunction {
    /// The sender will send requests.
    SignOn,
    /// The sender will send no more requests.
    SignOff,
    /// Are you there?
    Echo,
    /// A new working key.
    KeyExchange,
    /// The business day changes.
    Cutover,
    /// A code that the dialect does not list, or none.
    Unknown,
}

/// What becomes of a frame that carries no message: one of length zero, or one that controls the session.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyFrame {
    /// It is a sign of life and nothing else.
    #[default]
    Ignore,
    /// The same frame goes back.
    Answer,
    /// It is a fault of the sender, and the connection is closed.
    Refuse,
}

/// How a dialect manages the network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkManagement {
    mti: Mti,
    element: u8,
    codes: Box<[(NetworkFunction, Box<str>)]>,
    unsupported: Option<Box<str>>,
    sent: Box<[(u8, Box<str>)]>,
    keep_alive: EmptyFrame,
    session_control: EmptyFrame,
}

/// Network management as a dialect file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkManagementTable {
    mti: String,
    element: u8,
    #[serde(default)]
    sign_on: Vec<String>,
    #[serde(default)]
    sign_off: Vec<String>,
    #[serde(default)]
    echo: Vec<String>,
    #[serde(default)]
    key_exchange: Vec<String>,
    #[serde(default)]
    cutover: Vec<String>,
    unsupported: Option<String>,
    #[serde(default)]
    sent: BTreeMap<String, String>,
    #[serde(default)]
    keep_alive: EmptyFrame,
    #[serde(default)]
    session_control: EmptyFrame,
}

impl NetworkManagement {
    /// The message type of what we send: 0800, 1804, 2804.
    #[must_use]
    pub const fn mti(&self) -> Mti {
        self.mti
    }

    /// The element with the function's code: DE 70 in 1987, DE 24 from 1993 on.
    #[must_use]
    pub const fn element(&self) -> u8 {
        self.element
    }

    /// The code to send for a function: the first that the dialect lists. `None` if it lists none.
    #[must_use]
    pub fn code(&self, function: NetworkFunction) -> Option<&str> {
        self.codes.iter().find(|(listed, _)| *listed == function).map(|(_, code)| &**code)
    }

    /// What a code means.
    #[must_use]
    pub fn function(&self, code: &str) -> NetworkFunction {
        let listed = self.codes.iter().find(|(_, listed)| **listed == *code);
        listed.map_or(NetworkFunction::Unknown, |(function, _)| *function)
    }

    /// The response code for functions that are not served. `None` if the dialect leaves that to its response
    /// code for `not_served`.
    #[must_use]
    pub fn unsupported(&self) -> Option<&str> {
        self.unsupported.as_deref()
    }

    /// What else our own messages say, whatever their function: elements and their text.
    pub fn sent(&self) -> impl Iterator<Item = (u8, &str)> {
        self.sent.iter().map(|(de, text)| (*de, &**text))
    }

    /// What becomes of a frame of length zero.
    #[must_use]
    pub const fn keep_alive(&self) -> EmptyFrame {
        self.keep_alive
    }

    /// What becomes of a frame that controls the session.
    #[must_use]
    pub const fn session_control(&self) -> EmptyFrame {
        self.session_control
    }
}

/// Compiles the section; `find` gives what the dialect lists.
pub(crate) fn compile_network_management<'a>(
    table: &NetworkManagementTable,
    find: impl Fn(u8) -> Option<&'a ElementSpec>,
) -> Result<NetworkManagement, Problem> {
    let request = |mti: &Mti| mti.class() == Class::Network && mti.function() == Function::Request;
    let mti = Mti::parse(&table.mti).filter(request).filter(|mti| !mti.is_repeat());
    let mti = mti.ok_or_else(|| {
        Problem::new("mti", &table.mti, "a network management request that is no repeat: 0800, 1804, ...")
    })?;
    let listed = |key: &str, de: u8| {
        find(de).ok_or_else(|| Problem::new(key, de.to_string(), "elements that the dialect lists"))
    };
    let element = listed("element", table.element)?;
    let mut codes: Vec<(NetworkFunction, Box<str>)> = Vec::new();
    for (key, function, list) in [
        ("sign_on", NetworkFunction::SignOn, &table.sign_on),
        ("sign_off", NetworkFunction::SignOff, &table.sign_off),
        ("echo", NetworkFunction::Echo, &table.echo),
        ("key_exchange", NetworkFunction::KeyExchange, &table.key_exchange),
        ("cutover", NetworkFunction::Cutover, &table.cutover),
    ] {
        for code in list {
            let read = written(element, code).map_err(|allowed| Problem::new(key, code, allowed))?;
            if codes.iter().any(|(_, other)| **other == *read.as_str()) {
                return Err(Problem::new(key, code, "a code that no other function has"));
            }
            codes.push((function, read.as_str().into()));
        }
    }
    if let Some(code) = &table.unsupported {
        written(listed("unsupported", 39)?, code)
            .map_err(|allowed| Problem::new("unsupported", code, allowed))?;
    }
    let mut sent = Vec::new();
    for (key, text) in &table.sent {
        let inside = |problem: Problem| problem.inside("sent");
        let de = key.parse().map_err(|_| inside(Problem::new("", key, "the number of an element")))?;
        written(listed(key, de).map_err(inside)?, text)
            .map_err(|allowed| inside(Problem::new(key, text, allowed)))?;
        sent.push((de, text.as_str().into()));
    }
    Ok(NetworkManagement {
        mti,
        element: table.element,
        codes: codes.into(),
        unsupported: table.unsupported.as_deref().map(Into::into),
        sent: sent.into(),
        keep_alive: table.keep_alive,
        session_control: table.session_control,
    })
}

/// What is read where `text` was sent in the element, filled up with spaces for example; what is allowed if it
/// cannot be sent.
fn written(spec: &ElementSpec, text: &str) -> Result<String, String> {
    let number = spec.number();
    let mut wire = Vec::new();
    let refused = |fault: Fault| format!("what DE {number} can hold: {fault}");
    if spec.content == Content::Binary {
        return Err(refused(Fault::Kind { allowed: spec.content.describe() }));
    }
    spec.write_text(text.as_bytes(), &mut wire).map_err(refused)?;
    let span = spec.locate_any(&wire, 0).map_err(|at| refused(at.fault))?;
    let read = Value::new(spec, &wire, span).and_then(|value| value.excerpt(0, None));
    let read = read.map(|read| read.as_str().to_owned());
    read.ok_or_else(|| format!("{} characters at most", ShortText::MAX))
}
