//! The same books whatever they are told over: HTTP/2, and TLS.

use crate::life::{LEFT, play};
use crate::switch::{Switch, account, config, service_over, usdt};
use domain::Units;
use funding::{Protocol, TlsSettings};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use simulators::balance_service::{Books, Opening, Profile};
use std::sync::Arc;

/// A certificate of `localhost`, as the service and as the switch are told it.
fn tls() -> (Arc<ServerConfig>, TlsSettings) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_no_client_auth();
    let mut config = builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(config), TlsSettings::from_pem(made.cert.pem().as_bytes(), None).unwrap())
}

#[tokio::test]
async fn the_books_are_the_same_over_http_2_and_over_tls() {
    let (served, trusted) = tls();
    for (protocol, secure) in [(Protocol::Http2, false), (Protocol::Http1, true), (Protocol::Http2, true)] {
        let opening = Opening { account: account(0), asset: usdt(), units: Units(1_000) };
        let tls = secure.then(|| Arc::clone(&served));
        let service = service_over(tls, Profile::instant(), Books::with([opening])).await;
        let mut config = config(&service.url().replace("127.0.0.1", "localhost"));
        config.protocol = protocol;
        config.tls = secure.then(|| trusted.clone());
        play(&Switch::start(config)).await;
        let books = service.books();
        let book = books.account(&account(0), usdt()).unwrap();
        assert_eq!((book.available, book.held), (Units(LEFT), Units(0)), "{protocol:?}, TLS: {secure}");
    }
}
