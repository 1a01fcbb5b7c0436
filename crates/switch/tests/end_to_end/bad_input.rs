//! What a processor may do wrong, and that nobody else suffers for it.

use crate::support::balance_service::Says;
use crate::support::daemon::{Daemon, with_jit_card};
use crate::support::message::{DIALECTS, Dialect, Message};
use crate::support::processor::{frame, network, reversal, usual};
use crate::support::{PAN, PATIENCE, eventually};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

/// How long a silent connection may be in these tests.
const SHORT: Duration = Duration::from_millis(100);

/// The count of a link's metric.
async fn counted(daemon: &Daemon, metric: &str, link: &str) -> u64 {
    daemon.api().metric(&format!("{metric}{{link=\"{link}\"}}")).await
}

/// The connection is closed by the switch, the fault is counted, and the neighbour is served before and after.
async fn expect_closed_for(daemon: &Daemon, bytes: &[u8]) {
    let mut neighbour = daemon.ascii().await;
    neighbour.expect_echo(1).await;
    let before = counted(daemon, "authswitch_frame_errors_total", "ascii-1987").await;
    let mut bad = daemon.ascii().await;
    bad.send_bytes(bytes).await;
    bad.expect_close().await;
    assert_eq!(counted(daemon, "authswitch_frame_errors_total", "ascii-1987").await, before + 1);
    neighbour.expect_echo(2).await;
    daemon.ascii().await.expect_echo(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_lengths_over_the_bound_close_their_connection_and_no_other() {
    let daemon = Daemon::start().await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xFF\xFF", b"\x10\x01", b"00610100"] {
        expect_closed_for(&daemon, bytes).await;
    }
    let mut longest = daemon.ascii().await;
    longest.send_body(&[b'x'; 4_096]).await;
    longest.expect_echo(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_before_a_bad_frame_is_still_answered() {
    let daemon = Daemon::with_card().await;
    let mut processor = daemon.ascii().await;
    let mut bytes = frame(&network(1, "301").encode(Dialect::Ascii));
    bytes.extend(frame(&usual(2, 1_00).encode(Dialect::Ascii)));
    bytes.extend_from_slice(b"\xFF\xFF");
    processor.send_bytes(&bytes).await;
    for stan in ["000001", "000002"] {
        let answer = processor.receive().await;
        assert_eq!((answer.get(11), answer.code()), (stan, "00"));
    }
    processor.expect_close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_and_silence_close_the_connection() {
    let daemon = Daemon::start_with(|file| file.link[0].frame_within = SHORT).await;
    let whole = frame(&network(1, "301").encode(Dialect::Ascii));
    for half in [&whole[..1], &whole[..2], &whole[..whole.len() - 1]] {
        expect_closed_for(&daemon, half).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_trickles_in_for_too_long_closes_the_connection() {
    let daemon = Daemon::start_with(|file| file.link[0].frame_within = SHORT).await;
    let mut slow = daemon.ascii().await;
    let trickle = async {
        // Each byte comes well within the time that a frame may take; all of them together do not.
        for byte in frame(&[b'0'; 4_000]) {
            if slow.stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    tokio::time::timeout(SHORT * 20, trickle).await.expect("a connection that was closed long ago");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_pieces_is_put_together_and_a_silent_connection_is_closed() {
    let daemon = Daemon::start_with(|file| file.link[0].idle_max = Duration::from_millis(300)).await;
    let mut processor = daemon.ascii().await;
    for byte in frame(&network(1, "301").encode(Dialect::Ascii)) {
        processor.send_bytes(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(processor.receive().await.code(), "00");
    processor.expect_close().await;
    let errors = counted(&daemon, "authswitch_frame_errors_total", "ascii-1987").await;
    assert_eq!(errors, 0, "silence between frames is no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_frame_keeps_the_connection_open_and_has_no_answer() {
    let daemon = Daemon::start().await;
    for dialect in DIALECTS {
        let mut processor = daemon.processor(dialect).await;
        processor.send_body(b"").await;
        processor.expect_echo(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_served_is_answered_12() {
    let daemon = Daemon::with_card().await;
    for dialect in DIALECTS {
        let mut processor = daemon.processor(dialect).await;
        for (stan, mti, answer_mti) in [
            (1, "0300", "0310"),
            (2, "0102", "0112"),
            (3, "0302", "0312"),
            (4, "0500", "0510"),
            (5, "0600", "0610"),
            (6, "0900", "0910"),
            (7, "1100", "1110"),
            (8, "0140", "0150"),
        ] {
            let request = usual(stan, 1_00).mti(mti);
            let answer = processor.ask(&request).await;
            assert_eq!((answer.mti.as_str(), answer.code()), (answer_mti, "12"));
            for de in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49] {
                assert_eq!(answer.get(de), request.get(de), "DE {de} of {mti}");
            }
        }
        let answer = processor.ask(&network(9, "161")).await;
        assert_eq!((answer.mti.as_str(), answer.code()), ("0810", "12"), "a key exchange is not served");
    }
    assert_eq!(daemon.api().metric("authswitch_not_served_total").await, 18);
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_never_answered() {
    let daemon = Daemon::with_card().await;
    for dialect in DIALECTS {
        let mut processor = daemon.processor(dialect).await;
        for mti in ["0110", "0130", "0410", "0810", "0150", "0190"] {
            processor.send(&usual(1, 1_00).mti(mti)).await;
        }
        processor.expect_echo(2).await;
    }
    assert_eq!(daemon.api().metric("authswitch_not_served_total").await, 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_readable_type_has_no_answer_and_is_counted() {
    let daemon = Daemon::start().await;
    let mut processor = daemon.ascii().await;
    for body in [&b"01"[..], b"ABCD", b"\xFF\xFF\xFF\xFF0000"] {
        processor.send_body(body).await;
    }
    processor.expect_echo(1).await;
    assert_eq!(counted(&daemon, "authswitch_format_errors_total", "ascii-1987").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_bitmap_is_30() {
    let daemon = Daemon::start().await;
    for (dialect, body) in [
        (Dialect::Ascii, &b"0100"[..]),
        (Dialect::Ascii, b"0100XXXXXXXXXXXXXXXX"),
        (Dialect::Ascii, b"0100F2380000"),
        (Dialect::Binary, b"\x01\x00\xF2\x38"),
    ] {
        let mut processor = daemon.processor(dialect).await;
        processor.send_body(body).await;
        let answer = processor.receive().await;
        assert_eq!((answer.mti.as_str(), answer.code(), answer.get(44)), ("0110", "30", "001"));
        processor.expect_echo(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_that_the_dialect_does_not_have_is_30_and_named() {
    let daemon = Daemon::start().await;
    let mut processor = daemon.ascii().await;
    processor.send_body(b"08008000000000000000800000000000000012345").await;
    let answer = processor.receive().await;
    assert_eq!((answer.mti.as_str(), answer.code(), answer.get(44)), ("0810", "30", "065"));
}

/// The answer to a body that is not quite a message.
async fn answer_to(daemon: &Daemon, dialect: Dialect, body: &[u8]) -> Message {
    let mut processor = daemon.processor(dialect).await;
    processor.send_body(body).await;
    let answer = processor.receive().await;
    processor.expect_echo(1).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_no_number_is_30_and_can_be_matched_to_its_request() {
    let daemon = Daemon::with_card().await;
    let request = usual(7, 12_34);
    let ascii = request.clone().with(4, "00000000A234").encode(Dialect::Ascii);
    let mut binary = request.encode(Dialect::Binary);
    let at = binary.windows(6).position(|six| *six == [0, 0, 0, 0, 0x12, 0x34]).unwrap();
    binary[at + 5] = 0x3A;
    for (dialect, body) in [(Dialect::Ascii, ascii), (Dialect::Binary, binary)] {
        let answer = answer_to(&daemon, dialect, &body).await;
        assert_eq!((answer.mti.as_str(), answer.code(), answer.get(44)), ("0110", "30", "004"));
        assert_eq!((answer.get(2), answer.get(3)), (PAN, "000000"));
        assert_eq!(answer.references(), request.references(), "{answer:?}");
        assert!(!answer.has(4) && !answer.has(38), "{answer:?}");
    }
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
    assert_eq!(counted(&daemon, "authswitch_format_errors_total", "binary-1987").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_that_is_missing_or_makes_no_sense_is_30_and_named() {
    let daemon = Daemon::with_card().await;
    for dialect in DIALECTS {
        for (request, element) in [
            (usual(1, 1_00).without(2), "002"),
            (usual(1, 1_00).without(3), "003"),
            (usual(1, 1_00).without(4), "004"),
            (usual(1, 1_00).without(7), "007"),
            (usual(1, 1_00).without(11), "011"),
            (usual(1, 1_00).without(49), "049"),
            (usual(1, 1_00).with(2, "1234"), "002"),
            (usual(1, 1_00).with(7, "1399999999"), "007"),
            (usual(1, 1_00).with(14, "3113"), "014"),
            (usual(1, 1_00).with(49, "000"), "049"),
            (usual(1, 1_00).with(49, "US$"), "049"),
            (reversal(&usual(1, 1_00), 2).without(11), "011"),
            (network(1, "301").without(70), "070"),
        ] {
            let answer = answer_to(&daemon, dialect, &request.encode(dialect)).await;
            assert_eq!((answer.code(), answer.get(44)), ("30", element), "{request:?}");
            let kept = [7, 11].map(|de| answer.get(de) == request.get(de));
            assert_eq!(kept, [true, true], "{answer:?}");
        }
    }
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_too_few_or_too_many_are_30() {
    let daemon = Daemon::with_card().await;
    for dialect in DIALECTS {
        let whole = usual(1, 1_00).encode(dialect);
        let answer = answer_to(&daemon, dialect, &whole[..whole.len() - 1]).await;
        assert_eq!((answer.code(), answer.get(44), answer.get(11)), ("30", "049", "000001"));
        let more = [&whole[..], b"0"].concat();
        let answer = answer_to(&daemon, dialect, &more).await;
        assert_eq!((answer.code(), answer.get(11)), ("30", "000001"));
    }
    assert_eq!(daemon.api().balance("A").await, ["100.00", "0.00", "100.00"]);
}

/// A generator of test noise (splitmix64); the seed is in the name of what fails.
struct Noise(u64);

impl Noise {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_messages_never_break_a_connection() {
    let daemon = Daemon::with_card().await;
    for (seed, dialect) in (1..).zip(DIALECTS) {
        let mut noise = Noise(seed);
        let mut processor = daemon.processor(dialect).await;
        for round in 0..20_u32 {
            for stan in 0..25 {
                let whole = usual(stan, 1);
                let mut body =
                    if noise.below(4) == 0 { reversal(&whole, stan) } else { whole }.encode(dialect);
                for _ in 0..=noise.below(4) {
                    let at = noise.below(body.len());
                    body[at] = noise.byte();
                }
                body.truncate(body.len() - noise.below(3) * noise.below(40));
                processor.send_body(&body).await;
            }
            // Answers to damaged requests may hold anything; the echo's answer is the one that counts.
            let echo = network(900_000 + round, "301");
            processor.send(&echo).await;
            let expected = Message { mti: "0810".into(), ..echo.with(39, "00") }.encode(dialect);
            loop {
                let body = processor.receive_body().await;
                let body = body.unwrap_or_else(|| panic!("{dialect:?}, seed {seed}, round {round}: closed"));
                if body == expected {
                    break;
                }
            }
        }
    }
    let [ledger, ..] = daemon.api().balance("A").await;
    assert_eq!(ledger, "100.00", "damaged messages may hold money, and never move any");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_takes_no_answers_holds_up_nobody_and_loses_none() {
    let daemon = Daemon::start_with(|file| file.link[0].unsent_bytes_max = 4_096).await;
    let mut neighbour = daemon.ascii().await;
    let socket = TcpSocket::new_v4().unwrap();
    // As little room as the system gives, so that it is full soon.
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.set_send_buffer_size(4_096).unwrap();
    let mut slow = socket.connect(daemon.switch.links()[0]).await.unwrap();
    let request = network(1, "301");
    let answer = Message { mti: "0810".into(), ..request.clone().with(39, "00") };
    let [request, answer] = [request, answer].map(|message| frame(&message.encode(Dialect::Ascii)));

    let batch = request.repeat(1_000);
    let (mut sent, mut unsent) = (0, Vec::new());
    while unsent.is_empty() {
        assert!(sent < 100_000, "the switch reads on although nobody takes its answers");
        let mut written = 0;
        let write = async {
            while written < batch.len() {
                written += slow.write(&batch[written..]).await.unwrap();
            }
        };
        // Half a second in which not one byte is taken means that nothing more will be.
        if tokio::time::timeout(Duration::from_millis(500), write).await.is_err() {
            batch[written..].clone_into(&mut unsent);
        }
        sent += 1_000;
    }
    neighbour.expect_echo(1).await;
    let (mut reading, mut writing) = slow.split();
    let write = async { writing.write_all(&unsent).await.unwrap() };
    let read = async {
        let mut answers = vec![0; answer.len() * sent];
        reading.read_exact(&mut answers).await.unwrap();
        answers
    };
    let ((), answers) = tokio::time::timeout(PATIENCE, async { tokio::join!(write, read) }).await.unwrap();
    assert!(answers.chunks(answer.len()).all(|found| found == answer));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_too_many_is_refused_and_a_place_that_is_free_again_is_given() {
    let daemon = Daemon::start_with(|file| file.link[0].connections_max = 2).await;
    let mut first = daemon.ascii().await;
    let mut second = daemon.ascii().await;
    first.expect_echo(1).await;
    second.expect_echo(1).await;
    daemon.ascii().await.expect_close().await;
    let refused = counted(&daemon, "authswitch_link_refused_connections_total", "ascii-1987").await;
    assert_eq!(refused, 1);
    daemon.processor(Dialect::Binary).await.expect_echo(1).await;
    first.expect_echo(2).await;
    drop(second);
    let place = || async {
        let mut third = daemon.ascii().await;
        third.stream.write_all(&frame(&network(3, "301").encode(Dialect::Ascii))).await.ok()?;
        third.receive_body().await
    };
    eventually("the free place", place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_in_flight_is_91_at_once_and_follow_ups_have_room() {
    let (daemon, service) = with_jit_card(|file| {
        file.link[0].in_flight_max = 2;
        file.link[0].answer_within = Duration::from_millis(600);
    })
    .await;
    service.says(Says::Nothing);
    let mut processor = daemon.ascii().await;
    for stan in 1..=2 {
        processor.send(&usual(stan, 1_00)).await;
    }
    // The first answer of this one is still to come, and 91 would contradict it.
    processor.send(&usual(1, 1_00).mti("0101")).await;
    // The connection is full of requests, and goes on being read.
    for stan in ["000003", "000005"] {
        processor.send(&usual(stan.parse().unwrap(), 1_00)).await;
        let answer = processor.receive().await;
        assert_eq!((answer.get(11), answer.code()), (stan, "91"));
    }
    assert_eq!(daemon.api().metric("authswitch_overload_declines_total").await, 2);
    assert_eq!(daemon.api().metric("authswitch_unanswered_repeats_total").await, 1);
    processor.send(&reversal(&usual(1, 1_00), 4)).await;
    daemon.ascii().await.expect_echo(6).await;
    let mut answers = Vec::new();
    for _ in 0..3 {
        let answer = processor.receive().await;
        answers.push((answer.get(11).to_owned(), answer.code().to_owned()));
    }
    answers.sort();
    // The first is undone while the balance service is asked.
    let expected = [("000001", "05"), ("000002", "91"), ("000004", "00")];
    assert_eq!(answers, expected.map(|(stan, code)| (stan.to_owned(), code.to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_processor_that_has_nothing_more_to_send_still_gets_its_answers() {
    let (daemon, service) = with_jit_card(|_| {}).await;
    service.says(Says::Late(Duration::from_millis(100)));
    let mut processor = daemon.ascii().await;
    for stan in 1..=5 {
        processor.send(&usual(stan, 1_00)).await;
    }
    processor.stream.shutdown().await.unwrap();
    for _ in 1..=5 {
        assert_eq!(processor.receive().await.code(), "00");
    }
    processor.expect_close().await;
}
