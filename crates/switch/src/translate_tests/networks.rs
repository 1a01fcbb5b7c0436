//! What networks say beside the standard's elements, wherever their dialects keep it.

use super::*;
use domain::{
    AvsResult, CryptogramResult, Cvv2Result, Eci, Initiator, PinResult, Presence, Purpose, RiskScore,
    SecurityResults, ThreeDSecure,
};
use iso8583::PartValue;

/// Our own dialects, which keep everything in DE 61, with their message types for a request.
const OWN: [(&str, &str); 4] =
    [("ascii-1987", "0100"), ("binary-1987", "0100"), ("ebcdic-1987", "0100"), ("ascii-1993", "1100")];

#[test]
fn our_own_dialects_say_everything_in_their_private_element() {
    for (dialect, mti) in OWN {
        let read = money_message_in(dialect, mti, &[(61, "112113MYA05VWI042")]);
        assert_eq!(read.partial, PartialApproval::Supported, "{dialect}");
        let details = read.details;
        assert!(details.balances_wanted && details.incremental, "{dialect}");
        assert_eq!(details.purpose, Purpose::PreAuthorization, "{dialect}");
        assert_eq!(details.initiator, Initiator::Merchant, "{dialect}");
        assert_eq!(details.presence, Presence::Ecommerce, "{dialect}");
        assert_eq!(details.score, Some(RiskScore(42)), "{dialect}");
        let security = SecurityResults {
            cvv2: Cvv2Result::Match,
            avs: AvsResult::Match,
            three_d_secure: ThreeDSecure::Authenticated,
            eci: Some(Eci(5)),
            authentication_value: CryptogramResult::Valid,
            pin: PinResult::Wrong,
            cryptogram: CryptogramResult::Invalid,
        };
        assert_eq!(details.security, security, "{dialect}");
    }
}

#[test]
fn every_word_of_a_dialect_is_one_of_ours() {
    let read = |at: usize, value: char| {
        let text: String = (1..=19).map(|place| if place == at { value } else { ' ' }).collect();
        authorization(&[(61, text.trim_end())]).details
    };
    for (value, purpose) in [
        ('1', Purpose::Final),
        ('2', Purpose::PreAuthorization),
        ('3', Purpose::Estimated),
        ('4', Purpose::Verification),
        ('9', Purpose::Sale),
    ] {
        assert_eq!(read(3, value).purpose, purpose, "{value}");
    }
    for (value, initiator) in
        [('0', Initiator::Cardholder), ('1', Initiator::Merchant), ('2', Initiator::Recurring)]
    {
        assert_eq!(read(5, value).initiator, initiator, "{value}");
    }
    for (value, presence) in
        [('1', Presence::CardPresent), ('2', Presence::CardNotPresent), ('3', Presence::Ecommerce)]
    {
        assert_eq!(read(6, value).presence, presence, "{value}");
    }
    for (value, result) in [('V', PinResult::Verified), ('T', PinResult::TriesExceeded)] {
        assert_eq!(read(13, value).security.pin, result, "{value}");
    }
}

#[test]
fn a_mastercard_like_message_says_it_in_sub_elements() {
    let dialect = named("mastercard-like");
    let mut draft = Draft::new(&dialect, Mti::parse("0100").unwrap());
    draft.text(2, PAN).text(3, "000000").text(4, "000000001234").text(7, "1120193000").text(11, "000123");
    draft.text(15, "1121").text(18, "5732").text(22, "812").text(49, "840").text(63, "MCC123456");
    draft.parts(
        48,
        &[
            ("00", PartValue::Text("T")),
            ("42.01", PartValue::Text("212")),
            ("83", PartValue::Text("Y")),
            ("87", PartValue::Text("N")),
        ],
    );
    let mut bytes = BytesMut::new();
    draft.encode_into(&mut bytes).unwrap();
    let message = dialect.decode(Bytes::from(bytes)).unwrap();
    let Ok(Incoming::Authorization(read)) = read_in(&dialect, &message, None) else { panic!("{message:?}") };
    let security = read.details.security;
    assert_eq!((security.cvv2, security.avs), (Cvv2Result::NoMatch, AvsResult::Match));
    assert_eq!(security.three_d_secure, ThreeDSecure::Authenticated);
    assert_eq!(read.details.presence, Presence::Ecommerce);
    let reference = read.details.network_reference.unwrap();
    assert!(reference.as_str().starts_with("MCC123456"), "{reference}");
}

#[test]
fn the_cash_part_is_said_among_the_additional_amounts() {
    for sign in ["C", "D"] {
        let amounts = format!("0001840C0000000050000040840{sign}000000000500");
        let read = authorization(&[(3, "090000"), (54, &amounts)]);
        assert_eq!(read.details.cash, Some(usd(500)), "{sign}");
        assert_eq!(read.transaction_type(), TransactionType::PurchaseWithCashback);
    }
    assert_eq!(authorization(&[]).details.cash, None);
}

#[test]
fn a_pin_block_and_chip_data_are_known_to_be_there_and_nothing_else() {
    let dialect = named("ascii-1987");
    let mut draft = Draft::new(&dialect, Mti::parse("0100").unwrap());
    draft.text(2, PAN).text(3, "010000").text(4, "000000001234").text(7, "1120193000").text(11, "000123");
    draft.text(49, "840").binary(52, &[0x1c; 8]).binary(55, b"\x9F\x27\x01\x80");
    let mut bytes = BytesMut::new();
    draft.encode_into(&mut bytes).unwrap();
    let message = dialect.decode(Bytes::from(bytes)).unwrap();
    let Ok(Incoming::Authorization(read)) = read_in(&dialect, &message, None) else { panic!("{message:?}") };
    assert_eq!(read.details.security.pin, PinResult::NotChecked);
    assert_eq!(read.details.security.cryptogram, CryptogramResult::NotChecked);
}
