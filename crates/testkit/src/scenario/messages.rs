//! The lines of a story that are messages: requests, advices, reversals, and what the balance service says.

use super::{Story, life, rules, token};
use crate::finding::Finding;
use crate::script::Line;
use authorizer::{AnswerLoss, Command, References};
use domain::{
    AcquirerId, Asset, Authorization, CardNo, CountryCode, Currency, Expiry, FundingFailure, FundingOutcome,
    Mcc, Merchant, MessageClass, Money, PartialApproval, ProcessingCode, Reversal, Rrn, Stan, Text,
    Timestamp, Transmission,
};
use std::time::Duration;

/// What may follow the trace number of a request.
const DETAILS: &str = "partial, refund, cash, type quasi_cash, cashback 10.00 USD, balances, preauth, estimated, final, \
     incremental, verification, declined 05, original 000001, approval-of 000001, network TX1, arn 7412, part 1 of 3, mcc 5411, country 840, merchant M1, rrn 632518000123, acquirer 9, \
     expiry 2029-12, within 2s, ecommerce, by-merchant, entry 051, score 931, cvv2 no_match, avs match, \
     3ds authenticated, cavv invalid, pin wrong, cryptogram valid";

impl Story {
    /// `0100 C1 25.00 USD stan 000123 partial mcc 5812`
    pub(super) fn send(&mut self, verb: &str, line: &mut Line<'_>) -> Result<(), Finding> {
        let (card, _) = self.card(line)?;
        let (amount, stan) = amount_and_stan(line)?;
        let mut request = Authorization {
            class: match verb {
                "0120" | "0121" => MessageClass::AuthorizationAdvice,
                "0200" | "0201" => MessageClass::FinancialRequest,
                "0220" | "0221" => MessageClass::FinancialAdvice,
                "clearing" => MessageClass::Clearing,
                _ => MessageClass::AuthorizationRequest,
            },
            card: token(card),
            processing_code: ProcessingCode(0),
            amount,
            billing: None,
            transmission: self.transmission(card, stan),
            stan,
            acquirer: AcquirerId::new(476_135).expect("an acquirer"),
            rrn: None,
            entry_mode: None,
            merchant: Merchant {
                mcc: Some(Mcc(5411)),
                country: Some(CountryCode(840)),
                ..Merchant::default()
            },
            partial: PartialApproval::NotSupported,
            details: domain::Details::default(),
            expiry: None,
            deadline: self.world.now().mono.plus(Duration::from_secs(2)),
        };
        let mut declined = None;
        while let Some(word) = line.optional() {
            if word == "declined" {
                let code = line.read("the network's response code", |word| Text::new(word).ok())?;
                declined = Some(code);
            } else {
                self.detail(word, &mut request, line)?;
            }
        }
        self.requests.insert(stan, (card, request));
        let caller = self.world.caller();
        self.callers.insert(caller, stan);
        let card = CardNo(card);
        self.perform(match declined {
            None => Command::Authorize { card, request, caller },
            Some(code) => Command::NoteDecline { card, request, code, caller },
        })
    }

    /// `undelivered 000001`, `withheld 000001`: the answer did not reach the processor.
    pub(super) fn lose(&mut self, loss: AnswerLoss, line: &mut Line<'_>) -> Result<(), Finding> {
        let stan = stan_word(line)?;
        line.end()?;
        let sent = self.requests.get(&stan);
        let (card, request) = sent.ok_or_else(|| line.finding(&format!("nothing was sent under {stan}")))?;
        let (card, references) = (CardNo(*card), References::of(request));
        self.perform(Command::AnswerLost { card, references, loss })
    }

    fn detail(&self, word: &str, request: &mut Authorization, line: &mut Line<'_>) -> Result<(), Finding> {
        match word {
            "partial" => request.partial = PartialApproval::Supported,
            "mcc" => {
                request.merchant.mcc = Some(line.read("four digits", |word| word.parse().ok().map(Mcc))?)
            }
            "country" => {
                let country =
                    line.read("a numeric ISO 3166 code", |word| word.parse().ok().map(CountryCode))?;
                request.merchant.country = Some(country);
            }
            "merchant" => request.merchant.id = line.read("up to 15 bytes", |word| Text::new(word).ok())?,
            "rrn" => request.rrn = Some(line.read("up to 12 characters", |word| Rrn::new(word).ok())?),
            "acquirer" => {
                request.acquirer = line.read("up to eleven digits", |word| {
                    word.parse().ok().and_then(|id| AcquirerId::new(id).ok())
                })?;
            }
            "expiry" => {
                let expiry = line.read("a month such as 2029-12", |word| Expiry::parse(word).ok())?;
                request.expiry = Some(expiry);
            }
            "within" => request.deadline = self.world.now().mono.plus(line.duration()?),
            found if life::detail(self, found, request, line)? => {}
            found if rules::detail(found, request, line)? => {}
            found => return Err(line.unexpected(Some(found), DETAILS)),
        }
        Ok(())
    }

