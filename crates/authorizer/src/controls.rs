//! The rules that need no counter: card state, security, transaction type, country, currency, MCC, merchant.
//!
//! Every rule is evaluated even after one has failed, so that support can see all of them (E33, P8).

use crate::shard::Card;
use domain::{Authorization, CardStatus, Expiry, Failure, Reason, Text, Timestamp, TransactionType};

/// Whether the request takes money from the cardholder: by its type, and an amount above zero.
pub(crate) fn takes_money(request: &Authorization) -> bool {
    request.transaction_type().is_debit() && request.amount.minor() > 0
}

/// Adds every rule that `request` breaks on `card`.
pub(crate) fn check(card: &Card, request: &Authorization, now: Timestamp, failures: &mut Vec<Failure>) {
    let mut fail_unless = |holds: bool, reason: Reason| {
        if !holds {
            failures.push(reason.into());
        }
    };
    if let Some(reason) = state_failure(card.status) {
        fail_unless(false, reason);
    }
    fail_unless(!is_over(card.expiry, now), Reason::CardExpired);
    fail_unless(request.expiry.is_none_or(|expiry| expiry == card.expiry), Reason::ExpiryMismatch);
    let kind = request.transaction_type();
    fail_unless(kind != TransactionType::Other, Reason::TransactionTypeNotAllowed);
    fail_unless(kind.is_inquiry() || request.amount.minor() > 0, Reason::InvalidAmount);
    let Some(controls) = card.controls() else { return };
    let merchant = &request.merchant;
    let merchant_id = Some(&merchant.id).filter(|id: &&Text<15>| !id.is_empty());
    fail_unless(controls.country.permits(merchant.country.as_ref()), Reason::CountryNotAllowed);
    fail_unless(controls.currency.permits(Some(&request.amount.currency())), Reason::CurrencyNotAllowed);
    fail_unless(controls.mcc.permits(merchant.mcc.as_ref()), Reason::MccNotAllowed);
    fail_unless(controls.merchant.permits(merchant_id), Reason::MerchantNotAllowed);
}

/// Why a card in this state cannot pay, if so.
pub(crate) const fn state_failure(status: CardStatus) -> Option<Reason> {
    match status {
        CardStatus::Active => None,
        CardStatus::NotYetActive => Some(Reason::CardNotYetActive),
        CardStatus::Frozen => Some(Reason::CardFrozen),
        CardStatus::Closed => Some(Reason::CardClosed),
    }
}

/// Whether the card's last month is over, in UTC.
fn is_over(expiry: Expiry, now: Timestamp) -> bool {
    let first = |year: u16, month: u8| days_from_civil(i64::from(year), i64::from(month));
    let next_month = match expiry.month() {
        12 => first(expiry.year() + 1, 1),
        month => first(expiry.year(), month + 1),
    };
    now >= Timestamp::from_seconds(next_month * 86_400)
}

/// Days from 1970-01-01 to the first of a month in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day comes last and months have a regular pattern of lengths.
fn days_from_civil(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 719468 days lie between 0000-03-01 and 1970-01-01.
    year * 365 + leap_days + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    #[test]
    fn a_card_is_good_to_the_last_moment_of_its_month() {
        for (expiry, last, over) in [
            ("2026-11", "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z"),
            ("2026-12", "2026-12-31T23:59:59.999999Z", "2027-01-01T00:00:00Z"),
            ("2028-02", "2028-02-29T23:59:59.999999Z", "2028-03-01T00:00:00Z"),
        ] {
            let expiry = Expiry::parse(expiry).unwrap();
            assert!(!is_over(expiry, at(last)), "{last}");
            assert!(is_over(expiry, at(over)), "{over}");
        }
    }
}
