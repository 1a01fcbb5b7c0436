//! What each metric means, for `# HELP`.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Of decisions, links, lanes, funding and the journal.
#[allow(clippy::too_many_lines)] // one list, as long as there are metrics
pub(super) fn describe() {
    for (name, help) in [
        (
            "authswitch_authorizations_total",
            "Authorization requests and advices answered, repeats included, by outcome and deciding reason",
        ),
        (
            "authswitch_rule_hits_total",
            "Transactions that a rule of the program declined (enforce) or would have (shadow), by rule",
        ),
        (
            "authswitch_rate_source_failures_total",
            "Readings of the file or the feed of rates that brought none",
        ),
        (
            "authswitch_stand_in_total",
            "Asks that failed and were approved in the balance service's place, or refused, by what refused them",
        ),
        ("authswitch_reversals_total", "Reversals answered, repeats included"),
        ("authswitch_reversals_unmatched_total", "Reversals whose original was not known"),
        ("authswitch_network_messages_total", "Network management messages answered"),
        ("authswitch_not_served_total", "Messages refused because their kind is not served"),
        ("authswitch_format_errors_total", "Messages answered with a format error, by link"),
        ("authswitch_frame_errors_total", "Connections closed because of a bad frame, by link"),
        (
            "authswitch_link_refused_connections_total",
            "Connections refused because the link had as many as it may",
        ),
        ("authswitch_link_reconnects_total", "Connections that we had opened and lost, by link"),
        ("authswitch_link_connect_failures_total", "Attempts to connect that failed, by link"),
        ("authswitch_link_missed_echoes_total", "Echoes of ours that were not answered, by link"),
        (
            "authswitch_link_mac_failures_total",
            "Messages whose authentication code was missing or wrong, by link",
        ),
        ("authswitch_link_tls_failures_total", "TLS handshakes that failed, by link"),
        (
            "authswitch_overload_declines_total",
            "Requests declined because a queue was full or waits were too long",
        ),
        (
            "authswitch_unanswered_repeats_total",
            "Repeated requests without an answer: there was no room to look for the first, and no other may follow it",
        ),
        ("authswitch_late_answers_total", "Answers that left after the processor's deadline"),
        (
            "authswitch_withheld_answers_total",
            "Requests answered without a decision, because it was not there at their deadline",
        ),
        ("authswitch_undelivered_answers_total", "Answers whose connection was gone"),
        ("authswitch_unknown_card_follow_ups_total", "Advices and reversals for cards that are not known"),
        (
            "authswitch_noted_follow_ups_total",
            "Advices of a decline and reversals of a part: acknowledged, and nothing changed",
        ),
        ("authswitch_funding_asks_total", "Asks of the balance service, by outcome"),
        (
            "authswitch_funding_late_answers_total",
            "Answers of the balance service that came after the ask had ended",
        ),
        (
            "authswitch_funding_asks_hedged_total",
            "Asks sent a second time because the first took unusually long",
        ),
        (
            "authswitch_funding_asks_failed_over_total",
            "Asks that went to another endpoint because no connection could be had",
        ),
        (
            "authswitch_funding_misconfigured_answers_total",
            "Answers that refuse our keys or words, or that cannot be read or trusted",
        ),
        ("authswitch_duty_attempts_total", "Attempts to discharge a duty towards the balance service"),
        ("authswitch_duty_failures_total", "Attempts that were not acknowledged"),
        ("authswitch_duties_done_total", "Duties that the balance service acknowledged"),
        ("authswitch_journal_records_total", "Facts written to the journal"),
        ("authswitch_journal_bytes_total", "Bytes written to the journal"),
    ] {
        describe_counter!(name, help);
    }
    for (name, help) in [
        ("authswitch_link_up", "Whether the link listens, or has a connection that we opened"),
        ("authswitch_link_connections", "Connections open, by link"),
        ("authswitch_link_connections_max", "Connections that may be open, by link"),
        ("authswitch_link_signed_on_connections", "Connections whose requests are served, by link"),
        ("authswitch_link_in_flight", "Requests and follow-ups not yet answered, by link"),
        ("authswitch_link_in_flight_max", "Requests that one connection may have unanswered, by link"),
        ("authswitch_queue_records", "Entries waiting, by queue"),
        ("authswitch_queue_records_max", "Entries that may wait, by queue"),
        ("authswitch_journal_unsynced_records", "Facts decided and not yet on disk"),
        ("authswitch_journal_failed", "1 when the journal has failed and the switch is about to stop"),
        ("authswitch_journal_space_low", "1 when approvals are stopped because the disk is nearly full"),
        ("authswitch_journal_exposure_records", "Facts acknowledged and not yet on disk"),
        (
            "authswitch_journal_exposure_seconds",
            "How long the oldest acknowledged fact has waited for the disk",
        ),
        (
            "authswitch_journal_exposure_minor_units",
            "Money acknowledged and not yet on disk, in minor units of mixed currencies",
        ),
        ("authswitch_funding_asks_in_flight", "Asks that are open"),
        ("authswitch_funding_asks_in_flight_max", "Asks that may be open"),
        (
            "authswitch_funding_breaker_open",
            "1 while the endpoint is left alone, 0.5 while it is probed, by endpoint in the configuration's order",
        ),
        ("authswitch_funding_endpoint_well", "1 while the endpoint can be reached and says that it is well"),
        (
            "authswitch_funding_config_alarm",
            "1 while the endpoint refuses our keys or words, or answers what cannot be read or trusted",
        ),
        ("authswitch_funding_endpoint_asks", "Asks that are open, by endpoint"),
        ("authswitch_funding_endpoint_connections", "Connections that are open, by endpoint"),
        ("authswitch_funding_endpoint_asks_max", "Asks that may be open to one endpoint"),
        ("authswitch_funding_endpoint_connections_max", "Connections that may be open to one endpoint"),
        ("authswitch_duties_pending", "Duties owed to the balance service"),
        ("authswitch_duties_pending_max", "Duties that may be owed before no more asks are made"),
        ("authswitch_duties_oldest_seconds", "How long the oldest duty has been owed"),
        (
            "authswitch_stand_in_exposure",
            "What was approved in the balance service's place and it has not acknowledged, in whole units of the asset, by \
             program",
        ),
        ("authswitch_stand_in_exposure_max", "The most of it that there may be, by program and asset"),
        ("authswitch_rate_age_seconds", "How long ago a rate was quoted, by pair"),
        (
            "authswitch_rate_usable",
            "1 while a rate converts; 0 when it is too old or has left its band, by pair",
        ),
        (
            "authswitch_rate_outside_band",
            "1 while a rate is outside the band in which it is believed, by pair",
        ),
        ("authswitch_cards", "Cards"),
        ("authswitch_accounts", "Accounts"),
    ] {
        describe_gauge!(name, help);
    }
    for (name, help) in [
        (
            "authswitch_authorization_duration_seconds",
            "From the frame's arrival to its answer, by where the money came from",
        ),
        ("authswitch_stage_duration_seconds", "Time in one stage of the path, once a batch"),
        (
            "authswitch_funding_lateness_seconds",
            "How long after the end of its ask an answer of the balance service came",
        ),
        ("authswitch_funding_ask_duration_seconds", "How long an ask of the balance service took"),
        ("authswitch_journal_sync_duration_seconds", "How long one sync of the journal took"),
        ("authswitch_lane_batch_commands", "Commands decided in one batch"),
    ] {
        describe_histogram!(name, help);
    }
}

