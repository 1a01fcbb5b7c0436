//! Changes that the product asks for through the control API: checked, then recorded as facts.

use crate::action::{Action, Effects};
use crate::calendar;
use crate::command::{Caller, Change, Inquiry, NewCard, Refusal, Reply};
use crate::decide::Context;
use crate::shard::Shard;
use crate::transaction::TransactionState;
use domain::{
    AccountNo, CardNo, CardStatus, Controls, Counts, Fact, LimitRule, PostingKind, RequestKey, Text,
    TransactionNo, Units, Window,
};

impl Shard {
    /// Makes a change, or refuses it. The reply shows the account or card as it is afterwards.
    pub(crate) fn change(&self, change: Change, caller: Caller, context: Context<'_>, effects: &mut Effects) {
        let (facts_before, actions_before) = (effects.facts.len(), effects.actions.len());
        match self.facts_of(change, context, effects) {
            Ok(Shown::State(inquiry)) => effects.action(Action::Show { caller, inquiry }),
            Ok(Shown::Rate(rate)) => effects.reply(caller, Reply::Rate(rate)),
            Ok(Shown::StandIn(order)) => effects.reply(caller, Reply::StandIn(order)),
            Err(refusal) => {
                effects.facts.truncate(facts_before);
                effects.actions.truncate(actions_before);
                effects.reply(caller, Reply::Refused(refusal));
            }
        }
    }

