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
    assert_eq!(facts[..2], ["TokenKeySeen", "AccountOpened"]);
    assert!(
        facts[2..4].contains(&"Posted".to_owned()) && facts[2..4].contains(&"CardIssued".to_owned()),
        "{facts:?}"
    );
    assert_eq!(facts[4..], ["Approved", "Declined"]);
    let sequences: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    assert!(lines.iter().all(|line| line["time"].as_str().unwrap().ends_with('Z')));
    let whole = serde_json::to_string(&lines).unwrap();
    for secret in [NUMBER, "42424242", "2088-12"] {
        assert!(!whole.contains(secret), "{secret} is in {whole}");
    }
    assert_eq!(lines[4]["fact"]["Approved"]["hold"]["amounts"]["units"], "1500");
}

#[test]
fn a_part_of_the_facts_can_be_asked_for() {
    let site = after_a_run();
    let lines = dump(&site, &["--from", "2", "--limit", "2"]);
    assert_eq!(lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 3]);
    let shard = lines[0]["shard"].to_string();
    assert_eq!(dump(&site, &["--shard", &shard]).len(), 5, "one account lives in one shard");
    assert_eq!(dump(&site, &["--from", "7"]).len(), 0);
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

/// The line of the settings that turns encryption on, and its key file.
fn encrypt(site: &Site, key: &str) -> String {
    let file = site.write("journal.key", &key.repeat(64));
    let config = std::fs::read_to_string(site.config()).unwrap();
    site.write(
        "authswitch.toml",
        &config.replace("segment_bytes =", "encryption_keys = [\"journal.key\"], segment_bytes ="),
    );
    file
}

#[test]
fn a_backup_is_taken_from_a_running_switch_and_restored_to_any_record() {
    let site = after_a_run();
    let approved = dump(&site, &["--from", "5"]).remove(0);
    assert!(approved["fact"]["Approved"].is_object(), "{approved}");
    let switch = site.start();
    let (backup, restored) = (site.text("backup"), site.text("restored"));
    let ran = authswitch(&["journal", "backup", &site.text("journal"), "--to", &backup]).ended(0);
    assert!(ran.out.contains("up to sequence 6") && ran.out.contains("verified"), "{}", ran.out);
    let mut link = switch.connect();
    assert_eq!(link.exchange(&Purchase::new(NUMBER, 100, 3).message("0100")).code, "00");
    authswitch(&["journal", "backup", &site.text("journal"), "--to", &backup]).ended(2);
    let ran = authswitch(&["journal", "backup", &site.text("journal"), "--to", &site.text("journal/copy")])
        .ended(2);
    assert!(ran.err.contains("name one outside") && !site.path("journal/copy").exists(), "{}", ran.err);

    let ran = authswitch(&["journal", "restore", &backup, "--to", &restored, "--to-sequence", "5"]).ended(0);
    assert!(ran.out.contains("5 records"), "{}", ran.out);
    authswitch(&["journal", "verify", &restored]).ended(0);
    authswitch(&["journal", "restore", &backup, "--to", &site.text("late"), "--to-sequence", "7"]).ended(1);
    // To a moment: the time of the approval keeps it, a microsecond before does not.
    let at: jiff::Timestamp = approved["time"].as_str().unwrap().parse().unwrap();
    let before = at - jiff::SignedDuration::from_micros(1);
    for (place, (time, records)) in [
        (at.to_string(), "5 records"),
        (before.to_string(), "4 records"),
        ("1999-01-01T00:00:00Z".to_owned(), "0 records"),
    ]
    .into_iter()
    .enumerate()
    {
        let to = site.text(&format!("moment-{place}"));
        let ran = authswitch(&["journal", "restore", &backup, "--to", &to, "--to-time", &time]).ended(0);
        assert!(ran.out.contains(records), "{time}: {}", ran.out);
        if records != "0 records" {
            authswitch(&["journal", "verify", &to]).ended(0);
        }
    }

    // A switch on the restored journal holds what it had approved by then.
    drop(switch);
    std::fs::rename(site.path("journal"), site.path("journal-before")).unwrap();
    std::fs::rename(site.path("restored"), site.path("journal")).unwrap();
    assert_eq!(site.start().balance("a"), (2_000, 1_500));
}

#[test]
fn an_encrypted_journal_is_read_with_its_key_alone() {
    let site = Site::new("http://127.0.0.1:9");
    let key = encrypt(&site, "c");
    let switch = site.start();
    let lines = r#"{"account": {"id": "who-is-it", "asset": "USD"}}"#;
    site.import(lines).ended(0);
    assert_eq!(switch.stop(), Some(0));
    let journal = site.text("journal");
    let bytes = std::fs::read(segment(&site, "journal")).unwrap();
    assert!(
        !bytes.windows(9).any(|window| window == b"who-is-it"),
        "the account is not to be read on the disk"
    );
    let ran = authswitch(&["journal", "dump", &journal]).ended(1);
    assert!(ran.err.contains("sealed under key") && ran.err.contains("(none)"), "{}", ran.err);
    let ran = authswitch(&["journal", "dump", &journal, "--key", &key]).ended(0);
    assert!(ran.out.contains("who-is-it"), "{}", ran.out);
    assert!(authswitch(&["journal", "verify", &journal]).ended(0).out.contains("not opened"));
    assert!(
        authswitch(&["journal", "verify", &journal, "--key", &key])
            .ended(0)
            .out
            .contains("every payload opened")
    );

    // The same journal without the key in the settings.
    let config = std::fs::read_to_string(site.config()).unwrap();
    site.write("authswitch.toml", &config.replace("encryption_keys = [\"journal.key\"], ", ""));
    let ran = authswitch(&["run", &site.config()]).ended(3);
    assert!(ran.err.contains("sealed under key"), "{}", ran.err);
    site.write("journal.key", "not a key");
    let ran = authswitch(&["journal", "dump", &journal, "--key", &key]).ended(2);
    assert!(ran.err.contains("64 hexadecimal digits"), "{}", ran.err);
}

