//! One ask against a service that answers, fails or lies: the outcome says what the books need to know.

#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use domain::FundingFailure::{HttpError, Malformed, Overloaded, Refused, Reset, TimedOut};
use domain::{FundingOutcome, PartialApproval, Text, Timestamp, Units};
use funding::signature::Signed;
use funding::{FundingSink as _, Keys, Secret};
use std::time::Duration;
use support::{
    Received, Reply, Service, approve, ask, config, http, not_asked, start, transaction, unknown,
    within_seconds,
};

/// Asks a service that replies with `reply`, and returns the outcome.
async fn outcome_of(reply: Reply) -> FundingOutcome {
    let service = Service::always(reply).await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(5_000)));
    let outcome = recorder.outcome(1).await;
    assert_eq!(service.received().len(), 1, "asked more than once");
    outcome
}

fn answer(body: &str) -> Reply {
    Reply::Bytes(http(200, &body.replace("ID", &transaction(1).to_string())))
}

#[tokio::test]
async fn an_approval_a_part_and_a_decline_are_told_apart() {
    let approved = outcome_of(Reply::Bytes(approve(1))).await;
    assert_eq!(approved, FundingOutcome::Approved { units: Units(12_500_000) });
    let declined = outcome_of(answer(r#"{"ask_id":"ID","decision":"decline","code":"no_money"}"#)).await;
    assert_eq!(declined, FundingOutcome::Declined { code: Text::new("no_money").unwrap() });

    let part = answer(r#"{"ask_id":"ID","decision":"approve","units":"5"}"#);
    let service = Service::always(part).await;
    let (funding, recorder) = start(config(&service.url));
    let mut ask = ask(1, recorder.within(5_000));
    ask.request.partial = PartialApproval::Supported;
    funding.ask(ask);
    assert_eq!(recorder.outcome(1).await, FundingOutcome::Approved { units: Units(5) });
}

#[tokio::test]
async fn an_answer_that_lies_is_malformed_and_never_an_approval() {
    for lie in [
        r#"{"ask_id":"tx-001-0000000000000001","decision":"approve"}"#,
        r#"{"ask_id":"ID","decision":"approve","units":12500000.0}"#,
        r#"{"ask_id":"ID","decision":"approve","units":"12500001"}"#,
        r#"{"ask_id":"ID","decision":"approve","units":"5"}"#,
        "<html>all good</html>",
        "",
    ] {
        assert_eq!(outcome_of(answer(lie)).await, unknown(Malformed), "{lie}");
    }
}

#[tokio::test]
async fn a_huge_body_is_cut_off_whether_announced_or_not() {
    let announced = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", u64::MAX / 2);
    assert_eq!(outcome_of(Reply::Bytes(announced.into_bytes())).await, unknown(Malformed));
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..20 {
        chunked.extend_from_slice(format!("400\r\n{}\r\n", " ".repeat(1024)).as_bytes());
    }
    assert_eq!(outcome_of(Reply::Bytes(chunked)).await, unknown(Malformed));
}

#[tokio::test]
async fn any_status_but_200_is_an_http_error() {
    let body = format!(r#"{{"ask_id":"{}","decision":"approve"}}"#, transaction(1));
    for status in [201, 202, 204, 301, 400, 401, 409, 429, 500, 503] {
        let body = if status == 204 { "" } else { &body };
        assert_eq!(outcome_of(Reply::Bytes(http(status, body))).await, unknown(HttpError), "{status}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_the_outcome_unknown() {
    let whole = approve(1);
    for cut in [0, 5, whole.len() - 1] {
        let outcome = outcome_of(Reply::BytesThenClose(whole[..cut].to_vec())).await;
        assert_eq!(outcome, unknown(Reset), "cut after {cut} bytes");
    }
    assert_eq!(outcome_of(Reply::Bytes(b"SMTP ready\r\n\r\n".to_vec())).await, unknown(Reset));
}

#[tokio::test]
async fn a_refused_connection_is_certain_not_to_have_asked() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let (funding, recorder) = start(config(&url));
    funding.ask(ask(1, recorder.within(5_000)));
    assert_eq!(recorder.outcome(1).await, not_asked(Refused));
    assert!(funding.warm_up().await.is_ok(), "nothing is to be kept warm here");
}

#[tokio::test]
async fn a_connection_that_never_opens_is_certain_not_to_have_asked() {
    // A full backlog that nobody takes from: further connections get no answer at all.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let patience = Duration::from_millis(100);
    while let Ok(connection) = tokio::time::timeout(patience, tokio::net::TcpStream::connect(address)).await {
        waiting.push(connection.unwrap());
        assert!(waiting.len() < 100, "the backlog has no end");
    }
    let (funding, recorder) = start(config(&format!("http://{address}")));
    let deadline = recorder.within(300);
    funding.ask(ask(1, deadline));
    assert_eq!(recorder.outcome(1).await, not_asked(TimedOut));
    assert!(recorder.ended()[0].at < deadline);
}

#[tokio::test]
async fn e39_a_silent_service_times_out_before_the_margins_begin() {
    for reply in [Reply::Hang, Reply::Trickle(Duration::from_millis(20), approve(1))] {
        let service = Service::always(reply).await;
        let (funding, recorder) = start(config(&service.url));
        let deadline = recorder.within(400);
        funding.ask(ask(1, deadline));
        assert_eq!(recorder.outcome(1).await, unknown(TimedOut));
        let ended = recorder.ended()[0].at;
        assert!(ended < deadline, "late by {:?}", ended.since(deadline));
        assert!(deadline.since(ended) <= Duration::from_millis(101), "given up too early");
    }
}

#[tokio::test]
async fn without_time_the_service_is_not_troubled() {
    let service = Service::always(Reply::Bytes(approve(1))).await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(103)));
    assert_eq!(recorder.ended()[0].outcome, not_asked(TimedOut), "told before `ask` returns");
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn e1_a_late_answer_is_counted_and_changes_nothing() {
    let service = Service::always(Reply::After(Duration::from_millis(300), approve(1))).await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(200)));
    assert_eq!(recorder.outcome(1).await, unknown(TimedOut));
    assert_eq!(funding.gauges().asks_in_flight, 0, "it no longer takes an ask's place");
    recorder.until("a late answer", |recorder| recorder.late() == [transaction(1)]).await;
    assert_eq!(recorder.ended().len(), 1);
}

#[tokio::test]
async fn with_no_room_for_late_answers_the_connection_is_closed() {
    let service = Service::always(Reply::Hang).await;
    let mut config = config(&service.url);
    config.late_answers_max = 1;
    config.late_answer_wait = Duration::from_secs(3_600);
    let (funding, recorder) = start(config);
    for number in 1..=3 {
        funding.ask(ask(number, recorder.within(200)));
    }
    for number in 1..=3 {
        assert_eq!(recorder.outcome(number).await, unknown(TimedOut));
    }
    within_seconds("two of three are closed", || service.closed() == 2).await;
    assert_eq!(funding.gauges().late_answers, 1);
}

#[tokio::test]
async fn over_the_limit_an_ask_is_refused_at_once_and_the_open_one_goes_on() {
    let service = Service::always(Reply::After(Duration::from_millis(100), approve(1))).await;
    let mut config = config(&service.url);
    config.asks_in_flight_max = 1;
    let (funding, recorder) = start(config);
    funding.ask(ask(1, recorder.within(5_000)));
    funding.ask(ask(2, recorder.within(5_000)));
    assert_eq!(recorder.ended()[0].outcome, not_asked(Overloaded));
    assert_eq!(recorder.outcome(1).await, FundingOutcome::Approved { units: Units(12_500_000) });
    assert_eq!(service.received().len(), 1);
}

#[tokio::test]
async fn e26_asked_twice_for_one_transaction_it_ends_once() {
    let service = Service::always(Reply::After(Duration::from_millis(50), approve(1))).await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(5_000)));
    funding.ask(ask(1, recorder.within(5_000)));
    recorder.outcome(1).await;
    funding.shutdown(Duration::from_secs(5)).await;
    assert_eq!((recorder.ended().len(), service.received().len()), (1, 1));
}

