//! The models that a driver domain is made of, and the card over them.

use hda_card::HdaCard;
use hyper::{Clock, Nanos};
use snd_hda::Controller;
use snd_hda_model::codec::{Amplifier, Widget};
use snd_hda_model::{Bench, Codec, Model, ModelDelay, ModelRegion, ModelRegisters, Profile};

/// The model's time.
pub struct ModelClock(pub ModelDelay);

impl Clock for ModelClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.now_ns())
    }
}

pub type ModelCard = HdaCard<ModelRegisters, ModelDelay, ModelRegion, ModelClock>;

/// One codec with one output and one input.
pub fn duplex() -> Model {
    codecs(1)
}

/// One codec, with no recording of what it plays.
pub fn duplex_unrecorded() -> Model {
    Bench::new(Profile::hardware()).codec(0, Codec::duplex()).without_recording().build()
}

/// So many codecs, each with one output and one input.
pub fn codecs(count: usize) -> Model {
    let bench = Bench::new(Profile::hardware());
    (0..count).fold(bench, |bench, codec| bench.codec(codec, Codec::duplex())).build()
}

/// One codec with one output of 16 bits, at 32 and 48 kHz only.
pub fn output_with_32_khz() -> Model {
    // HDA specification 1.0a, 7.3.4.7: a bit for each rate, and for each size of a sample.
    let rates_and_bits = 1 << 4 | 1 << 6 | 1 << 17;
    let codec = Codec::builder(0x1234_0007)
        .widget(2, Widget::dac().pcm(rates_and_bits))
        .widget(3, Widget::line_out(&[2]))
        .build();
    Bench::new(Profile::hardware()).codec(0, codec).build()
}

/// So many outputs, on two codecs.
pub fn outputs(count: usize) -> Model {
    let codec = |outputs: usize| {
        (0..outputs as u8).fold(Codec::builder(0x1234_0008), |codec, output| {
            let (converter, pin) = (2 + output, 0x40 + output);
            codec.widget(converter, Widget::dac()).widget(pin, Widget::line_out(&[converter]))
        })
    };
    let bench = Bench::new(Profile::hardware());
    bench.codec(0, codec(count / 2).build()).codec(1, codec(count - count / 2).build()).build()
}

/// One codec whose jacks report plugs, with nothing plugged: Rear Line Out is pin 3, Line In pin 5.
pub fn reporting_jacks() -> Model {
    let codec = Codec::builder(0x1234_0006)
        .widget(2, Widget::dac())
        .widget(3, Widget::line_out(&[2]).unsolicited())
        .widget(4, Widget::adc(5))
        .widget(5, Widget::line_in().unsolicited())
        .build();
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    for jack in [3, 5] {
        model.plug(0, jack, false);
    }
    model
}

pub fn card(model: &Model) -> ModelCard {
    let controller = Controller::bring_up(model.registers(), &mut model.memory(), model.delay());
    HdaCard::new(controller.expect("a controller"), ModelClock(model.delay()))
}

/// A laptop's codec, with nothing plugged: a speaker (pin 0x14) and headphones (0x15) with converters of their own, a built-in
/// microphone (0x12) and one with a jack (0x18), which either input converter hears.
pub fn laptop() -> Model {
    let mixer = |sources: &[u8]| Widget::mixer(sources).amp_in(Amplifier::MUTE_ONLY).muted_at_reset();
    let codec = Codec::builder(0x1234_0006)
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
        .build();
    let model = Bench::new(Profile::hardware()).codec(0, codec).build();
    for jack in [0x15, 0x18] {
        model.plug(0, jack, false);
    }
    model
}
