//! Bugs to plant, one at a time: a simulation that cannot fail is worse than none.

/// What is wrong with the switch, or with the service, in this world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Planted {
    /// Nothing.
    Nothing,
    /// Duties to cancel get lost on their way to the sender.
    CancelLost,
    /// A message that the network repeats is another ask to the service.
    RepeatIsAnotherAsk,
    /// An ask that ran out of time counts as declined, so a late approval stands at the service.
    LateApprovalKept,
    /// An attempt at a duty that failed counts as acknowledged.
    FailureAcknowledges,
    /// Duties that were owed when the switch crashed are not taken up again.
    DutiesForgotten,
    /// The service is asked before the intent to ask is on disk.
    AskedBeforeDurable,
    /// Answers leave before the facts behind them are on disk.
    AnsweredBeforeDurable,
    /// An answer that is not one is taken for an approval.
    NonsenseApproves,
    /// A connection that broke after the ask was sent counts as an ask that was never made.
    ResetIsNotAsked,
    /// The duties of one transaction do not wait for one another.
    DutiesOvertake,
    /// The service acknowledges what it forgets in a crash.
    ServiceForgets,
    /// Of a batch that was being written in a crash, the first facts survive.
    HalfABatchSurvives,
    /// An approval that came too late for the processor stays in force.
    WithheldStands,
}

impl Planted {
    pub(crate) const BUGS: [Self; 13] = [
        Self::CancelLost,
        Self::RepeatIsAnotherAsk,
        Self::LateApprovalKept,
        Self::FailureAcknowledges,
        Self::DutiesForgotten,
        Self::AskedBeforeDurable,
        Self::AnsweredBeforeDurable,
        Self::NonsenseApproves,
        Self::ResetIsNotAsked,
        Self::DutiesOvertake,
        Self::ServiceForgets,
        Self::HalfABatchSurvives,
        Self::WithheldStands,
    ];
}
