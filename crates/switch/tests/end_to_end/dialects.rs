//! The life of a purchase in the dialects of mainframes and networks: what differs is where things stand, not what
//! becomes of the money.

use crate::support::PAN;
use crate::support::daemon::Daemon;
use crate::support::message::Dialect as Plain;
use crate::support::processor::Processor;
use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, Draft, Message, Mti, shipped};
use switch::LinkSection;

const DIALECTS: [&str; 4] = ["ebcdic-1987", "ascii-1993", "mastercard-like", "visa-like"];

/// A processor that speaks one dialect.
struct Stranger {
    dialect: Dialect,
    processor: Processor,
    /// The edition: the first digit of its message types.
    edition: char,
}

impl Stranger {
    async fn connect(name: &str) -> (Daemon, Self) {
        let link = LinkSection {
            name: name.into(),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            dialect: name.into(),
            ..LinkSection::default()
        };
        let daemon = Daemon::start_with(|file| file.link = vec![link]).await;
        daemon.add_card().await;
        let processor = Processor::connect(daemon.switch.links()[0], Plain::Ascii).await;
        let dialect = shipped(name).unwrap().unwrap();
        let edition = if name == "ascii-1993" { '1' } else { '0' };
        (daemon, Self { dialect, processor, edition })
    }

    fn message(&self, kind: &str, stan: u32, cents: u64, more: &[(u8, String)]) -> Vec<u8> {
        let mti = Mti::parse(&format!("{}{kind}", self.edition)).unwrap();
        let mut draft = Draft::new(&self.dialect, mti);
        draft.text(2, PAN).text(3, "000000").number(4, cents).text(7, "1120193000").number(11, stan.into());
        if self.edition == '1' {
            draft.text(12, "261120143000").text(26, "5411");
        } else {
            draft.text(12, "143000").text(13, "1120").text(18, "5411");
        }
        draft.text(32, "12345").text(37, "632519000001").text(41, "TERM0001").text(42, "MERCHANT0000001");
        draft.text(49, "840");
        for (element, text) in more {
            draft.text(*element, text);
        }
        let mut bytes = BytesMut::new();
        draft.encode_into(&mut bytes).unwrap();
        bytes.to_vec()
    }

    /// The original data elements of a request with this STAN.
    fn original(&self, stan: u32) -> (u8, String) {
        if self.edition == '1' {
            (56, format!("1100{stan:06}2611201430000512345"))
        } else {
            (90, format!("0100{stan:06}1120193000{:011}{:011}", 12_345, 0))
        }
    }

    async fn ask_body(&mut self, body: &[u8]) -> Vec<u8> {
        self.processor.send_body(body).await;
        self.processor.receive_body().await.expect("an answer")
    }

    /// Asks, and expects an answer of this type with the dialect's code for `word`.
    async fn ask(&mut self, body: &[u8], kind: &str, word: &str) -> Message {
        let answer = self.ask_body(body).await;
        let answer = self.dialect.decode(Bytes::from(answer)).unwrap();
        assert_eq!(answer.mti().to_string(), format!("{}{kind}", self.edition));
        assert_eq!(answer.text(39).as_deref(), self.dialect.response_code(word), "{word}");
        let request = self.dialect.decode(Bytes::copy_from_slice(body)).unwrap();
        for element in [2, 3, 7, 11, 32, 37, 41, 42, 49] {
            assert_eq!(answer.text(element), request.text(element), "DE {element}");
        }
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_lives_the_same_life_in_every_dialect() {
    for name in DIALECTS {
        let (daemon, mut stranger) = Stranger::connect(name).await;
        let api = daemon.api();
        let purchase = stranger.message("100", 1, 12_34, &[]);
        let answer = stranger.ask(&purchase, "110", "approved").await;
        assert_eq!(answer.text(38).map(|code| code.len()), Some(6), "{name}");
        assert_eq!(api.balance("A").await, ["100.00", "12.34", "87.66"], "{name}");
        let first = stranger.ask_body(&purchase).await;
        let repeat = stranger.message("101", 1, 12_34, &[]);
        assert_eq!(stranger.ask_body(&repeat).await, first, "{name}: byte for byte");
        let too_much = stranger.message("100", 2, 500_00, &[(37, "632519000002".into())]);
        stranger.ask(&too_much, "110", "insufficient_funds").await;

        let undo = stranger.message("420", 3, 12_34, &[stranger.original(1)]);
        stranger.ask(&undo, "430", "accepted").await;
        let again = stranger.message("421", 3, 12_34, &[stranger.original(1)]);
        stranger.ask(&again, "430", "accepted").await;
        assert_eq!(api.balance("A").await, ["100.00", "0.00", "100.00"], "{name}");

        let advice = stranger.message("120", 4, 20_00, &[(37, "632519000004".into())]);
        stranger.ask(&advice, "130", "accepted").await;
        assert_eq!(api.balance("A").await, ["100.00", "20.00", "80.00"], "{name}");

        let hold = stranger.message("100", 5, 30_00, &[(37, "632519000005".into())]);
        stranger.ask(&hold, "110", "approved").await;
        let clearing =
            stranger.message("220", 6, 31_00, &[(37, "632519000005".into()), stranger.original(5)]);
        stranger.ask(&clearing, "230", "accepted").await;
        assert_eq!(api.balance("A").await, ["69.00", "20.00", "49.00"], "{name}: paid, and its hold ended");
        let booked = stranger.message("200", 7, 9_00, &[(37, "632519000007".into())]);
        stranger.ask(&booked, "210", "approved").await;
        assert_eq!(api.balance("A").await, ["60.00", "20.00", "40.00"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_reversed_as_each_edition_says_it() {
    for name in DIALECTS {
        let (daemon, mut stranger) = Stranger::connect(name).await;
        let purchase = stranger.message("100", 1, 12_34, &[]);
        stranger.ask(&purchase, "110", "approved").await;
        let (amount, how) = if stranger.edition == '1' {
            (5_00, vec![(24, "401".into()), (30, format!("{:012}{:012}", 12_34, 0))])
        } else {
            (12_34, vec![(95, format!("{:012}{:030}", 5_00, 0))])
        };
        let how: Vec<_> = how.into_iter().chain([stranger.original(1)]).collect();
        let part = stranger.message("420", 2, amount, &how);
        stranger.ask(&part, "430", "accepted").await;
        assert_eq!(daemon.api().balance("A").await, ["100.00", "5.00", "95.00"], "{name}");
    }
}
