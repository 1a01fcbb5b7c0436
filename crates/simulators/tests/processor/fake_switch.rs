//! A small switch in memory that keeps its promises, or breaks one of them on purpose.

use bytes::{Bytes, BytesMut};
use iso8583::{Dialect, Draft, FrameFormat, LengthHeader, Message, Mti};
use simulators::processor::{LinkTarget, Role, SimulatedCard};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the switch does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    None,
    /// Gives back another terminal.
    WrongEcho,
    /// Answers with 0810, whatever was asked.
    WrongType,
    NoResponseCode,
    NoApprovalCode,
    ApprovalCodeOnDeclines,
    /// Sends each answer twice.
    AnswersTwice,
    /// Decides a repeat afresh, with another approval code.
    DecidesRepeatsAfresh,
    ApprovesEverything,
    RefusesFollowUps,
    /// Sends bytes that are no message.
    Garbage,
    /// Leaves DE 11 out.
    NoStan,
    /// Takes every fifth message and says nothing.
    Silence,
    /// Answers only when this many messages wait.
    WaitsFor(usize),
    /// Takes this many messages, does what they say, and closes the first connection: the last [`UNANSWERED`] of them
    /// get no answer, however slowly they come.
    HangsUpAfter(usize),
    /// Refuses the sign-on.
    RefusesSignOn,
}

const UNANSWERED: usize = 20;

/// The switch's state, shared by its connections.
#[derive(Debug)]
struct State {
    fault: Fault,
    cards: HashMap<String, SimulatedCard>,
    answers: HashMap<(String, String), Bytes>,
    holds: HashMap<(String, String), (String, u64)>,
    /// What was reversed, before or after it came.
    reversed: HashSet<(String, String)>,
    messages: usize,
    approvals: u64,
    connections: usize,
}

/// The running switch.
pub(crate) struct FakeSwitch {
    addr: String,
    dialect: Dialect,
    state: Arc<Mutex<State>>,
}

pub(crate) const FRAME: FrameFormat =
    FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };

impl FakeSwitch {
    pub(crate) async fn start(dialect: &str, cards: &[SimulatedCard], fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let dialect = iso8583::shipped(dialect).unwrap().unwrap();
        let number = |card: &SimulatedCard| String::from_utf8(card.number.expose().to_vec()).unwrap();
        let state = Arc::new(Mutex::new(State {
            fault,
            cards: cards.iter().map(|card| (number(card), *card)).collect(),
            answers: HashMap::new(),
            holds: HashMap::new(),
            reversed: HashSet::new(),
            messages: 0,
            approvals: 0,
            connections: 0,
        }));
        let (shared, spoken) = (Arc::clone(&state), dialect.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, spoken.clone(), Arc::clone(&shared)));
            }
        });
        Self { addr, dialect, state }
    }

    pub(crate) fn link(&self) -> LinkTarget {
        LinkTarget::new(self.addr.clone(), self.dialect.clone(), FRAME)
    }

    /// What is held on each card: holds, and minor units of the card's currency.
    pub(crate) fn open_holds(&self) -> HashMap<String, (u64, i128)> {
        let state = self.state.lock().unwrap();
        let mut open: HashMap<String, (u64, i128)> = HashMap::new();
        for (number, minor) in state.holds.values() {
            let entry = open.entry(state.cards[number].id.to_string()).or_default();
            *entry = (entry.0 + 1, entry.1 + i128::from(*minor));
        }
        open
    }
}

