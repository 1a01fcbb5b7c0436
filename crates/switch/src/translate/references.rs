//! What ties messages to one another: STAN, transmission time, acquirer, retrieval reference, the network's own id, and
//! what a message says of the one that it follows.

use super::texts::{named, without, without_filler};
use super::{ElementFault, Reading};
use domain::{
    AcquirerId, ApprovalCode, MessageClass, NetworkReference, OriginalReferences, Pan, Rrn, Stan, Text,
    Transmission,
};
use iso8583::{Message, OriginalData, TextAt};

/// `MMDDhhmmss` of a time that begins with its year.
const WITHOUT_YEAR: u64 = 10_000_000_000;

/// DE 11.
pub(super) fn stan(message: &Message) -> Result<Stan, ElementFault> {
    let number = message.number(11).ok_or(ElementFault(11))?;
    Stan::new(number).map_err(|_| ElementFault(11))
}

/// DE 7. The later editions may leave it out, and name a message by its local time, DE 12 with the date, instead.
pub(super) fn transmission(message: &Message) -> Result<Transmission, ElementFault> {
    let local = || message.digits(12).filter(|digits| digits.as_str().len() == 12)?.as_str().parse().ok();
    let found = message.number(7).or_else(|| local().map(|time: u64| time % WITHOUT_YEAR));
    Transmission::new(found.ok_or(ElementFault(7))?).map_err(|_| ElementFault(7))
}

/// DE 32; zero where the processor does not send it, because it is then the only acquirer.
pub(super) fn acquirer(message: &Message) -> Result<AcquirerId, ElementFault> {
    AcquirerId::new(message.number(32).unwrap_or(0)).map_err(|_| ElementFault(32))
}

/// DE 37.
pub(super) fn rrn(message: &Message, pan: &Pan) -> Result<Option<Rrn>, ElementFault> {
    let text = message.characters(37);
    let rrn = text.map(|text| Rrn::from_ascii(&without(pan, without_filler(&text))));
    rrn.transpose().map_err(|_| ElementFault(37))
}

/// The network's own id of the transaction, where the dialect has one.
pub(super) fn network_reference(message: &Message, pan: &Pan) -> Option<NetworkReference> {
    let text: Text<16> = named(message, TextAt::NetworkReference, pan)?;
    NetworkReference::new(text.as_str()).ok()
}

/// The code under which the network approved in our name: what clears it may name nothing else (E18).
pub(super) fn network_code(message: &Message, class: MessageClass) -> Option<OriginalReferences> {
    let code = approval_code(message).filter(|_| class == MessageClass::AuthorizationAdvice)?;
    Some(OriginalReferences { approval_code: Some(code), ..OriginalReferences::default() })
}

/// DE 38 of a message that follows an approval, ours or the network's.
pub(super) fn approval_code(message: &Message) -> Option<ApprovalCode> {
    ApprovalCode::parse(message.text(38)?.trim_end())
}

/// What a message that names an original says of it, each part checked. Unknown parts are `None`.
pub(super) struct Original {
    pub(super) data: OriginalData,
    pub(super) stan: Option<Stan>,
    pub(super) transmission: Option<Transmission>,
    pub(super) acquirer: Option<AcquirerId>,
}

/// The original that a message names; `None` if it names none.
pub(super) fn original(message: &Message, reading: Reading<'_>) -> Result<Option<Original>, ElementFault> {
    let Some(data) = message.original_data() else { return Ok(None) };
    let fault = |at| ElementFault(reading.dialect.locations().element_of(at).unwrap_or(0));
    let by_local_time = data.local_time.filter(|_| !message.has(7)).map(|time| time % WITHOUT_YEAR);
    let transmission = data.transmission.or(by_local_time).map(Transmission::new).transpose();
    Ok(Some(Original {
        data,
        stan: data.stan.map(Stan::new).transpose().map_err(|_| fault(TextAt::OriginalStan))?,
        transmission: transmission.map_err(|_| fault(TextAt::OriginalTransmission))?,
        acquirer: data
            .acquirer
            .map(AcquirerId::new)
            .transpose()
            .map_err(|_| fault(TextAt::OriginalAcquirer))?,
    }))
}

/// What ties a request or advice to an earlier message. One that `follows` another by its nature is tied by what stays
/// through a transaction too; any other only by what it says of an original.
pub(super) fn named_original(
    message: &Message,
    follows: bool,
    pan: &Pan,
    reading: Reading<'_>,
) -> Result<Option<OriginalReferences>, ElementFault> {
    let named = original(message, reading)?;
    let mut references = OriginalReferences::default();
    if let Some(Original { data: _, stan, transmission, acquirer }) = named {
        references = OriginalReferences { stan, transmission, acquirer, ..references };
    }
    if follows || !references.is_empty() {
        references.rrn = rrn(message, pan)?;
        references.network = network_reference(message, pan);
        references.approval_code = approval_code(message);
    }
    Ok((!references.is_empty()).then_some(references))
}
