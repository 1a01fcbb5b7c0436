//! What programs have open together, over all lanes: the one number that no lane owns (E8).
//!
//! A lane reserves what its decision may need before it decides, and gives back what was not used. So the bound holds
//! whatever the lanes do at the same time; near the bound one of them may be refused what another gives back a moment
//! later, and never the other way round. Touched only while the switch stands in, and by acknowledgements of advices.

use authorizer::{Exposes, Exposure, Shard};
use domain::Units;
use std::sync::{Mutex, PoisonError};

/// The sums, one for each program and asset that has a bound.
#[derive(Debug, Default)]
pub(crate) struct Exposures {
    sums: Box<[Mutex<Exposure>]>,
}

/// A part of a sum that is reserved for one decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    place: usize,
    pub(crate) units: Units,
}

impl Exposures {
    /// The sums of what was recovered.
    pub(crate) fn of(shards: &[Shard]) -> Self {
        let places = shards.iter().map(|shard| shard.exposed().len()).max().unwrap_or(0);
        let sum = |place: usize| {
            let each = shards.iter().filter_map(|shard| shard.exposed().get(place));
            Mutex::new(each.fold(Exposure::default(), |mut sum, exposure| {
                sum.open.grow(exposure.open);
                sum.asset = sum.asset.or(exposure.asset);
                sum
            }))
        };
        Self { sums: (0..places).map(sum).collect() }
    }

    /// What is open, by place.
    pub(crate) fn all(&self) -> Vec<Exposure> {
        let read = |sum: &Mutex<Exposure>| *sum.lock().unwrap_or_else(PoisonError::into_inner);
        self.sums.iter().map(read).collect()
    }

    /// Reserves what a decision may need, or as much of it as there is room for.
    pub(crate) fn lease(&self, exposes: Exposes) -> Lease {
        let place = exposes.slot.0;
        let mut units = Units::ZERO;
        self.change(place, |sum| {
            units = exposes.granted(sum.open);
            sum.open.grow(units);
        });
        Lease { place, units }
    }

    /// Gives a lease back; what became of it was added before.
    pub(crate) fn end(&self, lease: Lease) {
        self.change(lease.place, |sum| sum.open = Units(sum.open.0.saturating_sub(lease.units.0)));
    }

    /// Adds what a shard has open now to the sums, less what of it is in them already.
    pub(crate) fn publish(&self, published: &mut [Exposure], exposed: &[Exposure]) {
        for (place, (before, now)) in published.iter_mut().zip(exposed).enumerate() {
            if before != now {
                let change = Units(now.open.0.saturating_sub(before.open.0));
                self.change(place, |sum| {
                    sum.open.grow(change);
                    sum.asset = sum.asset.or(now.asset);
                });
                *before = *now;
            }
        }
    }

    fn change(&self, place: usize, change: impl FnOnce(&mut Exposure)) {
        if let Some(sum) = self.sums.get(place) {
            change(&mut sum.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use authorizer::ExposureSlot;

    fn exposures() -> Exposures {
        Exposures { sums: Box::new([Mutex::default()]) }
    }

    fn open(units: i128) -> [Exposure; 1] {
        [Exposure { open: Units(units), asset: None }]
    }

    fn wants(units: i128) -> Exposes {
        Exposes { slot: ExposureSlot(0), wanted: Units(units), max: Units(100) }
    }

    #[test]
    fn two_decisions_at_once_never_get_more_than_the_bound() {
        let exposures = exposures();
        let (one, other) = (exposures.lease(wants(70)), exposures.lease(wants(70)));
        assert_eq!((one.units, other.units), (Units(70), Units(30)));
        exposures.publish(&mut open(0), &open(70));
        exposures.end(one);
        exposures.end(other);
        assert_eq!(exposures.all(), open(70));
        assert_eq!(exposures.lease(wants(70)).units, Units(30));
    }

    #[test]
    fn what_is_acknowledged_makes_room_again() {
        let exposures = exposures();
        let mut published = open(0);
        exposures.publish(&mut published, &open(100));
        assert_eq!(exposures.lease(wants(1)).units, Units::ZERO);
        exposures.publish(&mut published, &open(40));
        assert_eq!(exposures.lease(wants(100)).units, Units(60));
    }

    #[test]
    fn many_threads_stay_within_the_bound() {
        let exposures = exposures();
        let taken: i128 = std::thread::scope(|scope| {
            let work = || {
                let mut published = open(0);
                let mut taken = 0;
                for _ in 0..1_000 {
                    let lease = exposures.lease(wants(7));
                    if lease.units == Units(7) {
                        taken += 7;
                        exposures.publish(&mut published, &open(taken));
                    }
                    exposures.end(lease);
                }
                taken
            };
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        // Within seven of the bound, unless leases that were given back refused the last of it.
        assert!((1..=100).contains(&taken), "{taken} of 100 were taken");
        assert_eq!(exposures.all(), open(taken));
    }
}
