//! HTTP/2 and TLS against a real server: shared connections, certificates of both sides.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use bytes::Bytes;
use domain::FundingFailure::Refused;
use domain::{FundingOutcome, Units};
use funding::{Protocol, TlsSettings};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{ask, config, not_asked, start};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const APPROVED: FundingOutcome = FundingOutcome::Approved { units: Units(12_500_000) };

/// Approves every ask after a moment.
async fn approve(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let ask: serde_json::Value = serde_json::from_slice(&body).unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let answer = format!(r#"{{"ask_id":{},"decision":"approve"}}"#, ask["ask_id"]);
    Ok(Response::new(Full::new(answer.into())))
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, protocol: Protocol) {
    let io = TokioIo::new(stream);
    // The client going away is how these connections end.
    let _ = match protocol {
        Protocol::Http1 => {
            server::conn::http1::Builder::new().serve_connection(io, service_fn(approve)).await
        }
        Protocol::Http2 => {
            server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service_fn(approve))
                .await
        }
    };
}

/// A service that speaks `protocol`, in clear or over TLS. Returns its port and counts its connections.
async fn service(protocol: Protocol, tls: Option<TlsAcceptor>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    let connections = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (tls, connections) = (tls.clone(), Arc::clone(&connections));
            tokio::spawn(async move {
                match tls {
                    None => {
                        connections.fetch_add(1, Ordering::SeqCst);
                        serve(stream, protocol).await;
                    }
                    Some(tls) => {
                        let Ok(stream) = tls.accept(stream).await else { return };
                        connections.fetch_add(1, Ordering::SeqCst);
                        serve(stream, protocol).await;
                    }
                }
            });
        }
    });
    (port, count)
}

#[tokio::test]
async fn over_http_2_many_asks_share_few_connections() {
    let (port, connections) = service(Protocol::Http2, None).await;
    let mut config = config(&format!("http://127.0.0.1:{port}"));
    config.protocol = Protocol::Http2;
    config.connections_warm = 2;
    config.streams_per_connection_max = 16;
    let (funding, recorder) = start(config);
    funding.warm_up().await.unwrap();
    for number in 1..=30 {
        funding.ask(ask(number, recorder.within(20_000)));
    }
    for number in 1..=30 {
        assert_eq!(recorder.outcome(number).await, APPROVED);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 2, "30 asks fit the two that were warm");
    assert_eq!(funding.endpoints()[0].connections, 2);
}

struct Identity {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
}

fn identity(name: &str) -> Identity {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    Identity { certificate: made.cert, key: made.signing_key }
}

/// TLS as a service has it that asks its clients for a certificate.
fn acceptor(ours: &Identity, client: &Identity, protocol: &[u8]) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(client.certificate.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(ours.key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![ours.certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![protocol.to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

fn settings(authority: &Identity, us: &Identity) -> TlsSettings {
    let (certificate, key) = (us.certificate.pem(), us.key.serialize_pem());
    let identity = (certificate.as_bytes(), key.as_bytes());
    TlsSettings::from_pem(authority.certificate.pem().as_bytes(), Some(identity)).unwrap()
}

#[tokio::test]
async fn over_tls_both_sides_show_who_they_are() {
    let (service_side, us) = (identity("localhost"), identity("authswitch"));
    for (protocol, name) in [(Protocol::Http1, &b"http/1.1"[..]), (Protocol::Http2, b"h2")] {
        let (port, _) = service(protocol, Some(acceptor(&service_side, &us, name))).await;
        let mut config = config(&format!("https://localhost:{port}"));
        config.protocol = protocol;
        config.tls = Some(settings(&service_side, &us));
        let (funding, recorder) = start(config);
        funding.ask(ask(1, recorder.within(20_000)));
        assert_eq!(recorder.outcome(1).await, APPROVED, "{protocol:?}");
    }
}

#[tokio::test]
async fn a_service_that_cannot_show_who_it_is_is_told_nothing() {
    let (service_side, us, other) = (identity("localhost"), identity("authswitch"), identity("localhost"));
    let (port, connections) = service(Protocol::Http1, Some(acceptor(&service_side, &us, b"http/1.1"))).await;
    let mut config = config(&format!("https://localhost:{port}"));
    config.tls = Some(settings(&other, &us));
    let (funding, recorder) = start(config);
    funding.ask(ask(1, recorder.within(20_000)));
    assert_eq!(recorder.outcome(1).await, not_asked(Refused));
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_service_that_speaks_another_http_is_not_asked() {
    let (service_side, us) = (identity("localhost"), identity("authswitch"));
    let (port, _) = service(Protocol::Http1, Some(acceptor(&service_side, &us, b"http/1.1"))).await;
    let mut config = config(&format!("https://localhost:{port}"));
    config.protocol = Protocol::Http2;
    config.tls = Some(settings(&service_side, &us));
    let (funding, recorder) = start(config);
    funding.ask(ask(1, recorder.within(20_000)));
    assert_eq!(recorder.outcome(1).await, not_asked(Refused));
}