    /// `0420 C1 stan 000123`, with `without time` for an original data element that has zeros there.
    pub(super) fn reverse(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let (card, _) = self.card(line)?;
        let stan = stan(line)?;
        let mut transmission = Some(self.transmission(card, stan));
        let mut new_total = None;
        while let Some(word) = line.optional() {
            match word {
                "without" => {
                    line.keyword("time")?;
                    transmission = None;
                }
                "total" => new_total = Some(money(line)?),
                found => return Err(line.unexpected(Some(found), "without time, or total 20.00 USD")),
            }
        }
        let acquirer = AcquirerId::new(476_135).ok();
        let reversal = Reversal {
            card: token(card),
            stan,
            transmission,
            acquirer,
            rrn: None,
            amount: None,
            new_total,
            network_reference: None,
            approval_code: None,
            original_class: None,
        };
        let caller = self.world.caller();
        self.callers.insert(caller, stan);
        self.perform(Command::Reverse { card: CardNo(card), reversal, caller })
    }

    /// `funding 25.00 USD for 000123`, `funding declined for 000123`, `funding timed_out for 000123`.
    pub(super) fn funding(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let allowed = "an amount and its asset, declined, unreachable, breaker_open, timed_out, reset, http_error or malformed";
        let outcome = match line.word(allowed)? {
            "declined" => FundingOutcome::Declined { code: Text::EMPTY },
            "unreachable" => FundingOutcome::NotAsked(FundingFailure::Refused),
            "breaker_open" => FundingOutcome::NotAsked(FundingFailure::BreakerOpen),
            "timed_out" => FundingOutcome::Unknown(FundingFailure::TimedOut),
            "reset" => FundingOutcome::Unknown(FundingFailure::Reset),
            "http_error" => FundingOutcome::Unknown(FundingFailure::HttpError),
            "malformed" => FundingOutcome::Unknown(FundingFailure::Malformed),
            amount => {
                let code = line.word("the asset of the amount")?;
                let mut assets = self.accounts.values().map(|(_, asset)| *asset);
                let asset = assets.find(|asset| asset.code().as_str() == code);
                let asset: Asset =
                    asset.ok_or_else(|| line.unexpected(Some(code), "an asset of this story"))?;
                let units = asset.parse(amount).map_err(|_| line.unexpected(Some(amount), allowed))?;
                FundingOutcome::Approved { units }
            }
        };
        line.keyword("for")?;
        let stan = stan_word(line)?;
        let transaction = *self.asks.get(&stan).ok_or_else(|| {
            line.finding(&format!("nothing was asked for {stan}, allowed: {:?}", self.asks.keys()))
        })?;
        self.leaves(transaction, line)?;
        line.end()?;
        self.perform(Command::AskEnded { transaction, outcome })
    }

    /// `acknowledge 000123`: the balance service acknowledges all it is owed about this purchase.
    pub(super) fn acknowledge(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let stan = stan_word(line)?;
        line.end()?;
        for duty in self.duties.remove(&stan).unwrap_or_default() {
            self.perform(Command::DutyAcknowledged { duty })?;
        }
        Ok(())
    }

    /// The transmission time of a trace number on a card: when it was first used, ever after.
    pub(super) fn transmission(&mut self, card: u32, stan: Stan) -> Transmission {
        let now = self.world.now().utc;
        *self.sent.entry((card, stan)).or_insert_with(|| digits(now))
    }
}

/// DE 7 of a time: `MMDDhhmmss`.
fn digits(at: Timestamp) -> Transmission {
    let time = jiff::Timestamp::from_microsecond(at.micros()).expect("a time of our times");
    let digits = time.strftime("%m%d%H%M%S").to_string();
    Transmission::new(digits.parse().expect("ten digits")).expect("a date and time")
}

fn amount_and_stan(line: &mut Line<'_>) -> Result<(Money, Stan), Finding> {
    Ok((money(line)?, stan(line)?))
}

pub(super) fn money(line: &mut Line<'_>) -> Result<Money, Finding> {
    let amount = line.word("an amount and its currency, such as 25.00 USD")?;
    let currency: Currency = line.currency()?;
    let units = Asset::of(currency).parse(amount);
    let minor = units.ok().and_then(|units| i64::try_from(units.0).ok());
    let minor = minor.ok_or_else(|| line.unexpected(Some(amount), &format!("an amount in {currency}")))?;
    Ok(Money::new(minor, currency))
}

fn stan(line: &mut Line<'_>) -> Result<Stan, Finding> {
    line.keyword("stan")?;
    stan_word(line)
}

pub(super) fn stan_word(line: &mut Line<'_>) -> Result<Stan, Finding> {
    line.read("a trace number of six digits such as 000123", |word| {
        let number = word.parse().ok().filter(|_| word.len() == 6)?;
        Stan::new(number).ok()
    })
}
