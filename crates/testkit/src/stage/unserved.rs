//! Steps in which the balance service does not answer, tells a balance, or is not to be asked.

use super::{NEWEST, PAIRS, Stage, chosen, codes};
use crate::drafts::Draft;
use crate::endings::Ending;
use crate::finding::Finding;
use crate::standing_in::{Bound, Counted, PROGRAMS, Tell, Unserved};
use authorizer::{Change, Command, ServiceWord, TransactionState};
use domain::{
    AccountId, AccountNo, Approver, ProgramName, RuleAmount, Said, StandInMode, StandInOrder, Text,
    TransactionNo, Units,
};

impl Stage {
    pub(super) fn play_unserved(&mut self, step: &Unserved) -> Result<(), Finding> {
        match step {
            Unserved::Tell(account, tell) => self.tell(*account, *tell)?,
            Unserved::AnswerTells(any, tell, of_another, ending) => {
                self.answer_tells(*any, *tell, *of_another)?;
                self.end_ask(*any, *ending)?;
            }
            Unserved::Order(program, mode) => self.order(PROGRAMS[*program], *mode)?,
            Unserved::Pay(card, bound, more, failure) => {
                self.quote_if_old(*card)?;
                let minor = self.up_to(*card, *bound).filter(|minor| *minor > 0).unwrap_or(100) + more;
                self.send(&Draft::plain(*card, minor, self.next_plain()), |_| {})?;
                self.end_ask(NEWEST, Ending::NotAsked(*failure))?;
            }
            Unserved::AskBalance(card) => {
                self.send(&Draft::plain(*card, 0, self.next_plain()), |_| {})?;
            }
        }
        Ok(())
    }

    /// Where the rate of a JIT card has run out, it is quoted anew.
    fn quote_if_old(&mut self, card: u32) -> Result<(), Finding> {
        let from = if card == 5 { "EUR" } else { "USD" };
        let now = self.world.now().utc;
        let old: Vec<usize> = self
            .quoted()
            .into_iter()
            .filter(|pair| PAIRS[*pair].0 == from || PAIRS[*pair].1 == "USDT")
            .filter(|pair| {
                let (from, to) = codes(*pair);
                let rate = self.world.rates().latest(from, to);
                rate.is_none_or(|rate| now.since(rate.as_of) > rate.max_age)
            })
            .collect();
        old.into_iter().try_for_each(|pair| self.quote(pair, 1_000, None))
    }

    /// A number that no plain message has had.
    fn next_plain(&self) -> u64 {
        u64::try_from(self.sent.len()).expect("few messages")
    }

    pub(super) fn tell(&mut self, account: u32, tell: Tell) -> Result<(), Finding> {
        let known = self.promised_of(account);
        let counted = match tell.counted {
            Counted::None => Vec::new(),
            Counted::All => known,
            Counted::One(any) => chosen(&known, any).into_iter().collect(),
        };
        let (version, available) = self.told(account, tell);
        let account = AccountNo(account);
        self.change(Change::TellBalance { account, version, available, counted })
    }

    /// The version and the balance that are told of an account.
    fn told(&self, account: u32, tell: Tell) -> (u64, Units) {
        let last = self.world.account(account).told.map_or(10, |told| told.version);
        (last.saturating_add_signed(tell.newer), Units(i128::from(tell.hundredths) * 10_000))
    }

    fn answer_tells(&mut self, any: usize, tell: Tell, of_another: bool) -> Result<(), Finding> {
        let kept = self.world.kept();
        let asked = chosen(&self.asks, any).map(|(transaction, _)| transaction);
        let Some(transaction) = asked.filter(|transaction| kept.contains(transaction)) else { return Ok(()) };
        let account = if self.promised_of(3).contains(&transaction) { 3 } else { 2 };
        let said = Said {
            account: of_another.then(|| AccountId::new("A1").expect("a name")),
            text: Text::new(if any.is_multiple_of(3) { "as you wish" } else { "" }).expect("short"),
            ..Said::default()
        };
        let word = Box::new(ServiceWord { balance: Some(self.told(account, tell)), said });
        self.perform(Command::ServiceTold { transaction, word })
    }

    /// What was asked for or promised of an account so far.
    fn promised_of(&self, account: u32) -> Vec<TransactionNo> {
        let of_account = self.promised.iter().filter(|(of, _)| *of == account);
        of_account.map(|(_, transaction)| *transaction).collect()
    }

    fn order(&mut self, program: &str, mode: Option<StandInMode>) -> Result<(), Finding> {
        self.change(Change::OrderStandIn(StandInOrder {
            program: ProgramName::new(program).expect("short"),
            mode,
            operator: Text::new("desk").expect("short"),
            reason: Text::EMPTY,
            at: self.world.now().utc,
        }))
    }

    /// How many cents a JIT card may still pay by one of the bounds of its program, while its money is worth as much as the
    /// account's: it need not be exact, but most often it is.
    fn up_to(&self, card: u32, bound: Bound) -> Option<i64> {
        let account = if card == 5 { 3 } else { 2 };
        let view = self.world.account(account);
        let policy = self.world.policy();
        let program = policy.stand_in.program_of(&view.id)?;
        let named = |amounts: &[RuleAmount]| {
            let value = amounts.first()?.value;
            i64::try_from(value.mantissa() * 100).ok()
        };
        let cents = |units: Units| i64::try_from(units.0 / 10_000).expect("small");
        let model = self.world.model();
        match bound {
            Bound::Small => None,
            Bound::Transaction => named(&program.transaction_max),
            Bound::Card => {
                let stood_in = self.world.transactions(card).into_iter().filter(|view| {
                    view.by == Some(Approver::StandIn) && view.state == TransactionState::Approved
                });
                let today = stood_in.filter_map(|view| view.held).map(|held| held.card.minor());
                named(&program.card_max).map(|max| max - today.sum::<i64>())
            }
            Bound::Account => named(&program.account_max).map(|max| max - cents(view.outstanding)),
            Bound::Program => {
                let all = Units(model.outstanding(2).0 + model.outstanding(3).0);
                named(&program.exposure_max).map(|max| max - cents(all))
            }
            Bound::Funds => {
                let available = model.available_at_service(account)?.0 - model.asked_of(account, 0).0;
                let paid = available * 100 / (100 + i128::from(program.buffer_percent));
                Some(cents(Units(paid)))
            }
        }
    }
}
