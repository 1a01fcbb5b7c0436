//! What is wrong with a configuration is said before anything is opened: where, what was found, what is allowed.

use crate::support::daemon::{config_file, config_folder, start};
use std::path::Path;
use switch::{Config, ConfigFile, StartError};
use toml::{Table, Value};

/// Every key of a document, with its path.
fn keys(table: &Table, path: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let path = format!("{path}{key}");
        let tables = value.as_array().map(|items| items.iter().filter_map(Value::as_table));
        if let Some(inner) = value.as_table() {
            keys(inner, &format!("{path}."), found);
        } else if let Some(tables) = tables {
            tables.for_each(|inner| keys(inner, &format!("{path}[]."), found));
        } else {
            found.push(path);
        }
    }
    found.sort();
}

#[test]
fn the_shipped_file_holds_every_key_with_its_default() {
    let path = config_folder().join("authswitch.toml");
    let config = Config::load(&path).unwrap();
    assert_eq!(config.file, ConfigFile::default());
    assert!(config.uses_published_keys());
    let [mut shipped, mut known] = [Vec::new(), Vec::new()];
    keys(&std::fs::read_to_string(&path).unwrap().parse().unwrap(), "", &mut shipped);
    keys(&config.effective().parse().unwrap(), "", &mut known);
    assert_eq!(shipped, known);
}

#[test]
fn the_configuration_in_force_can_be_loaded_again_and_shows_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &text_with(folder.path(), &[]));
    let effective = Config::load(&path).unwrap().effective();
    let again = Config::load(&write(folder.path(), &effective)).unwrap();
    assert_eq!(again.effective(), effective);
    for name in ["card-tokens.key", "control.key", "funding.key"] {
        let key = std::fs::read_to_string(config_folder().join("keys").join(name)).unwrap();
        assert!(!effective.contains(key.trim()) && !format!("{again:?}").contains(key.trim()), "{name}");
    }
}

/// A sound configuration as text, with absolute paths, and some of it replaced.
fn text_with(folder: &Path, changes: &[(&str, &str)]) -> String {
    let mut file = config_file(folder);
    let keys = config_folder().join("keys");
    file.keys.card_tokens = keys.join("card-tokens.key");
    file.keys.control = keys.join("control.key");
    file.keys.funding = keys.join("funding.key");
    let mut text = toml::to_string(&file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in\n{text}");
        text = text.replace(from, to);
    }
    text
}

fn write(folder: &Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("authswitch.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What loading says about a sound configuration with these changes.
fn fault_of(changes: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), &text_with(folder.path(), changes));
    let error = Config::load(&path).unwrap_err().to_string();
    error.strip_prefix(&format!("{}: ", path.display())).expect("the file's name").to_owned()
}

#[test]
fn an_unknown_key_is_refused_and_the_known_ones_are_listed() {
    let fault = fault_of(&[("frame_within", "frame_witin")]);
    assert!(fault.starts_with("link[0].frame_witin: "), "{fault}");
    assert!(fault.contains("unknown field `frame_witin`, expected one of `name`, `listen`"), "{fault}");
}

#[test]
fn a_duration_without_a_unit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = text_with(folder.path(), &[]);
    let line = text.lines().find(|line| line.starts_with("answer_within")).unwrap().to_owned();
    for bare in ["answer_within = 10", "answer_within = \"10\""] {
        let fault = fault_of(&[(&line, bare)]);
        assert!(fault.starts_with("admin.answer_within: "), "{fault}");
    }
}

#[test]
fn a_missing_file_or_one_that_is_no_toml_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.toml");
    let error = Config::load(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot be read: ", missing.display())), "{error}");
    let error = Config::load(&write(folder.path(), "[journal\n")).unwrap_err().to_string();
    assert!(error.contains("authswitch.toml: is not TOML: "), "{error}");
}

#[test]
fn a_missing_key_file_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = config_file(folder.path());
    file.keys.control = folder.path().join("no-such.key");
    let faults = Config::check(file, &config_folder()).unwrap_err();
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!(fault.key, "keys.control");
    assert!(fault.problem.contains("no-such.key cannot be read: No such file"), "{fault:?}");
}

#[test]
fn published_keys_are_refused_where_other_machines_can_connect() {
    let folder = tempfile::tempdir().unwrap();
    let open = |listen: &str| {
        let mut file = config_file(folder.path());
        file.link[1].listen = Some(listen.parse().unwrap());
        Config::check(file, &config_folder())
    };
    for listen in ["0.0.0.0:8583", "192.0.2.1:8583", "[::]:8583"] {
        let faults = open(listen).unwrap_err();
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        assert_eq!(fault.key, "keys.card_tokens");
        assert!(fault.problem.contains("everybody can read") && fault.problem.contains(listen), "{fault:?}");
    }
    assert!(open("[::1]:8583").is_ok());
    let mut file = config_file(folder.path());
    file.admin.listen = "0.0.0.0:9583".parse().unwrap();
    assert!(Config::check(file, &config_folder()).is_err(), "the control API moves money");
}

#[test]
fn everything_that_is_wrong_is_reported_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = config_file(folder.path());
    file.keys.funding = "no-such.key".into();
    file.funding.endpoint = "ftp://balance".into();
    file.log.filter = "info,switch=loud".into();
    file.cache.lanes = 0;
    file.journal.queue_batches_max = 0;
    file.link[0].dialect = "klingon-1987".into();
    file.link[0].in_flight_max = 0;
    file.link[1].name = file.link[0].name.clone();
    file.link[1].frame.length = "semaphore".into();
    let faults = Config::check(file, &config_folder()).unwrap_err();
    for (key, part) in [
        ("keys.funding", "no-such.key"),
        ("funding.endpoint", "ftp://balance"),
        ("log.filter", "\"info,switch=loud\" is not a level"),
        ("cache.lanes", "0 was found, 1 to 256 is allowed"),
        ("journal", "queue_batches_max is 0"),
        ("link[0].dialect", "klingon-1987"),
        ("link[0].in_flight_max", "0 was found, 1 to 1000000 is allowed"),
        ("link[1].name", "names two links"),
        ("link[1].frame", "semaphore"),
    ] {
        let named = faults.iter().find(|fault| fault.key.starts_with(key) && fault.problem.contains(part));
        assert!(named.is_some(), "{key} {part}: {faults:#?}");
    }
}

#[test]
fn a_link_without_time_to_ask_or_room_for_partial_approvals_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = config_file(folder.path());
    file.link[0].answer_within = file.funding.commit_margin + file.funding.write_margin;
    file.link[1].partial_approval =
        Some(switch::PartialApprovalSection { element: 60, position: 0, value: "1".into() });
    let faults = Config::check(file, &config_folder()).unwrap_err();
    let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
    assert_eq!(keys, ["funding.commit_margin", "link[1].partial_approval"], "{faults:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_the_journal_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut file = config_file(folder.path());
    file.link[1].listen = Some(address);
    let error = start(&file).await.err().unwrap();
    assert!(matches!(error, StartError::Bind { .. }), "{error:?}");
    let message = error.to_string();
    let expected = format!("link \"binary-1987\" cannot listen on {address}: ");
    assert!(message.starts_with(&expected) && message.contains("in use"), "{message}");
    assert!(!file.journal.directory.exists(), "a switch that cannot listen has not touched its journal");
    file.link[1].listen = Some("127.0.0.1:0".parse().unwrap());
    file.admin.listen = address;
    let message = start(&file).await.err().unwrap().to_string();
    assert!(message.starts_with(&format!("the admin port cannot listen on {address}: ")), "{message}");
}
