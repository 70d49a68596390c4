//! The plan of a run.

use std::path::PathBuf;

use super::guest::Files;
use xtask::Iommu;

use crate::child::Limits;
use crate::harness::Microphone;
use crate::qemu::Pace;

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
    /// Whether dom0's own driver takes the controller, and dom0 has aplay: for comparison.
    pub dom0_plays: bool,
    /// Time limits on the wall clock.
    pub limits: Limits,
}
