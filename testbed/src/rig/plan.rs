//! The plan of a run.

use std::path::PathBuf;

use super::guest::Files;
use xtask::Iommu;

use crate::child::Limits;
use crate::harness::Microphone;
use crate::qemu::Pace;

/// Sound in dom0. All but `None` is for comparison: the driver domain can't have the controller then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dom0Sound {
    /// Dom0 leaves the controller to the driver domain.
    None,
    /// Dom0's own driver takes the controller, and dom0 has aplay.
    Alsa,
    /// The same, with PipeWire and its pw-cat.
    PipeWire,
}

/// A run of the rig.
pub struct Plan {
    /// Its name, and that of its folder below target/rig.
    pub name: String,
    /// The shell script that dom0 runs once it is up. It uses the functions of `testbed/rig/lib.sh`.
    pub scenario: String,
    /// Shell variables for the scenario.
    pub variables: Vec<(&'static str, String)>,
    /// The image.
    pub image: PathBuf,
    /// The image's level of logging.
    pub log_level: String,
    /// The IOMMU.
    pub iommu: Iommu,
    /// The pace of virtual time.
    pub pace: Pace,
    /// The rate of what listens behind each codec. The first codec is the harness's, the only one that hears something.
    pub codec_rates_hz: Vec<u32>,
    /// The signal at the first codec's line input.
    pub microphone: Microphone,
    /// The guests' files, besides their system.
    pub files: Files,
    /// More files under /rig in dom0: names and contents.
    pub dom0_files: Vec<(String, Vec<u8>)>,
    /// Sound in dom0.
    pub dom0_sound: Dom0Sound,
    /// Time limits on the wall clock.
    pub limits: Limits,
}
