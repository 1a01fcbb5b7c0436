//! What a message says of the one that it follows: reversals, increments, completions, clearings, refunds.

use super::*;
use domain::{Arn, ClearingData, NetworkReference, OriginalReferences};

/// DE 90 of 1987.
fn data(mti: &str, stan: &str, transmission: &str, acquirer: &str) -> String {
    format!("{mti}{stan}{transmission}{acquirer:0>11}{:0>11}", "")
}

#[test]
fn original_data_say_what_is_reversed_as_far_as_they_are_known() {
    let read = |data: &str| reversal(&[(32, "777"), (90, data)]);
    let found = |reversal: Reversal| {
        let transmission = reversal.transmission.map(|transmission| transmission.to_string());
        (reversal.stan.to_string(), transmission, reversal.acquirer.map(|acquirer| acquirer.to_string()))
    };
    let own = Some("777".to_owned());
    let at = |text: &str| Some(text.to_owned());
    for (data, stan, transmission, acquirer) in [
        (data("0100", "000042", "1119080000", "12345"), "000042", at("1119080000"), at("12345")),
        (data("0100", "000042", "1119080000", ""), "000042", at("1119080000"), own.clone()),
        (data("0100", "000042", "0000000000", ""), "000042", None, own.clone()),
        (data("0100", "000000", "0000000000", "5"), "000123", at("1120193000"), own),
    ] {
        assert_eq!(found(read(&data)), (stan.to_owned(), transmission, acquirer), "{data}");
    }
    let wrong = least("0400", &[(90, &data("0100", "000042", "1399080000", ""))]);
    assert_eq!(read_with(&wrong, None), Err(ElementFault(90)));
}

#[test]
fn a_reversal_knows_the_class_of_its_original() {
    for (mti, class) in [
        ("0100", Some(MessageClass::AuthorizationRequest)),
        ("0120", Some(MessageClass::AuthorizationAdvice)),
        ("0200", Some(MessageClass::FinancialRequest)),
        ("0220", Some(MessageClass::FinancialAdvice)),
        ("0000", None),
        ("0400", None),
    ] {
        let read = reversal(&[(90, &data(mti, "000042", "1119080000", ""))]);
        assert_eq!(read.original_class, class, "{mti}");
    }
    assert_eq!(reversal(&[]).original_class, None);
}

#[test]
fn a_reversal_without_an_acquirer_matches_any() {
    assert_eq!(reversal(&[]).acquirer, None);
    assert_eq!(reversal(&[(4, "")]).amount, None);
}

#[test]
fn a_reversal_whose_amount_has_no_currency_is_taken_without_it() {
    for currency in ["", "000", "001"] {
        let read = reversal(&[(49, currency)]);
        assert_eq!((read.amount, read.new_total), (None, None), "{currency}");
    }
}

#[test]
fn zeros_in_the_place_of_a_reference_name_nothing() {
    let read = |mti, network: &str, arn: &str| money_message(mti, &[(62, network), (63, arn)]);
    let zeros = read("0220", &format!("{:0<60}", ""), &format!("{:0<40}", ""));
    assert_eq!((zeros.details.network_reference, zeros.details.clearing), (None, None));
    let named = read("0220", &format!("{:0<59}", "0000000000TX001"), &format!("{:0<23}", "07"));
    assert_eq!(named.details.network_reference, Some(NetworkReference::new("0000000000TX001").unwrap()));
    let arn = named.details.clearing.and_then(|clearing| clearing.arn);
    assert_eq!(arn, Some(Arn::new("07000000000000000000000").unwrap()));
}

#[test]
fn a_reversal_of_a_part_says_what_the_whole_comes_to() {
    let part = reversal(&[(95, &format!("{:012}{:030}", 700, 0))]);
    assert_eq!((part.amount, part.new_total), (Some(usd(1_234)), Some(usd(700))));
    let whole = reversal(&[(95, &"0".repeat(42))]);
    assert_eq!((whole.amount, whole.new_total), (Some(usd(1_234)), None), "zeros leave nothing");
}

#[test]
fn in_1993_the_function_code_says_that_the_amount_is_the_new_total() {
    let elements =
        [(4, "000000000700"), (30, "000000001234000000000000"), (56, "11000000422611191200000512345")];
    let read = |function| {
        let mut elements = elements.to_vec();
        elements.push((24, function));
        reversal_in("ascii-1993", "1420", &elements)
    };
    let part = read("401");
    assert_eq!((part.amount, part.new_total), (Some(usd(1_234)), Some(usd(700))));
    assert_eq!((part.stan.number(), part.transmission), (42, None), "DE 56 has the local time");
    assert_eq!(part.acquirer, AcquirerId::new(12_345).ok());
    assert_eq!(part.original_class, Some(MessageClass::AuthorizationRequest));
    assert_eq!(read("400").new_total, None);
}

