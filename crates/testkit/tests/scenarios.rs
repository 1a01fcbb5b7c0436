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
    e05_a_partial_reversal_leaves_its_new_total: "e05-partial-reversal.scenario",
    e07_a_pre_funded_account_pays_the_part_that_it_has: "e07-partial-approval-pre-funded.scenario",
    e10_an_advice_after_the_reversal_of_our_own_approval_holds_nothing: "e10-advice-after-reversal.scenario",
    e12_the_parts_of_a_hold_add_up_to_it: "e12-clearings-add-up.scenario",
    e12_refunds_add_up_and_increments_keep_their_own_rate: "e12-refunds-add-up.scenario",
    e15_several_clearings_are_paid_out_of_one_hold: "e15-multi-clearing.scenario",
    e16_a_clearing_above_its_hold_is_posted_and_flagged: "e16-clearing-above-hold.scenario",
    e18_a_clearing_without_an_authorization_is_posted: "e18-forced-post.scenario",
    e19_a_clearing_after_the_end_of_its_hold_is_linked_and_posted: "e19-late-clearing.scenario",
    e20_how_long_a_hold_lasts_follows_a_table: "e20-hold-expiry-table.scenario",
    e21_refunds_are_matched_and_always_credited: "e21-refunds.scenario",
    e27_a_surplus_counts_today_without_being_stopped: "e27-surplus-counts-without-blocking.scenario",
    e35_a_closed_cards_holds_run_their_course: "e35-close-with-open-holds.scenario",
    e36_the_hold_of_a_fuel_pump_follows_its_advice: "e36-fuel.scenario",
    e36_an_advice_finds_its_hold_by_the_approval_code: "e36-by-approval-code.scenario",
    e36_a_total_counts_the_increments_beside_it: "e36-a-total-beside-increments.scenario",
    e11_a_token_that_has_lost_its_peg_is_not_believed: "e11-lost-peg.scenario",
    e11_a_cross_rate_goes_over_the_base: "e11-cross-rate.scenario",
    e11_a_refund_is_not_converted_at_a_rate_that_is_not_believed: "e11-refund-outside-the-band.scenario",
    e13_what_adds_nothing_takes_no_margin_away: "e13-adding-nothing.scenario",
    e13_parts_at_different_prices_are_charged_part_by_part: "e13-added-at-another-price.scenario",
    e12_what_was_undone_is_rounded_with_what_comes_after: "e12-undone-and-cleared-again.scenario",
    e13_markup_and_fee_are_charged_and_the_buffer_is_not: "e13-markup-and-buffer.scenario",
    e08_the_switch_stands_in_within_bounds: "e08-stand-in.scenario",
    e08_an_operator_may_order_that_the_service_is_not_asked: "e08-stand-in-by-order.scenario",
    e08_a_card_is_stood_in_for_so_much_and_so_often_in_a_day: "e08-stand-in-bounds.scenario",
    e08_a_card_that_has_not_paid_for_long_is_used_for_the_first_time_again: "e08-first-use-again.scenario",
    e09_what_was_approved_in_the_services_name_is_told_in_order: "e09-advice-after-stand-in.scenario",
    e32_a_pushed_balance_is_taken_by_its_version: "e32-balance-push.scenario",
    e05_a_new_total_in_the_merchants_currency_is_a_share_of_what_stands: "e05-partial-reversal-in-another-currency.scenario",
    e05_a_new_total_is_of_the_whole_transaction: "e05-partial-reversal-with-increments.scenario",
    e05_a_part_is_undone_while_the_balance_service_decides: "e05-partial-reversal-in-flight.scenario",
    e10_an_advice_of_a_decline_is_recorded_and_moves_nothing: "e10-advice-of-a-decline.scenario",
    e17_an_approval_that_could_not_be_sent_does_not_stand_for_days: "e17-undelivered-approval.scenario",
    e18_a_retrieval_reference_that_one_payment_has_names_it: "e18-by-retrieval-reference.scenario",
    e21_a_payment_has_one_bound_for_all_its_refunds: "e21-refunds-of-a-cleared-hold.scenario",
    e30_a_payment_undone_in_part_gives_each_window_its_own: "e30-payment-undone-in-part.scenario",
    an_increment_of_a_jit_card_is_part_of_one_payment: "increments-of-a-jit-card.scenario",
    e18_a_clearing_is_found_by_what_it_says_of_its_authorization: "e18-found-by-its-references.scenario",
    e25_all_changes_of_an_account_are_in_one_order: "e25-one-order-for-an-account.scenario",
    e27_another_time_zone_waits_for_the_next_window: "e27-another-time-zone.scenario",
    e38_what_has_no_room_is_declined_at_once: "e38-overload.scenario",
    e40_follow_ups_are_never_refused: "e40-follow-ups-are-never-refused.scenario",
    a_purchase_holds_its_amount_and_no_more_than_there_is: "pre-funded-purchase.scenario",
    e26_a_posting_that_is_repeated_is_booked_once: "e26-postings-once.scenario",
    e01_funding_that_arrives_after_the_answer_is_given_back: "e01-late-funding.scenario",
    e01_every_outcome_that_may_have_reserved_money_is_cancelled: "e01-unknown-outcomes.scenario",
    e02_a_reversal_wins_against_an_ask_in_flight: "e02-reversal-in-flight.scenario",
    e03_a_reversal_before_its_original_is_remembered: "e03-reversal-before-original.scenario",
    e04_a_reversal_undoes_once: "e04-repeated-reversal.scenario",
    e06_a_repeat_gets_the_first_answer: "e06-repeated-request.scenario",
    e06_the_same_references_with_another_amount_are_refused: "e06-duplicate-with-other-amount.scenario",
    e07_no_part_below_the_least_is_approved: "e07-least-part.scenario",
    e07_a_part_is_approved_where_the_terminal_can_take_one: "e07-partial-approval.scenario",
    e10_an_advice_is_held_past_the_balance_and_flagged: "e10-advice-past-the-balance.scenario",
    e10_an_advice_of_our_own_approval_holds_once: "e10-advice-of-our-own-approval.scenario",
    e11_a_stale_rate_converts_nothing: "e11-stale-rate.scenario",
    e12_debits_are_rounded_up_and_reversals_are_exact: "e12-rounding.scenario",
    e20_a_hold_runs_out: "e20-hold-expiry.scenario",
    e20_an_increment_renews_a_hold_for_its_own_time: "e20-renewed-by-increments.scenario",
    e27_a_day_of_23_hours_begins_and_ends_at_local_midnight: "e27-day-limit-across-summer-time.scenario",
    e27_a_day_of_25_hours_is_one_day: "e27-day-of-25-hours.scenario",
    e28_a_trailing_window_looks_back_from_each_request: "e28-velocity-trailing-window.scenario",
    e28_attempts_count_declines_too: "e28-velocity-attempts.scenario",
    e28_velocity_follows_what_a_transaction_comes_to: "e28-velocity-follows-the-money.scenario",
    e28_a_rule_of_an_account_counts_all_its_cards: "e28-velocity-of-an-account.scenario",
    e29_two_purchases_never_both_take_the_last_dollar: "e29-race-for-the-last-dollar.scenario",
    e30_limits_give_back_in_their_own_window: "e30-limits-give-back-in-their-own-window.scenario",
    e31_an_open_ask_is_cancelled_after_a_restart: "e31-restart-with-an-open-ask.scenario",
    e33_every_failing_rule_is_listed_in_order: "e33-every-failing-rule.scenario",
    e33_wrong_results_of_verification_decline_after_the_cards_state: "e33-security-results.scenario",
    e33_a_rule_asks_for_three_d_secure_in_electronic_commerce: "e33-ecommerce-needs-three-d-secure.scenario",
    e34_a_freeze_in_flight_declines_and_cancels: "e34-freeze-in-flight.scenario",
    e35_a_closed_card_still_accepts_reversals: "e35-closed-card.scenario",
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

#[test]
fn every_hard_case_of_a_transactions_life_has_a_story_named_after_it() {
    let told = |number: &u8| TOLD.iter().any(|file| file.starts_with(&format!("e{number:02}-")));
    let cases = (2..=7).chain([10]).chain(15..=21).chain(25..=30).chain(33..=36).chain([38, 40]);
    assert_eq!(cases.filter(|number| !told(number)).collect::<Vec<u8>>(), Vec::<u8>::new());
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
