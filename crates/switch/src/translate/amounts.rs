//! Money on the wire: amounts with their currencies, the cash part, what stays after a partial reversal, and the
//! balances of an answer.

use super::ElementFault;
use domain::{Balances, Currency, Money, TransactionType};
use iso8583::{AdditionalAmount, AmountKind, Message, TextAt};

/// An amount and its currency; `None` when the amount was not sent.
pub(super) fn money(message: &Message, amount: u8, currency: u8) -> Result<Option<Money>, ElementFault> {
    if !message.has(amount) {
        return Ok(None);
    }
    let minor = message.number(amount).and_then(|minor| i64::try_from(minor).ok());
    Ok(Some(Money::new(minor.ok_or(ElementFault(amount))?, currency_in(message, currency)?)))
}

/// DE 4 and DE 49. A question that moves nothing may leave the amount out.
pub(super) fn asked(message: &Message, kind: TransactionType) -> Result<Money, ElementFault> {
    match money(message, 4, 49)? {
        Some(amount) => Ok(amount),
        None if kind.is_inquiry() => Ok(Money::new(0, currency_in(message, 49)?)),
        None => Err(ElementFault(4)),
    }
}

/// DE 6 and DE 51, where the network converted.
pub(super) fn billing(message: &Message) -> Option<Money> {
    money(message, 6, 51).unwrap_or(None)
}

fn currency_in(message: &Message, element: u8) -> Result<Currency, ElementFault> {
    let text = message.characters(element).ok_or(ElementFault(element))?;
    // Digits alone, but for some who fill up with spaces.
    let code = match text.number() {
        Some(code) => u16::try_from(code).ok(),
        None => text.as_str().trim().parse().ok(),
    };
    Currency::from_numeric(code.ok_or(ElementFault(element))?).map_err(|_| ElementFault(element))
}

/// The cash that is handed out with a purchase, among the additional amounts. Some networks sign it as a debit.
pub(super) fn cash(message: &Message) -> Option<Money> {
    let cash = message.additional_amounts().find(|amount| amount.kind == AmountKind::Cashback)?;
    Some(Money::new(cash.minor.checked_abs()?, Currency::from_numeric(cash.currency).ok()?))
}

/// What a transaction comes to in the end; `None` where all of it is undone, which zeros say too.
pub(super) fn new_total(message: &Message) -> Result<Option<Money>, ElementFault> {
    amount_at(message, TextAt::NewTotal).map(|minor| in_own_currency(message, minor)).transpose()
}

/// The amount of the message that this one follows, where it is said apart.
pub(super) fn original_amount(message: &Message) -> Option<Money> {
    in_own_currency(message, amount_at(message, TextAt::OriginalAmount)?).ok()
}

fn amount_at(message: &Message, at: TextAt) -> Option<i64> {
    message.number_at(at).and_then(|minor| i64::try_from(minor).ok()).filter(|minor| *minor > 0)
}

fn in_own_currency(message: &Message, minor: i64) -> Result<Money, ElementFault> {
    Ok(Money::new(minor, currency_in(message, 49)?))
}

/// The balances as an answer to `request` carries them: of the account that the processing code names.
pub(super) fn balance_amounts(request: &Message, balances: Balances) -> [AdditionalAmount; 2] {
    let amount = |kind, money: Money| additional(request, kind, money);
    [amount(AmountKind::Ledger, balances.ledger), amount(AmountKind::Available, balances.available)]
}

/// One additional amount of an answer to `request`.
pub(super) fn additional(request: &Message, kind: AmountKind, money: Money) -> AdditionalAmount {
    let account = request.number(3).map_or(0, |code| code / 100 % 100);
    AdditionalAmount {
        account: u8::try_from(account).unwrap_or(0),
        kind,
        currency: money.currency().numeric(),
        minor: money.minor(),
    }
}
