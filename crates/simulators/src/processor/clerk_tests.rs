//! The clerk: what it books and what it notices.

use super::*;
use crate::processor::books::Sum;
use crate::processor::card::Refusal;
use crate::processor::effect::{Earlier, Effect};
use crate::processor::mix::Mix;
use crate::processor::plan::Plan;
use crate::processor::request::Subject;
use crate::processor::skew::Skew;
use crate::processor::{LinkTarget, PopulationSizes, ProcessorConfig, Progress, population};
use bytes::BytesMut;
use iso8583::{Draft, FrameFormat, LengthHeader};

/// A clerk, what it was told to send, and a switch that answers as the test says.
struct Scene {
    clerk: Clerk,
    dialect: Dialect,
    now: Instant,
}

impl Scene {
    fn new() -> (Self, Request) {
        let sizes =
            PopulationSizes { pre_funded_cards: 1, jit_cards: 0, cards_per_refusal: 0, ..Default::default() };
        let cards = population(1, sizes).unwrap().cards;
        let dialect = iso8583::shipped("ascii-1987").unwrap().unwrap();
        let frame = FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };
        let target = LinkTarget::new("", dialect.clone(), frame);
        let config = ProcessorConfig::new(vec![target], cards.clone());
        let deck = Arc::new(Deck::new(cards, Skew::Even));
        let request =
            Plan::new(Arc::clone(&deck), &Mix::cache_only(), 1, 0, 1).unwrap().next(1_120_120_000).request;
        let now = Instant::now();
        (Self { clerk: Clerk::new(deck, dialect.clone(), &config, now), dialect, now }, request)
    }

    fn send(&mut self, request: Request) {
        self.clerk.sent(request, self.now, self.now, true);
    }

    fn answer(&mut self, request: &Request, change: impl FnOnce(&mut Draft)) {
        let sender = Sender { cards: self.clerk.deck.cards(), acquirer: self.clerk.acquirer, marks: true };
        let mut out = BytesMut::new();
        request.encode(&self.dialect, sender, &mut out).unwrap();
        let message = self.dialect.decode(out.freeze()).unwrap();
        let mut draft = Draft::new(&self.dialect, message.mti().answer().unwrap());
        for de in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49] {
            draft.echo(de, &message);
        }
        change(&mut draft);
        let mut out = BytesMut::new();
        draft.encode_into(&mut out).unwrap();
        self.clerk.answer(out.freeze(), self.now);
    }

    fn finish(self) -> (CardBook, Violations) {
        let outcome = self.clerk.finish(&Progress::default(), Duration::ZERO, 0);
        (outcome.books.get(&0).copied().unwrap_or_default(), outcome.violations)
    }
}

fn approve(draft: &mut Draft) {
    draft.text(39, "00").text(38, "123456");
}

fn code(code: &'static str) -> impl FnOnce(&mut Draft) {
    move |draft| {
        draft.text(39, code);
    }
}

fn minor(request: &Request) -> u64 {
    request.purchase().unwrap().in_card_currency()
}

#[test]
fn a_purchase_and_its_repeat_are_one_approval() {
    let (mut scene, request) = Scene::new();
    scene.send(request);
    scene.send(request.repeated());
    scene.answer(&request, approve);
    scene.answer(&request, approve);
    let (book, violations) = scene.finish();
    assert_eq!(book.approved, Sum { count: 1, minor: minor(&request).into() });
    assert_eq!(violations.total(), 0);
}

#[test]
fn a_repeat_is_the_second_chance_of_what_could_not_be_decided() {
    let (mut scene, request) = Scene::new();
    scene.send(request);
    scene.answer(&request, code("91"));
    scene.send(request.repeated());
    scene.answer(&request, approve);
    let (book, violations) = scene.finish();
    assert_eq!((book.approved.count, violations.total()), (1, 0));
}

#[test]
fn a_reversal_that_is_answered_first_leaves_nothing_open() {
    let (mut scene, request) = Scene::new();
    let reversal = request.reversal(*b"0420", References { stan: 77, ..request.references }).unwrap();
    scene.send(request);
    scene.send(reversal);
    scene.answer(&reversal, code("00"));
    scene.answer(&request, approve);
    let (book, violations) = scene.finish();
    assert_eq!((book.approved.count, book.reversed.count, book.open().minor), (1, 1, 0));
    assert_eq!(violations.total(), 0);
}

#[test]
fn a_reversal_and_its_repeat_give_back_once() {
    let (mut scene, request) = Scene::new();
    let reversal = request.reversal(*b"0400", References { stan: 77, ..request.references }).unwrap();
    scene.send(request);
    scene.answer(&request, approve);
    for sent in [reversal, reversal.repeated(), reversal.duplicated()] {
        scene.send(sent);
        scene.answer(&sent, code("00"));
    }
    let (book, _) = scene.finish();
    assert_eq!((book.reversed.count, book.open().minor), (1, 0));
}

#[test]
fn a_partial_approval_books_what_was_approved() {
    let (mut scene, request) = Scene::new();
    scene.send(request);
    scene.answer(&request, |draft| {
        draft.number(4, 7).text(39, "10").text(38, "123456");
    });
    let (book, violations) = scene.finish();
    assert_eq!(book.open().minor, 7);
    assert_eq!(violations.examples, []);
}

#[test]
fn a_declined_purchase_and_its_reversal_move_nothing() {
    let (mut scene, request) = Scene::new();
    let reversal = request.reversal(*b"0420", References { stan: 77, ..request.references }).unwrap();
    scene.send(request);
    scene.answer(&request, code("51"));
    scene.send(reversal);
    scene.answer(&reversal, code("25"));
    let (book, violations) = scene.finish();
    assert_eq!(book, CardBook::default());
    assert_eq!(violations.total(), 0);
}

