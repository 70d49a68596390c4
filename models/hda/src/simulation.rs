//! A stream's link and clocks alone, without controller, codec or memory, for a million exact
//! readings in a minute.
//!
//! It tests and measures a driver's position arithmetic. It has WALCLK, LPIB, a system clock, and
//! accesses that take time.

use crate::cadence::Cadence;
use crate::clock::{LinkClock, TICKS_PER_LINK_FRAME};
use crate::format::StreamFormat;
use crate::random::{SCRAMBLE_STEP, scramble};

/// The parameters of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct Simulation {
    /// SDnFMT: only the rate matters.
    pub format_word: u16,
    /// Drift of the link clock against the system clock, in parts per million.
    pub drift_ppm: i32,
    /// WALCLK at time 0.
    pub wall_clock_start: u32,
    /// Step of LPIB in link frames: it shows the position at the last multiple.
    pub step_link_frames: u64,
    /// Frames of the buffer, at which LPIB wraps.
    pub buffer_frames: u64,
    /// Least time of a register access.
    pub access_ns: u64,
    /// Most extra time of a reading, at random, before and after the register is read.
    pub jitter_ns: u64,
    /// The same for a write.
    pub write_jitter_ns: u64,
    /// Most delay of a posted write, at random. It arrives before the next access.
    pub posted_ns: u64,
    /// Seed of the random numbers.
    pub seed: u64,
}

/// A run from a link frame on.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_link_frame: u64,
    base_frames: u64,
    /// It stops where this link frame would begin.
    end_link_frame: u64,
}

impl Run {
    /// Link frames of it when link frame `link_frame` begins.
    fn link_frames(&self, link_frame: u64) -> u64 {
        link_frame.min(self.end_link_frame).saturating_sub(self.first_link_frame)
    }
}

/// One stream on a link, as it truly is.
#[derive(Clone)]
pub struct LinkSimulation {
    simulation: Simulation,
    clock: LinkClock,
    now_ns: u64,
    /// When the last write arrives.
    arrives_ns: u64,
    random: u64,
    /// Frames after each number of link frames in the cadence's period.
    table: Vec<u32>,
    run: Option<Run>,
    /// Link frames of the run that wrongly carry nothing.
    losses: Vec<(u64, u64)>,
    /// The link frame up to which FIFO errors were reported.
    told_link_frame: u64,
}

impl LinkSimulation {
    /// At time 0, with a stopped stream. Panics at an invalid format word.
    pub fn new(simulation: Simulation) -> Self {
        Self::with_table(simulation, cadence_table(simulation.format_word))
    }

    fn with_table(simulation: Simulation, table: Vec<u32>) -> Self {
        Self {
            clock: LinkClock::new(simulation.drift_ppm),
            now_ns: 0,
            arrives_ns: 0,
            random: simulation.seed,
            table,
            run: None,
            losses: Vec::new(),
            told_link_frame: 0,
            simulation,
        }
    }

    /// Starts anew with other parameters. Tables are kept if the format stays.
    pub fn renew(&mut self, simulation: Simulation) {
        if simulation.format_word != self.simulation.format_word {
            self.table = cadence_table(simulation.format_word);
        }
        *self = Self::with_table(simulation, std::mem::take(&mut self.table));
    }

    /// A random number below `below`.
    pub fn random(&mut self, below: u64) -> u64 {
        let random = scramble(self.random);
        self.random = self.random.wrapping_add(SCRAMBLE_STEP);
        random % below.max(1)
    }

    /// System time. A reading takes no time.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Advances time.
    pub fn sleep(&mut self, ns: u64) {
        self.now_ns += ns;
    }

    fn access(&mut self, jitter_ns: u64) {
        let jitter = self.random(jitter_ns + 1);
        self.now_ns = self.now_ns.max(self.arrives_ns) + self.simulation.access_ns / 2 + jitter;
    }

    fn after_access(&mut self, jitter_ns: u64) {
        let jitter = if self.random(2) == 0 { 0 } else { self.random(jitter_ns + 1) };
        self.now_ns += self.simulation.access_ns / 2 + jitter;
    }

    /// Reads by a register access.
    fn read<T>(&mut self, register: impl FnOnce(&Self) -> T) -> T {
        self.access(self.simulation.jitter_ns);
        let read = register(self);
        self.after_access(self.simulation.jitter_ns);
        read
    }

    /// Writes by a register access. Returns the link frame that begins next when it arrives.
    fn write(&mut self) -> u64 {
        self.access(self.simulation.write_jitter_ns);
        self.arrives_ns = self.now_ns;
        if self.simulation.posted_ns > 0 {
            self.arrives_ns += self.random(self.simulation.posted_ns + 1);
        }
        let next = self.wall(self.arrives_ns) / TICKS_PER_LINK_FRAME + 1;
        self.after_access(self.simulation.write_jitter_ns);
        next
    }

