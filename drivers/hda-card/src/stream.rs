//! An open stream: the driver's typestates behind one type, for a back end that learns at run time what a guest wants.

use core::fmt;

use audioback::card::{CardError, LinkedStart, PositionLock, PositionSource, StreamPosition};
use embedded_hal::delay::DelayNs;
use heapless::Vec;
use hyper::{Clock, MappedBuffer};
use snd_hda::stream::{
    Configured, LinkTime, Paused, Reset, Running, StartMethod, StreamStatus, release_together,
};
use snd_hda::{Deadline, Direction, DmaRegion, Format, Registers, RouteIndex, Stream};

use crate::Pages;
use crate::timing::{Begun, Timing};

/// A stream that can be started, as the driver types it.
type Ready<B, R, D, G> = Stream<Configured<Pages<B>, R, D, G>>;

/// A stream descriptor without a buffer, and the buffer that it had.
type Parted<B, R, D, G> = (Stream<Reset<R, D, G>>, B);

/// Stream descriptors of a controller: INTCTL has 30 bits (HDA specification 1.0a, 3.3.14).
const STREAMS_MAX: usize = 30;

enum State<B: MappedBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    Configured(Ready<B, R, D, G>),
    Running(Stream<Running<Pages<B>, R, D, G>>),
    Paused(Stream<Paused<Pages<B>, R, D, G>>),
}

/// A stream that a guest has opened.
pub struct CardStream<B: MappedBuffer, R: Registers, D: DelayNs, G: DmaRegion> {
    route: RouteIndex,
    /// A converter listens to it, or speaks on it. Without one it may not start: nothing would be heard.
    is_connected: bool,
    /// Somebody wants to know what is at the link.
    is_link_wanted: bool,
    direction: Direction,
    format: Format,
    /// The route's converter's own delay.
    codec_delay_frames: u32,
    /// When frame 0 was at the link, as far as is known.
    begun: Option<Begun>,
    /// Breaks in the count, each START among them; and what the last look said of breaks since START.
    generation: u32,
    breaks: Option<u32>,
    /// What was logged of its position: nothing, or how it is come by.
    told: Option<(PositionSource, PositionLock)>,
    /// `None` inside a step only: each puts back what it made of it.
    state: Option<State<B, R, D, G>>,
}

impl<B: MappedBuffer, R: Registers, D: DelayNs, G: DmaRegion> fmt::Debug for CardStream<B, R, D, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            Some(State::Configured(_)) => "configured",
            Some(State::Running(_)) => "running",
            Some(State::Paused(_)) => "paused",
            None => "between states",
        };
        f.debug_struct("CardStream").field("route", &self.route).field("state", &state).finish()
    }
}

