//! A population to load a switch with: accounts, cards of every role, limits, controls and rates.
//!
//! The same seed and sizes give the same population, card numbers included. [`Population::import_lines`]
//! renders it for the control API.
//!
//! Card numbers begin with 999999, a range that no network issues, and end with a true check digit.

use super::card::{Refusal, RefusalSource, Role, SimulatedCard};
use domain::{AccountId, Asset, AssetCode, CardId, Currency, Expiry, FundingMode, Pan, Units};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// How large a population is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PopulationSizes {
    /// Good cards whose money is in the switch.
    pub pre_funded_cards: u32,
    /// Good cards whose money is in the balance service.
    pub jit_cards: u32,
    /// Cards that share one account, at least 1.
    pub cards_per_account: u32,
    /// Cards for each decline that takes a special card.
    pub cards_per_refusal: u32,
    /// Whole units of money on each good account.
    pub funds: u64,
}

impl Default for PopulationSizes {
    /// Enough for a demo: funds and limits that half a minute of traffic does not exhaust.
    fn default() -> Self {
        Self {
            pre_funded_cards: 6_000,
            jit_cards: 2_000,
            cards_per_account: 2,
            cards_per_refusal: 20,
            funds: 10_000_000,
        }
    }
}

/// An account of the population.
#[derive(Clone, Copy, Debug)]
pub struct SimulatedAccount {
    /// The product's name for it.
    pub id: AccountId,
    /// The money it holds.
    pub asset: Asset,
    /// What is credited to it in the switch.
    pub in_switch: Units,
    /// What it holds in the balance service; `None` for an account that the balance service does not know.
    pub in_balance_service: Option<Units>,
}

/// A rate of the population, valid for a day from its import.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SimulatedRate {
    /// What is converted.
    pub from: &'static str,
    /// Into what.
    pub to: &'static str,
    /// Decimal text: units of `to` for one of `from`.
    pub value: &'static str,
}

/// Accounts, cards and rates.
#[derive(Clone, Debug)]
pub struct Population {
    /// The accounts.
    pub accounts: Vec<SimulatedAccount>,
    /// The cards, including those that are never issued.
    pub cards: Vec<SimulatedCard>,
    /// The rates.
    pub rates: Vec<SimulatedRate>,
}

/// Why no population could be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PopulationError {
    /// Card numbers of the test range count to ten million.
    #[error("{found} cards are more than the {max} that the test range 999999 holds")]
    TooManyCards {
        /// Cards asked for.
        found: u64,
        /// Cards possible.
        max: u64,
    },
    /// A word of the fixed tables does not fit the domain's types, or the funds do not fit.
    #[error("the population cannot be expressed: {what}")]
    Inexpressible {
        /// What does not fit, and why.
        what: String,
    },
}

impl PopulationError {
    fn of(error: &impl ToString) -> Self {
        Self::Inexpressible { what: error.to_string() }
    }
}

/// Card numbers are 999999, nine digits, and a check digit.
const CARDS_MAX: u64 = 1_000_000_000;

/// What an account with next to nothing has, in minor units.
const POOR_UNITS: i128 = 100;

/// The rates of the demo: fixed, because books are compared to the cent and not to a market.
const RATES: [SimulatedRate; 2] = [
    SimulatedRate { from: "USD", to: "USDT", value: "1.0007" },
    SimulatedRate { from: "EUR", to: "USDC", value: "1.0843" },
];

/// Makes the population of `seed`.
///
/// # Errors
/// [`PopulationError`] if more cards are asked for than the test range has, or the funds do not fit.
pub fn population(seed: u64, sizes: PopulationSizes) -> Result<Population, PopulationError> {
    let mut builder = Builder::new(seed, sizes)?;
    builder.good(FundingMode::PreFunded, sizes.pre_funded_cards)?;
    builder.good(FundingMode::Jit, sizes.jit_cards)?;
    let of_cards = |refusal: &&Refusal| refusal.source() == RefusalSource::Card;
    for refusal in Refusal::ALL.iter().filter(of_cards) {
        builder.refused(*refusal, sizes.cards_per_refusal)?;
    }
    let Builder { accounts, cards, .. } = builder;
    Ok(Population { accounts, cards, rates: RATES.to_vec() })
}

struct Builder {
    random: Xoshiro256PlusPlus,
    sizes: PopulationSizes,
    numbers: u64,
    accounts: Vec<SimulatedAccount>,
    cards: Vec<SimulatedCard>,
}

impl Builder {
    fn new(seed: u64, sizes: PopulationSizes) -> Result<Self, PopulationError> {
        let refusals = Refusal::ALL.len() as u64 * u64::from(sizes.cards_per_refusal);
        let found = u64::from(sizes.pre_funded_cards) + u64::from(sizes.jit_cards) + refusals;
        if found > CARDS_MAX {
            return Err(PopulationError::TooManyCards { found, max: CARDS_MAX });
        }
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Ok(Self { random, sizes, numbers: 0, accounts: Vec::new(), cards: Vec::new() })
    }

