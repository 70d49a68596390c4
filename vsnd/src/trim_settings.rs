//! Volume and mute that the administrator sets, for a port or for a guest.
//!
//! ```text
//! snddom/port/output-0/volume   snddom/port/output-0/mute
//! snddom/guest/3/volume         snddom/guest/3/mute
//! ```
//!
//! An invalid value changes nothing: neither is a right. Without its node each has its default.

use audioback::card::Trim;
use sndif::nodes;

use crate::excerpt::Excerpt;
use crate::paths::PathText;

/// A part of a [`Trim`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrimNode {
    Volume,
    Mute,
}

impl TrimNode {
    pub(crate) const ALL: [Self; 2] = [Self::Volume, Self::Mute];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::Mute => "mute",
        }
    }

    /// Puts the default in force.
    pub(crate) fn reset(self, trim: &mut Trim) {
        match self {
            Self::Volume => trim.mdb = 0,
            Self::Mute => trim.is_muted = false,
        }
    }

    /// Puts a value in force; `None`: it is invalid.
    pub(crate) fn set(self, trim: &mut Trim, value: &str) -> Option<()> {
        match (self, value) {
            (Self::Volume, "0") => trim.mdb = 0,
            (Self::Volume, _) => {
                let below = nodes::decimal(value.strip_prefix('-')?)?;
                trim.mdb = 0i32.checked_sub_unsigned(below).filter(|mdb| *mdb >= Trim::MIN_MDB)?;
            }
            (Self::Mute, "0") => trim.is_muted = false,
            (Self::Mute, "1") => trim.is_muted = true,
            (Self::Mute, _) => return None,
        }
        Some(())
    }

    /// Logs a value that is ignored.
    pub(crate) fn log_invalid(self, path: &PathText, value: &str) {
        let allowed = match self {
            Self::Volume => "0 to -100000, in 0.001 dB",
            Self::Mute => "0 or 1",
        };
        log::warn!("{path}: {} is invalid here and ignored; it may be {allowed}", Excerpt::of(value));
    }
}