impl<B, R, D, G> CardStream<B, R, D, G>
where
    B: MappedBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    pub(crate) fn new(route: RouteIndex, codec_delay_frames: u8, stream: Ready<B, R, D, G>) -> Self {
        Self {
            route,
            is_connected: false,
            is_link_wanted: true,
            direction: stream.direction(),
            format: stream.format(),
            codec_delay_frames: codec_delay_frames.into(),
            begun: None,
            generation: 0,
            breaks: None,
            told: None,
            state: Some(State::Configured(stream)),
        }
    }

    pub(crate) fn set_connected(&mut self) {
        self.is_connected = true;
    }

    pub(crate) fn set_link_wanted(&mut self, is_wanted: bool) {
        self.is_link_wanted = is_wanted;
    }

    pub(crate) fn is_link_wanted(&self) -> bool {
        self.is_link_wanted
    }

    pub(crate) fn route(&self) -> RouteIndex {
        self.route
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.format.rate().hz()
    }

    pub(crate) fn configured(&self) -> Option<&Ready<B, R, D, G>> {
        match &self.state {
            Some(State::Configured(stream)) => Some(stream),
            _ => None,
        }
    }

    /// The guest's buffer.
    pub(crate) fn buffer(&self) -> Option<&B> {
        let pages = match self.state.as_ref()? {
            State::Configured(stream) => stream.buffer(),
            State::Running(stream) => stream.buffer(),
            State::Paused(stream) => stream.buffer(),
        };
        pages.map(|Pages(buffer)| buffer)
    }

    /// Takes the state through `step`, which returns the next one, whatever came of it.
    fn step<T>(
        &mut self,
        step: impl FnOnce(State<B, R, D, G>) -> (State<B, R, D, G>, Result<T, CardError>),
    ) -> Result<T, CardError> {
        let Some(state) = self.state.take() else { return Err(CardError::WrongState) };
        let (state, result) = step(state);
        self.state = Some(state);
        result
    }

    pub(crate) fn start(&mut self, time: &dyn LinkTime) -> Result<(), CardError> {
        if !self.is_connected {
            return Err(CardError::Hardware);
        }
        self.step(|state| match state {
            State::Configured(stream) => match stream.start_timed(Some(time)) {
                Ok(running) => (State::Running(running), Ok(())),
                Err(refused) => {
                    log::error!("{}", refused.deadline);
                    (State::Configured(refused.stream), Err(CardError::Hardware))
                }
            },
            other => (other, Err(CardError::WrongState)),
        })
    }

    /// Does all of a start but its last step.
    fn arm(&mut self) -> Result<(), CardError> {
        match &mut self.state {
            Some(State::Configured(stream)) if self.is_connected => stream.arm().map_err(failed),
            Some(State::Configured(_)) => Err(CardError::Hardware),
            _ => Err(CardError::WrongState),
        }
    }

    fn disarm(&mut self) -> Result<(), CardError> {
        match &mut self.state {
            Some(State::Configured(stream)) => stream.disarm().map_err(failed),
            _ => Ok(()),
        }
    }

    pub(crate) fn pause(&mut self, time: &dyn LinkTime) -> Result<(), CardError> {
        self.step(|state| match state {
            State::Running(stream) => match stream.pause_timed(Some(time)) {
                Ok(paused) => (State::Paused(paused), Ok(())),
                Err(still) => {
                    log::error!("{}", still.deadline);
                    (State::Running(still.stream), Err(CardError::Hardware))
                }
            },
            other => (other, Err(CardError::WrongState)),
        })
    }

    pub(crate) fn resume(&mut self, time: &dyn LinkTime) -> Result<(), CardError> {
        self.step(|state| match state {
            State::Paused(stream) => match stream.resume_timed(Some(time)) {
                Ok(running) => (State::Running(running), Ok(())),
                Err(refused) => {
                    log::error!("{}", refused.deadline);
                    (State::Paused(refused.stream), Err(CardError::Hardware))
                }
            },
            other => (other, Err(CardError::WrongState)),
        })
    }

    pub(crate) fn stop<C: Clock>(&mut self, timing: &mut Timing<C>) -> Result<StreamPosition, CardError> {
        let before_ns = timing.now_ns();
        let status = self.step(|state| match state {
            State::Configured(stream) => (State::Configured(stream), Ok(None)),
            State::Running(stream) => match stream.stop() {
                Ok((configured, status)) => (State::Configured(configured), Ok(Some(status))),
                Err(still) => {
                    log::error!("{}", still.deadline);
                    (State::Running(still.stream), Err(CardError::Hardware))
                }
            },
            State::Paused(stream) => match stream.stop() {
                Ok((configured, status)) => (State::Configured(configured), Ok(Some(status))),
                Err(still) => {
                    log::error!("{}", still.deadline);
                    (State::Paused(still.stream), Err(CardError::Hardware))
                }
            },
        })?;
        let position = self.stated(status, before_ns, timing);
        self.begun = None;
        self.breaks = None;
        self.told = None;
        Ok(position)
    }

    pub(crate) fn position<C: Clock>(&mut self, timing: &mut Timing<C>) -> Result<StreamPosition, CardError> {
        let before_ns = if self.is_link_wanted { timing.now_ns() } else { 0 };
        let status = match &mut self.state {
            Some(State::Configured(_)) | None => None,
            Some(State::Running(stream)) if self.is_link_wanted => Some(stream.poll()),
            Some(State::Running(stream)) => Some(stream.poll_bytes()),
            Some(State::Paused(stream)) => Some(stream.status()),
        };
        Ok(self.stated(status, before_ns, timing))
    }

    /// The back end's words for a status that was taken since `before_ns`.
    fn stated<C: Clock>(
        &mut self,
        status: Option<StreamStatus>,
        before_ns: u64,
        timing: &mut Timing<C>,
    ) -> StreamPosition {
        let Some(status) = status else { return StreamPosition::default() };
        let mut link = timing.state(&status, before_ns, (self.direction, self.format), &mut self.begun);
        if let Some(link) = &mut link {
            link.codec_delay_frames = self.codec_delay_frames;
            if self.breaks.replace(link.generation) != Some(link.generation) {
                self.generation = self.generation.wrapping_add(1);
            }
            link.generation = self.generation;
            let told = (link.source, link.lock);
            if self.told.replace(told) != Some(told) {
                log::debug!(
                    "port {}: position {:?} by {:?}, within {} ns",
                    self.route.0,
                    link.lock,
                    link.source,
                    link.error_ns
                );
            }
        }
        StreamPosition {
            bytes: status.position.bytes,
            fifo_errors: status.fifo_errors,
            descriptor_errors: status.descriptor_errors,
            link,
        }
    }

    /// Parts descriptor and buffer, once RUN has read 0; else gives the stream back.
    #[allow(clippy::result_large_err, reason = "the stream comes back by value: there is no heap")]
    pub(crate) fn release<C: Clock>(mut self, timing: &mut Timing<C>) -> Result<Parted<B, R, D, G>, Self> {
        if self.stop(timing).is_err() {
            return Err(self);
        }
        match self.state.take() {
            Some(State::Configured(stream)) => match stream.release() {
                Ok((reset, Pages(buffer))) => Ok((reset, buffer)),
                Err(still) => {
                    log::error!("{}", still.deadline);
                    self.state = Some(State::Configured(still.stream));
                    Err(self)
                }
            },
            // After a stop that went well there is no other state.
            other => {
                self.state = other;
                Err(self)
            }
        }
    }
}

