//! `POST /v1/cards`: name, number, account, currency, expiry, funding, and optionally status, controls, limits.

use super::controls::controls;
use super::limits::LimitsSent;
use super::name::{account_id, card_id, currency};
use crate::json::{Faults, Mismatch, Node, Object, leaf};
use crate::problem::Problem;
use domain::{
    AccountId, Asset, CardId, CardStatus, Controls, Currency, Expiry, FundingMode, LimitRule, Pan, PanError,
};

/// A card to be issued. The number leaves this type as a token only.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IssueCard {
    pub(crate) id: CardId,
    pub(crate) number: Pan,
    pub(crate) account: AccountId,
    pub(crate) currency: Currency,
    pub(crate) expiry: Expiry,
    pub(crate) funding: FundingMode,
    /// `None` when the request does not speak of it, as for the two below.
    pub(crate) status: Option<CardStatus>,
    pub(crate) controls: Option<Controls>,
    pub(crate) limits: Option<Vec<LimitRule>>,
}

impl IssueCard {
    /// Reads the body.
    pub(crate) fn read(body: Node) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        let read = Self::read_noting(body, &mut faults);
        faults.settle(read)
    }

    fn read_noting(body: Node, faults: &mut Faults) -> Option<Self> {
        let mut object = Object::open(body, "", faults)?;
        let id = object.required("id", faults, leaf(card_id));
        let number = object.required("number", faults, leaf(number));
        let account = object.required("account", faults, leaf(account_id));
        let currency = object.required("currency", faults, leaf(currency));
        let expiry = object.required("expiry", faults, leaf(expiry));
        let funding = object.required("funding", faults, leaf(funding));
        let status = object.optional("status", faults, leaf(status));
        let controls = object.optional("controls", faults, controls);
        let limits = object.optional("limits", faults, LimitsSent::read);
        object.close(faults);
        let (id, number, currency) = (id?, number?, currency?);
        if names_the_number(&id, &number) {
            let mismatch = Mismatch {
                found: "the card number".into(),
                allowed: "a name without the card number".into(),
            };
            faults.push("id", mismatch);
        }
        let limits = match limits? {
            Some(sent) => Some(sent.rules_noting(&Asset::of(currency), faults)?),
            None => None,
        };
        Some(Self {
            id,
            number,
            account: account?,
            currency,
            expiry: expiry?,
            funding: funding?,
            status: status?,
            controls: controls?,
            limits,
        })
    }
}

/// Names are journaled, logged and answered, so none may carry the number itself.
fn names_the_number(id: &CardId, number: &Pan) -> bool {
    let digits: Vec<u8> = id.as_str().bytes().filter(u8::is_ascii_digit).collect();
    digits.windows(number.expose().len()).any(|window| window == number.expose())
}

/// Says what is wrong with a card number without repeating any of it.
fn number(node: &Node) -> Result<Pan, Mismatch> {
    let mismatch = |found: String| Mismatch {
        found,
        allowed: "12 to 19 digits with a true check digit, as text".into(),
    };
    match node {
        Node::Text(text) => Pan::issue(text.as_bytes()).map_err(|error| mismatch(what_is_wrong(error))),
        Node::Null | Node::Bool(_) | Node::Integer(_) | Node::Float | Node::List(_) | Node::Object(_) => {
            Err(mismatch("something that is not text".into()))
        }
    }
}

fn what_is_wrong(error: PanError) -> String {
    match error {
        PanError::Length { found } => format!("{found} characters"),
        PanError::NotADigit { position } => format!("something other than a digit at position {position}"),
        PanError::CheckDigit => "a wrong check digit".into(),
    }
}

