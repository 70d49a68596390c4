//! The link: codecs by address, and samples between stream engines and converters.

use crate::codec::{Codec, Converter, Source, SourceFrame};
use crate::format::StreamFormat;
use crate::violations::{Rule, Violations};

/// Codec addresses, SDI 0 to 14.
pub(crate) const CODEC_ADDRESSES: usize = 15;

/// Stream tags (HDA specification 1.0a, 3.3.35).
const TAGS: usize = 16;

/// A format has 16 channels at most, and a link frame 4 frames.
const MOST_CHANNELS: usize = 16;
const MOST_SAMPLES: usize = 4 * MOST_CHANNELS;

/// Most converters that usually listen to a tag.
const USUAL_LISTENERS: usize = 8;

/// A converter: its codec's address, and its node.
type Place = (usize, u8);

/// The converters of a tag, if they are known. The room stays: nothing is taken from the heap while streams run.
struct Listening {
    is_known: bool,
    places: Vec<Place>,
}

impl Default for Listening {
    fn default() -> Self {
        Self { is_known: false, places: Vec::with_capacity(USUAL_LISTENERS) }
    }
}

pub(crate) struct Link {
    codecs: [Option<Codec>; CODEC_ADDRESSES],
    /// The powered converters by direction (outputs last) and tag, as far as somebody has asked: a stream asks in each link frame.
    /// All are forgotten when a codec may change.
    listening: [[Listening; TAGS]; 2],
    /// As in QEMU, where every converter on a tag pulls samples of its own.
    pub(crate) listeners_take_turns: bool,
    /// Whether converters record their received frames.
    pub(crate) recording: bool,
}

/// A stream's samples in a link frame: their properties.
pub(crate) struct Packet {
    pub(crate) tag: u8,
    pub(crate) link_frame: u64,
    pub(crate) now_ns: u64,
    pub(crate) format_word: u16,
    pub(crate) format: StreamFormat,
}

impl Link {
    pub(crate) fn new(codecs: [Option<Codec>; CODEC_ADDRESSES], recording: bool) -> Self {
        Self { codecs, listening: Default::default(), listeners_take_turns: false, recording }
    }

    /// One bit for each codec.
    pub(crate) fn present(&self) -> u16 {
        (0..).zip(&self.codecs).fold(0, |bits, (address, codec)| bits | u16::from(codec.is_some()) << address)
    }

    /// A codec, which may change.
    pub(crate) fn codec(&mut self, address: usize) -> Option<&mut Codec> {
        self.forget_listening();
        self.codecs.get_mut(address)?.as_mut()
    }

    /// All codecs, which may change.
    pub(crate) fn all_codecs(&mut self) -> impl Iterator<Item = &mut Codec> {
        self.forget_listening();
        self.codecs.iter_mut().flatten()
    }

    /// The converters that listen to a tag (or drive it).
    fn listening(&mut self, tag: u8, output: bool) -> &[Place] {
        let Self { codecs, listening, .. } = self;
        let known = &mut listening[usize::from(output)][usize::from(tag)];
        if !std::mem::replace(&mut known.is_known, true) {
            known.places.clear();
            for (address, codec) in codecs.iter_mut().enumerate() {
                let of_codec = codec.iter_mut().flat_map(|codec| codec.listening_converters(tag, output));
                known.places.extend(of_codec.map(|converter| (address, converter.node)));
            }
        }
        &known.places
    }

    fn forget_listening(&mut self) {
        self.listening.iter_mut().flatten().for_each(|known| known.is_known = false);
    }

    /// Converters that listen to a tag (or drive it).
    pub(crate) fn listeners(&mut self, tag: u8, output: bool) -> u64 {
        self.listening(tag, output).len() as u64
    }

