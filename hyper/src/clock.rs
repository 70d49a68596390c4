//! System time.

/// A point in time, or a span of it, in nanoseconds.
///
/// On Xen it is the system time (xen.h, `struct vcpu_time_info`), which counts from the boot of Xen; elsewhere it
/// counts from the boot of the program. 64 bits of nanoseconds last 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

/// A monotone clock.
pub trait Clock {
    /// The time now, never less than an earlier answer.
    fn now(&self) -> Nanos;
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> Nanos {
        (**self).now()
    }
}

impl<C: Clock + ?Sized> Clock for &mut C {
    fn now(&self) -> Nanos {
        (**self).now()
    }
}

/// A clock that stands still, for a caller that has read the time already.
impl Clock for Nanos {
    fn now(&self) -> Nanos {
        *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::cell::Cell;

    /// Ticks once at each reading.
    struct Ticking(Cell<u64>);

    impl Clock for Ticking {
        fn now(&self) -> Nanos {
            self.0.set(self.0.get().saturating_add(1));
            Nanos(self.0.get())
        }
    }

    fn twice(clock: impl Clock) -> [Nanos; 2] {
        [clock.now(), clock.now()]
    }

    #[test]
    fn a_reference_to_a_clock_is_that_clock() {
        let mut clock = Ticking(Cell::new(0));
        assert_eq!(twice(&clock), [Nanos(1), Nanos(2)]);
        assert_eq!(twice(&mut clock), [Nanos(3), Nanos(4)]);
        let object: &dyn Clock = &clock;
        assert_eq!(twice(object), [Nanos(5), Nanos(6)]);
    }

    #[test]
    fn a_point_in_time_is_a_clock_that_stands() {
        assert_eq!(twice(Nanos(7)), [Nanos(7), Nanos(7)]);
    }
}
