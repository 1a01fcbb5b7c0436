//! `import`: good files, bad lines, and files that were imported before.

use crate::daemon::Site;
use crate::tool::authswitch;

const GOOD: &str = r#"{"rate": {"from": "USD", "to": "USDT", "value": "1.0002", "source": "desk", "max_age": "60s"}}
{"account": {"id": "a", "asset": "USD"}}
{"credit": {"account": "a", "amount": "250.00", "note": "opening"}}

{"card": {"id": "c", "number": "4242424242424242", "account": "a", "currency": "USD", "expiry": "2088-12", "funding": "pre_funded", "status": "active"}}
"#;

fn site() -> Site {
    Site::new("http://127.0.0.1:9")
}

#[test]
fn a_file_is_imported_and_importing_it_again_changes_nothing() {
    let site = site();
    let switch = site.start();
    let ran = site.import(GOOD).ended(0);
    assert!(ran.out.contains("4 created, 0 existing, 0 failed"), "{}", ran.out);
    assert_eq!(switch.balance("a"), (25_000, 0));
    let ran = site.import(GOOD).ended(0);
    assert!(ran.out.contains("1 created, 3 existing, 0 failed"), "{}", ran.out);
    assert_eq!(switch.balance("a"), (25_000, 0), "money was booked twice");
    assert_eq!(switch.stop(), Some(0));
}

#[test]
fn every_bad_line_is_reported_with_its_place_and_the_others_are_imported() {
    let site = site();
    let switch = site.start();
    let lines = [
        r#"{"account": {"id": "a", "asset": "USD"}}"#,
        r#"{"credit": {"account": "a", "amount": 5.0}}"#,
        r#"{"credit": {"account": "b", "amount": "5.00"}}"#,
        "not json",
        r#"{"card": {"id": "c", "number": "4242424242424241", "account": "a", "currency": "USD", "expiry": "2088-12", "funding": "jit"}}"#,
        r#"{"credit": {"account": "a", "amount": "5.00"}}"#,
    ];
    let ran = site.import(&lines.join("\n")).ended(1);
    assert!(ran.out.contains("2 created, 0 existing, 4 failed"), "{}", ran.out);
    for part in [
        "import.jsonl:2: credit.amount: found a JSON float",
        "import.jsonl:3: There is no such thing",
        "import.jsonl:4: ",
        "import.jsonl:5: card.number",
    ] {
        assert!(ran.err.contains(part), "{part} is not in {}", ran.err);
    }
    assert!(!ran.err.contains("424242424242"), "{}", ran.err);
    assert_eq!(switch.balance("a"), (500, 0));
}

#[test]
fn a_switch_that_cannot_be_reached_and_a_key_that_cannot_be_read_are_named() {
    let site = site();
    let ran = site.import(GOOD).ended(1);
    assert!(ran.err.contains(&site.admin.to_string()), "{}", ran.err);
    let file = site.write("good.jsonl", GOOD);
    let ran = authswitch(&["import", &file, "--key-file", "missing.key"]).ended(2);
    assert!(ran.err.contains("missing.key cannot be read"), "{}", ran.err);
    let ran = authswitch(&["import", "missing.jsonl", "--key-file", &site.text("control.key")]).ended(2);
    assert!(ran.err.contains("missing.jsonl cannot be read"), "{}", ran.err);
}

#[test]
fn a_wrong_key_fails_every_line_that_is_sent() {
    let site = site();
    let _switch = site.start();
    site.write("control.key", "another-key-than-the-switch-has");
    let ran = site.import(r#"{"account": {"id": "a", "asset": "USD"}}"#).ended(1);
    assert!(ran.err.contains("import.jsonl:1: A valid API key is required"), "{}", ran.err);
}
