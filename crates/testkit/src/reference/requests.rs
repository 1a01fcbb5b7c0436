//! Requests and advices: repeats, every rule, the price, and the answer.

use super::questions::{is_question, with_useful_part};
use super::{Message, Model, Outcome, Transaction};
use authorizer::{Answer, Caller, FundingPath, TransactionState};
use domain::{
    Amounts, Asset, Authorization, Balance, CardNo, CardStatus, DutyKind, Failure, FundingMode, LimitLeft,
    LimitOwner, MessageClass, Moment, Money, Rate, Reason, RuleMode, Span, Timestamp, TransactionNo, Units,
};

/// What the list of past transactions says about a request's references.
enum Seen {
    Never,
    /// Answered, or being decided, as this transaction.
    As(usize),
    Refuse(Reason),
}

/// What a request costs: in the card's currency and in the account's asset, as far as the rates say.
pub(super) struct Price {
    card: Option<Money>,
    units: Option<i128>,
    rate: Option<Rate>,
    failure: Option<Reason>,
}

impl Price {
    /// The price of a question.
    pub(super) const fn nothing() -> Self {
        Self { card: None, units: None, rate: None, failure: None }
    }
}

impl Model {
    pub(super) fn authorize(
        &mut self,
        card: CardNo,
        request: Authorization,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        if !self.known_card(card, request.card) {
            let (reason, path) = (Reason::UnknownCard, FundingPath::Cache);
            let answer = Answer::Authorization {
                reason,
                approval_code: None,
                part: None,
                balances: None,
                limit: None,
                path,
            };
            out.answers.push((caller, answer));
            return;
        }
        let card = card.0;
        let request = with_useful_part(request);
        let is_advice = request.class == MessageClass::AuthorizationAdvice;
        let refused = match self.seen(card, &request, now.utc) {
            Seen::As(index) if is_advice && self.transactions[index].state == TransactionState::Asked => {
                return self.decided_by_the_network(index, &request, caller, now, out);
            }
            Seen::As(index) => return self.repeat(index, caller, out),
            Seen::Refuse(reason) => Some(reason),
            Seen::Never => None,
        };
        if is_question(&request) || (is_advice && !is_debit(&request)) {
            return self.question(card, request, refused, caller, now, out);
        }
        let price = self.price(card, &request, now.utc);
        let mut failures = self.broken_rules(card, &request, &price, now);
        failures.extend(refused.map(Failure::from));
        let amounts = price.card.zip(price.units).map(|(card, units)| Amounts { card, units: Units(units) });
        failures.extend(self.broken_program_rules(card, &request, amounts, now.utc));
        let failures = in_order_of_precedence(&failures);
        let passes = failures.iter().all(is_shadow);
        let open_asks =
            self.transactions.iter().filter(|found| found.state == TransactionState::Asked).count();
        let overloaded = self.duties.len() + open_asks >= self.policy.duties_per_shard_max;

        let mut new = self.new_transaction(card, request, now);
        new.rate = price.rate;
        match amounts {
            priced if is_advice => {
                // Acknowledged whatever it is; but money is held only for what is new and takes money.
                let takes = is_debit(&request) && request.amount.minor() > 0 && refused.is_none();
                let nothing =
                    Amounts { card: super::money(0, self.card(card).issued.currency), units: Units(0) };
                new.rate = new.rate.filter(|_| takes);
                new.failures = failures;
                self.take_advice(new, priced.filter(|_| takes).unwrap_or(nothing), caller, now, out);
            }
            Some(amounts) if passes && !self.is_jit(card) => {
                new.failures = failures;
                let answer = self.approval(new.number, Reason::Approved, None, card);
                (new.state, new.reason) = (TransactionState::Approved, Some(Reason::Approved));
                (new.owed, new.charged) = (Some(amounts), Some(amounts));
                self.transactions.push(new);
                out.answers.push((caller, answer));
            }
            Some(amounts) if passes && !overloaded => {
                new.failures = failures;
                out.asks.push((TransactionNo(new.number), amounts.units));
                (new.owed, new.charged) = (Some(amounts), Some(amounts));
                new.waiting.push(caller);
                self.transactions.push(new);
            }
            Some(amounts) if !passes && self.part(card, &request, amounts, &failures).is_some() => {
                let (amounts, part) = self.part(card, &request, amounts, &failures).expect("a part");
                new.failures = failures.into_iter().filter(is_shadow).collect();
                (new.state, new.reason) = (TransactionState::Approved, Some(Reason::ApprovedPartially));
                (new.owed, new.charged, new.part) = (Some(amounts), Some(amounts), Some(part));
                let answer = self.approval(new.number, Reason::ApprovedPartially, Some(part), card);
                self.transactions.push(new);
                out.answers.push((caller, answer));
            }
            Some(_) | None => {
                new.failures = failures;
                if passes {
                    new.failures.insert(0, Failure::from(Reason::FundingOverloaded));
                }
                new.reason = new.failures.first().map(|failure| failure.reason);
                (new.state, new.rate) = (TransactionState::Declined, None);
                let answer = self.approval(new.number, new.reason.expect("a reason"), None, card);
                let answer = with_limit(answer, &new.failures);
                self.transactions.push(new);
                out.answers.push((caller, answer));
            }
        }
    }

