//! Where the dialects keep what the standard has no element for, and what is read from there.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use bytes::BytesMut;
use iso8583::{
    AdditionalAmount, AmountKind, Dialect, Draft, FlagAt, Message, Mti, OriginalData, PartValue, SHIPPED,
    TextAt, WordAt,
};
use support::{dialect, rows, unhex};

fn message(dialect: &Dialect, mti: &str, fill: impl Fn(&mut Draft) -> &mut Draft) -> Message {
    let mut draft = Draft::new(dialect, Mti::parse(mti).unwrap());
    let mut out = BytesMut::new();
    fill(&mut draft).encode_into(&mut out).unwrap();
    dialect.decode(out.freeze()).unwrap()
}

fn text(message: &Message, at: TextAt) -> Option<String> {
    message.text_at(at).map(|text| text.as_str().to_owned())
}

/// The dialects whose private places are this project's own, with the form of their message types.
const OWN: [(&str, &str); 4] =
    [("ascii-1987", "0100"), ("binary-1987", "0100"), ("ebcdic-1987", "0100"), ("ascii-1993", "1100")];

#[test]
fn our_own_dialects_say_everything_in_the_same_places() {
    for (name, mti) in OWN {
        let message = message(&dialect(name), mti, |draft| {
            draft
                .text(61, "112113MYA05VWI042P1")
                .text(62, "123456789012345")
                .text(63, "123456789012345678901230203")
        });
        for (word, expected) in [
            (WordAt::Purpose, "pre_authorization"),
            (WordAt::Initiator, "merchant"),
            (WordAt::Presence, "ecommerce"),
            (WordAt::Cvv2Result, "match"),
            (WordAt::AvsResult, "match"),
            (WordAt::ThreeDSecure, "authenticated"),
            (WordAt::AuthenticationValueResult, "valid"),
            (WordAt::PinResult, "wrong"),
            (WordAt::CryptogramResult, "invalid"),
            (WordAt::MessageClass, "clearing"),
        ] {
            assert_eq!(message.word_at(word), Some(expected), "{name}: {word:?}");
        }
        for flag in FlagAt::ALL {
            assert_eq!(message.flag_at(*flag), Some(true), "{name}: {flag:?}");
        }
        assert_eq!(message.number_at(TextAt::Eci), Some(5), "{name}");
        assert_eq!(message.number_at(TextAt::RiskScore), Some(42), "{name}");
        assert_eq!(text(&message, TextAt::NetworkReference).as_deref(), Some("123456789012345"));
        assert_eq!(text(&message, TextAt::AcquirerReference).as_deref(), Some("12345678901234567890123"));
        let clearing = (TextAt::ClearingSequence, TextAt::ClearingCount);
        assert_eq!((message.number_at(clearing.0), message.number_at(clearing.1)), (Some(2), Some(3)));
    }
}

#[test]
fn a_message_that_says_nothing_says_nothing() {
    for (name, _) in SHIPPED {
        let mti = if name == "ascii-1993" { "1100" } else { "0100" };
        let message = message(&dialect(name), mti, |draft| draft.number(11, 1));
        assert!(WordAt::ALL.iter().all(|word| message.word_at(*word).is_none()), "{name}");
        assert!(FlagAt::ALL.iter().all(|flag| message.flag_at(*flag).is_none()), "{name}");
        assert!(TextAt::ALL.iter().all(|text| message.text_at(*text).is_none()), "{name}");
        assert_eq!(message.original_data(), None, "{name}");
        assert_eq!(message.additional_amounts().count(), 0, "{name}");
    }
}

#[test]
fn what_is_there_and_was_not_verified_is_known_to_be_unverified() {
    for (name, mti) in OWN {
        let message =
            message(&dialect(name), mti, |draft| draft.binary(52, &[7; 8]).binary(55, b"\x9F\x27\x01\x80"));
        assert_eq!(message.word_at(WordAt::PinResult), Some("not_checked"), "{name}");
        assert_eq!(message.word_at(WordAt::CryptogramResult), Some("not_checked"), "{name}");
        assert_eq!(message.word_at(WordAt::Cvv2Result), None, "{name}");
    }
}