#[tokio::test]
async fn connections_are_kept_and_one_that_was_closed_meanwhile_is_replaced() {
    let reply = |count, _: &Received| match count {
        // The second answer says nothing of closing, and closes: the kept connection is dead.
        2 => Reply::BytesThenClose(approve(2)),
        other => Reply::Bytes(approve(u64::try_from(other).unwrap())),
    };
    let service = Service::start(reply).await;
    let (funding, recorder) = start(config(&service.url));
    for number in 1..=4 {
        funding.ask(ask(number, recorder.within(5_000)));
        let outcome = recorder.outcome(number).await;
        assert_eq!(outcome, FundingOutcome::Approved { units: Units(12_500_000) }, "ask {number}");
        if number == 2 {
            within_seconds("the end is noticed", || funding.gauges().connections_idle == 0).await;
        }
    }
    assert_eq!(service.received().len(), 4, "nothing was asked twice");
    assert_eq!(funding.gauges().connections_idle, 1);
}

#[tokio::test]
async fn warm_connections_are_open_before_the_first_ask() {
    let service = Service::always(Reply::Bytes(approve(1))).await;
    let mut config = config(&service.url);
    config.connections_warm = 3;
    let (funding, recorder) = start(config);
    assert_eq!(funding.warm_up().await.unwrap(), 3);
    funding.ask(ask(1, recorder.within(5_000)));
    recorder.outcome(1).await;
    assert_eq!(funding.gauges().connections_idle, 3, "a warm connection was used and kept");
}

