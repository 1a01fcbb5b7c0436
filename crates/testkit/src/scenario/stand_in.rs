//! The lines of a story about standing in for the balance service, and about what it says of balances.

use super::Story;
use super::messages::stan_word;
use crate::finding::Finding;
use crate::script::Line;
use crate::world::World;
use authorizer::{
    BLOCKED_MCC, BLOCKED_TYPES, Change, Command, STAND_IN_OUTCOMES, ServiceWord, StandIn, StandInProgram,
};
use domain::{
    AccountNo, Asset, ProgramName, RuleAmount, Said, StandInMode, StandInOrder, Text, TransactionNo, Units,
};
use rust_decimal::Decimal;
use std::sync::Arc;
use std::time::Duration;

const BOUNDS: &str = "transaction 50.00 USD, card 100.00 USD, account 100.00 USD, exposure 1000.00 USD, times 3, \
     buffer 10, age 24h or first-use";

impl Story {
    /// `stand-in transaction 50.00 USD card 100.00 USD account 100.00 USD exposure 1000.00 USD times 3 buffer 10 age 24h`
    pub(super) fn stand_in(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        if !self.accounts.is_empty() {
            return Err(line.finding("found \"stand-in\" in the middle, allowed: before the first account"));
        }
        let mut program = StandInProgram {
            name: name("default"),
            account_prefix: String::new(),
            mode: StandInMode::Automatic,
            outcomes: STAND_IN_OUTCOMES.to_vec(),
            balance_age_max: Duration::from_secs(24 * 3_600),
            buffer_percent: 10,
            transaction_max: Vec::new(),
            card_max: Vec::new(),
            card_count_max: 3,
            account_max: Vec::new(),
            exposure_max: Vec::new(),
            blocked_types: BLOCKED_TYPES.to_vec(),
            blocked_mcc: BLOCKED_MCC.to_vec(),
            first_use: false,
        };
        while let Some(word) = line.optional() {
            match word {
                "transaction" => program.transaction_max.push(amount(line)?),
                "card" => program.card_max.push(amount(line)?),
                "account" => program.account_max.push(amount(line)?),
                "exposure" => program.exposure_max.push(amount(line)?),
                "times" => program.card_count_max = line.read("how many", |word| word.parse().ok())?,
                "buffer" => program.buffer_percent = line.read("hundredths", |word| word.parse().ok())?,
                "age" => program.balance_age_max = line.duration()?,
                "first-use" => program.first_use = true,
                found => return Err(line.unexpected(Some(found), BOUNDS)),
            }
        }
        self.policy.stand_in = Arc::new(StandIn::new(vec![program]));
        self.world = World::new(self.world.now().utc, self.policy.clone());
        Ok(())
    }

    /// `told A1 50.00 version 7 counting 000123`: the service tells a balance by itself.
    pub(super) fn told(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let (account, asset) = self.account(line)?;
        let available = line.units(asset)?;
        line.keyword("version")?;
        let version = line.read("a version", |word| word.parse().ok())?;
        let mut counted: Vec<TransactionNo> = Vec::new();
        if line.peek().is_some() {
            line.keyword("counting")?;
            while line.peek().is_some() {
                let stan = stan_word(line)?;
                let number = self.asks.get(&stan);
                counted.push(*number.ok_or_else(|| line.finding("nothing was asked for it"))?);
            }
        }
        self.change(Change::TellBalance { account: AccountNo(account), version, available, counted })
    }

    /// `funding 25.00 USD for 000123 leaves 75.00 version 8`: the answer tells the balance, too.
    pub(super) fn leaves(&mut self, transaction: TransactionNo, line: &mut Line<'_>) -> Result<(), Finding> {
        if line.peek().is_none() {
            return Ok(());
        }
        line.keyword("leaves")?;
        let account = self.account_of(transaction);
        let asset = account.map(|(_, asset)| asset).ok_or_else(|| line.finding("nobody was asked for it"))?;
        let available: Units = line.units(asset)?;
        line.keyword("version")?;
        let version = line.read("a version", |word| word.parse().ok())?;
        let word = ServiceWord { balance: Some((version, available)), said: Said::default() };
        self.perform(Command::ServiceTold { transaction, word: Box::new(word) })
    }

    /// `order manual j.doe moving-house`: an operator orders how the switch stands in.
    pub(super) fn order(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let allowed = "off, automatic, manual or configured";
        let mode = line.read(allowed, |word| match word {
            "configured" => Some(None),
            word => StandInMode::ALL.into_iter().find(|mode| mode.as_str() == word).map(Some),
        })?;
        let operator = line.read("an operator", |word| Text::new(word).ok())?;
        let reason = line.read("a reason in one word", |word| Text::new(word).ok())?;
        line.end()?;
        let at = self.world.now().utc;
        let order = StandInOrder { program: name("default"), mode, operator, reason, at };
        self.change(Change::OrderStandIn(order))
    }

    fn account_of(&self, transaction: TransactionNo) -> Option<(u32, Asset)> {
        let views = self.cards.values().flat_map(|(card, _)| self.world.transactions(*card));
        let found = views.into_iter().find(|view| view.id.number == transaction)?;
        self.accounts.get(found.account.as_str()).copied()
    }
}

fn name(text: &str) -> ProgramName {
    ProgramName::new(text).expect("a short name")
}

/// `50.00 USD`, of a currency or of an asset.
fn amount(line: &mut Line<'_>) -> Result<RuleAmount, Finding> {
    let value = line.read("an amount", |word| Decimal::from_str_exact(word).ok())?;
    let code = line.read("an asset such as USDT", |word| domain::AssetCode::new(word).ok())?;
    Ok(RuleAmount { code, value })
}