#[test]
fn a_short_element_says_less_and_an_unknown_value_nothing() {
    let message = message(&dialect("ascii-1987"), "0100", |draft| draft.text(61, "029"));
    assert_eq!(message.flag_at(FlagAt::PartialApproval), Some(false));
    assert_eq!(message.word_at(WordAt::Purpose), None);
    assert_eq!(message.flag_at(FlagAt::Incremental), None);
}

#[test]
fn the_standard_elements_speak_where_the_private_ones_do_not() {
    let message =
        message(&dialect("binary-1987"), "0100", |draft| draft.number(18, 5411).number(22, 51).number(25, 6));
    assert_eq!(message.word_at(WordAt::Purpose), Some("pre_authorization"));
    assert_eq!(message.word_at(WordAt::Presence), Some("card_present"));
    assert_eq!(text(&message, TextAt::EntryMode).as_deref(), Some("051"));
    assert_eq!(message.number_at(TextAt::MerchantCategory), Some(5411));
}

#[test]
fn the_original_is_named_in_every_version() {
    let expected = OriginalData {
        mti: Mti::parse("0100"),
        stan: Some(42),
        transmission: Some(1_125_160_000),
        local_time: None,
        acquirer: Some(12_345),
    };
    for (name, _) in SHIPPED.iter().filter(|(name, _)| *name != "ascii-1993") {
        let dialect = dialect(name);
        let whole = format!("0100000042112516000000000012345{}", "0".repeat(11));
        let reversal = message(&dialect, "0420", |draft| {
            draft.text(90, &whole).text(95, &format!("000000000700{}", "0".repeat(30)))
        });
        assert_eq!(reversal.original_data(), Some(expected), "{name}");
        assert_eq!(reversal.number_at(TextAt::NewTotal), Some(700), "{name}");
        let unknown = message(&dialect, "0420", |draft| {
            draft.text(90, &format!("0100{}00000012345{}", "0".repeat(16), "0".repeat(11)))
        });
        let known = OriginalData { stan: None, transmission: None, ..expected };
        assert_eq!(unknown.original_data(), Some(known), "{name}");
    }
    let dialect = dialect("ascii-1993");
    let partly = message(&dialect, "1420", |draft| {
        draft
            .number(4, 700)
            .text(24, "401")
            .text(30, "000000001000000000000000")
            .text(56, "11000000422611251600000512345")
    });
    let original = OriginalData {
        mti: Mti::parse("1100"),
        transmission: None,
        local_time: Some(261_125_160_000),
        ..expected
    };
    assert_eq!(partly.original_data(), Some(original));
    assert_eq!(partly.number_at(TextAt::NewTotal), Some(700));
    assert_eq!(partly.number_at(TextAt::OriginalAmount), Some(1_000));
    let whole = message(&dialect, "1420", |draft| draft.number(4, 700).text(24, "400"));
    assert_eq!(whole.number_at(TextAt::NewTotal), None);
}

#[test]
fn the_function_code_of_1993_says_what_1987_has_no_place_for() {
    let dialect = dialect("ascii-1993");
    let with = |code: &str| {
        message(&dialect, "1100", |draft| draft.text(24, code).text(22, "000000501000").number(26, 7995))
    };
    assert_eq!(with("101").word_at(WordAt::Purpose), Some("estimated"));
    assert_eq!(with("107").flag_at(FlagAt::Incremental), Some(true));
    assert_eq!(with("185").flag_at(FlagAt::PartialApproval), Some(true));
    assert_eq!(with("100").flag_at(FlagAt::PartialApproval), Some(false));
    assert_eq!(text(&with("100"), TextAt::EntryMode).as_deref(), Some("050"));
    assert_eq!(with("100").number_at(TextAt::MerchantCategory), Some(7995));
}

