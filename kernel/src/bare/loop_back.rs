//! A guest's front ends and the back end over an in-memory hypervisor, in one loop.
//!
//! Only the grants differ from Xen: a table in memory holds them. The front end writes rings and a
//! page directory, and the back end maps them. The controller reads the samples from the guest's
//! own pages. The loop is generic over memory and card. It runs in the image and, against the
//! model, on the host.

use alloc::boxed::Box;
use alloc::vec::Vec as List;

use audioback::card::{Card, Direction, Port, PortIndex};
use audioback::device::{ConnectError, Device, SetUpError};
use audioback::rights::{Policy, PortSet};
use audioback::stream::{Stream, StreamConfig as BackConfig, StreamStats};
use audiofront::{ConnectError as FrontConnectError, StreamConfig, StreamFront};
use heapless::Vec;
use hyper::{Clock, DomainId, Hypervisor, Nanos};
use hypervisor_model::guest::{GuestStream, Observer, Order, StreamError, Task};
use hypervisor_model::{FrontEnd, Limits, MemoryHypervisor, PageMemory};
use sndif::format::SampleFormat;
use sndif::state::XenbusState;

use super::command_line::{CommandLine, MAX_STREAMS};

/// Most streams of both directions on a command line.
pub const MAX_GUEST_STREAMS: usize = MAX_STREAMS * 2;

/// The back end's domain.
pub const DRIVER: DomainId = DomainId(0);
const GUEST: DomainId = DomainId(1);

/// Rounds of front end and back end in one poll.
const ROUNDS_PER_POLL: usize = 64;

/// Longest sleep while a stream is open. An endless sleep couldn't report a stall.
const SLEEP_NS_MAX: u64 = 100_000_000;

/// The loop fails after this long without progress of any stream.
const STALL_NS: u64 = 3_000_000_000;

/// Why the command line's streams failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoopBackError {
    /// The command line names nothing to play or record.
    #[error("nothing to do: the command line has no play= and no record=")]
    NothingToDo,
    /// The card has fewer outputs or inputs than the command line names.
    #[error(
        "{name} {wanted} is asked for, but the card has {there_are} {name}s with a route",
        name = port_noun(*direction)
    )]
    NoSuchPort {
        /// Direction of the port.
        direction: Direction,
        /// Number of the requested port, from 0.
        wanted: u8,
        /// Number of ports available.
        there_are: usize,
    },
    /// `play=` names bytes past the end of the boot module.
    #[error("play= names bytes past the end of the boot module ({module_bytes} bytes)")]
    PastModule {
        /// Size of the module in bytes.
        module_bytes: usize,
    },
    /// `play=` names bytes that end inside a frame.
    #[error("play= names bytes that end inside a frame of {frame_bytes} bytes")]
    PartOfFrame {
        /// Bytes in a frame of that stream.
        frame_bytes: u32,
    },
    /// More than one `record=`: only one recording sink exists.
    #[error("more than one record= word")]
    OneRecordingAtATime,
    /// A stream could not be connected.
    #[error("stream {0}: could not be connected: {1:?}")]
    Front(usize, FrontConnectError),
    /// The device could not be set up.
    #[error("the device could not be set up: {0}")]
    SetUp(SetUpError),
    /// The back end could not be connected.
    #[error("the back end could not be connected: {0:?}")]
    Connect(ConnectError),
    /// A stream failed. Streams count through the command line's `play=` words, then its `record=`
    /// words.
    #[error("stream {0}: {1}")]
    Stream(usize, StreamError),
    /// No stream made progress for three seconds.
    #[error("no stream got any further for 3 s")]
    Stalled,
    /// The device did not close: a stream's RUN bit stays set.
    #[error("the device did not close: RUN sticks")]
    NotClosed,
    /// A side accessed or kept a page that it doesn't own.
    #[error(
        "page ownership: {violations} rules broken, {mapped_pages} pages still mapped, {granted_pages} granted"
    )]
    Ownership {
        /// Rules broken.
        violations: u32,
        /// Pages still mapped.
        mapped_pages: usize,
        /// Pages still granted.
        granted_pages: usize,
    },
}

/// Time of the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// At the latest at this time.
    Until(Nanos),
    /// Every stream is closed.
    Finished,
}

