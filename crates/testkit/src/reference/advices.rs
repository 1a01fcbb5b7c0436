//! Advices, increments and what else changes a hold that stands (E5, E10, E20, E36).

use super::arithmetic::{cost_of, is_nothing, less, none, plus};
use super::pricing::{Terms, plain, share, together};
use super::requests::Incoming;
use super::uses::Counting;
use super::{BookingKind, Model, Outcome, Transaction};
use authorizer::TransactionState;
use domain::{Amounts, Approver, DutyKind, Failure, LimitOwner, MessageClass, Money, Reason, Units};

/// What a message would hold, and what it breaks.
struct Evaluated {
    terms: Option<Terms>,
    failures: Vec<Failure>,
}

impl Model {
    /// What the network approved in our name: it changes the hold that it names, or is one, even past the balance.
    pub(super) fn advice(&mut self, incoming: Incoming, out: &mut Outcome) {
        let Incoming { card, request, refused, caller, now } = incoming;
        let names_one = request.details.original.is_some_and(|original| !original.is_empty());
        let names = |index: &usize| {
            let reference = request.details.network_reference;
            let found = self.transactions[*index].request().details.network_reference;
            names_one || reference.is_some() && found == reference
        };
        let open = self.open_hold(&incoming);
        let named = open.filter(|index| names(index) || request.details.incremental);
        if refused.is_none()
            && let Some(index) = named.or_else(|| self.own_request(&incoming))
        {
            return self.adjust(incoming, index, out);
        }
        let Evaluated { terms, failures } = self.evaluate(&incoming, None, true);
        let payment = self.followed(card, &request, now.utc).filter(names);
        let may_be_paid = refused.is_none() && !request.details.incremental;
        if let Some(payment) = payment
            && may_be_paid
            && terms.is_some_and(|told| self.is_paid_already(payment, told.amounts.card))
        {
            let balances = self.told(card, &request, Units::ZERO, now);
            return self.note(incoming, Reason::Approved, balances, failures, out);
        }
        let takes = request.transaction_type().is_debit() && request.amount.minor() > 0 && refused.is_none();
        let terms = terms.filter(|_| takes);
        let held = terms.map_or(self.nothing(card), |terms| terms.amounts);
        let mut new = self.new_transaction(card, request, now);
        new.told = self.told(card, &request, held.units, now);
        (new.state, new.reason) = (TransactionState::Approved, Some(Reason::Approved));
        (new.held, new.failures) = (Some(held), failures);
        (new.rate, new.price) = (terms.and_then(|terms| terms.rate), terms.and_then(|terms| terms.price));
        (new.by, new.expires_at) = (Approver::Network, now.utc.plus(self.hold_for(&request)));
        let number = new.number;
        self.hold(new);
        if self.is_jit(card) && held.units.is_positive() {
            let kind = DutyKind::Advise { merchant: request.merchant.name };
            self.owe(kind, number, card, held.units, now, out);
        }
        out.answers.push((caller, self.answer_of(self.transactions.len() - 1)));
    }

    /// The hold follows the advice that names it: up by what an increment adds, or to the total that it says.
    fn adjust(&mut self, incoming: Incoming, index: usize, out: &mut Outcome) {
        let Incoming { card, request, now, .. } = incoming;
        let Evaluated { terms, failures } = self.evaluate(&incoming, Some(index), false);
        let terms = terms.expect("worlds use amounts that fit");
        let told = terms.amounts;
        let held = self.transactions[index].held.expect("an open hold");
        // A total is of the whole payment, increments that are holds of their own with it.
        let granted = self.granted_increments(index);
        let beside = |held: &dyn Fn(&Transaction) -> Option<Money>, total: Money| {
            let held = granted.iter().filter_map(|part| held(part));
            let held = held.filter(|held| held.currency() == total.currency()).map(Money::minor);
            Money::new((total.minor() - held.sum::<i64>()).max(0), total.currency())
        };
        let left = beside(&|part| part.held.map(|held| held.card), told.card);
        let stands = beside(&|part| Some(part.standing()), request.amount);
        let added = if request.details.incremental {
            terms
        } else if left.minor() <= held.card.minor() {
            // Downwards at the rate that the hold has locked (E14).
            let share_of_held = cost_of(held, left).0;
            let price = self.transactions[index].price.map(|price| share(price, share_of_held, held.units.0));
            let cost = self.cost_of_part(index, left).0 + price.map_or(0, |price| price.buffer.0);
            let units = if left == held.card { held.units } else { Units(cost.min(held.units.0)) };
            Terms { amounts: less(Amounts { card: left, units }, held), price, ..terms }
        } else {
            // Upwards at the rate of the day: the difference alone.
            let card = left.minus(held.card).expect("both are in the card's currency");
            let more = self.on_account(incoming.card, &request, card, now.utc, &mut Vec::new());
            let more = more.expect("what tells is priced");
            Terms { amounts: Amounts { card, units: Units(more.units) }, price: more.price, ..terms }
        };
        let number = self.transactions[index].number;
        self.raise(incoming, index, added, stands, failures, out);
        let after = plus(held, added.amounts);
        if self.is_jit(card) && after != held {
            let (kind, units) = if after.units < held.units {
                (DutyKind::Reverse { left: after.units }, less(held, after).units)
            } else {
                (DutyKind::Advise { merchant: request.merchant.name }, after.units)
            };
            self.owe(kind, number, card, units, now, out);
        }
    }

