//! Translation, element by element, on messages made for it.

use super::*;
use bytes::{Bytes, BytesMut};
use domain::{
    AcquirerId, ApprovalCode, CountryCode, Currency, Details, EntryMode, Expiry, Mcc, Merchant, Money, Pan,
    PartialApproval, ProcessingCode, Rrn, Stan, Text, TransactionType, Transmission,
};
use iso8583::{Draft, shipped};

#[path = "translate_tests/follow_ups.rs"]
mod follow_ups;
#[path = "translate_tests/networks.rs"]
mod networks;
#[path = "translate_tests/writing.rs"]
mod writing;

const PAN: &str = "4242424242424242";
const DEADLINE: Mono = Mono::from_nanos(7);

fn tokens() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "1".repeat(64)).unwrap();
    crate::keys::File::read(folder.path(), "key".as_ref()).unwrap().tokenizer().unwrap()
}

fn named(dialect: &str) -> Dialect {
    shipped(dialect).unwrap().unwrap()
}

/// A message in a dialect, with these elements as text.
fn message_in(dialect: &Dialect, mti: &str, elements: &[(u8, &str)]) -> Message {
    let mut draft = Draft::new(dialect, Mti::parse(mti).unwrap());
    for (element, value) in elements {
        draft.text(*element, value);
    }
    let mut bytes = BytesMut::new();
    draft.encode_into(&mut bytes).unwrap();
    dialect.decode(Bytes::from(bytes)).unwrap()
}

fn read_in(
    dialect: &Dialect,
    message: &Message,
    partial: Option<&PartialCapability>,
) -> Result<Incoming, ElementFault> {
    let network = NetworkName::new("NET").unwrap();
    read(message, Reading { tokens: &tokens(), dialect, partial, network, deadline: DEADLINE })
}

fn read_with(message: &Message, partial: Option<&PartialCapability>) -> Result<Incoming, ElementFault> {
    read_in(&named("ascii-1987"), message, partial)
}

/// The least that a request or reversal needs, changed by `more`.
fn least_in(dialect: &Dialect, mti: &str, more: &[(u8, &str)]) -> Message {
    let mut elements =
        vec![(2, PAN), (3, "000000"), (4, "000000001234"), (7, "1120193000"), (11, "000123"), (49, "840")];
    elements.retain(|(element, _)| more.iter().all(|(other, _)| other != element));
    elements.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    message_in(dialect, mti, &elements)
}

fn least(mti: &str, more: &[(u8, &str)]) -> Message {
    least_in(&named("ascii-1987"), mti, more)
}

#[track_caller]
fn money_message(mti: &str, more: &[(u8, &str)]) -> Authorization {
    money_message_in("ascii-1987", mti, more)
}

#[track_caller]
fn money_message_in(dialect: &str, mti: &str, more: &[(u8, &str)]) -> Authorization {
    let dialect = named(dialect);
    match read_in(&dialect, &least_in(&dialect, mti, more), None) {
        Ok(Incoming::Authorization(authorization)) => authorization,
        other => panic!("{other:?}"),
    }
}

fn authorization(more: &[(u8, &str)]) -> Authorization {
    money_message("0100", more)
}

#[track_caller]
fn reversal_in(dialect: &str, mti: &str, more: &[(u8, &str)]) -> Reversal {
    let dialect = named(dialect);
    match read_in(&dialect, &least_in(&dialect, mti, more), None) {
        Ok(Incoming::Reversal(reversal)) => reversal,
        other => panic!("{other:?}"),
    }
}

fn reversal(more: &[(u8, &str)]) -> Reversal {
    reversal_in("ascii-1987", "0400", more)
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::from_alpha("USD").unwrap())
}

