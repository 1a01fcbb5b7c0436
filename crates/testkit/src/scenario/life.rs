//! The words of a message that place it in the life of a transaction, and what an operator may do about a hold.

use super::Story;
use super::messages::{money, stan_word};
use crate::finding::Finding;
use crate::script::Line;
use authorizer::{Change, TransactionView};
use domain::{
    ApprovalCode, Authorization, ClearingData, NetworkReference, OriginalReferences, ProcessingCode, Purpose,
    Text,
};

impl Story {
    /// The transactions of every card.
    pub(super) fn all_transactions(&self) -> impl Iterator<Item = TransactionView> {
        self.cards.values().flat_map(|(card, _)| self.world.transactions(*card))
    }

    /// `release 000001`: an operator ends a hold early.
    pub(super) fn release(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let stan = stan_word(line)?;
        line.end()?;
        let found = self.all_transactions().filter(|view| view.stan == stan).map(|view| view.id.number).max();
        let transaction =
            found.ok_or_else(|| line.finding(&format!("no transaction has the trace number {stan}")))?;
        self.change(Change::ReleaseHold { transaction, note: Text::EMPTY })
    }
}

/// Says whether `found` is one of these words.
pub(super) fn detail(
    story: &Story,
    found: &str,
    request: &mut Authorization,
    line: &mut Line<'_>,
) -> Result<bool, Finding> {
    let details = &mut request.details;
    match found {
        "refund" => request.processing_code = ProcessingCode(200_000),
        "cash" => request.processing_code = ProcessingCode(10_000),
        "type" => request.processing_code = line.read(TYPES, processing_code)?,
        "cashback" => {
            request.processing_code = ProcessingCode(90_000);
            details.cash = Some(money(line)?);
        }
        "balances" => details.balances_wanted = true,
        "preauth" => details.purpose = Purpose::PreAuthorization,
        "estimated" => details.purpose = Purpose::Estimated,
        "verification" => details.purpose = Purpose::Verification,
        "incremental" => details.incremental = true,
        "original" => {
            let stan = stan_word(line)?;
            let mut sent = story.sent.iter();
            let transmission =
                sent.find(|((_, known), _)| *known == stan).map(|(_, transmission)| *transmission);
            details.original = Some(OriginalReferences {
                stan: Some(stan),
                transmission,
                ..details.original.unwrap_or_default()
            });
        }
        "approval-of" => {
            let stan = stan_word(line)?;
            let code =
                story.all_transactions().filter(|view| view.stan == stan).find_map(|view| view.approval_code);
            let code = code.ok_or_else(|| line.finding(&format!("{stan} has no approval code")))?;
            let original = details.original.unwrap_or_default();
            details.original = Some(OriginalReferences { approval_code: Some(code), ..original });
        }
        "code" => {
            let code = line.read("six digits or capital letters", ApprovalCode::parse)?;
            let original = details.original.unwrap_or_default();
            details.original = Some(OriginalReferences { approval_code: Some(code), ..original });
        }
        "network" => {
            details.network_reference =
                Some(line.read("up to 16 characters", |word| NetworkReference::new(word).ok())?);
        }
        "arn" => {
            let arn = line.read("up to 23 digits", |word| Text::new(word).ok())?;
            details.clearing = Some(ClearingData { arn: Some(arn), ..details.clearing.unwrap_or_default() });
        }
        "final" => {
            details.clearing = Some(ClearingData { is_final: true, ..details.clearing.unwrap_or_default() });
        }
        "part" => {
            let sequence = line.read("a number", |word| word.parse().ok())?;
            line.keyword("of")?;
            let of = line.read("a number", |word| word.parse().ok())?;
            details.clearing = Some(ClearingData { sequence, of, ..details.clearing.unwrap_or_default() });
        }
        _ => return Ok(false),
    }
    Ok(true)
}

const TYPES: &str =
    "quasi_cash, account_funding, payment, original_credit, balance, verification or transfer";

fn processing_code(word: &str) -> Option<ProcessingCode> {
    let code = match word {
        "account_funding" => 100_000,
        "quasi_cash" => 110_000,
        "original_credit" => 260_000,
        "balance" => 300_000,
        "verification" => 330_000,
        "transfer" => 400_000,
        "payment" => 500_000,
        _ => return None,
    };
    Some(ProcessingCode(code))
}
