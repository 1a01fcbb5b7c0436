//! The processor: sends its plan, sees answers, and reverses some of what it got no answer to.

use crate::plan::{What, reversal_of};
use crate::switch::{WRITE_MARGIN, Waiting};
use crate::world::{Event, World};
use authorizer::{Answer, Caller, Change, Command};
use domain::{Authorization, CardNo, Reversal, Stan};
use rand::RngExt;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the processor has seen.
#[derive(Default)]
pub(crate) struct Processor {
    /// Requests that have no answer yet.
    unanswered: BTreeMap<u64, Waiting>,
    /// Requests that it knows to be approved.
    pub(crate) approved: BTreeSet<(usize, Stan)>,
    /// Requests that it has sent, and those that it has sent again.
    sent: BTreeSet<(usize, Stan)>,
    pub(crate) repeated: BTreeSet<(usize, Stan)>,
    /// Requests that it was told of in time that there is no answer.
    pub(crate) refused: BTreeSet<(usize, Stan)>,
}

impl World {
    pub(crate) fn processor_sends(&mut self, place: usize) {
        let sent = self.plan[place].clone();
        match sent.what {
            What::Message(request) => self.send_request(sent.account, *request),
            What::Reversal(reversal) => self.send_reversal(sent.account, *reversal),
            What::Status(status) if self.switch.is_up() => {
                let change = Box::new(Change::SetCardStatus { card: CardNo(0), status });
                let caller = Caller(self.number());
                self.decide(sent.account, Command::Change { change, caller });
            }
            What::Status(_) => {}
        }
    }

    fn send_request(&mut self, account: usize, mut request: Authorization) {
        let patience = Duration::from_micros(self.random.random_range(80_000..600_000));
        request.deadline = self.now.mono.plus(patience);
        let caller = self.number();
        let waiting = Waiting { account, request: Some(request) };
        if request.class.is_request() {
            self.processor.unanswered.insert(caller, waiting);
            if !self.processor.sent.insert((account, request.stan)) {
                self.processor.repeated.insert((account, request.stan));
            }
            self.at(request.deadline.minus(WRITE_MARGIN), Event::CallerOutOfTime(caller));
            if self.random.random_bool(0.7) {
                let wait = Duration::from_millis(self.random.random_range(1..500));
                self.at(request.deadline.plus(wait), Event::NoAnswerCame(caller));
            }
        }
        let command = Command::Authorize { card: CardNo(0), request, caller: Caller(caller) };
        self.reaches_the_switch(caller, waiting, command);
    }

    fn send_reversal(&mut self, account: usize, reversal: Reversal) {
        let caller = self.number();
        let command = Command::Reverse { card: CardNo(0), reversal, caller: Caller(caller) };
        self.reaches_the_switch(caller, Waiting { account, request: None }, command);
    }

    fn reaches_the_switch(&mut self, caller: u64, waiting: Waiting, command: Command) {
        // Else the connection is refused.
        if self.switch.is_up() {
            self.switch.await_answer(caller, waiting);
            self.decide(waiting.account, command);
        }
    }

    /// The processor reverses a request that it got no answer to at all.
    pub(crate) fn no_answer_came(&mut self, caller: u64) {
        let Some(Waiting { account, request: Some(request) }) = self.processor.unanswered.remove(&caller)
        else {
            return;
        };
        self.send_reversal(account, reversal_of(&request, None));
    }

    /// The switch has told the processor that there is no answer in time.
    pub(crate) fn processor_is_refused(&mut self, caller: u64) {
        if let Some(Waiting { account, request: Some(request) }) = self.processor.unanswered.remove(&caller) {
            self.processor.refused.insert((account, request.stan));
        }
    }

    /// An answer has reached the processor.
    pub(crate) fn processor_sees(&mut self, caller: u64, waiting: Waiting, answer: Answer) {
        let (Answer::Authorization { reason, .. }, Some(request)) = (answer, waiting.request) else { return };
        if !request.class.is_request() {
            return;
        }
        self.processor.unanswered.remove(&caller);
        if self.now.mono > request.deadline {
            self.complain(format!("request {} was answered after its deadline", request.stan));
        }
        if reason.is_approval() {
            self.tally.approvals += 1;
            self.processor.approved.insert((waiting.account, request.stan));
        }
    }
}