#[test]
fn latency_counts_from_the_due_time() {
    let (mut scene, request) = Scene::new();
    scene.send(request);
    scene.now += Duration::from_millis(250);
    scene.answer(&request, approve);
    let latencies = scene.clerk.finish(&Progress::default(), Duration::ZERO, 0).latencies;
    assert!(latencies.of(Path::Cache).max() >= Duration::from_millis(250));
}

#[test]
fn a_decline_that_was_provoked_is_no_overload() {
    let (mut scene, mut request) = Scene::new();
    scene.send(request);
    scene.answer(&request, code("91"));
    let Subject::Purchase(purchase) = request.subject else { panic!("a purchase") };
    request.subject = Subject::Purchase(Purchase { refusal: Some(Refusal::NoRate), ..purchase });
    request.references.stan += 1;
    scene.send(request);
    scene.answer(&request, code("91"));
    let latencies = scene.clerk.finish(&Progress::default(), Duration::ZERO, 0).latencies;
    assert_eq!((latencies.of(Path::Shed).count(), latencies.of(Path::Decline).count()), (1, 1));
}

/// A message on the hold of `request`, with references of its own.
fn on(request: &Request, stan: u32, mti: [u8; 4], amount: u64, effect: fn(Earlier) -> Effect) -> Request {
    let earlier = Earlier { references: request.references, mti: request.mti };
    let purchase = Purchase { amount, effect: effect(earlier), ..*request.purchase().unwrap() };
    let references = References { stan, ..request.references };
    let kind = if mti == *b"0220" { Kind::Advice } else { Kind::Purchase };
    Request { kind, mti, references, subject: Subject::Purchase(purchase) }
}

#[test]
fn a_completion_ends_the_hold_and_pays_what_it_says() {
    let (mut scene, request) = Scene::new();
    let whole = minor(&request);
    let completion = on(&request, 77, *b"0220", whole + 5, Effect::Complete);
    scene.send(request);
    assert!(!scene.clerk.flights.is_timely(&completion), "the approval was not seen yet");
    scene.answer(&request, approve);
    assert!(scene.clerk.flights.is_timely(&completion));
    scene.send(completion);
    assert!(!scene.clerk.flights.is_timely(&on(&request, 78, *b"0100", 1, Effect::Raise)), "one at a time");
    scene.send(completion.repeated());
    for _ in 0..2 {
        scene.answer(&completion, approve);
    }
    let (book, violations) = scene.finish();
    assert_eq!((book.open().count, book.open().minor), (0, 0));
    assert_eq!((book.completed.minor, book.spent()), (whole.into(), i128::from(whole) + 5));
    assert_eq!(violations.total(), 0);
}

#[test]
fn an_increment_and_a_reversal_of_a_part_change_the_hold() {
    let (mut scene, request) = Scene::new();
    let whole = minor(&request);
    scene.send(request);
    scene.answer(&request, approve);
    let increment = on(&request, 77, *b"0100", 40, Effect::Raise);
    scene.send(increment);
    scene.answer(&increment, approve);
    let references = References { stan: 78, ..request.references };
    let part = request.partial_reversal(*b"0420", references, 7).unwrap();
    for sent in [part, part.repeated()] {
        scene.send(sent);
        scene.answer(&sent, code("00"));
    }
    let (book, violations) = scene.finish();
    assert_eq!(book.raised.minor, 40);
    assert_eq!(book.lowered, Sum { count: 1, minor: i128::from(whole) + 40 - 7 });
    assert_eq!((book.open().count, book.open().minor), (1, 7));
    assert_eq!(violations.total(), 0);
}

#[test]
fn an_increment_that_is_answered_after_the_reversal_of_its_hold_leaves_nothing_open() {
    let (mut scene, request) = Scene::new();
    scene.send(request);
    scene.answer(&request, approve);
    let increment = on(&request, 77, *b"0100", 40, Effect::Raise);
    let reversal = request.reversal(*b"0420", References { stan: 78, ..request.references }).unwrap();
    scene.send(increment);
    scene.send(reversal);
    scene.answer(&reversal, code("00"));
    // The switch had decided it before; its answer was lost, and came again.
    scene.answer(&increment, approve);
    let (book, violations) = scene.finish();
    assert_eq!((book.open().count, book.open().minor), (0, 0));
    assert_eq!((book.raised.minor, violations.total()), (40, 0));
}

#[test]
fn what_is_booked_at_once_is_taken_back_by_its_reversal() {
    for (effect, direction) in [(Effect::Take, 1), (Effect::Bring, -1)] {
        let (mut scene, mut request) = Scene::new();
        let amount = i128::from(minor(&request));
        request.mti = *b"0200";
        request.subject = Subject::Purchase(Purchase { effect, ..*request.purchase().unwrap() });
        scene.send(request);
        scene.send(request.repeated());
        scene.answer(&request, approve);
        scene.answer(&request, approve);
        let spent = |scene: &Scene| scene.clerk.books[&0].spent();
        assert_eq!(spent(&scene), amount * direction, "{effect:?}");
        let reversal = request.reversal(*b"0420", References { stan: 77, ..request.references }).unwrap();
        scene.send(reversal);
        scene.answer(&reversal, code("00"));
        let (book, _) = scene.finish();
        assert_eq!((book.spent(), book.open().minor), (0, 0), "{effect:?}");
    }
}
