//! The back end's handshake with a front end and the toolstack (xenbus.h; libxl's device
//! handling).
//!
//! This is a pure state machine. [`BackEnd::step`] derives the next step from the nodes' values;
//! [`BackEnd::done`] takes its outcome. The caller reads the nodes and acts. It writes each new
//! [`BackEnd::state`] into the back end's own `state` node by [`switch_state`].

use sndif::state::XenbusState;

use crate::xenstore::{Operation, Path};

/// Consecutive failed connections before the back end ignores a front end. Otherwise a broken or
/// malicious one would retry forever.
///
/// A connection that fails later also counts, unless it has [`lived`](BackEnd::lived).
pub const MAX_FAILED_CONNECTS: u8 = 8;

/// The values of a device's nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// The back end's directory exists.
    pub directory: bool,
    /// `online` in the back end's directory is 1: the device is wanted.
    pub online: bool,
    /// `state` in the back end's directory; the toolstack may have set it to Closing.
    ///
    /// Read it after the answers to all of this side's own writes; otherwise it is out of date.
    pub own_node: Option<XenbusState>,
    /// `state` in the front end's directory; `None` if missing or invalid.
    pub front: Option<XenbusState>,
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// None: wait for a node to change.
    Wait,
    /// Read the front end's directory once, and prepare the device.
    SetUp,
    /// Read the front end's transport nodes, map its rings, bind its channels.
    Connect,
    /// Stop DMA, unmap and unbind everything.
    Close,
    /// Closed, and still wanted: wait for a front end again, with the known settings.
    Reopen,
    /// Remove the back end's own directory, then forget the device.
    RemoveDirectory,
    /// The directory is gone and nothing is mapped: forget the device.
    Forget,
}

/// The outcome of a [`Step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done.
    Done,
    /// In progress for any length of time: a stream whose RUN sticks can't be closed yet.
    Underway,
    /// Impossible.
    Failed,
}

/// A back end's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackEnd {
    state: XenbusState,
    /// The settings are invalid: the device stays unusable.
    unusable: bool,
    failed_connects: u8,
}

/// A device whose directory has just appeared.
///
/// An earlier run of this domain may have left the directory behind. Whatever its `state`,
/// nothing of that run remains.
impl Default for BackEnd {
    fn default() -> Self {
        Self { state: XenbusState::Initialising, unusable: false, failed_connects: 0 }
    }
}

impl BackEnd {
    /// The value for the `state` node.
    pub const fn state(&self) -> XenbusState {
        self.state
    }

    /// The next step for these values.
    pub fn step(&self, view: &View) -> Step {
        use XenbusState::{
            Closed, Closing, Connected, InitWait, Initialised, Initialising, Reconfigured, Reconfiguring,
        };
        // The toolstack removes a device by `online` and this state; either may be seen first.
        let told_to_close =
            view.own_node == Some(Closing) && !matches!(self.state, Closing | Closed | Initialising);
        let wanted = view.directory && view.online;
        match self.state {
            // Nothing is held yet, so nothing needs closing.
            Initialising if !view.directory => Step::Forget,
            Initialising if !wanted => Step::Close,
            Initialising => Step::SetUp,
            InitWait | Connected | Initialised | Reconfiguring | Reconfigured if !wanted || told_to_close => {
                Step::Close
            }
            InitWait => match view.front {
                Some(Initialised) => Step::Connect,
                // A closed front end stays at 6 until its driver comes back. One still at 4 has
                // yet to see that its old back end is gone.
                _ => Step::Wait,
            },
            Connected => match view.front {
                Some(Initialised | Connected | Reconfiguring | Reconfigured) => Step::Wait,
                // It leaves, has restarted without leaving, or is gone.
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
                // It would take the new state for the old connection's, or no front end exists.
                _ => Step::Wait,
            },
        }
    }

    /// Records a step's outcome.
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

    /// The connection has lasted as long as a healthy front end's: forget earlier failures.
    ///
    /// A made connection is not enough: one that connects and breaks its ring at once would retry
    /// forever.
    pub fn lived(&mut self) {
        self.failed_connects = 0;
    }

    /// This end closes the connection, for example after a ring error: the next step is
    /// [`Step::Close`].
    pub fn fail(&mut self) {
        if self.state == XenbusState::Connected {
            self.failed_connects = self.failed_connects.saturating_add(1);
            self.state = XenbusState::Closing;
        }
    }
}

/// The transaction that writes a state, unless the node is gone: a removed device must stay
/// removed.
pub fn switch_state(node: Path<'_>, state: XenbusState) -> [Operation<'_>; 2] {
    [Operation::Expect(node), Operation::Write(node, state.node())]
}
