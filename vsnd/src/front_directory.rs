//! The guest's description of its card, read once, bounded, and judged while it is read.
//!
//! ```text
//! /local/domain/3/device/vsnd/0          settings
//! /local/domain/3/device/vsnd/0/0        PCM device 0: settings, where they differ
//! /local/domain/3/device/vsnd/0/0/1      its stream 1: settings, where they differ; type, unique-id
//! ```
//!
//! All of it is the guest's, which may rewrite it while it is read: what is read here is what holds. Rights are none of it.

use core::fmt;

use audioback::card::{Direction, Port};
use audioback::device::MAX_STREAMS;
use audioback::stream::StreamConfig;
use heapless::{String, Vec};
use sndif::nodes;
use xen_guest::xenstore::Reply;

use super::level::{BadSetting, Level, Setting, direction};
use super::names::{DeviceId, Excerpt, PathText, number};
use super::port_name::{BadPort, Ports};

/// PCM devices in a card.
pub(super) const MAX_PCM_DEVICES: u16 = 8;

/// Octets of a `unique-id`.
const UNIQUE_ID_BYTES: usize = 64;

/// A stream, as the guest numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamId {
    pub(super) pcm: u16,
    pub(super) stream: u16,
}

impl StreamId {
    /// The stream's directory.
    pub(super) fn path(self, device: DeviceId) -> PathText {
        PathText::new(format_args!("{}/{}/{}", device.front_directory(), self.pcm, self.stream))
    }
}

/// A stream that was found.
#[derive(Clone, Debug)]
pub(super) struct FoundStream {
    pub(super) id: StreamId,
    pub(super) config: StreamConfig,
}

/// Why a card is no good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadDirectory {
    /// It isn't there, or no more, or can't be read by this domain.
    Missing,
    /// Its names don't fit into one answer.
    TooLarge,
    /// What is read there isn't a text.
    NoText,
    /// A setting.
    Setting(BadSetting),
    /// A stream's type that is none.
    Type(Excerpt),
    /// A `unique-id` that is empty or too long.
    UniqueId(Excerpt),
    /// A `unique-id` that an earlier stream has.
    UniqueIdTwice(Excerpt),
    /// A stream that can't be connected to what it names.
    Port(BadPort),
    /// Fewest channels that are more than the most.
    NoChannels,
    /// No stream in the whole card.
    NoStreams,
    /// More PCM devices than are served.
    TooManyPcmDevices,
    /// More streams than are served.
    TooManyStreams,
}

impl fmt::Display for BadDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing, or not for this domain to read"),
            Self::TooLarge => f.write_str("more names than fit into an answer of 4096 octets"),
            Self::NoText => f.write_str("no text"),
            Self::Setting(bad) => write!(f, "{bad}"),
            Self::Type(text) => write!(f, "{text} is neither p nor c"),
            Self::UniqueId(text) => {
                write!(f, "{text}: it has to have 1 to {UNIQUE_ID_BYTES} octets")
            }
            Self::UniqueIdTwice(text) => write!(f, "{text} is the unique-id of another stream"),
            Self::Port(bad) => write!(f, "{bad}"),
            Self::NoChannels => f.write_str("channels-min is above channels-max"),
            Self::NoStreams => f.write_str("no stream"),
            Self::TooManyPcmDevices => write!(f, "more than {MAX_PCM_DEVICES} PCM devices"),
            Self::TooManyStreams => write!(f, "more than {MAX_STREAMS} streams"),
        }
    }
}

/// What is to be read next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The names in a directory.
    Names,
    /// A value.
    Value,
}

/// What may stand in a directory, besides directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Setting(Setting),
    Type,
    UniqueId,
}

impl Field {
    const ALL: [Self; 7] = [
        Self::Setting(Setting::SampleRates),
        Self::Setting(Setting::SampleFormats),
        Self::Setting(Setting::ChannelsMin),
        Self::Setting(Setting::ChannelsMax),
        Self::Setting(Setting::BufferSize),
        Self::Type,
        Self::UniqueId,
    ];

