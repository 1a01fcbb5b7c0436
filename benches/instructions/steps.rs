//! The steps that are counted, each as a loop of so many calls on inputs that differ.

use anyhow::{Context as _, Result, anyhow, bail};
use authorizer::{Action, Answer, Effects, FundingPath, Rules, Shard};
use benches::purchase::{Pick, Purchases, body, dialect, pan_of};
use benches::shards::{Random, context, limits, policy, purchase, shard, token};
use bytes::{Bytes, BytesMut};
use cache::Index;
use domain::{
    ApprovalCode, Authorization, CardNo, Fact, NetworkName, RateTable, Reason, ShardId, TransactionId,
    TransactionNo,
};
use iso8583::{Dialect, Draft, FrameFormat, LengthHeader, Message};
use journal::RecordBuffer;
use std::hint::black_box;
use switch::steps::Steps;

/// Every step, in the order of the path.
pub(crate) const ALL: &[&str] = &[
    "decode 0100, 18 elements, ASCII",
    "decode 0100, 18 elements, BCD",
    "decode 0100, 18 elements, EBCDIC",
    "translate",
    "find the card",
    "decide and apply, 6 limits",
    "record the fact",
    "answer 0110, ASCII",
    "frame to frame, without threads",
];

/// The steps that every change is held against: the others are parts of the last.
pub(crate) const SHORT: &[&str] =
    &["decode 0100, 18 elements, ASCII", "decide and apply, 6 limits", "frame to frame, without threads"];

/// Cards of the shard that decides.
const CARDS: u32 = 256;

const FRAME: FrameFormat =
    FrameFormat { length: LengthHeader::Binary2, includes_itself: false, max_bytes: 4_096 };

/// Runs `step` so many times.
pub(crate) fn run(step: &str, count: u64) -> Result<()> {
    match step {
        "decode 0100, 18 elements, ASCII" => decode(&dialect()?, count),
        "decode 0100, 18 elements, BCD" => decode(&shipped("binary-1987")?, count),
        "decode 0100, 18 elements, EBCDIC" => decode(&shipped("ebcdic-1987")?, count),
        "translate" => translate(count),
        "find the card" => find(count),
        "decide and apply, 6 limits" => decide(count),
        "record the fact" => record(count),
        "answer 0110, ASCII" => answer(count),
        "frame to frame, without threads" => whole(count),
        other => bail!("{other:?} is no step"),
    }
}

fn shipped(name: &str) -> Result<Dialect> {
    Ok(iso8583::shipped(name).context("the dialect is shipped")??)
}

fn decoded(dialect: &Dialect, bytes: Bytes) -> Result<Message> {
    dialect.decode(bytes).map_err(|rejected| anyhow!("{}", rejected.error))
}

fn decode(dialect: &Dialect, count: u64) -> Result<()> {
    let ascii = decoded(&self::dialect()?, Bytes::from(body()?))?;
    let mut out = BytesMut::new();
    let mut draft = Draft::new(dialect, ascii.mti());
    for element in 2..=64 {
        draft.echo(element, &ascii);
    }
    draft.encode_into(&mut out)?;
    let bytes = out.freeze();
    for _ in 0..count {
        black_box(decoded(dialect, black_box(bytes.clone()))?);
    }
    Ok(())
}

fn steps() -> Result<Steps> {
    Steps::of(&dialect()?, FRAME, NetworkName::EMPTY, &[0x5a; 32]).context("a key")
}

fn translate(count: u64) -> Result<()> {
    let (steps, message) = (steps()?, decoded(&dialect()?, Bytes::from(body()?))?);
    for _ in 0..count {
        black_box(steps.translate(black_box(&message)).context("a request")?);
    }
    Ok(())
}

/// A shard, and the index of its cards.
fn world() -> Result<(Shard, Index)> {
    let shard = shard(ShardId(0), CARDS, &limits()?, policy(Rules::default()))?;
    let index = Index::with_room(CARDS as usize, CARDS as usize);
    index.learn_shards(std::iter::once(&shard));
    Ok((shard, index))
}

fn find(count: u64) -> Result<()> {
    let (_, index) = world()?;
    let mut random = Random::default();
    for _ in 0..count {
        let token = token(ShardId(0), random.below(CARDS));
        black_box(index.route(black_box(&token)).context("a card")?);
    }
    Ok(())
}

fn decide(count: u64) -> Result<()> {
    let (mut shard, _) = world()?;
    let (rates, mut effects, mut random) = (RateTable::default(), Effects::default(), Random::default());
    for number in 0..count {
        let command = purchase(ShardId(0), random.below(CARDS), number)?;
        effects.facts.clear();
        effects.actions.clear();
        shard
            .execute(command, context(&rates, i64::try_from(number)?), &mut effects)
            .map_err(|error| anyhow!("{error}"))?;
    }
    let approved = effects.facts.iter().any(|fact| matches!(fact, Fact::Approved { .. }));
    if approved { Ok(()) } else { bail!("a purchase was not approved: {:?}", effects.facts) }
}