async fn serve(mut stream: TcpStream, dialect: Dialect, state: Arc<Mutex<State>>) {
    stream.set_nodelay(true).unwrap();
    let (mut inbound, mut waiting) = (BytesMut::new(), Vec::new());
    while stream.read_buf(&mut inbound).await.is_ok_and(|read| read > 0) {
        let mut out = BytesMut::new();
        {
            let mut state = state.lock().unwrap();
            while let Some(body) = FRAME.split(&mut inbound).unwrap() {
                let message = dialect.decode(body).unwrap();
                state.messages += 1;
                let network = message.mti().digits() == *b"0800";
                let mut answers = state.answer(&dialect, &message);
                if state.hangs_up_within(0) {
                    return;
                }
                if state.hangs_up_within(UNANSWERED) {
                    answers.clear();
                }
                match state.fault {
                    Fault::WaitsFor(count) if !network => {
                        waiting.extend(answers);
                        if waiting.len() >= count {
                            waiting.drain(..).for_each(|answer| frame(&mut out, &answer));
                        }
                    }
                    _ => answers.iter().for_each(|answer| frame(&mut out, answer)),
                }
            }
        }
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

fn frame(out: &mut BytesMut, answer: &[u8]) {
    FRAME
        .write(out, |body| {
            body.extend_from_slice(answer);
            Ok(())
        })
        .unwrap();
}

impl State {
    fn hangs_up_within(&self, messages: usize) -> bool {
        let first = self.connections == 1;
        matches!(self.fault, Fault::HangsUpAfter(count) if first && self.messages + messages >= count)
    }

    fn answer(&mut self, dialect: &Dialect, message: &Message) -> Vec<Bytes> {
        let key = (message.text(11).unwrap().into_owned(), message.text(7).unwrap().into_owned());
        let network = message.mti().digits() == *b"0800";
        if let Some(answer) = self.answers.get(&key).filter(|_| self.fault != Fault::DecidesRepeatsAfresh) {
            return vec![answer.clone()];
        }
        let code = if network { self.network_code() } else { self.decide(message, &key) };
        let answer = self.encode(dialect, message, code, network);
        self.answers.insert(key, answer.clone());
        match self.fault {
            Fault::Silence if !network && self.messages.is_multiple_of(5) => vec![],
            Fault::AnswersTwice if !network => vec![answer.clone(), answer],
            Fault::Garbage if !network => vec![Bytes::from_static(b"not a message"), answer],
            _ => vec![answer],
        }
    }

    fn network_code(&self) -> &'static str {
        if self.fault == Fault::RefusesSignOn { "05" } else { "00" }
    }

    fn decide(&mut self, message: &Message, key: &(String, String)) -> &'static str {
        let number = message.text(2).unwrap().into_owned();
        let mti = message.mti().digits();
        if mti[1] == b'4' {
            let original = message.text(90).unwrap().into_owned();
            let original = (original[4..10].to_owned(), original[10..20].to_owned());
            self.holds.remove(&original);
            self.reversed.insert(original);
            return if self.fault == Fault::RefusesFollowUps { "05" } else { "00" };
        }
        let advice = mti[2] == b'2';
        if advice && self.fault == Fault::RefusesFollowUps {
            return "05";
        }
        let allowed = self.allows(message, &number) && !self.reversed.contains(key);
        if !advice && !allowed && self.fault != Fault::ApprovesEverything {
            return "05";
        }
        let minor = message.number(6).or(message.number(4)).unwrap();
        self.holds.insert(key.clone(), (number, minor));
        self.approvals += 1;
        "00"
    }

    fn allows(&self, message: &Message, number: &str) -> bool {
        let Some(card) = self.cards.get(number).filter(|card| card.role == Role::Good) else { return false };
        let expiry = u64::from(card.expiry.year() % 100) * 100 + u64::from(card.expiry.month());
        message.number(14) == Some(expiry)
            && message.number(3) == Some(0)
            && message.number(4) > Some(0)
            && message.text(49).as_deref() != Some("756")
    }

    fn encode(&self, dialect: &Dialect, message: &Message, code: &str, network: bool) -> Bytes {
        let mti = match self.fault {
            Fault::WrongType if !network => Mti::parse("0810").unwrap(),
            _ => message.mti().answer().unwrap(),
        };
        let mut draft = Draft::new(dialect, mti);
        for de in [2, 3, 4, 7, 11, 32, 37, 41, 42, 49, 70] {
            draft.echo(de, message);
        }
        draft.text(39, code);
        let request = matches!(message.mti().digits(), [b'0', b'1' | b'2', b'0', _]);
        if request && (code == "00" || self.fault == Fault::ApprovalCodeOnDeclines) {
            draft.text(38, &format!("{:06}", self.approvals % 1_000_000));
        }
        if !network {
            match self.fault {
                Fault::WrongEcho => draft.text(41, "ELSEWHER"),
                Fault::NoResponseCode => draft.remove(39),
                Fault::NoApprovalCode => draft.remove(38),
                Fault::NoStan => draft.remove(11),
                _ => &mut draft,
            };
        }
        let mut out = BytesMut::new();
        draft.encode_into(&mut out).unwrap();
        out.freeze()
    }
}
