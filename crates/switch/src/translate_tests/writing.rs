//! Answers, in the words of each dialect.

use super::*;
use authorizer::{Answer, FundingPath};
use domain::{
    Balances, LimitLeft, LimitOwner, Measure, Reason, ReversalMatch, ShardId, TransactionId, TransactionNo,
    Window,
};
use iso8583::{FrameFormat, LengthHeader};

/// Every shipped dialect with the first digit of its message types.
fn dialects() -> impl Iterator<Item = (Dialect, char)> {
    let edition = |name: &str| if name == "ascii-1993" { '1' } else { '0' };
    iso8583::SHIPPED.iter().map(move |(name, _)| (named(name), edition(name)))
}

fn code() -> ApprovalCode {
    ApprovalCode::of(TransactionId { shard: ShardId(3), number: TransactionNo(7) })
}

fn answer(reason: Reason) -> Answer {
    let approval_code = reason.is_approval().then(code);
    Answer::Authorization {
        reason,
        approval_code,
        part: None,
        balances: None,
        limit: None,
        path: FundingPath::Cache,
    }
}

fn written(dialect: &Dialect, request: &Message, answer: &Answer) -> Message {
    let frame = FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };
    let mut out = BytesMut::new();
    Writer::new(dialect, frame, None).decided(request, answer, &mut out).unwrap();
    dialect.decode(out.freeze().slice(2..)).unwrap()
}

fn text(message: &Message, element: u8) -> String {
    message.text(element).unwrap_or_default().into_owned()
}

#[test]
fn an_approval_has_its_code_and_what_the_processor_matches_it_by() {
    for (dialect, edition) in dialects() {
        for (mti, answered) in
            [("100", "110"), ("101", "110"), ("200", "210"), ("220", "230"), ("121", "130")]
        {
            let request = least_in(&dialect, &format!("{edition}{mti}"), &[(37, "632518000123")]);
            let answer = written(&dialect, &request, &answer(Reason::Approved));
            let name = dialect.name();
            assert_eq!(answer.mti().to_string(), format!("{edition}{answered}"), "{name}");
            for element in [2, 3, 4, 7, 11, 37, 49] {
                assert_eq!(text(&answer, element), text(&request, element), "{name}: DE {element}");
            }
            assert_eq!(text(&answer, 38), code().to_string(), "{name}");
            assert_eq!(Some(&*text(&answer, 39)), dialect.response_code("approved"), "{name}");
            assert!(!answer.has(44) && !answer.has(54) && !answer.has(30), "{name}: {answer:?}");
        }
    }
}

#[test]
fn a_decline_says_more_where_there_is_room_for_it() {
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[]);
        let answer = written(&dialect, &request, &answer(Reason::InsufficientFunds));
        assert_eq!(Some(&*text(&answer, 39)), dialect.response_code("insufficient_funds"));
        assert!(!answer.has(38));
        match dialect.locations().response_detail() {
            Some((element, _)) => assert!(text(&answer, element).starts_with("insufficient_funds")),
            None => assert!(!answer.has(44), "{}", dialect.name()),
        }
    }
}

#[test]
fn what_is_left_of_the_limit_that_declined_is_told_where_there_is_room_for_it() {
    let limit =
        LimitLeft { owner: LimitOwner::Card, window: Window::Day, measure: Measure::Amount, left: 1_250 };
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[]);
        let refused = Answer::Authorization {
            reason: Reason::AmountLimit,
            approval_code: None,
            part: None,
            balances: None,
            limit: Some(limit),
            path: FundingPath::Cache,
        };
        let answer = written(&dialect, &request, &refused);
        match dialect.locations().response_detail() {
            Some((element, _)) => {
                assert_eq!(text(&answer, element), "amount_limit day 1250", "{}", dialect.name())
            }
            None => assert!(!answer.has(44), "{}", dialect.name()),
        }
    }
}

