//! Reads the words of a scenario file: one step a line, with an error that says where, what was found and what
//! is allowed. It knows the shapes of words (amounts, durations, times), not what the steps mean.

use crate::finding::Finding;
use domain::{Asset, AssetCode, Currency, Timestamp, Units};
use std::time::Duration;

/// One line of a scenario, read word by word.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    file: &'a str,
    number: usize,
    words: Vec<&'a str>,
    next: usize,
}

/// The lines of a file that say something. A `#` begins a comment.
pub(crate) fn lines<'a>(file: &'a str, text: &'a str) -> Vec<Line<'a>> {
    let numbered = (1..).zip(text.lines());
    let told = numbered.map(|(number, line)| {
        let told = line.split_once('#').map_or(line, |(told, _)| told);
        Line { file, number, words: told.split_whitespace().collect(), next: 0 }
    });
    told.filter(|line| !line.words.is_empty()).collect()
}

impl<'a> Line<'a> {
    /// A finding at this line.
    pub(crate) fn finding(&self, what: &str) -> Finding {
        Finding(format!("{}:{}: {what}", self.file, self.number))
    }

    /// The next word was not what is allowed here.
    pub(crate) fn unexpected(&self, found: Option<&str>, allowed: &str) -> Finding {
        let found = found.map_or("the end of the line".into(), |word| format!("{word:?}"));
        self.finding(&format!("found {found}, allowed: {allowed}"))
    }

    /// The whole line, with single spaces.
    pub(crate) fn text(&self) -> String {
        self.words[self.next..].join(" ")
    }

    /// The next word, if any.
    pub(crate) fn optional(&mut self) -> Option<&'a str> {
        let word = self.words.get(self.next).copied();
        self.next += usize::from(word.is_some());
        word
    }

    /// The next word, left where it is.
    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.next).copied()
    }

    /// The next word.
    pub(crate) fn word(&mut self, allowed: &str) -> Result<&'a str, Finding> {
        self.optional().ok_or_else(|| self.unexpected(None, allowed))
    }

    /// This very word.
    pub(crate) fn keyword(&mut self, word: &str) -> Result<(), Finding> {
        let found = self.optional();
        if found == Some(word) { Ok(()) } else { Err(self.unexpected(found, word)) }
    }

    /// A word that `read` understands.
    pub(crate) fn read<T>(&mut self, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, Finding> {
        let word = self.word(allowed)?;
        read(word).ok_or_else(|| self.unexpected(Some(word), allowed))
    }

    /// Nothing more.
    pub(crate) fn end(&mut self) -> Result<(), Finding> {
        match self.optional() {
            None => Ok(()),
            found => Err(self.unexpected(found, "nothing more on this line")),
        }
    }

    /// An amount of `asset` as people write it.
    pub(crate) fn units(&mut self, asset: Asset) -> Result<Units, Finding> {
        let decimals = asset.decimals();
        self.read(&format!("an amount in {} with at most {decimals} decimals", asset.code()), |word| {
            asset.parse(word).ok()
        })
    }

    /// A currency's three letters.
    pub(crate) fn currency(&mut self) -> Result<Currency, Finding> {
        self.read("an ISO 4217 currency such as USD", |word| Currency::from_alpha(word).ok())
    }

    /// An asset: a currency, or a code and its decimals.
    pub(crate) fn asset(&mut self) -> Result<Asset, Finding> {
        let code = self.word("a currency such as USD, or an asset and its decimals such as USDT 6")?;
        match (Currency::from_alpha(code), self.peek()) {
            (Ok(currency), None) => Ok(Asset::of(currency)),
            _ => {
                let decimals = self.read("decimals from 0 to 18", |word| word.parse().ok())?;
                let asset = AssetCode::new(code).and_then(|code| Asset::new(code, decimals));
                asset.map_err(|error| self.finding(&error.to_string()))
            }
        }
    }

    /// A duration with its unit.
    pub(crate) fn duration(&mut self) -> Result<Duration, Finding> {
        self.read("a duration such as 800ms, 3s, 5m, 2h or 7d", duration)
    }

    /// A time in UTC.
    pub(crate) fn time(&mut self) -> Result<Timestamp, Finding> {
        self.read("a time such as 2026-11-20T12:00:00Z", |word| {
            let time: jiff::Timestamp = word.parse().ok()?;
            Some(Timestamp::from_micros(time.as_microsecond()))
        })
    }
}

/// Reads `800ms`.
pub(crate) fn duration(word: &str) -> Option<Duration> {
    let unit = word.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = word.split_at(unit);
    let number: u64 = number.parse().ok()?;
    match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        "h" => Some(Duration::from_secs(number * 3_600)),
        "d" => Some(Duration::from_secs(number * 86_400)),
        _ => None,
    }
}
