//! What was paid: completions, clearings, forced posts, and messages that approve and book at once.
//!
//! A clearing is never refused (E40). It is paid out of the hold that it belongs to, at the rate that the hold has locked,
//! so that all clearings together are rounded once (E12, E14, `rounding.rs`); what exceeds the hold is converted at today's rate, taken past the balance if it must be, counted by the limits of the current window without
//! being stopped by them (E27), and flagged (E16). A clearing without an authorization is a forced post (E18), and one
//! after the end of its hold is linked to it, posted and flagged (E19).

use crate::action::Effects;
use crate::case::{Case, path_of};
use crate::decide::Context;
use crate::duties::Order;
use crate::originals::SEARCH_MAX;
use crate::shard::{Account, Shard};
use crate::transaction::{More, Transaction, TransactionState};
use domain::{
    Amounts, CardNo, ClearingFlags, DutyKind, Fact, Failure, FundingMode, Merchant, Money, Price, Rate,
    Reason, TransactionNo, Units,
};

/// What was approved and is booked at once.
#[derive(Clone, Copy)]
pub(crate) struct Booked {
    pub(crate) transaction: TransactionNo,
    pub(crate) card_no: CardNo,
    pub(crate) amounts: Amounts,
}

/// One hold's share of a clearing.
struct Piece<'a> {
    hold: Option<&'a Transaction>,
    paid: Amounts,
    from_hold: Amounts,
    released: Amounts,
    last: bool,
    rate: Option<Rate>,
    /// What was paid beyond the hold is made of, where that is more than the amount at one rate.
    price: Option<Price>,
}

impl Shard {
    /// Books what a message approved, which ends its hold.
    pub(crate) fn book_at_once(
        &self,
        booked: Booked,
        account: &Account,
        merchant: &Merchant,
        given: &mut u64,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Booked { transaction, card_no, amounts } = booked;
        // A part that the balance service approved may come to more than the amount costs: that goes back.
        let asked = self.store.find(transaction);
        let charge = asked.and_then(|asked| self.units_of_rest(asked, amounts, amounts.card));
        let charged = Amounts { units: charge.unwrap_or(amounts.units), ..amounts };
        let released = less(amounts, charged);
        effects.fact(Fact::Cleared {
            transaction,
            of: Some(transaction),
            card: card_no,
            request: None,
            paid: charged,
            from_hold: charged,
            released,
            last: true,
            rate: None,
            flags: ClearingFlags::default(),
        });
        if self.card(card_no).is_ok_and(|card| card.funding == FundingMode::Jit) {
            let (reserved, released, merchant) = (charged.units, released.units, merchant.name);
            let kind = DutyKind::Clear { reserved, released, last: true, merchant };
            self.order(Order { transaction, account, kind, units: charged.units }, given, context, effects);
        }
    }

    /// Takes a clearing, a completion or a forced post in.
    pub(crate) fn take_clearing(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let Case { card, account, question, known } = case;
        let request = question.request;
        if let Some(reason) = known {
            return self.note(case, Reason::Approved, None, vec![reason.into()], effects);
        }
        if let Some(repeated) = self.same_presentment(case, context) {
            effects.answer(question.caller, self.first_answer(repeated));
            return;
        }
        let mut failures: Vec<Failure> = Vec::new();
        let money = self.price_on_card(card, request, context, &mut failures).map(|(money, _)| money);
        let parent = self.followed(question.card_no, request, context);
        let parent = parent.filter(|found| found.state != TransactionState::Asked);
        let pieces = money.and_then(|money| self.pieces(case, parent, money, context, &mut failures));
        let total = pieces.iter().flatten().map(|piece| piece.paid.units.0).fold(0, i128::saturating_add);
        let fits =
            account.balance().credit(Units(total)).and(account.balance().credit(Units(-total))).is_ok();
        let Some(pieces) = pieces.filter(|_| fits) else {
            // Absurd sums only: taken note of, for people to look at.
            return self.note(case, Reason::Approved, None, vec![Reason::AmountOutOfRange.into()], effects);
        };
        let mut flags = self.flags_of(case, parent, money);
        // Of a JIT card the balance service brings what the hold had not promised.
        let left = account.balance().available().minus(surplus_of(&pieces));
        flags.overdrawn =
            card.funding == FundingMode::PreFunded && left.is_none_or(|left| left < Units::ZERO);
        flags.unpriced = failures.iter().any(|failure| failure.reason == Reason::RateUnavailable)
            && total == 0
            && request.amount.minor() > 0;
        let (mut given, places) = (1, pieces.len());
        for (place, piece) in pieces.into_iter().enumerate() {
            let transaction = if place == 0 { question.number } else { self.next_number(context, given) };
            given += u64::from(place > 0);
            effects.fact(Fact::Cleared {
                transaction,
                of: piece.hold.map(|hold| hold.number),
                card: question.card_no,
                request: Some(*request),
                paid: piece.paid,
                from_hold: piece.from_hold,
                released: piece.released,
                last: piece.last,
                rate: piece.rate.map(Box::new),
                flags: if place + 1 == places { flags } else { ClearingFlags::default() },
            });
            self.show_price(transaction, piece.price, effects);
            if card.funding == FundingMode::Jit {
                let told_as = piece.hold.map_or(transaction, |hold| hold.number);
                let kind = DutyKind::Clear {
                    reserved: piece.from_hold.units,
                    released: piece.released.units,
                    last: piece.last,
                    merchant: request.merchant.name,
                };
                let order = Order { transaction: told_as, account, kind, units: piece.paid.units };
                self.order(order, &mut given, context, effects);
            }
        }
        effects.answer(question.caller, self.approval(question.number, path_of(card)));
    }