    /// Gives the first answer again, or lets the caller wait for it.
    fn repeat(&mut self, index: usize, caller: Caller, out: &mut Outcome) {
        let found = &mut self.transactions[index];
        if found.state == TransactionState::Asked {
            found.waiting.push(caller);
            return;
        }
        let (number, reason, part, card) = (found.number, found.reason, found.part, found.card);
        let failures = found.failures.clone();
        let answer = self.approval(number, reason.expect("what is decided has a reason"), part, card);
        let answer = with_limit(answer, &failures);
        out.answers.push((caller, answer));
    }

    fn take_advice(
        &mut self,
        mut new: Transaction,
        amounts: Amounts,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let (card, number) = (new.card, new.number);
        (new.state, new.reason) = (TransactionState::Approved, Some(Reason::Approved));
        (new.owed, new.charged) = (Some(amounts), Some(amounts));
        let Message::Asked(request) = new.message else { return };
        self.transactions.push(new);
        if self.is_jit(card) {
            self.book(card, super::BookingKind::Funded, amounts.units);
            if amounts.units.is_positive() {
                let kind = DutyKind::Advise { merchant: request.merchant.name };
                self.owe(kind, number, card, amounts.units, now, out);
            }
        }
        out.answers.push((caller, self.approval(number, Reason::Approved, None, card)));
    }

    /// The network approved what the service is still deciding. That is the end of the ask, in full (E10).
    fn decided_by_the_network(
        &mut self,
        index: usize,
        request: &Authorization,
        caller: Caller,
        now: Moment,
        out: &mut Outcome,
    ) {
        let found = &mut self.transactions[index];
        (found.state, found.reason) = (TransactionState::Approved, Some(Reason::Approved));
        found.waiting.push(caller);
        let (number, card, owed) = (found.number, found.card, found.owed.expect("an ask reserves"));
        self.book(card, super::BookingKind::Funded, owed.units);
        let kind = DutyKind::Advise { merchant: request.merchant.name };
        self.owe(kind, number, card, owed.units, now, out);
        self.answer_waiting(index, out);
    }

    /// Reads the whole list, oldest first, for the references of a request (E3, E6, E10).
    fn seen(&self, card: u32, request: &Authorization, now: Timestamp) -> Seen {
        let remembered = |found: &&Transaction| {
            found.card == card && found.message.stan() == request.stan && self.is_remembered(found, now)
        };
        let acquirer_agrees = |found: &Transaction| {
            found.message.acquirer().is_none_or(|acquirer| acquirer == request.acquirer)
        };
        let (mut other_amount, mut reversed) = (false, false);
        for (index, found) in self.transactions.iter().enumerate().filter(|(_, found)| remembered(found)) {
            if found.message.transmission() != Some(request.transmission) {
                continue;
            }
            let Message::Asked(earlier) = found.message else {
                reversed |= acquirer_agrees(found);
                continue;
            };
            if is_told_of(found, &earlier, request) {
                return Seen::As(index);
            }
            let same_references = earlier.class == request.class
                && earlier.acquirer == request.acquirer
                && earlier.rrn == request.rrn
                && earlier.processing_code == request.processing_code;
            if same_references && earlier.amount == request.amount {
                return Seen::As(index);
            }
            other_amount |= same_references;
        }
        reversed |= self.transactions.iter().filter(remembered).any(|found| {
            let rrn =
                found.message.rrn().is_none() || request.rrn.is_none() || found.message.rrn() == request.rrn;
            found.message.transmission().is_none() && acquirer_agrees(found) && rrn
        });
        if reversed {
            Seen::Refuse(Reason::PreviouslyReversed)
        } else if other_amount {
            Seen::Refuse(Reason::DuplicateWithOtherAmount)
        } else {
            Seen::Never
        }
    }

