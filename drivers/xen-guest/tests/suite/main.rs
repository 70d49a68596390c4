//! Everything that can be decided without Xen, in one binary.

mod alarm;
mod clock;
mod console;
mod driver_domain;
mod event_channels;
mod guest_channels;
mod presence;
mod support;
mod transactions;
mod wire;
mod xenbus;
mod xenstore;
