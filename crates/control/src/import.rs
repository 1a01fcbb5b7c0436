//! Bulk files: one JSON object a line, each line one request.
//!
//! ```text
//! {"account": {"id": "acct_1", "asset": "USDT"}}
//! {"card": {"id": "card_1", "number": "...", "account": "acct_1", "currency": "USD", "expiry": "2029-12", "funding": "jit"}}
//! {"credit": {"account": "acct_1", "amount": "250.00", "note": "opening", "key": "opening-acct_1"}}
//! {"rate": {"from": "USD", "to": "USDT", "value": "1.0002", "source": "desk", "max_age": "60s"}}
//! ```
//! Account, card and rate lines are the bodies of the API's own requests. A credit line names its account, and
//! may name its idempotency key.
//!
//! # Guarantees
//! - Lines are checked as strictly as the API checks bodies, before anything is sent; an error names file,
//!   line, field, what was found and what is allowed, and no card number.
//! - A file can be sent again: accounts and cards that exist as described answer 200, and a credit keeps its
//!   idempotency key. Without `key` it is made from the line's content and from how many lines like it came
//!   before, not from the line's number: lines added elsewhere in the file never book money twice. Two files
//!   that hold the same credit line on purpose need a `key`.
//!
//! Sending is the caller's. [`Call::waits`] tells which lines need those before them to be answered first.

use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::mask::shown;
use crate::problem::{Fault, Kind, Problem};
use crate::read::{self, Amount, IssueCard, OpenAccount};
use axum::http::Method;
use domain::{AccountId, Timestamp};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;

/// What a line is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Subject {
    /// An account is opened.
    Account,
    /// A card is issued.
    Card,
    /// Money is booked in.
    Credit,
    /// A rate is put in force.
    Rate,
}

/// One request to the API. `Debug` leaves the body out: it may hold a card number.
#[derive(Clone, Eq, PartialEq)]
pub struct Call {
    /// What it is about.
    pub subject: Subject,
    /// The line that it came from, from 1.
    pub line: u64,
    /// The HTTP method.
    pub method: Method,
    /// The path, percent-encoded.
    pub path: String,
    /// The value of the `Idempotency-Key` header, where the request needs one.
    pub idempotency_key: Option<String>,
    /// The body, JSON.
    pub body: Vec<u8>,
}

impl Call {
    /// Whether every account line before this one must have been answered first.
    #[must_use]
    pub const fn waits(&self) -> bool {
        match self.subject {
            Subject::Card | Subject::Credit => true,
            Subject::Account | Subject::Rate => false,
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {}, line {}, {} bytes)", self.method, self.path, self.line, self.body.len())
    }
}

/// A line that cannot be sent.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file}:{line}: {}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct LineError {
    /// The file, as the caller named it.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// Reads one file, line by line.
#[derive(Debug)]
pub struct Importer {
    file: String,
    line: u64,
    /// How often each credit line was seen, by the digest of its content: 20 bytes a credit line.
    seen: HashMap<[u8; 16], u32>,
}

