//! The network between switch and service, and the service as a process that crashes and comes back.

use crate::planted::Planted;
use crate::switch::{ACCOUNTS, account_id, asset};
use crate::world::{Event, World};
use domain::{TransactionId, Units};
use funding::DutyKey;
use funding::contract::{ASKS_PATH, Message};
use rand::RngExt;
use serde_json::{Value, json};
use simulators::balance_service::{Books, Opening};

/// Whose answer this is: the switch's process by its number, and what was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply {
    Ask(u64, TransactionId),
    /// With the number of the attempt.
    Duty(u64, DutyKey, u64),
}

/// What the switch hears about a message that it sent.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Body(Vec<u8>),
    /// A status that is no answer.
    Error,
    /// The connection broke; the message may have arrived.
    Broken,
    /// There was no connection; nothing was sent.
    Refused,
    /// Its time is over.
    Nothing,
}

/// The service. What it has answered is on its own disk.
pub(crate) struct Service {
    books: Books,
    /// An older state of the books: for the planted bug alone.
    kept: Books,
    life: u64,
    up: bool,
}

impl Service {
    pub(crate) fn new() -> Self {
        let openings = (0..ACCOUNTS).map(|account| Opening {
            account: account_id(account),
            asset: asset().code(),
            units: Units(14_000_000),
        });
        let books = Books::with(openings);
        Self { kept: books.clone(), books, life: 0, up: true }
    }

    pub(crate) const fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) const fn start(&mut self) {
        self.up = true;
    }

    pub(crate) fn keep(&mut self) {
        self.kept = self.books.clone();
    }
}

impl World {
    pub(crate) fn send(&mut self, message: Message, reply: Reply) {
        if !self.service.up || self.luck(4) {
            self.later(0..2, Event::AtSwitch(reply, Heard::Refused));
            return;
        }
        if self.luck(10) {
            // Lost on the way; the sender hears of it, or does not.
            if self.random.random_bool(0.5) {
                self.later(0..20, Event::AtSwitch(reply, Heard::Broken));
            }
            return;
        }
        if self.luck(10) {
            // Something in between sends it again, much later.
            let again =
                if self.planted == Planted::RepeatIsAnotherAsk { renamed(&message) } else { message.clone() };
            self.later(0..2_000, Event::AtService(again, None));
        }
        let slow = self.luck(20);
        let reply = if self.luck(5) {
            // The connection breaks behind the message.
            self.later(0..5, Event::AtSwitch(reply, Heard::Broken));
            None
        } else {
            Some(reply)
        };
        self.later(if slow { 0..900 } else { 0..5 }, Event::AtService(message, reply));
    }

    pub(crate) fn at_service(&mut self, message: Message, reply: Option<Reply>) {
        if !self.service.up {
            if let Some(reply) = reply {
                self.later(0..2, Event::AtSwitch(reply, Heard::Broken));
            }
            return;
        }
        let hangs = self.luck(10);
        let life = self.service.life;
        self.later(if hangs { 0..700 } else { 0..4 }, Event::ServiceDone(life, message, reply));
    }

    /// The service has the message on its disk, unless it crashed before.
    pub(crate) fn service_done(&mut self, life: u64, message: &Message, reply: Option<Reply>) {
        if life != self.service.life {
            if let Some(reply) = reply.filter(|_| self.random.random_bool(0.5)) {
                self.later(0..2, Event::AtSwitch(reply, Heard::Broken));
            }
            return;
        }
        let body = match self.service.books.take(message.path, &message.body) {
            Ok(body) => body,
            Err(error) => return self.complain(format!("the service cannot read {}: {error}", message.id)),
        };
        self.tell(|_| {
            let (sent, answered) = (String::from_utf8_lossy(&message.body), String::from_utf8_lossy(&body));
            format!("service takes {} {sent} and says {answered}", message.path)
        });
        let Some(reply) = reply else { return };
        let heard = if self.luck(8) {
            Heard::Broken
        } else if self.luck(6) {
            Heard::Error
        } else if matches!(reply, Reply::Ask(..)) && self.luck(10) {
            Heard::Body(self.nonsense(&body))
        } else {
            Heard::Body(body)
        };
        let slow = self.luck(20);
        self.later(if slow { 0..900 } else { 0..5 }, Event::AtSwitch(reply, heard));
    }

    /// An answer that is not one.
    fn nonsense(&mut self, body: &[u8]) -> Vec<u8> {
        let mut answer: Value = serde_json::from_slice(body).unwrap();
        match self.random.random_range(0..5) {
            0 => return body[..body.len() / 2].to_vec(),
            1 => answer["ask_id"] = json!("tx-200-0000000000000000"),
            2 => answer["units"] = json!(12.5),
            3 => {
                answer =
                    json!({ "ask_id": answer["ask_id"], "decision": "approve", "units": "99999999999999" })
            }
            _ => answer["decision"] = json!("perhaps"),
        }
        answer.to_string().into_bytes()
    }

    pub(crate) fn service_crashes(&mut self) {
        if !self.service.up {
            return;
        }
        self.tally.service_crashes += 1;
        self.tell(|_| "the service crashes".to_owned());
        (self.service.life, self.service.up) = (self.service.life + 1, false);
        if self.planted == Planted::ServiceForgets {
            self.service.books = self.service.kept.clone();
        }
        self.later(20..400, Event::ServiceStarts);
    }
}

/// The same ask under another name.
fn renamed(message: &Message) -> Message {
    if message.path != ASKS_PATH {
        return message.clone();
    }
    let text = String::from_utf8(message.body.clone()).unwrap();
    Message { body: text.replace("\"tx-00", "\"tx-10").into_bytes(), ..message.clone() }
}
