//! The lines of a story that say how things stand: `expect A1 ledger 0.00 held 0.00`.

use super::Story;
use super::messages::stan_word;
use crate::finding::Finding;
use crate::script::Line;
use authorizer::{LimitView, TransactionState, TransactionView};
use domain::{Asset, RuleMode, Units, Window};

/// The windows that a limit may have.
pub(super) const WINDOWS: &str = "transaction, day, week, month or lifetime";

/// The window of a word.
pub(super) fn window(word: &str) -> Option<Window> {
    match word {
        "transaction" => Some(Window::Transaction),
        "day" => Some(Window::Day),
        "week" => Some(Window::Week),
        "month" => Some(Window::Month),
        "lifetime" => Some(Window::Lifetime),
        _ => None,
    }
}

impl Story {
    pub(super) fn expect(&self, line: &mut Line<'_>) -> Result<(), Finding> {
        let name = line.peek().unwrap_or_default();
        let next_is_window = line.text().split(' ').nth(1).is_some_and(|word| window(word).is_some());
        if next_is_window {
            self.expect_usage(line)
        } else if self.accounts.contains_key(name) {
            self.expect_balance(line)
        } else if name.len() == 6 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            self.expect_transaction(line)
        } else {
            self.expect_flows(line)
        }
    }

    /// `expect A1 ledger 100.00 held 25.00 available 75.00`, and `expect A1 duties 000002 000001`: all that the balance
    /// service was to be told of the account, in order.
    fn expect_balance(&self, line: &mut Line<'_>) -> Result<(), Finding> {
        let (number, asset) = self.account(line)?;
        let account = self.world.account(number);
        if line.peek() == Some("duties") {
            line.optional();
            let ordered = self.ordered.get(&account.id).into_iter().flatten();
            let found: Vec<_> = ordered.map(|(place, stan)| (*place, stan.to_string())).collect();
            let told: Vec<_> = (1..).zip(std::iter::from_fn(|| line.optional().map(str::to_owned))).collect();
            return same(line, "the order of duties", &found, &told);
        }
        let balance = account.balance;
        pairs(line, asset, |word| match word {
            "ledger" => Some(balance.ledger),
            "held" => Some(balance.held),
            "available" => Some(balance.available()),
            "unacknowledged" => Some(account.outstanding),
            "told" => account.told.map(|told| told.available),
            _ => None,
        })
    }

    /// `expect USD funded 25.00 returned 25.00`
    fn expect_flows(&self, line: &mut Line<'_>) -> Result<(), Finding> {
        let totals = self.world.shard().totals();
        let assets: Vec<Asset> = self.accounts.values().map(|(_, asset)| *asset).collect();
        let asset = line.read("an account, a trace number, or an asset of this story", |word| {
            assets.iter().find(|asset| asset.code().as_str() == word).copied()
        })?;
        let total = totals.get(&asset.code()).copied().unwrap_or_default();
        pairs(line, asset, |word| match word {
            "funded" => Some(total.funded),
            "returned" => Some(total.returned),
            "credited" => Some(total.credited),
            "debited" => Some(total.debited),
            "settled" => Some(total.settled),
            "refunded" => Some(total.refunded),
            _ => None,
        })
    }

    /// `expect C1 day used 60.00 count 2`
    fn expect_usage(&self, line: &mut Line<'_>) -> Result<(), Finding> {
        let name = line.peek().unwrap_or_default();
        let (asset, is_card) = self.owner(line)?;
        let limits: Vec<LimitView> = if is_card {
            self.world.card(self.cards[name].0).limits
        } else {
            self.world.account(self.accounts[name].0).limits
        };
        let window = line.read(WINDOWS, window)?;
        let found = limits.iter().find(|limit| limit.rule.window == window);
        let limit = *found.ok_or_else(|| line.finding(&format!("{name} has no such limit: {limits:?}")))?;
        if line.peek() == Some("count") {
            line.optional();
            let count: u32 = line.read("a number", |word| word.parse().ok())?;
            line.end()?;
            return same(line, "count", &limit.used_count, &count);
        }
        pairs(line, asset, |word| (word == "used").then_some(Units(limit.used_amount)))
    }

    /// `expect 000123 declined for insufficient_funds`, `... flagged card_frozen`, `... state reversed`,
    /// `... held 25.00 USD`, `... until 2026-11-27T12:00:00Z`, `... costs 25.005000 USDT`
    fn expect_transaction(&self, line: &mut Line<'_>) -> Result<(), Finding> {
        let stan = stan_word(line)?;
        let all = self.cards.values().flat_map(|(card, _)| self.world.transactions(*card));
        let newest = all.filter(|view| view.stan == stan).max_by_key(|view| view.id.number);
        let view =
            newest.ok_or_else(|| line.finding(&format!("no transaction has the trace number {stan}")))?;
        let what = line.word("reasons, rules, state, by, held, costs, paid, flags or until")?;
        match what {
            "reasons" => {
                let reasons: Vec<_> = view.failures.iter().map(|failure| failure.reason.as_str()).collect();
                let told: Vec<_> = std::iter::from_fn(|| line.optional()).collect();
                same(line, "reasons", &reasons, &told)
            }
            "rules" => {
                let rules = view.failures.iter().filter_map(|failure| failure.rule);
                let names = rules.map(|breach| match breach.mode {
                    RuleMode::Enforce => breach.rule.to_string(),
                    RuleMode::Shadow => format!("{}:shadow", breach.rule),
                });
                let names: Vec<_> = names.collect();
                let told: Vec<_> = std::iter::from_fn(|| line.optional().map(str::to_owned)).collect();
                same(line, "rules", &names, &told)
            }
            "state" => {
                let told = line.word("a state")?;
                same(line, "state", &state(view.state), &told)
            }
            "held" => {
                let told = line.text();
                same(line, "held", &view.held.map_or("nothing".into(), |held| held.card.to_string()), &told)
            }
            "paid" => {
                let told = line.text();
                let paid = view.paid.map_or("nothing".into(), |paid| {
                    format!("{} {}", view.asset.format(paid.units), view.asset.code())
                });
                same(line, "paid", &paid, &told)
            }
            "by" => {
                let told = line.word("switch, balance_service, stand_in or network")?;
                same(line, "by", &view.by.map(domain::Approver::as_str), &Some(told))
            }
            "flags" => {
                let told: Vec<_> = std::iter::from_fn(|| line.optional()).collect();
                let flags = view.clearing_flags.words().chain(view.refund_flags.words());
                same(line, "flags", &flags.collect::<Vec<_>>(), &told)
            }
            "costs" => {
                let told = line.text();
                same(line, "costs", &cost(&view), &told)
            }
            "until" => {
                let told = line.time()?;
                line.end()?;
                same(line, "until", &view.expires_at, &Some(told))
            }
            found => {
                Err(line
                    .unexpected(Some(found), "reasons, rules, state, by, held, costs, paid, flags or until"))
            }
        }
    }
}

