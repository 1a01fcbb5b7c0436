//! Waits until nothing is under way between the switch and the balance service.
//!
//! Asks whose outcome is not known leave a duty to cancel, and reversals and advices leave duties too. Until the
//! balance service has acknowledged them all, its books may rightly differ from the switch's.

use crate::api_client::{Call, Connection};
use anyhow::bail;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Gauges that are zero when nothing is under way.
const UNDER_WAY: [&str; 2] = ["authswitch_duties_pending", "authswitch_funding_asks_in_flight"];

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until nothing is under way, at most for `within`. Returns how long it took.
pub(super) async fn settle(api: &mut Connection, within: Duration) -> anyhow::Result<Duration> {
    let start = Instant::now();
    loop {
        let page = api.send(&Call::show("/metrics")).await?.text();
        let left = UNDER_WAY.map(|name| gauge(&page, name));
        match left {
            [Some(0), Some(0)] => return Ok(start.elapsed()),
            [Some(duties), Some(asks)] if start.elapsed() > within => {
                bail!(
                    "after {within:?} the switch still owes the balance service {duties} duties and has {asks} open asks"
                )
            }
            [Some(_), Some(_)] => sleep(LOOK_EVERY).await,
            [None, _] | [_, None] => bail!("the metrics page does not show {UNDER_WAY:?}"),
        }
    }
}

/// The value of a gauge without labels, which counts things.
pub(super) fn gauge(page: &str, name: &str) -> Option<u64> {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_read_by_its_whole_name() {
        let page = "# TYPE authswitch_duties_pending gauge\nauthswitch_duties_pending_max 9\nauthswitch_duties_pending 3\n";
        assert_eq!(gauge(page, "authswitch_duties_pending"), Some(3));
        assert_eq!(gauge(page, "authswitch_duties"), None);
        assert_eq!(gauge("authswitch_duties_pending many\n", "authswitch_duties_pending"), None);
    }
}
