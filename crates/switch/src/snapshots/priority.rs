//! The priority of the thread that makes snapshots: it works in the time that everybody else leaves over.
//!
//! Low priority alone is not enough. A thread of the highest niceness has its slice of time, too, and a lane that wakes
//! up on the same processor can be made to wait for the end of it, some milliseconds. A thread of the idle policy is put
//! aside in the very moment in which any other wakes up, and its processor counts as free meanwhile. So no decision
//! waits for a snapshot, whatever the size of its pieces. The price: on a machine that has no time to spare at all, a
//! snapshot makes next to no progress, and `authswitch_snapshot_making` stays at 1.

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// For where the idle policy is refused (some sandboxes), and for disks whose scheduler looks at niceness.
const NICENESS: i32 = 19;

/// Lets the calling thread give way to every other one from now on. What the system refuses is told and lived with.
pub(super) fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "snapshots are made at normal priority");
    }
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    // The library sets a niceness, too; it refuses every other value for this policy, and the policy does not look at it.
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
        && !is_idle()
    {
        tracing::warn!(
            ?error,
            "snapshots are made at low priority, and decisions may wait some milliseconds for them"
        );
    }
}

fn is_idle() -> bool {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    thread_priority::thread_schedule_policy().is_ok_and(|policy| policy == idle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_does_so_to_every_other_one_and_alone() {
        let gave_way = std::thread::spawn(|| {
            give_way();
            is_idle()
        });
        assert!(gave_way.join().unwrap(), "the idle policy needs no right on Linux");
        assert!(!is_idle(), "the thread beside it stays as it was");
    }
}