/// Of snapshots and the start.
pub(super) fn describe_snapshots() {
    for (name, help) in [
        ("authswitch_snapshots_total", "Snapshots made and verified by this process"),
        (
            "authswitch_snapshot_failures_total",
            "Snapshots of this process that failed; those before them stand",
        ),
    ] {
        describe_counter!(name, help);
    }
    for (name, help) in [
        ("authswitch_recovery_records", "Facts that this process read back from the journal at its start"),
        ("authswitch_recovery_seconds", "How long its start took, from opening the journal to checked books"),
        (
            "authswitch_snapshot_age_seconds",
            "Since the newest snapshot was made; since the start of the process if there is none",
        ),
        ("authswitch_snapshot_duration_seconds", "How long the newest snapshot took"),
        ("authswitch_snapshot_bytes", "Size of the newest snapshot made by this process"),
        ("authswitch_snapshot_unsaved_records", "Facts on disk that the newest snapshot does not have"),
        ("authswitch_snapshot_making", "1 while a snapshot is being made"),
        ("authswitch_snapshots_damaged", "Damaged snapshots that are kept aside"),
        ("authswitch_snapshots_damaged_max", "The most that are kept; of more, the oldest go"),
        ("authswitch_journal_segments", "Segment files in the journal's directory"),
        (
            "authswitch_recovery_snapshot_bytes",
            "Size of the snapshot that this process started from; 0: from none",
        ),
        (
            "authswitch_recovery_snapshots_passed_over",
            "Snapshots that were damaged when this process started and were not used",
        ),
    ] {
        describe_gauge!(name, help);
    }
}