    /// Sends whole frames to every converter that listens to the packet's tag.
    pub(crate) fn play(&mut self, packet: &Packet, bytes: &[u8], violations: &mut Violations) {
        let Packet { tag, link_frame, format, .. } = *packet;
        let recording = self.recording;
        let take_turns = self.listeners_take_turns;
        let listeners = if take_turns { self.listeners(tag, true).max(1) as usize } else { 1 };
        let frame_bytes = format.frame_bytes() as usize;
        let share = (bytes.len() / frame_bytes).div_ceil(listeners) * frame_bytes;
        let mut shares = bytes.chunks(share.max(frame_bytes));
        for nth in 0..self.listening(tag, true).len() {
            let (address, node) = self.listening(tag, true)[nth];
            let Some(converter) = self.converter(address, node) else { continue };
            let part = if take_turns { shares.next().unwrap_or(&[]) } else { bytes };
            if converter.format != packet.format_word {
                mismatch(violations, packet, address, converter);
                continue;
            }
            if !recording {
                continue;
            }
            for frame in part.chunks_exact(frame_bytes) {
                let samples = frame.chunks_exact(format.container_bytes() as usize).map(|c| format.sample(c));
                let taken = samples.skip(converter.channel.into()).take(converter.channels);
                converter.played.push(link_frame, taken);
            }
        }
    }

    /// Collects `frames` frames from the converters that drive the packet's tag.
    ///
    /// `first_index` is the number of frames sent to the stream before. Returns false if no
    /// converter drives the tag.
    pub(crate) fn capture(
        &mut self,
        packet: &Packet,
        first_index: u64,
        frames: u32,
        out: &mut Vec<u8>,
        violations: &mut Violations,
    ) -> bool {
        let Packet { tag, link_frame, format, .. } = *packet;
        out.clear();
        let channels = format.channels as usize;
        let mut block = [0_i32; MOST_SAMPLES];
        let mut driven = [false; MOST_CHANNELS];
        let mut any = false;
        // A loop-back source reads another converter, so the link gives it up during the call.
        for place in 0..self.listening(tag, false).len() {
            let (address, node) = self.listening(tag, false)[place];
            any = true;
            let Some(converter) = self.converter(address, node) else { continue };
            if converter.format != packet.format_word {
                mismatch(violations, packet, address, converter);
                continue;
            }
            let first_channel = usize::from(converter.channel);
            let last_channel = channels.min(first_channel + converter.channels);
            let mut source = std::mem::replace(&mut converter.source, Source::Silence);
            for channel in first_channel..last_channel {
                if std::mem::replace(&mut driven[channel], true) {
                    violations.rule(packet.now_ns, Rule::ChannelCollision, || {
                        format!("tag {tag}: channel {channel} is driven again by codec {address} node {node}")
                    });
                }
                for nth in 0..frames as usize {
                    let frame = SourceFrame { index: first_index + nth as u64, link_frame };
                    let sample = self.source_sample(&mut source, frame, nth, channel - first_channel);
                    block[nth * channels + channel] = sample;
                }
            }
            if let Some(converter) = self.converter(address, node) {
                converter.source = source;
            }
        }
        if any {
            for &sample in &block[..channels * frames as usize] {
                format.push_container(sample, out);
            }
        }
        any
    }

    fn converter(&mut self, address: usize, node: u8) -> Option<&mut Converter> {
        self.codecs.get_mut(address)?.as_mut()?.converter(node)
    }

    fn source_sample(&mut self, source: &mut Source, frame: SourceFrame, nth: usize, channel: usize) -> i32 {
        match source {
            Source::Silence => 0,
            Source::Samples(next) => next(frame, channel),
            Source::Loop { codec, node, delay_link_frames } => {
                let heard_at = frame.link_frame.checked_sub(*delay_link_frames);
                let played = self.converter(*codec, *node).map(|converter| &converter.played);
                heard_at
                    .zip(played)
                    .and_then(|(at, played)| played.at_link_frame(at, nth))
                    .and_then(|samples| samples.get(channel).copied())
                    .unwrap_or(0)
            }
        }
    }
}

fn mismatch(violations: &mut Violations, packet: &Packet, address: usize, converter: &Converter) {
    let (node, theirs, ours) = (converter.node, converter.format, packet.format_word);
    violations.rule(packet.now_ns, Rule::FormatMismatch, || {
        format!("stream has format {ours:#06x}, codec {address} node {node} has {theirs:#06x}")
    });
}
