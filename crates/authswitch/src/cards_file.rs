//! Cards to pay with, from a file that was imported: its card lines, and whether each card should be approved.
//!
//! A card that is frozen, closed, not yet active or expired is expected to be declined for it; any other card is
//! taken for a good one, and what its limits and controls decline is counted as a decline that nobody provoked.

use anyhow::{Context, anyhow, bail};
use domain::{AccountId, CardId, Currency, Expiry, FundingMode, Pan};
use serde::Deserialize;
use simulators::processor::{Refusal, Role, SimulatedCard};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

#[derive(Deserialize)]
struct Line {
    card: Option<CardLine>,
}

/// What a payment needs of a card line; the switch has checked the rest.
#[derive(Deserialize)]
struct CardLine {
    id: CardId,
    number: String,
    account: AccountId,
    currency: Currency,
    expiry: String,
    funding: FundingMode,
    status: Option<String>,
}

/// The cards of a file.
///
/// # Errors
/// With file and line; never with what stands there, which may be a card number.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<SimulatedCard>> {
    let name = file.display();
    let lines = BufReader::new(File::open(file).with_context(|| format!("{name} cannot be read"))?).lines();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut cards = Vec::new();
    for (number, line) in (1_u64..).zip(lines) {
        let line = line.with_context(|| format!("{name}:{number} cannot be read"))?;
        let parsed: Option<Line> = (!line.trim().is_empty())
            .then(|| serde_json::from_str(&line))
            .transpose()
            // The error of the parser may repeat a value, so only its place is passed on.
            .map_err(|error| {
                anyhow!("{name}:{number}: column {} is not as a card line has it", error.column())
            })?;
        if let Some(card) = parsed.and_then(|line| line.card) {
            cards.push(simulated(card, today).with_context(|| format!("{name}:{number}"))?);
        }
    }
    if cards.is_empty() {
        bail!("{name} holds no card line");
    }
    Ok(cards)
}

fn simulated(card: CardLine, today: jiff::civil::Date) -> anyhow::Result<SimulatedCard> {
    let number = Pan::issue(card.number.as_bytes()).context("card.number")?;
    let expiry = Expiry::parse(&card.expiry).context("card.expiry")?;
    let month = (i32::from(expiry.year()), i32::from(expiry.month()));
    let is_over = month < (i32::from(today.year()), i32::from(today.month()));
    let role = match card.status.as_deref() {
        Some("frozen") => Role::Refused(Refusal::Frozen),
        Some("closed") => Role::Refused(Refusal::Closed),
        Some("not_yet_active") => Role::Refused(Refusal::NotYetActive),
        Some(_) | None if is_over => Role::Refused(Refusal::Expired),
        Some(_) | None => Role::Good,
    };
    Ok(SimulatedCard {
        id: card.id,
        number,
        account: card.account,
        currency: card.currency,
        expiry,
        funding: card.funding,
        role,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(lines: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines).unwrap();
        file
    }

    fn card(status: &str, expiry: &str) -> String {
        format!(
            r#"{{"card": {{"id": "c", "number": "4242424242424242", "account": "a", "currency": "USD", "expiry": "{expiry}", "funding": "jit", "status": "{status}"}}}}"#
        )
    }

    #[test]
    fn card_lines_are_taken_and_a_card_that_cannot_pay_is_expected_to_be_declined() {
        let lines = [
            r#"{"account": {"id": "a", "asset": "USD"}}"#.to_owned(),
            String::new(),
            card("active", "2088-01"),
            card("frozen", "2088-01"),
            card("active", "2020-01"),
        ];
        let cards = read(write(&lines.join("\n")).path()).unwrap();
        let roles: Vec<Role> = cards.iter().map(|card| card.role).collect();
        assert_eq!(roles, [Role::Good, Role::Refused(Refusal::Frozen), Role::Refused(Refusal::Expired)]);
    }

    #[test]
    fn a_bad_line_is_named_and_its_card_number_is_not() {
        for bad in [
            card("active", "2088-13"),
            card("active", "2088-01").replace("4242424242424242", "4242424242424241"),
        ] {
            let error = format!("{:#}", read(write(&bad).path()).unwrap_err());
            assert!(error.contains(":1") && !error.contains("424242"), "{error}");
        }
        let error = read(write("{\"card\": \"4242424242424242\"}").path()).unwrap_err().to_string();
        assert!(error.contains(":1: column") && !error.contains("424242"), "{error}");
        assert!(read(write("").path()).unwrap_err().to_string().contains("holds no card line"));
    }
}
