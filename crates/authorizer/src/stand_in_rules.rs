//! What a program allows when the switch stands in for its balance service (E8). Configuration, fixed while it runs.

use crate::life::MccRange;
use domain::{
    AccountId, Asset, FundingFailure, Mcc, ProgramName, RuleAmount, StandInMode, TransactionType, Units,
};
use std::time::Duration;

/// The programs, each a group of accounts by the beginning of their names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StandIn {
    programs: Vec<StandInProgram>,
    /// One for each program and asset that has an exposure bound: the places of [`ExposureSlot`].
    bounds: Vec<ExposureBound>,
}

/// The rules of one program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StandInProgram {
    /// Its name.
    pub name: ProgramName,
    /// How the names of its accounts begin; empty: all that no other program fits better.
    pub account_prefix: String,
    /// Whether it stands in, unless an operator orders otherwise.
    pub mode: StandInMode,
    /// After which failures of an ask.
    pub outcomes: Vec<FundingFailure>,
    /// How old the last balance may be that the service told.
    pub balance_age_max: Duration,
    /// How many hundredths more than the amount must be there.
    pub buffer_percent: u32,
    /// The most for one transaction, by the card's currency. A currency that is not named is not stood in for.
    pub transaction_max: Vec<RuleAmount>,
    /// The most for one card in 24 hours, by the card's currency.
    pub card_max: Vec<RuleAmount>,
    /// The most transactions of one card in 24 hours.
    pub card_count_max: u32,
    /// The most that one account may have open and not acknowledged, by its asset.
    pub account_max: Vec<RuleAmount>,
    /// The most that all accounts of the program together may have open and not acknowledged, by asset.
    pub exposure_max: Vec<RuleAmount>,
    /// Kinds of transactions that are never stood in for.
    pub blocked_types: Vec<TransactionType>,
    /// Merchant categories that are never stood in for. Where the category is not known, nothing is.
    pub blocked_mcc: Vec<MccRange>,
    /// Whether a card may be used for the first time without its balance service.
    pub first_use: bool,
}

/// The exposure of one program in one asset: a place in the list of those.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExposureSlot(pub usize);

/// What one program has open in one asset that its service has not acknowledged.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exposure {
    /// How much.
    pub open: Units,
    /// Of what; not known before the first of it.
    pub asset: Option<Asset>,
}

/// What one program may have open in one asset.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExposureBound {
    /// The program.
    pub program: ProgramName,
    /// How much, in which asset.
    pub max: RuleAmount,
}

/// The failures of an ask after which a program stands in where it does not say: the service could not be asked, or did not
/// answer. What it has answered wrongly is for people to look at.
pub const STAND_IN_OUTCOMES: [FundingFailure; 6] = [
    FundingFailure::TimedOut,
    FundingFailure::Refused,
    FundingFailure::Reset,
    FundingFailure::HttpError,
    FundingFailure::BreakerOpen,
    FundingFailure::Overloaded,
];

/// Kinds of transactions that turn money into cash or something like it.
pub const BLOCKED_TYPES: [TransactionType; 4] = [
    TransactionType::Cash,
    TransactionType::PurchaseWithCashback,
    TransactionType::AccountFunding,
    TransactionType::QuasiCash,
];

/// Merchant categories of the same kind: money transfer, cash and automated teller machines, quasi cash and crypto
/// assets, securities, loading of stored value, gambling.
pub const BLOCKED_MCC: [MccRange; 8] = [
    MccRange { from: 4829, to: 4829 },
    MccRange { from: 6010, to: 6012 },
    MccRange { from: 6050, to: 6051 },
    MccRange { from: 6211, to: 6211 },
    MccRange { from: 6540, to: 6540 },
    MccRange { from: 7800, to: 7802 },
    MccRange { from: 7995, to: 7995 },
    MccRange { from: 9406, to: 9406 },
];

impl StandIn {
    /// The rules of all programs.
    #[must_use]
    pub fn new(programs: Vec<StandInProgram>) -> Self {
        let of = |program: &StandInProgram| {
            let name = program.name;
            let bounds = program.exposure_max.iter();
            bounds.map(move |max| ExposureBound { program: name, max: *max }).collect::<Vec<_>>()
        };
        let bounds = programs.iter().flat_map(of).collect();
        Self { programs, bounds }
    }

