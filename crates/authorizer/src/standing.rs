//! What a decision about standing in may look at beside the shard's state: the orders of operators, and the room that
//! was reserved for it. Both are arguments, so that a decision stays a pure function.

use domain::{StandInOrders, Units};

static NO_ORDERS: StandInOrders = StandInOrders::new();

/// What a decision about standing in may look at beside the state.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// What operators have ordered.
    pub orders: &'a StandInOrders,
    /// How much the account's program may have open more than it has: reserved for this decision.
    pub headroom: Units,
}

impl Default for Standing<'_> {
    /// No orders, and no room.
    fn default() -> Self {
        Self { orders: &NO_ORDERS, headroom: Units::ZERO }
    }
}
