//! `journal verify` and `journal dump` on the journal of a real run, and on damaged copies of it.

use crate::daemon::{Site, copy_folder};
use crate::processor::Purchase;
use crate::tool::authswitch;
use serde_json::Value;
use std::path::PathBuf;

const NUMBER: &str = "4242424242424242";

/// A site whose switch has run and stopped: an account, a credit, a card, an approval and a decline.
fn after_a_run() -> Site {
    let site = Site::new("http://127.0.0.1:9");
    let switch = site.start();
    let card = format!(
        r#"{{"card": {{"id": "c", "number": "{NUMBER}", "account": "a", "currency": "USD", "expiry": "2088-12", "funding": "pre_funded", "status": "active"}}}}"#
    );
    let lines = [
        r#"{"account": {"id": "a", "asset": "USD"}}"#,
        r#"{"credit": {"account": "a", "amount": "20.00"}}"#,
        &card,
    ];
    site.import(&lines.join("\n")).ended(0);
    let mut link = switch.connect();
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 1_500, 1).message("0100")).code, "00");
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 1_500, 2).message("0100")).code, "51");
    assert_eq!(switch.stop(), Some(0));
    site
}

fn dump(site: &Site, options: &[&str]) -> Vec<Value> {
    let folder = site.text("journal");
    let ran = authswitch(&[&["journal", "dump", folder.as_str()], options].concat()).ended(0);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The segment that holds the records.
fn segment(site: &Site, folder: &str) -> PathBuf {
    let files = std::fs::read_dir(site.path(folder)).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("segment-");
    let mut segments: Vec<PathBuf> = files.filter(is_segment).collect();
    segments.sort();
    segments.swap_remove(0)
}

#[test]
fn a_journal_in_order_is_reported_and_its_facts_are_printed_without_card_data() {
    let site = after_a_run();
    let ran = authswitch(&["journal", "verify", &site.text("journal")]).ended(0);
    assert!(ran.out.contains("in order") && ran.out.contains("shut down   in good order"), "{}", ran.out);

    let lines = dump(&site, &[]);
    let facts: Vec<String> =
        lines.iter().map(|line| line["fact"].as_object().unwrap().keys().next().unwrap().clone()).collect();
    // The credit and the card were imported at the same time.
    assert_eq!(facts[0], "AccountOpened");
    assert!(
        facts[1..3].contains(&"Posted".to_owned()) && facts[1..3].contains(&"CardIssued".to_owned()),
        "{facts:?}"
    );
    assert_eq!(facts[3..], ["Approved", "Declined"]);
    let sequences: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    assert!(lines.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')));
    let whole = serde_json::to_string(&lines).unwrap();
    for secret in [NUMBER, "42424242", "2088-12"] {
        assert!(!whole.contains(secret), "{secret} is in {whole}");
    }
    assert_eq!(lines[3]["fact"]["Approved"]["hold"]["amounts"]["units"], "1500");
}

#[test]
fn a_part_of_the_facts_can_be_asked_for() {
    let site = after_a_run();
    let lines = dump(&site, &["--from", "2", "--limit", "2"]);
    assert_eq!(lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3]);
    let shard = lines[0]["shard"].to_string();
    assert_eq!(dump(&site, &["--shard", &shard]).len(), 5, "one account lives in one shard");
    assert_eq!(dump(&site, &["--from", "6"]).len(), 0);
}

#[test]
fn damage_is_named_with_its_place_and_no_switch_starts_on_it() {
    let site = after_a_run();
    copy_folder(&site.path("journal"), &site.path("damaged"));
    let path = segment(&site, "damaged");
    let mut bytes = std::fs::read(&path).unwrap();
    // The last letter of the card's id, in the middle of the records.
    let pan_free = bytes.windows(5).rposition(|window| window == b"TERM0").unwrap();
    bytes[pan_free] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let name = path.file_name().unwrap().to_str().unwrap();
    let ran = authswitch(&["journal", "verify", &site.text("damaged")]).ended(1);
    for part in [name, "offset", "facts at risk"] {
        assert!(ran.err.contains(part), "{part} is not in {}", ran.err);
    }
    let ran = authswitch(&["journal", "dump", &site.text("damaged")]).ended(1);
    assert!(ran.out.contains("AccountOpened"), "what comes before the damage is printed: {}", ran.out);
    assert!(ran.err.contains(name), "{}", ran.err);

    let config = std::fs::read_to_string(site.path("authswitch.toml")).unwrap();
    let config = site.write("damaged.toml", &config.replace("\"journal\"", "\"damaged\""));
    let ran = authswitch(&["run", &config]).ended(3);
    assert!(ran.err.contains(name), "{}", ran.err);
}

#[test]
fn a_journal_in_use_or_missing_is_refused() {
    let site = Site::new("http://127.0.0.1:9");
    let ran = authswitch(&["journal", "verify", &site.text("journal")]).ended(2);
    assert!(ran.err.contains("cannot be opened"), "{}", ran.err);
    let _switch = site.start();
    let ran = authswitch(&["journal", "verify", &site.text("journal")]).ended(1);
    assert!(ran.err.contains("in use"), "{}", ran.err);
}
