//! Who is signed on, and whether anybody is there: the network management of one connection.
//!
//! A pure state machine: events and the time go in, what is to be sent or why to close comes out. One request of
//! ours is open at a time. A connection that is silent is asked for a sign of life; whatever is heard meanwhile is
//! one, so a busy processor that does not answer echoes is not cut off.

use crate::config::SessionSettings;
use domain::Mono;
use iso8583::NetworkFunction;
use std::fmt;
use std::time::Duration;

/// A STAN has six digits and is not zero.
const STAN_MAX: u32 = 999_999;

/// The session of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    settings: SessionSettings,
    signed_on: bool,
    asked: Option<Asked>,
    /// Echoes in a row without an answer.
    missed: u32,
    last_stan: u32,
}

/// A request of ours that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Asked {
    function: NetworkFunction,
    stan: u32,
    at: Mono,
    until: Mono,
}

/// What the connection has to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    /// Send a request of ours.
    Send {
        /// What for.
        function: NetworkFunction,
        /// Its STAN.
        stan: u32,
    },
    /// Close, and say why.
    Close(Breach),
}

/// Why a session cannot go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Breach {
    /// Our sign-on was refused.
    SignOnRefused {
        /// DE 39 of the answer.
        code: String,
    },
    /// Our sign-on was not answered.
    SignOnUnanswered {
        /// How long we waited.
        after: Duration,
    },
    /// Nobody is there.
    EchoesUnanswered {
        /// How many in a row.
        missed: u32,
    },
    /// A frame without a message came, and the dialect does not allow it.
    EmptyFrame,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignOnRefused { code } => write!(f, "our sign-on was answered with DE 39 {code:?}"),
            Self::SignOnUnanswered { after } => write!(f, "our sign-on was not answered within {after:?}"),
            Self::EchoesUnanswered { missed } => write!(f, "{missed} echoes in a row were not answered"),
            Self::EmptyFrame => {
                f.write_str("a frame without a message came, which the dialect does not allow")
            }
        }
    }
}

/// What an answer meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// It answers nothing that we asked, or too late.
    NotAsked,
    /// In order.
    InOrder,
    /// Refused.
    Close(Breach),
}

impl Session {
    /// A connection that has just been opened.
    pub(crate) fn new(settings: SessionSettings) -> Self {
        let signed_on = !settings.require_sign_on;
        Self { settings, signed_on, asked: None, missed: 0, last_stan: 0 }
    }

    /// What to send first.
    pub(crate) fn begin(&mut self, now: Mono) -> Option<Act> {
        self.settings.sign_on.then(|| self.ask(NetworkFunction::SignOn, now, self.settings.sign_on_within))
    }

    /// What to send last.
    pub(crate) fn finish(&mut self, now: Mono) -> Option<Act> {
        self.settings.sign_on.then(|| self.ask(NetworkFunction::SignOff, now, self.settings.sign_on_within))
    }

    /// Whether requests are served.
    pub(crate) const fn is_signed_on(&self) -> bool {
        self.signed_on
    }

    /// The other side signed on or off.
    pub(crate) fn set_signed_on(&mut self, signed_on: bool) {
        self.signed_on = signed_on;
    }

    /// When time alone makes a difference, if it does.
    pub(crate) fn wakes_at(&self, last_heard: Mono) -> Option<Mono> {
        match (&self.asked, &self.settings.echo) {
            (Some(asked), _) => Some(asked.until),
            (None, Some(echo)) => Some(last_heard.plus(echo.after)),
            (None, None) => None,
        }
    }

    /// Time has passed. The second value says whether an echo went unanswered.
    pub(crate) fn on_time(&mut self, now: Mono, last_heard: Mono) -> (Option<Act>, bool) {
        match self.asked {
            Some(asked) if now < asked.until => (None, false),
            Some(asked) => {
                self.asked = None;
                self.unanswered(asked, now, last_heard)
            }
            None => (self.echo_when_silent(now, last_heard), false),
        }
    }

    fn unanswered(&mut self, asked: Asked, now: Mono, last_heard: Mono) -> (Option<Act>, bool) {
        match asked.function {
            NetworkFunction::SignOn => {
                let breach = Breach::SignOnUnanswered { after: now.since(asked.at) };
                (Some(Act::Close(breach)), false)
            }
            NetworkFunction::Echo if last_heard <= asked.at => {
                self.missed = self.missed.saturating_add(1);
                let missed_max = self.settings.echo.as_ref().map_or(1, |echo| echo.missed_max);
                if self.missed >= missed_max {
                    return (Some(Act::Close(Breach::EchoesUnanswered { missed: self.missed })), true);
                }
                (self.echo_when_silent(now, last_heard), true)
            }
            NetworkFunction::Echo
            | NetworkFunction::SignOff
            | NetworkFunction::KeyExchange
            | NetworkFunction::Cutover
            | NetworkFunction::Unknown => (None, false),
        }
    }

    fn echo_when_silent(&mut self, now: Mono, last_heard: Mono) -> Option<Act> {
        let echo = self.settings.echo.as_ref()?;
        let within = echo.answer_within;
        (now >= last_heard.plus(echo.after)).then(|| self.ask(NetworkFunction::Echo, now, within))
    }

