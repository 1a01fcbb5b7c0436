//! E11-E14: over any history of holds, increments, clearings, refunds and reversals the customer never pays a whole unit a
//! hold above the exact amount, and the program never gets less than exactly that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod desk;

use authorizer::*;
use desk::*;
use domain::*;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const START: i128 = 1_000_000_000_000;

fn usdt() -> Asset {
    Asset::new(AssetCode::new("USDT").unwrap(), 6).unwrap()
}

fn quote(desk: &mut Desk, millionths: i64, bid_millionths: i64) {
    let value = |millionths: i64| format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    desk.change(Change::SetRate(Rate {
        from: AssetCode::new("USD").unwrap(),
        to: usdt().code(),
        value: value(millionths).parse().unwrap(),
        bid: Some(value(bid_millionths).parse().unwrap()),
        source: Text::new("desk").unwrap(),
        as_of: desk.now.utc,
        max_age: Duration::from_secs(3_600),
        id: Text::EMPTY,
    }));
}

fn desk(margins: Margins) -> Desk {
    let rules = vec![PriceRule { margins, ..PriceRule::default() }];
    let pricing = Arc::new(Pricing { terms: RateTerms::default(), rules });
    let mut desk = Desk::with_policy(Policy { pricing, ..Policy::default() });
    desk.open("A", usdt());
    desk.credit(0, START);
    desk.issue("C", 0, FundingMode::PreFunded, Vec::new());
    desk
}

fn clearing(stan: u64, of: u64, minor: i64, last: bool) -> Authorization {
    let mut request = Authorization { class: MessageClass::Clearing, ..purchase(stan, minor) };
    request.merchant.mcc = Some(Mcc(4511));
    request.details.network_reference = Some(NetworkReference::new(&format!("N{of}")).unwrap());
    request.details.clearing = Some(ClearingData { is_final: last, ..ClearingData::default() });
    request
}

fn purchase_at(stan: u64, minor: i64) -> Authorization {
    let mut request = purchase(stan, minor);
    request.merchant.mcc = Some(Mcc(4511));
    request.details.network_reference = Some(NetworkReference::new(&format!("N{stan}")).unwrap());
    request
}

fn increment(stan: u64, of: u64, minor: i64) -> Authorization {
    let mut request = purchase_at(stan, minor);
    request.details.network_reference = Some(NetworkReference::new(&format!("N{of}")).unwrap());
    request.details.incremental = true;
    request
}

fn refund(stan: u64, of: u64, minor: i64) -> Authorization {
    Authorization { processing_code: ProcessingCode(200_000), ..clearing(stan, of, minor, true) }
}

/// Units times this are integers: they have six decimals and cents two, rates six and margins four.
const SCALE: i128 = 10_i128.pow(10);

/// What a payment should have come to by now, exactly, and what a human would note about it.
struct Payment {
    stan: u64,
    /// Its parts, each with the rate that it has locked, in order.
    parts: Vec<(i64, i128)>,
    taken: i64,
    open: bool,
    /// The exact amount times [`SCALE`].
    exact: i128,
    /// How often something was paid beyond the hold: each time is a conversion of its own.
    beyond: i128,
    cleared: Vec<Authorization>,
    refunded: Vec<Authorization>,
}

impl Payment {
    fn promised(&self) -> i64 {
        self.parts.iter().map(|(minor, _)| minor).sum()
    }

    /// What the first `minor` of the hold cost, at their own rates.
    fn cost(&self, minor: i64, factor: i128) -> i128 {
        let mut left = minor;
        let cost = self.parts.iter().map(|(part, millionths)| {
            let take = left.min(*part);
            left -= take;
            i128::from(take) * 10_000 * millionths * factor
        });
        cost.sum()
    }

    /// The hold is lowered to a total: what came last goes first.
    fn lower(&mut self, total: i64) {
        let mut too_much = self.promised() - total.max(self.taken);
        for (part, _) in self.parts.iter_mut().rev() {
            let less = too_much.clamp(0, *part);
            *part -= less;
            too_much -= less;
        }
    }
}

