//! Words of standing in for the balance service: for whom, whether, and who ordered it (E8).

use crate::text::{Text, TextError};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The name of a program, 1 to 24 bytes: a label of metrics, and what operators call it by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ProgramName(Text<24>);

impl ProgramName {
    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, TextError> {
        Text::name(text).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ProgramName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether the switch decides in the balance service's place.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StandInMode {
    /// Never: a service that does not answer means a decline.
    #[default]
    Off,
    /// When an ask fails in one of the ways that the program names.
    Automatic,
    /// Always: the service is not asked at all, because an operator knows that it is away.
    Manual,
}

impl StandInMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Off, Self::Automatic, Self::Manual];

    /// The word that configuration and the API use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// What an operator ordered for one program, in place of what is configured.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StandInOrder {
    /// The program.
    pub program: ProgramName,
    /// The mode from now on; `None` withdraws the order: what is configured is in force again.
    pub mode: Option<StandInMode>,
    /// Who ordered it.
    pub operator: Text<40>,
    /// Why.
    pub reason: Text<120>,
    /// When.
    pub at: Timestamp,
}

/// The newest order of each program, an immutable value that is replaced as a whole. Programs come from the
/// configuration, so there are never more orders than it has ever named.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct StandInOrders {
    orders: BTreeMap<ProgramName, StandInOrder>,
}

impl StandInOrders {
    /// No orders.
    #[must_use]
    pub const fn new() -> Self {
        Self { orders: BTreeMap::new() }
    }

    /// Puts an order in force, in place of the one before.
    pub fn set(&mut self, order: StandInOrder) {
        self.orders.insert(order.program, order);
    }

    /// The newest order of a program.
    #[must_use]
    pub fn of(&self, program: ProgramName) -> Option<&StandInOrder> {
        self.orders.get(&program)
    }

    /// Every order, by program.
    pub fn iter(&self) -> impl Iterator<Item = &StandInOrder> {
        self.orders.values()
    }

    /// The mode that is in force for a program for which `configured` is written down.
    #[must_use]
    pub fn mode(&self, program: ProgramName, configured: StandInMode) -> StandInMode {
        self.of(program).and_then(|order| order.mode).unwrap_or(configured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_counts_until_it_is_withdrawn() {
        let program = ProgramName::new("gold").unwrap();
        let order = |mode| StandInOrder {
            program,
            mode,
            operator: Text::new("desk").unwrap(),
            reason: Text::new("service moves house").unwrap(),
            at: Timestamp::default(),
        };
        let mut orders = StandInOrders::default();
        assert_eq!(orders.mode(program, StandInMode::Automatic), StandInMode::Automatic);
        orders.set(order(Some(StandInMode::Manual)));
        assert_eq!(orders.mode(program, StandInMode::Automatic), StandInMode::Manual);
        assert_eq!(orders.mode(ProgramName::new("other").unwrap(), StandInMode::Off), StandInMode::Off);
        orders.set(order(None));
        assert_eq!(orders.mode(program, StandInMode::Automatic), StandInMode::Automatic);
    }

    #[test]
    fn the_word_in_json_is_the_word_of_the_configuration() {
        for mode in StandInMode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
    }
}