    /// An increment that is asked for: of a JIT card it is a hold of its own, beside the first.
    pub(super) fn increment(&mut self, incoming: Incoming, out: &mut Outcome) {
        let parent = self.open_hold(&incoming);
        let Evaluated { terms, mut failures } = self.evaluate(&incoming, parent, false);
        if parent.is_none() {
            failures.push(Reason::OriginalNotFound.into());
            failures = super::requests::in_order_of_precedence(&failures);
        }
        let passes = failures.iter().all(super::requests::is_shadow);
        match (parent, terms) {
            (Some(index), Some(added)) if passes && self.is_jit(incoming.card) => {
                let of = Some(self.transactions[index].number);
                self.fund(incoming, added, failures, of, out);
            }
            (Some(index), Some(added)) if passes => {
                self.raise(incoming, index, added, incoming.request.amount, failures, out);
            }
            _ => self.decline(incoming, failures, out),
        }
    }

    /// Changes a hold by what a message adds to it (or takes from it), and enters the message. Of a total, `stands` of it is
    /// the hold's.
    fn raise(
        &mut self,
        incoming: Incoming,
        index: usize,
        Terms { amounts: added, rate, price }: Terms,
        stands: Money,
        flags: Vec<Failure>,
        out: &mut Outcome,
    ) {
        let Incoming { card, request, caller, now, .. } = incoming;
        let mut new = self.new_transaction(card, request, now);
        new.told = self.told(card, &request, added.units, now);
        let parent = self.transactions[index].number;
        let (stood, before) = (self.transactions[index].standing(), self.promised(index).card);
        let said = if request.details.incremental { stood.plus(request.amount).ok() } else { Some(stands) };
        self.now_stands(index, said, before, plus(self.promised(index), added).card);
        (new.state, new.reason, new.of) = (TransactionState::Added, Some(Reason::Approved), Some(parent));
        (new.rate, new.failures) = (rate, flags);
        let hold = self.transactions[index].price;
        let held = self.transactions[index].held.map_or(0, |held| held.units.0);
        if added.card.minor() > 0 {
            // What was added keeps what it is made of, until the last clearing.
            self.transactions[index].price = together(hold, held, price, added.units.0);
            if hold.is_none() && price.is_some() {
                self.show_plain_parts(parent);
            }
            let is_priced = self.transactions[index].price.is_some();
            new.price = price.or_else(|| is_priced.then(|| plain(added.units.0)));
        } else if added.card.minor() < 0 {
            self.transactions[index].price = price;
        }
        if is_nothing(added) {
            self.release(index, less(none(added.card.currency()), added), None);
        } else {
            self.enter(&new, added, Counting::More);
            self.uses.last_mut().expect("just entered").hold = parent;
            if self.is_jit(card) {
                self.book(card, BookingKind::Funded, added.units.0);
            }
            new.added = added.card.minor().into();
            let hold = &mut self.transactions[index];
            hold.held = hold.held.map(|held| plus(held, added));
        }
        let end = now.utc.plus(self.hold_for(&request).max(self.lasts(index, now.utc)));
        let hold = &mut self.transactions[index];
        hold.expires_at = hold.expires_at.max(end);
        self.transactions.push(new);
        out.answers.push((caller, self.answer_of(self.transactions.len() - 1)));
    }

