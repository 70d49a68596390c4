//! The microphone's signal, tick by tick, to the frame and at its time.
//!
//! # Whose time
//!
//! The harness sees no clock. It sees the emulator's audio timer: at each of its ticks, one each [`TICK_US`] of virtual
//! time, the emulator first plays what is due (a Write, whenever 1024 frames have come together) and then asks for what
//! was heard (a Read, or two where its ring wraps). So Reads count time, in ticks of 48 frames at 48 kHz, and each Write
//! tells how far playing had got at a tick. In a steady state playing is exact: so many frames a tick. What is to be
//! found is the distance between the two counts, once for each start of a stream, because
//!
//! - what the emulator could not make up to 1024 frames when a stream stopped comes with the first Write of the next, and
//! - while nothing is played, time goes on.
//!
//! A Write that makes up `n` frames before the `k`-th tick ends says that the distance is at least `n - 48 k`: playing is
//! never ahead of time. It's late only while a stream starts. So the distance is the highest of these; after three Writes,
//! 64 ms, no other can be higher, because 1024 runs through all multiples of 16 modulo 48. Where the emulator's timer
//! started with the stream (no other was running), the true distance is a multiple of 16, too: then the room is exact to
//! the frame. Otherwise it is late by less than 16 frames, the same for as long as the stream runs.
//!
//! # The emulator's own way
//!
//! A frame is here at most 1024 frames after it was due, so that this is what the room's delay is added to. Before and
//! behind the harness the emulator buffers, too: `docs/echo.md` has the sum as measured.

use std::collections::VecDeque;

use super::cable::Cable;
use super::room::{Room, stereo};
use super::{Microphone, Traffic};
use crate::wav::FRAME_BYTES;

/// The signal at the input of the harness's codec, tick by tick.
pub(super) struct Heard {
    microphone: Microphone,
    tick_frames: u64,
    /// Frames left for this tick, if the emulator will ask again.
    left: Option<u64>,
    /// Time, in frames: all ticks until now.
    now: i64,
    written: usize,
    /// The input is on: each tick asks.
    counts_time: bool,
    /// Starts of the input.
    starts: u32,
    runs: VecDeque<Run>,
    cable: Cable,
    /// The input was started, and hasn't asked since.
    is_fresh: bool,
}

/// A part of what was played, from a start of a stream on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The first frame of it, among all that were ever written.
    first: usize,
    /// The count of written frames less that of time, where it's known: which frame is due at time 0.
    distance: Option<i64>,
}

impl Heard {
    pub(super) fn new(microphone: Microphone, rate_hz: u32) -> Heard {
        let tick_frames = u64::from(rate_hz) * u64::from(microphone.tick_us()) / 1_000_000;
        Heard {
            microphone,
            tick_frames,
            left: None,
            now: 0,
            written: 0,
            counts_time: false,
            starts: 0,
            runs: VecDeque::from([Run { first: 0, distance: None }]),
            cable: Cable::default(),
            is_fresh: true,
        }
    }

    /// A Write brought so many frames.
    pub(super) fn played(&mut self, frames: usize) {
        self.written += frames;
        // It's of the tick whose Read comes next.
        let distance = self.written as i64 - (self.now + self.tick_frames as i64);
        if self.counts_time
            && let Some(run) = self.runs.back_mut()
        {
            run.distance = Some(run.distance.map_or(distance, |highest| highest.max(distance)));
        }
    }

    pub(super) fn output_enabled(&mut self, enabled: bool) {
        if enabled {
            self.begin_run();
        }
    }

    /// While nobody asks, no time is counted: what was known of distances is void. What plays goes on, and its distance
    /// will be found again.
    pub(super) fn input_enabled(&mut self, enabled: bool) {
        self.left = None;
        self.counts_time = enabled;
        if enabled {
            self.starts += 1;
            self.is_fresh = true;
            let first = self.runs.back().map_or(self.written, |run| run.first);
            self.runs.clear();
            self.runs.push_back(Run { first, distance: None });
        }
    }

    /// The room of the input's present start.
    fn room(&self) -> Option<&Room> {
        match &self.microphone {
            Microphone::Hears(_) | Microphone::HearsTheOutput => None,
            Microphone::Room(room) => Some(room),
            Microphone::Rooms(rooms) => {
                let mut ends = 0;
                let here = rooms.iter().find(|(starts, _)| {
                    ends += starts;
                    self.starts <= ends
                });
                here.or(rooms.last()).map(|(_, room)| room)
            }
        }
    }

