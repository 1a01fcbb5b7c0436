//! How standing in for balance services stands: the modes, the orders, and what is open.

use authorizer::{Exposure, StandIn};
use domain::{ProgramName, RuleAmount, StandInMode, StandInOrder, StandInOrders};

/// One program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramView {
    /// Its name.
    pub program: ProgramName,
    /// The mode that is in force.
    pub mode: StandInMode,
    /// The mode that the configuration says.
    pub configured: StandInMode,
    /// The newest order.
    pub order: Option<StandInOrder>,
    /// What is open that its service has not acknowledged, and the bound, for each asset.
    pub exposures: Vec<(RuleAmount, Exposure)>,
}

/// The programs as they stand. `open` is by place, as [`StandIn::bounds`] is.
#[must_use]
pub fn stand_in_views(rules: &StandIn, orders: &StandInOrders, open: &[Exposure]) -> Vec<ProgramView> {
    let view = |program: &authorizer::StandInProgram| {
        let bounds = rules.bounds().iter().enumerate().filter(|(_, bound)| bound.program == program.name);
        let exposures =
            bounds.map(|(place, bound)| (bound.max, open.get(place).copied().unwrap_or_default()));
        ProgramView {
            program: program.name,
            mode: orders.mode(program.name, program.mode),
            configured: program.mode,
            order: orders.of(program.name).copied(),
            exposures: exposures.collect(),
        }
    };
    rules.programs().iter().map(view).collect()
}
