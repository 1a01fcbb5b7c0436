//! A limit, and how much of it is used.

use super::money::MoneyAnswer;
use crate::read::window_word;
use authorizer::LimitView;
use domain::{Asset, Units};
use serde::Serialize;

/// A limit, with what the current window has used of it. Absent bounds are null.
#[derive(Debug, Serialize)]
pub(super) struct LimitAnswer {
    window: &'static str,
    zone: String,
    amount_max: Option<MoneyAnswer>,
    count_max: Option<u32>,
    amount_used: MoneyAnswer,
    count_used: u32,
}

impl LimitAnswer {
    pub(super) fn new(view: &LimitView, asset: &Asset) -> Self {
        Self {
            window: window_word(view.rule.window),
            zone: view.rule.zone.as_str().to_owned(),
            amount_max: view.rule.amount_max.map(|units| MoneyAnswer::new(Units(units), asset)),
            count_max: view.rule.count_max,
            amount_used: MoneyAnswer::new(Units(view.used_amount), asset),
            count_used: view.used_count,
        }
    }
}
