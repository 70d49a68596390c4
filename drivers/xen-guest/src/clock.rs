//! Xen's system time (xen.h, `struct vcpu_time_info`).

use core::cell::Cell;
use core::sync::atomic::{Ordering, fence};

use hyper::{Clock, Nanos};
use xen_sys::shared_info::VcpuTimeInfo;

/// Limit of tries if Xen changes the page during a read. Xen does so while this virtual
/// processor isn't running, so a second try is rare.
const TRIES: u32 = 100;

/// A private, consistent copy of the system time at a moment, with the rate from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeScale {
    /// The time stamp counter at that moment.
    pub tsc_timestamp: u64,
    /// System time at that moment.
    pub system_time_ns: u64,
    /// Nanoseconds a shifted tick, in units of 2^-32.
    pub mul: u32,
    /// Left shift of ticks, or right shift if negative: -63 to 31.
    pub shift: i8,
}

impl TimeScale {
    /// A consistent copy of the page. `None` if it changed at each read.
    pub fn of(info: &VcpuTimeInfo) -> Option<Self> {
        read_consistently(info, || 0).map(|(scale, _)| scale)
    }

    /// Frequency of the time stamp counter. `None` if the scale is invalid.
    pub fn tsc_hz(&self) -> Option<u64> {
        // Nanoseconds a tick are mul * 2^shift / 2^32. 10^9 fits into 30 bits: shifted by 95 at
        // most, it fits into 125.
        let exponent =
            32_u32.checked_sub_signed(self.shift.into()).filter(|_| (-63..=31).contains(&self.shift))?;
        let hz = (1_000_000_000_u128 << exponent).checked_div(self.mul.into())?;
        u64::try_from(hz).ok().filter(|&hz| hz > 0)
    }

    /// System time when the counter reads `tsc`, at most `u64::MAX`. A counter before the moment
    /// counts as the moment. `None` if the shift is out of range.
    ///
    /// The counter's stamps wrap: a guest's counter starts at 0, and the moment may precede that.
    pub fn ns_at(&self, tsc: u64) -> Option<u64> {
        // Half of all counts are after the moment, half before.
        let after = tsc.wrapping_sub(self.tsc_timestamp);
        let ticks = if after < 1 << 63 { u128::from(after) } else { 0 };
        let shift = u32::from(self.shift.unsigned_abs());
        let shifted = match self.shift {
            0..=31 => ticks << shift,
            -63..=-1 => ticks >> shift,
            _ => return None,
        };
        // 64 bits and a shift of 31 are 95 bits; times 32 bits are 127.
        let ns = shifted.saturating_mul(u128::from(self.mul)) >> 32;
        Some(u64::try_from(ns).unwrap_or(u64::MAX).saturating_add(self.system_time_ns))
    }
}

/// Why a reading of the time failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The page changed at each read.
    #[error("vcpu_time_info changed during each of {TRIES} readings")]
    Torn,
    /// The shift is invalid, as in an uninitialized page.
    #[error("vcpu_time_info says to shift by {0}")]
    BadShift(i8),
}

/// Reads the time once: copies the page and reads the counter by `tsc`, both in one version of the
/// page.
///
/// # Errors
/// See [`TimeError`].
pub fn read(info: &VcpuTimeInfo, tsc: impl Fn() -> u64) -> Result<Nanos, TimeError> {
    let (scale, tsc) = read_consistently(info, tsc).ok_or(TimeError::Torn)?;
    scale.ns_at(tsc).map(Nanos).ok_or(TimeError::BadShift(scale.shift))
}

/// Copies the page and reads the counter in one version of the page. `None` if it changed at each
/// try.
fn read_consistently(info: &VcpuTimeInfo, tsc: impl Fn() -> u64) -> Option<(TimeScale, u64)> {
    for _ in 0..TRIES {
        // An odd version marks a change in progress.
        let version = info.version.load(Ordering::Acquire);
        if version & 1 != 0 {
            core::hint::spin_loop();
            continue;
        }
        let scale = TimeScale {
            tsc_timestamp: info.tsc_timestamp.load(Ordering::Relaxed),
            system_time_ns: info.system_time.load(Ordering::Relaxed),
            mul: info.tsc_to_system_mul.load(Ordering::Relaxed),
            shift: info.tsc_shift.load(Ordering::Relaxed),
        };
        let tsc = tsc();
        // Finish all reads above before the version is read again.
        fence(Ordering::Acquire);
        if info.version.load(Ordering::Relaxed) == version {
            return Some((scale, tsc));
        }
    }
    None
}

/// Xen's system time as a [`Clock`]: the same nanoseconds as for the virtual processor's timer.
#[derive(Debug)]
pub struct XenClock<'a, T> {
    info: &'a VcpuTimeInfo,
    tsc: T,
    last: Cell<Nanos>,
}

impl<'a, T: Fn() -> u64> XenClock<'a, T> {
    /// A clock from this virtual processor's page. `tsc` reads the time stamp counter, ordered
    /// with the surrounding loads.
    ///
    /// # Errors
    /// The time can't be read.
    pub fn new(info: &'a VcpuTimeInfo, tsc: T) -> Result<Self, TimeError> {
        let now = read(info, &tsc)?;
        Ok(Self { info, tsc, last: Cell::new(now) })
    }
}

impl<T: Fn() -> u64> Clock for XenClock<'_, T> {
    /// Monotone, even if the counters of two physical processors disagree.
    fn now(&self) -> Nanos {
        // A reading that fails returns the previous time.
        if let Ok(now) = read(self.info, &self.tsc) {
            self.last.set(now.max(self.last.get()));
        }
        self.last.get()
    }
}
