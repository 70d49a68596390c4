//! The administrator's settings of the card's ports.
//!
//! ```text
//! snddom/port/output-0/mode     how streams use the port
//! snddom/port/output-0/rate     the rate at which it mixes
//! snddom/port/output-0/volume   the volume and the mute of all its streams: trim_settings.rs
//! snddom/port/output-0/mute
//! snddom/port/output-0/peak     asks for its peaks, by a number: peak_request.rs
//! ```

use audioback::card::{MAX_PORT_SETUPS, PortMode, PortSetup};
use audioback::rights::Right;
use heapless::Vec;
use sndif::nodes;

use crate::excerpt::Excerpt;
use crate::paths::OWN;
use crate::port_name::PortName;
use crate::ports::Ports;
use crate::trim_settings::TrimNode;

/// The directory of all ports' settings, below [`OWN`].
pub(crate) const DIRECTORY: &str = "port";

/// Rates that each port may mix at, in Hz.
const COMMON_RATES_HZ: [u32; 6] = [44_100, 48_000, 88_200, 96_000, 176_400, 192_000];

/// Names without a port that are logged, each once.
const MAX_LOGGED: usize = 8;

/// A setting of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortNode {
    Mode,
    Rate,
    Trim(TrimNode),
    /// A request, and no setting.
    Peak,
}

impl PortNode {
    pub(crate) const ALL: [Self; 5] =
        [Self::Mode, Self::Rate, Self::Trim(TrimNode::Volume), Self::Trim(TrimNode::Mute), Self::Peak];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Rate => "rate",
            Self::Trim(node) => node.name(),
            Self::Peak => "peak",
        }
    }

    /// Puts the default in force.
    pub(crate) fn reset(self, setup: &mut PortSetup) {
        let default = PortSetup::default();
        match self {
            Self::Mode => setup.mode = default.mode,
            Self::Rate => setup.rate_hz = default.rate_hz,
            Self::Trim(node) => node.reset(&mut setup.trim),
            Self::Peak => {}
        }
    }

    /// Puts a value in force; `None`: it is invalid. `rates_hz` are the port's own.
    pub(crate) fn set(self, setup: &mut PortSetup, value: &str, rates_hz: &[u32]) -> Option<()> {
        match self {
            Self::Mode => {
                setup.mode = match value {
                    "direct" => PortMode::Direct,
                    "shared" => PortMode::Shared,
                    "auto" => PortMode::Auto,
                    _ => return None,
                }
            }
            Self::Rate => {
                let is_valid =
                    |rate: &u32| *rate != 0 && (COMMON_RATES_HZ.contains(rate) || rates_hz.contains(rate));
                setup.rate_hz = Some(nodes::decimal(value).filter(is_valid)?);
            }
            Self::Trim(node) => node.set(&mut setup.trim, value)?,
            Self::Peak => {}
        }
        Some(())
    }
}

/// The place of a port's settings. `None`: the card has no such port, or one without settings, as a
/// monitor: it has its output's.
pub(crate) fn index(port: PortName, ports: &Ports) -> Option<usize> {
    let index = ports.find(port).filter(|_| port.right != Right::Hear)?;
    Some(usize::from(index.0)).filter(|index| *index < MAX_PORT_SETUPS)
}

/// Names in [`DIRECTORY`] that aren't those of ports with settings.
#[derive(Debug, Default)]
pub(crate) struct UnknownPorts {
    logged: Vec<Excerpt, MAX_LOGGED>,
}

impl UnknownPorts {
    /// Logs a name, unless it is known already or the log has had enough of them.
    pub(crate) fn log(&mut self, name: &str) {
        if self.logged.is_full() {
            return;
        }
        let name = Excerpt::of(name);
        if !self.logged.contains(&name) {
            log::warn!("{OWN}/{DIRECTORY}: {name} is no port that has settings here, and ignored");
            crate::bounded::append(&mut self.logged, name);
        }
    }
}
