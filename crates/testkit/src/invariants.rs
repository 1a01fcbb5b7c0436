//! What holds after every step, whatever the history: promises P1 to P6, checked from the outside.
//!
//! Each check says in its name what must hold. They read the shard through its views only, as the control
//! API and the books do, and they do not know how the decision core works.

use crate::finding::{Finding, same};
use crate::reference::Model;
use authorizer::{
    AccountView, Answer, Caller, CardView, Inquiry, Reply, Shard, TransactionState, TransactionView,
};
use domain::{
    AccountNo, Authorization, CardNo, Fact, FundingMode, MessageClass, Mono, Timestamp, TransactionNo, Units,
};
use std::collections::{BTreeMap, BTreeSet};

/// Who asked, who was answered, and what became of every ask: each exactly once.
#[derive(Debug, Default)]
pub struct Ledger {
    unanswered: BTreeSet<Caller>,
    answered: BTreeSet<Caller>,
    asks: BTreeMap<TransactionNo, Ended>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    NotYet,
    Once,
}

impl Ledger {
    /// Somebody asked.
    pub(crate) fn asked(&mut self, caller: Caller) -> Result<(), Finding> {
        if self.unanswered.insert(caller) { Ok(()) } else { Err(Finding(format!("{caller:?} asked twice"))) }
    }

    /// Somebody was answered.
    pub(crate) fn answered(&mut self, caller: Caller, answer: &Answer) -> Result<(), Finding> {
        if !self.unanswered.remove(&caller) || !self.answered.insert(caller) {
            return Err(Finding(format!("{caller:?} was answered without asking, or twice: {answer:?}")));
        }
        Ok(())
    }

    /// A fact was recorded. Exactly one transition leads out of an ask (P6).
    pub(crate) fn fact(&mut self, fact: &Fact) -> Result<(), Finding> {
        if fact.moves_nothing() {
            return Ok(());
        }
        // No other fact makes an ask or ends one.
        if let Fact::Asked { transaction, .. } = fact {
            self.asks.insert(*transaction, Ended::NotYet);
        } else if let Fact::AskApproved { transaction, .. } | Fact::AskDeclined { transaction, .. } = fact {
            if self.asks.insert(*transaction, Ended::Once) != Some(Ended::NotYet) {
                return Err(Finding(format!("an ask ended twice, or was never made: {fact:?}")));
            }
        } else if let Fact::Reversed { transaction, .. } = fact
            && let Some(ended) = self.asks.get_mut(transaction)
        {
            *ended = Ended::Once;
        }
        Ok(())
    }

    /// The process died: whoever waited gets no answer from it.
    pub(crate) fn crash(&mut self) {
        self.unanswered.clear();
    }

    /// Everyone was answered, except for those who wait for an open ask.
    pub(crate) fn all_answered_but(&self, waiting: &[Caller]) -> Result<(), Finding> {
        let forgotten: Vec<_> = self.unanswered.iter().filter(|caller| !waiting.contains(caller)).collect();
        same("callers that were never answered", &forgotten, &Vec::new())
    }
}

/// `available = ledger - held`, always.
pub(crate) fn available_is_ledger_less_held(account: &AccountView) -> Result<(), Finding> {
    let balance = account.balance;
    let expected = Units(balance.ledger.0 - balance.held.0);
    same(&format!("available of {}", account.id), &balance.available(), &expected)
}

/// A request on a pre-funded card never leaves less than nothing (P3). Advices may: the network has decided.
pub(crate) fn no_request_overspends(fact: &Fact, shard: &Shard, now: Timestamp) -> Result<(), Finding> {
    let Fact::Approved { card: number, request, .. } = fact else { return Ok(()) };
    let card = card(shard, number.0, now);
    if request.class != MessageClass::AuthorizationRequest || card.funding != FundingMode::PreFunded {
        return Ok(());
    }
    let overdrawn = (0..)
        .map_while(|number| try_account(shard, number, now))
        .find(|account| account.id == card.account && account.balance.available() < Units::ZERO);
    match overdrawn {
        Some(account) => {
            Err(Finding(format!("{} was overspent: {:?} after {fact:?}", account.id, account.balance)))
        }
        None => Ok(()),
    }
}

/// The bytes of a fact in the journal. It comes back from them as it went in; only the deadline and the expiry that a terminal
/// read are left out, by design.
pub(crate) fn journaled(fact: &Fact) -> Result<Vec<u8>, Finding> {
    let mut bytes = Vec::new();
    journal::payload::encode(fact, &mut bytes).map_err(|error| Finding(error.to_string()))?;
    let decoded: Fact = journal::payload::decode(journal::payload::PAYLOAD_VERSION, &bytes)
        .map_err(|error| Finding(format!("{error} of {fact:?}")))?;
    same("a fact after the journal", &decoded, &as_journaled(fact.clone()))?;
    Ok(bytes)
}

