//! The nodes that one transaction writes with a state of the back end.

use core::fmt::{Arguments, Display};

use audioback::device::MAX_STREAMS;
use heapless::{String, Vec};
use sndif::nodes::{self, VolumeRange};
use sndif::state::XenbusState;
use xen_guest::xenbus::switch_state;
use xen_guest::xenstore::Operation;

use crate::bounded;
use crate::card_config::FoundStream;
use crate::paths::{DeviceId, PathText, StreamId};

/// Bytes of the longest value: two signed numbers, an unsigned one, and a digit.
const VALUE_BYTES: usize = 40;

/// The offers to a front end: the protocol's version (version 1 has no event page), and this
/// project's extensions, which standard front ends ignore.
const OFFERS: [(&str, &str); 3] =
    [(nodes::VERSIONS, "2"), (nodes::FEATURE_CONTROL_PAGE, "1"), (nodes::FEATURE_LINKED_START, "1")];
const _: () = assert!(sndif::PROTOCOL_VERSION == 2 && OFFERS.len() <= MAX_STREAMS);

/// The range in the place of an earlier one, if neither volume nor mute can be set any more.
const NO_VOLUME: VolumeRange = VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: false };

/// The nodes that one transaction writes with a state of the back end.
///
/// A front end that reads the state finds the others written.
pub(super) struct StateWrite {
    state: XenbusState,
    state_path: PathText,
    others: Vec<(PathText, String<VALUE_BYTES>), MAX_STREAMS>,
}

impl StateWrite {
    pub(super) fn new(id: DeviceId, state: XenbusState, streams: &[FoundStream]) -> Self {
        let mut write = Self { state, state_path: id.own_node(nodes::STATE), others: Vec::new() };
        match state {
            XenbusState::InitWait => {
                for (name, value) in OFFERS {
                    write.add(id, name, format_args!("{value}"));
                }
            }
            // Not with an earlier state: no front end needs it before a stream is open.
            XenbusState::Connected => {
                for FoundStream { id: StreamId { pcm, stream }, config, had_volume, .. } in streams {
                    let volume = config.abilities.volume.or_else(|| had_volume.then_some(NO_VOLUME));
                    if let Some(range) = volume {
                        let name = format_args!("{pcm}/{stream}/{}", nodes::VOLUME_RANGE);
                        write.add(id, name, format_args!("{range}"));
                    }
                }
            }
            XenbusState::Initialising
            | XenbusState::Initialised
            | XenbusState::Closing
            | XenbusState::Closed
            | XenbusState::Reconfiguring
            | XenbusState::Reconfigured => {}
        }
        write
    }

    fn add(&mut self, id: DeviceId, name: impl Display, value: Arguments<'_>) {
        bounded::append(&mut self.others, (id.own_node(name), bounded::format(value)));
    }

    /// The transaction's operations: the state is expected first, and written last.
    pub(super) fn operations(&self) -> Vec<Operation<'_>, { MAX_STREAMS + 2 }> {
        let mut operations = Vec::new();
        // The path of two numbers and a word always fits.
        if let Ok(state_path) = self.state_path.path() {
            let [expect, write] = switch_state(state_path, self.state);
            bounded::append(&mut operations, expect);
            for (path, value) in &self.others {
                if let Ok(path) = path.path() {
                    bounded::append(&mut operations, Operation::Write(path, value));
                }
            }
            bounded::append(&mut operations, write);
        }
        operations
    }
}
