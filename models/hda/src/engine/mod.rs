//! A stream engine: what a stream descriptor does in each link frame.
//!
//! - `state`: what the engine keeps.
//! - `frame`: the course of a link frame; RUN takes effect at its beginning.
//! - `samples`: between FIFO and link, as the specification has it; `steps`: as QEMU does it.
//! - `dma`: between memory and FIFO; `position`: what LPIB shows.

mod dma;
mod frame;
mod position;
mod samples;
mod state;
mod steps;

pub(crate) use state::{BUFFER_COMPLETED, DESCRIPTOR_ERROR, Engine, FIFO_ERROR, FIFO_READY, Kind};
