//! What an answer has to be.

use super::clerk::{ResponseCode, is_approval, is_undecided};
use super::flight::Exchange;
use super::request::{Kind, Request, Sender};
use super::violation::ViolationKind;
use iso8583::{Message, Mti};

/// The promises that `answer` to `sent` breaks, each with what was found.
pub(crate) fn answer_to(
    sent: &Request,
    answer: &Message,
    sender: Sender<'_>,
) -> Vec<(ViolationKind, String)> {
    let mut broken = Vec::new();
    let expected = Mti::from_digits(sent.mti).and_then(Mti::answer);
    if expected != Some(answer.mti()) {
        let expected = expected.map_or_else(String::new, |mti| mti.to_string());
        broken.push((ViolationKind::WrongType, format!("MTI {}, expected {expected}", answer.mti())));
    }
    if let Some(de) = sent.first_not_echoed(sender, answer) {
        broken.push((ViolationKind::NotEchoed, format!("DE {de} is not as it was sent")));
    }
    let code = response_code(answer);
    if code.is_none() {
        broken.push((ViolationKind::NoResponseCode, "DE 39 is missing".into()));
    }
    let request = matches!(sent.kind, Kind::Purchase | Kind::Repeat) && !sent.is_advice();
    if request {
        broken.extend(approval_code(code, answer).map(|kind| (kind, shown(code))));
        let refusal = sent.purchase().and_then(|purchase| purchase.refusal);
        if let Some(refusal) = refusal.filter(|_| is_approval(code)) {
            let found = format!("{}, expected {}", shown(code), refusal.reason());
            broken.push((ViolationKind::ApprovedAgainstRules, found));
        }
    }
    broken
}

fn approval_code(code: Option<ResponseCode>, answer: &Message) -> Option<ViolationKind> {
    match (is_approval(code), answer.has(38)) {
        (true, false) => Some(ViolationKind::NoApprovalCode),
        (false, true) => Some(ViolationKind::NeedlessApprovalCode),
        (true, true) | (false, false) => None,
    }
}

/// Whether `body` is another answer than the first one to this exchange. The first is kept while it can be
/// repeated. An answer that the switch could not decide is no promise: the repeat is its second chance.
pub(crate) fn compare_with_first(exchange: &mut Exchange, code: Option<ResponseCode>, body: &[u8]) -> bool {
    match &exchange.first_answer {
        Some(first) => **first != *body,
        None => {
            if exchange.may_be_repeated() && !is_undecided(code) {
                exchange.first_answer = Some(body.into());
            }
            false
        }
    }
}

/// DE 39.
pub(crate) fn response_code(answer: &Message) -> Option<ResponseCode> {
    let text = answer.text(39)?;
    <[u8; 2]>::try_from(text.as_bytes()).ok()
}

fn shown(code: Option<ResponseCode>) -> String {
    code.map_or_else(
        || "no response code".to_owned(),
        |code| format!("response code {}", String::from_utf8_lossy(&code)),
    )
}