/// Pairs of a word and an amount, each compared.
fn pairs(line: &mut Line<'_>, asset: Asset, value: impl Fn(&str) -> Option<Units>) -> Result<(), Finding> {
    loop {
        let word = line.word(
            "ledger, held, available, used, funded, returned, credited, debited, settled or refunded",
        )?;
        let found = value(word).ok_or_else(|| {
            line.unexpected(
                Some(word),
                "ledger, held, available, used, funded, returned, credited, debited, settled or refunded",
            )
        })?;
        let told = line.units(asset)?;
        same(line, word, &asset.format(found), &asset.format(told))?;
        if line.peek().is_none() {
            return Ok(());
        }
    }
}

fn same<T: PartialEq + std::fmt::Debug>(
    line: &Line<'_>,
    what: &str,
    found: &T,
    told: &T,
) -> Result<(), Finding> {
    if found == told {
        Ok(())
    } else {
        Err(line.finding(&format!("{what} is {found:?}, the story tells {told:?}")))
    }
}

fn cost(view: &TransactionView) -> String {
    view.held
        .map_or("nothing".into(), |held| format!("{} {}", view.asset.format(held.units), view.asset.code()))
}

const fn state(state: TransactionState) -> &'static str {
    match state {
        TransactionState::Asked => "asked",
        TransactionState::Approved => "approved",
        TransactionState::Declined => "declined",
        TransactionState::Reversed => "reversed",
        TransactionState::Expired => "expired",
        TransactionState::ReversedFirst => "reversed_first",
        TransactionState::Cleared => "cleared",
        TransactionState::Posted => "posted",
        TransactionState::Added => "added",
        TransactionState::Answered => "answered",
    }
}