    const fn node(self) -> &'static str {
        match self {
            Self::Setting(setting) => setting.node(),
            Self::Type => nodes::TYPE,
            Self::UniqueId => nodes::UNIQUE_ID,
        }
    }
}

/// Which directory is being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Card,
    Pcm(u16),
    Stream(StreamId),
}

/// How far the directory was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Not to its end.
    Partly,
    /// All of it: [`FrontDirectory::streams`] are complete.
    Wholly,
}

/// A reader of a front end's directory.
#[derive(Debug)]
pub(super) struct FrontDirectory {
    at: At,
    /// Fields of this directory that are yet to be read, a bit each in the order of [`Field::ALL`]; `None`: its names are.
    fields: Option<u8>,
    card: Level,
    pcm: Level,
    stream: Level,
    direction: Option<Direction>,
    unique_id: String<UNIQUE_ID_BYTES>,
    pcm_count: u16,
    stream_count: u16,
    streams: Vec<FoundStream, MAX_STREAMS>,
    unique_ids: Vec<String<UNIQUE_ID_BYTES>, MAX_STREAMS>,
}

impl FrontDirectory {
    pub(super) fn new() -> Self {
        Self {
            at: At::Card,
            fields: None,
            card: Level::default(),
            pcm: Level::default(),
            stream: Level::default(),
            direction: None,
            unique_id: String::new(),
            pcm_count: 0,
            stream_count: 0,
            streams: Vec::new(),
            unique_ids: Vec::new(),
        }
    }

    /// The streams, in the guest's order: PCM device after PCM device.
    pub(super) fn streams(&self) -> &[FoundStream] {
        &self.streams
    }

    /// What is to be read next, and where it lies.
    pub(super) fn next(&self, device: DeviceId) -> (Wanted, PathText) {
        match self.field() {
            None => (Wanted::Names, self.directory(device)),
            Some(field) => {
                (Wanted::Value, PathText::new(format_args!("{}/{}", self.directory(device), field.node())))
            }
        }
    }

    /// Takes the answer to what [`next`](Self::next) wanted; `None`: it isn't there.
    ///
    /// # Errors
    /// If the card is no good. The path that `next` named is the one that is to blame.
    pub(super) fn take(&mut self, answer: Option<Reply<'_>>, ports: &Ports) -> Result<Read, BadDirectory> {
        let reply = answer.ok_or(BadDirectory::Missing)?;
        match self.field() {
            None => self.take_names(&reply)?,
            Some(field) => {
                let value = reply.text().map_err(|_| BadDirectory::NoText)?;
                self.take_value(field, value)?;
                // The lowest bit, which is this field's.
                self.fields = self.fields.map(|fields| fields & fields.wrapping_sub(1));
            }
        }
        if self.field().is_some() { Ok(Read::Partly) } else { self.leave(ports) }
    }

    fn directory(&self, device: DeviceId) -> PathText {
        let card = device.front_directory();
        match self.at {
            At::Card => card,
            At::Pcm(pcm) => PathText::new(format_args!("{card}/{pcm}")),
            At::Stream(id) => id.path(device),
        }
    }

    /// The field that is to be read next; `None`: the names are, or the directory has been read.
    fn field(&self) -> Option<Field> {
        let lowest = self.fields?.trailing_zeros();
        Field::ALL.get(lowest as usize).copied()
    }