    fn facts_of(
        &self,
        change: Change,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<Shown, Refusal> {
        match change {
            Change::OpenAccount { id, asset, limits } => {
                self.check_limits(&limits)?;
                let account = AccountNo(next(self.accounts.len()));
                effects.fact(Fact::AccountOpened { account, id, asset });
                if !limits.is_empty() {
                    effects.fact(Fact::AccountLimitsSet { account, limits });
                }
                Ok(Shown::State(Inquiry::Account(account)))
            }
            Change::Post { account, kind, units, request, note } => {
                self.post_money(Posting { account, kind, units, request, note }, effects)
            }
            Change::SetAccountLimits { account, limits } => {
                self.account(account).map_err(|_| Refusal::NoSuchAccount)?;
                self.check_limits(&limits)?;
                effects.fact(Fact::AccountLimitsSet { account, limits });
                Ok(Shown::State(Inquiry::Account(account)))
            }
            Change::IssueCard(card) => self.issue(card, effects),
            Change::SetCardStatus { card, status } => self.set_status(card, status, effects),
            Change::SetCardControls { card, controls } => {
                self.card(card).map_err(|_| Refusal::NoSuchCard)?;
                effects.fact(Fact::CardControlsSet { card, controls });
                Ok(Shown::State(Inquiry::Card(card)))
            }
            Change::SetCardLimits { card, limits } => {
                self.card(card).map_err(|_| Refusal::NoSuchCard)?;
                self.check_limits(&limits)?;
                effects.fact(Fact::CardLimitsSet { card, limits });
                Ok(Shown::State(Inquiry::Card(card)))
            }
            Change::ReleaseHold { transaction, note } => self.release(transaction, note, context, effects),
            Change::TellBalance { account, version, available, counted } => {
                self.account(account).map_err(|_| Refusal::NoSuchAccount)?;
                self.tell_balance(account, (version, available), Counts::Named(counted), context, effects);
                Ok(Shown::State(Inquiry::Account(account)))
            }
            Change::OrderStandIn(order) => {
                let programs = self.policy.stand_in.programs();
                if programs.iter().all(|program| program.name != order.program) {
                    return Err(Refusal::NoSuchProgram(order.program));
                }
                effects.fact(Fact::StandInOrdered { order });
                Ok(Shown::StandIn(order))
            }
            Change::SetRate(rate) => {
                effects.fact(Fact::RateSet { rate });
                Ok(Shown::Rate(rate))
            }
        }
    }

    /// Ends a hold early. Once more changes nothing.
    fn release(
        &self,
        transaction: TransactionNo,
        note: Text<40>,
        context: Context<'_>,
        effects: &mut Effects,
    ) -> Result<Shown, Refusal> {
        let found = self.store.find(transaction).ok_or(Refusal::NoSuchTransaction)?;
        match (found.state, found.held()) {
            (TransactionState::Approved, Some(amounts)) => {
                effects.fact(Fact::HoldReleased { transaction, amounts, note });
                self.owe_expiry(found, &mut 0, context, effects);
            }
            (TransactionState::Expired, _) => {}
            (
                TransactionState::Asked
                | TransactionState::Approved
                | TransactionState::Declined
                | TransactionState::Reversed
                | TransactionState::ReversedFirst
                | TransactionState::Cleared
                | TransactionState::Posted
                | TransactionState::Added
                | TransactionState::Answered,
                _,
            ) => return Err(Refusal::NoOpenHold),
        }
        Ok(Shown::State(Inquiry::Transaction(transaction)))
    }

    /// Books money in or out, once for each idempotency key (E26).
    fn post_money(&self, posting: Posting, effects: &mut Effects) -> Result<Shown, Refusal> {
        let Posting { account, kind, units, request, note } = posting;
        let found = self.account(account).map_err(|_| Refusal::NoSuchAccount)?;
        if let Some(before) = self.requests.find(&request) {
            let same = before == (account, kind, units);
            let shown = Shown::State(Inquiry::Posting { account, repeated: true });
            return if same { Ok(shown) } else { Err(Refusal::RequestKeyReused) };
        }
        if !units.is_positive() {
            return Err(Refusal::NotPositive { found: units });
        }
        let available = found.balance().available();
        if kind == PostingKind::Debit && available < units {
            return Err(Refusal::InsufficientFunds { available, asked: units });
        }
        let signed = match kind {
            PostingKind::Credit => units,
            PostingKind::Debit => Units(-units.0),
        };
        found.balance().credit(signed).map_err(|_| Refusal::OutOfRange)?;
        effects.fact(Fact::Posted { account, kind, units, request, note });
        Ok(Shown::State(Inquiry::Posting { account, repeated: false }))
    }

    fn issue(&self, new: NewCard, effects: &mut Effects) -> Result<Shown, Refusal> {
        self.account(new.account).map_err(|_| Refusal::NoSuchAccount)?;
        self.check_limits(&new.limits)?;
        let card = CardNo(next(self.cards.len()));
        effects.fact(Fact::CardIssued {
            card,
            id: new.id,
            token: new.token,
            last_four: new.last_four,
            account: new.account,
            currency: new.currency,
            expiry: new.expiry,
            funding: new.funding,
            status: new.status,
        });
        if new.controls != Controls::default() {
            effects.fact(Fact::CardControlsSet { card, controls: new.controls });
        }
        if !new.limits.is_empty() {
            effects.fact(Fact::CardLimitsSet { card, limits: new.limits });
        }
        Ok(Shown::State(Inquiry::Card(card)))
    }

    fn set_status(&self, card: CardNo, status: CardStatus, effects: &mut Effects) -> Result<Shown, Refusal> {
        let found = self.card(card).map_err(|_| Refusal::NoSuchCard)?;
        match (found.status, status) {
            (before, after) if before == after => {}
            (CardStatus::Closed, _) => return Err(Refusal::CardClosed),
            _ => effects.fact(Fact::CardStatusSet { card, status }),
        }
        Ok(Shown::State(Inquiry::Card(card)))
    }

    fn check_limits(&self, limits: &[LimitRule]) -> Result<(), Refusal> {
        let (found, max) = (limits.len(), self.policy.limits_per_owner_max);
        if found > max {
            return Err(Refusal::TooManyLimits { found, max });
        }
        for (index, limit) in limits.iter().enumerate() {
            let bounds_something = limit.amount_max.is_some() || limit.count_max.is_some();
            let negative = limit.amount_max.is_some_and(|max| max < 0);
            let counts_one = limit.window == Window::Transaction && limit.count_max.is_some();
            if !bounds_something || negative || counts_one {
                return Err(Refusal::EmptyLimit { index });
            }
            if !calendar::zone_exists(limit.zone) {
                return Err(Refusal::UnknownZone(limit.zone));
            }
        }
        Ok(())
    }
}

/// What the reply to a change shows.
enum Shown {
    State(Inquiry),
    Rate(domain::Rate),
    StandIn(domain::StandInOrder),
}

/// Money to be booked.
struct Posting {
    account: AccountNo,
    kind: PostingKind,
    units: Units,
    request: RequestKey,
    note: Text<40>,
}

/// The number after the last one given.
fn next(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
