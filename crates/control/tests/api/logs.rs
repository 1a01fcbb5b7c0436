//! What the API writes into the log: the endpoint and the status, and nothing that a client sent.

use crate::client::{Client, EXPIRY, OTHER_PAN, PAN, card};
use std::io::Write;
use std::sync::{Arc, Mutex};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Set in the process that has the test to itself.
const ALONE: &str = "AUTHSWITCH_LOG_TEST_ALONE";

/// Which log lines are wanted is remembered for the whole process, and another test's thread that comes to a line
/// first settles it as unwanted. So the test runs in a process of its own.
#[test]
fn no_log_line_holds_what_a_client_sent() {
    if std::env::var_os(ALONE).is_some() {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(check());
        return;
    }
    let alone = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "logs::no_log_line_holds_what_a_client_sent", "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&alone.stdout);
    assert!(alone.status.success() && said.contains("1 passed"), "{said}");
}

async fn check() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    // Spawned tasks run on this very thread, so they log here too.
    let _logging_here = tracing::subscriber::set_default(subscriber);

    let client = Client::with_card().await;
    client.post("/v1/cards", &card("D", OTHER_PAN, "")).await.expect(201);
    client.post("/v1/cards", &card("E", OTHER_PAN, "")).await.expect(409);
    client.post("/v1/cards", PAN).await.expect(422);
    client.get(&format!("/v1/cards/{PAN}")).await.expect(404);
    client.get(&format!("/{PAN}")).await.expect(404);
    client.send(PAN.parse().unwrap(), "/v1/cards/C", None, "").await.expect(405);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("/v1/cards/{id}") && text.contains("status=409"), "{text}");
    for secret in [&PAN[..12], &OTHER_PAN[..12], EXPIRY] {
        assert!(!text.contains(secret), "{text}");
    }
}