#[test]
fn the_later_editions_may_name_a_message_by_its_local_time() {
    let (_, text) = iso8583::SHIPPED.iter().find(|(name, _)| *name == "ascii-1993").unwrap();
    let dialect =
        Dialect::from_toml(&text.replace("mandatory = [3, 7, 11]", "mandatory = [3, 11]"), "no DE 7");
    let dialect = dialect.unwrap();
    let request = least_in(&dialect, "1100", &[(7, ""), (12, "261119080000")]);
    let read = read_in(&dialect, &request, None);
    let time = Transmission::new(1_119_080_000).unwrap();
    assert!(matches!(read, Ok(Incoming::Authorization(read)) if read.transmission == time), "{read:?}");
    let undo = [(7, ""), (11, "000124"), (12, "261119080100"), (56, "11000001232611190800000512345")];
    let read = read_in(&dialect, &least_in(&dialect, "1420", &undo), None);
    assert!(matches!(read, Ok(Incoming::Reversal(read)) if read.transmission == Some(time)), "{read:?}");
}

#[test]
fn a_message_that_follows_another_is_tied_to_it_by_all_that_stays() {
    let named = data("0100", "000042", "1119080000", "777");
    let elements = [(37, "632518000042"), (38, "123456"), (61, "0"), (62, "123456789012345"), (90, &*named)];
    let expected = OriginalReferences {
        stan: Stan::new(42).ok(),
        transmission: Transmission::new(1_119_080_000).ok(),
        acquirer: AcquirerId::new(777).ok(),
        rrn: Rrn::new("632518000042").ok(),
        network: NetworkReference::new("123456789012345").ok(),
        approval_code: ApprovalCode::parse("123456"),
    };
    assert_eq!(money_message("0220", &elements).details.original, Some(expected));
    let unnamed = OriginalReferences { stan: None, transmission: None, acquirer: None, ..expected };
    let without = &elements[..4];
    assert_eq!(money_message("0220", without).details.original, Some(unnamed));
    let refund: Vec<_> = without.iter().copied().chain([(3, "200000")]).collect();
    assert_eq!(authorization(&refund).details.original, Some(unnamed), "a refund");
    let increment: Vec<_> =
        without.iter().copied().map(|(de, text)| (de, if de == 61 { "0001" } else { text })).collect();
    let read = authorization(&increment);
    assert!(read.details.incremental);
    assert_eq!(read.details.original, Some(unnamed), "an increment");
    // A purchase follows nothing, but the network's id of it is kept for what will follow.
    let purchase = authorization(without);
    assert_eq!((purchase.details.original, purchase.details.network_reference), (None, expected.network));
    assert_eq!(money_message("0220", &[]).details.original, None);
}

#[test]
fn what_is_no_approval_code_ties_nothing() {
    for code in ["STND  ", "abc123", "000000"] {
        assert_eq!(money_message("0220", &[(38, code)]).details.original, None, "{code}");
    }
}

#[test]
fn a_clearing_says_which_one_of_how_many_it_is() {
    let arn = "74556326329000000000017";
    let text = format!("{arn}0203");
    let completion = money_message("0220", &[(63, &text)]);
    let said = ClearingData { arn: Arn::new(arn).ok(), sequence: 2, of: 3, is_final: false };
    assert_eq!((completion.class, completion.details.clearing), (MessageClass::FinancialAdvice, Some(said)));
    let marked = format!("{:017}P1", 0);
    let presented = money_message("0220", &[(61, &marked), (63, &text)]);
    let last = ClearingData { is_final: true, ..said };
    assert_eq!((presented.class, presented.details.clearing), (MessageClass::Clearing, Some(last)));
    assert_eq!(money_message("0220", &[]).details.clearing, None);
    assert_eq!(authorization(&[(63, &text)]).details.clearing, None, "no request is a clearing");
}

#[test]
fn an_advice_may_say_elsewhere_than_in_its_type_that_it_completes() {
    let marked = format!("{:017}C", 0);
    assert_eq!(money_message("0120", &[(61, &marked)]).class, MessageClass::FinancialAdvice);
    let asks = authorization(&[(61, &marked)]);
    assert_eq!(asks.class, MessageClass::AuthorizationRequest, "what asks, asks");
}

#[test]
fn an_advice_of_a_decline_is_known_by_its_code_in_every_edition() {
    for (mti, code, declined) in [
        ("0120", "05", true),
        ("0120", "51", true),
        ("0120", "00", false),
        ("0120", "10", false),
        ("0220", "14", true),
        ("0220", "00", false),
        ("0220", "Y1", false),
        ("0120", "Y3", false),
        ("0220", "Z1", true),
    ] {
        let read = read_with(&least(mti, &[(39, code)]), None);
        assert_eq!(matches!(read, Ok(Incoming::DeclinedAdvice(Some(_)))), declined, "{mti} {code}");
    }
    let dialect = named("ascii-1993");
    for (code, declined) in [("000", false), ("002", false), ("100", true), ("907", true)] {
        let read = read_in(&dialect, &least_in(&dialect, "1120", &[(39, code)]), None);
        let told = Text::new(code).unwrap();
        let is_decline = matches!(read, Ok(Incoming::DeclinedAdvice(Some((_, found)))) if found == told);
        assert_eq!(is_decline, declined, "1120 {code}");
    }
}

#[test]
fn an_advice_of_a_decline_that_says_too_little_is_acknowledged_all_the_same() {
    let read = read_with(&message_in(&named("ascii-1987"), "0120", &[(11, "000001"), (39, "05")]), None);
    assert_eq!(read, Ok(Incoming::DeclinedAdvice(None)));
}
