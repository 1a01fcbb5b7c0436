//! Each story in `scenarios/`, played by the decision core and by the naive model.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use testkit::scenario::play;

fn check(file: &str) {
    let path = format!("{}/scenarios/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    if let Err(finding) = play(file, &text) {
        panic!("{finding}");
    }
}

macro_rules! stories {
    ($($name:ident: $file:literal,)+) => {
        $(#[test] fn $name() { check($file); })+

        const TOLD: &[&str] = &[$($file,)+];
    };
}

stories! {
    a_message_that_approves_and_books_holds_nothing: "single-message.scenario",
    an_increment_adds_to_a_hold_and_can_be_undone_by_itself: "incremental.scenario",
    questions_move_nothing: "inquiries.scenario",
    e05_a_partial_reversal_leaves_its_new_total: "partial-reversal.scenario",
    e07_a_pre_funded_account_pays_the_part_that_it_has: "partial-approval-pre-funded.scenario",
    e10_an_advice_after_the_reversal_of_our_own_approval_holds_nothing: "advice-after-reversal.scenario",
    e12_the_parts_of_a_hold_add_up_to_it: "clearings-add-up.scenario",
    e15_several_clearings_are_paid_out_of_one_hold: "multi-clearing.scenario",
    e16_a_clearing_above_its_hold_is_posted_and_flagged: "clearing-above-hold.scenario",
    e18_a_clearing_without_an_authorization_is_posted: "forced-post.scenario",
    e19_a_clearing_after_the_end_of_its_hold_is_linked_and_posted: "late-clearing.scenario",
    e20_how_long_a_hold_lasts_follows_a_table: "hold-expiry-table.scenario",
    e21_refunds_are_matched_and_always_credited: "refunds.scenario",
    e27_a_surplus_counts_today_without_being_stopped: "surplus-counts-without-blocking.scenario",
    e35_a_closed_cards_holds_run_their_course: "close-with-open-holds.scenario",
    e36_the_hold_of_a_fuel_pump_follows_its_advice: "fuel.scenario",
    e40_follow_ups_are_never_refused: "follow-ups-are-never-refused.scenario",
    a_purchase_holds_its_amount_and_no_more_than_there_is: "pre-funded-purchase.scenario",
    a_posting_that_is_repeated_is_booked_once: "postings-once.scenario",
    e01_funding_that_arrives_after_the_answer_is_given_back: "late-funding.scenario",
    e01_every_outcome_that_may_have_reserved_money_is_cancelled: "unknown-outcomes.scenario",
    e02_a_reversal_wins_against_an_ask_in_flight: "reversal-in-flight.scenario",
    e03_a_reversal_before_its_original_is_remembered: "reversal-before-original.scenario",
    e04_a_reversal_undoes_once: "repeated-reversal.scenario",
    e06_a_repeat_gets_the_first_answer: "repeated-request.scenario",
    e06_the_same_references_with_another_amount_are_refused: "duplicate-with-other-amount.scenario",
    e07_a_part_is_approved_where_the_terminal_can_take_one: "partial-approval.scenario",
    e10_an_advice_is_held_past_the_balance_and_flagged: "advice-past-the-balance.scenario",
    e10_an_advice_of_our_own_approval_holds_once: "advice-of-our-own-approval.scenario",
    e11_a_stale_rate_converts_nothing: "stale-rate.scenario",
    e12_debits_are_rounded_up_and_reversals_are_exact: "rounding.scenario",
    e20_a_hold_runs_out: "hold-expiry.scenario",
    e27_a_day_of_23_hours_begins_and_ends_at_local_midnight: "day-limit-across-summer-time.scenario",
    e27_a_day_of_25_hours_is_one_day: "day-of-25-hours.scenario",
    e28_a_trailing_window_looks_back_from_each_request: "velocity-trailing-window.scenario",
    e28_attempts_count_declines_too: "velocity-attempts.scenario",
    e28_velocity_follows_what_a_transaction_comes_to: "velocity-follows-the-money.scenario",
    e28_a_rule_of_an_account_counts_all_its_cards: "velocity-of-an-account.scenario",
    e29_two_purchases_never_both_take_the_last_dollar: "race-for-the-last-dollar.scenario",
    e30_limits_give_back_in_their_own_window: "limits-give-back-in-their-own-window.scenario",
    e31_an_open_ask_is_cancelled_after_a_restart: "restart-with-an-open-ask.scenario",
    e33_every_failing_rule_is_listed_in_order: "every-failing-rule.scenario",
    e33_wrong_results_of_verification_decline_after_the_cards_state: "security-results.scenario",
    e33_a_rule_asks_for_three_d_secure_in_electronic_commerce: "ecommerce-needs-three-d-secure.scenario",
    e34_a_freeze_in_flight_declines_and_cancels: "freeze-in-flight.scenario",
    e35_a_closed_card_still_accepts_reversals: "closed-card.scenario",
    a_rule_in_shadow_mode_decides_nothing_and_records_everything: "shadow-rule.scenario",
    a_risk_score_is_refused_from_a_threshold_on: "risk-score.scenario",
    the_first_use_in_a_new_country_is_noticed: "first-use-in-a-new-country.scenario",
}

#[test]
fn every_story_in_the_folder_is_told() {
    let folder = format!("{}/scenarios", env!("CARGO_MANIFEST_DIR"));
    let names =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let untold: Vec<String> =
        names.filter(|name| name.ends_with(".scenario") && !TOLD.contains(&name.as_str())).collect();
    assert_eq!(untold, Vec::<String>::new(), "these stories have no test");
}

/// The finding of a story that cannot be read or does not hold.
fn refused(text: &str) -> String {
    play("story.scenario", text).unwrap_err().to_string()
}

#[test]
fn an_unreadable_line_says_where_what_was_found_and_what_is_allowed() {
    for (text, finding) in [
        ("acount A1 USD", "story.scenario:1: found \"acount\", allowed: start, account, card,"),
        (
            "account A1 USD\n\ncredit A1 1.001",
            "story.scenario:3: found \"1.001\", allowed: an amount in USD with at most 2",
        ),
        (
            "account A1 USD\ncredit A2 1.00",
            "story.scenario:2: found \"A2\", allowed: an account of this story: A1",
        ),
        (
            "account A1 USD\ncard C1 on A1 USD cash",
            "story.scenario:2: found \"cash\", allowed: prefunded or jit",
        ),
        ("account A1 USD\ncard C1 A1", "story.scenario:2: found \"A1\", allowed: on"),
        (
            "account A1 USD\ncard C1 on A1",
            "story.scenario:2: found the end of the line, allowed: an ISO 4217 currency",
        ),
        ("+3 tick", "story.scenario:1: found \"+3\", allowed: a delay such as +800ms"),
        ("tick tock", "story.scenario:1: found \"tock\", allowed: nothing more on this line"),
        (
            "account A1 USD\naccount A1 EUR",
            "story.scenario:2: found \"A1\", allowed: a name that is not taken yet",
        ),
        ("account A1 USD\nstart 2026-11-20T12:00:00Z", "story.scenario:2: found \"start\" in the middle"),
        ("# nothing", "story.scenario: the story is empty"),
    ] {
        let found = refused(text);
        assert!(found.starts_with(finding), "{text:?} gave {found:?}, not {finding:?}");
    }
}

#[test]
fn a_story_that_leaves_something_out_or_tells_it_wrong_fails() {
    const CARD: &str = "account A1 USD\ncard C1 on A1 USD prefunded\ncredit A1 9.00\n";
    for (story, finding) in [
        ("0100 C1 1.00 USD stan 000001", "the story does not tell: answer 000001 approved"),
        ("0100 C1 1.00 USD stan 000001\ntick", "the story does not tell: answer 000001 approved"),
        ("0100 C1 1.00 USD stan 000001\nanswer 000001 declined card_frozen", "told \"answer 000001 declined"),
        ("expect A1 ledger 9.01", "ledger is \"9.00\", the story tells \"9.01\""),
        ("expect 000001 state approved", "no transaction has the trace number 000001"),
    ] {
        let found = refused(&format!("{CARD}{story}"));
        assert!(found.contains(finding), "{story:?} gave {found:?}, not {finding:?}");
    }
}
