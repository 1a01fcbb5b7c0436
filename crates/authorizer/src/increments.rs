//! Adds to a hold that stands, or sets it to what an advice says that it came to.
//!
//! The hold of a pre-funded card is raised in place. The balance service of a JIT card is asked for what is added, under
//! the increment's own number: that part is a hold of its own which is cleared and reversed together with the first.
//! Either way the hold lasts from the last approved amount on (E20).

use crate::action::Effects;
use crate::case::{Case, Question, decline, path_of};
use crate::clearings::{less, plus, promised_by};
use crate::decide::Context;
use crate::duties::Order;
use crate::originals::SEARCH_MAX;
use crate::parts::covering;
use crate::shard::Shard;
use crate::transaction::{MatchKey, Transaction, TransactionState};
use domain::{
    Amounts, DutyKind, Fact, Failure, FundingMode, HoldTerms, LimitOwner, MessageClass, Money, Price, Reason,
    Timestamp, Units,
};

impl Shard {
    /// An increment that is asked for.
    pub(crate) fn increment(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) {
        let Case { card, account, question, known: _ } = case;
        let parent = self.open_hold(case, context);
        let mut failures = case.failures();
        if parent.is_none() {
            failures.push(Reason::OriginalNotFound.into());
        }
        let added = self.evaluate(card, account, question.request, context, &mut failures);
        self.look_at_the_whole(case, parent, added.as_ref(), &mut failures);
        self.check_rules(case, added.as_ref().map(|added| added.amounts), context, &mut failures);
        let refused = failures.first().is_some_and(Failure::decides);
        let (Some(parent), Some(added), false) = (parent, added, refused) else {
            decline(card, question, failures, effects);
            return;
        };
        match card.funding {
            FundingMode::PreFunded => self.raise(case, parent, added, failures, context, effects),
            FundingMode::Jit => {
                let question = Question { of: Some(parent.number), ..question };
                let expires_at = self.renewed_end(parent, added.expires_at, context);
                let added = HoldTerms { expires_at, ..added };
                self.fund_hold(Case { question, ..case }, added, failures, context, effects);
            }
        }
    }

    /// It is one payment still: nothing that counts payments counts it again, and what one transaction may take is asked of all
    /// of it. `parent` is what the message adds to.
    fn look_at_the_whole(
        &self,
        case: Case<'_>,
        parent: Option<&Transaction>,
        added: Option<&HoldTerms>,
        failures: &mut Vec<Failure>,
    ) {
        failures.retain(|failure| !matches!(failure.reason, Reason::CountLimit | Reason::TooManyHolds));
        let (Some(parent), Some(added)) = (parent, added) else { return };
        failures.retain(|failure| failure.reason != Reason::TransactionLimit);
        let holds = self.holds_of(parent.card, Some(parent)).filter_map(promised_by);
        let none = less(added.amounts, added.amounts);
        let (before, more) = (holds.fold(none, plus), added.amounts);
        let (card, account) = (i128::from(before.card.minor()), before.units.0);
        case.card.limits.check_whole(LimitOwner::Card, card, more.card.minor().into(), failures);
        if let Some(limits) = case.account.limits() {
            limits.check_whole(LimitOwner::Account, account, more.units.0, failures);
        }
    }

    /// The open hold that a message speaks of.
    fn open_hold(&self, case: Case<'_>, context: Context<'_>) -> Option<&Transaction> {
        let found = self.followed(case.question.card_no, case.question.request, context);
        found.filter(|found| found.state == TransactionState::Approved && found.held().is_some())
    }

    /// The open hold of the request whose own references an advice carries: the network tells us what that came to, and it is
    /// not held twice (E10).
    fn own_request(&self, case: Case<'_>) -> Option<&Transaction> {
        let (card, request) = (case.question.card_no, case.question.request);
        let key = MatchKey { card, stan: request.stan, transmission: Some(request.transmission) };
        self.store.with_key(key).find(|found| {
            found.class == MessageClass::AuthorizationRequest
                && found.acquirer == Some(request.acquirer)
                && found.state == TransactionState::Approved
                && found.parent().is_none()
        })
    }