    /// Every rule that the request breaks, in no particular order.
    pub(super) fn broken_rules(
        &self,
        card: u32,
        request: &Authorization,
        price: &Price,
        now: Moment,
    ) -> Vec<Failure> {
        let issued = &self.card(card).issued;
        let (controls, merchant) = (&issued.controls, &request.merchant);
        let merchant_id = Some(merchant.id).filter(|id| !id.is_empty());
        let month_over = {
            let time = jiff::Timestamp::from_microsecond(now.utc.micros()).expect("a time of our times");
            let today = time.to_zoned(jiff::tz::TimeZone::UTC).date();
            (today.year(), today.month())
                > (issued.expiry.year().cast_signed(), issued.expiry.month().cast_signed())
        };
        let account = self.account_of(card);
        let balance: Balance = self.balance(account);
        let short = price.units.is_some_and(|units| balance.available().0 < units);
        let rules = [
            (issued.status == CardStatus::Closed, Reason::CardClosed),
            (issued.status == CardStatus::Frozen, Reason::CardFrozen),
            (issued.status == CardStatus::NotYetActive, Reason::CardNotYetActive),
            (month_over, Reason::CardExpired),
            (request.expiry.is_some_and(|expiry| expiry != issued.expiry), Reason::ExpiryMismatch),
            (!is_debit(request) && !is_question(request), Reason::TransactionTypeNotAllowed),
            (request.amount.minor() <= 0 && !is_question(request), Reason::InvalidAmount),
            (!controls.country.permits(merchant.country.as_ref()), Reason::CountryNotAllowed),
            (!controls.currency.permits(Some(&request.amount.currency())), Reason::CurrencyNotAllowed),
            (!controls.mcc.permits(merchant.mcc.as_ref()), Reason::MccNotAllowed),
            (!controls.merchant.permits(merchant_id.as_ref()), Reason::MerchantNotAllowed),
            (self.open_holds(card) >= self.policy.open_holds_per_card_max, Reason::TooManyHolds),
            (issued.funding == FundingMode::PreFunded && short, Reason::InsufficientFunds),
            (
                request.class == MessageClass::AuthorizationRequest && now.mono >= request.deadline,
                Reason::DeadlinePassed,
            ),
        ];
        let mut failures: Vec<Failure> =
            rules.iter().filter(|(broken, _)| *broken).map(|(_, reason)| (*reason).into()).collect();
        failures.extend(price.failure.map(Failure::from));
        if let Some(amount) = price.card {
            let minor = i128::from(amount.minor());
            failures.extend(self.broken_limits(LimitOwner::Card, card, minor, now.utc));
        }
        if let Some(units) = price.units {
            failures.extend(self.broken_limits(LimitOwner::Account, account, units, now.utc));
        }
        failures
    }

    /// Converts twice, rounding up each time: to the card's currency, and from there to the account's asset.
    /// A request needs fresh rates (E11); an advice takes the newest, and costs nothing where there is none.
    fn price(&self, card: u32, request: &Authorization, now: Timestamp) -> Price {
        let currency = self.card(card).issued.currency;
        let is_advice = request.class == MessageClass::AuthorizationAdvice;
        let mut price = Price { card: None, units: None, rate: None, failure: None };
        let convert = |amount: Money, to: Asset, price: &mut Price| -> Option<i128> {
            let from = Asset::of(amount.currency());
            let minor = i128::from(amount.minor());
            if from == to {
                return Some(minor);
            }
            let newest =
                self.rates.iter().rev().find(|rate| (rate.from, rate.to) == (from.code(), to.code()));
            let fresh = newest.filter(|rate| now.since(rate.as_of) <= rate.max_age);
            if fresh.is_none() {
                price.failure = Some(Reason::RateUnavailable);
            }
            match if is_advice { newest } else { fresh } {
                Some(rate) => {
                    price.rate = Some(*rate);
                    Some(rounded_up(minor, rate, from, to))
                }
                None if is_advice => Some(0),
                None => None,
            }
        };
        let billed = request.billing.filter(|billing| billing.currency() == currency && billing.minor() > 0);
        price.card = if request.amount.currency() == currency {
            Some(request.amount)
        } else if billed.is_some() {
            billed
        } else {
            let minor = convert(request.amount, Asset::of(currency), &mut price);
            minor.map(|minor| super::money(minor, currency))
        };
        let asset = self.asset_of(self.account_of(card));
        price.units = price.card.and_then(|amount| convert(amount, asset, &mut price));
        price
    }

