//! Positions from the control page, without a system call.

use std::sync::Arc;

use audiofront::ControlPage;
use hyper::SharedPage;
use sndif::control_page::{Header, HeaderError, ReadError, Slot};

use crate::clock::Clock;
use crate::transport::Page;

/// Reads a stream's position from the control page: no system call, no hypercall, no event.
///
/// [`Card::position`](crate::Card::position) makes one.
#[derive(Debug)]
pub struct PositionReader<P = Page> {
    control: Arc<ControlPage<P>>,
    stream: usize,
    clock: Arc<Clock>,
}

/// The position of a stream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Frames through the link since START: the last published pair, extrapolated to now.
    pub frames: u64,
    /// Error bound in nanoseconds, either way: the pair's own and that of Xen's time in this guest.
    pub error_ns: u64,
    /// This guest's time ([`Clock::now_ns`]) of this position.
    pub guest_ns: u64,
    /// As [`Slot::generation`]: frames of different generations aren't comparable.
    pub generation: u32,
}

/// The present position of a stream, with the published slot behind it.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The position.
    pub at: Frames,
    /// Age of the published pair.
    pub age_ns: u64,
    /// Xen's system time of this position.
    pub system_ns: u64,
    /// The published slot.
    pub slot: Slot,
}

impl<P> Clone for PositionReader<P> {
    fn clone(&self) -> Self {
        Self { control: self.control.clone(), stream: self.stream, clock: self.clock.clone() }
    }
}

impl<P: SharedPage> PositionReader<P> {
    /// Creates a reader of slot `stream` of a control page, for any transport.
    pub fn new(control: Arc<ControlPage<P>>, stream: usize, clock: Arc<Clock>) -> Self {
        Self { control, stream, clock }
    }

    /// The slot as last published by the back end.
    ///
    /// # Errors
    /// The back end was writing at each attempt, or the slot is invalid.
    #[inline]
    pub fn slot(&self) -> Result<Slot, ReadError> {
        self.control.slot(self.stream)
    }

    /// The position with its slot. `None`: the back end has published no position, or this guest
    /// doesn't know Xen's time yet.
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    #[inline]
    pub fn now(&self) -> Result<Option<Position>, ReadError> {
        let slot = self.slot()?;
        Ok(self.carried_on(&slot).map(|(at, system_ns)| Position {
            at,
            age_ns: system_ns.saturating_sub(slot.time_ns),
            system_ns,
            slot,
        }))
    }

    /// The position alone, for frequent reads. It reads fewer words of the page than
    /// [`now`](Self::now).
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    #[inline]
    pub fn frames(&self) -> Result<Option<Frames>, ReadError> {
        let slot = self.control.position(self.stream)?;
        Ok(self.carried_on(&slot).map(|(at, _)| at))
    }

    /// A slot's position extrapolated to now, and Xen's time now.
    #[inline]
    fn carried_on(&self, slot: &Slot) -> Option<(Frames, u64)> {
        let guest_ns = self.clock.now_ns();
        let system = self.clock.to_system(guest_ns)?;
        let at = Frames {
            frames: slot.frames_at(system.time_ns)?,
            error_ns: u64::from(slot.error_ns).saturating_add(system.error_ns),
            guest_ns,
            generation: slot.generation,
        };
        Some((at, system.time_ns))
    }

    /// The header of the control page.
    ///
    /// # Errors
    /// The header is invalid.
    pub fn header(&self) -> Result<Header, HeaderError> {
        self.control.header()
    }

    /// This guest's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