/// Starts streams in the same link frame, where the controller can.
pub(crate) fn start_together<B, R, D, G>(
    streams: &mut [&mut CardStream<B, R, D, G>],
    time: &dyn LinkTime,
) -> Result<LinkedStart, CardError>
where
    B: MappedBuffer,
    R: Registers + Clone,
    D: DelayNs + Clone,
    G: DmaRegion,
{
    if streams.len() > STREAMS_MAX {
        return Err(CardError::Busy);
    }
    let mut result = Ok(());
    let mut armed_count = 0usize;
    for stream in streams.iter_mut() {
        result = stream.arm();
        if result.is_err() {
            break;
        }
        armed_count = armed_count.saturating_add(1);
    }
    if let Err(error) = result {
        for stream in streams.iter_mut().take(armed_count) {
            // One that doesn't stop says so again when it is closed.
            let _ = stream.disarm();
        }
        return Err(error);
    }
    let mut armed: Vec<&mut Ready<B, R, D, G>, STREAMS_MAX> = Vec::new();
    for stream in streams.iter_mut() {
        if let Some(State::Configured(stream)) = &mut stream.state {
            // As many as were counted above.
            let _ = armed.push(stream);
        }
    }
    let start = release_together(&mut armed, Some(time)).ok_or(CardError::WrongState)?;
    drop(armed);
    for stream in streams.iter_mut() {
        stream.start(time)?;
    }
    Ok(match start.method {
        StartMethod::Synchronized { .. } => LinkedStart::SameFrame,
        StartMethod::BackToBack => LinkedStart::BackToBack,
    })
}

/// Logs what the hardware didn't do.
fn failed(deadline: Deadline) -> CardError {
    log::error!("{deadline}");
    CardError::Hardware
}