    /// The same presentment once more: the same acquirer reference, sequence and amount (E15).
    pub(crate) fn same_presentment(&self, case: Case<'_>, context: Context<'_>) -> Option<&Transaction> {
        let request = case.question.request;
        let clearing = request.details.clearing?;
        let arn = clearing.arn?;
        self.store.of_card(case.question.card_no).take(SEARCH_MAX).find(|found| {
            let same = |more: &More| more.arn == Some(arn) && more.sequence == clearing.sequence;
            found.amount == Some(request.amount)
                && found.kind == request.transaction_type()
                && found.more.as_deref().is_some_and(same)
                && self.is_kept(found, context.now.utc)
        })
    }

    /// Divides a clearing among the holds that it is paid from; what is left over comes with the last.
    fn pieces<'a>(
        &'a self,
        case: Case<'_>,
        parent: Option<&'a Transaction>,
        money: Money,
        context: Context<'_>,
        failures: &mut Vec<Failure>,
    ) -> Option<Vec<Piece<'a>>> {
        let request = case.question.request;
        let none = Amounts { card: Money::new(0, money.currency()), units: Units::ZERO };
        let mut left = money;
        let mut pieces = Vec::new();
        let ends = self.ends_the_hold(case);
        for hold in self.holds_of(case.question.card_no, parent) {
            let Some(held) = hold.held().filter(|_| hold.state == TransactionState::Approved) else {
                continue;
            };
            let take = Money::new(left.minor().min(held.card.minor()), money.currency());
            let paid = Amounts { card: take, units: self.units_of_part(hold, held, take)? };
            let from_hold = lesser(paid, held);
            let rest = less(held, from_hold);
            let last = ends || rest.card.minor() <= 0;
            let released = if last { rest } else { none };
            if take.minor() <= 0 && !last && !pieces.is_empty() {
                // It pays nothing and stays as it is.
                continue;
            }
            pieces.push(Piece { hold: Some(hold), paid, from_hold, released, last, rate: None, price: None });
            left = left.minus(take).ok()?;
        }
        if left.minor() > 0 || pieces.is_empty() {
            let priced =
                self.price_on_account((case.card, case.account), request, left, context, failures)?;
            let surplus = Amounts { card: left, units: priced.units };
            let (rate, price) = (priced.rate.map(|rate| *rate), priced.price.map(|price| *price));
            match pieces.last_mut() {
                Some(piece) => {
                    (piece.paid, piece.rate, piece.price) = (plus(piece.paid, surplus), rate, price);
                }
                None => pieces.push(Piece {
                    hold: parent,
                    paid: surplus,
                    from_hold: none,
                    released: none,
                    last: false,
                    rate,
                    price,
                }),
            }
        }
        Some(pieces)
    }

    /// A payment and the increments that are holds of their own, oldest first.
    pub(crate) fn holds_of<'a>(
        &'a self,
        card: CardNo,
        parent: Option<&'a Transaction>,
    ) -> impl Iterator<Item = &'a Transaction> {
        let number = parent.map(|parent| parent.number);
        let linked = self.store.of_card(card).take(SEARCH_MAX);
        let mut linked: Vec<_> = linked
            .filter(|found| number.is_some() && found.parent() == number && found.state.is_open())
            .collect();
        linked.sort_by_key(|found| found.number);
        parent.into_iter().chain(linked)
    }

    /// Whether what the hold has left is free again after this clearing (E15).
    fn ends_the_hold(&self, case: Case<'_>) -> bool {
        let request = case.question.request;
        let data = request.details.clearing.unwrap_or_default();
        let one_of_several = data.of > 1 || self.policy.life.clears_in_parts(request.merchant.mcc);
        data.ends_the_hold() || !one_of_several
    }

    /// Notes what units are made of that were moved by the fact before.
    pub(crate) fn show_price(&self, transaction: TransactionNo, price: Option<Price>, effects: &mut Effects) {
        if let Some(price) = price {
            effects.fact(Fact::Priced { transaction, price });
        }
    }

    fn flags_of(&self, case: Case<'_>, parent: Option<&Transaction>, money: Option<Money>) -> ClearingFlags {
        let Some(parent) = parent else { return ClearingFlags { forced: true, ..ClearingFlags::default() } };
        // Increments that are holds of their own count too, also where they have ended.
        let linked = self.store.of_card(case.question.card_no).take(SEARCH_MAX);
        let apart = |found: &&Transaction| found.class.is_request() && !self.is_part(found);
        let increments = linked.filter(|found| found.parent() == Some(parent.number)).filter(apart);
        let promised = std::iter::once(parent).chain(increments).map(authorized_by);
        let promised = promised.fold(0_i64, i64::saturating_add);
        let before = parent.more.as_ref().map_or(0, |more| more.paid.card.minor());
        let paid = before.saturating_add(money.map_or(0, Money::minor));
        let over_capture = paid > promised && !matches!(parent.state, TransactionState::Declined);
        let mcc = case.question.request.merchant.mcc.or(parent.mcc);
        ClearingFlags {
            over_capture,
            inside_tolerance: over_capture && self.policy.life.is_tolerated(mcc, promised, paid),
            after_expiry: parent.state == TransactionState::Expired,
            after_reversal: parent.state == TransactionState::Reversed,
            after_decline: parent.state == TransactionState::Declined,
            ..ClearingFlags::default()
        }
    }
}

