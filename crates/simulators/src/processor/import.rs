//! A population as the JSON lines that the control API imports.

use super::card::{Refusal, Role, SimulatedCard};
use super::merchant::{BLOCKED_COUNTRY, BLOCKED_MCC, BLOCKED_MERCHANT};
use super::population::{Population, SimulatedAccount, SimulatedRate};
use domain::FundingMode;
use serde_json::{Value, json};

impl Population {
    /// The lines to import, in an order in which each finds what it needs: rates, accounts, credits, cards.
    /// These lines hold card numbers in clear: they are for the control API and for no log.
    pub fn import_lines(&self) -> impl Iterator<Item = String> {
        let rates = self.rates.iter().map(rate_line);
        let accounts = self.accounts.iter().map(account_line);
        let credits = self.accounts.iter().filter(|account| account.in_switch.0 > 0).map(credit_line);
        let issued = |card: &&SimulatedCard| card.role != Role::Refused(Refusal::UnknownCard);
        let cards = self.cards.iter().filter(issued).map(card_line);
        rates.chain(accounts).chain(credits).chain(cards).map(|line| line.to_string())
    }
}

fn rate_line(rate: &SimulatedRate) -> Value {
    json!({"rate": {"from": rate.from, "to": rate.to, "value": rate.value, "source": "simulator",
        "max_age": "24h", "id": format!("{}-{}", rate.from, rate.to)}})
}

fn account_line(account: &SimulatedAccount) -> Value {
    json!({"account": {"id": account.id.as_str(), "asset": account.asset.code().as_str()}})
}

fn credit_line(account: &SimulatedAccount) -> Value {
    // Text, because units of an asset may exceed what a JSON number holds.
    let units = account.in_switch.0.to_string();
    json!({"credit": {"account": account.id.as_str(), "amount": {"units": units}, "note": "opening balance"}})
}

fn card_line(card: &SimulatedCard) -> Value {
    let number = String::from_utf8_lossy(card.number.expose());
    let expiry = format!("{:04}-{:02}", card.expiry.year(), card.expiry.month());
    let funding = match card.funding {
        FundingMode::PreFunded => "pre_funded",
        FundingMode::Jit => "jit",
    };
    let mut line = json!({"id": card.id.as_str(), "number": number, "account": card.account.as_str(),
        "currency": card.currency.alpha(), "expiry": expiry, "funding": funding,
        "status": status(card.role), "limits": limits(card.role)});
    if let (Some(controls), Some(fields)) = (controls(card.role), line.as_object_mut()) {
        fields.insert("controls".into(), controls);
    }
    json!({ "card": line })
}

fn status(role: Role) -> &'static str {
    let statuses =
        [(Refusal::Frozen, "frozen"), (Refusal::Closed, "closed"), (Refusal::NotYetActive, "not_yet_active")];
    let special = statuses.into_iter().find(|(refusal, _)| role == Role::Refused(*refusal));
    special.map_or("active", |(_, status)| status)
}

/// Every card has a limit per transaction, day and month; those of a refused card are tight.
fn limits(role: Role) -> Value {
    let transaction = if role == Role::Refused(Refusal::TransactionLimit) { "1.00" } else { "5000.00" };
    let day_amount = if role == Role::Refused(Refusal::DayAmount) { "1.00" } else { "10000000.00" };
    let day_count = if role == Role::Refused(Refusal::DayCount) { 0 } else { 1_000_000 };
    json!([
        {"window": "transaction", "amount_max": transaction},
        {"window": "day", "zone": "Europe/Berlin", "amount_max": day_amount, "count_max": day_count},
        {"window": "month", "zone": "Europe/Berlin", "amount_max": "90000000.00"},
    ])
}

fn controls(role: Role) -> Option<Value> {
    let mcc = format!("{BLOCKED_MCC:04}");
    let controls = [
        (Refusal::BlockedMcc, json!({"mcc": {"blocked": [mcc]}})),
        (Refusal::BlockedCountry, json!({"country": {"blocked": [BLOCKED_COUNTRY]}})),
        (Refusal::BlockedCurrency, json!({"currency": {"allowed": ["USD"]}})),
        (Refusal::BlockedMerchant, json!({"merchant": {"blocked": [BLOCKED_MERCHANT]}})),
    ];
    let special = controls.into_iter().find(|(refusal, _)| role == Role::Refused(*refusal));
    special.map(|(_, controls)| controls)
}