#[test]
fn the_published_messages_of_the_networks_say_what_they_say() {
    let vector = |id: &str, name: &str| {
        let row = rows("messages.jsonl").into_iter().find(|row| row["id"] == id).unwrap();
        let wire = unhex(row["hex"].as_str().unwrap());
        let header = if name == "visa-like" { 4 } else { 2 };
        dialect(name).decode(wire[header..].to_vec().into()).unwrap()
    };
    let reversal = vector("v036", "mastercard-like");
    assert_eq!(text(&reversal, TextAt::NetworkReference).as_deref(), Some("MWB3947990822"));
    assert_eq!(
        reversal.part(48, "63").unwrap().text(),
        "MWB3947990822",
        "the trace identifier says the same"
    );
    assert_eq!(reversal.word_at(WordAt::Cvv2Result), Some("match"));
    let advice = vector("v035", "mastercard-like");
    assert_eq!(advice.flag_at(FlagAt::PartialApproval), Some(true));
    assert_eq!(advice.word_at(WordAt::CryptogramResult), None);
    let purchase = vector("v034", "mastercard-like");
    assert_eq!(purchase.word_at(WordAt::CryptogramResult), Some("not_checked"));
    assert_eq!(purchase.word_at(WordAt::Presence), Some("card_present"));
    let installment = vector("v044", "visa-like");
    assert_eq!(installment.word_at(WordAt::Initiator), Some("recurring"));
    assert_eq!(text(&installment, TextAt::Eci).as_deref(), Some("03"));
    assert_eq!(installment.word_at(WordAt::Presence), Some("card_not_present"));
}

#[test]
fn the_places_of_the_network_dialects_are_read() {
    let mastercard = message(&dialect("mastercard-like"), "0100", |draft| {
        let parts = [
            ("00", "T"),
            ("22.05", "M103"),
            ("42.01", "212"),
            ("61", "10001"),
            ("71", "05V "),
            ("75.01", "721"),
            ("83", "Z"),
        ];
        draft.parts(48, &parts.map(|(path, text)| (path, PartValue::Text(text)))).text(61, "000510")
    });
    assert_eq!(mastercard.word_at(WordAt::Initiator), Some("recurring"));
    assert_eq!(mastercard.word_at(WordAt::Purpose), Some("final"));
    assert_eq!(mastercard.word_at(WordAt::Presence), Some("ecommerce"));
    assert_eq!(mastercard.word_at(WordAt::ThreeDSecure), Some("authenticated"));
    assert_eq!(mastercard.word_at(WordAt::AuthenticationValueResult), Some("valid"));
    assert_eq!(mastercard.word_at(WordAt::AvsResult), Some("postal_code_only"));
    assert_eq!(mastercard.number_at(TextAt::RiskScore), Some(721));
    assert_eq!(mastercard.number_at(TextAt::Eci), Some(2));
    let visa = message(&dialect("visa-like"), "0100", |draft| {
        draft.text(44, " Z      2 N   1").binary(60, &[0, 0, 0, 0, 0x05, 0x03]).parts(
            62,
            &[
                ("1", PartValue::Text("I")),
                ("2", PartValue::Text("123456789012345")),
                ("21", PartValue::Text("87AB")),
            ],
        )
    });
    assert_eq!(visa.word_at(WordAt::AvsResult), Some("postal_code_only"));
    assert_eq!(visa.word_at(WordAt::CryptogramResult), Some("valid"));
    assert_eq!(visa.word_at(WordAt::Cvv2Result), Some("no_match"));
    assert_eq!(visa.word_at(WordAt::AuthenticationValueResult), Some("invalid"));
    assert_eq!(visa.word_at(WordAt::ThreeDSecure), Some("authenticated"));
    assert_eq!(visa.word_at(WordAt::Purpose), Some("estimated"));
    assert_eq!(visa.flag_at(FlagAt::PartialApproval), Some(true));
    assert_eq!(visa.flag_at(FlagAt::Incremental), Some(true));
    assert_eq!(text(&visa, TextAt::NetworkReference).as_deref(), Some("123456789012345"));
    assert_eq!(visa.number_at(TextAt::RiskScore), Some(87));
}