/// What a hold has promised in all: what is left of it and what clearings took.
pub(crate) fn promised_by(hold: &Transaction) -> Option<Amounts> {
    let taken = hold.more.as_ref().map(|more| more.taken);
    match (hold.held(), taken) {
        (Some(held), Some(taken)) => Some(plus(held, taken)),
        (Some(amounts), None) | (None, Some(amounts)) => Some(amounts),
        (None, None) => None,
    }
}

/// What was authorized by a hold and not reversed, in minor units of the card's currency: what it has promised, and what of
/// that ended without being paid. A clearing that comes late, or after the last one, takes no more than was authorized.
fn authorized_by(hold: &Transaction) -> i64 {
    let promised = promised_by(hold).map_or(0, |promised| promised.card.minor());
    promised.saturating_add(hold.more.as_ref().map_or(0, |more| more.lapsed))
}

fn surplus_of(pieces: &[Piece<'_>]) -> Units {
    let surplus = pieces.iter().map(|piece| less(piece.paid, piece.from_hold).units.0);
    Units(surplus.fold(0, i128::saturating_add))
}

/// One amount less another, held at the ends of the range.
pub(crate) fn less(from: Amounts, taken: Amounts) -> Amounts {
    Amounts {
        card: Money::new(from.card.minor().saturating_sub(taken.card.minor()), from.card.currency()),
        units: Units(from.units.0.saturating_sub(taken.units.0)),
    }
}

/// What both amounts have, on each side.
pub(crate) fn lesser(one: Amounts, other: Amounts) -> Amounts {
    let card = one.card.minor().min(other.card.minor());
    Amounts { card: Money::new(card, one.card.currency()), units: one.units.min(other.units) }
}

/// The larger of two amounts, on each side.
pub(crate) fn greater(one: Amounts, other: Amounts) -> Amounts {
    let card = one.card.minor().max(other.card.minor());
    Amounts { card: Money::new(card, one.card.currency()), units: one.units.max(other.units) }
}

/// Two amounts together, held at the ends of the range.
pub(crate) fn plus(one: Amounts, other: Amounts) -> Amounts {
    Amounts {
        card: Money::new(one.card.minor().saturating_add(other.card.minor()), one.card.currency()),
        units: Units(one.units.0.saturating_add(other.units.0)),
    }
}
