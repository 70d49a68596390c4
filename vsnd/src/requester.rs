//! The parts of this domain that ask xenstored. A reply is dispatched to the one that asked.

/// One device's stay in the device table.
///
/// The generation tells it from devices that had the slot before it, or will have it afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceKey {
    pub(crate) slot: usize,
    pub(crate) generation: u32,
}

/// A part of this domain that asks xenstored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requester {
    StatusPublisher,
    Shutdown,
    DeviceScan,
    Settings,
    Guests,
    Device(DeviceKey),
}
