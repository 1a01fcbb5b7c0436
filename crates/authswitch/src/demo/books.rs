//! Three books beside one another: what the processor saw, what the switch holds, what the balance service holds.
//!
//! The processor's book is in card currencies and comes from answers alone. The switch's is read account by account
//! through the control API (see `switch_books`). The balance service's is its own ledger. The rates of the demo turn every cent into a
//! whole number of an asset's units, so that sums convert exactly and no rounding can hide a difference.

use super::switch_books::SwitchBooks;
use anyhow::{Context, anyhow, bail};
use domain::{AccountId, Asset, AssetCode, Currency, Units};
use simulators::balance_service::BooksView;
use simulators::processor::{Books, Population, SimulatedAccount, SimulatedRate};
use simulators::report::{BooksTable, Figure};
use std::collections::{BTreeMap, HashMap};

/// The columns.
const BOOKS: [&str; 3] = ["processor", "switch", "balance service"];

/// Compares the books of every account of the population, and their sums by asset.
///
/// # Errors
/// An account of the population is missing in the switch, or an amount cannot be converted exactly.
pub(super) fn compare(
    population: &Population,
    processor: &Books,
    switch: &SwitchBooks,
    service: &BooksView,
) -> anyhow::Result<BooksTable> {
    let open = open_by_account(population, processor)?;
    let ledger = service_ledger(service);
    let mut table = BooksTable::of(&BOOKS);
    let mut sums: BTreeMap<(AssetCode, &'static str), Sums> = BTreeMap::new();
    for account in &population.accounts {
        let mine = switch
            .accounts
            .get(&account.id)
            .with_context(|| format!("{} is not in the switch", account.id))?;
        let Seen { open, spent } = open.get(&account.id).copied().unwrap_or_default();
        let figure = |units| Some(Figure::money(units, account.asset.decimals()));
        let code = account.asset.code();
        let funding = funding_of(account);
        let sum = sums.entry((code, funding)).or_insert_with(|| Sums::new(account.asset.decimals()));
        sum.add(open, mine.held);
        match account.in_balance_service {
            None => {
                table.compare(format!("{} held", account.id), &[figure(open), figure(mine.held), None]);
                // Nobody else moves this money: what is left must be the opening credit less what was paid and the open holds.
                let left = account.in_switch.0.checked_sub(spent).and_then(|left| left.checked_sub(open));
                let left = left.context("an amount out of range")?;
                let what = format!("{} available", account.id);
                table.compare(what, &[figure(left), figure(mine.available), None]);
            }
            Some(opening) => {
                let (held, available) = ledger.get(&(account.id, code)).copied().unwrap_or((0, opening.0));
                sum.add_service(held);
                let what = format!("{} held", account.id);
                table.compare(what, &[figure(open), figure(mine.held), figure(held)]);
                let left = opening.0.checked_sub(spent).and_then(|left| left.checked_sub(open));
                let left = left.context("an amount out of range")?;
                let what = format!("{} available at the balance service", account.id);
                table.compare(what, &[figure(left), None, figure(available)]);
            }
        }
    }
    add_rows(&mut table, &sums, &switch.held_by_asset);
    Ok(table)
}

/// Sums over the accounts of one asset and one way of funding.
struct Sums {
    decimals: u8,
    processor: i128,
    switch: i128,
    service: Option<i128>,
}

impl Sums {
    const fn new(decimals: u8) -> Self {
        Self { decimals, processor: 0, switch: 0, service: None }
    }

    const fn add(&mut self, processor: i128, switch: i128) {
        self.processor = self.processor.saturating_add(processor);
        self.switch = self.switch.saturating_add(switch);
    }

    fn add_service(&mut self, held: i128) {
        self.service = Some(self.service.unwrap_or(0).saturating_add(held));
    }
}

const fn funding_of(account: &SimulatedAccount) -> &'static str {
    match account.in_balance_service {
        None => "pre-funded",
        Some(_) => "JIT",
    }
}

