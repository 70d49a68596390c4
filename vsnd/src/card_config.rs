//! The guest's description of its card, in the front end's directory.
//!
//! It is read once, within bounds, and judged value by value.
//!
//! ```text
//! /local/domain/3/device/vsnd/0          settings
//! /local/domain/3/device/vsnd/0/0        PCM device 0: settings that differ
//! /local/domain/3/device/vsnd/0/0/1      its stream 1: settings that differ; type, unique-id
//! ```
//!
//! The guest may rewrite all of it while it is read: only the values read here count. They
//! give no rights.

use audioback::card::{Direction, Port};
use audioback::device::MAX_STREAMS;
use audioback::stream::StreamConfig;
use heapless::{String, Vec};
use sndif::nodes;
use xen_guest::xenstore::Reply;

use crate::excerpt::Excerpt;
use crate::paths::{DeviceId, PathText, StreamId, number};
use crate::ports::{BadPort, Ports};
use crate::stream_settings::{BadSetting, Setting, StreamSettings};

/// PCM devices in a card.
const MAX_PCM_DEVICES: u16 = 8;

/// Bytes of a `unique-id`.
const UNIQUE_ID_BYTES: usize = 64;

/// A stream in the description.
#[derive(Clone, Debug)]
pub(crate) struct FoundStream {
    pub(crate) id: StreamId,
    pub(crate) config: StreamConfig,
    /// An earlier offer had a volume, so its range may be published.
    pub(crate) had_volume: bool,
    settings: StreamSettings,
}

/// The reason why a card can't be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadConfig {
    /// The node doesn't exist (any more), or this domain can't read it.
    #[error("missing, or not readable for this domain")]
    Missing,
    /// The names in a directory don't fit into one answer.
    #[error("more names than fit into an answer of 4096 bytes")]
    TooLarge,
    /// A value isn't a text.
    #[error("no text")]
    NoText,
    /// A setting is invalid.
    #[error(transparent)]
    Setting(BadSetting),
    /// A stream's type is neither playback nor capture.
    #[error("{0} is neither p nor c")]
    Type(Excerpt),
    /// A `unique-id` is empty or too long.
    #[error("{0}: it has to have 1 to {UNIQUE_ID_BYTES} bytes")]
    UniqueId(Excerpt),
    /// Another stream has the same `unique-id`.
    #[error("{0} is the unique-id of another stream")]
    UniqueIdTwice(Excerpt),
    /// The port that a `unique-id` names can't be used.
    #[error(transparent)]
    Port(BadPort),
    /// A stream's fewest channels are more than its most.
    #[error("channels-min is above channels-max")]
    NoChannels,
    /// There is no stream.
    #[error("no stream")]
    NoStreams,
    /// There are more PCM devices than are served.
    #[error("more than {MAX_PCM_DEVICES} PCM devices")]
    TooManyPcmDevices,
    /// There are more streams than are served.
    #[error("more than {MAX_STREAMS} streams")]
    TooManyStreams,
}

/// The kind of the next read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadKind {
    /// The names in a directory.
    Names,
    /// A value.
    Value,
}

/// A node in a directory, other than a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Setting(Setting),
    Type,
    UniqueId,
}

/// All fields by their nodes, the settings first.
const FIELDS: [(&str, Field); 7] = [
    (nodes::SAMPLE_RATES, Field::Setting(Setting::SampleRates)),
    (nodes::SAMPLE_FORMATS, Field::Setting(Setting::SampleFormats)),
    (nodes::CHANNELS_MIN, Field::Setting(Setting::ChannelsMin)),
    (nodes::CHANNELS_MAX, Field::Setting(Setting::ChannelsMax)),
    (nodes::BUFFER_SIZE, Field::Setting(Setting::BufferSize)),
    (nodes::TYPE, Field::Type),
    (nodes::UNIQUE_ID, Field::UniqueId),
];

/// The bits of the settings in [`FIELDS`].
const SETTINGS: u8 = 0x1f;

/// The directory that is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Card,
    Pcm(u16),
    Stream(StreamId),
}

/// The progress of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadProgress {
    /// There is more to read.
    Partial,
    /// [`CardConfigReader::streams`] are complete.
    Complete,
}

