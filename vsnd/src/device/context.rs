//! What all devices share in a turn.

use audioback::rights::Policy;

use crate::guests::Guests;
use crate::ports::Ports;

/// The hypervisor and the card.
pub(crate) struct Hardware<'a, H, C> {
    pub(crate) hypervisor: &'a mut H,
    pub(crate) card: &'a mut C,
}

/// The facts that all devices share.
pub(crate) struct Common<'a> {
    pub(crate) ports: &'a Ports,
    /// The rights of guests that have none of their own; `None` until they have been read.
    pub(crate) policy: Option<&'a Policy>,
    pub(crate) guests: &'a Guests,
    /// The domain ends: all devices are to be closed.
    pub(crate) is_ending: bool,
    /// Devices that are writing a state.
    pub(crate) writing: usize,
}
