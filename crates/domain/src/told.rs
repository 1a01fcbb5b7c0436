//! What the balance service tells beside yes and no.

use crate::account::AccountId;
use crate::reference::TransactionNo;
use crate::text::Text;
use serde::{Deserialize, Serialize};

/// Which of our holds a balance that was told has taken off already (E32).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Counts {
    /// The answer to this ask told it: the ask itself, and all that the service had acknowledged before it was asked.
    Ask(TransactionNo),
    /// The service told it by itself, and names the transactions that it has counted.
    Named(Vec<TransactionNo>),
}

/// What the balance service said beside its decision.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Said {
    /// The account that the money is taken from, where that is another one than was asked for.
    pub account: Option<AccountId>,
    /// Its name for the quote that its decision rests on.
    pub quote: Text<40>,
    /// A sentence for support people.
    pub text: Text<64>,
}
