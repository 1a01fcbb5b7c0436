//! E11-E14: over any history of holds, clearings and reversals the customer never pays more than one unit a hold above
//! the exact amount once all of it is cleared, two while a part of it is, and the program never less than exactly that.
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

/// What a hold was made with and what has become of it.
struct Told {
    stan: u64,
    millionths: i128,
    minor: i64,
    cleared: i64,
    open: bool,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nobody_pays_more_than_a_unit_a_hold_too_much_and_nobody_gets_too_little(
        steps in prop::collection::vec((0_u8..5, 1_i64..9_999, 0_usize..8), 1..40),
        markup in 0_u16..300, fee in 0_u16..300, buffer in 0_u16..3_000,
    ) {
        let mut desk = desk(Margins { markup, fee, buffer });
        let factor = 10_000 + i128::from(markup) + i128::from(fee);
        let mut holds: Vec<Told> = Vec::new();
        let (mut stan, mut millionths) = (1_u64, 1_000_700_i64);
        quote(&mut desk, millionths, millionths - 900);
        for (what, minor, which) in steps {
            stan += 1;
            match what {
                0 => {
                    millionths = 900_000 + minor * 31;
                    desk.wait(Duration::from_secs(1));
                    quote(&mut desk, millionths, millionths - 900);
                }
                1 => {
                    prop_assert_eq!(reason(desk.answer(purchase_at(stan, minor))), Reason::Approved);
                    holds.push(Told { stan, millionths: millionths.into(), minor, cleared: 0, open: true });
                }
                _ => {
                    let count = holds.len().max(1);
                    let Some(hold) = holds.get_mut(which % count).filter(|hold| hold.open) else { continue };
                    let left = hold.minor - hold.cleared;
                    match what {
                        2 | 3 if left > 0 => {
                            let part = 1 + minor % left;
                            let last = what == 3 || part == left;
                            desk.answer(clearing(stan, hold.stan, part, last));
                            hold.cleared += part;
                            hold.open = !last;
                        }
                        4 => {
                            desk.reverse(&purchase_at(hold.stan, hold.minor));
                            hold.open = false;
                        }
                        _ => continue,
                    }
                }
            }
            let mut paid_in_all = 0;
            for hold in &holds {
                let view = desk.transactions().into_iter().find(|view| view.stan == Stan::new(hold.stan).unwrap()).unwrap();
                let paid = view.paid.map_or(0, |paid| paid.units.0);
                // Units have six decimals and cents two; everything times 10^10 is an integer.
                let exact = i128::from(hold.cleared) * 10_000 * hold.millionths * factor;
                let scale = 10_i128.pow(10);
                prop_assert!(exact <= paid * scale, "the program gets {paid} for {exact}");
                prop_assert!(paid * scale < exact + scale * if hold.cleared == hold.minor { 1 } else { 2 }, "the customer pays {paid} for {exact}");
                prop_assert!(hold.open || view.held.is_none(), "the buffer is released at the end");
                paid_in_all += paid;
            }
            let balance = desk.account(0).balance;
            prop_assert_eq!(balance.ledger.0, START - paid_in_all);
        }
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