impl Importer {
    /// Starts a file; its name is for errors only.
    #[must_use]
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), line: 0, seen: HashMap::new() }
    }

    /// Reads the next line. Empty lines give nothing.
    pub fn line(&mut self, text: &str) -> Result<Option<Call>, LineError> {
        self.line = self.line.saturating_add(1);
        if text.trim().is_empty() {
            return Ok(None);
        }
        let call = Node::parse(text.as_bytes()).and_then(|node| self.call(node));
        call.map(Some).map_err(|problem| LineError {
            file: self.file.clone(),
            line: self.line,
            faults: problem.faults().to_vec(),
        })
    }

    fn call(&mut self, node: Node) -> Result<Call, Problem> {
        let (subject, node) = subject(node)?;
        let within = |problem: Problem| within(subject, &problem);
        match subject {
            Subject::Account => {
                OpenAccount::read(node.clone()).map_err(within)?;
                Ok(self.plain(subject, Method::POST, "/v1/accounts", &node))
            }
            Subject::Card => {
                IssueCard::read(node.clone()).map_err(within)?;
                Ok(self.plain(subject, Method::POST, "/v1/cards", &node))
            }
            Subject::Rate => {
                // Whether the time is too far ahead is for the switch's clock to say.
                read::rate(node.clone(), Timestamp::MAX).map_err(within)?;
                Ok(self.plain(subject, Method::PUT, "/v1/rates", &node))
            }
            Subject::Credit => self.credit(node).map_err(within),
        }
    }

    fn plain(&self, subject: Subject, method: Method, path: &str, body: &Node) -> Call {
        // What was read strictly holds no float, so it can be written back.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Call { subject, line: self.line, method, path: path.to_owned(), idempotency_key: None, body }
    }

    fn credit(&mut self, node: Node) -> Result<Call, Problem> {
        let CreditLine { account, key, body } = CreditLine::read(node)?;
        let path = format!("/v1/accounts/{}/credits", crate::path::segment(account.as_str()));
        let key = key.unwrap_or_else(|| self.derived_key(account, &body));
        let call = self.plain(Subject::Credit, Method::POST, &path, &body);
        Ok(Call { idempotency_key: Some(key), ..call })
    }

    /// A key from the line's content and from how many lines like it came before.
    fn derived_key(&mut self, account: AccountId, body: &Node) -> String {
        let content = serde_json::to_vec(&(account.as_str(), body)).unwrap_or_default();
        let digest: [u8; 32] = Sha256::digest(&content).into();
        let mut short = [0; 16];
        for (to, from) in short.iter_mut().zip(digest) {
            *to = from;
        }
        let before = self.seen.entry(short).or_insert(0);
        let key = format!("import-{}-{before}", const_hex::encode(short));
        *before = before.saturating_add(1);
        key
    }
}

/// A credit line, taken apart into what goes into the path, the header and the body.
struct CreditLine {
    account: AccountId,
    key: Option<String>,
    body: Node,
}

impl CreditLine {
    fn read(node: Node) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let read = Self::read_noting(node, &mut faults);
        faults.settle(read)
    }

    fn read_noting(node: Node, faults: &mut Faults) -> Option<Self> {
        let mut object = Object::open(node, "", faults)?;
        let account = object.required("account", faults, leaf(read::account_id));
        let key = object.optional("key", faults, leaf(key));
        // The values go on as they are, once it is clear that the API will take them.
        let amount = object.required("amount", faults, |node, at, faults| {
            Amount::read(node.clone(), at, faults).map(|_| node)
        });
        let note = object.optional("note", faults, |node, at, faults| {
            leaf(read::note)(node.clone(), at, faults).map(|_| node)
        });
        object.close(faults);
        let mut body = vec![("amount".to_owned(), amount?)];
        body.extend(note?.map(|note| ("note".to_owned(), note)));
        Some(Self { account: account?, key: key?, body: Node::Object(body) })
    }
}

/// An idempotency key as the header takes it.
fn key(node: &Node) -> Result<String, Mismatch> {
    let allowed = "1 to 255 visible ASCII characters, different for each posting";
    let text = node.text(allowed)?;
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_owned()) } else { Err(node.mismatch(allowed)) }
}

/// Takes a line apart into its one name and its content.
fn subject(node: Node) -> Result<(Subject, Node), Problem> {
    const ALLOWED: &str = "an object with one of the fields account, card, credit or rate";
    let wrong = |found: String| Problem::at(Kind::InvalidRequest, "line", found, ALLOWED);
    let Node::Object(fields) = node else { return Err(wrong(node.found())) };
    let count = fields.len();
    let mut fields = fields.into_iter();
    match (fields.next(), fields.next()) {
        (Some((name, content)), None) => {
            let subject = SUBJECTS.into_iter().find(|subject| word(*subject) == name);
            subject.map(|subject| (subject, content)).ok_or_else(|| wrong(format!("\"{}\"", shown(&name))))
        }
        _ => Err(wrong(format!("{count} fields"))),
    }
}

const SUBJECTS: [Subject; 4] = [Subject::Account, Subject::Card, Subject::Credit, Subject::Rate];

const fn word(subject: Subject) -> &'static str {
    match subject {
        Subject::Account => "account",
        Subject::Card => "card",
        Subject::Credit => "credit",
        Subject::Rate => "rate",
    }
}

