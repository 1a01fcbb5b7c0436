//! A reversal: which message it undoes, and how much of it stays.

use super::amounts::{money, new_total, original_amount};
use super::references::{acquirer, approval_code, network_reference, original, rrn, stan, transmission};
use super::request::card_number;
use super::{ElementFault, Reading, class_of};
use domain::Reversal;
use iso8583::{Message, TextAt};

/// A reversal names its original, or else has its references: networks do one or the other.
pub(super) fn reversal(message: &Message, reading: Reading<'_>) -> Result<Reversal, ElementFault> {
    let (own_stan, own_transmission) = (stan(message)?, transmission(message)?);
    let own_acquirer = Some(acquirer(message)?).filter(|_| message.has(32));
    let pan = card_number(message)?;
    // Where DE 4 is the new total, the original's amount stands elsewhere.
    let new_total = new_total(message)?;
    let locations = reading.dialect.locations();
    let replaced = new_total.is_some() && locations.element_of(TextAt::NewTotal) == Some(4);
    let amount = match original_amount(message) {
        Some(amount) => Some(amount),
        None if replaced => None,
        // The amount only helps to choose among several originals: a reversal is taken without it (E40).
        None => money(message, 4, 49).unwrap_or(None),
    };
    let base = Reversal {
        card: reading.tokens.token(&pan),
        stan: own_stan,
        transmission: Some(own_transmission),
        acquirer: own_acquirer,
        rrn: rrn(message, &pan)?,
        amount,
        new_total,
        network_reference: network_reference(message, &pan),
        approval_code: approval_code(message),
        original_class: None,
    };
    let Some(named) = original(message, reading)? else { return Ok(base) };
    let original_class = named.data.mti.and_then(class_of);
    if named.stan.is_none() && named.transmission.is_none() {
        return Ok(Reversal { original_class, ..base });
    }
    Ok(Reversal {
        stan: named.stan.unwrap_or(own_stan),
        transmission: named.transmission,
        acquirer: named.acquirer.or(own_acquirer),
        original_class,
        ..base
    })
}
