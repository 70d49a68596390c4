//! The system's clock, as the back end needs it.

/// A point in time or a span of it, in nanoseconds of the system's clock (Xen system time, or since boot where there
/// is no Xen). 64 bits of nanoseconds last 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

/// A monotone clock.
pub trait Clock {
    /// The time now. Never less than what was returned before.
    fn now(&self) -> Nanos;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Nanos {
        (**self).now()
    }
}

/// A clock that stands still, for one who has looked at a clock already.
impl Clock for Nanos {
    fn now(&self) -> Nanos {
        *self
    }
}