#[test]
fn a_damaged_journal_is_repaired_by_an_order_that_names_the_first_loss() {
    let site = after_a_run();
    let file = segment(&site, "journal");
    let mut bytes = std::fs::read(&file).unwrap();
    // Somewhere in the last batch.
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[end - 60] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let journal = site.text("journal");
    let refused = authswitch(&["journal", "verify", &journal]).ended(1).err;
    let (_, first) = refused.split_once("facts at risk: sequence").unwrap();
    let first = first.trim_start_matches(['s', ' ']);
    let first: String = first.chars().take_while(char::is_ascii_digit).collect();
    authswitch(&["journal", "repair", &journal]).ended(2);
    let other = (first.parse::<u64>().unwrap() - 1).to_string();
    let ran = authswitch(&["journal", "repair", &journal, "--accept-loss-from", &other]).ended(2);
    assert!(ran.err.contains("nothing was changed"), "{}", ran.err);

    let ran = authswitch(&["journal", "repair", &journal, "--accept-loss-from", &first]).ended(0);
    let report = std::fs::read_to_string(site.path("journal/lost-report-1.txt")).unwrap();
    assert!(
        report.contains("it was refused because: journal damage")
            && report.contains("put aside: lost-1-segment"),
        "{report}"
    );
    assert!(ran.out.contains(report.trim()), "{}", ran.out);
    authswitch(&["journal", "verify", &journal]).ended(0);
    authswitch(&["journal", "repair", &journal, "--accept-loss-from", &first]).ended(1);
    assert_eq!(site.start().stop(), Some(0));
}

#[test]
fn torture_reports_on_flushes_kills_and_damage_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let ran = authswitch(&[
        "torture",
        "--dir",
        dir,
        "--seconds",
        "8",
        "--kills",
        "2",
        "--rate",
        "100",
        "--seed",
        "5",
    ]);
    // On a file system in memory the flush part says so, and is right.
    if ran.code != 0 {
        assert!(ran.code == 1 && ran.err.contains("is memory"), "{} {}", ran.out, ran.err);
        return;
    }
    for part in [
        "Flush: as promised",
        "Kills: as promised",
        "Damage: as promised",
        "0 of them not in the journal",
        "seed 5",
    ] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_export_of_a_journal_without_its_beginning_continues_from_a_snapshot() {
    let site = after_a_run();
    // Another key begins another segment.
    let key = encrypt(&site, "c");
    let switch = site.start();
    assert_eq!(switch.connect().exchange(&Purchase::new(NUMBER, 300, 3).message("0100")).code, "00");
    assert_eq!(switch.stop(), Some(0));
    std::fs::remove_file(segment(&site, "journal")).unwrap();
    let folder = site.text("journal");
    let export = || authswitch(&["journal", "export", &folder, "--what", "postings", "--key", &key]);
    let ran = export().ended(0);
    assert!(ran.err.contains("those of snapshot 1, and the lines begin behind record 6"), "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert!(lines[1].starts_with("7,") && lines[1].contains("Approved,a,USD,0.00,3.00,20.00,18.00,2.00,c,"));

    for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_str().unwrap().starts_with("snapshot-") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let ran = export().ended(1);
    assert!(ran.err.contains("begins with record 7, and no whole snapshot there"), "{}", ran.err);
}

#[test]
fn postings_and_transactions_are_exported_without_card_data() {
    let site = after_a_run();
    let journal = site.text("journal");
    let export = |what: &str, format: &str| {
        authswitch(&["journal", "export", &journal, "--what", what, "--format", format]).ended(0).out
    };
    let table = export("postings", "csv");
    let lines: Vec<&str> = table.lines().collect();
    assert!(
        lines[0].starts_with("sequence,time,fact,account,asset,ledger_change,held_change,ledger,held"),
        "{table}"
    );
    assert_eq!(lines.len(), 3, "a credit and a hold: {table}");
    assert!(lines[1].contains("Posted,a,USD,20.00,0.00,20.00,0.00,20.00,,,"), "{table}");
    assert!(lines[2].contains("Approved,a,USD,0.00,15.00,20.00,15.00,5.00,c,"), "{table}");

    let objects = export("transactions", "json-lines");
    let events: Vec<Value> = objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = events.iter().map(|event| event["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["approved", "declined"], "{objects}");
    assert_eq!((events[0]["held"].as_str(), events[0]["stan"].as_str()), (Some("15.00"), Some("000001")));
    for secret in [NUMBER, "42424242424", "2088"] {
        assert!(!table.contains(secret) && !objects.contains(secret), "{secret}");
    }
}
