//! `authswitch message describe`: one or more messages for people, element by element.
//!
//! Card data is masked unless `--show-card-data` is given. A message that cannot be read to its end is shown as far
//! as it could be read, and the fault names its place, its offset, what was found and what is allowed.

use crate::exit::{Exit, Outcome};
use crate::message_input::{self, Form};
use crate::{output, wire};
use anyhow::{Context, anyhow};
use bytes::{Bytes, BytesMut};
use clap::Args;
use comfy_table::{Table, presets};
use iso8583::{CardData, DecodeError, Dialect, FrameFormat, Row, describe, describe_element};
use serde::Serialize;
use std::io::{Read, Write};
use std::path::PathBuf;

/// The arguments of `message describe`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  echo 0800822000000000000004000000000000001120180000000042301 | authswitch message describe
  authswitch message describe --dialect binary-1987 --frame binary-2 --json captured.bin
  xxd -r -p captured.hex | authswitch message describe --raw --dialect config/dialects/visa-like.toml
  echo 9F0206000000000100 9F1A020840 | authswitch message describe --dialect mastercard-like --element 55

Exit code 1 if a message could not be read to its end; what was read is printed all the same.")]
pub(crate) struct Arguments {
    /// The dialect: the name of a shipped one, or the path of a dialect file.
    #[arg(long, default_value = "ascii-1987", value_name = "NAME|FILE")]
    dialect: String,
    /// Strip a frame header first, and read as many frames as there are: binary-2, ascii-4, bcd-2, hex-4, ...
    #[arg(long, value_parser = wire::frame, value_name = "LENGTH")]
    frame: Option<FrameFormat>,
    /// The length in the frame header counts the header itself.
    #[arg(long, requires = "frame")]
    frame_includes_itself: bool,
    /// The input is the value of this data element alone, without its length: chip data out of a log, say.
    #[arg(long, value_name = "DE", conflicts_with = "frame", value_parser = clap::value_parser!(u8).range(2..=128))]
    element: Option<u8>,
    /// Print one JSON object a line and message, instead of tables.
    #[arg(long)]
    json: bool,
    /// Show card numbers, expiries, tracks, PIN blocks and chip data in clear.
    #[arg(long)]
    show_card_data: bool,
    /// The input is hexadecimal text; spaces and line ends are passed over.
    #[arg(long, conflicts_with = "raw")]
    hex: bool,
    /// The input is the message's bytes themselves. Without --hex or --raw, whichever can be read is taken.
    #[arg(long)]
    raw: bool,
    /// The file to read; "-" is standard input.
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
}

/// A message as far as it could be read.
#[derive(Serialize)]
struct Described {
    dialect: String,
    elements: Vec<Row>,
    error: Option<Fault>,
}

/// What ended the reading of a message.
#[derive(Serialize)]
struct Fault {
    /// The element, the bitmap, the MTI or the frame.
    place: String,
    /// Bytes from the start of the message, or of the one element given; `None` if the frame is at fault.
    offset: Option<usize>,
    /// The whole sentence: place, offset, found, allowed.
    message: String,
}

/// Describes every message of the input.
pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let dialect = wire::dialect(&arguments.dialect)?;
    let input = read(&arguments.file)?;
    let form = match (arguments.hex, arguments.raw) {
        (true, _) => Form::Hex,
        (_, true) => Form::Raw,
        (false, false) => Form::Detect,
    };
    let frame = arguments
        .frame
        .map(|frame| FrameFormat { includes_itself: arguments.frame_includes_itself, ..frame });
    let described = |bytes: &[u8], card_data| match arguments.element {
        Some(de) => describe_value(bytes, &dialect, de, card_data),
        None => describe_all(bytes, &dialect, frame, card_data),
    };
    let reads = |bytes: &[u8]| described(bytes, CardData::Masked).progress();
    let bytes = message_input::bytes(&input, form, reads).map_err(|error| (Exit::Failed, error.into()))?;
    let card_data = if arguments.show_card_data { CardData::Shown } else { CardData::Masked };
    let read = described(&bytes, card_data);
    output::written(print(&read, arguments.json))?;
    match read.first_fault() {
        None => Ok(()),
        Some(fault) => Err((Exit::Failed, anyhow!("{}", fault.message))),
    }
}

