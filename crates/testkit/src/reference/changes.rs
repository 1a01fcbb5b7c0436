//! What the product may change, and what is refused.

use super::{Account, Booking, BookingKind, Card, Model, Outcome, Verdict};
use authorizer::{Change, Refusal, Told, TransactionState};
use domain::{
    CardNo, CardStatus, Counts, DutyKind, LimitOwner, LimitRule, Moment, PostingKind, TransactionNo, Window,
};

/// How long an idempotency key is remembered.
const KEYS_FOR: std::time::Duration = std::time::Duration::from_secs(48 * 3_600);

impl Model {
    /// Makes a change, or says why not.
    pub(super) fn change(
        &mut self,
        change: &Change,
        now: Moment,
        out: &mut Outcome,
    ) -> Result<Verdict, Refusal> {
        match change {
            Change::OpenAccount { id, asset, limits } => {
                self.check_limits(limits)?;
                let limits = self.replaced((LimitOwner::Account, self.accounts()), &[], limits, now.utc);
                self.accounts.push(Account { id: *id, asset: *asset, limits });
            }
            Change::Post { account, kind, units, request, note: _ } => {
                self.account_exists(account.0)?;
                let posting = (account.0, *kind, *units);
                if let Some((_, before)) =
                    self.keys.iter().map(|(_, key, before)| (key, before)).find(|(key, _)| *key == request)
                {
                    return if *before == posting {
                        Ok(Verdict::Repeated)
                    } else {
                        Err(Refusal::RequestKeyReused)
                    };
                }
                if units.0 <= 0 {
                    return Err(Refusal::NotPositive { found: *units });
                }
                let available = self.balance(account.0).available();
                if *kind == PostingKind::Debit && available < *units {
                    return Err(Refusal::InsufficientFunds { available, asked: *units });
                }
                let kind = match kind {
                    PostingKind::Credit => BookingKind::Credited,
                    PostingKind::Debit => BookingKind::Debited,
                };
                self.bookings.push(Booking { account: account.0, kind, units: units.0 });
                self.keys.push((now.utc, *request, posting));
                while self.keys.first().is_some_and(|(at, ..)| now.utc.since(*at) > KEYS_FOR) {
                    self.keys.remove(0);
                }
            }
            Change::SetAccountLimits { account, limits } => {
                self.account_exists(account.0)?;
                self.check_limits(limits)?;
                let owner = (LimitOwner::Account, account.0);
                let replaced = self.replaced(owner, &self.account(account.0).limits, limits, now.utc);
                self.accounts[account.0 as usize].limits = replaced;
            }
            Change::IssueCard(card) => {
                self.account_exists(card.account.0)?;
                self.check_limits(&card.limits)?;
                let limits = self.replaced((LimitOwner::Card, self.cards()), &[], &card.limits, now.utc);
                self.cards.push(Card { issued: card.clone(), limits });
            }
            Change::SetCardStatus { card, status } => {
                self.card_exists(*card)?;
                let card = &mut self.cards[card.0 as usize].issued;
                if card.status == CardStatus::Closed && *status != CardStatus::Closed {
                    return Err(Refusal::CardClosed);
                }
                card.status = *status;
            }
            Change::SetCardControls { card, controls } => {
                self.card_exists(*card)?;
                self.cards[card.0 as usize].issued.controls = controls.clone();
            }
            Change::SetCardLimits { card, limits } => {
                self.card_exists(*card)?;
                self.check_limits(limits)?;
                let owner = (LimitOwner::Card, card.0);
                let replaced = self.replaced(owner, &self.card(card.0).limits, limits, now.utc);
                self.cards[card.0 as usize].limits = replaced;
            }
            Change::ReleaseHold { transaction, note: _ } => self.release_hold(*transaction, now, out)?,
            Change::TellBalance { account, version, available, counted } => {
                self.account_exists(account.0)?;
                let told = Told { version: *version, available: *available, at: now.utc };
                self.balance_told(account.0, told, Counts::Named(counted.clone()));
            }
            Change::OrderStandIn(order) => {
                let known = self.policy.stand_in.programs().iter();
                if !known.map(|program| program.name).any(|name| name == order.program) {
                    return Err(Refusal::NoSuchProgram(order.program));
                }
                self.orders.push(*order);
            }
            Change::SetRate(rate) => self.rates.push(*rate),
        }
        Ok(Verdict::Done)
    }

    /// An operator ends a hold before its time; once more changes nothing (E20).
    fn release_hold(&mut self, number: TransactionNo, now: Moment, out: &mut Outcome) -> Result<(), Refusal> {
        let index = self.transactions.iter().position(|found| found.number == number.0);
        let index = index.ok_or(Refusal::NoSuchTransaction)?;
        let state = self.transactions[index].state;
        if state == TransactionState::Approved {
            self.undo(index, TransactionState::Expired, DutyKind::Expire, now, out);
        } else if state != TransactionState::Expired {
            return Err(Refusal::NoOpenHold);
        }
        Ok(())
    }

    fn account_exists(&self, account: u32) -> Result<(), Refusal> {
        if account < self.accounts() { Ok(()) } else { Err(Refusal::NoSuchAccount) }
    }

    fn card_exists(&self, card: CardNo) -> Result<(), Refusal> {
        if card.0 < self.cards() { Ok(()) } else { Err(Refusal::NoSuchCard) }
    }

    fn check_limits(&self, limits: &[LimitRule]) -> Result<(), Refusal> {
        let (found, max) = (limits.len(), self.policy.limits_per_owner_max);
        if found > max {
            return Err(Refusal::TooManyLimits { found, max });
        }
        for (index, limit) in limits.iter().enumerate() {
            let unbounded = limit.amount_max.is_none() && limit.count_max.is_none();
            let negative = limit.amount_max.is_some_and(|max| max < 0);
            let counts_one = limit.window == Window::Transaction && limit.count_max.is_some();
            if unbounded || negative || counts_one {
                return Err(Refusal::EmptyLimit { index });
            }
            if jiff::tz::TimeZone::get(limit.zone.as_str()).is_err() {
                return Err(Refusal::UnknownZone(limit.zone));
            }
        }
        Ok(())
    }
}
