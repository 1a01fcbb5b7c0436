//! `check` and `run` on configurations that are wrong: the exit code, and a message that says what to mend.

use crate::daemon::Site;
use crate::tool::{Ran, authswitch};
use std::net::TcpListener;

const NOBODY: &str = "http://127.0.0.1:9";

/// Checks the site's configuration with `from` replaced by `to`.
fn check_with(from: &str, to: &str) -> Ran {
    let site = Site::new(NOBODY);
    let text = std::fs::read_to_string(site.path("authswitch.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    let changed = site.write("changed.toml", &text.replace(from, to));
    authswitch(&["check", &changed])
}

#[test]
fn a_configuration_in_order_is_printed_as_it_is_in_force() {
    let ran = check_with("500ms", "700ms").ended(0);
    assert!(ran.out.contains("duty_within = \"700ms\""), "{}", ran.out);
    assert!(ran.out.contains("acknowledge = \"disk\""), "defaults are shown too: {}", ran.out);
}

#[test]
fn the_shipped_configuration_is_in_order() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/authswitch.toml");
    authswitch(&["check", shipped]).ended(0);
}

#[test]
fn a_wrong_key_or_value_is_named_with_what_is_allowed() {
    for (from, to, parts) in [
        ("admin.listen", "admin.lisen", &["lisen", "listen"][..]),
        ("\"500ms\"", "500", &["duty_within"]),
        ("\"500ms\"", "\"500\"", &["duty_within"]),
        ("funding.key", "missing.key", &["keys.funding", "missing.key cannot be read"]),
        ("segment_bytes = 8388608", "segment_bytes = 1", &["journal", "segment_bytes", "allowed is"]),
        ("[[link]]", "[[link]]\ndialect = \"klingon\"", &["dialect", "klingon", "ascii-1987"]),
    ] {
        let ran = check_with(from, to).ended(2);
        for part in parts {
            assert!(ran.err.contains(part), "{to}: {part} is not in {}", ran.err);
        }
        assert_eq!(ran.out, "", "results and errors do not mix");
    }
}

#[test]
fn a_missing_configuration_file_is_named() {
    let ran = authswitch(&["check", "no-such-file.toml"]).ended(2);
    assert!(ran.err.contains("no-such-file.toml"), "{}", ran.err);
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_started() {
    let site = Site::new(NOBODY);
    let _holder = TcpListener::bind(site.link).unwrap();
    let ran = authswitch(&["run", &site.config()]).ended(2);
    assert!(ran.err.contains("cannot listen on") && ran.err.contains(&site.link.to_string()), "{}", ran.err);
    assert!(!site.path("journal").exists(), "the journal was touched");
}