    fn begin_run(&mut self) {
        // As many as a room's delay and response can reach back to.
        const KEPT_RUNS: usize = 8;
        while self.runs.len() >= KEPT_RUNS {
            self.runs.pop_front();
        }
        self.runs.push_back(Run { first: self.written, distance: None });
    }

    /// The emulator asks for as much as would fit, at each tick. It's given a tick's frames: whatever it has more than
    /// that it drops when its ring is full. Where its ring wraps it asks for what is up to there, and whenever it was given
    /// all that it asked for it asks again.
    pub(super) fn read(&mut self, traffic: &mut Traffic, asked_frames: u64) -> Vec<u8> {
        let due = self.left.unwrap_or(self.tick_frames);
        let frames = due.min(asked_frames);
        self.left = (frames == asked_frames).then(|| due - frames);
        let from = traffic.fed_frames;
        traffic.fed_frames += frames;
        let bytes = match (&self.microphone, self.room()) {
            (Microphone::Hears(source), _) => {
                (from..from + frames).flat_map(|index| source.frame(index)).collect()
            }
            (Microphone::HearsTheOutput, _) => {
                if core::mem::take(&mut self.is_fresh) {
                    self.cable.turn_on(&traffic.played);
                }
                self.cable.read(&traffic.played, frames as usize * FRAME_BYTES)
            }
            (_, Some(room)) => (self.now..self.now + frames as i64)
                .flat_map(|time| self.heard_at(room, &traffic.played, time))
                .collect(),
            (_, None) => vec![0; frames as usize * FRAME_BYTES],
        };
        self.now += frames as i64;
        bytes
    }

    /// The sound in a room at a time.
    fn heard_at(&self, room: &Room, played: &[u8], time: i64) -> [u8; FRAME_BYTES] {
        let due = time - (Room::OWN_DELAY_FRAMES + room.delay_frames) as i64;
        let mut heard = [0.0_f32; 2];
        for (lag, gain) in room.taps.iter() {
            let Some(frame) = self.played_at(played, due - *lag as i64) else { continue };
            let [left, right] = stereo(frame);
            heard = [heard[0] + gain * left, heard[1] + gain * right];
        }
        // `as` saturates.
        let [left, right] = heard.map(|sample| (sample.round() as i16).to_le_bytes());
        [left[0], left[1], right[0], right[1]]
    }

