//! The prototype of the rate converter's filter, as `build.rs` computes it.
//!
//! It is a sinc function under Kaiser's window for 114 dB, with 40 zero crossings on each side of its centre and 320
//! points from one to the next.

include!(concat!(env!("OUT_DIR"), "/filter_table.rs"));