    /// Whether an advice tells of a payment that has ended, and that took no less than it tells: nothing is left to be held for it
    /// where a completion or a clearing was faster (E36).
    pub(crate) fn is_paid_already(&self, case: Case<'_>, told: Money, context: Context<'_>) -> bool {
        let (card, request) = (case.question.card_no, case.question.request);
        let payment = self.followed(card, request, context).filter(|found| !found.state.is_open());
        let Some((payment, more)) = payment.and_then(|found| Some((found, found.more.as_ref()?))) else {
            return false;
        };
        let covered = more.paid.card.minor().saturating_add(self.held_beside(payment));
        let is_paid = more.paid.card.minor() > 0 && covered >= told.minor();
        is_paid && names(case, payment) && !request.details.incremental
    }

    fn raise(
        &self,
        case: Case<'_>,
        parent: &Transaction,
        added: HoldTerms,
        flags: Vec<Failure>,
        context: Context<'_>,
        effects: &mut Effects,
    ) {
        let Question { number, card_no, request, caller, of: _ } = case.question;
        let Some(held) = parent.held() else { return };
        let is_raised = added.amounts.card.minor() > 0;
        let before = parent.more.as_ref().and_then(|more| more.price);
        let price = if is_raised {
            together(parent, &added).map(Box::new)
        } else if added.amounts.card.is_zero() {
            // What adds nothing leaves it what it is made of, or its clearings would be charged without the markup.
            before.map(Box::new)
        } else {
            added.price.clone()
        };
        let end = self.renewed_end(parent, added.expires_at, context);
        let hold = HoldTerms {
            amounts: plus(held, added.amounts),
            rate: added.rate.clone(),
            expires_at: end.max(parent.expires_at),
            price,
        };
        let told = self.told(case.card, case.account, request, added.amounts.units, context);
        let of = parent.number;
        // What was added has a rate and margins of its own, until the last clearing.
        let is_priced = hold.price.is_some();
        let plain = is_priced.then(|| Price::plain(added.amounts.units));
        let own = added.price.as_deref().copied().or(plain);
        effects.fact(Fact::HoldChanged {
            transaction: number,
            of,
            card: card_no,
            request: *request,
            hold,
            told,
            flags,
        });
        if before.is_none() && is_priced {
            // What was added before had no margins; where nothing says so, it would have a share of these.
            for part in parent.more.iter().flat_map(|more| &more.increments) {
                self.show_price(part.number, Some(Price::plain(part.amounts.units)), effects);
            }
        }
        self.show_price(number, own.filter(|_| is_raised), effects);
        effects.answer(caller, self.approval_with(number, told, path_of(case.card)));
    }

    /// When a hold ends that has been approved anew: as long after this as it was to last from its last approved amount on
    /// (E20), or at `own` where that is later. What is added to a pre-authorization does not always say again that it is one.
    fn renewed_end(&self, parent: &Transaction, own: Timestamp, context: Context<'_>) -> Timestamp {
        let renews = |found: &&Transaction| {
            let adds = found.class.is_request() || found.class == MessageClass::AuthorizationAdvice;
            found.parent() == Some(parent.number) && adds && found.kind.is_debit() && found.may_be_followed()
        };
        let now = context.now.utc;
        let renewed = self.store.of_card(parent.card).take(SEARCH_MAX).filter(renews);
        let renewed = renewed.filter(|found| self.is_kept(found, now));
        let begun = renewed.map(|found| found.at).fold(parent.at, Timestamp::max);
        let end = parent.more.as_ref().and_then(|more| more.ends_when_delivered).unwrap_or(parent.expires_at);
        // What is not known any more of how it was renewed makes it no longer than any hold may be.
        let lasts = end.since(begun).min(self.policy.longest_hold());
        own.max(now.plus(lasts))
    }

