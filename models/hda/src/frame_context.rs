//! The parts of the machine that engines and command rings use in a link frame.

use crate::faults::Faults;
use crate::link::Link;
use crate::memory::PageTable;
use crate::profile::Profile;
use crate::violations::Violations;

/// The parts of the machine that engines and command rings use in a link frame.
pub(crate) struct FrameContext<'a> {
    pub(crate) frame: u64,
    pub(crate) now_ns: u64,
    pub(crate) profile: &'a Profile,
    pub(crate) faults: &'a mut Faults,
    pub(crate) memory: &'a PageTable,
    pub(crate) violations: &'a mut Violations,
    pub(crate) link: &'a mut Link,
    /// DMA position buffer, if enabled.
    pub(crate) position_buffer: Option<u64>,
    /// The stream's SSYNC bit is set.
    pub(crate) held: bool,
}
