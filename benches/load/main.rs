//! The switch under load, one scene after another: steady, over its limit, on one account, with one lane and with two.
//!
//!     cargo run --release -p benches --bin load                       # all scenes
//!     cargo run --release -p benches --bin load -- steady --rate 100000 --seconds 60
//!
//! `steady`     open loop at a fixed rate on disk, while segments change and snapshots are made
//! `shedding`   twice the rate that saturates it: how soon what is shed is answered, and what it does to the others
//! `hot`        one account that takes all traffic, beside the same traffic on a thousand
//! `lanes`      one lane and two, saturated
//!
//! Each scene has a switch of its own in this process, and shares its cores with it.

mod scenes;

use anyhow::{Result, bail, ensure};
use std::time::Duration;

/// What may be changed about the scenes.
#[derive(Clone, Copy)]
struct Arguments {
    rate: u32,
    seconds: u32,
}

impl Arguments {
    fn duration(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

fn main() -> Result<()> {
    let mut arguments = Arguments { rate: 100_000, seconds: 60 };
    let mut scenes = Vec::new();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|text| text.parse().ok());
        match word.as_str() {
            "--rate" => arguments.rate = number().unwrap_or(0),
            "--seconds" => arguments.seconds = number().unwrap_or(0),
            "steady" | "shedding" | "hot" | "lanes" => scenes.push(word),
            other => bail!("{other:?} is none of steady, shedding, hot, lanes, --rate, --seconds"),
        }
    }
    ensure!(arguments.rate > 0 && arguments.seconds > 0, "rate and seconds are whole numbers from 1 on");
    if scenes.is_empty() {
        scenes = ["steady", "shedding", "hot", "lanes"].map(str::to_owned).to_vec();
    }
    for scene in scenes {
        match scene.as_str() {
            "steady" => scenes::steady(arguments)?,
            "shedding" => scenes::shedding(arguments)?,
            "hot" => scenes::hot()?,
            _ => scenes::lanes()?,
        }
    }
    Ok(())
}