    /// An answer to network management came.
    pub(crate) fn on_answer(&mut self, stan: Option<u64>, accepted: bool, code: &str) -> Heard {
        let Some(asked) = self.asked.filter(|asked| Some(u64::from(asked.stan)) == stan) else {
            return Heard::NotAsked;
        };
        self.asked = None;
        self.missed = 0;
        if asked.function == NetworkFunction::SignOn {
            if !accepted {
                return Heard::Close(Breach::SignOnRefused { code: code.to_owned() });
            }
            self.signed_on = true;
        }
        Heard::InOrder
    }

    fn ask(&mut self, function: NetworkFunction, now: Mono, within: Duration) -> Act {
        self.last_stan = if self.last_stan >= STAN_MAX { 1 } else { self.last_stan + 1 };
        let stan = self.last_stan;
        self.asked = Some(Asked { function, stan, at: now, until: now.plus(within) });
        Act::Send { function, stan }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EchoSection;

    fn at(seconds: u64) -> Mono {
        Mono::from_nanos(seconds * 1_000_000_000)
    }

    fn session(adjust: impl FnOnce(&mut SessionSettings)) -> Session {
        let mut settings = SessionSettings {
            require_sign_on: true,
            sign_on: false,
            sign_on_within: Duration::from_secs(5),
            echo: Some(EchoSection {
                after: Duration::from_secs(60),
                answer_within: Duration::from_secs(10),
                missed_max: 2,
            }),
        };
        adjust(&mut settings);
        Session::new(settings)
    }

    fn sends(act: Option<Act>, expected: NetworkFunction) -> u64 {
        match act {
            Some(Act::Send { function, stan }) if function == expected => stan.into(),
            other => panic!("{expected:?} was expected, not {other:?}"),
        }
    }

    #[test]
    fn a_silent_connection_is_asked_and_closed_after_so_many_missed_echoes() {
        let mut session = session(|_| {});
        assert_eq!(session.wakes_at(at(0)), Some(at(60)));
        assert_eq!(session.on_time(at(59), at(0)), (None, false));
        let first = sends(session.on_time(at(60), at(0)).0, NetworkFunction::Echo);
        assert_eq!(session.wakes_at(at(0)), Some(at(70)));
        assert_eq!(session.on_time(at(69), at(0)), (None, false));
        let (again, missed) = session.on_time(at(70), at(0));
        assert!(missed && sends(again, NetworkFunction::Echo) != first);
        let closed = Act::Close(Breach::EchoesUnanswered { missed: 2 });
        assert_eq!(session.on_time(at(80), at(0)), (Some(closed), true));
    }

    #[test]
    fn an_answer_or_anything_else_that_is_heard_is_a_sign_of_life() {
        let mut session = session(|_| {});
        let stan = sends(session.on_time(at(60), at(0)).0, NetworkFunction::Echo);
        assert_eq!(session.on_answer(Some(stan + 1), true, "00"), Heard::NotAsked);
        assert_eq!(session.on_answer(Some(stan), true, "00"), Heard::InOrder);
        assert_eq!(session.on_answer(Some(stan), true, "00"), Heard::NotAsked);
        sends(session.on_time(at(121), at(61)).0, NetworkFunction::Echo);
        assert_eq!(session.on_time(at(131), at(125)), (None, false), "traffic came in the meantime");
        assert_eq!(session.wakes_at(at(125)), Some(at(185)));
    }

    #[test]
    fn requests_are_served_once_our_sign_on_is_accepted() {
        let mut session = session(|settings| settings.sign_on = true);
        assert!(!session.is_signed_on());
        let stan = sends(session.begin(at(0)), NetworkFunction::SignOn);
        assert_eq!(session.on_answer(Some(stan), true, "00"), Heard::InOrder);
        assert!(session.is_signed_on());
        session.set_signed_on(false);
        assert!(!session.is_signed_on());
    }

    #[test]
    fn a_sign_on_that_is_refused_or_not_answered_ends_the_session() {
        let mut refused = session(|settings| settings.sign_on = true);
        let stan = sends(refused.begin(at(0)), NetworkFunction::SignOn);
        let breach = Breach::SignOnRefused { code: "91".into() };
        assert_eq!(refused.on_answer(Some(stan), false, "91"), Heard::Close(breach));
        assert!(!refused.is_signed_on());

        let mut ignored = session(|settings| settings.sign_on = true);
        sends(ignored.begin(at(0)), NetworkFunction::SignOn);
        let breach = Breach::SignOnUnanswered { after: Duration::from_secs(5) };
        assert_eq!(ignored.on_time(at(5), at(4)), (Some(Act::Close(breach)), false));
    }

    #[test]
    fn who_is_to_say_nothing_says_nothing() {
        let mut quiet = session(|settings| *settings = SessionSettings::default());
        assert!(quiet.is_signed_on());
        assert_eq!((quiet.begin(at(0)), quiet.finish(at(0)), quiet.wakes_at(at(0))), (None, None, None));
        assert_eq!(quiet.on_time(at(1_000_000), at(0)), (None, false));
    }

    #[test]
    fn a_stan_begins_again_after_six_digits() {
        let mut session = session(|settings| settings.sign_on = true);
        session.last_stan = STAN_MAX - 1;
        assert_eq!(sends(session.begin(at(0)), NetworkFunction::SignOn), u64::from(STAN_MAX));
        assert_eq!(sends(session.finish(at(0)), NetworkFunction::SignOff), 1);
    }
}
