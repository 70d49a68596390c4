//! The builder of codecs.

use super::amplifier::{Amplifier, GainAtReset};
use super::device::Codec;
use super::graph::Graph;
use super::group::Group;
use super::widget::{Widget, WidgetKind};

/// 16 kHz to 96 kHz at 16 bit, as QEMU's codecs state.
const QEMU_PCM: u32 = 0x1fc | 1 << 17;

/// Default configurations of QEMU's pins: jack, connection unknown; green line out, red line in.
const LINE_OUT: u32 = 0x0000_4010;
const LINE_IN: u32 = 0x0080_5020;

/// A codec under construction: vendor, function group, widgets.
#[must_use]
pub struct CodecBuilder {
    graph: Graph,
}

impl Codec {
    /// A codec with one audio function group at node 1 and no widgets yet.
    ///
    /// `vendor_id`: vendor in the upper half, device in the lower half.
    pub fn builder(vendor_id: u32) -> CodecBuilder {
        CodecBuilder {
            graph: Graph {
                vendor_id,
                revision_id: 0x0010_0101,
                group_node: Some(1),
                group: Group::usual(),
                ..Graph::default()
            },
        }
    }

    /// Playback only: DAC 2 (amplifier muted at reset) to line-out jack 3.
    pub fn output() -> Self {
        Self::builder(0x1234_0001)
            .widget(2, Widget::dac().amp_out(Amplifier::TYPICAL).muted_at_reset())
            .widget(3, Widget::line_out(&[2]))
            .build()
    }

    /// Capture only: line-in jack 5 to ADC 4.
    pub fn input() -> Self {
        Self::builder(0x1234_0002)
            .widget(4, Widget::adc(5).amp_in(Amplifier::TYPICAL).muted_at_reset())
            .widget(5, Widget::line_in())
            .build()
    }

    /// Playback and capture: DAC 2 to line-out jack 3, line-in jack 5 to ADC 4.
    pub fn duplex() -> Self {
        Self::builder(0x1234_0003)
            .widget(2, Widget::dac().amp_out(Amplifier::TYPICAL).muted_at_reset())
            .widget(3, Widget::line_out(&[2]))
            .widget(4, Widget::adc(5).amp_in(Amplifier::TYPICAL).muted_at_reset())
            .widget(5, Widget::line_in())
            .build()
    }

    /// Playback and capture through one converter each, with `channels` channels.
    ///
    /// The converters support all rates and sample sizes of the specification but 384 kHz.
    pub fn any_format(channels: u8) -> Self {
        let everything = 0x7ff | 0x1f << 16;
        Self::builder(0x1234_0004)
            .widget(2, Widget::dac().pcm(everything).channels(channels))
            .widget(3, Widget::line_out(&[2]))
            .widget(4, Widget::adc(5).pcm(everything).channels(channels))
            .widget(5, Widget::line_in())
            .build()
    }

    /// Playback and capture along routes as in real codecs.
    ///
    /// - Playback: DAC 0x10 to mixer 0x12 (muted), to speaker pin 0x14 with EAPD.
    /// - Capture: microphone 0x18 and line-in 0x19, by selector 0x1b, to ADC 0x11.
    ///
    /// Widgets have power states.
    pub fn laptop() -> Self {
        Self::builder(0x1234_0005)
            .amp_out(Amplifier::TYPICAL)
            .widget(0x10, Widget::dac().inherits_amp_out().power_control().muted_at_reset())
            .widget(0x11, Widget::adc(0x1b).amp_in(Amplifier::TYPICAL).power_control().muted_at_reset())
            .widget(0x12, Widget::mixer(&[0x10, 0x18]).amp_in(Amplifier::MUTE_ONLY).muted_at_reset())
            .widget(
                0x14,
                Widget::speaker(&[0x12]).amp_out(Amplifier::MUTE_ONLY).power_control().muted_at_reset(),
            )
            .widget(0x18, Widget::microphone().unsolicited().power_control())
            .widget(0x19, Widget::line_in().unsolicited())
            .widget(0x1b, Widget::selector(&[0x18, 0x19]))
            .build()
    }

