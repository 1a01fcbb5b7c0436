//! What the processor will send: payments and everything that follows them, drawn before the world begins.

use crate::switch::{ACCOUNTS, acquirer, token};
use domain::{
    Arn, Authorization, CardStatus, ClearingData, Currency, Details, Mcc, Merchant, MessageClass, Money,
    Mono, OriginalReferences, PartialApproval, ProcessingCode, Reversal, Stan, Text, Transmission,
};
use rand::RngExt;
use rand::rngs::StdRng;
use std::time::Duration;

const PAYMENTS: u64 = 9;
const REFUND: u32 = 200_000;

/// One message of the plan.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// When, from the beginning.
    pub(crate) at: Duration,
    /// Whose account, and with that which shard.
    pub(crate) account: usize,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Message(Box<Authorization>),
    Reversal(Box<Reversal>),
    Status(CardStatus),
}

/// The plan of one world.
pub(crate) fn draw(random: &mut StdRng) -> Vec<Sent> {
    let mut plan = Draft { random, sent: Vec::new(), stan: 0 };
    for _ in 0..PAYMENTS {
        plan.payment();
    }
    if plan.luck(30) {
        plan.freeze();
    }
    plan.sent
}

struct Draft<'r> {
    random: &'r mut StdRng,
    sent: Vec<Sent>,
    stan: u64,
}