#[tokio::test]
async fn a_connection_that_lived_or_waited_too_long_is_not_used_again() {
    let moment = Duration::from_millis(1);
    for age in [true, false] {
        let service = Service::start(|count, _| Reply::Bytes(approve(u64::try_from(count).unwrap()))).await;
        let mut config = config(&service.url);
        *if age { &mut config.connection_age_max } else { &mut config.connection_idle_max } = moment;
        let (funding, recorder) = start(config);
        for number in 1..=3 {
            funding.ask(ask(number, recorder.within(5_000)));
            recorder.outcome(number).await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(service.received().len(), 3);
        within_seconds("each ask had its own", || service.closed() >= 2).await;
    }
}

#[tokio::test]
async fn a_connection_that_nobody_needs_is_closed() {
    let service = Service::always(Reply::Bytes(approve(1))).await;
    let mut config = config(&service.url);
    config.connection_idle_max = Duration::from_millis(50);
    let (funding, recorder) = start(config);
    funding.ask(ask(1, recorder.within(5_000)));
    recorder.outcome(1).await;
    within_seconds("it is closed", || service.closed() == 1).await;
}

#[tokio::test]
async fn e39_a_request_carries_its_time_left_and_a_signature_over_its_body() {
    let service = Service::always(Reply::Bytes(approve(1))).await;
    let (funding, recorder) = start(config(&service.url));
    funding.ask(ask(1, recorder.within(1_101)));
    recorder.outcome(1).await;
    let request = &service.received()[0];
    assert!(request.head.starts_with("POST /base/v1/asks HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(format!("http://{}/base", request.header("host").unwrap()), service.url);
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let remaining: u64 = request.header("x-deadline-ms").unwrap().parse().unwrap();
    assert_eq!(body["remaining_ms"], remaining);
    assert!((900..1_000).contains(&remaining), "{remaining} ms of 1,000");

    let signed = Signed {
        id: request.header("webhook-id").unwrap(),
        timestamp: request.header("webhook-timestamp").unwrap(),
        signature: request.header("webhook-signature").unwrap(),
        body: request.body.as_bytes(),
    };
    let keys = Keys::new(Secret::parse(support::SECRET).unwrap());
    assert_eq!(keys.verify(signed, recorder.now().utc), Ok(()));
    assert_eq!(signed.id, body["ask_id"]);
}

/// An approval that is signed by `keys` as the answer to `id`.
fn signed_approval(keys: &Keys, id: &str, at: Timestamp) -> Reply {
    let body = format!(r#"{{"ask_id":"{}","decision":"approve"}}"#, transaction(1));
    let timestamp = (at.micros() / 1_000_000).to_string();
    let signature = keys.sign(id, &timestamp, body.as_bytes());
    let head = format!(
        "HTTP/1.1 200 OK\r\nwebhook-id: {id}\r\nwebhook-timestamp: {timestamp}\r\n\
         webhook-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Reply::Bytes((head + &body).into_bytes())
}

#[tokio::test]
async fn with_a_key_for_answers_only_this_asks_signed_answer_counts() {
    let ours = Keys::new(Secret::parse(support::SECRET).unwrap());
    let theirs = Keys::new(Secret::parse("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").unwrap());
    let (id, other) = (transaction(1).to_string(), transaction(2).to_string());
    let now = support::Recorder::new().now().utc;
    let yesterday = Timestamp::from_micros(now.micros() - 86_400_000_000);
    let approved = FundingOutcome::Approved { units: Units(12_500_000) };
    for (reply, expected) in [
        (signed_approval(&ours, &id, now), approved),
        (signed_approval(&theirs, &id, now), unknown(Malformed)),
        (signed_approval(&ours, &other, now), unknown(Malformed)),
        (signed_approval(&ours, &id, yesterday), unknown(Malformed)),
        (Reply::Bytes(approve(1)), unknown(Malformed)),
    ] {
        let service = Service::always(reply.clone()).await;
        let mut config = config(&service.url);
        config.answer_keys = Some(ours.clone());
        let (funding, recorder) = start(config);
        funding.ask(ask(1, recorder.within(5_000)));
        assert_eq!(recorder.outcome(1).await, expected, "{reply:?}");
    }
}