    /// QEMU's `hda-output`: DAC 2 to line-out 3, 16 bit stereo, 16 to 96 kHz.
    pub fn qemu_output() -> Self {
        Self::qemu(0x1af4_0012, LINE_OUT, None)
    }

    /// QEMU's `hda-duplex`: the same with line-in 5 to ADC 4.
    pub fn qemu_duplex() -> Self {
        Self::qemu(0x1af4_0022, LINE_OUT, Some(LINE_IN))
    }

    /// QEMU's `hda-micro`: the same with speaker and microphone.
    pub fn qemu_micro() -> Self {
        Self::qemu(0x1af4_0032, LINE_OUT | 1 << 20, Some(LINE_IN | 2 << 20))
    }

    fn qemu(vendor_id: u32, output: u32, input: Option<u32>) -> Self {
        let dac = Widget::dac().pcm(QEMU_PCM).amp_out(Amplifier::TYPICAL);
        let mut adc = Widget::adc(5).pcm(QEMU_PCM).amp_in(Amplifier::TYPICAL);
        // The amplifier reads 0 and passes full level until its first write.
        adc.gain_at_reset = GainAtReset::Lowest;
        let mut builder = Self::builder(vendor_id);
        builder.graph.subsystem_id = vendor_id;
        // 8 samples out, 8 in.
        builder.graph.group.delays = 0x0808;
        let builder = builder
            .pcm(QEMU_PCM)
            .no_power_states()
            .widget(2, dac)
            .widget(3, Widget::line_out(&[2]).pin(1 << 4, output).enabled_at_reset());
        let builder = match input {
            Some(input) => {
                builder.widget(4, adc).widget(5, Widget::line_in().pin(1 << 5, input).enabled_at_reset())
            }
            None => builder,
        };
        let mut codec = builder.build();
        for node in [2, 4] {
            if let Some(converter) = codec.converter(node) {
                converter.format = 0x11;
            }
        }
        codec
    }
}

impl CodecBuilder {
    /// Sets rates and sample sizes (parameter 0x0a) for converters without their own.
    pub fn pcm(mut self, rates_and_bits: u32) -> Self {
        self.graph.group.pcm = rates_and_bits;
        self.graph.group.stream_formats = 1;
        self
    }

    /// Sets the output amplifier for widgets without their own.
    pub fn amp_out(mut self, amplifier: Amplifier) -> Self {
        self.graph.group.amp_out = amplifier.word();
        self
    }

    /// Sets the input amplifier for widgets without their own.
    pub fn amp_in(mut self, amplifier: Amplifier) -> Self {
        self.graph.group.amp_in = amplifier.word();
        self
    }

    /// Makes the function group have no power states. It is always on.
    pub fn no_power_states(mut self) -> Self {
        self.graph.group.power_states = 0;
        self.graph.group.default_power = 0;
        self
    }

    /// Adds a widget at a node, 1 to 127.
    pub fn widget(mut self, node: u8, mut widget: Widget) -> Self {
        assert!((1..128).contains(&node), "node {node}");
        if let Some(converter) = &mut widget.converter {
            converter.node = node;
        }
        let old = self.graph.widgets.insert(node, widget);
        assert!(old.is_none(), "node {node} occurs twice");
        self
    }

    /// Builds the codec, in its state after a reset.
    ///
    /// Node numbers have no gaps: vendor-defined widgets without functions fill them.
    pub fn build(self) -> Codec {
        let mut graph = self.graph;
        let nodes: Vec<u8> = graph.widgets.keys().copied().collect();
        if let (Some(&first), Some(&last)) = (nodes.first(), nodes.last()) {
            for node in first..=last {
                let filler = || Widget::new(WidgetKind::Vendor);
                if Some(node) != graph.group_node {
                    graph.widgets.entry(node).or_insert_with(filler);
                }
            }
        }
        for widget in graph.widgets.values_mut() {
            widget.strapped_configuration = widget.configuration;
        }
        Codec::from_graph(graph)
    }
}
