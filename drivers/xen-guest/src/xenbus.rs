//! The back end's side of the handshake with a front end and with the toolstack (xenbus.h; libxl's handling of devices).
//!
//! A pure state machine: [`BackEnd::step`] names the next step for the nodes' values; [`BackEnd::done`] takes its outcome.
//! The caller reads the nodes, acts, and writes each new [`BackEnd::state`] into the back end's own `state` node, by
//! [`switch_state`].

use sndif::state::XenbusState;

use crate::xenstore::{Operation, Path};

/// Connections in a row that may fail before a front end is left alone: one that is broken or malicious would go on for ever.
/// One that fails after it was made is among them, unless it has [`lived`](BackEnd::lived).
pub const MAX_FAILED_CONNECTS: u8 = 8;

/// The values of a device's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The back end's directory is there.
    pub directory: bool,
    /// `online` in the back end's directory is 1: the device is wanted.
    pub online: bool,
    /// `state` in the back end's directory, which the toolstack may have set to Closing. Read after all that this side
    /// has written there was answered, or else it is this side's own past.
    pub own_node: Option<XenbusState>,
    /// `state` in the front end's directory; `None` if there is none, or if it makes no sense.
    pub front: Option<XenbusState>,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Nothing: wait for a node to change.
    Wait,
    /// Read the front end's directory, once, and make the device ready for it.
    SetUp,
    /// Read the front end's transport nodes, map its rings, bind its channels.
    Connect,
    /// Stop DMA, unmap and unbind everything.
    Close,
    /// Closed, and still wanted: wait for a front end once more, with the settings known from before.
    Reopen,
    /// Remove the back end's own directory, and then forget the device.
    RemoveDirectory,
    /// The directory is gone, and nothing is mapped any more: forget the device.
    Forget,
}

/// How a [`Step`] went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is under way and may take its time: a stream whose RUN sticks can't be closed yet.
    Underway,
    /// It can't be done.
    Failed,
}

/// A back end's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackEnd {
    state: XenbusState,
    /// The settings are no good: this device will never be of use.
    unusable: bool,
    failed_connects: u8,
}

impl Default for BackEnd {
    fn default() -> Self {
        Self::new()
    }
}

impl BackEnd {
    /// A device whose directory has just appeared.
    ///
    /// Also one that an earlier run of this domain has left behind: nothing of it is left here, whatever its `state`.
    pub const fn new() -> Self {
        Self { state: XenbusState::Initialising, unusable: false, failed_connects: 0 }
    }

    /// The state that the `state` node is to show.
    pub const fn state(&self) -> XenbusState {
        self.state
    }

    /// The next step for these values.
    pub fn step(&self, view: &View) -> Step {
        use XenbusState::{
            Closed, Closing, Connected, InitWait, Initialised, Initialising, Reconfigured, Reconfiguring,
        };
        // The toolstack takes a device away by `online` and by setting this state, whichever is seen first.
        let told_to_close =
            view.own_node == Some(Closing) && !matches!(self.state, Closing | Closed | Initialising);
        let wanted = view.directory && view.online;
        match self.state {
            // Nothing is held yet, so there is nothing to close.
            Initialising if !view.directory => Step::Forget,
            Initialising if !wanted => Step::Close,
            Initialising => Step::SetUp,
            InitWait | Connected | Initialised | Reconfiguring | Reconfigured if !wanted || told_to_close => {
                Step::Close
            }
            InitWait => match view.front {
                Some(Initialised) => Step::Connect,
                // A front end that has left stays at 6 until its driver comes back; one still at 4 has yet to see that
                // its old back end is gone.
                _ => Step::Wait,
            },
            Connected => match view.front {
                Some(Initialised | Connected | Reconfiguring | Reconfigured) => Step::Wait,
                // It leaves, has begun anew without leaving, or is gone.
                Some(Initialising | InitWait | Closing | Closed) | None => Step::Close,
            },
            // Not used on this side.
            Initialised | Reconfiguring | Reconfigured => Step::Close,
            // Until it is done.
            Closing => Step::Close,
            Closed if !view.directory => Step::Forget,
            Closed if !view.online => Step::RemoveDirectory,
            Closed if self.unusable || self.failed_connects >= MAX_FAILED_CONNECTS => Step::Wait,
            Closed => match view.front {
                // It has seen that this end is closed, or has closed itself.
                Some(Initialising | InitWait | Closing | Closed) => Step::Reopen,
                // It would take the new state for one of the old connection's; or there is no front end.
                _ => Step::Wait,
            },
        }
    }

    /// Takes note of how a step went.
    pub fn done(&mut self, step: Step, outcome: Outcome) {
        self.state = match (step, outcome) {
            (Step::Wait | Step::RemoveDirectory | Step::Forget, _)
            | (Step::SetUp | Step::Reopen | Step::Connect, Outcome::Underway) => self.state,
            (Step::SetUp | Step::Reopen, Outcome::Done) => XenbusState::InitWait,
            // Nothing is held, so it is closed at once.
            (Step::SetUp | Step::Reopen, Outcome::Failed) => {
                self.unusable = true;
                XenbusState::Closed
            }
            (Step::Connect, Outcome::Done) => XenbusState::Connected,
            (Step::Connect, Outcome::Failed) => {
                self.failed_connects = self.failed_connects.saturating_add(1);
                XenbusState::Closing
            }
            (Step::Close, Outcome::Done) => XenbusState::Closed,
            (Step::Close, Outcome::Underway | Outcome::Failed) => XenbusState::Closing,
        };
    }

    /// The connection has lasted as those of a front end in its right mind do: earlier failures are forgotten. Making it is
    /// not enough, or one that connects and breaks its ring at once would go on for ever.
    pub fn lived(&mut self) {
        self.failed_connects = 0;
    }

    /// This end wants no more of the connection, as when a ring is broken: the next step is [`Step::Close`].
    pub fn fail(&mut self) {
        if self.state == XenbusState::Connected {
            self.failed_connects = self.failed_connects.saturating_add(1);
            self.state = XenbusState::Closing;
        }
    }
}

/// The transaction that writes a state, unless the node is gone: then the device was removed, and must stay so.
pub fn switch_state(node: Path<'_>, state: XenbusState) -> [Operation<'_>; 2] {
    [Operation::Expect(node), Operation::Write(node, state.node())]
}
