//! A behavioural model of an Intel High Definition Audio controller, its link and its codecs, for
//! driver tests.
//!
//! It follows the specification (Intel High Definition Audio Specification, revision 1.0a) and
//! measurements on emulators. It shares only the driver's traits for registers and DMA memory. It
//! deliberately defines all register offsets, bits and verbs anew.
//!
//! - **Time is virtual.** It advances with each register access, by a settable number of
//!   nanoseconds. It also advances with each delay of the driver, and with [`Model::advance_ns`].
//!   The link clock follows with a settable drift, in integer arithmetic without rounding errors.
//! - **An endless poll is a failure.** A test has a budget of accesses ([`Bench::access_budget`]).
//!   The first access beyond it panics.
//! - **Memory is checked.** The controller may touch a page only while a test allows it. As behind
//!   an IOMMU, reading and writing have separate rights. Any other touch is a [`Violation`].
//! - **Rules are checked** in a strict [`Profile`], such as access widths and waits in the reset
//!   sequence. Others are registers that must not change while a stream runs, and the alignment of
//!   descriptor lists. Each breach is a [`Violation`].
//! - **A violation fails the test**: [`Model::assert_clean`] panics with all of them, and so does
//!   the drop of the model.
//!
//! Two kinds of controller are ready-made. [`Profile::hardware`] follows the specification;
//! [`Profile::qemu`] has the deviations of QEMU's emulation. A test can change each trait by
//! itself. [`Faults`] break things while the driver runs.
//!
//! Tests compare the driver's results with the truth:
//!
//! - [`Model::played`]: the frames that a converter received, each with its link frame.
//! - [`Model::set_source`]: the samples that a converter records.
//! - [`Model::true_link_frames`]: the position that the driver should find.
//! - [`Model::audible`] and [`Model::recorded`]: the converters audible at each pin, and the
//!   recorded pins. They include amplifiers, selectors and power states.
//! - [`Model::looped_back`]: sound that passes from inputs to outputs.
//!
//! [`Codec::builder`] builds a codec by hand. [`Dump`] builds one from the text that Linux prints
//! about a real codec.
//!
//! The model is simpler than silicon. Samples on the link aren't packed into bits. One verb leaves
//! in each link frame, and its answer arrives in the next. Writes by DMA are visible at once.
//! CORBRP's reset completes at once. Striping, traffic priority and the flush control do nothing.
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
mod random;
mod registers;
mod simulation;
mod stream_registers;
mod violations;

pub use codec::{Codec, SourceFrame};
pub use dump::{Dump, DumpError};
pub use faults::{Faults, LinkPositionFault};
pub use hearing::{Heard, LoopedBack};
pub use memory::{DmaAccess, ModelMemory, ModelRegion, PageWords};
pub use model::{Bench, Model, ModelDelay, ModelRegisters};
pub use played::Played;
pub use profile::{Profile, StreamEngine};
pub use simulation::{LinkSimulation, Simulation};
pub use violations::{Rule, Violation};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