fn as_journaled(mut fact: Fact) -> Fact {
    let strip = |request: &mut Authorization| {
        (request.expiry, request.deadline) = (None, Mono::default());
    };
    if let Fact::Approved { request, .. }
    | Fact::Declined { request, .. }
    | Fact::Asked { request, .. }
    | Fact::Answered { request, .. }
    | Fact::HoldChanged { request, .. }
    | Fact::DeclineAdvised { request, .. }
    | Fact::Cleared { request: Some(request), .. }
    | Fact::Refunded { request, .. } = &mut fact
    {
        strip(request);
    }
    fact
}

/// What is held is the sum over the open transactions; no hold lacks a record; the ledger is what was credited,
/// less debited, plus funded, less returned, less paid to merchants, plus refunded (P4).
pub(crate) fn books_add_up(shard: &Shard, model: &Model, now: Timestamp) -> Result<(), Finding> {
    let mut held = BTreeMap::new();
    for number in 0..model.cards() {
        let card = card(shard, number, now);
        let transactions = transactions(shard, number, now);
        let open = transactions.iter().filter(|found| found.state.is_open());
        let open_holds = u32::try_from(open.count()).unwrap_or(u32::MAX);
        same(&format!("open transactions of {}", card.id), &open_holds, &card.open_holds)?;
        for found in transactions.iter().filter(|found| found.state == TransactionState::Approved) {
            let units = found.held.map_or(0, |held| held.units.0);
            *held.entry(card.account).or_insert(0) += units;
        }
        let stray = transactions.iter().find(|found| !found.state.is_open() && found.held.is_some());
        same(&format!("a finished transaction of {} that holds money", card.id), &stray, &None)?;
    }
    for number in 0..model.accounts() {
        let account = account(shard, number, now);
        let sum = held.get(&account.id).copied().unwrap_or(0);
        same(&format!("held of {} as the sum of its holds", account.id), &account.balance.held.0, &sum)?;
    }
    for (asset, totals) in shard.totals() {
        let inward = totals.credited.0 + totals.funded.0 + totals.refunded.0;
        let outward = totals.debited.0 + totals.returned.0 + totals.settled.0;
        same(&format!("ledger of all {asset} accounts"), &totals.ledger.0, &(inward - outward))?;
    }
    Ok(())
}

/// What has moved in each asset is what the model says.
pub(crate) fn flows_are_the_models(shard: &Shard, model: &Model) -> Result<(), Finding> {
    for (asset, totals) in shard.totals() {
        let flows = [
            totals.credited.0,
            totals.debited.0,
            totals.funded.0,
            totals.returned.0,
            totals.settled.0,
            totals.refunded.0,
        ];
        same(&format!("flows of {asset}"), &flows, &model.flows(asset))?;
    }
    Ok(())
}

/// Two shards show the same to everyone: accounts, cards, transactions, totals.
pub(crate) fn same_state(
    what: &str,
    found: &Shard,
    expected: &Shard,
    model: &Model,
    now: Timestamp,
) -> Result<(), Finding> {
    for number in 0..model.accounts() {
        let (found, expected) = (account(found, number, now), account(expected, number, now));
        same(&format!("{what}: {}", expected.id), &found, &expected)?;
    }
    for number in 0..model.cards() {
        let (one, other) = (card(found, number, now), card(expected, number, now));
        same(&format!("{what}: {}", other.id), &one, &other)?;
        let (one, other) = (transactions(found, number, now), transactions(expected, number, now));
        same(&format!("{what}: transactions of card {number}"), &one, &other)?;
    }
    same(&format!("{what}: totals"), &found.totals(), &expected.totals())?;
    same(&format!("{what}: duties"), &found.duties_pending(), &expected.duties_pending())?;
    same(&format!("{what}: transactions"), &found.transactions(), &expected.transactions())
}

/// An account that must exist.
pub(crate) fn account(shard: &Shard, number: u32, now: Timestamp) -> AccountView {
    try_account(shard, number, now).expect("an account that the world has opened")
}

fn try_account(shard: &Shard, number: u32, now: Timestamp) -> Option<AccountView> {
    let Reply::Account(view) = shard.inquire(Inquiry::Account(AccountNo(number)), now) else { return None };
    Some(view)
}

/// A card that must exist.
pub(crate) fn card(shard: &Shard, number: u32, now: Timestamp) -> CardView {
    let Reply::Card(view) = shard.inquire(Inquiry::Card(CardNo(number)), now) else {
        panic!("card {number} was issued and is not known");
    };
    view
}

/// The transactions of a card that must exist, newest first.
pub(crate) fn transactions(shard: &Shard, number: u32, now: Timestamp) -> Vec<TransactionView> {
    let inquiry = Inquiry::TransactionsOf { card: CardNo(number), count_max: usize::MAX };
    let Reply::Transactions(views) = shard.inquire(inquiry, now) else {
        panic!("card {number} was issued and its transactions are not known");
    };
    views
}
