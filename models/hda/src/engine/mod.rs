//! A stream engine: the work of a stream descriptor in each link frame.
//!
//! - `state`: the engine's state.
//! - `frame`: the steps of a link frame; RUN takes effect at its beginning.
//! - `samples`: between FIFO and link, as the specification says; `steps`: as QEMU does it.
//! - `dma`: between memory and FIFO; `position`: the value of LPIB.

mod dma;
mod frame;
mod position;
mod samples;
mod state;
mod steps;

pub(crate) use state::{BUFFER_COMPLETED, DESCRIPTOR_ERROR, Engine, FIFO_ERROR, FIFO_READY, Kind};
