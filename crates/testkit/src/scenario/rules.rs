//! The lines of a story that are rules of the card program, and the words of a message that rules ask about.

use super::Story;
use crate::finding::Finding;
use crate::script::Line;
use crate::world::World;
use authorizer::{Counted, Demand, Group, Requirement, Rule, Rules, Velocity, When};
use domain::{
    Asset, Authorization, CountryCode, Details, EntryMode, Initiator, LimitOwner, Presence, RiskScore,
    RuleAmount, RuleMode, RuleName, TransactionType,
};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};
use std::sync::Arc;

/// What may follow a rule's mode.
const CONDITIONS: &str = "type cash, mcc 7800-7999, except-mcc 4111, country 276, except-country 276, presence \
     ecommerce, initiator merchant, entry 90, above 30.00 EUR, score 900, new-country; then deny, require .., or velocity ..";

/// What may follow a velocity's window.
const VELOCITY: &str = "3 times, 100.00 USD, attempts, account, including credits";

impl Story {
    /// `rule web-without-3ds enforce presence ecommerce above 30.00 EUR require three_d_secure`
    /// `rule fast shadow type cash velocity 1h 3 times`
    pub(super) fn rule(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        if !self.accounts.is_empty() {
            return Err(line.finding("found \"rule\" in the middle, allowed: before the first account"));
        }
        let name = line.read("a name of up to 24 bytes", |word| RuleName::new(word).ok())?;
        let mode = line.read("enforce or shadow", word::<RuleMode>)?;
        let mut when = When::default();
        let demand = loop {
            match line.word(CONDITIONS)? {
                "deny" => break Demand::Deny,
                "require" => break requirements(line)?,
                "velocity" => break velocity(line)?,
                condition => self::condition(condition, &mut when, line)?,
            }
        };
        line.end()?;
        self.rules.push(Rule { name, mode, when, demand });
        let defaults = Rules::default();
        let rules = Rules::new(defaults.refused_results().to_vec(), self.rules.clone(), Rules::BUCKETS_MAX);
        self.policy.rules = Arc::new(rules);
        self.world = World::new(self.world.now().utc, self.policy.clone());
        Ok(())
    }
}

fn condition(found: &str, when: &mut When, line: &mut Line<'_>) -> Result<(), Finding> {
    let country = |word: &str| word.parse().ok().map(CountryCode);
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    match found {
        "type" => when.types.push(line.read("a transaction type", word::<TransactionType>)?),
        "mcc" => when.mcc.push(line.read("four digits or a range", range)?),
        "except-mcc" => when.mcc_except.push(line.read("four digits or a range", range)?),
        "country" => when.countries.push(line.read("a numeric ISO 3166 code", country)?),
        "except-country" => when.countries_except.push(line.read("a numeric ISO 3166 code", country)?),
        "presence" => when.presence.push(line.read("a presence", word::<Presence>)?),
        "initiator" => when.initiator.push(line.read("an initiator", word::<Initiator>)?),
        "entry" => when.entry_modes.push(line.read("two digits", |word| word.parse().ok())?),
        "above" => when.amount_above.push(amount(line)?),
        "score" => when.score_from = Some(line.read("a score", |word| word.parse().ok().map(RiskScore))?),
        "new-country" => when.new_country = true,
        _ => return Err(line.unexpected(Some(found), CONDITIONS)),
    }
    Ok(())
}

fn requirements(line: &mut Line<'_>) -> Result<Demand, Finding> {
    let mut requirements = vec![line.read("a requirement such as three_d_secure", word::<Requirement>)?];
    while line.peek().is_some() {
        requirements.push(line.read("a requirement such as three_d_secure", word::<Requirement>)?);
    }
    Ok(Demand::Require(requirements))
}

fn velocity(line: &mut Line<'_>) -> Result<Demand, Finding> {
    let mut velocity = Velocity {
        owner: LimitOwner::Card,
        over: line.duration()?,
        count_max: None,
        amount_max: Vec::new(),
        counted: Counted::Approvals,
        include: Group::DEFAULT.to_vec(),
    };
    while let Some(found) = line.peek() {
        match found {
            "attempts" => {
                velocity.counted = Counted::Attempts;
                line.keyword("attempts")?;
            }
            "account" => {
                velocity.owner = LimitOwner::Account;
                line.keyword("account")?;
            }
            "including" => {
                line.keyword("including")?;
                velocity.include.push(line.read("a group such as credits", word::<Group>)?);
            }
            _ if line.text().split(' ').nth(1) == Some("times") => {
                velocity.count_max = Some(line.read(VELOCITY, |word| word.parse().ok())?);
                line.keyword("times")?;
            }
            _ => velocity.amount_max.push(amount(line)?),
        }
    }
    Ok(Demand::Velocity(velocity))
}

fn amount(line: &mut Line<'_>) -> Result<RuleAmount, Finding> {
    let value = line.read("an amount and its currency", |word| Decimal::from_str_exact(word).ok())?;
    Ok(RuleAmount { code: Asset::of(line.currency()?).code(), value })
}

/// The words of a message that security and risk rules ask about. Says whether `found` is one of them.
pub(super) fn detail(found: &str, request: &mut Authorization, line: &mut Line<'_>) -> Result<bool, Finding> {
    let Details { security, presence, initiator, score, .. } = &mut request.details;
    match found {
        "ecommerce" => *presence = Presence::Ecommerce,
        "by-merchant" => *initiator = Initiator::Merchant,
        "score" => *score = Some(line.read("a score", |word| word.parse().ok().map(RiskScore))?),
        "entry" => {
            request.entry_mode = Some(line.read("three digits", |word| word.parse().ok().map(EntryMode))?);
        }
        "cvv2" => security.cvv2 = line.read("a result such as match", word)?,
        "avs" => security.avs = line.read("a result such as match", word)?,
        "3ds" => security.three_d_secure = line.read("a result such as authenticated", word)?,
        "cavv" => security.authentication_value = line.read("a result such as valid", word)?,
        "pin" => security.pin = line.read("a result such as verified", word)?,
        "cryptogram" => security.cryptogram = line.read("a result such as valid", word)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// A value by the word that configuration files use.
fn word<T: DeserializeOwned>(word: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<Error>::new(word)).ok()
}
