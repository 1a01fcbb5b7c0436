//! The files in `deploy/`: whoever is woken by them must find what they name.
//!
//! Every alert has its runbook entry, every rule and panel asks for a metric that the switch has, and where
//! `promtool` is installed it checks the rules and runs their tests.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/dashboard.json")).unwrap()
}

fn rules() -> Vec<Value> {
    let file = yaml("deploy/alerts.yaml");
    let groups = file["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every name in `text` that starts as our metrics do.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|name| name.starts_with("authswitch_")).map(str::to_owned).collect()
}

/// The metrics that the switch's sources name.
fn known_metrics() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("crates/switch/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            known.extend(metrics_in(&std::fs::read_to_string(path).unwrap()));
        }
    }
    known
}

/// Every text anywhere under the key `expr`.
fn expressions(value: &Value, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        found.extend(object.get("expr").and_then(Value::as_str).map(str::to_owned));
        object.values().for_each(|value| expressions(value, found));
    }
    if let Some(list) = value.as_array() {
        list.iter().for_each(|value| expressions(value, found));
    }
}

#[test]
fn every_alert_has_a_severity_a_summary_and_its_own_runbook_entry() {
    let runbook = read("deploy/runbook.md");
    let headings: BTreeSet<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut names = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap().to_owned();
        assert!(headings.contains(name.as_str()), "{name} has no entry in runbook.md");
        let anchor = format!("deploy/runbook.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], anchor, "{name}");
        assert!(rule["annotations"]["summary"].as_str().is_some_and(|text| text.len() > 20), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{name}: {severity}");
        assert!(names.insert(name.clone()), "{name} is there twice");
    }
    assert!(names.len() > 20);
}

#[test]
fn every_entry_of_the_runbook_belongs_to_an_alert_and_its_links_lead_somewhere() {
    let runbook = read("deploy/runbook.md");
    let alerts: BTreeSet<String> =
        rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    let headings: Vec<&str> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for heading in &headings {
        let general = ["Exit codes", "Damaged journal"].contains(heading);
        assert!(general || alerts.contains(*heading), "{heading} is no alert");
    }
    let anchors: Vec<String> =
        headings.iter().map(|heading| heading.to_lowercase().replace(' ', "-")).collect();
    for link in runbook.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        assert!(anchors.iter().any(|known| known == anchor), "#{anchor} leads nowhere");
    }
}

#[test]
fn every_alert_is_tried_on_series_of_its_own() {
    let mut fired = BTreeSet::new();
    for file in ["deploy/alerts.test.yaml", "deploy/alerts.week.test.yaml"] {
        for test in yaml(file)["tests"].as_array().unwrap() {
            for check in test["alert_rule_test"].as_array().unwrap() {
                if check["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) {
                    fired.insert(check["alertname"].as_str().unwrap().to_owned());
                }
            }
        }
    }
    let alerts: BTreeSet<String> =
        rules().iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(alerts, fired);
}

#[test]
fn the_image_is_built_with_the_compiler_that_the_workspace_names() {
    let workspace = read("Cargo.toml");
    let version =
        workspace.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(read("deploy/Dockerfile").contains(&format!("FROM rust:{version}-")), "rust {version}");
}

#[test]
fn no_rule_or_panel_asks_for_a_metric_that_the_switch_does_not_have() {
    let known = known_metrics();
    assert!(known.contains("authswitch_authorizations_total"), "the switch's metrics were not found");
    let mut asked = Vec::new();
    expressions(&dashboard(), &mut asked);
    let panels = asked.len();
    asked.extend(rules().iter().map(|rule| rule["expr"].as_str().unwrap().to_owned()));
    assert!(panels > 30, "only {panels} panels ask for something");
    for expression in asked {
        let names = metrics_in(&expression);
        assert!(!names.is_empty() || expression.starts_with("up{"), "{expression}");
        for name in names {
            let base = name.strip_suffix("_bucket").unwrap_or(&name);
            assert!(known.contains(base), "{base} is no metric of the switch, in: {expression}");
        }
    }
}

#[test]
fn panels_do_not_overlap_and_each_says_what_it_shows() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is used twice");
        let row = panel["type"] == "row";
        assert!(row || panel["description"].as_str().is_some_and(|text| !text.is_empty()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for (x, y) in
            (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(x < 24 && taken.insert((x, y)), "{title} overlaps another panel");
        }
    }
}

#[test]
fn the_scrape_configuration_names_the_job_that_the_alerts_name() {
    let config = yaml("deploy/prometheus.yml");
    assert_eq!(config["rule_files"][0], "alerts.yaml");
    let job = config["scrape_configs"][0]["job_name"].as_str().unwrap();
    let down = rules().into_iter().find(|rule| rule["alert"] == "SwitchDown").unwrap();
    assert!(down["expr"].as_str().unwrap().contains(&format!("job=\"{job}\"")));
}

#[test]
fn the_unit_does_not_restart_what_a_person_must_look_at() {
    let unit = read("deploy/authswitch.service");
    for line in ["KillSignal=SIGTERM", "Restart=on-failure", "RestartPreventExitStatus=2 3 4", "LimitCORE=0"]
    {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let runbook = read("deploy/runbook.md");
    for code in 0..=4 {
        assert!(runbook.lines().any(|line| line.starts_with(&format!("| {code} |"))), "exit code {code}");
    }
}

#[test]
fn the_rules_pass_their_own_tests_where_promtool_is_installed() {
    let promtool = |arguments: &[&str]| {
        Command::new("promtool").args(arguments).current_dir(root().join("deploy")).output()
    };
    if promtool(&["--version"]).is_err() {
        println!("skipped: promtool is not installed");
        return;
    }
    for arguments in [
        &["check", "rules", "alerts.yaml"][..],
        &["check", "config", "prometheus.yml"],
        &["test", "rules", "alerts.test.yaml"],
        &["test", "rules", "alerts.week.test.yaml"],
    ] {
        let output = promtool(arguments).unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "promtool {arguments:?}: {said}");
    }
}
