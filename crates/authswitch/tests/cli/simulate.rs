//! `simulate`: the three parties, each by its own command.

use crate::daemon::{FUNDING_KEY, PATIENCE, Site, free_ports};
use crate::tool::authswitch;
use rustix::process::{Pid, Signal, kill_process};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const SIZES: &str = "pre_funded_cards = 40\njit_cards = 20\ncards_per_account = 2\ncards_per_refusal = 1\n";

#[test]
fn the_simulators_and_a_switch_work_together_by_hand() {
    let [service, _] = free_ports();
    let site = Site::new(&format!("http://{service}"));
    site.write("sizes.toml", SIZES);
    site.write("profile.toml", "latency_p50 = \"1ms\"\nlatency_p99 = \"2ms\"\n");
    let text = |name: &str| site.text(name);
    authswitch(&[
        "simulate".to_owned(),
        "population".to_owned(),
        "--import".to_owned(),
        text("cards.jsonl"),
        "--balances".to_owned(),
        text("balances.jsonl"),
        "--sizes".to_owned(),
        text("sizes.toml"),
    ])
    .ended(0);
    let balance_service = Command::new(env!("CARGO_BIN_EXE_authswitch"))
        .args(["simulate", "balance-service", "--listen", &service.to_string()])
        .args(["--accounts", &text("balances.jsonl"), "--profile", &text("profile.toml")])
        .args(["--key-file", &site.write("service.key", FUNDING_KEY)])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while TcpStream::connect(service).is_err() {
        assert!(since.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    let switch = site.start();
    site.import(&std::fs::read_to_string(site.path("cards.jsonl")).unwrap()).ended(0);

    let link = format!("{},ascii-1987,binary-2", site.link);
    let (sizes, histograms, cards) = (text("sizes.toml"), text("histograms"), text("cards.jsonl"));
    let mut arguments = vec!["simulate", "processor", "--link", &link, "--rate", "200", "--duration", "1s"];
    let by_seed = ["--sizes", &sizes, "--histograms", &histograms];
    let ran = authswitch(&[&arguments[..], &by_seed].concat()).ended(0);
    assert!(ran.out.contains("answers/s") && ran.out.contains("jit"), "{}", ran.out);
    let written = std::fs::read_to_string(site.path("histograms").join("cache.latency")).unwrap();
    assert!(written.lines().count() > 1, "{written}");
    // The same cards again, read from the file.
    arguments.extend(["--cards", &cards, "--seed", "2"]);
    authswitch(&arguments).ended(0);
    the_other_ways_of_offering_work(&site, &link, &cards);

    switch.settle();
    let held: i128 = switch.read("/v1/totals")["totals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|total| total["held_units"].as_str().unwrap().parse::<i128>().unwrap())
        .sum();
    assert!(held > 0);
    assert_eq!(switch.stop(), Some(0));
    let id = Pid::from_raw(i32::try_from(balance_service.id()).unwrap()).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    let output = balance_service.wait_with_output().unwrap();
    assert!(output.status.success());
    let books: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(books["counts"]["approved"].as_u64().unwrap() > 0, "{books}");
}

/// Closed loop, skewed cards, hot accounts, and the search for the highest rate: purchases on money in the switch.
fn the_other_ways_of_offering_work(site: &Site, link: &str, cards: &str) {
    const OTHERS: [&str; 16] = [
        "jit",
        "cross_border",
        "special",
        "declines",
        "repeats",
        "reversals",
        "reversal_repeats",
        "advices",
        "financial",
        "completions",
        "increments",
        "partial_reversals",
        "refunds",
        "forced_posts",
        "questions",
        "echoes",
    ];
    let others = OTHERS.map(|kind| format!("{kind} = 0\n")).concat();
    let mix = site.write("mix.toml", &format!("cache = 1\n{others}"));
    let (histograms, report) = (site.text("knee"), site.text("report.html"));
    let always =
        ["simulate", "processor", "--link", link, "--cards", cards, "--mix", &mix, "--answer-within", "30s"];
    let window = [
        "--window",
        "8",
        "--hot-accounts",
        "2,50",
        "--duration",
        "500ms",
        "--seed",
        "3",
        "--report",
        &report,
    ];
    let ran = authswitch(&[&always[..], &window].concat()).ended(0);
    assert!(ran.out.contains("8 messages in flight") && ran.out.contains("50 of 100"), "{}", ran.out);
    assert!(std::fs::read_to_string(&report).unwrap().contains("<html"));
    let zipf = ["--rate", "100", "--zipf", "1.1", "--duration", "500ms", "--seed", "4"];
    let ran = authswitch(&[&always[..], &zipf].concat()).ended(0);
    assert!(ran.out.contains("1/k^1.1"), "{}", ran.out);
    // A bound that a machine under any load holds at some rate, and rates that nothing serves at any.
    let ramp = [
        "--ramp",
        "30s",
        "--rate",
        "2000",
        "--arrivals",
        "even",
        "--duration",
        "100ms",
        "--seed",
        "5",
        "--histograms",
        &histograms,
    ];
    let ran = authswitch(&[&always[..], &ramp].concat()).ended(0);
    assert!(ran.out.contains("held") && ran.out.contains("the knee is at "), "{}", ran.out);
    assert!(site.path("knee").join("cache.latency").exists());
}

#[test]
fn a_switch_that_connects_over_tls_is_served_by_a_simulator_that_listens() {
    let [address, service] = free_ports();
    let site = Site::new(&format!("http://{service}"));
    let [certificate, key] = certificate("processor.test");
    let (certificate, key) = (site.write("processor.pem", &certificate), site.write("processor.key", &key));
    let config = std::fs::read_to_string(site.path("authswitch.toml")).unwrap();
    let dialled = format!(
        r#"
        [[link]]
        name = "dialled"
        connect = "{address}"
        sign_on = true
        dial = {{ pause_min = "20ms", pause_max = "200ms" }}
        echo = {{ after = "50ms", answer_within = "30s", missed_max = 3 }}
        tls = {{ ca = "{certificate}", server_name = "processor.test" }}
        "#
    );
    site.write("authswitch.toml", &format!("{config}{dialled}"));
    // Nobody plays the balance service here.
    let sizes = site.write("sizes.toml", "pre_funded_cards = 20\njit_cards = 0\ncards_per_refusal = 1\n");
    let cards = site.text("cards.jsonl");
    let balances = site.text("balances.jsonl");
    let population =
        ["simulate", "population", "--import", &cards, "--balances", &balances, "--sizes", &sizes];
    authswitch(&population).ended(0);
    let switch = site.start();
    site.import(&std::fs::read_to_string(&cards).unwrap()).ended(0);
    let link = format!("listen:{address},ascii-1987,binary-2");
    let tls = ["--tls-certificate", &certificate, "--tls-key", &key];
    let traffic = ["simulate", "processor", "--link", &link, "--cards", &cards, "--rate", "100"];
    let times = ["--duration", "1s", "--answer-within", "30s"];
    let ran = authswitch(&[&traffic[..], &times, &tls].concat()).ended(0);
    assert!(ran.out.contains("answers/s"), "{}", ran.out);
    assert_eq!(switch.stop(), Some(0));
}

/// A certificate that signs itself, and its key.
fn certificate(name: &str) -> [String; 2] {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    [params.self_signed(&key).unwrap().pem(), key.serialize_pem()]
}

#[test]
fn the_load_generator_says_what_it_costs_itself_without_any_switch() {
    let site = Site::new("http://127.0.0.1:1");
    let (sizes, histograms) = (site.write("sizes.toml", SIZES), site.text("histograms"));
    let arguments = ["simulate", "processor", "--against-echo", "--rate", "500", "--duration", "500ms"];
    let more = ["--answer-within", "30s", "--zipf", "1.0", "--sizes", &sizes, "--histograms", &histograms];
    let ran = authswitch(&[&arguments[..], &more].concat()).ended(0);
    assert!(ran.out.contains("Own cost: ") && ran.out.contains("zipf"), "{}", ran.out);
    assert!(ran.out.contains("an echo server in this process"), "{}", ran.out);
    assert!(site.path("histograms").join("cache.latency").exists());
}

#[test]
fn a_link_that_makes_no_sense_is_refused_with_what_would() {
    for (link, part) in [
        ("127.0.0.1:1,klingon", "klingon"),
        ("127.0.0.1:1,ascii-1987,ascii-5", "ascii-5"),
        ("127.0.0.1:1,ascii-1987,binary-2,more", "HOST:PORT[,DIALECT[,FRAME]]"),
    ] {
        let ran = authswitch(&["simulate", "processor", "--link", link]).ended(2);
        assert!(ran.err.contains(part), "{}", ran.err);
    }
    let ran = authswitch(&["simulate", "processor", "--duration", "30"]).ended(2);
    assert!(ran.err.contains("duration with a unit"), "{}", ran.err);
    let ran = authswitch(&["simulate", "processor", "--link", "127.0.0.1:1"]).ended(1);
    assert!(ran.err.contains("127.0.0.1:1"), "{}", ran.err);
}