#[test]
fn a_request_is_read_element_by_element() {
    let read = authorization(&[
        (6, "000000001100"),
        (14, "2911"),
        (18, "5411"),
        (19, "276"),
        (22, "051"),
        (32, "12345"),
        (37, "632518000123"),
        (41, "TERM1"),
        (42, "SHOP"),
        (43, "CORNER SHOP"),
        (51, "978"),
    ]);
    let expected = Authorization {
        class: MessageClass::AuthorizationRequest,
        card: tokens().token(&Pan::from_digits(PAN.as_bytes()).unwrap()),
        processing_code: ProcessingCode(0),
        amount: usd(1_234),
        billing: Some(Money::new(1_100, Currency::from_alpha("EUR").unwrap())),
        transmission: Transmission::new(1_120_193_000).unwrap(),
        stan: Stan::new(123).unwrap(),
        acquirer: AcquirerId::new(12_345).unwrap(),
        rrn: Some(Rrn::new("632518000123").unwrap()),
        entry_mode: Some(EntryMode(51)),
        merchant: Merchant {
            mcc: Some(Mcc(5_411)),
            country: Some(CountryCode(276)),
            id: Text::new("SHOP").unwrap(),
            terminal: Text::new("TERM1").unwrap(),
            name: Text::new("CORNER SHOP").unwrap(),
        },
        partial: PartialApproval::NotSupported,
        details: Details {
            presence: domain::Presence::CardPresent,
            network: NetworkName::new("NET").unwrap(),
            ..Details::default()
        },
        expiry: Expiry::from_yymm(2_911).ok(),
        deadline: DEADLINE,
    };
    assert_eq!(read, expected);
}

#[test]
fn what_was_not_sent_is_absent() {
    let read = authorization(&[]);
    assert_eq!((read.billing, read.rrn, read.entry_mode, read.expiry), (None, None, None, None));
    assert_eq!(read.acquirer, AcquirerId::new(0).unwrap());
    assert_eq!((read.merchant.mcc, read.merchant.country), (None, None));
    assert!(read.merchant.id.is_empty() && read.merchant.name.is_empty());
    assert_eq!(read.details, Details { network: NetworkName::new("NET").unwrap(), ..Details::default() });
}

#[test]
fn the_message_type_says_what_it_is() {
    for (mti, class) in [
        ("0100", MessageClass::AuthorizationRequest),
        ("0101", MessageClass::AuthorizationRequest),
        ("0120", MessageClass::AuthorizationAdvice),
        ("0121", MessageClass::AuthorizationAdvice),
        ("0200", MessageClass::FinancialRequest),
        ("0201", MessageClass::FinancialRequest),
        ("0220", MessageClass::FinancialAdvice),
        ("0221", MessageClass::FinancialAdvice),
    ] {
        assert_eq!(money_message(mti, &[]).class, class, "{mti}");
        let later = format!("1{}", &mti[1..]);
        assert_eq!(money_message_in("ascii-1993", &later, &[]).class, class, "{later}");
    }
    for mti in ["0400", "0401", "0420", "0421"] {
        assert!(matches!(read_with(&least(mti, &[]), None), Ok(Incoming::Reversal(_))), "{mti}");
    }
    for mti in ["0102", "0300", "0600", "1100", "1420", "2100", "0140", "0440"] {
        assert_eq!(read_with(&least(mti, &[]), None), Ok(Incoming::NotServed), "{mti}");
    }
    for mti in ["0110", "0210", "0430", "0810", "0150", "0190"] {
        assert_eq!(read_with(&least(mti, &[]), None), Ok(Incoming::NotARequest), "{mti}");
    }
}

#[test]
fn messages_of_2003_are_read_in_a_dialect_that_has_them() {
    let (_, text) = iso8583::SHIPPED.iter().find(|(name, _)| *name == "ascii-1993").unwrap();
    let text = text.replace("[messages.1", "[messages.2").replace("mti = \"1804\"", "mti = \"2804\"");
    let dialect = Dialect::from_toml(&text, "2003").unwrap();
    for (mti, class) in
        [("2100", MessageClass::AuthorizationRequest), ("2220", MessageClass::FinancialAdvice)]
    {
        let read = read_in(&dialect, &least_in(&dialect, mti, &[]), None);
        assert!(matches!(read, Ok(Incoming::Authorization(read)) if read.class == class), "{mti}");
    }
    let read = read_in(&dialect, &least_in(&dialect, "2420", &[]), None);
    assert!(matches!(read, Ok(Incoming::Reversal(_))), "{read:?}");
    assert_eq!(read_in(&dialect, &least_in(&dialect, "1100", &[]), None), Ok(Incoming::NotServed));
}

