//! The breaker in virtual time.

use super::*;
use proptest::prelude::*;

const CONFIG: BreakerConfig = BreakerConfig {
    window: Duration::from_secs(10),
    calls_min: 10,
    failure_percent_max: 50,
    slow_percent_max: 80,
    slow_after_percent: 80,
    open_for: Backoff { min: Duration::from_secs(2), max: Duration::from_secs(30) },
    probes_max: 2,
    probe_expires: Duration::from_secs(5),
    probes_to_close: 3,
};

fn at(ms: u64) -> Mono {
    Mono::default().plus(Duration::from_millis(ms))
}

fn breaker() -> Breaker {
    Breaker::new(CONFIG, 1)
}

/// Makes calls that end at once.
fn calls(breaker: &mut Breaker, count: u32, end: CallEnd, now: Mono) {
    for _ in 0..count {
        let permit = breaker.permit(now).unwrap();
        breaker.ended(permit, end, now);
    }
}

/// An open breaker, and when it will let probes out.
fn opened() -> (Breaker, Mono) {
    let mut breaker = breaker();
    calls(&mut breaker, 10, CallEnd::Failed, at(0));
    let State::Open { until } = breaker.state else { panic!("not open") };
    (breaker, until)
}

#[test]
fn half_of_the_calls_failing_opens_it() {
    let mut breaker = breaker();
    calls(&mut breaker, 6, CallEnd::Answered, at(0));
    calls(&mut breaker, 5, CallEnd::Failed, at(0));
    assert_eq!(breaker.state(at(0)), BreakerState::Closed, "5 of 11 are not half");
    calls(&mut breaker, 1, CallEnd::Failed, at(0));
    assert_eq!(breaker.state(at(0)), BreakerState::Open);
    assert_eq!(breaker.permit(at(999)), None, "open for at least half of two seconds");
}

#[test]
fn slow_calls_open_it_too_but_only_if_nearly_all_are_slow() {
    let mut breaker = breaker();
    calls(&mut breaker, 3, CallEnd::Answered, at(0));
    calls(&mut breaker, 11, CallEnd::AnsweredSlowly, at(0));
    assert_eq!(breaker.state(at(0)), BreakerState::Closed);
    calls(&mut breaker, 1, CallEnd::AnsweredSlowly, at(0));
    assert_eq!(breaker.state(at(0)), BreakerState::Open, "12 of 15 are 80 of 100");
}

#[test]
fn too_few_calls_never_open_it_and_old_ones_are_forgotten() {
    let mut breaker = breaker();
    calls(&mut breaker, 9, CallEnd::Failed, at(500));
    assert_eq!(breaker.state(at(500)), BreakerState::Closed);
    for now in [at(10_500), at(21_800)] {
        // In the place of the bucket before, and in another.
        calls(&mut breaker, 9, CallEnd::Failed, now);
        assert_eq!(breaker.state(now), BreakerState::Closed, "what came before is too old to count");
    }
    calls(&mut breaker, 1, CallEnd::Failed, at(21_900));
    assert_eq!(breaker.state(at(21_900)), BreakerState::Open);
}

#[test]
fn what_says_nothing_about_the_service_is_not_counted() {
    let mut breaker = breaker();
    calls(&mut breaker, 100, CallEnd::NotJudged, at(0));
    calls(&mut breaker, 9, CallEnd::Failed, at(0));
    assert_eq!(breaker.state(at(0)), BreakerState::Closed);
}

#[test]
fn probes_that_succeed_close_it() {
    let (mut breaker, until) = opened();
    assert_eq!(breaker.state(until), BreakerState::HalfOpen);
    let (first, second) = (breaker.permit(until).unwrap(), breaker.permit(until).unwrap());
    assert_eq!(breaker.permit(until), None, "two probes at once and no more");
    breaker.ended(first, CallEnd::Answered, until);
    breaker.ended(second, CallEnd::Answered, until);
    assert_eq!(breaker.state(until), BreakerState::HalfOpen);
    calls(&mut breaker, 1, CallEnd::Answered, until);
    assert_eq!(breaker.state(until), BreakerState::Closed);
    calls(&mut breaker, 9, CallEnd::Failed, until);
    assert_eq!(breaker.state(until), BreakerState::Closed, "what came before is forgotten");
}

#[test]
fn a_probe_that_fails_or_dawdles_opens_it_again_for_longer() {
    for bad in [CallEnd::Failed, CallEnd::AnsweredSlowly] {
        let (mut breaker, mut until) = opened();
        for least in [2, 4, 8, 15, 15] {
            calls(&mut breaker, 1, bad, until);
            let State::Open { until: next } = breaker.state else { panic!("not open") };
            assert!(next.since(until) >= Duration::from_secs(least), "{:?}", next.since(until));
            assert!(next.since(until) <= CONFIG.open_for.max);
            until = next;
        }
    }
}