#[test]
fn additional_amounts_are_written_and_read_back_in_every_dialect() {
    let amounts = [
        AdditionalAmount { account: 10, kind: AmountKind::Ledger, currency: 840, minor: 123_456 },
        AdditionalAmount { account: 10, kind: AmountKind::Available, currency: 840, minor: -5 },
        AdditionalAmount { account: 0, kind: AmountKind::Original, currency: 392, minor: 999_999_999_999 },
        AdditionalAmount { account: 0, kind: AmountKind::Other(*b"90"), currency: 978, minor: 0 },
    ];
    for (name, _) in SHIPPED {
        let dialect = dialect(name);
        let mti = if name == "ascii-1993" { "1110" } else { "0110" };
        let message = message(&dialect, mti, |draft| draft.additional_amounts(&amounts));
        assert_eq!(message.additional_amounts().collect::<Vec<_>>(), amounts, "{name}");
        assert!(message.text(54).unwrap().starts_with("1001840C000000123456"), "{name}");
        let many = [amounts[0]; 9];
        let message = self::message(&dialect, mti, |draft| draft.additional_amounts(&many));
        assert_eq!(message.additional_amounts().count(), 6, "{name}: as many as DE 54 has room for");
    }
}

#[test]
fn an_amount_that_does_not_fit_is_not_sent_and_one_that_makes_no_sense_is_passed_over() {
    let dialect = dialect("ascii-1987");
    let too_large =
        AdditionalAmount { account: 0, kind: AmountKind::Ledger, currency: 840, minor: 1_000_000_000_000 };
    let sent = message(&dialect, "0110", |draft| draft.additional_amounts(&[too_large]));
    assert!(!sent.has(54));
    let found = message(&dialect, "0200", |draft| {
        draft.text(54, "0040840X0000000010000040840D0000000020000040840C00000000300")
    });
    let cashback: Vec<_> = found.additional_amounts().map(|amount| amount.minor).collect();
    assert_eq!(cashback, [-2_000]);
}

#[test]
fn the_amount_asked_for_has_an_element_of_its_own_from_1993_on() {
    let mut draft = Draft::new(&dialect("ascii-1993"), Mti::parse("1110").unwrap());
    assert!(draft.original_amount(1_000));
    let mut out = BytesMut::new();
    draft.encode_into(&mut out).unwrap();
    let answer = dialect("ascii-1993").decode(out.freeze()).unwrap();
    assert_eq!(answer.text(30).unwrap(), "000000001000000000000000");
    assert!(!Draft::new(&dialect("ascii-1987"), Mti::parse("0110").unwrap()).original_amount(1_000));
}

#[test]
fn the_room_for_more_about_a_decline_is_known() {
    assert_eq!(dialect("ascii-1987").locations().response_detail(), Some((44, 25)));
    assert_eq!(dialect("ascii-1993").locations().response_detail(), Some((44, 99)));
    assert_eq!(dialect("visa-like").locations().response_detail(), None);
    assert!(dialect("visa-like").locations().has_word(WordAt::Cvv2Result));
    assert_eq!(dialect("ascii-1993").locations().element_of(TextAt::OriginalStan), Some(56));
}

const ELEMENTS: &str = "name = \"t\"\nmti = { encoding = \"ascii\" }\nbitmap = { encoding = \"hex\" }\n[elements]\n\
    2 = { name = \"a\", content = \"n\", prefix = \"LL\", max = 19 }\n\
    44 = { name = \"b\", content = \"ans\", prefix = \"LL\", max = 25 }\n\
    48 = { name = \"c\", content = \"ans\", prefix = \"LLL\", max = 999 }\n[locations]\n";

