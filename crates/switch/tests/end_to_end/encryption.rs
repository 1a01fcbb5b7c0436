//! TLS: whoever cannot show what it must is not served, and harms nobody who can.

use crate::support::daemon::{Daemon, config_file, config_folder};
use crate::support::message::Dialect;
use crate::support::processor::{Processor, usual};
use crate::support::tls::{self, Authority, Identity};
use crate::support::{PATIENCE, eventually};
use std::path::Path;
use std::time::Duration;
use switch::{Config, ConfigFile, DialSection, TlsSection};
use tokio::net::TcpListener;

const FAILURES: &str = "authswitch_link_tls_failures_total{link=\"ascii-1987\"}";

/// What one end shows and trusts, with its files in `folder`.
fn section(folder: &Path, name: &str) -> TlsSection {
    TlsSection {
        certificate: Some(folder.join(format!("{name}.pem"))),
        key: Some(folder.join(format!("{name}.key"))),
        ..TlsSection::default()
    }
}

/// A switch whose first link listens with TLS and asks for a certificate signed by the processor's authority.
async fn listening(ours: &Authority, theirs: &Authority) -> (Daemon, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    ours.identity("switch.test").write(folder.path(), "switch");
    std::fs::write(folder.path().join("ca.pem"), &theirs.pem).unwrap();
    let tls = TlsSection { ca: Some(folder.path().join("ca.pem")), ..section(folder.path(), "switch") };
    let daemon = Daemon::start_with(|file| file.link[0].tls = Some(tls)).await;
    daemon.add_card().await;
    (daemon, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_with_the_right_certificate_is_served_and_no_other_is() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (daemon, _folder) = listening(&ours, &theirs).await;
    let link = daemon.switch.links()[0];
    let identity = theirs.identity("processor.test");
    let mut served = tls::connect(link, &ours.pem, Some(&identity), Dialect::Ascii).await.unwrap();
    assert_eq!(served.ask(&usual(1, 1_00)).await.code(), "00");

    let stranger = Authority::new("stranger").identity("processor.test");
    for (who, identity) in [("nobody", None), ("a stranger", Some(&stranger))] {
        // With TLS 1.3 a client learns that its certificate was refused when it reads.
        if let Ok(mut refused) = tls::connect(link, &ours.pem, identity, Dialect::Ascii).await {
            let bytes = usual(2, 1_00).encode(Dialect::Ascii);
            let _ = tokio::io::AsyncWriteExt::write_all(&mut refused.stream, &bytes).await;
            assert_eq!(refused.receive_body().await, None, "{who}");
        }
    }
    let mut plain = Processor::connect(link, Dialect::Ascii).await;
    plain.send(&usual(3, 1_00)).await;
    let api = daemon.api();
    eventually("three refusals", || async { (api.metric(FAILURES).await == 3).then_some(()) }).await;
    served.expect_echo(4).await;
    daemon.processor(Dialect::Binary).await.expect_echo(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_not_taken_for_ours() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (daemon, _folder) = listening(&ours, &theirs).await;
    let identity = theirs.identity("processor.test");
    let connected =
        tls::connect(daemon.switch.links()[0], &theirs.pem, Some(&identity), Dialect::Ascii).await;
    assert!(connected.is_err(), "the test's own client checks the switch's certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_cross_an_encrypted_connection_whole() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (daemon, _folder) = listening(&ours, &theirs).await;
    let identity = theirs.identity("processor.test");
    let link = daemon.switch.links()[0];
    let mut processor = tls::connect(link, &ours.pem, Some(&identity), Dialect::Ascii).await.unwrap();
    for stan in 1..=1_000 {
        processor.send(&usual(stan, 1)).await;
    }
    let mut stans: Vec<String> = Vec::new();
    for _ in 1..=1_000 {
        let answer = processor.receive().await;
        assert_eq!(answer.code(), "00");
        stans.push(answer.get(11).to_owned());
    }
    stans.sort();
    stans.dedup();
    assert_eq!(stans.len(), 1_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_is_not_finished_is_given_up_and_its_place_is_free_again() {
    let ours = Authority::new("ours");
    let folder = tempfile::tempdir().unwrap();
    ours.identity("switch.test").write(folder.path(), "switch");
    let tls = TlsSection { handshake_within: Duration::from_millis(200), ..section(folder.path(), "switch") };
    let daemon = Daemon::start_with(|file| {
        file.link[0].tls = Some(tls);
        file.link[0].connections_max = 1;
    })
    .await;
    let mut silent = daemon.ascii().await;
    silent.expect_close().await;
    let link = daemon.switch.links()[0];
    let mut processor = eventually("the free place", || async {
        tls::connect(link, &ours.pem, None, Dialect::Ascii).await.ok()
    })
    .await;
    processor.expect_echo(1).await;
    assert_eq!(daemon.api().metric(FAILURES).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_read_again_on_demand_and_bad_ones_leave_the_old_in_force() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (daemon, folder) = listening(&ours, &theirs).await;
    let link = daemon.switch.links()[0];
    let identity = theirs.identity("processor.test");
    let mut before = tls::connect(link, &ours.pem, Some(&identity), Dialect::Ascii).await.unwrap();
    before.expect_echo(1).await;

    std::fs::write(folder.path().join("switch.pem"), "no certificate").unwrap();
    daemon.switch.reload();
    let mut still = tls::connect(link, &ours.pem, Some(&identity), Dialect::Ascii).await.unwrap();
    still.expect_echo(2).await;

    let renewed = Authority::new("renewed");
    renewed.identity("switch.test").write(folder.path(), "switch");
    daemon.switch.reload();
    assert!(tls::connect(link, &ours.pem, Some(&identity), Dialect::Ascii).await.is_err());
    let mut after = tls::connect(link, &renewed.pem, Some(&identity), Dialect::Ascii).await.unwrap();
    after.expect_echo(3).await;
    before.expect_echo(4).await;
}

/// A link that connects to `listener`, expects `name` there, and trusts the file `ca.pem` in `folder`.
fn connecting(file: &mut ConfigFile, listener: &TcpListener, folder: &Path, name: &str) {
    let link = &mut file.link[0];
    link.listen = None;
    link.connect = Some(listener.local_addr().unwrap().to_string());
    let quick = Duration::from_millis(20);
    link.dial = Some(DialSection { pause_min: quick, pause_max: quick, ..DialSection::default() });
    let ca = Some(folder.join("ca.pem"));
    link.tls = Some(TlsSection { ca, server_name: Some(name.into()), ..TlsSection::default() });
}

async fn network(name: &str) -> (Daemon, TcpListener, Identity) {
    let authority = Authority::new("network");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let daemon = Daemon::start_with(|file| connecting(file, &listener, folder.path(), "network.test")).await;
    daemon.add_card().await;
    (daemon, listener, authority.identity(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_we_call_is_served_when_its_certificate_holds_its_name() {
    let (_daemon, listener, identity) = network("network.test").await;
    let mut processor = tls::accept(&listener, &identity, Dialect::Ascii).await.unwrap();
    assert_eq!(processor.ask(&usual(1, 1_00)).await.code(), "00");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_another_name_is_not_spoken_to_and_called_again() {
    let (daemon, listener, identity) = network("somebody-else.test").await;
    for _ in 0..2 {
        assert!(tls::accept(&listener, &identity, Dialect::Ascii).await.is_err());
    }
    let api = daemon.api();
    eventually("the failures", || async { (api.metric(FAILURES).await >= 2).then_some(()) }).await;
    assert_eq!(api.metric("authswitch_link_up{link=\"ascii-1987\"}").await, 0);
    // The only link that listens.
    Processor::connect(daemon.switch.links()[0], Dialect::Binary).await.expect_echo(1).await;
    tokio::time::timeout(PATIENCE, daemon.switch.stop()).await.unwrap().unwrap();
}

#[test]
fn what_is_missing_or_wrong_is_said_before_anything_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Authority::new("ours").identity("switch.test");
    identity.write(folder.path(), "switch");
    Authority::new("other").identity("other.test").write(folder.path(), "other");
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let path = |name: &str| Some(folder.path().join(name));
    let fault = |listens: bool, tls: TlsSection| {
        let mut file = config_file(folder.path());
        if !listens {
            file.link[0].listen = None;
            file.link[0].connect = Some("network.test:7000".into());
        }
        file.link[0].tls = Some(tls);
        let faults = Config::check(file, &config_folder()).unwrap_err();
        assert!(faults.iter().all(|fault| fault.key.starts_with("link[0].tls")), "{faults:?}");
        let text = faults.iter().map(|fault| fault.problem.clone()).collect::<Vec<_>>().join("; ");
        assert!(!text.contains("PRIVATE") && !text.contains(&identity.key[40..60]), "{text}");
        text
    };
    let sound = section(folder.path(), "switch");
    let none = TlsSection::default();
    for (listens, tls, part) in [
        (true, none.clone(), "certificate is not named"),
        (false, none.clone(), "ca is not named"),
        (true, TlsSection { key: None, ..sound.clone() }, "belong together"),
        (
            true,
            TlsSection { certificate: path("no-such.pem"), ..sound.clone() },
            "no-such.pem cannot be read",
        ),
        (true, TlsSection { certificate: path("empty.pem"), ..sound.clone() }, "holds no certificate"),
        (true, TlsSection { key: path("switch.pem"), ..sound.clone() }, "holds no private key"),
        (true, TlsSection { key: path("other.key"), ..sound.clone() }, "cannot be used together"),
        (true, TlsSection { ca: path("empty.pem"), ..sound.clone() }, "empty.pem holds no certificate"),
        (true, TlsSection { server_name: Some("x".into()), ..sound.clone() }, "for a link that connects"),
        (false, TlsSection { server_name: Some("a b".into()), ca: path("switch.pem"), ..none }, "host name"),
    ] {
        let found = fault(listens, tls);
        assert!(found.contains(part), "{part}: {found}");
    }
}