    fn take_names(&mut self, reply: &Reply<'_>) -> Result<(), BadDirectory> {
        let mut fields = 0u8;
        let mut numbers = 0u32;
        for name in reply.names() {
            if let Some(index) = Field::ALL.iter().position(|field| field.node() == name) {
                // Seven fields.
                fields |= 1u8.wrapping_shl(index as u32);
            } else if let Some(number) = number(name) {
                // From 31 on they are all too many.
                numbers |= 1u32.wrapping_shl(u32::from(number.min(31)));
            }
        }
        // As Linux counts them: from 0 to the first that is missing.
        let count = numbers.trailing_ones();
        match self.at {
            At::Card => {
                if numbers >= 1u32.wrapping_shl(MAX_PCM_DEVICES.into()) {
                    return Err(BadDirectory::TooManyPcmDevices);
                }
                self.pcm_count = count as u16;
            }
            At::Pcm(_) => {
                if numbers >= 1u32.wrapping_shl(MAX_STREAMS as u32) {
                    return Err(BadDirectory::TooManyStreams);
                }
                self.stream_count = count as u16;
            }
            At::Stream(_) => {}
        }
        let settings = 1u8.wrapping_shl(Setting::ALL.len() as u32).wrapping_sub(1);
        self.fields = Some(match self.at {
            At::Card | At::Pcm(_) => fields & settings,
            // Whether they are there or not: the answer will say so, with the path of what is missing.
            At::Stream(_) => fields | !settings & 0x7f,
        });
        Ok(())
    }

    fn take_value(&mut self, field: Field, value: &str) -> Result<(), BadDirectory> {
        match field {
            Field::Setting(setting) => {
                let level = match self.at {
                    At::Card => &mut self.card,
                    At::Pcm(_) => &mut self.pcm,
                    At::Stream(_) => &mut self.stream,
                };
                level.set(setting, value).map_err(BadDirectory::Setting)
            }
            Field::Type => {
                self.direction =
                    Some(direction(value).ok_or_else(|| BadDirectory::Type(Excerpt::of(value)))?);
                Ok(())
            }
            Field::UniqueId => {
                let excerpt = || Excerpt::of(value);
                if self.unique_ids.iter().any(|known| known == value) {
                    return Err(BadDirectory::UniqueIdTwice(excerpt()));
                }
                self.unique_id.clear();
                if value.is_empty() || self.unique_id.push_str(value).is_err() {
                    return Err(BadDirectory::UniqueId(excerpt()));
                }
                Ok(())
            }
        }
    }

    /// This directory has been read: on to the next one.
    fn leave(&mut self, ports: &Ports) -> Result<Read, BadDirectory> {
        let next = match self.at {
            At::Card => self.enter_pcm(0),
            At::Pcm(pcm) => self.enter_stream(StreamId { pcm, stream: 0 }),
            At::Stream(id) => {
                self.keep_stream(id, ports)?;
                self.enter_stream(StreamId { stream: id.stream.saturating_add(1), ..id })
            }
        };
        self.fields = None;
        match next {
            Some(at) => {
                self.at = at;
                Ok(Read::Partly)
            }
            None if self.streams.is_empty() => Err(BadDirectory::NoStreams),
            None => Ok(Read::Wholly),
        }
    }

    fn enter_pcm(&mut self, pcm: u16) -> Option<At> {
        self.pcm = self.card.clone();
        (pcm < self.pcm_count).then_some(At::Pcm(pcm))
    }

    fn enter_stream(&mut self, id: StreamId) -> Option<At> {
        if id.stream >= self.stream_count {
            return self.enter_pcm(id.pcm.saturating_add(1));
        }
        self.stream = self.pcm.clone();
        Some(At::Stream(id))
    }

    fn keep_stream(&mut self, id: StreamId, ports: &Ports) -> Result<(), BadDirectory> {
        if self.stream.has_no_channels() {
            return Err(BadDirectory::NoChannels);
        }
        // Both were read, or else it wouldn't have come so far.
        let direction = self.direction.take().ok_or(BadDirectory::Missing)?;
        let port = ports.for_stream(&self.unique_id, direction).map_err(BadDirectory::Port)?;
        let abilities: &Port = ports.as_slice().get(usize::from(port.0)).ok_or(BadDirectory::Missing)?;
        let config = StreamConfig { port, abilities: self.stream.of_port(abilities) };
        let kept = self.streams.push(FoundStream { id, config }).is_ok();
        if !kept || self.unique_ids.push(self.unique_id.clone()).is_err() {
            return Err(BadDirectory::TooManyStreams);
        }
        Ok(())
    }
}