impl Draft<'_> {
    fn luck(&mut self, hundredths: u32) -> bool {
        self.random.random_range(0..100) < hundredths
    }

    fn after(&mut self, at: Duration, ms: std::ops::Range<u64>) -> Duration {
        at + Duration::from_micros(self.random.random_range(ms.start * 1_000..ms.end * 1_000))
    }

    fn send(&mut self, at: Duration, account: usize, request: Authorization) {
        self.sent.push(Sent { at, account, what: What::Message(Box::new(request)) });
    }

    /// A payment, and what becomes of it.
    fn payment(&mut self) {
        let at = self.after(Duration::ZERO, 0..2_000);
        let account = self.random.random_range(0..ACCOUNTS);
        let minor = self.random.random_range(1..900);
        let class = match self.random.random_range(0..10) {
            0 => MessageClass::AuthorizationAdvice,
            1 => MessageClass::FinancialRequest,
            _ => MessageClass::AuthorizationRequest,
        };
        let payment = self.message(account, class, minor);
        self.send(at, account, payment);
        if self.luck(20) {
            let again = self.after(at, 0..500);
            self.send(again, account, payment);
        }
        if self.luck(15) {
            let minor = self.random.random_range(1..300);
            let mut increment = self.following(&payment, MessageClass::AuthorizationRequest, minor);
            increment.details.incremental = true;
            let later = self.after(at, 50..900);
            self.send(later, account, increment);
        }
        if self.luck(35) {
            self.reversals(at, account, &payment);
        }
        if self.luck(45) {
            self.clearings(at, account, &payment);
        }
        if self.luck(20) {
            self.refund(at, account, &payment);
        }
    }

    fn reversals(&mut self, at: Duration, account: usize, payment: &Authorization) {
        let new_total = self.luck(35).then(|| {
            let left = self.random.random_range(1..=payment.amount.minor());
            Money::new(left, payment.amount.currency())
        });
        let reversal = reversal_of(payment, new_total);
        let mut at = self.after(at, 0..1_500);
        for _ in 0..self.random.random_range(1..3) {
            self.sent.push(Sent { at, account, what: What::Reversal(Box::new(reversal)) });
            at = self.after(at, 0..600);
        }
    }

    fn clearings(&mut self, at: Duration, account: usize, payment: &Authorization) {
        let (of, mut at) = (self.random.random_range(1..4_u8), self.after(at, 200..1_200));
        for sequence in 1..=of {
            let share = payment.amount.minor() / i64::from(of);
            // Sometimes more than was approved, sometimes less.
            let minor = (share + self.random.random_range(-20..40)).max(1);
            let mut clearing = self.following(payment, MessageClass::Clearing, minor);
            let arn = format!("{:023}", clearing.stan.number());
            clearing.details.clearing = Some(ClearingData {
                arn: Some(Arn::new(&arn).unwrap()),
                sequence,
                of: if self.random.random_bool(0.5) { of } else { 0 },
                is_final: self.random.random_bool(0.3),
            });
            self.send(at, account, clearing);
            if self.luck(20) {
                let again = self.after(at, 0..700);
                self.send(again, account, clearing);
            }
            if self.luck(10) {
                let undone = self.after(at, 100..700);
                let reversal = reversal_of(&clearing, None);
                self.sent.push(Sent { at: undone, account, what: What::Reversal(Box::new(reversal)) });
            }
            at = self.after(at, 0..400);
        }
    }

    fn refund(&mut self, at: Duration, account: usize, payment: &Authorization) {
        let minor = if self.luck(50) { payment.amount.minor() } else { self.random.random_range(1..300) };
        let class = if self.luck(50) { MessageClass::Clearing } else { MessageClass::FinancialRequest };
        let mut refund = self.following(payment, class, minor);
        refund.processing_code = ProcessingCode(REFUND);
        let at = self.after(at, 900..2_000);
        self.send(at, account, refund);
        if self.luck(30) {
            let undone = self.after(at, 0..700);
            let reversal = reversal_of(&refund, None);
            self.sent.push(Sent { at: undone, account, what: What::Reversal(Box::new(reversal)) });
        }
    }

    fn freeze(&mut self) {
        let (at, account) = (self.after(Duration::ZERO, 0..2_000), self.random.random_range(0..ACCOUNTS));
        self.sent.push(Sent { at, account, what: What::Status(CardStatus::Frozen) });
        let at = self.after(at, 50..800);
        self.sent.push(Sent { at, account, what: What::Status(CardStatus::Active) });
    }

    fn message(&mut self, account: usize, class: MessageClass, minor: i64) -> Authorization {
        self.stan += 1;
        let mcc = if self.random.random_bool(0.5) { 7011 } else { 5411 };
        Authorization {
            class,
            card: token(account),
            processing_code: ProcessingCode(0),
            amount: Money::new(minor, Currency::from_alpha("USD").unwrap()),
            billing: None,
            transmission: Transmission::new(1_120_184_500 + self.stan % 60).unwrap(),
            stan: Stan::new(self.stan).unwrap(),
            acquirer: acquirer(),
            rrn: None,
            entry_mode: None,
            merchant: Merchant {
                id: Text::new("MERCHANT0000001").unwrap(),
                name: Text::new("HOTEL").unwrap(),
                mcc: Some(Mcc(mcc)),
                ..Merchant::default()
            },
            partial: if self.random.random_bool(0.5) {
                PartialApproval::Supported
            } else {
                PartialApproval::NotSupported
            },
            details: Details::default(),
            expiry: None,
            deadline: Mono::default(),
        }
    }

    /// A message of its own that names `payment` as its original.
    fn following(&mut self, payment: &Authorization, class: MessageClass, minor: i64) -> Authorization {
        self.stan += 1;
        let original = OriginalReferences {
            stan: Some(payment.stan),
            transmission: Some(payment.transmission),
            acquirer: Some(payment.acquirer),
            ..OriginalReferences::default()
        };
        Authorization {
            class,
            amount: Money::new(minor, payment.amount.currency()),
            stan: Stan::new(self.stan).unwrap(),
            transmission: Transmission::new(1_120_184_500 + self.stan % 60).unwrap(),
            details: Details { original: Some(original), ..Details::default() },
            ..*payment
        }
    }
}

pub(crate) const fn reversal_of(request: &Authorization, new_total: Option<Money>) -> Reversal {
    Reversal {
        card: request.card,
        stan: request.stan,
        transmission: Some(request.transmission),
        acquirer: Some(request.acquirer),
        rrn: None,
        amount: Some(request.amount),
        new_total,
        network_reference: None,
        approval_code: None,
        original_class: Some(request.class),
    }
}
