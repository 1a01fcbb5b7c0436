//! Each message's fate: when it is booked, when it is answered, and whether at all.

use super::AnswerSigning;
use super::answering::{Broken, Reply, broken_off, garbled, json, plain};
use super::chance::{Booked, Draw, Fault, Inclination};
use super::duty::Duty;
use super::messages::{Answer, Ask};
use super::server::signed;
use super::shared::{Doors, Shared};
use http::StatusCode;
use std::time::Duration;
use tokio::time::sleep;

/// What was posted.
pub(super) enum Message {
    Ask(Ask),
    Duty(Duty),
}

impl Message {
    async fn answer(&self, id: &str, draw: Draw, doors: &Doors) -> Result<Reply, Broken> {
        match self {
            Self::Ask(ask) => answer_ask(ask, id, draw, doors).await,
            Self::Duty(duty) => acknowledge(duty, draw, &doors.shared).await,
        }
    }
}

/// Takes a message in, at once or after it has lain for a while, whether or not its sender still listens.
pub(super) async fn take(message: Message, id: &str, doors: &Doors) -> Result<Reply, Broken> {
    let draw = doors.shared.draw(id);
    if draw.lies_for.is_zero() {
        return message.answer(id, draw, doors).await;
    }
    let (id, living) = (id.to_owned(), doors.clone());
    let lying = doors.tasks.spawn(async move {
        tokio::select! {
            () = living.life.cancelled() => Err(Broken::Off),
            answered = async {
                sleep(draw.lies_for).await;
                message.answer(&id, draw, &living).await
            } => answered,
        }
    });
    lying.await.map_err(|_| Broken::Off)?
}

async fn answer_ask(ask: &Ask, id: &str, draw: Draw, doors: &Doors) -> Result<Reply, Broken> {
    let shared = &doors.shared;
    let Draw { latency, fault, inclination, .. } = draw;
    let book = || shared.books().ask(ask, inclination);
    let truth = |answer: Answer| json(StatusCode::OK, &answer.json(ask.ask_id));
    let reply = match fault {
        Fault::None => {
            let answer = book();
            sleep_unless_zero(latency).await;
            truth(answer)
        }
        Fault::Error(booked) => {
            book_if(booked, book);
            sleep_unless_zero(latency).await;
            return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault by the profile"));
        }
        Fault::Hang(booked) => {
            book_if(booked, book);
            std::future::pending().await
        }
        Fault::Reset(booked) => {
            book_if(booked, book);
            return Err(Broken::Reset);
        }
        Fault::Dying => return Ok(broken_off(&book().json(ask.ask_id))),
        Fault::Late(Booked::AtOnce) => {
            let answer = book();
            sleep(lateness(ask, shared)).await;
            truth(answer)
        }
        Fault::Late(Booked::NotYet) => truth(book_later(ask, inclination, doors).await?),
        Fault::Lie(lie) => {
            let answer = book();
            sleep_unless_zero(latency).await;
            match garbled(lie, ask) {
                Some(reply) => reply,
                None => return Ok(truth(answer)),
            }
        }
    };
    Ok(match shared.answers {
        AnswerSigning::Signed => signed(reply, id, &shared.keys),
        AnswerSigning::Unsigned => reply,
    })
}

/// Books an ask when its time is long over, even if whoever asked has gone: by then it may be cancelled.
async fn book_later(ask: &Ask, inclination: Inclination, doors: &Doors) -> Result<Answer, Broken> {
    let (ask, living) = (ask.clone(), doors.clone());
    let lateness = lateness(&ask, &doors.shared);
    let booking = doors.tasks.spawn(async move {
        tokio::select! {
            () = living.life.cancelled() => Err(Broken::Off),
            () = sleep(lateness) => Ok(living.shared.books().ask(&ask, inclination)),
        }
    });
    booking.await.map_err(|_| Broken::Off)?
}

/// Books a duty and acknowledges it, unless the profile has it fail.
async fn acknowledge(duty: &Duty, draw: Draw, shared: &Shared) -> Result<Reply, Broken> {
    let Draw { latency, fault, .. } = draw;
    let book = || shared.books().perform(duty);
    match fault {
        Fault::Error(booked) => {
            book_if(booked, book);
            return Ok(plain(StatusCode::INTERNAL_SERVER_ERROR, "a fault by the profile"));
        }
        Fault::Hang(booked) => {
            book_if(booked, book);
            std::future::pending::<()>().await;
        }
        Fault::Reset(booked) => {
            book_if(booked, book);
            return Err(Broken::Reset);
        }
        Fault::Dying => {
            book();
            return Err(Broken::Off);
        }
        // An acknowledgement is never late and cannot lie: its status is all that it says.
        Fault::None | Fault::Late(_) | Fault::Lie(_) => book(),
    }
    sleep_unless_zero(latency).await;
    Ok(plain(StatusCode::OK, "acknowledged"))
}

fn book_if<T>(booked: Booked, book: impl FnOnce() -> T) {
    match booked {
        Booked::AtOnce => drop(book()),
        Booked::NotYet => {}
    }
}

fn lateness(ask: &Ask, shared: &Shared) -> Duration {
    Duration::from_millis(ask.remaining_ms).saturating_add(shared.profile().late_by)
}

/// A timer ticks in milliseconds, so a sleep of nothing would not be nothing.
async fn sleep_unless_zero(latency: Duration) {
    if !latency.is_zero() {
        sleep(latency).await;
    }
}
