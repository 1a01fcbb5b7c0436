//! Books what answers say: each approval once, each reversal once, and what completions, increments and refunds move.
//!
//! An exchange remembers what it has led to. So the answer to a repeat books nothing again, and a reversal takes back
//! exactly what its original did.

use super::clerk::{Clerk, ResponseCode, is_approval};
use super::effect::{Earlier, Effect};
use super::flight::Ending;
use super::outcome::Approval;
use super::request::{Purchase, References, Request, Subject};
use super::violation::ViolationKind;
use iso8583::Message;

const PARTLY_APPROVED: ResponseCode = *b"10";

impl Clerk {
    pub(super) fn book(
        &mut self,
        sent: &Request,
        references: References,
        code: Option<ResponseCode>,
        answer: &Message,
    ) {
        match sent.subject {
            Subject::Network(_) => {}
            Subject::Purchase(purchase) => self.book_purchase(sent, purchase, references, code, answer),
            Subject::Reversal(purchase, earlier, total) => {
                self.book_reversal(purchase, earlier, total, code, answer);
            }
        }
    }

    /// Books an approval once, whichever of the answers to it and its repeats comes first.
    fn book_purchase(
        &mut self,
        sent: &Request,
        purchase: Purchase,
        references: References,
        code: Option<ResponseCode>,
        answer: &Message,
    ) {
        let advice = sent.is_advice();
        if advice && !is_approval(code) {
            self.violation(ViolationKind::FollowUpRefused, "an advice was refused".into(), Some(answer));
        }
        let Some(exchange) = self.flights.find(references) else { return };
        if !matches!(exchange.ending, Ending::Unknown | Ending::Nothing) {
            return;
        }
        if !is_approval(code) || purchase.effect == Effect::Nothing {
            exchange.ending = Ending::Nothing;
            return;
        }
        let minor = match code {
            Some(PARTLY_APPROVED) => answer.number(4).unwrap_or(0),
            _ => purchase.in_card_currency(),
        };
        let reversed = exchange.reversed;
        exchange.ending = match purchase.effect {
            Effect::Hold => Ending::Held(minor),
            Effect::Take => Ending::Taken(minor),
            Effect::Bring => Ending::Brought(minor),
            Effect::Raise(earlier) => Ending::Added(minor, earlier.references),
            Effect::Complete(_) => Ending::Paid,
            Effect::Nothing => Ending::Nothing,
        };
        self.enter(purchase, minor, advice);
        if reversed {
            // The reversal overtook its original, and the switch has approved it all the same.
            self.take_back(purchase.card, references);
        }
        if self.keep_approvals && purchase.effect == Effect::Hold {
            let approval = Approval::seen(&self.deck, &purchase, references, minor, advice, answer);
            self.approvals.extend(approval);
        }
    }

    /// Enters what an approval does.
    fn enter(&mut self, purchase: Purchase, minor: u64, advice: bool) {
        let mut went_with_its_hold = false;
        let completed = match purchase.effect {
            Effect::Raise(earlier) => {
                // A reversal of the hold that was answered first has taken back what this added, too.
                went_with_its_hold = self.flights.find(earlier.references).is_some_and(|hold| hold.reversed);
                if let Some(Ending::Held(held)) = self.ending_of(earlier).filter(|_| !went_with_its_hold) {
                    *held += minor;
                }
                None
            }
            Effect::Complete(earlier) => self.ending_of(earlier).and_then(|ending| {
                let Ending::Held(held) = *ending else { return None };
                *ending = Ending::Paid;
                Some(held)
            }),
            Effect::Hold | Effect::Take | Effect::Bring | Effect::Nothing => None,
        };
        let book = self.books.entry(purchase.card).or_default();
        match purchase.effect {
            Effect::Hold if advice => book.advised.add(minor),
            Effect::Hold => book.approved.add(minor),
            Effect::Take => book.paid.add(minor),
            Effect::Bring => book.returned.add(minor),
            Effect::Raise(_) => {
                book.raised.add(minor);
                if went_with_its_hold {
                    book.lowered.add(minor);
                }
            }
            Effect::Complete(_) => {
                book.paid.add(minor);
                if let Some(held) = completed {
                    book.completed.add(held);
                }
            }
            Effect::Nothing => {}
        }
    }

    fn ending_of(&mut self, earlier: Earlier) -> Option<&mut Ending> {
        self.flights.find(earlier.references).map(|exchange| &mut exchange.ending)
    }

    fn book_reversal(
        &mut self,
        purchase: Purchase,
        earlier: Earlier,
        total: Option<u64>,
        code: Option<ResponseCode>,
        answer: &Message,
    ) {
        let original = earlier.references;
        let Some(exchange) = self.flights.find(original) else { return };
        if !is_approval(code) {
            if !matches!(exchange.ending, Ending::Unknown | Ending::Nothing) {
                let found = "a reversal of an approval was refused".into();
                self.violation(ViolationKind::FollowUpRefused, found, Some(answer));
            }
            return;
        }
        if let Some(total) = total {
            // The repeat of a reversal of a part finds the total reached, and lowers nothing.
            if let Ending::Held(held) = &mut exchange.ending
                && !exchange.reversed
                && *held > total
            {
                let part = *held - total;
                *held = total;
                self.books.entry(purchase.card).or_default().lowered.add(part);
            }
            return;
        }
        if !exchange.reversed {
            self.take_back(purchase.card, original);
        }
        if let Some(exchange) = self.flights.find(original) {
            exchange.undo();
        }
        self.flights.settle(original);
    }

    /// Takes back what an exchange has led to.
    fn take_back(&mut self, card: u32, references: References) {
        let Some(exchange) = self.flights.find(references) else { return };
        let ending = exchange.ending;
        if let Ending::Added(minor, of) = ending {
            // As much of it as the hold still has.
            if let Some(hold) = self.flights.find(of).filter(|hold| !hold.reversed)
                && let Ending::Held(held) = &mut hold.ending
            {
                let part = minor.min(*held);
                *held -= part;
                self.books.entry(card).or_default().lowered.add(part);
            }
            return;
        }
        let book = self.books.entry(card).or_default();
        match ending {
            Ending::Held(minor) => book.reversed.add(minor),
            Ending::Taken(minor) => book.returned.add(minor),
            Ending::Brought(minor) => book.paid.add(minor),
            Ending::Unknown | Ending::Nothing | Ending::Added(..) | Ending::Paid => {}
        }
    }
}