/// Reads the guest's description of its card.
#[derive(Debug)]
pub(crate) struct CardConfigReader {
    level: Level,
    /// The unread fields of this directory, a bit each in the order of [`FIELDS`]. `None`: its
    /// names are unread.
    fields: Option<u8>,
    card: StreamSettings,
    pcm: StreamSettings,
    stream: StreamSettings,
    direction: Option<Direction>,
    unique_id: String<UNIQUE_ID_BYTES>,
    pcm_count: u16,
    stream_count: u16,
    streams: Vec<FoundStream, MAX_STREAMS>,
    unique_ids: Vec<String<UNIQUE_ID_BYTES>, MAX_STREAMS>,
}

impl CardConfigReader {
    pub(crate) fn new() -> Self {
        Self {
            level: Level::Card,
            fields: None,
            card: StreamSettings::default(),
            pcm: StreamSettings::default(),
            stream: StreamSettings::default(),
            direction: None,
            unique_id: String::new(),
            pcm_count: 0,
            stream_count: 0,
            streams: Vec::new(),
            unique_ids: Vec::new(),
        }
    }

    /// The streams, in the guest's order: PCM device after PCM device.
    pub(crate) fn streams(&self) -> &[FoundStream] {
        &self.streams
    }

    /// Takes all streams' offers from the ports as they are now. Returns whether one has changed.
    pub(crate) fn update_offers(&mut self, ports: &Ports) -> bool {
        let mut has_changed = false;
        for FoundStream { config, had_volume, settings, .. } in &mut self.streams {
            // The port was there when the stream was read, and ports don't go.
            if let Some(port) = ports.as_slice().get(usize::from(config.port.0)) {
                let abilities = settings.narrow(port);
                let before = core::mem::replace(&mut config.abilities, abilities);
                *had_volume |= before.volume.is_some();
                has_changed |= before != abilities;
            }
        }
        has_changed
    }

    /// The kind of the next read, and its path.
    pub(crate) fn next(&self, device: DeviceId) -> (ReadKind, PathText) {
        let directory = match self.level {
            Level::Card => device.front_directory(),
            Level::Pcm(pcm) => PathText::new(format_args!("{}/{pcm}", device.front_directory())),
            Level::Stream(id) => id.path(device),
        };
        match self.field() {
            None => (ReadKind::Names, directory),
            Some((node, _)) => (ReadKind::Value, PathText::new(format_args!("{directory}/{node}"))),
        }
    }

    /// Takes the answer to the [`next`](Self::next) read; `None`: the node doesn't exist.
    ///
    /// # Errors
    /// If the card can't be served. The path from [`next`](Self::next) is the cause.
    pub(crate) fn take(
        &mut self,
        answer: Option<Reply<'_>>,
        ports: &Ports,
    ) -> Result<ReadProgress, BadConfig> {
        let reply = answer.ok_or(BadConfig::Missing)?;
        match self.field() {
            None => self.take_names(&reply)?,
            Some((_, field)) => {
                let value = reply.text().map_err(|_| BadConfig::NoText)?;
                self.take_value(field, value)?;
                // Clears the lowest bit, which is this field's.
                self.fields = self.fields.map(|fields| fields & fields.wrapping_sub(1));
            }
        }
        if self.field().is_some() { Ok(ReadProgress::Partial) } else { self.leave(ports) }
    }

    /// The next field; `None`: the names are next, or this directory has been read.
    fn field(&self) -> Option<(&'static str, Field)> {
        let lowest = self.fields?.trailing_zeros();
        FIELDS.get(lowest as usize).copied()
    }