fn add_rows(
    table: &mut BooksTable,
    sums: &BTreeMap<(AssetCode, &'static str), Sums>,
    totals: &BTreeMap<String, i128>,
) {
    let mut by_asset: BTreeMap<AssetCode, Sums> = BTreeMap::new();
    for ((asset, funding), sum) in sums {
        let figure = |units| Some(Figure::money(units, sum.decimals));
        let service = sum.service.and_then(figure);
        table.row(
            format!("held {funding}, {asset}"),
            vec![figure(sum.processor), figure(sum.switch), service],
        );
        let whole = by_asset.entry(*asset).or_insert_with(|| Sums::new(sum.decimals));
        whole.add(sum.processor, sum.switch);
    }
    // The switch adds up its shards by itself; its sums must be those of its accounts.
    for (asset, sum) in by_asset {
        let total = totals.get(asset.as_str()).copied().unwrap_or(0);
        let figure = |units| Some(Figure::money(units, sum.decimals));
        table.row(format!("held in all, {asset}"), vec![figure(sum.processor), figure(total), None]);
    }
}

/// What the processor thinks of an account, in units of its asset.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// Held.
    open: i128,
    /// Paid, less what came back.
    spent: i128,
}

/// What the processor thinks of each account.
fn open_by_account(population: &Population, processor: &Books) -> anyhow::Result<HashMap<AccountId, Seen>> {
    let accounts: HashMap<AccountId, &SimulatedAccount> =
        population.accounts.iter().map(|account| (account.id, account)).collect();
    let mut open: HashMap<AccountId, Seen> = HashMap::new();
    for ((id, currency), book) in processor.by_account() {
        let account = accounts.get(&id).with_context(|| format!("{id} is not in the population"))?;
        let units = |minor| {
            in_units(minor, currency, account, &population.rates)
                .with_context(|| format!("{id}: {currency} in {}", account.asset.code()))
        };
        let seen = open.entry(id).or_default();
        let add = |sum: i128, more: i128| sum.checked_add(more).context("an amount out of range");
        seen.open = add(seen.open, units(book.open().minor)?)?;
        seen.spent = add(seen.spent, units(book.spent())?)?;
    }
    Ok(open)
}

fn in_units(
    minor: i128,
    currency: &str,
    account: &SimulatedAccount,
    rates: &[SimulatedRate],
) -> anyhow::Result<i128> {
    let asset = account.asset.code();
    if asset.as_str() == currency {
        return Ok(minor);
    }
    let rate = rates.iter().find(|rate| rate.from == currency && rate.to == asset.as_str());
    let rate = rate.context("there is no rate")?;
    let decimals_of_currency = Asset::of(Currency::from_alpha(currency)?).decimals();
    let factor = units_of_one_minor(rate.value, decimals_of_currency, account.asset.decimals())?;
    minor.checked_mul(factor).context("an amount out of range")
}

/// How many units one minor unit is worth; fails where that is no whole number.
fn units_of_one_minor(rate: &str, from_decimals: u8, to_decimals: u8) -> anyhow::Result<i128> {
    let (whole, fraction) = rate.split_once('.').unwrap_or((rate, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().with_context(|| format!("rate {rate:?}"))?;
    let scale = u32::try_from(fraction.len())?.saturating_add(from_decimals.into());
    match u32::from(to_decimals).checked_sub(scale).map(|exponent| 10_i128.checked_pow(exponent)) {
        Some(Some(power)) => digits.checked_mul(power).context("a rate out of range"),
        Some(None) => Err(anyhow!("a rate out of range")),
        None => bail!(
            "at rate {rate}, one unit with {from_decimals} decimals is no whole number of units with {to_decimals}, so sums \
             of rounded amounts cannot be compared"
        ),
    }
}

/// Held and available of each account of the balance service.
fn service_ledger(service: &BooksView) -> HashMap<(AccountId, AssetCode), (i128, i128)> {
    let book = |Units(units)| units;
    let entry = |account: &simulators::balance_service::AccountBook| {
        ((account.account, account.asset), (book(account.held), book(account.available)))
    };
    service.accounts.iter().map(entry).collect()
}

#[cfg(test)]
#[path = "books_tests.rs"]
mod tests;