    /// An advice that names a hold which stands: the hold follows it, up or down (E36), or is raised by it where it is
    /// an increment. Whether there was one.
    pub(crate) fn adjust(&self, case: Case<'_>, context: Context<'_>, effects: &mut Effects) -> bool {
        let request = case.question.request;
        let named =
            self.open_hold(case, context).filter(|found| names(case, found) || request.details.incremental);
        let parent = named.or_else(|| self.own_request(case));
        let Some((parent, held)) = parent.and_then(|parent| Some((parent, parent.held()?))) else {
            return false;
        };
        let mut flags = Vec::new();
        let Some(told) = self.evaluate(case.card, case.account, request, context, &mut flags) else {
            return false;
        };
        let added_to = Some(parent).filter(|_| request.details.incremental);
        self.look_at_the_whole(case, added_to, Some(&told), &mut flags);
        self.check_rules(case, Some(told.amounts), context, &mut flags);
        let added = if request.details.incremental {
            told
        } else {
            self.change_to(case, parent, held, told, context)
        };
        let after = plus(held, added.amounts);
        self.raise(case, parent, added, flags, context, effects);
        if case.card.funding == FundingMode::Jit && after != held {
            let lower = after.units < held.units;
            let (kind, units) = if lower {
                (DutyKind::Reverse { left: after.units }, less(held, after).units)
            } else {
                (DutyKind::Advise { merchant: request.merchant.name }, after.units)
            };
            let order = Order { transaction: parent.number, account: case.account, kind, units };
            self.order(order, &mut 1, context, effects);
        }
        true
    }

    /// What changes a hold to the total that an advice tells: upwards by the difference at the rate of the day, downwards
    /// at the rate that the hold has locked (E14). The total is of the whole payment: what increments of a JIT card hold
    /// beside its first hold is not held twice. It stays until the payment is cleared, even where the total is below it.
    fn change_to(
        &self,
        case: Case<'_>,
        parent: &Transaction,
        held: Amounts,
        told: HoldTerms,
        context: Context<'_>,
    ) -> HoldTerms {
        let left = self.without_increments(parent, told.amounts.card);
        let change = Money::new(left.minor().saturating_sub(held.card.minor()), left.currency());
        if change.minor() > 0 {
            let (request, mut ignored) = (case.question.request, Vec::new());
            let owners = (case.card, case.account);
            let priced = self.price_on_account(owners, request, change, context, &mut ignored);
            let (units, price) = priced.map_or((Units::ZERO, None), |priced| (priced.units, priced.price));
            return HoldTerms { amounts: Amounts { card: change, units }, price, ..told };
        }
        let share = covering(held, left).unwrap_or(held.units);
        let before = parent.more.as_ref().and_then(|more| more.price);
        let price = before.map(|price| price.share(share, held.units));
        let buffer = price.map_or(Units::ZERO, |price| price.buffer);
        let charge = self.units_of_part(parent, held, left).and_then(|charge| charge.plus(buffer));
        let units = if left == held.card { held.units } else { charge.unwrap_or(share).min(held.units) };
        HoldTerms { amounts: less(Amounts { card: left, units }, held), price: price.map(Box::new), ..told }
    }

    /// What of a payment's total is left for its first hold.
    fn without_increments(&self, parent: &Transaction, total: Money) -> Money {
        let left = total.minor().saturating_sub(self.held_beside(parent));
        Money::new(left.max(0), total.currency())
    }

    /// What the increments of a payment hold beside its first hold, in minor units of the card's currency.
    fn held_beside(&self, parent: &Transaction) -> i64 {
        let held = self.increments_of(parent).filter_map(|hold| Some(hold.held()?.card.minor()));
        held.fold(0, i64::saturating_add)
    }

    /// The increments of a payment that are holds of their own and were granted.
    pub(crate) fn increments_of<'a>(
        &'a self,
        parent: &'a Transaction,
    ) -> impl Iterator<Item = &'a Transaction> {
        let holds = self.holds_of(parent.card, Some(parent)).skip(1);
        holds.filter(|hold| hold.state == TransactionState::Approved)
    }
}

/// Whether an advice says that it is about `found`: by something that it says of an original, or by the network's id, which
/// stays through a transaction. What else it was found by may be chance.
fn names(case: Case<'_>, found: &Transaction) -> bool {
    let details = &case.question.request.details;
    let says_original = details.original.is_some_and(|original| !original.is_empty());
    says_original || details.network_reference.is_some_and(|id| found.network_reference == Some(id))
}

/// What a hold is made of once `added` is added to it.
fn together(parent: &Transaction, added: &HoldTerms) -> Option<Price> {
    let before = parent.more.as_ref().and_then(|more| more.price);
    if before.is_none() && added.price.is_none() {
        return None;
    }
    let held = parent.held().map_or(Units::ZERO, |held| held.units);
    let before = before.unwrap_or_else(|| Price::plain(held));
    Some(before.with(added.price.as_deref().copied().unwrap_or_else(|| Price::plain(added.amounts.units))))
}