#[test]
fn what_cannot_be_read_is_named() {
    for (element, value) in [
        (2, ""),
        (2, "42"),
        (3, ""),
        (4, ""),
        (7, ""),
        (7, "1320193000"),
        (11, ""),
        (14, "2913"),
        (14, "0000"),
        (49, ""),
        (49, "ABC"),
        (49, "000"),
    ] {
        for mti in ["0100", "0200"] {
            let read = read_with(&least(mti, &[(element, value)]), None);
            assert_eq!(read, Err(ElementFault(element)), "{mti}: DE {element} {value:?}");
        }
    }
    for mti in ["0120", "0220"] {
        assert_eq!(money_message(mti, &[(14, "2913")]).expiry, None, "taken note of all the same");
    }
    let track = least("0100", &[(2, ""), (35, "42=3112")]);
    assert_eq!(read_with(&track, None), Err(ElementFault(35)));
}

#[test]
fn a_question_may_leave_the_amount_out() {
    for (code, kind) in [
        ("301000", TransactionType::BalanceInquiry),
        ("310000", TransactionType::BalanceInquiry),
        ("330000", TransactionType::AccountVerification),
        ("390000", TransactionType::AccountVerification),
    ] {
        let read = authorization(&[(3, code), (4, "")]);
        assert_eq!((read.amount, read.transaction_type()), (usd(0), kind), "{code}");
    }
    let inquiry = authorization(&[(3, "301000"), (4, "")]);
    assert!(inquiry.details.balances_wanted, "that is what it asks for");
    let marked = authorization(&[(4, "000000000000"), (25, "51")]);
    assert_eq!(marked.transaction_type(), TransactionType::AccountVerification);
}

#[test]
fn the_card_is_the_same_by_number_and_by_track() {
    let by_number = authorization(&[]).card;
    for separator in ["=", "D"] {
        let track = format!("{PAN}{separator}31122010000000000");
        assert_eq!(authorization(&[(2, ""), (35, &track)]).card, by_number);
    }
}

#[test]
fn the_country_is_the_acquirers_or_else_the_shops() {
    let shop = |place: &str| format!("{:<38}{place}", "CORNER SHOP");
    let country = |more: &[(u8, &str)]| authorization(more).merchant.country.map(|country| country.0);
    assert_eq!(country(&[(19, "840"), (43, &shop("DE"))]), Some(840));
    assert_eq!(country(&[(43, &shop("DE"))]), Some(276));
    assert_eq!(country(&[(43, &shop("??"))]), None);
    assert_eq!(country(&[(43, "CORNER SHOP IN TOWN")]), None);
}

#[test]
fn a_card_number_in_a_text_is_masked_but_for_its_end() {
    let read = authorization(&[(42, "SHOP"), (43, "NO 4242424242424242 X")]);
    assert_eq!(read.merchant.name.as_str(), "NO ************4242 X");
    assert_eq!(read.merchant.id.as_str(), "SHOP");
    let presented = money_message("0220", &[(63, "42424242424242421234567")]);
    assert_eq!(presented.details.clearing.unwrap().arn.unwrap().as_str(), "************42421234567");
}

#[test]
fn a_terminal_says_in_the_configured_place_or_the_dialects_that_it_can_take_a_part() {
    let capability = PartialCapability { element: 60, offset: 9, value: "1".into() };
    let says = |elements: &[(u8, &str)], capability| match read_with(&least("0100", elements), capability) {
        Ok(Incoming::Authorization(read)) => read.partial == PartialApproval::Supported,
        other => panic!("{other:?}"),
    };
    for (text, expected) in
        [("0000000001", true), ("00000000012", true), ("0000000000", false), ("1", false), ("", false)]
    {
        assert_eq!(says(&[(60, text)], Some(&capability)), expected, "{text:?}");
        assert!(!says(&[(60, text)], None));
    }
    assert!(says(&[(61, "1")], None));
    assert!(!says(&[(61, "1")], Some(&capability)), "the link's place goes before the dialect's");
    assert!(!says(&[(61, "0")], None));
}