    /// Good cards, several to an account, in every pair of currency and asset.
    fn good(&mut self, funding: FundingMode, count: u32) -> Result<(), PopulationError> {
        let moneys = [("USD", "USD"), ("USD", "USDT"), ("EUR", "EUR"), ("EUR", "USDC")];
        let per_account = self.sizes.cards_per_account.max(1);
        let name = match funding {
            FundingMode::PreFunded => "cache",
            FundingMode::Jit => "jit",
        };
        let mut account = None;
        for index in 0..count {
            let (currency, asset) = match (index / per_account) % 4 {
                0 => moneys[0],
                1 => moneys[1],
                2 => moneys[2],
                _ => moneys[3],
            };
            if index % per_account == 0 {
                let id = format!("acct-{name}-{}", index / per_account);
                account = Some(self.account(&id, asset_of(asset)?, funding, None)?);
            }
            let Some(account) = account else { continue };
            let currency = currency_of(currency)?;
            self.card(&format!("card-{name}-{index}"), account, currency, funding, Role::Good)?;
        }
        Ok(())
    }

    /// Cards that provoke one decline, each with its own account.
    fn refused(&mut self, refusal: Refusal, count: u32) -> Result<(), PopulationError> {
        let funding = if refusal == Refusal::Unfunded { FundingMode::Jit } else { FundingMode::PreFunded };
        let units = if refusal == Refusal::Poor {
            Some(Units(POOR_UNITS))
        } else {
            (refusal == Refusal::Unfunded).then_some(Units(0))
        };
        let name = refusal.reason().as_str().replace('_', "-");
        for index in 0..count {
            let account = self.account(&format!("acct-{name}-{index}"), asset_of("USD")?, funding, units)?;
            let card = format!("card-{name}-{index}");
            self.card(&card, account, currency_of("USD")?, funding, Role::Refused(refusal))?;
        }
        Ok(())
    }

    fn account(
        &mut self,
        id: &str,
        asset: Asset,
        funding: FundingMode,
        units: Option<Units>,
    ) -> Result<AccountId, PopulationError> {
        let id = AccountId::new(id).map_err(|error| PopulationError::of(&error))?;
        let full = || {
            let whole = 10_i128.checked_pow(u32::from(asset.decimals()));
            let units = whole.and_then(|whole| whole.checked_mul(i128::from(self.sizes.funds)));
            let what = || PopulationError::Inexpressible { what: format!("funds of {}", self.sizes.funds) };
            units.map(Units).ok_or_else(what)
        };
        let units = units.map_or_else(full, Ok)?;
        let (in_switch, in_balance_service) = match funding {
            FundingMode::PreFunded => (units, None),
            FundingMode::Jit => (Units(0), Some(units)),
        };
        self.accounts.push(SimulatedAccount { id, asset, in_switch, in_balance_service });
        Ok(id)
    }

    fn card(
        &mut self,
        id: &str,
        account: AccountId,
        currency: Currency,
        funding: FundingMode,
        role: Role,
    ) -> Result<(), PopulationError> {
        let year = if role == Role::Refused(Refusal::Expired) { 2021 } else { 2088 };
        let year = year + self.random.random_range(0..4_u16);
        let month = self.random.random_range(1..=12_u8);
        let card = SimulatedCard {
            id: CardId::new(id).map_err(|error| PopulationError::of(&error))?,
            number: card_number(self.numbers)?,
            account,
            currency,
            expiry: Expiry::new(year, month).map_err(|error| PopulationError::of(&error))?,
            funding,
            role,
        };
        self.numbers += 1;
        self.cards.push(card);
        Ok(())
    }
}

/// The card number with this place in the test range.
fn card_number(place: u64) -> Result<Pan, PopulationError> {
    let payload = format!("999999{place:09}");
    // Counted from the right end of the payload, every other digit is doubled, beginning with the first.
    let sum: u32 = payload
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(digit - b'0') * if index % 2 == 0 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    let check = (10 - sum % 10) % 10;
    Pan::issue(format!("{payload}{check}").as_bytes()).map_err(|error| PopulationError::of(&error))
}

fn currency_of(code: &str) -> Result<Currency, PopulationError> {
    Currency::from_alpha(code).map_err(|error| PopulationError::of(&error))
}

fn asset_of(code: &str) -> Result<Asset, PopulationError> {
    match code {
        "USDT" | "USDC" => {
            let code = AssetCode::new(code).map_err(|error| PopulationError::of(&error))?;
            Asset::new(code, 6).map_err(|error| PopulationError::of(&error))
        }
        _ => currency_of(code).map(Asset::of),
    }
}

impl Population {
    /// What the balance service has to hold: account, money, units.
    pub fn balances(&self) -> impl Iterator<Item = (AccountId, Asset, Units)> {
        self.accounts
            .iter()
            .filter_map(|account| Some((account.id, account.asset, account.in_balance_service?)))
    }
}

#[cfg(test)]
#[path = "population_tests.rs"]
mod tests;