fn read(file: &PathBuf) -> Result<Vec<u8>, (Exit, anyhow::Error)> {
    // Twice, because hexadecimal text is twice as long as what it says; and room for its line ends.
    const INPUT_BYTES_MAX: u64 = 3 * wire::MESSAGE_BYTES_MAX as u64;
    let mut input = Vec::new();
    let source: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        let opened = std::fs::File::open(file).with_context(|| format!("{} cannot be read", file.display()));
        Box::new(opened.map_err(|error| (Exit::Configuration, error))?)
    };
    source
        .take(INPUT_BYTES_MAX + 1)
        .read_to_end(&mut input)
        .with_context(|| format!("{} cannot be read", file.display()))
        .map_err(|error| (Exit::Failed, error))?;
    if input.len() as u64 > INPUT_BYTES_MAX {
        let error = anyhow!("{}: more than {INPUT_BYTES_MAX} bytes, which no message has", file.display());
        return Err((Exit::Failed, error));
    }
    Ok(input)
}

/// Every message of an input, as far as it could be read. Nothing after a broken frame can be read.
struct Reading(Vec<Described>);

impl Reading {
    fn first_fault(&self) -> Option<&Fault> {
        self.0.iter().find_map(|message| message.error.as_ref())
    }

    /// How well the input could be read: whole inputs first, then by elements read.
    fn progress(&self) -> (bool, usize) {
        let rows = self.0.iter().map(|message| message.elements.len()).sum();
        (self.first_fault().is_none(), rows)
    }
}

fn describe_all(bytes: &[u8], dialect: &Dialect, frame: Option<FrameFormat>, card_data: CardData) -> Reading {
    let Some(frame) = frame else {
        return Reading(vec![describe_one(Bytes::copy_from_slice(bytes), dialect, card_data)]);
    };
    let mut messages = Vec::new();
    let mut rest = BytesMut::from(bytes);
    loop {
        match frame.split(&mut rest) {
            // A keep-alive is no message.
            Ok(Some(body)) if body.is_empty() => {}
            Ok(Some(body)) => messages.push(describe_one(body, dialect, card_data)),
            Ok(None) if rest.is_empty() && !messages.is_empty() => break,
            Ok(None) => {
                let message = format!(
                    "frame: {} bytes are left, which is less than its header announces or than a header has",
                    rest.len()
                );
                messages.push(broken_frame(dialect, message));
                break;
            }
            Err(error) => {
                messages.push(broken_frame(dialect, format!("frame: {error}")));
                break;
            }
        }
    }
    Reading(messages)
}

fn describe_value(bytes: &[u8], dialect: &Dialect, de: u8, card_data: CardData) -> Reading {
    let (elements, error) = match describe_element(dialect, de, bytes, card_data) {
        Ok(rows) => (rows, None),
        Err(error) => (Vec::new(), Some(Fault::from(&error))),
    };
    Reading(vec![Described { dialect: dialect.name().to_owned(), elements, error }])
}

fn describe_one(bytes: Bytes, dialect: &Dialect, card_data: CardData) -> Described {
    let dialect_name = dialect.name().to_owned();
    match dialect.decode(bytes) {
        Ok(message) => {
            Described { dialect: dialect_name, elements: describe(&message, card_data), error: None }
        }
        Err(rejected) => {
            let elements = rejected.partial.as_ref().map(|message| describe(message, card_data));
            Described {
                dialect: dialect_name,
                elements: elements.unwrap_or_default(),
                error: Some(Fault::from(&rejected.error)),
            }
        }
    }
}

fn broken_frame(dialect: &Dialect, message: String) -> Described {
    let fault = Fault { place: "frame".to_owned(), offset: None, message };
    Described { dialect: dialect.name().to_owned(), elements: Vec::new(), error: Some(fault) }
}

impl From<&DecodeError> for Fault {
    fn from(error: &DecodeError) -> Self {
        Self { place: error.place().to_string(), offset: Some(error.offset()), message: error.to_string() }
    }
}

fn print(read: &Reading, json: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for message in &read.0 {
        if json {
            serde_json::to_writer(&mut out, message)?;
            writeln!(out)?;
        } else if !message.elements.is_empty() {
            writeln!(out, "{}", table(&message.elements))?;
        }
    }
    out.flush()
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    table.set_header(["DE", "name", "value"]);
    for row in rows {
        table.add_row([row.element.as_str(), row.name.as_str(), row.value.as_str()]);
    }
    table
}
