//! What a run is to do.

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
    /// What dom0 does once it's up: a shell script, written with what `testbed/rig/lib.sh` has.
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
    /// What the first codec's line input hears.
    pub microphone: Microphone,
    /// What the guests have, besides their system.
    pub files: Files,
    /// What dom0 has under /rig besides: names and contents.
    pub dom0_files: Vec<(String, Vec<u8>)>,
    /// Whether dom0's own driver takes the controller, and dom0 has aplay: for comparison.
    pub dom0_plays: bool,
    /// How long it may take, on the wall.
    pub limits: Limits,
}
