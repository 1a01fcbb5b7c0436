//! `decide`: a command and the state give facts and actions. Nothing is changed here.

use crate::action::{Action, Effects};
use crate::command::Command;
use crate::policy::END_AT_ONCE_MAX;
use crate::shard::{ApplyError, Shard};
use crate::standing::Standing;
use domain::{Moment, RateTable, Reason, TransactionNo};

/// What a decision may look at beside the state: the time and the rates in force.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time, as the caller read it.
    pub now: Moment,
    /// The rates in force.
    pub rates: &'a RateTable,
    /// What standing in for the balance service depends on.
    pub stand_in: Standing<'a>,
}

impl<'a> Context<'a> {
    /// The time and the rates; nobody has ordered anything, and nothing may be exposed.
    #[must_use]
    pub fn new(now: Moment, rates: &'a RateTable) -> Self {
        Self { now, rates, stand_in: Standing::default() }
    }
}

impl Shard {
    /// Decides `command` and adds what follows from it to `effects`. The caller applies the facts, in
    /// order, before it asks for the next decision.
    pub fn decide(&self, mut command: Command, context: Context<'_>, effects: &mut Effects) {
        match command {
            Command::Authorize { card, ref mut request, caller } => {
                self.authorize(card, request, caller, context, effects);
            }
            Command::NoteDecline { card, ref request, code, caller } => {
                self.note_decline(card, request, code, caller, context, effects);
            }
            Command::Reverse { card, reversal, caller } => {
                self.reverse(card, reversal, caller, context, effects);
            }
            Command::AskEnded { transaction, outcome } => {
                self.ask_ended(transaction, outcome, context, effects);
            }
            Command::ServiceTold { transaction, word } => {
                self.service_told(transaction, *word, context, effects);
            }
            Command::AnswerLost { card, references, loss } => {
                self.answer_lost(card, references, loss, context, effects);
            }
            Command::DutyAcknowledged { duty } => self.duty_acknowledged(duty, effects),
            Command::Change { change, caller } => self.change(*change, caller, context, effects),
            Command::Inquire { inquiry, caller } => effects.action(Action::Show { caller, inquiry }),
            Command::Tick => self.tick(context, effects),
            Command::Resume => self.resume(context, effects),
        }
    }

    /// Decides `command`, makes the facts true and fills in what was to be shown: one uninterrupted step,
    /// which is what makes check and reserve safe without a lock. An error here is a bug of this crate.
    pub fn execute(
        &mut self,
        command: Command,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<(), ApplyError> {
        let (facts_before, actions_before) = (effects.facts.len(), effects.actions.len());
        self.decide(command, context, effects);
        for fact in effects.facts.iter().skip(facts_before) {
            self.apply(fact, context.now.utc)?;
        }
        for action in effects.actions.iter_mut().skip(actions_before) {
            if let Action::Show { caller, inquiry } = *action {
                *action = Action::Reply { caller, reply: Box::new(self.inquire(inquiry, context.now.utc)) };
            }
        }
        Ok(())
    }

    /// The next free number: the time, or one above the last number where the clock has not moved on.
    /// `given` counts the numbers that this very decision has used already.
    pub(crate) fn next_number(&self, context: Context<'_>, given: u64) -> TransactionNo {
        let clock = u64::try_from(context.now.utc.micros()).unwrap_or(0);
        let after_last = self.last_number.0.saturating_add(1);
        TransactionNo(clock.max(after_last).saturating_add(given))
    }

    fn duty_acknowledged(&self, duty: domain::DutyNo, effects: &mut Effects) {
        if self.duties.contains_key(&duty) {
            effects.fact(domain::Fact::DutyDone { duty });
        }
    }

    /// After recovery nobody waits for the asks that were open; their outcome is unknown (E31).
    fn resume(&self, context: Context<'_>, effects: &mut Effects) {
        for duty in self.duties.values() {
            effects.action(Action::Owe(*duty));
        }
        // The deadline of an ask is not kept, so those beyond the bound are overdue at the next tick.
        let mut given = 0;
        for number in self.asked.keys().take(END_AT_ONCE_MAX) {
            self.abandon_ask(*number, Reason::FundingUnavailable, context, &mut given, effects);
        }
    }
}
