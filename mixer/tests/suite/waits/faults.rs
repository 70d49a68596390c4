//! The model's faults.

use snd_hda_model::{Faults, LinkPositionFault};

/// The neighbour's stream descriptor, the first output. No fault of a descriptor is its.
const OTHERS: u32 = !(1 << 4);

/// A fault, whether it is one codec's, and whether the neighbour's own stream needs what is broken.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) is_codecs: bool,
    pub(super) is_neighbours: bool,
    pub(super) set: fn(&mut Faults),
}

const fn fault(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: false, is_neighbours: false, set }
}

const fn fault_of_codec(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: true, is_neighbours: false, set }
}

const fn fault_of_all(name: &'static str, set: fn(&mut Faults)) -> Fault {
    Fault { name, is_codecs: false, is_neighbours: true, set }
}

pub(super) const NO_FAULT: Fault = fault("none", |_| {});

pub(super) const FAULTS: [Fault; 24] = [
    fault_of_codec("silent codec", |faults| faults.silent_codecs = 1),
    fault_of_codec("answers 1 ms late", |faults| faults.answer_late_frames = 48),
    fault_of_codec("answers 20 ms late", |faults| faults.answer_late_frames = 960),
    fault_of_codec("a response lost", |faults| faults.rirb_overrun_once = true),
    fault("CORB dead", |faults| faults.corb_dead = true),
    fault("RIRB dead", |faults| faults.rirb_dead = true),
    fault("RUN stuck", |faults| faults.stuck_run = OTHERS),
    fault("RUN 15 ms late", |faults| faults.run_clear_delay_link_frames = 720),
    fault("SRST never 1", |faults| faults.stream_reset_never_entered = OTHERS),
    fault("SRST never 0", |faults| faults.stream_reset_never_left = OTHERS),
    fault("FIFO never ready", |faults| faults.fifo_never_ready = OTHERS),
    fault("CRST never 0", |faults| faults.reset_never_entered = true),
    fault("CRST never 1", |faults| faults.reset_never_left = true),
    fault("CORBRP's reset reads 0", |faults| faults.corb_pointer_reset_reads_zero = true),
    fault("position buffer dead", |faults| faults.position_buffer_dead = true),
    fault("position buffer ahead", |faults| faults.position_buffer_ahead_bytes = 64),
    fault_of_all("LPIB 0", |faults| faults.link_position = LinkPositionFault::Zero),
    fault_of_all("LPIB garbage", |faults| faults.link_position = LinkPositionFault::Garbage { seed: 1 }),
    fault_of_all("LPIB frozen", |faults| faults.link_position = LinkPositionFault::Frozen),
    fault_of_all("LPIB torn", |faults| faults.link_position = LinkPositionFault::Torn),
    fault_of_all("LPIB in steps", |faults| {
        faults.link_position = LinkPositionFault::Coarse { link_frames: 480 };
    }),
    fault_of_all("WALCLK stopped", |faults| faults.wall_clock_stopped = true),
    fault_of_all("off the bus", |faults| faults.off_the_bus = true),
    fault_of_all("cut off", |faults| (faults.off_the_bus, faults.cut_off) = (true, true)),
];
