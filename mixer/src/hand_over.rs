//! A direct stream becomes a voice, because another stream wants its port.
//!
//! The hand-over costs a gap: the direct stream stops, and its voice goes on with the first frame that was not at the link. The
//! gap is stated: the generation of the position changes, and a FIFO error is counted.

use audioback::card::{Card, CardError, PortIndex, StillRunning};
use hyper::SampleMemory;

use crate::backing::Backing;
use crate::budget::Cost;
use crate::bus::{Bus, BusPlace};
use crate::direct::Direct;
use crate::layout::Layout;
use crate::mixer::Mixer;
use crate::start::{Begin, Group};
use crate::table::Content;
use crate::voice::{NO_BUS, State, Voice, Way};

impl<C, B, R> Mixer<C, B, R>
where
    B: SampleMemory,
    R: SampleMemory,
    C: Card<Backing<B, R>>,
{
    /// Moves the direct stream of a port to a bus.
    ///
    /// # Errors
    /// The reason why the stream stays direct, or why its run has ended: it reports an error then.
    pub(crate) fn hand_over(&mut self, port: PortIndex) -> Result<(), CardError> {
        let Some(place) = self.direct_of(port) else { return Ok(()) };
        let is_joining = |bus: &Bus<C::Stream>| bus.track.port == port && bus.track.joining.is_some();
        if self.buses.iter().filter_map(BusPlace::open).any(is_joining) || self.begin_joining(place).is_ok() {
            return Ok(());
        }
        let Some(content) = self.table.contents_mut().nth(place) else { return Ok(()) };
        let Content::Direct(direct) = core::mem::replace(content, Content::Lost) else { return Ok(()) };
        let was_running = direct.state == State::Running;
        let (content, result) = self.moved(direct);
        if let Some(free) = self.table.contents_mut().nth(place) {
            *free = content;
        }
        if let Some(bus) = self.bus_of(port) {
            self.update_reach(bus);
        }
        if result.is_ok() && was_running {
            let mut group = Group::new();
            group.push(place).map_err(|_| CardError::Busy)?;
            if let Err(error) = self.begin(&group, Begin::HandOver) {
                self.table.contents_mut().skip(place).take(1).for_each(|content| {
                    if let Content::Voice(voice) = content {
                        voice.break_off();
                    }
                });
                return Err(error);
            }
        }
        result
    }

    /// The same stream as a voice that is ready or paused.
    fn moved(&mut self, mut direct: Direct<C::Stream>) -> (Content<C::Stream, B>, Result<(), CardError>) {
        let (port, params) = (direct.port, direct.params);
        let layouts = Layout::of(&params).zip(self.bus_layout(port, &params));
        let Some((layout, bus_layout)) = layouts else {
            return (Content::Direct(direct), Err(CardError::Busy));
        };
        let cost = Cost::of(&layout, &bus_layout);
        // A direct stream has whole frames, so that nothing else is in the way of a voice.
        let can_convert = layout.rate_hz == bus_layout.rate_hz || self.converters.has_one();
        if !can_convert || !self.budget.admit(cost) {
            return (Content::Direct(direct), Err(CardError::Busy));
        }
        self.mix_ahead();
        let levels: [Option<i32>; 8] =
            core::array::from_fn(|channel| direct.volume::<Backing<B, R>, C>(&self.card, channel as u8).ok());
        let last = match self.card.stop(&mut direct.stream) {
            Ok(last) => last,
            Err(error) => {
                self.budget.release(cost);
                direct.state = State::Broken;
                return (Content::Direct(direct), Err(error));
            }
        };
        // The stop may have waited, and so may the close.
        self.mix_ahead();
        let Direct {
            stream, state, is_link_wanted, period_frames, written_bytes, reach, muted, trims, ..
        } = direct;
        let buffer = match self.card.close(stream) {
            Ok(Backing::Guest(buffer)) => buffer,
            Ok(Backing::Bus(_)) => return (Content::Lost, Err(CardError::Hardware)),
            Err(StillRunning(stream)) => {
                self.budget.release(cost);
                let direct = Direct { state: State::Broken, ..Direct::new(port, params, stream) };
                return (Content::Direct(direct), Err(CardError::Hardware));
            }
        };
        let joined = self.join_bus(port, &params);
        let way = self.direction(port).map_or(Way::Record, Way::of);
        let bus = joined.unwrap_or(NO_BUS);
        let layouts = (layout, bus_layout);
        let mut voice = match Voice::new(bus, way, params, layouts, buffer, &mut self.converters) {
            Ok(voice) => voice,
            // It was asked above.
            Err(_) => return (Content::Lost, Err(CardError::Unsupported)),
        };
        voice.port = port;
        voice.reach = reach;
        voice.gain.set_trims(trims, 0);
        voice.set_link_wanted(is_link_wanted);
        voice.set_period(period_frames);
        if let Some(bytes) = written_bytes {
            voice.note_written(bytes);
        }
        for (channel, level) in (0u8..).zip(levels) {
            // A port without amplifiers has no levels, and a voice's are the usual ones.
            if let Some(mdb) = level {
                voice.gain.set_level(channel, mdb, 0);
            }
            if muted & 1u16.checked_shl(channel.into()).unwrap_or_default() != 0 {
                voice.gain.set_mute(channel, true, 0);
            }
        }
        match state {
            State::Ready => {}
            State::Running | State::Paused if joined.is_ok() => voice.take_over(&last),
            _ => {
                voice.take_over(&last);
                voice.break_off();
            }
        }
        (Content::Voice(voice), joined.map(drop))
    }
}