    /// Every program.
    #[must_use]
    pub fn programs(&self) -> &[StandInProgram] {
        &self.programs
    }

    /// Every exposure that is bounded.
    #[must_use]
    pub fn bounds(&self) -> &[ExposureBound] {
        &self.bounds
    }

    /// The program of an account: of those that fit, the one with the longest prefix.
    #[must_use]
    pub fn program_of(&self, account: &AccountId) -> Option<&StandInProgram> {
        let fits = |program: &&StandInProgram| account.as_str().starts_with(&program.account_prefix);
        self.programs.iter().filter(fits).max_by_key(|program| program.account_prefix.len())
    }

    /// Where the exposure of an account is counted, and how much it may be in the asset's units.
    #[must_use]
    pub fn slot_of(&self, account: &AccountId, asset: &Asset) -> Option<(ExposureSlot, Units)> {
        let program = self.program_of(account)?.name;
        let fits = |bound: &ExposureBound| bound.program == program && bound.max.code == asset.code();
        let place = self.bounds.iter().position(fits)?;
        let max = self.bounds.get(place)?.max.units_of(asset)?;
        Some((ExposureSlot(place), Units(max)))
    }
}

impl StandInProgram {
    /// Whether the kind of transaction or the merchant's category bars it.
    pub(crate) fn bars(&self, kind: TransactionType, mcc: Option<Mcc>) -> bool {
        let category = mcc.is_none_or(|mcc| self.blocked_mcc.iter().any(|range| range.contains(mcc)));
        category || self.blocked_types.contains(&kind)
    }
}

/// The amount that a list names for an asset.
pub(crate) fn amount_for(amounts: &[RuleAmount], asset: &Asset) -> Option<i128> {
    amounts.iter().find_map(|amount| amount.units_of(asset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::AssetCode;

    fn program(name: &str, prefix: &str) -> StandInProgram {
        let exposure = |code: &str| RuleAmount { code: AssetCode::new(code).unwrap(), value: 5.into() };
        StandInProgram {
            name: ProgramName::new(name).unwrap(),
            account_prefix: prefix.into(),
            mode: StandInMode::Automatic,
            outcomes: vec![FundingFailure::TimedOut],
            balance_age_max: Duration::from_secs(60),
            buffer_percent: 0,
            transaction_max: Vec::new(),
            card_max: Vec::new(),
            card_count_max: 1,
            account_max: Vec::new(),
            exposure_max: vec![exposure("USD"), exposure("USDT")],
            blocked_types: BLOCKED_TYPES.to_vec(),
            blocked_mcc: BLOCKED_MCC.to_vec(),
            first_use: false,
        }
    }

    #[test]
    fn the_longest_prefix_names_the_program_and_its_exposure() {
        let rules = StandIn::new(vec![program("all", ""), program("gold", "gold_")]);
        let usdt = Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap();
        let slot = |account: &str| rules.slot_of(&AccountId::new(account).unwrap(), &usdt);
        assert_eq!(slot("a1"), Some((ExposureSlot(1), Units(5_000_000))));
        assert_eq!(slot("gold_1"), Some((ExposureSlot(3), Units(5_000_000))));
        let eth = Asset::new(AssetCode::new("ETH").unwrap(), 18).unwrap();
        assert_eq!(rules.slot_of(&AccountId::new("a1").unwrap(), &eth), None);
    }

    #[test]
    fn cash_gambling_and_unknown_categories_are_barred() {
        let rules = program("all", "");
        assert!(!rules.bars(TransactionType::Purchase, Some(Mcc(5411))));
        assert!(rules.bars(TransactionType::Cash, Some(Mcc(5411))));
        for mcc in [4829, 6011, 6051, 7801, 7995] {
            assert!(rules.bars(TransactionType::Purchase, Some(Mcc(mcc))), "{mcc}");
        }
        assert!(rules.bars(TransactionType::Purchase, None));
    }
}