    fn take_names(&mut self, reply: &Reply<'_>) -> Result<(), BadConfig> {
        let mut fields = 0u8;
        let mut numbers = 0u32;
        for name in reply.names() {
            if let Some(index) = FIELDS.iter().position(|(node, _)| *node == name) {
                // Seven fields.
                fields |= 1u8.wrapping_shl(index as u32);
            } else if let Some(number) = number(name) {
                // All from 31 on are too many.
                numbers |= 1u32.wrapping_shl(u32::from(number.min(31)));
            }
        }
        // Counted as Linux does: from 0 to the first gap.
        let count = numbers.trailing_ones() as u16;
        match self.level {
            Level::Card if numbers >= 1u32.wrapping_shl(MAX_PCM_DEVICES.into()) => {
                return Err(BadConfig::TooManyPcmDevices);
            }
            Level::Pcm(_) if numbers >= 1u32.wrapping_shl(MAX_STREAMS as u32) => {
                return Err(BadConfig::TooManyStreams);
            }
            Level::Card => self.pcm_count = count,
            Level::Pcm(_) => self.stream_count = count,
            Level::Stream(_) => {}
        }
        self.fields = Some(match self.level {
            Level::Card | Level::Pcm(_) => fields & SETTINGS,
            // Type and unique-id are read in any case: if one is missing, the answer says so with
            // its path.
            Level::Stream(_) => fields | !SETTINGS & 0x7f,
        });
        Ok(())
    }

    fn take_value(&mut self, field: Field, value: &str) -> Result<(), BadConfig> {
        match field {
            Field::Setting(setting) => {
                let settings = match self.level {
                    Level::Card => &mut self.card,
                    Level::Pcm(_) => &mut self.pcm,
                    Level::Stream(_) => &mut self.stream,
                };
                settings.set(setting, value).map_err(BadConfig::Setting)?;
            }
            Field::Type => {
                let direction =
                    Direction::from_node(value).ok_or_else(|| BadConfig::Type(Excerpt::of(value)))?;
                self.direction = Some(direction);
            }
            Field::UniqueId => {
                if self.unique_ids.iter().any(|known| known == value) {
                    return Err(BadConfig::UniqueIdTwice(Excerpt::of(value)));
                }
                self.unique_id.clear();
                if value.is_empty() || self.unique_id.push_str(value).is_err() {
                    return Err(BadConfig::UniqueId(Excerpt::of(value)));
                }
            }
        }
        Ok(())
    }

    /// Goes on to the next directory, after all of this one has been read.
    fn leave(&mut self, ports: &Ports) -> Result<ReadProgress, BadConfig> {
        let next = match self.level {
            Level::Card => self.enter_pcm(0),
            Level::Pcm(pcm) => self.enter_stream(StreamId { pcm, stream: 0 }),
            Level::Stream(id) => {
                self.keep_stream(id, ports)?;
                self.enter_stream(StreamId { stream: id.stream.saturating_add(1), ..id })
            }
        };
        self.fields = None;
        match next {
            Some(level) => {
                self.level = level;
                Ok(ReadProgress::Partial)
            }
            None if self.streams.is_empty() => Err(BadConfig::NoStreams),
            None => Ok(ReadProgress::Complete),
        }
    }

    fn enter_pcm(&mut self, pcm: u16) -> Option<Level> {
        self.pcm = self.card.clone();
        (pcm < self.pcm_count).then_some(Level::Pcm(pcm))
    }

    fn enter_stream(&mut self, id: StreamId) -> Option<Level> {
        if id.stream >= self.stream_count {
            return self.enter_pcm(id.pcm.saturating_add(1));
        }
        self.stream = self.pcm.clone();
        Some(Level::Stream(id))
    }

    fn keep_stream(&mut self, id: StreamId, ports: &Ports) -> Result<(), BadConfig> {
        if self.stream.allows_no_channels() {
            return Err(BadConfig::NoChannels);
        }
        // The type has been read: without it, reading would have failed.
        let direction = self.direction.take().ok_or(BadConfig::Missing)?;
        let port = ports.for_stream(&self.unique_id, direction).map_err(BadConfig::Port)?;
        let abilities: &Port = ports.as_slice().get(usize::from(port.0)).ok_or(BadConfig::Missing)?;
        let config = StreamConfig { port, abilities: self.stream.narrow(abilities) };
        let found = FoundStream { id, config, had_volume: false, settings: self.stream.clone() };
        let is_kept = self.streams.push(found).is_ok();
        if !is_kept || self.unique_ids.push(self.unique_id.clone()).is_err() {
            return Err(BadConfig::TooManyStreams);
        }
        Ok(())
    }
}