/// The fact that an approval leaves behind.
fn fact() -> Result<Fact> {
    let (mut shard, _) = world()?;
    let (rates, mut effects) = (RateTable::default(), Effects::default());
    let command = purchase(ShardId(0), 7, 1)?;
    shard.execute(command, context(&rates, 1), &mut effects).map_err(|error| anyhow!("{error}"))?;
    effects.facts.into_iter().next().context("a fact")
}

fn record(count: u64) -> Result<()> {
    let (fact, mut buffer) = (fact()?, RecordBuffer::new());
    for number in 0..count {
        if number.is_multiple_of(256) {
            buffer.clear();
        }
        buffer.push(0, i64::try_from(number)?, black_box(&fact))?;
    }
    Ok(())
}

fn approval() -> Result<Answer> {
    Ok(Answer::Authorization {
        reason: Reason::Approved,
        approval_code: Some(ApprovalCode::of(TransactionId {
            shard: ShardId(0),
            number: TransactionNo(123_456),
        })),
        part: None,
        balances: None,
        limit: None,
        path: FundingPath::Cache,
    })
}

fn answer(count: u64) -> Result<()> {
    let (steps, message) = (steps()?, decoded(&dialect()?, Bytes::from(body()?))?);
    let (answer, mut out) = (approval()?, BytesMut::with_capacity(4_096));
    for _ in 0..count {
        out.clear();
        steps.answer(black_box(&message), &answer, &mut out)?;
    }
    Ok(())
}

/// Everything but the sockets, the queues and the disk.
fn whole(count: u64) -> Result<()> {
    const PANS: u32 = 64;
    let (steps, dialect) = (steps()?, dialect()?);
    let (mut shard, _) = world()?;
    let (rates, mut effects, mut buffer) = (RateTable::default(), Effects::default(), RecordBuffer::new());
    let index = Index::with_room(PANS as usize, PANS as usize);
    learn(&index, &steps, &dialect, PANS)?;
    let purchases = Purchases::new(0, PANS, Pick::Any)?;
    let (mut wire, mut out) = (BytesMut::with_capacity(65_536), BytesMut::with_capacity(65_536));
    let (mut frame, mut approved) = (Vec::new(), 0);
    for number in 0..count {
        frame.clear();
        purchases.write(number, &mut frame);
        wire.extend_from_slice(&frame);
        let bytes = FRAME.split(&mut wire)?.context("a frame")?;
        let message = decoded(&dialect, bytes)?;
        let request = steps.translate(&message).context("a request")?;
        let route = index.route(&request.card).context("a card")?;
        // The shard was filled with tokens of its own making.
        let request = Authorization { card: token(ShardId(0), route.card.0), ..request };
        let caller = authorizer::Caller(number);
        let command = authorizer::Command::Authorize { card: route.card, request, caller };
        let context = context(&rates, i64::try_from(number)?);
        shard.execute(command, context, &mut effects).map_err(|error| anyhow!("{error}"))?;
        if number.is_multiple_of(256) {
            buffer.clear();
            out.clear();
        }
        for fact in effects.facts.drain(..) {
            buffer.push(0, i64::try_from(number)?, &fact)?;
            approved += u64::from(matches!(fact, Fact::Approved { .. }));
        }
        for action in effects.actions.drain(..) {
            if let Action::Answer { answer, .. } = action {
                steps.answer(&message, &answer, &mut out)?;
            }
        }
    }
    if approved == count { Ok(()) } else { bail!("{approved} of {count} purchases were approved") }
}

/// Leads the card numbers of the purchases to cards of the shard.
fn learn(index: &Index, steps: &Steps, dialect: &Dialect, count: u32) -> Result<()> {
    let mut frame = Vec::new();
    for card in 0..count {
        frame.clear();
        Purchases::new(card, 1, Pick::First)?.write(0, &mut frame);
        let message = decoded(dialect, Bytes::copy_from_slice(&frame[2..]))?;
        let mut issued = issued(card)?;
        if let Fact::CardIssued { token, .. } = &mut issued {
            *token = steps.translate(&message).context("a request")?.card;
        }
        index.learn(ShardId(0), &issued);
    }
    Ok(())
}

fn issued(card: u32) -> Result<Fact> {
    let usd = domain::Currency::from_alpha("USD").map_err(|error| anyhow!("{error:?}"))?;
    let number = domain::Pan::from_digits(&pan_of(card)).map_err(|error| anyhow!("{error:?}"))?;
    Ok(Fact::CardIssued {
        card: CardNo(card),
        id: domain::CardId::new(&format!("c0-{card}")).map_err(|error| anyhow!("{error:?}"))?,
        token: domain::CardToken([0; 16]),
        last_four: number.last_four(),
        account: domain::AccountNo(card),
        currency: usd,
        expiry: domain::Expiry::new(2029, 12).map_err(|error| anyhow!("{error:?}"))?,
        funding: domain::FundingMode::PreFunded,
        status: domain::CardStatus::Active,
    })
}
