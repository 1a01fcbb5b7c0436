//! `duties list` and `duties retry`: what a hung balance service is owed, seen and sent by hand.

use crate::daemon::{Daemon, FUNDING_KEY, PATIENCE, Site, free_ports};
use crate::kill::{Card, cards, import_lines};
use crate::processor::Purchase;
use crate::tool::{Ran, authswitch};
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `authswitch simulate balance-service` with one of the named profiles. Dropping it kills it.
struct Service(Child);

impl Service {
    fn start(site: &Site, address: SocketAddr, cards: &[Card], profile: &str) -> Self {
        let opening = |card: &Card| {
            format!("{{\"account\": \"{}\", \"asset\": \"USD\", \"units\": \"1000000\"}}\n", card.account())
        };
        let openings: String = cards.iter().filter(|card| card.jit).map(opening).collect();
        let child = Command::new(env!("CARGO_BIN_EXE_authswitch"))
            .args(["simulate", "balance-service", "--listen", &address.to_string(), "--profile", profile])
            .args(["--accounts", &site.write("balances.jsonl", &openings)])
            .args(["--key-file", &site.write("service.key", FUNDING_KEY)])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(since.elapsed() < PATIENCE, "the balance service does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Runs `authswitch duties ...` against the switch of `site`.
fn duties(site: &Site, arguments: &[&str]) -> Ran {
    let (url, key) = (format!("http://{}", site.admin), site.text("control.key"));
    authswitch(&[&["duties"], arguments, &["--url", &url, "--key-file", &key]].concat())
}

fn listed(site: &Site) -> Vec<Value> {
    let ran = duties(site, &["list", "--json"]).ended(0);
    ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn buy(daemon: &Daemon, card: &Card, stan: u32) -> String {
    daemon.connect().exchange(&Purchase::new(card.number(), 1_000, stan).message("0100")).code
}

#[test]
fn what_a_hung_service_is_owed_is_listed_and_sent_again_by_hand() {
    let [address, _] = free_ports();
    let site = Site::new(&format!("http://{address}"));
    let cards = cards();
    let hung = Service::start(&site, address, &cards, "hung");
    let daemon = site.start();
    site.import(&import_lines(&cards)).ended(0);
    let jit: Vec<&Card> = cards.iter().filter(|card| card.jit).collect();
    for (stan, card) in (1..).zip(&jit[..2]) {
        assert_ne!(buy(&daemon, card, stan), "00", "a hung service approves nothing");
    }

    let owed = listed(&site);
    assert_eq!(owed.len(), 2, "{owed:?}");
    for (duty, card) in owed.iter().zip(&jit) {
        assert_eq!((duty["kind"].as_str(), duty["account"].as_str()), (Some("cancel"), Some(card.account())));
        assert_eq!(duty["amount"], "10.00");
    }
    let table = duties(&site, &["list"]).ended(0).out;
    for part in ["OWED SINCE", "STANDING", owed[0]["id"].as_str().unwrap(), "2 of 2 duties"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let one = duties(&site, &["list", "--count", "1"]).ended(0).out;
    assert!(one.contains("1 of 2 duties"), "{one}");

    // Sent again in vain: it stays owed. What is not owed is said to be so.
    let id = owed[0]["id"].as_str().unwrap();
    let again = duties(&site, &["retry", id]).ended(0).out;
    assert!(again.starts_with(&format!("{id}: ")), "{again}");
    let unknown = duties(&site, &["retry", "duty-017-0006423a9f2c1b52"]).ended(1);
    assert!(unknown.out.contains("not owed"), "{} {}", unknown.out, unknown.err);
    assert_eq!(listed(&site).len(), 2);

    // Owed across a restart of the switch, until a service is there that acknowledges.
    assert_eq!(daemon.stop(), Some(0));
    let daemon = site.start();
    assert_eq!(listed(&site).len(), 2, "a restart forgot what was owed");
    drop(hung);
    let _well = Service::start(&site, address, &cards, "normal");
    duties(&site, &["retry", "--all"]).ended(0);
    daemon.settle();
    assert!(listed(&site).is_empty());
    assert!(duties(&site, &["list"]).ended(0).out.contains("0 of 0 duties"));
    assert_eq!(buy(&daemon, jit[0], 9), "00");
    assert_eq!(daemon.stop(), Some(0));
}