    fn wall(&self, at_ns: u64) -> u64 {
        u64::from(self.simulation.wall_clock_start) + self.clock.ticks(at_ns)
    }

    /// WALCLK, by a register access.
    pub fn read_wall_clock(&mut self) -> u32 {
        self.read(|link| link.wall(link.now_ns) as u32)
    }

    /// LPIB in frames, by a register access.
    pub fn read_link_position(&mut self) -> u32 {
        self.read(|link| {
            let link_frame = link.wall(link.now_ns) / TICKS_PER_LINK_FRAME;
            let step = link.simulation.step_link_frames.max(1);
            // After a stop it stays at what it showed.
            let shown = link.run.map_or(link_frame, |run| link_frame.min(run.end_link_frame)) / step * step;
            (link.frames_after(shown) % link.simulation.buffer_frames) as u32
        })
    }

    /// Starts the stream by a register access, with the next link frame or some link frames later.
    pub fn start(&mut self, later_link_frames: u64) {
        let next = self.write();
        let base_frames = self.run.map_or(0, |run| self.frames_after(run.end_link_frame));
        let first_link_frame = next + later_link_frames;
        self.losses.clear();
        self.run = Some(Run { first_link_frame, base_frames, end_link_frame: u64::MAX });
    }

    /// Stops the stream by a register access, at the end of this link frame.
    pub fn stop(&mut self) {
        let next = self.write();
        if let Some(run) = &mut self.run {
            run.end_link_frame = next.max(run.first_link_frame);
        }
    }

    /// Makes the next `link_frames` link frames carry nothing. Call it again only after they are
    /// over.
    pub fn starve(&mut self, link_frames: u64) {
        let next = self.wall(self.now_ns) / TICKS_PER_LINK_FRAME + 1;
        self.losses.push((next, next + link_frames));
    }

    /// Frames of a run that were lost when link frame `link_frame` begins.
    fn lost_frames(&self, run: &Run, link_frame: u64) -> u64 {
        let lost = self.losses.iter().map(|(from, to)| {
            let until = |end: u64| self.in_cadence(run.link_frames(end.min(link_frame)));
            until(*to) - until(*from)
        });
        lost.sum()
    }

    /// Reads FIFOE by a register access: whether frames were lost since the last call.
    pub fn take_fifo_error(&mut self) -> bool {
        self.access(self.simulation.jitter_ns);
        let told = self.told_link_frame;
        self.told_link_frame = self.wall(self.now_ns) / TICKS_PER_LINK_FRAME + 1;
        let is_lost = self.losses.iter().any(|(from, to)| *from < self.told_link_frame && *to > told);
        self.after_access(self.simulation.jitter_ns);
        is_lost
    }

    fn in_cadence(&self, link_frames: u64) -> u64 {
        let period = self.table.len() as u64 - 1;
        let whole = u64::from(self.table[period as usize]) * (link_frames / period);
        whole + u64::from(self.table[(link_frames % period) as usize])
    }

    /// Frames that have travelled when link frame `link_frame` begins.
    fn frames_after(&self, link_frame: u64) -> u64 {
        let Some(run) = self.run else { return 0 };
        let travelled = self.in_cadence(run.link_frames(link_frame));
        run.base_frames + travelled - self.lost_frames(&run, link_frame)
    }

    /// The true position at a system time, in thousandths of a frame, with a share of the current
    /// link frame's samples.
    pub fn true_milliframes(&self, at_ns: u64) -> u64 {
        let wall = self.wall(at_ns);
        let link_frame = wall / TICKS_PER_LINK_FRAME;
        let whole = self.frames_after(link_frame);
        let block = self.frames_after(link_frame + 1) - whole;
        whole * 1000 + block * 1000 * (wall % TICKS_PER_LINK_FRAME) / TICKS_PER_LINK_FRAME
    }

    /// The link time of this run's first frame, in ticks of the wall clock.
    pub fn start_ticks(&self) -> Option<u64> {
        self.run.map(|run| run.first_link_frame * TICKS_PER_LINK_FRAME)
    }
}

impl core::fmt::Debug for LinkSimulation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { simulation, now_ns, run, .. } = self;
        let wall = self.wall(*now_ns);
        write!(f, "{simulation:?} {run:?} at {now_ns} ns, tick {wall}")
    }
}

fn cadence_table(format_word: u16) -> Vec<u32> {
    let format = StreamFormat::decode(format_word).expect("a format");
    let mut cadence = Cadence::default();
    let period = 160 * format.divisor;
    let mut frames = 0;
    let mut table = vec![0];
    for _ in 0..period {
        frames += cadence.next(format);
        table.push(frames);
    }
    table
}