#[test]
fn an_advice_is_acknowledged_whatever_is_thought_of_it() {
    for (dialect, edition) in dialects() {
        for mti in ["120", "220"] {
            let request = least_in(&dialect, &format!("{edition}{mti}"), &[(38, "ABC123")]);
            let approved = written(&dialect, &request, &answer(Reason::Approved));
            assert_eq!(text(&approved, 38), "ABC123", "what the network approved keeps the network's code");
            let unknown = written(&dialect, &request, &answer(Reason::UnknownCard));
            assert_eq!(Some(&*text(&unknown, 39)), dialect.response_code("accepted"));
            assert!(!unknown.has(44));
        }
    }
}

#[test]
fn balances_are_told_for_the_account_of_the_processing_code_with_their_signs() {
    let balances = Some(Balances { ledger: usd(10_000), available: usd(-250) });
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[(3, "301000"), (4, "000000000000")]);
        let answer = Answer::Authorization {
            reason: Reason::Approved,
            approval_code: Some(code()),
            part: None,
            balances,
            limit: None,
            path: FundingPath::Cache,
        };
        let answer = written(&dialect, &request, &answer);
        let expected = "1001840C0000000100001002840D000000000250";
        assert_eq!(text(&answer, 54), expected, "{}", dialect.name());
    }
}

#[test]
fn a_part_is_told_beside_what_was_asked() {
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[]);
        let part = Answer::Authorization {
            reason: Reason::ApprovedPartially,
            approval_code: Some(code()),
            part: Some(usd(1_000)),
            balances: Some(Balances { ledger: usd(1_000), available: usd(0) }),
            limit: None,
            path: FundingPath::Cache,
        };
        let answer = written(&dialect, &request, &part);
        let name = dialect.name();
        assert_eq!(answer.number(4), Some(1_000), "{name}");
        assert_eq!(Some(&*text(&answer, 39)), dialect.response_code("approved_partially"), "{name}");
        let balances = "0001840C0000000010000002840C000000000000";
        if edition == '1' {
            assert_eq!(text(&answer, 30), "000000001234000000000000", "an element of its own");
            assert_eq!(text(&answer, 54), balances);
        } else {
            assert_eq!(text(&answer, 54), format!("0057840C000000001234{balances}"), "{name}");
        }
    }
}

#[test]
fn a_verification_is_answered_as_the_dialect_says() {
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[(3, "330000")]);
        let answer = written(&dialect, &request, &answer(Reason::NoReasonToDecline));
        let expected = if edition == '1' { "000" } else { "85" };
        assert_eq!(text(&answer, 39), expected, "{}", dialect.name());
    }
}

#[test]
fn a_reversal_is_acknowledged_with_its_original_data() {
    for (dialect, edition) in dialects() {
        let (element, data) = if edition == '1' {
            (56, "11000000422611191200000512345".to_owned())
        } else {
            (90, format!("0100000042111908000000000012345{:011}", 0))
        };
        for (mti, answered) in [("400", "410"), ("420", "430"), ("421", "430")] {
            let request = least_in(&dialect, &format!("{edition}{mti}"), &[(element, &data)]);
            let answer = written(&dialect, &request, &Answer::Reversal(ReversalMatch::Matched));
            assert_eq!(answer.mti().to_string(), format!("{edition}{answered}"));
            assert_eq!(Some(&*text(&answer, 39)), dialect.response_code("accepted"));
            assert_eq!(text(&answer, element), data, "{}", dialect.name());
            assert!(!answer.has(38));
        }
    }
}

#[test]
fn an_element_at_fault_is_named_where_there_is_room_for_it() {
    for (dialect, edition) in dialects() {
        let request = least_in(&dialect, &format!("{edition}100"), &[]);
        let frame = FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };
        let mut out = BytesMut::new();
        Writer::new(&dialect, frame, None).format_error(&request, Some(7), &mut out).unwrap();
        let answer = dialect.decode(out.freeze().slice(2..)).unwrap();
        assert_eq!(Some(&*text(&answer, 39)), dialect.response_code("format_error"));
        let expected = if dialect.locations().response_detail().is_some() { "007" } else { "" };
        assert_eq!(text(&answer, 44), expected, "{}", dialect.name());
    }
}
