//! Writes a composite from its parts.
//!
//! Guarantees that what is written reads back as the same parts. Parts in order go to their places whatever
//! the order they are given in; tags keep the order given; a nested bitmap follows its bits.

use crate::content::Content;
use crate::error::Fault;
use crate::spec::{ElementSpec, Part, Parts, Rest};
use crate::tlv::TagFormat;

/// A value for one part of a composite.
#[derive(Clone, Copy)]
pub enum PartValue<'a> {
    /// Characters.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// A path, whose keys are joined by dots, and the value to put there.
type Entry<'a> = (&'a str, PartValue<'a>);

/// The entries that share a first key, with the rest of their paths; the rest is empty for the part itself.
struct Group<'a> {
    key: &'a str,
    entries: Vec<Entry<'a>>,
}

impl Group<'_> {
    fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|(present, _)| *present == path)
    }
}

/// A fault and the path of the part it is at.
pub(crate) type FaultInPart = (String, Fault);

fn group<'a>(entries: &[Entry<'a>]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (path, value) in entries {
        let (key, rest) = path.split_once('.').unwrap_or((path, ""));
        match groups.last_mut() {
            // The inner parts of one composite belong together. Where one of them comes again, a second
            // composite with the same tag begins.
            Some(last) if last.key == key && !rest.is_empty() && !last.has(rest) => {
                last.entries.push((rest, *value));
            }
            _ => groups.push(Group { key, entries: vec![(rest, *value)] }),
        }
    }
    groups
}

/// The bytes of a composite made of `entries`.
pub(crate) fn compose(parts: &Parts, entries: &[Entry<'_>]) -> Result<Vec<u8>, FaultInPart> {
    let mut groups = group(entries);
    let mut out = Vec::new();
    write_order(parts, &mut groups, &mut out)?;
    match &parts.rest {
        Rest::Nothing => {}
        Rest::Tags { format, known, unknown } => {
            for group in groups.drain(..) {
                let tag = format.tag(group.key).ok_or_else(|| (group.key.to_owned(), Fault::NoSuchPart))?;
                let part = known.iter().find(|(known, _)| **known == *tag);
                let spec = part.map_or(&**unknown, |(_, part)| &part.spec);
                write_tag(*format, &tag, spec, &group, &mut out)?;
            }
        }
        Rest::Bits { bytes, encoding, known } => {
            let (bitmap, values) = write_bits(usize::from(*bytes), known, &mut groups)?;
            encoding.pack(&bitmap, &mut out);
            out.extend(values);
        }
    }
    match groups.first() {
        None => Ok(out),
        Some(extra) => Err((extra.key.to_owned(), Fault::NoSuchPart)),
    }
}

/// Writes the parts in order and takes them out of `groups`.
fn write_order(parts: &Parts, groups: &mut Vec<Group<'_>>, out: &mut Vec<u8>) -> Result<(), FaultInPart> {
    let mut ended = false;
    for part in &parts.order {
        match take(groups, &part.key) {
            Some(_) if ended => return Err((part.key.to_string(), Fault::AfterGap)),
            Some(group) => write_part(&part.spec, &group, out)?,
            None if parts.may_end_early => ended = true,
            None => return Err((part.key.to_string(), Fault::Missing)),
        }
    }
    Ok(())
}

/// The bitmap and the values of the parts that `groups` has; they are taken out of it.
fn write_bits(
    bytes: usize,
    known: &[(u8, Part)],
    groups: &mut Vec<Group<'_>>,
) -> Result<(Vec<u8>, Vec<u8>), FaultInPart> {
    let (mut bitmap, mut values) = (vec![0_u8; bytes], Vec::new());
    for (bit, part) in known {
        let Some(group) = take(groups, &part.key) else { continue };
        write_part(&part.spec, &group, &mut values)?;
        let index = bit.saturating_sub(1);
        if let Some(byte) = bitmap.get_mut(usize::from(index / 8)) {
            *byte |= 0x80 >> (index % 8);
        }
    }
    Ok((bitmap, values))
}

fn take<'a>(groups: &mut Vec<Group<'a>>, key: &str) -> Option<Group<'a>> {
    let at = groups.iter().position(|group| group.key == key)?;
    Some(groups.remove(at))
}

fn write_tag(
    format: TagFormat,
    tag: &[u8],
    spec: &ElementSpec,
    group: &Group<'_>,
    out: &mut Vec<u8>,
) -> Result<(), FaultInPart> {
    let mut value = Vec::new();
    write_part(spec, group, &mut value)?;
    format.write(tag, &value, out).map_err(|fault| (group.key.to_owned(), fault))
}

/// Writes prefix and value of one part, from its own value or from those of its parts.
fn write_part(spec: &ElementSpec, group: &Group<'_>, out: &mut Vec<u8>) -> Result<(), FaultInPart> {
    let here = |fault| (group.key.to_owned(), fault);
    match (&spec.parts, group.entries.as_slice()) {
        (_, [("", PartValue::Bytes(bytes))]) if spec.content == Content::Binary => {
            spec.write_bytes(bytes, out).map_err(here)
        }
        (_, [("", PartValue::Text(text))]) if spec.content != Content::Binary => {
            spec.write_text(text.as_bytes(), out).map_err(here)
        }
        (Some(parts), entries) if entries.iter().all(|(path, _)| !path.is_empty()) => {
            let value =
                compose(parts, entries).map_err(|(path, fault)| (format!("{}.{path}", group.key), fault))?;
            spec.write_wire(&value, out).map_err(here)
        }
        _ => Err(here(Fault::Kind { allowed: spec.content.describe() })),
    }
}
