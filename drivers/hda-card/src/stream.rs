//! An open stream: the driver's typestates in one type, because guests' requests arrive at run
//! time.

use core::fmt;

use audioback::card::{CardError, LinkedStart, PositionLock, PositionSource, StreamPosition};
use heapless::Vec;
use hyper::{Clock, MappedBuffer};
use snd_hda::Timer;
use snd_hda::stream::{
    Configured, LinkTime, Paused, Refused, Reset, Running, StartMethod, StreamStatus, release_together,
};
use snd_hda::{Deadline, Direction, DmaRegion, Format, Registers, RouteIndex, Stream};

use crate::pages::Pages;
use crate::timing::{Begun, Timing};

/// A stream that can start.
type Ready<B, R, D, G> = Stream<Configured<Pages<B>, R, D, G>>;

/// A stream that runs.
type Run<B, R, D, G> = Stream<Running<Pages<B>, R, D, G>>;

/// A stream descriptor without a buffer, and the buffer that it had.
type Released<B, R, D, G> = (Stream<Reset<R, D, G>>, B);

/// Stream descriptors of a controller: INTCTL has 30 bits (HDA specification 1.0a, 3.3.14).
const STREAMS_MAX: usize = 30;

enum State<B: MappedBuffer, R: Registers, D: Timer, G: DmaRegion> {
    Configured(Ready<B, R, D, G>),
    Running(Run<B, R, D, G>),
    Paused(Stream<Paused<Pages<B>, R, D, G>>),
}

/// An open stream of a guest.
pub struct CardStream<B: MappedBuffer, R: Registers, D: Timer, G: DmaRegion> {
    route: RouteIndex,
    /// Whether the route's converter is on it.
    is_connected: bool,
    /// Whether the link position is used.
    is_link_wanted: bool,
    direction: Direction,
    format: Format,
    /// The delay of the route's converter.
    codec_delay_frames: u32,
    /// Frame 0 at the link, if known.
    begun: Option<Begun>,
    /// Breaks in the count since the open.
    generation: u32,
    /// The driver's and the clock's breaks since START, at the last look.
    breaks: Option<u32>,
    /// The position's source and lock that were logged last.
    logged: Option<(PositionSource, PositionLock)>,
    /// `None` only inside of [`step`](Self::step).
    state: Option<State<B, R, D, G>>,
}