/// The same problem, with its fields placed within the line.
fn within(subject: Subject, problem: &Problem) -> Problem {
    let place = |field: &str| match field {
        "body" => word(subject).to_owned(),
        field => format!("{}.{field}", word(subject)),
    };
    let faults = problem.faults().iter().map(|fault| Fault { field: place(&fault.field), ..fault.clone() });
    Problem::with_faults(problem.kind(), faults.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: &str = r#"{"card": {"id": "c", "number": "4242424242424242", "account": "a", "currency": "USD", "expiry": "2029-12", "funding": "jit"}}"#;

    fn calls(lines: &[&str]) -> Vec<Call> {
        let mut importer = Importer::new("cards.jsonl");
        lines.iter().filter_map(|line| importer.line(line).unwrap()).collect()
    }

    fn credit_key(lines: &[&str], index: usize) -> String {
        calls(lines).swap_remove(index).idempotency_key.unwrap()
    }

    #[test]
    fn every_line_becomes_the_request_that_the_api_takes() {
        let calls = calls(&[
            r#"{"account": {"id": "a", "asset": "USDT"}}"#,
            "",
            CARD,
            r#"{"credit": {"account": "a/b", "amount": {"units": "5"}, "note": "x", "key": "k1"}}"#,
            r#"{"rate": {"from": "USD", "to": "USDT", "value": "1.0002", "source": "desk", "max_age": "60s"}}"#,
        ]);
        let sent: Vec<_> = calls
            .iter()
            .map(|call| {
                (
                    call.line,
                    call.method.as_str(),
                    call.path.as_str(),
                    call.idempotency_key.as_deref(),
                    call.waits(),
                )
            })
            .collect();
        assert_eq!(
            sent,
            [
                (1, "POST", "/v1/accounts", None, false),
                (3, "POST", "/v1/cards", None, true),
                (4, "POST", "/v1/accounts/a%2Fb/credits", Some("k1"), true),
                (5, "PUT", "/v1/rates", None, false),
            ]
        );
        assert_eq!(calls[0].body, br#"{"id":"a","asset":"USDT"}"#);
        assert_eq!(calls[2].body, br#"{"amount":{"units":"5"},"note":"x"}"#);
        assert!(!format!("{calls:?}").contains("4242"), "a card number is not for logs");
    }

    #[test]
    fn a_credit_keeps_its_key_when_lines_are_added_elsewhere() {
        let credit = r#"{"credit": {"account": "a", "amount": "5.00"}}"#;
        let other = r#"{"credit": {"account": "b", "amount": "5.00"}}"#;
        let key = credit_key(&[credit], 0);
        assert_eq!(key, credit_key(&[other, "", credit], 1));
        assert_ne!(key, credit_key(&[other], 0));
        assert_ne!(key, credit_key(&[credit, credit], 1), "two like lines in one file are two credits");
        assert_eq!(credit_key(&[credit, credit], 1), credit_key(&[credit, other, credit], 2));
    }

    #[test]
    fn a_wrong_line_is_named_with_its_file_field_and_what_is_allowed() {
        for (line, message) in [
            (
                r#"{"credit": {"account": "a", "amount": 5.0}}"#,
                "cards.jsonl:1: credit.amount: found a JSON float, or a number beyond 64 bits; allowed: a decimal string \
                 such as \"12.50\", or {\"units\": 1250} in the smallest unit; never a float",
            ),
            (
                r#"{"debit": {}}"#,
                "cards.jsonl:1: line: found \"debit\"; allowed: an object with one of the fields account, card, credit or rate",
            ),
            (
                r#"{"account": {"id": "", "asset": "USDT"}}"#,
                "cards.jsonl:1: account.id: found \"\"; allowed: a name of 1 to 40 bytes without control characters",
            ),
            (r#"{"rate": 5}"#, "cards.jsonl:1: rate: found the number 5; allowed: an object"),
        ] {
            assert_eq!(Importer::new("cards.jsonl").line(line).unwrap_err().to_string(), message);
        }
        let error = Importer::new("f").line(r#"{"account": {}, "card": {}}"#).unwrap_err();
        assert!(error.to_string().starts_with("f:1: line: found 2 fields"), "{error}");
        assert!(Importer::new("f").line("{").unwrap_err().to_string().starts_with("f:1: body: found "));
    }

    #[test]
    fn a_wrong_card_line_names_all_its_faults_and_never_the_number() {
        let line = CARD.replace("4242\"", "4241\"").replace("jit", "debit");
        let error = Importer::new("f").line(&line).unwrap_err();
        let fields: Vec<&str> = error.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["card.number", "card.funding"]);
        assert!(!error.to_string().contains("4242"), "{error}");
    }
}