/// Says what is wrong with an expiry without repeating any of it: DE 14 is card data.
fn expiry(node: &Node) -> Result<Expiry, Mismatch> {
    let parsed = match node {
        Node::Text(text) => Expiry::parse(text).ok(),
        Node::Null | Node::Bool(_) | Node::Integer(_) | Node::Float | Node::List(_) | Node::Object(_) => None,
    };
    let allowed = "a month of the years 2000 to 2099, written \"YYYY-MM\"";
    parsed.ok_or_else(|| Mismatch {
        found: "something that is not a month (not repeated)".into(),
        allowed: allowed.into(),
    })
}

fn funding(node: &Node) -> Result<FundingMode, Mismatch> {
    match node.text("pre_funded or jit")? {
        "pre_funded" => Ok(FundingMode::PreFunded),
        "jit" => Ok(FundingMode::Jit),
        _ => Err(node.mismatch("pre_funded or jit")),
    }
}

/// The word that the API uses for a status.
pub(crate) const fn status_word(status: CardStatus) -> &'static str {
    match status {
        CardStatus::NotYetActive => "not_yet_active",
        CardStatus::Active => "active",
        CardStatus::Frozen => "frozen",
        CardStatus::Closed => "closed",
    }
}

/// Reads a status.
pub(super) fn status(node: &Node) -> Result<CardStatus, Mismatch> {
    const ALL: [CardStatus; 4] =
        [CardStatus::NotYetActive, CardStatus::Active, CardStatus::Frozen, CardStatus::Closed];
    let allowed = "not_yet_active, active, frozen or closed";
    let word = node.text(allowed)?;
    ALL.into_iter().find(|status| status_word(*status) == word).ok_or_else(|| node.mismatch(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(changes: &[(&str, &str)]) -> Result<IssueCard, Problem> {
        let mut fields = vec![
            ("id", r#""card_1""#),
            ("number", r#""4242424242424242""#),
            ("account", r#""acct_1""#),
            ("currency", r#""USD""#),
            ("expiry", r#""2029-12""#),
            ("funding", r#""jit""#),
        ];
        for (name, value) in changes {
            fields.retain(|(field, _)| field != name);
            fields.push((name, value));
        }
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
        IssueCard::read(Node::parse(format!("{{{}}}", fields.join(",")).as_bytes()).unwrap())
    }

    #[test]
    fn a_card_is_read_with_what_is_said_and_nothing_more() {
        let read = card(&[]).unwrap();
        assert_eq!((read.status, read.controls, read.limits), (None, None, None));
        let read = card(&[("status", r#""frozen""#), ("limits", "[]")]).unwrap();
        assert_eq!((read.status, read.limits), (Some(CardStatus::Frozen), Some(vec![])));
    }

    #[test]
    fn wrong_card_data_is_refused_without_being_repeated() {
        for (field, value, secret) in [
            ("number", r#""4242424242424241""#, "42424242"),
            ("number", "4242424242424242", "4242"),
            ("number", r#""4242 4242 4242 4242""#, "4242"),
            ("expiry", r#""2029-13""#, "2029"),
            ("expiry", "202912", "2029"),
            ("expiry", r#""12/29""#, "12/29"),
            ("id", r#""card-4242424242424242""#, "4242424242424242"),
            ("id", r#""4242-4242-4242-4242""#, "4242-4242"),
        ] {
            let problem = card(&[(field, value)]).unwrap_err();
            let [fault] = problem.faults() else { panic!("{value}: {problem:?}") };
            assert_eq!(fault.field, field);
            assert!(!format!("{problem:?}").contains(secret), "{problem:?}");
        }
    }

    #[test]
    fn wrong_words_name_the_words_allowed() {
        for (field, value, allowed) in [
            ("funding", r#""debit""#, "pre_funded or jit"),
            ("status", r#""open""#, "not_yet_active, active, frozen or closed"),
            ("currency", r#""USDT""#, "an ISO 4217 alphabetic code such as \"USD\""),
        ] {
            assert_eq!(card(&[(field, value)]).unwrap_err().faults()[0].allowed, allowed);
        }
    }
}