impl<B: MappedBuffer, R: Registers, D: Timer, G: DmaRegion> fmt::Debug for CardStream<B, R, D, G> {
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
    D: Timer + Clone,
    G: DmaRegion,
{
    pub(crate) fn new(route: RouteIndex, codec_delay_frames: u32, stream: Ready<B, R, D, G>) -> Self {
        Self {
            route,
            is_connected: true,
            is_link_wanted: true,
            direction: stream.direction(),
            format: stream.format(),
            codec_delay_frames,
            begun: None,
            generation: 0,
            breaks: None,
            logged: None,
            state: Some(State::Configured(stream)),
        }
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

    /// Frame 0 at the link in ticks of the wall clock, as far as it is known.
    pub(crate) fn start_ticks(&self) -> Option<u64> {
        self.begun.map(|begun| begun.wall_ticks)
    }

    pub(crate) fn codec_delay_frames(&self) -> u32 {
        self.codec_delay_frames
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn direction(&self) -> Direction {
        self.direction
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub(crate) fn set_connected(&mut self, is_connected: bool) {
        self.is_connected = is_connected;
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

    pub(crate) fn running_mut(&mut self) -> Option<&mut Run<B, R, D, G>> {
        match &mut self.state {
            Some(State::Running(stream)) => Some(stream),
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

    /// Replaces the state by the one that `step` returns. `step` returns one after an error too.
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
        self.step(|state| match state {
            State::Configured(stream) => stepped(
                stream.start_timed(Some(time)),
                |running| (State::Running(running), ()),
                State::Configured,
            ),
            other => (other, Err(CardError::WrongState)),
        })
    }

    /// Prepares a start, except for its last step.
    fn arm(&mut self) -> Result<(), CardError> {
        match &mut self.state {
            Some(State::Configured(stream)) => stream.arm().map_err(failed),
            _ => Err(CardError::WrongState),
        }
    }

    fn disarm(&mut self) -> Result<(), CardError> {
        match &mut self.state {
            Some(State::Configured(stream)) => stream.disarm().map_err(failed),
            _ => Ok(()),
        }
    }

    pub(crate) fn pause<C: Clock>(&mut self, timing: &mut Timing<C>) -> Result<(), CardError> {
        if self.begun.is_none()
            && let Some(State::Running(stream)) = &mut self.state
        {
            // After a pause nothing tells the start any more.
            let (before_ns, status) = (timing.now_ns(), stream.poll());
            self.translate(Some(status), before_ns, timing);
        }
        self.step(|state| match state {
            State::Running(stream) => stepped(
                stream.pause_timed(Some(timing)),
                |paused| (State::Paused(paused), ()),
                State::Running,
            ),
            other => (other, Err(CardError::WrongState)),
        })
    }

    pub(crate) fn resume(&mut self, time: &dyn LinkTime) -> Result<(), CardError> {
        self.step(|state| match state {
            State::Paused(stream) => stepped(
                stream.resume_timed(Some(time)),
                |running| (State::Running(running), ()),
                State::Paused,
            ),
            other => (other, Err(CardError::WrongState)),
        })
    }

    pub(crate) fn stop<C: Clock>(&mut self, timing: &mut Timing<C>) -> Result<StreamPosition, CardError> {
        let before_ns = timing.now_ns();
        let stopped = |(stream, status)| (State::Configured(stream), Some(status));
        let status = self.step(|state| match state {
            State::Configured(stream) => (State::Configured(stream), Ok(None)),
            State::Running(stream) => stepped(stream.stop(), stopped, State::Running),
            State::Paused(stream) => stepped(stream.stop(), stopped, State::Paused),
        })?;
        let position = self.translate(status, before_ns, timing);
        self.begun = None;
        self.breaks = None;
        self.logged = None;
        Ok(position)
    }

    pub(crate) fn position<C: Clock>(&mut self, timing: &mut Timing<C>) -> Result<StreamPosition, CardError> {
        // A paused stream tells its place whether it is wanted or not.
        let is_timed = self.is_link_wanted || matches!(self.state, Some(State::Paused(_)));
        let before_ns = if is_timed { timing.now_ns() } else { 0 };
        let status = match &mut self.state {
            Some(State::Configured(_)) | None => None,
            Some(State::Running(stream)) if self.is_link_wanted => Some(stream.poll()),
            Some(State::Running(stream)) => Some(stream.poll_bytes()),
            Some(State::Paused(stream)) => Some(stream.status()),
        };
        Ok(self.translate(status, before_ns, timing))
    }

    /// Translates a status that was read after `before_ns`.
    fn translate<C: Clock>(
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
            let found = (link.source, link.lock);
            if self.logged.replace(found) != Some(found) {
                let (port, lock, source, error_ns) = (self.route.0, link.lock, link.source, link.error_ns);
                log::debug!("port {port}: position {lock:?} by {source:?}, within {error_ns} ns");
            }
        }
        StreamPosition {
            bytes: status.position.bytes,
            fifo_errors: status.fifo_errors,
            descriptor_errors: status.descriptor_errors,
            link,
        }
    }

    /// Separates descriptor and buffer once RUN reads 0. Otherwise returns the stream.
    #[allow(clippy::result_large_err, reason = "the stream comes back by value: there is no heap")]
    pub(crate) fn release<C: Clock>(mut self, timing: &mut Timing<C>) -> Result<Released<B, R, D, G>, Self> {
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
            // A stop leads to no other state.
            other => {
                self.state = other;
                Err(self)
            }
        }
    }
}

/// Starts streams in the same link frame if the controller can.
pub(crate) fn start_together<B, R, D, G>(
    streams: &mut [&mut CardStream<B, R, D, G>],
    time: &dyn LinkTime,
) -> Result<LinkedStart, CardError>
where
    B: MappedBuffer,
    R: Registers + Clone,
    D: Timer + Clone,
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
            if let Err(error) = stream.disarm() {
                // The close fails too, and keeps the buffer.
                log::error!("port {}: it is armed and does not stop: {error:?}", stream.route.0);
            }
        }
        return Err(error);
    }
    let mut armed: Vec<&mut Ready<B, R, D, G>, STREAMS_MAX> = Vec::new();
    for stream in streams.iter_mut() {
        if let Some(State::Configured(stream)) = &mut stream.state {
            armed.push(stream).map_err(|_| CardError::Busy)?;
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

/// The next state after a step of the driver's, and the step's result.
fn stepped<T, U, S, B: MappedBuffer, R: Registers, D: Timer, G: DmaRegion>(
    done: Result<T, Refused<S>>,
    next: impl FnOnce(T) -> (State<B, R, D, G>, U),
    unchanged: impl FnOnce(S) -> State<B, R, D, G>,
) -> (State<B, R, D, G>, Result<U, CardError>) {
    match done {
        Ok(done) => {
            let (state, result) = next(done);
            (state, Ok(result))
        }
        Err(refused) => (unchanged(refused.stream), Err(failed(refused.deadline))),
    }
}

/// Logs the register that did not reach its value.
fn failed(deadline: Deadline) -> CardError {
    log::error!("{deadline}");
    CardError::Hardware
}