#[test]
fn a_probe_that_never_ends_gives_its_place_back() {
    let (mut breaker, until) = opened();
    let lost = breaker.permit(until).unwrap();
    breaker.permit(until).unwrap();
    assert_eq!(breaker.permit(until.plus(Duration::from_millis(4_999))), None);
    let later = until.plus(CONFIG.probe_expires);
    assert!(breaker.permit(later).is_some());
    breaker.ended(lost, CallEnd::Failed, later);
    assert_eq!(breaker.state(later), BreakerState::HalfOpen, "an expired probe is not judged");
}

#[test]
fn stragglers_of_an_outage_do_not_reopen_it() {
    let mut breaker = breaker();
    let straggler = breaker.permit(at(0)).unwrap();
    calls(&mut breaker, 10, CallEnd::Failed, at(0));
    let State::Open { until } = breaker.state else { panic!("not open") };
    calls(&mut breaker, 2, CallEnd::Answered, until);
    breaker.ended(straggler, CallEnd::Failed, until);
    assert_eq!(breaker.state(until), BreakerState::HalfOpen);
    calls(&mut breaker, 1, CallEnd::Answered, until);
    assert_eq!(breaker.state(until), BreakerState::Closed);
}

#[test]
fn once_closed_it_neither_hears_stragglers_nor_remembers_how_long_it_was_open() {
    let mut breaker = breaker();
    let stragglers: Vec<_> = (0..20).map(|_| breaker.permit(at(0)).unwrap()).collect();
    calls(&mut breaker, 10, CallEnd::Failed, at(0));
    for _ in 0..4 {
        let State::Open { until } = breaker.state else { panic!("not open") };
        calls(&mut breaker, 1, CallEnd::Failed, until);
    }
    let State::Open { until } = breaker.state else { panic!("not open") };
    assert!(until.since(at(0)) > Duration::from_secs(20));
    calls(&mut breaker, 3, CallEnd::Answered, until);
    for straggler in stragglers {
        breaker.ended(straggler, CallEnd::Failed, until);
    }
    assert_eq!(breaker.state(until), BreakerState::Closed);
    calls(&mut breaker, 10, CallEnd::Failed, until);
    assert_eq!(breaker.state(until.plus(Duration::from_secs(2))), BreakerState::HalfOpen, "2 s again");
}

proptest! {
    /// Whatever happens: it refuses only when open or out of probes, never has more probes than allowed, and
    /// lets a call out again once its longest pause is over.
    #[test]
    fn it_never_stays_shut_for_ever(
        steps in prop::collection::vec((0..3_000_u64, 0..4_u8, any::<bool>()), 1..300),
        seed in any::<u64>(),
    ) {
        let mut breaker = Breaker::new(CONFIG, seed);
        let mut now = at(0);
        let mut open = Vec::new();
        for (pause, end, keep) in steps {
            now = now.plus(Duration::from_millis(pause));
            let before = breaker.state(now);
            match breaker.permit(now) {
                Some(permit) => open.push(permit),
                None => prop_assert_ne!(before, BreakerState::Closed),
            }
            if let State::HalfOpen { probes, .. } = &breaker.state {
                prop_assert!(probes.len() <= 2);
            }
            if !keep && let Some(permit) = open.pop() {
                let ends = [CallEnd::Answered, CallEnd::AnsweredSlowly, CallEnd::Failed, CallEnd::NotJudged];
                breaker.ended(permit, ends[usize::from(end)], now);
            }
        }
        let rested = now.plus(CONFIG.open_for.max).plus(CONFIG.probe_expires);
        prop_assert!(breaker.permit(rested).is_some());
    }
}

#[test]
fn e23_a_small_call_probes_before_a_large_one() {
    let (mut breaker, until) = opened();
    assert_eq!(breaker.permit_for(until, Probe::Dear), None, "a large payment does not probe first");
    assert_eq!(breaker.permit_for(until, Probe::Never), None);
    assert!(breaker.permit_for(until, Probe::Cheap).is_some());
    let waited = until.plus(CONFIG.probe_expires);
    assert!(breaker.permit_for(waited, Probe::Dear).is_some(), "nothing cheaper came along");
    assert_eq!(
        breaker.permit_for(waited, Probe::Never),
        None,
        "something else probes, however long it takes"
    );
}
