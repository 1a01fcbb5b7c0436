//! What a network management message wants, and the messages of that kind that we send.

use crate::dialect::Dialect;
use crate::draft::Draft;
use crate::message::Message;
use crate::network_management::NetworkFunction;

impl Message {
    /// What the message wants as network management; `None` if it is no request of that class, or the dialect
    /// has no network management.
    #[must_use]
    pub fn network_function(&self) -> Option<NetworkFunction> {
        let management = self.table.network_management.as_ref()?;
        let (own, mti) = (management.mti(), self.mti());
        if mti.class() != own.class() || mti.answer().is_none() {
            return None;
        }
        let code = self.value(management.element()).and_then(|value| value.excerpt(0, None));
        Some(code.map_or(NetworkFunction::Unknown, |code| management.function(code.as_str())))
    }
}

impl Draft {
    /// Begins a network management message of ours: its type, the function's code, and what the dialect says
    /// that all of them carry. The sender adds what differs from message to message: DE 7, DE 11, DE 12. `None` if
    /// the dialect has no code for the function.
    #[must_use]
    pub fn network_management(dialect: &Dialect, function: NetworkFunction) -> Option<Self> {
        let management = dialect.network_management()?;
        let code = management.code(function)?;
        let mut draft = Self::new(dialect, management.mti());
        management.sent().for_each(|(de, text)| {
            draft.text(de, text);
        });
        draft.text(management.element(), code);
        Some(draft)
    }
}
