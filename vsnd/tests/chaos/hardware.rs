//! The hardware's models, and what befalls them.

use snd_hda::registers::Registers;
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Faults, LinkPositionFault, Model, Profile};

use crate::act::{Blow, Fault};
use crate::world::{DESCRIPTORS, World};

/// The laptop's jacks and its codec: a speaker (pin 0x14) and headphones (0x15) with converters of their own, a built-in
/// microphone (0x12) and one with a jack (0x18), which either input converter hears.
fn laptop() -> Codec {
    let mixer = |sources: &[u8]| Widget::mixer(sources).amp_in(Amplifier::MUTE_ONLY).muted_at_reset();
    Codec::builder(0x1234_0006)
        .widget(0x02, Widget::dac())
        .widget(0x03, Widget::dac())
        .widget(0x08, Widget::adc(0x0a))
        .widget(0x09, Widget::adc(0x0b))
        .widget(0x0a, mixer(&[0x12, 0x18]))
        .widget(0x0b, mixer(&[0x12, 0x18]))
        // Fixed, internal, microphone.
        .widget(0x12, Widget::microphone().configuration(0x90a0_0140))
        .widget(0x14, Widget::speaker(&[0x02, 0x03]))
        .widget(0x15, Widget::headphone(&[0x02, 0x03]).unsolicited())
        .widget(0x18, Widget::microphone().unsolicited())
        .build()
}

/// A laptop's codec, the good guests' codec, and a third one. Their clock depends on the seed, and soon wraps for one of two.
pub fn model(seed: u64) -> Model {
    let wall_clock_start = if seed & 1 == 0 { 0 } else { u32::MAX - 2 * 24_000_000 };
    let model = Bench::new(Profile { wall_clock_start, ..Profile::hardware() })
        .codec(0, laptop())
        .codec(1, Codec::any_format(4))
        .codec(2, Codec::duplex())
        .drift_ppm((seed % 401) as i32 - 200)
        .build();
    for jack in [0x15, 0x18] {
        model.plug(0, jack, false);
    }
    model.set_source(1, 4, |frame, _| (frame.link_frame & 0xfff_ffff) as i32 | 1 << 28);
    model
}

impl World<'_> {
    /// The descriptors whose streams are at the good guests' converters, a bit each.
    pub fn good_descriptors(&self) -> u32 {
        let tags =
            [(1, 2), (1, 4), (0, 2), (0, 3)].map(|(codec, node)| self.model.converter_setting(codec, node).0);
        let mut registers = self.model.registers();
        // SDnCTL bits 23 to 20 (HDA specification 1.0a, 3.3.35); inputs and outputs have tags of their own.
        let mut tag = |descriptor: u8| registers.read_u8(0x80 + 0x20 * u16::from(descriptor) + 2) >> 4;
        (0..DESCRIPTORS)
            .filter(|descriptor| {
                let tag = tag(*descriptor);
                tag != 0 && tags.contains(&tag)
            })
            .fold(0, |bits, descriptor| bits | 1 << descriptor)
    }

    /// The controller loses its power, and nobody tells the card.
    pub fn power_cycle(&mut self) {
        self.judge.on_controller_trouble(self.now_ns());
        self.model.power_cycle();
    }

    pub fn faults(&self) -> Faults {
        let mut faults = Faults::default();
        self.model.edit_faults(|now| faults = now.clone());
        faults
    }

    pub fn set_fault(&mut self, fault: Fault, is_on: bool) {
        let was_cut_off = self.faults().cut_off;
        let spared = self.good_descriptors();
        let bit = |descriptor: u8| 1u32 << descriptor & !spared;
        let running = (0..DESCRIPTORS)
            .filter(|descriptor| self.model.dma_running((*descriptor).into()))
            .fold(0u32, |bits, descriptor| bits | 1 << descriptor);
        let set = |bits: &mut u32, descriptor: u8| {
            if is_on { *bits |= bit(descriptor) } else { *bits &= !(1 << descriptor) }
        };
        self.model.edit_faults(|faults| match fault {
            Fault::OffTheBus => (faults.off_the_bus, faults.cut_off) = (is_on, false),
            Fault::CutOff => (faults.off_the_bus, faults.cut_off) = (is_on, is_on),
            Fault::ResetNeverEntered => faults.reset_never_entered = is_on,
            Fault::ResetNeverLeft => faults.reset_never_left = is_on,
            Fault::CorbDead => faults.corb_dead = is_on,
            Fault::RirbDead => faults.rirb_dead = is_on,
            Fault::CorbPointerResetReadsZero => faults.corb_pointer_reset_reads_zero = is_on,
            Fault::SilentCodec(codec) => faults.silent_codecs = u16::from(is_on) << codec,
            Fault::LateAnswers(frames) => faults.answer_late_frames = if is_on { frames.into() } else { 0 },
            // Only while it runs: a good guest could get it otherwise, and lose it in a hand-over.
            Fault::StuckRun(stream) if is_on && running & 1 << stream == 0 => {}
            Fault::StuckRun(stream) => set(&mut faults.stuck_run, stream),
            Fault::LateStop(frames) => {
                faults.run_clear_delay_link_frames = if is_on { frames.into() } else { 0 };
            }
            Fault::StreamResetNeverEntered(stream) => set(&mut faults.stream_reset_never_entered, stream),
            // One at a time: an open tries two descriptors, and a hand-over without a third one has a gap.
            Fault::StreamResetNeverLeft(stream) => {
                faults.stream_reset_never_left = 0;
                set(&mut faults.stream_reset_never_left, stream);
            }
            Fault::FifoNeverReady(stream) => set(&mut faults.fifo_never_ready, stream),
            Fault::LinkPosition(position) => {
                faults.link_position = if is_on { position } else { LinkPositionFault::None };
            }
            Fault::PositionBufferDead => faults.position_buffer_dead = is_on,
            Fault::PositionBufferAhead(bytes) => {
                faults.position_buffer_ahead_bytes = if is_on { bytes.into() } else { 0 };
            }
            Fault::WallClockStopped => faults.wall_clock_stopped = is_on,
        });
        let faults = self.faults();
        self.judge.on_faults(&faults, self.now_ns());
        // What the bus has let go comes back without its state.
        if was_cut_off && !faults.cut_off {
            self.power_cycle();
        }
    }

    pub fn blow(&mut self, blow: Blow) {
        let spared = self.good_descriptors();
        let is_spared = |stream: u8| spared >> stream & 1 != 0;
        self.judge.on_blow(self.now_ns());
        match blow {
            Blow::ResponseOverrun => self.model.edit_faults(|faults| faults.rirb_overrun_once = true),
            Blow::Starve(stream, frames) if !is_spared(stream) => {
                self.model.starve(stream.into(), frames.into());
            }
            Blow::FifoError(stream) if !is_spared(stream) => self.model.raise_fifo_error(stream.into()),
            Blow::DescriptorError(stream) if !is_spared(stream) => {
                self.model.raise_descriptor_error(stream.into());
            }
            Blow::Unsolicited(codec, response) => {
                self.model.unsolicited_response(codec.into(), response);
            }
            Blow::Starve(..) | Blow::FifoError(_) | Blow::DescriptorError(_) => {}
        }
    }
}
