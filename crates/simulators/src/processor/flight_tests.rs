//! Messages in flight: what answers them, and what is said of those that nothing answers.

use super::*;
use crate::processor::deck::Deck;
use crate::processor::mix::Mix;
use crate::processor::plan::Plan;
use crate::processor::skew::Skew;
use crate::processor::{PopulationSizes, population};
use std::sync::Arc;

const WITHIN: Duration = Duration::from_secs(1);

fn purchase() -> Request {
    let sizes =
        PopulationSizes { pre_funded_cards: 1, jit_cards: 0, cards_per_refusal: 0, ..Default::default() };
    let deck = Arc::new(Deck::new(population(1, sizes).unwrap().cards, Skew::Even));
    Plan::new(deck, &Mix::cache_only(), 1, 0, 1).unwrap().next(1_120_120_000).request
}

#[test]
fn an_original_and_its_repeat_get_two_answers_and_not_three() {
    let (mut flights, now, sent) = (Flights::new(WITHIN), Instant::now(), purchase());
    flights.sent(sent, now, now, false);
    flights.sent(sent.repeated(), now + WITHIN, now + WITHIN, false);
    assert_eq!(flights.waiting(), 2);
    let (first, _) = flights.answered(sent.references).unwrap();
    assert_eq!((first.sent.mti, first.due), (*b"0100", now));
    assert_eq!(flights.answered(sent.references).unwrap().0.sent.mti, *b"0101");
    assert!(flights.answered(sent.references).is_none());
    flights.settle(sent.references);
    assert!(flights.find(sent.references).is_none());
}

#[test]
fn an_overdue_message_leaves_room_and_can_still_be_answered() {
    let (mut flights, now, sent) = (Flights::new(WITHIN), Instant::now(), purchase());
    flights.sent(sent, now, now, false);
    flights.mark_overdue(now + WITHIN / 2);
    assert_eq!(flights.in_flight(), 1);
    flights.mark_overdue(now + WITHIN);
    assert_eq!((flights.in_flight(), flights.waiting()), (0, 1));
    assert!(flights.answered(sent.references).is_some());
    assert_eq!((flights.in_flight(), flights.waiting()), (0, 0));
}

#[test]
fn an_original_stays_while_its_reversal_waits() {
    let (mut flights, now, sent) = (Flights::new(WITHIN), Instant::now(), purchase());
    let reversal = sent.reversal(*b"0420", References { stan: 9, ..sent.references }).unwrap();
    flights.sent(sent, now, now, true);
    flights.sent(reversal, now, now, false);
    flights.answered(sent.references).unwrap();
    flights.forget(sent.references);
    assert!(flights.find(sent.references).is_some());
    flights.answered(reversal.references).unwrap();
    flights.settle(reversal.references);
    assert!(flights.find(sent.references).is_none());
}

#[test]
fn a_lost_link_leaves_its_messages_unresolved_until_they_are_answered() {
    let (mut flights, now, sent) = (Flights::new(WITHIN), Instant::now(), purchase());
    flights.sent(sent, now, now, false);
    flights.sent(sent.repeated(), now, now, false);
    let lost = flights.lose_link();
    assert_eq!(lost.iter().map(|request| request.mti).collect::<Vec<_>>(), [*b"0100"]);
    assert_eq!((flights.in_flight(), flights.waiting()), (0, 0));
    assert_eq!(flights.unresolved().count(), 1);
    flights.sent(sent.repeated(), now, now, false);
    flights.answered(sent.references).unwrap();
    assert_eq!(flights.unresolved().count(), 0);
}

#[test]
fn an_original_stays_for_the_repeat_of_a_reversal_that_was_itself_never_sent() {
    let (mut flights, now, sent) = (Flights::new(WITHIN), Instant::now(), purchase());
    let reversal = sent.reversal(*b"0420", References { stan: 9, ..sent.references }).unwrap();
    flights.sent(sent, now, now, true);
    flights.answered(sent.references).unwrap();
    flights.skipped(reversal);
    flights.sent(reversal.repeated(), now, now, false);
    for forgotten in [sent.references, reversal.references] {
        flights.forget(forgotten);
    }
    assert!(flights.find(sent.references).is_some(), "its reversal is still to be answered");
    flights.answered(reversal.references).unwrap();
    flights.settle(reversal.references);
    assert!(flights.find(sent.references).is_none() && flights.find(reversal.references).is_none());
}
