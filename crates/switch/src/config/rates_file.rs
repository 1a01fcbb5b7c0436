//! `[rates]` as written: which rates are believed, what is added to them, and where they come from.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// `[rates]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RatesSection {
    /// The asset over which two others are converted that have no rate of their own; empty: none.
    pub base: String,
    /// A file with a document of rates; empty: none.
    pub file: PathBuf,
    /// Where a document of rates is fetched; empty: nowhere.
    pub feed: String,
    /// PEM file with the authorities of an `https` feed; empty: none.
    pub feed_authorities: PathBuf,
    /// How often file and feed are read.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub every: Duration,
    /// How long one reading of the feed may take.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub within: Duration,
    /// The longest pause after failures; it doubles up to here.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub pause_max: Duration,
    /// The largest document.
    pub bytes_max: usize,
    /// How old a rate of file or feed may be when it is used, where the document does not say.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub max_age: Duration,
    /// Bounds of pairs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pair: Vec<PairSection>,
    /// What is added; the first that fits decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price: Vec<PriceSection>,
}

impl Default for RatesSection {
    fn default() -> Self {
        Self {
            base: String::new(),
            file: PathBuf::new(),
            feed: String::new(),
            feed_authorities: PathBuf::new(),
            every: Duration::from_secs(5),
            within: Duration::from_secs(2),
            pause_max: Duration::from_secs(60),
            bytes_max: 64 * 1024,
            max_age: Duration::from_secs(60),
            pair: Vec::new(),
            price: Vec::new(),
        }
    }
}

/// `[[rates.pair]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PairSection {
    /// From.
    pub from: String,
    /// To.
    pub to: String,
    /// How old it may be when it is used, whatever its source says.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Between which two values it is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band: Option<(String, String)>,
}

/// `[[rates.price]]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PriceSection {
    /// Only accounts that hold one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<String>,
    /// Only these categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mcc: Vec<String>,
    /// Only where the merchant's currency is not the card's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Percent, with two decimals at most.
    #[serde(default = "nothing")]
    pub markup_percent: String,
    /// Percent, with two decimals at most.
    #[serde(default = "nothing")]
    pub fee_percent: String,
    /// Percent, with two decimals at most.
    #[serde(default = "nothing")]
    pub buffer_percent: String,
}

fn nothing() -> String {
    "0".into()
}