/// The model's limits for `command_line`'s streams.
pub fn limits(command_line: &CommandLine) -> Limits {
    Limits::for_streams(command_line.play.len() + command_line.record.len())
}

/// Guest, back end and card. `H` is the back end's side of `world`: `world.back_end(DRIVER)` or a
/// decorator of it.
pub struct LoopBack<'a, M: PageMemory, H: Hypervisor, C: Card<H::Buffer>> {
    world: &'a MemoryHypervisor<M>,
    back: H,
    card: C,
    // Boxed because all of its parts have a fixed size, which makes it large.
    device: Box<Device<H, C>>,
    streams: List<GuestStream<FrontEnd<'a, M>>>,
    frames_seen: u64,
    progress_at: Nanos,
}

impl<'a, M, H, C> LoopBack<'a, M, H, C>
where
    M: PageMemory,
    H: Hypervisor,
    C: Card<H::Buffer>,
{
    /// Connects front ends and back end for `command_line`'s streams, with samples from `module`.
    pub fn new(
        world: &'a MemoryHypervisor<M>,
        mut back: H,
        card: C,
        command_line: &CommandLine,
        module: &'static [u8],
        now: Nanos,
    ) -> Result<Self, LoopBackError> {
        let orders = orders(command_line, card.ports(), module)?;
        let mut streams = List::with_capacity(orders.len());
        let mut configs = Vec::<BackConfig, MAX_GUEST_STREAMS>::new();
        let mut nodes = Vec::<_, MAX_GUEST_STREAMS>::new();
        for (index, (port, direction, order)) in orders.iter().enumerate() {
            // Indices stay below MAX_GUEST_STREAMS.
            let transport = world.front_end(GUEST, DRIVER, index as u32);
            let front = StreamFront::connect(transport, *direction)
                .map_err(|error| LoopBackError::Front(index, error))?;
            let _ = nodes.push(*front.nodes());
            // `find_port` found it.
            if let Some(abilities) = card.ports().get(usize::from(port.0)) {
                let abilities = Port { buffer_bytes_max: command_line.buffer_bytes, ..*abilities };
                let _ = configs.push(BackConfig { port: *port, abilities });
            }
            let stream = GuestStream::new(index, front, *order)
                .map_err(|error| LoopBackError::Stream(index, error))?;
            streams.push(stream);
        }
        // A `record=` word permits recording.
        let policy = Policy {
            may_play: PortSet::ALL,
            may_record: if command_line.record.is_empty() { PortSet::NONE } else { PortSet::ALL },
            ..Policy::NOTHING
        };
        let mut device =
            Box::new(Device::new(GUEST, policy, card.ports(), &configs).map_err(LoopBackError::SetUp)?);
        device.connect(&mut back, &nodes, None, now).map_err(LoopBackError::Connect)?;
        Ok(Self { world, back, card, device, streams, frames_seen: 0, progress_at: now })
    }

    /// Runs front ends and back end until neither sends an event.
    pub fn poll(
        &mut self,
        clock: &impl Clock,
        observer: &mut impl Observer,
    ) -> Result<Progress, LoopBackError> {
        let mut next = None;
        let mut now = clock.now();
        for _ in 0..ROUNDS_PER_POLL {
            now = clock.now();
            for (index, stream) in self.streams.iter_mut().enumerate() {
                stream.poll(now, observer).map_err(|error| LoopBackError::Stream(index, error))?;
            }
            next = self.device.poll(&mut self.back, &mut self.card, clock);
            // There is one device. It was polled for events of every channel.
            let heard = |domain| core::iter::from_fn(|| self.world.take_pending(domain)).count() > 0;
            let (driver, guest) = (heard(DRIVER), heard(GUEST));
            if !driver && !guest {
                break;
            }
        }
        if self.streams.iter().all(GuestStream::is_done) {
            return Ok(Progress::Finished);
        }
        let frames = (0..self.streams.len())
            .filter_map(|index| self.device.stream(index))
            .map(|one| one.stats().frames);
        let frames = frames.fold(0u64, u64::saturating_add);
        if frames != self.frames_seen {
            self.frames_seen = frames;
            self.progress_at = now;
        } else if now.0 - self.progress_at.0 > STALL_NS {
            return Err(LoopBackError::Stalled);
        }
        let latest = Nanos(now.0 + SLEEP_NS_MAX);
        Ok(Progress::Until(next.map_or(latest, |next| next.min(latest))))
    }

    /// Lets the card handle its interrupt and its codecs' messages; see [`Card::poll`].
    pub fn poll_card(&mut self, now: Nanos, is_interrupted: bool) {
        self.card.poll(now, is_interrupted);
    }

    /// The back end's counts for a stream.
    pub fn stats(&self, stream: usize) -> StreamStats {
        self.device.stream(stream).map(Stream::stats).unwrap_or_default()
    }

    /// Disconnects both ends and checks that no page is still mapped or granted.
    pub fn finish(mut self) -> Result<C, LoopBackError> {
        self.device.close(&mut self.back, &mut self.card);
        if self.device.state() != XenbusState::Closed {
            return Err(LoopBackError::NotClosed);
        }
        for stream in self.streams {
            stream.into_front().disconnect();
        }
        let world = self.world;
        let ownership = (world.violation_count(), world.mapped_pages(), world.granted_pages());
        if ownership != (0, 0, 0) {
            let (violations, mapped_pages, granted_pages) = ownership;
            return Err(LoopBackError::Ownership { violations, mapped_pages, granted_pages });
        }
        Ok(self.card)
    }
}

