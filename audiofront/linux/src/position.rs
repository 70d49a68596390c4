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

/// Where a stream is now.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Frames through the link since START, now: computed from the last published pair and the time since.
    pub frames: u64,
    /// By how much that may be wrong to either side, as a time: what the back end says of its pair, and what is not known of
    /// Xen's time in this guest.
    pub error_ns: u64,
    /// This guest's time ([`Clock::now_ns`]) at which it is true.
    pub guest_ns: u64,
    /// Age of the published pair.
    pub age_ns: u64,
    /// What was published.
    pub slot: Slot,
}

/// How far a stream is now, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// As [`Position::frames`].
    pub frames: u64,
    /// As [`Position::error_ns`].
    pub error_ns: u64,
    /// As [`Position::guest_ns`].
    pub guest_ns: u64,
    /// As [`Slot::generation`]: frames of two generations have nothing to do with each other.
    pub generation: u32,
}

impl<P> Clone for PositionReader<P> {
    fn clone(&self) -> Self {
        Self { control: self.control.clone(), stream: self.stream, clock: self.clock.clone() }
    }
}

impl<P: SharedPage> PositionReader<P> {
    /// A reader of slot `stream` of a control page, whichever transport has it.
    pub fn new(control: Arc<ControlPage<P>>, stream: usize, clock: Arc<Clock>) -> Self {
        Self { control, stream, clock }
    }

    /// What the back end has published last.
    ///
    /// # Errors
    /// When it was writing each time, or what stands there makes no sense.
    #[inline]
    pub fn slot(&self) -> Result<Slot, ReadError> {
        self.control.slot(self.stream)
    }

    /// The position now. `None`: the back end has published none yet, or Xen's time isn't known yet in this guest.
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    #[inline]
    pub fn now(&self) -> Result<Option<Position>, ReadError> {
        let slot = self.slot()?;
        let guest_ns = self.clock.now_ns();
        Ok(self.clock.to_system(guest_ns).and_then(|system| {
            let frames = slot.frames_at(system.time_ns)?;
            Some(Position {
                frames,
                error_ns: u64::from(slot.error_ns).saturating_add(system.error_ns),
                guest_ns,
                age_ns: system.time_ns.saturating_sub(slot.time_ns),
                slot,
            })
        }))
    }

    /// How far the stream is now: what [`now`](Self::now) says of it, for those who ask often.
    ///
    /// # Errors
    /// As [`slot`](Self::slot).
    #[inline]
    pub fn frames(&self) -> Result<Option<Frames>, ReadError> {
        let slot = self.control.position(self.stream)?;
        let guest_ns = self.clock.now_ns();
        Ok(self.clock.to_system(guest_ns).and_then(|system| {
            Some(Frames {
                frames: slot.frames_at(system.time_ns)?,
                error_ns: u64::from(slot.error_ns).saturating_add(system.error_ns),
                guest_ns,
                generation: slot.generation,
            })
        }))
    }

    /// The header of the control page.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn header(&self) -> Result<Header, HeaderError> {
        self.control.header()
    }

    /// This guest's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}
