//! A behavioural model of an Intel High Definition Audio controller, its link and its codecs, to test drivers against.
//!
//! It is written from the specification (Intel High Definition Audio Specification, revision 1.0a) and from what was
//! measured on emulators, and shares nothing with the driver but the traits through which the driver reaches a
//! controller: not one register offset, bit or verb. Register numbers are written out here a second time, on purpose.
//!
//! - **Time is virtual.** It moves with each register access (a settable number of nanoseconds), with each delay that the
//!   driver asks for, and with [`Model::advance_ns`]. The link clock runs off it with a settable drift, in integer
//!   arithmetic that never accumulates a rounding error.
//! - **An endless poll is a failure**: the accesses a test may make are counted ([`Bench::access_budget`]), and the one
//!   too many panics.
//! - **Memory is checked.** The controller touches a page only while the page is allowed to it, for reading and for
//!   writing separately, as behind an IOMMU. A touch outside that is a [`Violation`].
//! - **Rules are checked**, in a strict [`Profile`]: access widths, waits of the reset sequence, registers that must
//!   not change while a stream runs, descriptor-list alignment and so on. Each breach is a [`Violation`] too.
//! - **A violation fails the test**: [`Model::assert_clean`], or else the drop of the model, panics with all of them.
//!
//! Two kinds of controller are ready-made: [`Profile::hardware`], as the specification has it, and [`Profile::qemu`], with
//! the traps of QEMU's emulation; each trait can be changed by itself. [`Faults`] break things while the driver runs.
//! [`Model::played`] is what a converter was sent, frame by frame with the link frame; [`Model::set_source`] what one
//! records; [`Model::true_link_frames`] the position that the driver should find out; [`Model::audible`] which converters are
//! heard at which pins of a codec, [`Model::recorded`] which pins are recorded, through amplifiers, selectors and power states,
//! and [`Model::looped_back`] what goes from inputs to outputs. Codecs are put together by hand ([`Codec::builder`]) or made
//! from what Linux prints about real ones ([`Dump`]).
//!
//! What is simpler than in silicon: samples on the link aren't packed into bits; a verb leaves in each link frame and its
//! answer arrives in the next, never later; writes by DMA are visible at once; CORBRP's reset completes at once;
//! striping, traffic priority and the flush control do nothing.
//!
//! ```
//! use snd_hda::registers::Registers;
//! use snd_hda_model::{Bench, Codec, Profile};
//!
//! let model = Bench::new(Profile::hardware()).codec(0, Codec::duplex()).build();
//! let mut registers = model.registers();
//! registers.write_u32(0x08, 1); // GCTL: leave reset
//! model.advance_ns(1_000_000);
//! assert_eq!(registers.read_u16(0x0e), 1); // STATESTS: a codec at address 0
//! model.assert_clean();
//! ```

#![forbid(unsafe_code)]

mod cadence;
mod clock;
pub mod codec;
mod command;
mod controller;
mod descriptors;
pub mod dump;
mod engine;
mod faults;
mod fifo;
mod format;
mod frame_context;
mod hearing;
mod link;
mod machine;
mod memory;
mod model;
mod played;
mod profile;
mod registers;
mod simulation;
mod stream_registers;
mod violations;

pub use codec::{Codec, SourceFrame};
pub use dump::{Dump, DumpError};
pub use faults::{Faults, LinkPositionFault};
pub use hearing::{Heard, LoopedBack, Recorded};
pub use memory::{DmaAccess, ModelMemory, ModelRegion, PageWords};
pub use model::{Bench, Model, ModelDelay, ModelRegisters, ModelTime};
pub use played::Played;
pub use profile::{Profile, StreamEngine};
pub use simulation::{LinkSimulation, Simulation};
pub use violations::{Rule, Violation};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
