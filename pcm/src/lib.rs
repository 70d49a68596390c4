#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod channel_map;
mod channels;
mod converter;
mod filter;
mod float;
mod format;
mod g711;
mod gain;
mod linear;
pub mod mix;
mod peak;
mod prototype;
mod rates;
mod signal;
mod volume;

pub use channel_map::ChannelMap;
pub use channels::{Channels, Position};
pub use converter::{Converter, MOST_WORDS, Progress, Start};
pub use format::{Decoded, Encoded, Format};
pub use gain::{Gain, MilliDb};
pub use peak::Peak;
pub use rates::Rates;
pub use signal::{Sample, Signal, Wide};
pub use volume::Volume;