fn view_of(desk: &mut Desk, stan: u64) -> TransactionView {
    desk.transactions().into_iter().find(|view| view.stan == Stan::new(stan).unwrap()).unwrap()
}

/// What a payment has paid less what has come back: on the card, and in units.
fn net(view: &TransactionView) -> (i64, i128) {
    let nothing =
        |amounts: Option<Amounts>| amounts.map_or((0, 0), |found| (found.card.minor(), found.units.0));
    let (paid, refunded) = (nothing(view.paid), nothing(view.refunded));
    (paid.0 - refunded.0, paid.1 - refunded.1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn over_its_whole_life_a_payment_costs_less_than_a_unit_more_than_exactly_and_never_less(
        steps in prop::collection::vec((0_u8..12, 1_i64..9_999, 0_usize..4), 1..60),
        markup in 0_u16..300, fee in 0_u16..300, buffer in 0_u16..3_000,
    ) {
        let mut desk = desk(Margins { markup, fee, buffer });
        let factor = 10_000 + i128::from(markup) + i128::from(fee);
        let mut payments: Vec<Payment> = Vec::new();
        let (mut stan, mut millionths) = (1_u64, 1_000_700_i64);
        quote(&mut desk, millionths, millionths - 900);
        for (what, minor, which) in steps {
            stan += 1;
            let count = payments.len().max(1);
            if what == 0 {
                millionths = 900_000 + minor * 31;
                desk.wait(Duration::from_secs(1));
                quote(&mut desk, millionths, millionths - 900);
                continue;
            }
            if what == 1 || payments.is_empty() {
                prop_assert_eq!(reason(desk.answer(purchase_at(stan, minor))), Reason::Approved);
                let (parts, exact) = (vec![(minor, millionths.into())], 0);
                let (cleared, refunded) = (Vec::new(), Vec::new());
                payments.push(Payment { stan, parts, taken: 0, open: true, exact, beyond: 0, cleared, refunded });
                continue;
            }
            let payment = &mut payments[which % count];
            let before = net(&view_of(&mut desk, payment.stan));
            let left = payment.promised() - payment.taken;
            match what {
                2 if payment.open => {
                    prop_assert_eq!(reason(desk.answer(increment(stan, payment.stan, minor))), Reason::Approved);
                    payment.parts.push((minor, millionths.into()));
                }
                3..=6 if payment.open && left > 0 => {
                    let beyond = if what == 6 { minor % 100 } else { 0 };
                    let part = if beyond > 0 { left } else { 1 + minor % left };
                    let last = what >= 5 || part == left;
                    let request = clearing(stan, payment.stan, part + beyond, last);
                    desk.answer(request);
                    payment.exact += payment.cost(payment.taken + part, factor) - payment.cost(payment.taken, factor);
                    payment.exact += i128::from(beyond) * 10_000 * i128::from(millionths) * factor;
                    payment.beyond += i128::from(beyond > 0);
                    payment.taken += part;
                    payment.open = !last;
                    payment.cleared.push(request);
                }
                7 if payment.open => {
                    let original = purchase_at(payment.stan, payment.parts[0].0);
                    let total = payment.taken + minor % left.max(1);
                    let new_total = (total > 0).then(|| Money::new(total, usd()));
                    let reversal = Reversal { new_total, ..reversal_of(&original) };
                    desk.run(Command::Reverse { card: CardNo(0), reversal, caller: Caller(99) });
                    payment.open = new_total.is_some();
                    payment.lower(total);
                }
                8 | 9 if before.0 > 0 => {
                    let amount = if what == 9 { before.0 } else { 1 + minor % (before.0 + 5) };
                    let request = refund(stan, payment.stan, amount);
                    desk.answer(request);
                    let bid = i128::from(millionths - 900) * (10_000 - i128::from(markup));
                    let exact = i128::from(amount) * 10_000 * bid;
                    // All that is left comes back to the unit.
                    payment.exact -= if amount == before.0 { before.1 * SCALE } else { exact };
                    payment.refunded.push(request);
                }
                10 if !payment.refunded.is_empty() => {
                    let undone = payment.refunded.swap_remove(which % payment.refunded.len());
                    desk.reverse(&undone);
                    let after = net(&view_of(&mut desk, payment.stan));
                    payment.exact += (after.1 - before.1) * SCALE;
                }
                11 if !payment.cleared.is_empty() => {
                    let undone = payment.cleared.swap_remove(which % payment.cleared.len());
                    desk.reverse(&undone);
                    let after = net(&view_of(&mut desk, payment.stan));
                    payment.exact += (after.1 - before.1) * SCALE;
                }
                _ => continue,
            }
            let mut in_all = 0;
            for payment in &payments {
                let view = view_of(&mut desk, payment.stan);
                let (_, units) = net(&view);
                in_all += units;
                let above = units * SCALE - payment.exact;
                prop_assert!(above >= 0, "{} pays {units} for {}", payment.stan, payment.exact);
                prop_assert!(above < SCALE * (1 + payment.beyond), "{} pays {units} for {}", payment.stan, payment.exact);
                prop_assert!(payment.open || view.held.is_none(), "the buffer is released at the end");
            }
            prop_assert_eq!(desk.account(0).balance.ledger.0, START - in_all);
        }
        prop_assert_eq!(desk.rebuilt().control_totals(), desk.shard.control_totals());
    }
}

#[test]
fn a_hold_shows_what_it_is_made_of_and_a_clearing_charges_no_buffer() {
    let mut desk = desk(Margins { markup: 100, fee: 50, buffer: 2_000 });
    quote(&mut desk, 1_000_000, 990_000);
    desk.answer(purchase_at(1, 10_000));
    let view = &desk.transactions()[0];
    let price = view.price.unwrap();
    let parts = [price.base, price.markup, price.fee, price.buffer].map(|units| units.0);
    assert_eq!(parts, [100_000_000, 1_000_000, 500_000, 20_300_000]);
    assert_eq!(desk.account(0).balance.held, Units(121_800_000));
    desk.answer(clearing(2, 1, 10_000, true));
    let balance = desk.account(0).balance;
    assert_eq!((balance.held, balance.ledger), (Units::ZERO, Units(START - 101_500_000)));
    assert_eq!(desk.rebuilt().control_totals(), desk.shard.control_totals());
}

#[test]
fn a_partial_reversal_leaves_the_charge_of_what_is_left() {
    let mut desk = desk(Margins { markup: 0, fee: 0, buffer: 1_000 });
    quote(&mut desk, 1_000_000, 1_000_000);
    desk.answer(purchase_at(1, 10_000));
    let reversal =
        Reversal { new_total: Some(Money::new(4_000, usd())), ..reversal_of(&purchase_at(1, 10_000)) };
    desk.run(Command::Reverse { card: CardNo(0), reversal, caller: Caller(99) });
    desk.answer(clearing(2, 1, 4_000, true));
    let balance = desk.account(0).balance;
    assert_eq!((balance.held, balance.ledger), (Units::ZERO, Units(START - 40_000_000)));
}

#[test]
fn a_rate_that_has_lost_its_peg_stops_what_needs_it() {
    let band = Some(("0.98".parse().unwrap(), "1.02".parse().unwrap()));
    let pair = PairTerms { from: AssetCode::new("USD").unwrap(), to: usdt().code(), max_age: None, band };
    let pricing = Pricing { terms: RateTerms { base: None, pairs: vec![pair] }, rules: Vec::new() };
    let mut desk = Desk::with_policy(Policy { pricing: Arc::new(pricing), ..Policy::default() });
    desk.open("A", usdt());
    desk.issue("C", 0, FundingMode::Jit, Vec::new());
    quote(&mut desk, 1_000_000, 1_000_000);
    assert_eq!(asks(&desk.send(purchase(1, 100))).len(), 1);
    quote(&mut desk, 1_030_000, 1_000_000);
    assert_eq!(reason(desk.answer(purchase(2, 100))), Reason::RateOutsideBand);
    // What cannot be declined is booked at it all the same, and flagged.
    desk.answer(advice(3, 100));
    assert_eq!(desk.account(0).balance.held, Units(1_030_000));
}