    /// The frame that was due at a time, if one was played.
    fn played_at<'a>(&self, played: &'a [u8], time: i64) -> Option<&'a [u8; FRAME_BYTES]> {
        let mut end = self.written;
        for run in self.runs.iter().rev() {
            let frame = run.distance.and_then(|distance| usize::try_from(time + distance).ok());
            if let Some(frame) = frame.filter(|frame| (run.first..end).contains(frame)) {
                return played.as_chunks::<FRAME_BYTES>().0.get(frame);
            }
            end = run.first;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::WRITE_FRAMES;
    use super::*;

    const TICK: usize = 48;

    /// An emulator as it is: its rings wrap, it keeps what doesn't make up a Write, and time goes on.
    struct Emulator {
        heard: Heard,
        traffic: Traffic,
        recorded: Vec<i16>,
        ring_at: usize,
        kept: Vec<u8>,
    }

    impl Emulator {
        fn new(room: Room) -> Emulator {
            Emulator {
                heard: Heard::new(Microphone::Room(room), 48_000),
                traffic: Traffic::default(),
                recorded: Vec::new(),
                ring_at: 0,
                kept: Vec::new(),
            }
        }

        fn plays(&mut self, sample: i16) {
            self.kept.extend([sample.to_le_bytes(), [0, 0]].concat());
            if self.kept.len() == WRITE_FRAMES * FRAME_BYTES {
                self.heard.played(WRITE_FRAMES);
                self.traffic.played.append(&mut self.kept);
            }
        }

        /// Plays a tick's frames of the left channel, or none, and asks for a tick's.
        fn tick(&mut self, plays: Option<&[i16]>) {
            for sample in plays.into_iter().flatten() {
                self.plays(*sample);
            }
            const RING: usize = 1024;
            loop {
                let asked = RING - self.ring_at;
                let bytes = self.heard.read(&mut self.traffic, asked as u64);
                let frames = bytes.as_chunks::<FRAME_BYTES>().0;
                self.recorded.extend(frames.iter().map(|[low, high, ..]| i16::from_le_bytes([*low, *high])));
                self.ring_at = (self.ring_at + frames.len()) % RING;
                if frames.len() < asked {
                    break;
                }
            }
        }

        /// Starts to play, with nothing in the first ticks, which then come at once; plays and stops.
        fn play(&mut self, samples: &[i16]) {
            self.heard.output_enabled(true);
            let late = 3 * TICK;
            (0..3).for_each(|_| self.tick(None));
            let (first, rest) = samples.split_at(late + TICK);
            self.tick(Some(first));
            rest.chunks(TICK).for_each(|samples| self.tick(Some(samples)));
            self.heard.output_enabled(false);
        }
    }

    /// A burst behind silence, and silence behind it to push it out.
    fn burst(length: usize) -> Vec<i16> {
        let mut samples = vec![0; length];
        samples.iter_mut().skip(7_200).take(480).enumerate().for_each(|(at, sample)| *sample = at as i16 + 1);
        samples
    }

    #[test]
    fn what_is_played_comes_back_at_its_time_again_and_again() {
        for delay in [0, 240, 2_400, 9_600] {
            let mut emulator = Emulator::new(Room::cable(delay));
            emulator.heard.input_enabled(true);
            // Lengths that leave something different with the emulator each time, and pauses of different lengths.
            for (run, length) in [24_000, 24_016, 24_480, 25_040].into_iter().enumerate() {
                let started = emulator.recorded.len();
                emulator.play(&burst(length));
                (0..100 + 7 * run).for_each(|_| emulator.tick(None));
                let recorded = &emulator.recorded[started..];
                let at = recorded.iter().position(|sample| *sample != 0);
                assert_eq!(at, Some(7_200 + WRITE_FRAMES + delay), "run {run}, delay {delay}");
                let heard: Vec<i16> = recorded.iter().copied().filter(|sample| *sample != 0).collect();
                assert_eq!(heard, (1..=480).collect::<Vec<i16>>());
            }
        }
    }

    #[test]
    fn an_input_that_starts_in_the_middle_finds_the_time() {
        let mut emulator = Emulator::new(Room::cable(0));
        let samples: Vec<i16> = (0..24_000).map(|frame| (frame % 30_000) as i16 + 1).collect();
        // Before it starts nobody counts time: playing goes on all the same.
        emulator.heard.output_enabled(true);
        let (before, after) = samples.split_at(9_600);
        for sample in before {
            emulator.plays(*sample);
        }
        emulator.heard.input_enabled(true);
        after.chunks(TICK).for_each(|chunk| emulator.tick(Some(chunk)));
        // It's silent until a Write tells the time to 32 frames; after 64 ms what is heard is what was due 1024 frames ago.
        let first = emulator.recorded.iter().position(|sample| *sample != 0).expect("heard");
        assert!(first <= WRITE_FRAMES, "silent for {first} frames");
        for (at, heard) in emulator.recorded.iter().enumerate().skip(first) {
            let off = usize::from(heard.unsigned_abs()).abs_diff(9_600 + at - WRITE_FRAMES + 1);
            assert!(off <= if at < first + 3_072 { 32 } else { 0 }, "frame {at}: {off} off");
        }
        for (at, heard) in emulator.recorded.iter().enumerate().skip(4_800) {
            assert_eq!(usize::from(heard.unsigned_abs()), 9_600 + at - WRITE_FRAMES + 1, "frame {at}");
        }
    }

    #[test]
    fn a_small_room_reflects_and_is_quieter() {
        let mut emulator = Emulator::new(Room::with_delay(0));
        emulator.heard.input_enabled(true);
        let mut samples = vec![0; 24_000];
        samples[9_600] = 10_000;
        emulator.play(&samples);
        let at = |lag: usize| emulator.recorded[9_600 + WRITE_FRAMES + lag];
        assert_eq!([0, 131, 274, 403, 688, 1_010].map(at), [5_000, -1_800, 1_200, 800, -500, 300]);
        assert_eq!(emulator.recorded.iter().filter(|sample| **sample != 0).count(), 6);
    }

    #[test]
    fn rooms_follow_each_other() {
        static ROOMS: [(u32, Room); 2] = [(2, Room::cable(0)), (1, Room::cable(480))];
        let mut heard = Heard::new(Microphone::Rooms(&ROOMS), 48_000);
        let delays = (0..5).map(|_| {
            heard.input_enabled(true);
            heard.room().map(|room| room.delay_frames)
        });
        assert_eq!(delays.collect::<Vec<_>>(), [0, 0, 480, 480, 480].map(Some));
    }

    #[test]
    fn a_room_where_nothing_was_played_is_silent() {
        let mut emulator = Emulator::new(Room::cable(0));
        emulator.heard.input_enabled(true);
        (0..50).for_each(|_| emulator.tick(None));
        assert_eq!(emulator.recorded, [0; 50 * TICK]);
    }
}