type Orders = Vec<(PortIndex, Direction, Order), MAX_GUEST_STREAMS>;

/// Pairs each requested stream with its port of the card.
fn orders(
    command_line: &CommandLine,
    ports: &[Port],
    module: &'static [u8],
) -> Result<Orders, LoopBackError> {
    if command_line.play.is_empty() && command_line.record.is_empty() {
        return Err(LoopBackError::NothingToDo);
    }
    if command_line.record.len() > 1 {
        return Err(LoopBackError::OneRecordingAtATime);
    }
    let mut orders = Orders::new();
    // The result is at least 1: the command line accepts only sized formats and 1 to 16 channels.
    let frame_bytes = |format: SampleFormat, channels: u8| {
        (format.bytes_per_sample().unwrap_or(1) * u32::from(channels)).max(1)
    };
    let config = |rate_hz, format, channels| {
        let frame_bytes = frame_bytes(format, channels);
        StreamConfig {
            rate_hz,
            format,
            channels,
            // The protocol requires whole frames.
            buffer_bytes: command_line.buffer_bytes - command_line.buffer_bytes % frame_bytes,
            period_bytes: command_line.period_frames.saturating_mul(frame_bytes),
        }
    };
    for play in &command_line.play {
        let end = play.module_offset.checked_add(play.bytes);
        let bytes = end.and_then(|end| module.get(play.module_offset..end));
        let bytes = bytes.ok_or(LoopBackError::PastModule { module_bytes: module.len() })?;
        let frame_bytes = frame_bytes(play.format, play.channels);
        if !bytes.len().is_multiple_of(frame_bytes as usize) {
            return Err(LoopBackError::PartOfFrame { frame_bytes });
        }
        let order =
            Order { config: config(play.rate_hz, play.format, play.channels), task: Task::Play(bytes) };
        let port = find_port(ports, Direction::Playback, play.output)?;
        let _ = orders.push((port, Direction::Playback, order));
    }
    for record in &command_line.record {
        let config = config(record.rate_hz, record.format, record.channels);
        let order = Order { config, task: Task::Record(record.frames) };
        let port = find_port(ports, Direction::Capture, record.input)?;
        let _ = orders.push((port, Direction::Capture, order));
    }
    Ok(orders)
}

const fn port_noun(direction: Direction) -> &'static str {
    match direction {
        Direction::Playback => "output",
        Direction::Capture => "input",
    }
}

/// The card's `wanted`-th port in this direction.
fn find_port(ports: &[Port], direction: Direction, wanted: u8) -> Result<PortIndex, LoopBackError> {
    let mut of_direction = ports.iter().enumerate().filter(|(_, port)| port.direction == direction);
    let there_are = of_direction.clone().count();
    let found = of_direction.nth(wanted.into()).and_then(|(index, _)| u8::try_from(index).ok());
    found.map(PortIndex).ok_or(LoopBackError::NoSuchPort { direction, wanted, there_are })
}