#[test]
fn a_place_that_makes_no_sense_is_named_with_its_line() {
    for (place, expected) in [
        ("eci = { at = \"45\" }", "eci.at: found 45, allowed: elements that the dialect lists"),
        ("eci = { at = \"44.1\" }", "eci.at: found 44.1, allowed: parts that the dialect lists"),
        ("eci = { at = \"44\", from = 0 }", "eci.from: found 0, allowed: a position, 1 to 25"),
        ("eci = { at = \"44\", from = 26 }", "eci.from: found 26, allowed: a position, 1 to 25"),
        ("eci = { at = \"44\", from = 25, length = 2 }", "eci.length: found 2, allowed: 1 to 1"),
        ("eci = { at = \"48\" }", "eci.length: found up to 999 characters, allowed: a length, 1 to 64"),
        ("eci = { at = \"48\", length = 65 }", "eci.length: found 65, allowed: 1 to 64"),
        (
            "eci = { at = \"2\" }",
            "eci.at: found 2, allowed: a place that is not masked: what is read as a text may be kept",
        ),
        (
            "eci = { at = \"44\", is = [\"1\"] }",
            "eci.is: found it, allowed: values, for what is read as something else",
        ),
        ("incremental = { at = \"44\" }", "incremental.is: found nothing, allowed: the values that mean yes"),
        (
            "incremental = { at = \"44\", is = [\"1\"], other = \"x\" }",
            "incremental.other: found it, allowed: is, with the values that mean yes",
        ),
        (
            "purpose = { at = \"44\" }",
            "purpose.values: found nothing, allowed: a word for each value, or other",
        ),
        (
            "purpose = { at = \"44\", values = { 1 = \"last\" } }",
            "purpose.values.1: found last, allowed: sale, pre_authorization, estimated, final, verification",
        ),
        (
            "eci = { at = [\"44\", \"48\"], length = 3 }",
            "eci.at: found several, allowed: one place, or several whole ones",
        ),
        (
            "eci = { at = \"44\", when = { at = \"45\", is = [] } }",
            "eci.when.at: found 45, allowed: elements that the dialect lists",
        ),
        (
            "additional_amounts = { at = 2 }",
            "additional_amounts.at: found 2, allowed: an element with room for characters",
        ),
        (
            "additional_amounts = { at = 44, ledger = \"1\" }",
            "additional_amounts.ledger: found 1, allowed: two digits",
        ),
        ("response_detail = 45", "response_detail: found 45, allowed: an element with room for characters"),
    ] {
        let error = Dialect::from_toml(&format!("{ELEMENTS}\n{place}\n"), "t.toml").unwrap_err();
        assert_eq!(error.to_string(), format!("t.toml, line 10: locations.{expected}"));
    }
}

#[test]
fn every_wrong_place_is_named_and_an_unknown_key_fails() {
    let text = format!(
        "{ELEMENTS}eci = {{ at = \"45\" }}\npurpose = [\n    {{ at = \"46\", other = \"sale\" }},\n]\n"
    );
    let error = Dialect::from_toml(&text, "t.toml").unwrap_err().to_string();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(
        error.contains("line 9: locations.eci.at") && error.contains("line 10: locations.purpose.at"),
        "{error}"
    );
    for (place, part) in [
        ("eci = { at = \"44\", form = 1 }", "unknown field `form`"),
        ("ecii = { at = \"44\" }", "unknown field `ecii`"),
        ("eci = 3", "one, or a list"),
        ("eci = [{ at = \"44\", lenght = 1 }]", "unknown field `lenght`"),
    ] {
        let error = Dialect::from_toml(&format!("{ELEMENTS}{place}\n"), "t.toml").unwrap_err().to_string();
        assert!(error.contains(part) && error.contains("line 9"), "{error}");
    }
}
