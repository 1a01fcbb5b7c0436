//! Links and their sessions: sign-on and sign-off, echoes both ways, connections that we open, and links that do
//! not disturb one another.

use crate::support::daemon::{Daemon, config_file, config_folder};
use crate::support::message::{Dialect, Message};
use crate::support::processor::{Processor, network, reversal, usual};
use crate::support::{PATIENCE, eventually};
use std::time::Duration;
use switch::{Config, ConfigFile, DialSection, EchoSection, LinkSection};
use tokio::net::TcpListener;

const QUICK: Duration = Duration::from_millis(30);

async fn gauge(daemon: &Daemon, name: &str) -> u64 {
    daemon.api().metric(&format!("{name}{{link=\"ascii-1987\"}}")).await
}

async fn expect_gauge(daemon: &Daemon, name: &str, expected: u64) {
    eventually(name, || async { (gauge(daemon, name).await == expected).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_sign_on_is_required_requests_wait_for_it_and_follow_ups_do_not() {
    let daemon = Daemon::start_with(|file| file.link[0].require_sign_on = true).await;
    daemon.add_card().await;
    let mut processor = daemon.ascii().await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "91");
    assert_eq!(processor.ask(&reversal(&usual(1, 1_00), 2)).await.code(), "00");
    assert_eq!(processor.ask(&usual(3, 1_00).mti("0120")).await.code(), "00");
    assert_eq!(gauge(&daemon, "authswitch_link_signed_on_connections").await, 0);
    assert_eq!(processor.ask(&network(4, "001")).await.code(), "00");
    assert_eq!(processor.ask(&usual(5, 1_00)).await.code(), "00");
    expect_gauge(&daemon, "authswitch_link_signed_on_connections", 1).await;
    assert_eq!(processor.ask(&network(6, "002")).await.code(), "00");
    assert_eq!(processor.ask(&usual(7, 1_00)).await.code(), "91");
    expect_gauge(&daemon, "authswitch_link_signed_on_connections", 0).await;
    assert_eq!(daemon.ascii().await.ask(&usual(8, 1_00)).await.code(), "91", "each connection signs on");
}

#[tokio::test(flavor = "multi_thread")]
async fn key_exchange_cutover_and_unknown_functions_are_refused_and_change_nothing() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    for (stan, function) in [(1, "101"), (2, "161"), (3, "201"), (4, "999")] {
        let answer = processor.ask(&network(stan, function)).await;
        assert_eq!((answer.mti.as_str(), answer.code()), ("0810", "12"), "{function}");
    }
    assert_eq!(daemon.api().metric("authswitch_not_served_total").await, 4);
    assert_eq!(processor.ask(&usual(5, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn network_management_of_1993_is_served_in_its_own_form() {
    let daemon = Daemon::start_with(|file| file.link[0].dialect = "ascii-1993".into()).await;
    let mut processor = daemon.ascii().await;
    for (mti, answer_mti) in [("1804", "1814"), ("1805", "1814")] {
        for (function, code) in [("801", "000"), ("831", "000"), ("811", "902"), ("821", "902")] {
            // DE 7, 11 and 24; and 39 in the answer.
            processor.send_body(format!("{mti}02200100000000001120193000000042{function}").as_bytes()).await;
            let answer = String::from_utf8(processor.receive_body().await.unwrap()).unwrap();
            let expected = format!("{answer_mti}02200100020000001120193000000042{function}{code}");
            assert_eq!(answer, expected, "{mti} {function}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_without_a_message_are_answered_ignored_or_refused_as_the_dialect_says() {
    let shipped = std::fs::read_to_string(config_folder().join("dialects/ascii-1987.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for keep_alive in ["ignore", "answer", "refuse"] {
        let path = folder.path().join(format!("{keep_alive}.toml"));
        let text = shipped.replace("keep_alive = \"ignore\"", &format!("keep_alive = \"{keep_alive}\""));
        std::fs::write(&path, text).unwrap();
        let daemon = Daemon::start_with(|file| file.link[0].dialect = path.display().to_string()).await;
        let mut processor = daemon.ascii().await;
        processor.send_body(b"").await;
        match keep_alive {
            "answer" => assert_eq!(processor.receive_body().await.as_deref(), Some(&b""[..])),
            "refuse" => {
                processor.expect_close().await;
                continue;
            }
            _ => {}
        }
        processor.expect_echo(1).await;
    }
}

fn echo(after: Duration) -> EchoSection {
    EchoSection { after, answer_within: Duration::from_millis(200), missed_max: 2 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_processor_is_asked_whether_it_is_there_and_left_when_it_does_not_answer() {
    let daemon = Daemon::start_with(|file| file.link[0].echo = Some(echo(QUICK))).await;
    let mut processor = daemon.ascii().await;
    for _ in 0..3 {
        processor.answer_network("301", "00").await;
    }
    processor.expect_echo(1).await;
    let first = loop {
        let request = processor.receive().await;
        if request.mti == "0800" {
            break request;
        }
    };
    let second = processor.receive().await;
    assert_eq!((second.mti.as_str(), second.get(70)), ("0800", "301"));
    assert_ne!(first.get(11), second.get(11));
    processor.expect_close().await;
    assert_eq!(gauge(&daemon, "authswitch_link_missed_echoes_total").await, 2);
    daemon.processor(Dialect::Binary).await.expect_echo(1).await;
}

/// A link that connects to `address`.
fn calling(file: &mut ConfigFile, address: &str) {
    let link = &mut file.link[0];
    link.listen = None;
    link.connect = Some(address.into());
    link.dial = Some(DialSection { pause_min: QUICK, pause_max: QUICK, ..DialSection::default() });
}

/// A port of this machine that nobody listens on.
async fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_comes_up_late_is_reached_signed_on_to_and_served() {
    let address = free_port().await;
    let daemon = Daemon::start_with(|file| {
        calling(file, &address);
        file.link[0].sign_on = true;
        file.link[0].require_sign_on = true;
    })
    .await;
    daemon.add_card().await;
    eventually("failed attempts", || async {
        (gauge(&daemon, "authswitch_link_connect_failures_total").await >= 2).then_some(())
    })
    .await;
    assert_eq!(gauge(&daemon, "authswitch_link_up").await, 0);
    let ready = daemon.api().get("/readyz").await;
    assert_eq!(ready.status, 200, "the other link is up: {ready:?}");
    assert!(ready.text.contains("link ascii-1987 is down"), "{ready:?}");

    let listener = TcpListener::bind(&address).await.unwrap();
    let mut processor = Processor::accept(&listener, Dialect::Ascii).await;
    processor.answer_network("001", "00").await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    expect_gauge(&daemon, "authswitch_link_up", 1).await;
    expect_gauge(&daemon, "authswitch_link_signed_on_connections", 1).await;

    drop(processor);
    let mut processor = Processor::accept(&listener, Dialect::Ascii).await;
    processor.answer_network("001", "00").await;
    processor.expect_echo(2).await;
    assert_eq!(gauge(&daemon, "authswitch_link_reconnects_total").await, 1);

    let stopping = tokio::spawn(daemon.switch.stop());
    let farewell = processor.receive().await;
    assert_eq!((farewell.mti.as_str(), farewell.get(70)), ("0800", "002"));
    processor.expect_close().await;
    tokio::time::timeout(PATIENCE, stopping).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_on_that_is_refused_or_ignored_is_tried_again_on_another_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let daemon = Daemon::start_with(|file| {
        calling(file, &address);
        file.link[0].sign_on = true;
        file.link[0].sign_on_within = Duration::from_millis(100);
    })
    .await;
    let mut refusing = Processor::accept(&listener, Dialect::Ascii).await;
    refusing.answer_network("001", "91").await;
    refusing.expect_close().await;
    let mut silent = Processor::accept(&listener, Dialect::Ascii).await;
    assert_eq!(silent.receive().await.get(70), "001");
    silent.expect_close().await;
    let mut third = Processor::accept(&listener, Dialect::Ascii).await;
    // However slow the machine is, one of the next ones is answered in time.
    while !answered_in_time(&mut third).await {
        third = Processor::accept(&listener, Dialect::Ascii).await;
    }
    assert!(gauge(&daemon, "authswitch_link_reconnects_total").await >= 2);
}

async fn answered_in_time(processor: &mut Processor) -> bool {
    processor.answer_network("001", "00").await;
    processor.send(&network(1, "301")).await;
    processor.receive_body().await.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_connections_are_kept_open_as_the_configuration_says() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let daemon = Daemon::start_with(|file| {
        calling(file, &address);
        if let Some(dial) = &mut file.link[0].dial {
            dial.connections = 3;
        }
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Processor::accept(&listener, Dialect::Ascii).await);
    }
    for processor in &mut open {
        processor.expect_echo(1).await;
    }
    expect_gauge(&daemon, "authswitch_link_connections", 3).await;
    assert_eq!(gauge(&daemon, "authswitch_link_connections_max").await, 3);
    open.pop();
    Processor::accept(&listener, Dialect::Ascii).await.expect_echo(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_frames_and_nonsense_on_some_links_leave_the_others_alone() {
    let frame_within = Duration::from_millis(200);
    let daemon = Daemon::start_with(|file| {
        for number in 2..6 {
            file.link.push(LinkSection { name: format!("link-{number}"), ..file.link[0].clone() });
        }
        file.link[2].connect = Some("127.0.0.1:9".into());
        file.link[2].listen = None;
        for link in &mut file.link[3..] {
            link.frame_within = frame_within;
        }
    })
    .await;
    daemon.add_card().await;
    // The link that connects has no address, so the ones behind it have moved up.
    let links = daemon.switch.links().to_vec();
    assert_eq!(links.len(), 5);
    let mut bad = Vec::new();
    for link in &links[2..] {
        for bytes in [&b"\x00"[..], b"\x00\x50half of it", b"\xFF\xFFtoo long"] {
            let mut processor = Processor::connect(*link, Dialect::Ascii).await;
            processor.send_bytes(bytes).await;
            bad.push(processor);
        }
    }
    let mut good = daemon.ascii().await;
    let mut other = daemon.processor(Dialect::Binary).await;
    for stan in 1..=20 {
        assert_eq!(good.ask(&usual(stan, 1)).await.code(), "00");
        assert_eq!(other.ask(&usual(100 + stan, 1)).await.code(), "00");
    }
    for processor in &mut bad {
        processor.expect_close().await;
    }
    good.expect_echo(99).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_asked_for_is_dropped() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let stray = Message { mti: "0810".into(), ..network(7, "001").with(39, "91") };
    processor.send(&stray).await;
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
    assert_eq!(daemon.api().metric("authswitch_not_served_total").await, 1);
}

#[test]
fn a_link_listens_or_connects_and_its_session_fits_its_time_outs() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |adjust: fn(&mut LinkSection)| {
        let mut file = config_file(folder.path());
        adjust(&mut file.link[1]);
        let faults = Config::check(file, &config_folder()).unwrap_err();
        let [fault] = &faults[..] else { panic!("{faults:?}") };
        format!("{}: {}", fault.key, fault.problem)
    };
    for (adjust, expected) in [
        ((|link| link.listen = None) as fn(&mut LinkSection), "link[1]: has neither listen nor connect"),
        (|link| link.connect = Some("network.test:7000".into()), "link[1]: has both listen and connect"),
        (|link| link.dial = Some(DialSection::default()), "link[1].dial: says how to connect"),
        (
            |link| (link.listen, link.connect) = (None, Some("network.test".into())),
            "link[1].connect: \"network.test\" was found, \"host:port\"",
        ),
        (
            |link| {
                (link.listen, link.connect) = (None, Some("network.test:7000".into()));
                link.dial = Some(DialSection { connections: 0, ..DialSection::default() });
            },
            "link[1].dial.connections: 0 was found, 1 to 64 is allowed",
        ),
        (
            |link| link.echo = Some(EchoSection { after: link.idle_max, ..EchoSection::default() }),
            "link[1].echo.after: 600s was found, less than idle_max (600s) is needed",
        ),
    ] {
        let found = fault(adjust);
        assert!(found.starts_with(expected), "{expected}: {found}");
    }
}
