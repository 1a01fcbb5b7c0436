//! `[stand_in]` as written: what the switch may approve in the balance service's place.

use authorizer::{BLOCKED_MCC, BLOCKED_TYPES, STAND_IN_OUTCOMES};
use domain::{FundingFailure, StandInMode, TransactionType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// `[stand_in]`, and `[program.stand_in]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StandInSection {
    /// Off, or after failures.
    pub mode: StandInMode,
    /// After which failures of an ask.
    pub outcomes: Vec<FundingFailure>,
    /// How old the last balance may be that the service told.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub balance_age_max: Duration,
    /// How many hundredths more than the amount must be there.
    pub buffer_percent: u32,
    /// Transactions of one card in 24 hours.
    pub card_count_max: u32,
    /// Kinds of transactions that are never stood in for.
    pub blocked_types: Vec<TransactionType>,
    /// Merchant categories that are never stood in for.
    pub blocked_mcc: Vec<String>,
    /// Whether a card may be used for the first time.
    pub first_use: bool,
    /// The most for one transaction, by currency of the card.
    pub transaction_max: BTreeMap<String, String>,
    /// The most of one card in 24 hours, by currency of the card.
    pub card_max: BTreeMap<String, String>,
    /// The most that one account may have open and not acknowledged, by asset.
    pub account_max: BTreeMap<String, String>,
    /// The most that all accounts together may have open and not acknowledged, by asset.
    pub exposure_max: BTreeMap<String, String>,
}

impl Default for StandInSection {
    fn default() -> Self {
        let category = |range: &authorizer::MccRange| {
            if range.from == range.to {
                format!("{:04}", range.from)
            } else {
                format!("{:04}-{:04}", range.from, range.to)
            }
        };
        Self {
            mode: StandInMode::Off,
            outcomes: STAND_IN_OUTCOMES.to_vec(),
            balance_age_max: Duration::from_secs(24 * 3_600),
            buffer_percent: 10,
            card_count_max: 3,
            blocked_types: BLOCKED_TYPES.to_vec(),
            blocked_mcc: BLOCKED_MCC.iter().map(category).collect(),
            first_use: false,
            transaction_max: BTreeMap::new(),
            card_max: BTreeMap::new(),
            account_max: BTreeMap::new(),
            exposure_max: BTreeMap::new(),
        }
    }
}
