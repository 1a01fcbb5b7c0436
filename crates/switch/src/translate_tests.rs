//! Translation, element by element, on messages made for it.

use super::*;
use bytes::Bytes;
use iso8583::shipped;

const PAN: &str = "4242424242424242";
const DEADLINE: Mono = Mono::from_nanos(7);

fn tokens() -> Tokenizer {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "1".repeat(64)).unwrap();
    crate::keys::File::read(folder.path(), "key".as_ref()).unwrap().tokenizer().unwrap()
}

fn dialect() -> Dialect {
    shipped("ascii-1987").unwrap().unwrap()
}

/// A message with these elements, as text.
fn message(mti: &str, elements: &[(u8, &str)]) -> Message {
    let mut draft = Draft::new(&dialect(), Mti::parse(mti).unwrap());
    for (element, value) in elements {
        draft.text(*element, value);
    }
    let mut bytes = BytesMut::new();
    draft.encode_into(&mut bytes).unwrap();
    dialect().decode(Bytes::from(bytes)).unwrap()
}

fn read_with(message: &Message, partial: Option<&PartialCapability>) -> Result<Incoming, ElementFault> {
    read(message, Reading { tokens: &tokens(), partial, deadline: DEADLINE })
}

/// The least that a request or reversal needs, changed by `more`.
fn least(mti: &str, more: &[(u8, &str)]) -> Message {
    let mut elements =
        vec![(2, PAN), (3, "000000"), (4, "000000001234"), (7, "1120193000"), (11, "000123"), (49, "840")];
    elements.retain(|(element, _)| more.iter().all(|(other, _)| other != element));
    elements.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    message(mti, &elements)
}

fn authorization(more: &[(u8, &str)]) -> Authorization {
    match read_with(&least("0100", more), None) {
        Ok(Incoming::Authorization(authorization)) => authorization,
        other => panic!("{other:?}"),
    }
}

fn reversal(more: &[(u8, &str)]) -> Reversal {
    match read_with(&least("0400", more), None) {
        Ok(Incoming::Reversal(reversal)) => reversal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_read_element_by_element() {
    let usd = Currency::from_alpha("USD").unwrap();
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
        amount: Money::new(1_234, usd),
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
        details: domain::Details::default(),
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
}

#[test]
fn the_message_type_says_what_it_is() {
    for (mti, class) in [
        ("0100", MessageClass::AuthorizationRequest),
        ("0101", MessageClass::AuthorizationRequest),
        ("0120", MessageClass::AuthorizationAdvice),
        ("0121", MessageClass::AuthorizationAdvice),
    ] {
        let read = read_with(&least(mti, &[]), None);
        assert!(matches!(read, Ok(Incoming::Authorization(read)) if read.class == class), "{mti}");
    }
    for mti in ["0400", "0401", "0420", "0421"] {
        assert!(matches!(read_with(&least(mti, &[]), None), Ok(Incoming::Reversal(_))), "{mti}");
    }
    for mti in ["0200", "0102", "0600", "1100", "0140"] {
        assert_eq!(read_with(&least(mti, &[]), None), Ok(Incoming::NotServed), "{mti}");
    }
    for mti in ["0110", "0430", "0810", "0150", "0190"] {
        assert_eq!(read_with(&least(mti, &[]), None), Ok(Incoming::NotARequest), "{mti}");
    }
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
        let read = read_with(&least("0100", &[(element, value)]), None);
        assert_eq!(read, Err(ElementFault(element)), "DE {element} {value:?}");
    }
    let advice = read_with(&least("0120", &[(14, "2913")]), None);
    assert!(matches!(advice, Ok(Incoming::Authorization(advice)) if advice.expiry.is_none()), "{advice:?}");
    let track = least("0100", &[(2, ""), (35, "42=3112")]);
    assert_eq!(read_with(&track, None), Err(ElementFault(35)));
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
}

#[test]
fn a_terminal_says_in_the_configured_place_that_it_can_take_a_part() {
    let capability = PartialCapability { element: 60, offset: 9, value: "1".into() };
    for (text, expected) in [
        ("0000000001", PartialApproval::Supported),
        ("00000000012", PartialApproval::Supported),
        ("0000000000", PartialApproval::NotSupported),
        ("1", PartialApproval::NotSupported),
        ("", PartialApproval::NotSupported),
    ] {
        let message = least("0100", &[(60, text)]);
        assert_eq!(partial(&message, Some(&capability)), expected, "{text:?}");
        assert_eq!(partial(&message, None), PartialApproval::NotSupported);
    }
}

#[test]
fn original_data_say_what_is_reversed_as_far_as_they_are_known() {
    let data = |stan: &str, transmission: &str, acquirer: &str| {
        format!("0100{stan}{transmission}{acquirer:0>11}{:0>11}", "")
    };
    let read = |data: &str| reversal(&[(32, "777"), (90, data)]);
    let found = |reversal: Reversal| {
        let transmission = reversal.transmission.map(|transmission| transmission.to_string());
        (reversal.stan.to_string(), transmission, reversal.acquirer.map(|acquirer| acquirer.to_string()))
    };
    let own = Some("777".to_owned());
    let at = |text: &str| Some(text.to_owned());
    for (data, stan, transmission, acquirer) in [
        (data("000042", "1119080000", "12345"), "000042", at("1119080000"), at("12345")),
        (data("000042", "1119080000", ""), "000042", at("1119080000"), own.clone()),
        (data("000042", "0000000000", ""), "000042", None, own.clone()),
        (data("000000", "0000000000", "5"), "000123", at("1120193000"), own),
    ] {
        assert_eq!(found(read(&data)), (stan.to_owned(), transmission, acquirer), "{data}");
    }
    let wrong = least("0400", &[(90, &data("000042", "1399080000", ""))]);
    assert_eq!(read_with(&wrong, None), Err(ElementFault(90)));
}

#[test]
fn a_reversal_without_an_acquirer_matches_any() {
    assert_eq!(reversal(&[]).acquirer, None);
    assert_eq!(reversal(&[(4, "")]).amount, None);
}