    /// What was added to a hold before anything was added to its price is shown as what it is.
    fn show_plain_parts(&mut self, hold: u64) {
        let parts = self.uses.iter().filter(|used| used.hold == hold && used.number != hold);
        let left: Vec<(u64, Amounts)> = parts.map(|used| (used.number, used.left())).collect();
        for (number, left) in left.into_iter().filter(|(_, left)| !is_nothing(*left)) {
            let row = self.transactions.iter_mut().find(|row| row.number == number);
            row.expect("it was entered").price = Some(plain(left.units.0));
        }
    }

    /// Gives a part of a hold back: money, limits, and for a JIT card the service gets it.
    pub(super) fn release(&mut self, index: usize, released: Amounts, first: Option<u64>) {
        self.lower_parts(index, released.card, first);
        let hold = &mut self.transactions[index];
        hold.held = hold.held.map(|held| less(held, released));
        let (number, card) = (hold.number, hold.card);
        if self.is_jit(card) {
            self.book(card, BookingKind::Returned, released.units.0);
        }
        self.give_back(number, released, first);
    }

    /// What one transaction may take is asked of all of it: of what its holds have promised, and of what is added.
    fn broken_by_the_whole(&self, parent: usize, added: Amounts) -> Vec<Failure> {
        let holds = self.holds_of(parent).into_iter().map(|hold| self.promised(hold));
        let before = holds.fold(none(added.card.currency()), plus);
        let card = self.transactions[parent].card;
        let account = self.account_of(card);
        let on_card = i128::from(before.card.minor());
        let mut broken =
            self.broken_transaction_limits(LimitOwner::Card, card, (on_card, added.card.minor().into()));
        let on_account = (before.units.0, added.units.0);
        broken.extend(self.broken_transaction_limits(LimitOwner::Account, account, on_account));
        broken
    }

    /// The open hold of the request that has the very references of this message.
    fn own_request(&self, incoming: &Incoming) -> Option<usize> {
        let Incoming { card, request, .. } = *incoming;
        self.transactions.iter().position(|found| {
            let same = found.asked().is_some_and(|earlier| {
                earlier.class == MessageClass::AuthorizationRequest
                    && (earlier.stan, earlier.transmission) == (request.stan, request.transmission)
                    && earlier.acquirer == request.acquirer
            });
            found.card == card && same && found.state == TransactionState::Approved && found.of.is_none()
        })
    }

    /// The increments of a payment that are holds of their own and were granted.
    fn granted_increments(&self, payment: usize) -> Vec<&Transaction> {
        let parts = self.holds_of(payment).into_iter().skip(1).map(|part| &self.transactions[part]);
        parts.filter(|part| part.state == TransactionState::Approved).collect()
    }

    /// Whether the payment that an advice names has ended, and has taken, or holds in increments, no less than that.
    fn is_paid_already(&self, payment: usize, told: Money) -> bool {
        let paid = self.transactions[payment].paid.card.minor();
        let granted = self.granted_increments(payment).into_iter();
        let held: i64 = granted.filter_map(|part| Some(part.held?.card.minor())).sum();
        !self.transactions[payment].state.is_open() && paid > 0 && paid + held >= told.minor()
    }

    /// The open hold that a message speaks of.
    fn open_hold(&self, incoming: &Incoming) -> Option<usize> {
        let found = self.followed(incoming.card, &incoming.request, incoming.now.utc)?;
        (self.transactions[found].state == TransactionState::Approved).then_some(found)
    }

    /// All rules. What adds to a payment is not counted again by those that count payments.
    fn evaluate(&self, incoming: &Incoming, parent: Option<usize>, is_payment: bool) -> Evaluated {
        let Incoming { card, request, refused, now, .. } = *incoming;
        let costs = self.costs(card, &request, now.utc);
        let mut failures = self.broken_rules(card, &request, &costs, now);
        failures.retain(|failure| {
            is_payment || !matches!(failure.reason, Reason::CountLimit | Reason::TooManyHolds)
        });
        failures.extend(refused.map(Failure::from));
        let terms = costs.terms();
        let amounts = terms.map(|terms| terms.amounts);
        if let Some(added) = amounts.filter(|_| request.details.incremental)
            && let Some(parent) = parent
        {
            failures.retain(|failure| failure.reason != Reason::TransactionLimit);
            failures.extend(self.broken_by_the_whole(parent, added));
        }
        let failures = self.with_program_rules(card, &request, amounts, failures, now.utc);
        Evaluated { terms, failures }
    }
}