    pub(super) fn new_transaction(&mut self, card: u32, request: Authorization, now: Moment) -> Transaction {
        Transaction {
            number: self.next_number(now),
            at: now.utc,
            ended_at: now.utc,
            card,
            message: Message::Asked(request),
            state: TransactionState::Asked,
            reason: None,
            failures: Vec::new(),
            charged: None,
            owed: None,
            part: None,
            told: None,
            rate: None,
            expires_at: now.utc.plus(self.hold_for(&request)),
            waiting: Vec::new(),
        }
    }
}

/// Whether an advice tells us of what we approved, or are deciding: by the amount asked, or by the part approved.
fn is_told_of(found: &Transaction, earlier: &Authorization, advice: &Authorization) -> bool {
    advice.class == MessageClass::AuthorizationAdvice
        && earlier.class == MessageClass::AuthorizationRequest
        && earlier.acquirer == advice.acquirer
        && (earlier.amount == advice.amount || found.part == Some(advice.amount))
        && (found.state == TransactionState::Asked || found.reason.is_some_and(Reason::is_approval))
}

/// Purchase, cash, purchase with cashback, quasi-cash, cash disbursement.
fn is_debit(request: &Authorization) -> bool {
    matches!(request.processing_code.0 / 10_000, 0 | 1 | 9 | 10 | 11 | 17 | 50..=59)
}

/// The exact quotient, and one more where it does not come out even: what a customer pays.
fn rounded_up(minor: i128, rate: &Rate, from: Asset, to: Asset) -> i128 {
    let dividend = minor * rate.value.mantissa() * 10_i128.pow(u32::from(to.decimals()));
    let divisor = 10_i128.pow(u32::from(from.decimals())) * 10_i128.pow(rate.value.scale());
    let quotient = dividend.div_euclid(divisor);
    if dividend.rem_euclid(divisor) == 0 { quotient } else { quotient + 1 }
}

/// A decline tells what was left of the limit that decided, if it is one of the card's or the account's own.
fn with_limit(answer: Answer, failures: &[Failure]) -> Answer {
    let Answer::Authorization { reason, approval_code, part, balances, limit: _, path } = answer else {
        return answer;
    };
    let deciding =
        failures.first().filter(|failure| failure.reason == reason).and_then(|failure| failure.limit);
    let limit = deciding.and_then(|broken| match broken.span {
        Span::Calendar(window) => {
            let left = (broken.max - broken.used).max(0);
            Some(LimitLeft { owner: broken.owner, window, measure: broken.measure, left })
        }
        Span::Trailing { .. } => None,
    });
    Answer::Authorization { reason, approval_code, part, balances, limit, path }
}

/// The same failures, step by step of the documented order.
pub(super) fn in_order_of_precedence(failures: &[Failure]) -> Vec<Failure> {
    let steps =
        [false, true].into_iter().flat_map(|shadow| Reason::ALL.iter().map(move |step| (shadow, step)));
    let of_step = |(shadow, step): (bool, &Reason)| {
        let found = failures.iter().filter(|failure| failure.reason == *step && is_shadow(failure) == shadow);
        found.copied().collect::<Vec<_>>()
    };
    steps.flat_map(of_step).collect()
}

/// Whether it only records what a rule would have done.
pub(super) fn is_shadow(failure: &Failure) -> bool {
    failure.rule.is_some_and(|breach| breach.mode == RuleMode::Shadow)
}
