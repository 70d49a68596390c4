//! The model, by register sequences written out by hand.

mod bench;
mod bring_up;
mod capture;
mod clocks;
mod codecs;
mod commands;
mod damaged_dumps;
mod dumps;
mod hearing;
mod opened;
mod playback;
mod power_cycle;
mod qemu;
mod robustness;
mod streams;
mod violations;
