//! Random schedules of looks at a simulated link: how far what is published is from the truth.

use snd_hda::position::{Bracket, Cadence, LinkTracker, TimedCount};
use snd_hda::{LinkClock, Rate};
use snd_hda_model::{LinkSimulation, Simulation};

/// Rates and their SDnFMT.
pub const RATES: [(u32, u16); 11] = [
    (8_000, 0x0511),
    (11_025, 0x4311),
    (16_000, 0x0211),
    (22_050, 0x4111),
    (32_000, 0x0a11),
    (44_100, 0x4011),
    (48_000, 0x0011),
    (88_200, 0x4811),
    (96_000, 0x0811),
    (176_400, 0x5811),
    (192_000, 0x1811),
];

/// The most that a position may be off the straight line at this rate while it is locked, and in plain schedules, in thousandths of a frame: a frame, or where
/// the link's cadence goes further from a straight line, half of that and a quarter.
pub fn locked_limit_milliframes(rate: usize) -> u64 {
    match RATES[rate].0 {
        88_200 => 994 + 250,
        176_400 => 1_988 + 250,
        _ => 1_000,
    }
}

/// How often something was off by how much, in thousandths of a frame.
#[derive(Clone)]
pub struct Distribution(Vec<u64>);

impl Distribution {
    fn new() -> Self {
        Self(vec![0; 4096])
    }

    fn add(&mut self, error: u64) {
        self.0[(error as usize).min(4095)] += 1;
    }

    /// The error that this share of all (in thousandths) isn't above.
    pub fn quantile(&self, per_mille: u64) -> usize {
        let all: u64 = self.0.iter().sum();
        let mut left = (all * per_mille).div_ceil(1000).max(1);
        for (error, count) in self.0.iter().enumerate() {
            if *count >= left {
                return error;
            }
            left -= count;
        }
        self.0.len()
    }
}

/// Errors of a rate: in random schedules while locked, in plain ones always.
#[derive(Clone)]
pub struct Errors {
    /// Of the straight line.
    pub line: Distribution,
    /// Of the line followed through the cadence, where that is told, else of the line alone.
    pub followed: Distribution,
    /// Instants at which what is published was compared.
    pub instants: u64,
    /// Of these, those in state locked.
    pub locked: u64,
    /// Of all, those at which the cadence was told.
    pub told: u64,
}

impl Errors {
    pub fn new() -> Self {
        let none = Distribution::new;
        Self { line: none(), followed: none(), instants: 0, locked: 0, told: 0 }
    }
}

/// What the driver does with its readings, and the truth beside it.
pub struct Schedule {
    link: LinkSimulation,
    clock: LinkClock,
    tracker: LinkTracker,
    cadence: Cadence,
    rate: usize,
    wall: u64,
    has_ssync: bool,
    is_on_grid: bool,
    published: Option<TimedCount>,
    start_ticks: Option<u64>,
    seed: u64,
    /// Every error is counted, and not only those while locked.
    is_plain: bool,
    /// Writes that start and stop are timed by the system's clock.
    is_timed: bool,
}

fn extend(wall: u64, read: u32) -> u64 {
    wall + u64::from(read.wrapping_sub(wall as u32))
}

impl Schedule {
    fn line_milliframes(published: &TimedCount, at_ns: u64) -> i128 {
        let since_q32 = (i128::from(at_ns) - i128::from(published.time_ns)) << 32;
        i128::from(published.frames) * 1000 + since_q32 * 1000 / i128::from(published.ns_per_frame_q32)
    }

    /// What the link has carried, for whoever follows the cadence from what is published.
    fn followed_milliframes(&self, published: &TimedCount, at_ns: u64) -> Option<i128> {
        let from = i128::from(published.cadence_ticks?);
        let cadence = self.cadence;
        let [blocks, link_frames, block] =
            [cadence.period_blocks(), cadence.period_link_frames(), cadence.block_frames()].map(i128::from);
        let since_q32 = (i128::from(at_ns) - i128::from(published.time_ns)) << 32;
        let millionths = since_q32 * 1_000_000 * 500 * link_frames
            / (i128::from(published.ns_per_frame_q32) * block * blocks);
        let at = from * 1_000_000 + millionths;
        let (link_frame, into) = (at.div_euclid(500_000_000), at.rem_euclid(500_000_000));
        let after = |n: i128| block * (n * blocks + link_frames - 1).div_euclid(link_frames);
        let count = after(link_frame) * 1000
            + (after(link_frame + 1) - after(link_frame)) * 1000 * into / 500_000_000;
        let line =
            (from * block * blocks * 2 + block * (link_frames - 1) * 500) * 1000 / (1_000 * link_frames);
        Some(i128::from(published.frames) * 1000 + count - line)
    }

    /// Compares what is published with the truth at an instant.
    fn check(&self, at_ns: u64, errors: &mut Errors) {
        let Some(published) = &self.published else { return };
        if at_ns < published.time_ns {
            return;
        }
        let truth = self.link.true_milliframes(at_ns);
        let off = |milliframes: i128| milliframes.abs_diff(i128::from(truth)) as u64;
        let line = off(Self::line_milliframes(published, at_ns));
        let told = self.followed_milliframes(published, at_ns).map(off);
        let followed = told.unwrap_or(line);
        // The truth is cut off at a thousandth.
        let bound =
            (u128::from(published.error_ns) << 32) * 1000 / u128::from(published.ns_per_frame_q32) + 2;
        errors.instants += 1;
        errors.told += u64::from(told.is_some());
        for (off, how) in [(line, "by the line"), (followed, "by the cadence")] {
            assert!(
                u128::from(off) <= bound,
                "SNDDOM_SEED={:#x}: at {at_ns} ns {off} thousandths of a frame off {how}, bound {bound}, truth {truth}: {published:?} {:?} {:?}",
                self.seed,
                self.tracker,
                self.link
            );
        }
        if published.is_locked || self.is_plain {
            errors.line.add(line);
            errors.followed.add(followed);
        }
        if published.is_locked {
            errors.locked += 1;
            let limit = if told.is_some() { 1_000 } else { locked_limit_milliframes(self.rate) };
            assert!(
                followed <= limit + 2 && line <= locked_limit_milliframes(self.rate) + 2,
                "SNDDOM_SEED={:#x}: locked, and {line} and {followed} thousandths of a frame off: {published:?}",
                self.seed
            );
        }
    }

    fn publish(&mut self, before_ns: u64, wall_clock: u32) {
        self.clock.observe(before_ns, wall_clock, self.link.now_ns());
        let shift = self.clock.extended(wall_clock).wrapping_sub(self.wall);
        let count = self.tracker.count(self.wall);
        let timed = TimedCount::new(&count, self.cadence, &self.clock, shift).expect("a clock");
        if let Some(last) = &self.published {
            assert!(timed.frames >= last.frames, "SNDDOM_SEED={:#x}: it went back", self.seed);
        }
        if timed.is_locked
            && count.error_ticks == count.ripple_ticks + 1
            && let Some(start) = count.start_ticks
        {
            let known = *self.start_ticks.get_or_insert(start);
            assert_eq!(known, start, "SNDDOM_SEED={:#x}: the start of a run moved", self.seed);
        }
        self.published = Some(timed);
    }

    fn look(&mut self) {
        let before_ns = self.link.now_ns();
        let is_lost = self.link.take_fifo_error();
        let before = if self.tracker.wants_bracket() || is_lost {
            extend(self.wall, self.link.read_wall_clock())
        } else {
            self.wall
        };
        let frames = self.link.read_link_position();
        let wall_clock = self.link.read_wall_clock();
        self.wall = extend(before, wall_clock);
        if is_lost {
            self.tracker.lose(self.wall);
        }
        self.tracker.observe(frames.into(), 0, Bracket { before, after: self.wall });
        self.publish(before_ns, wall_clock);
    }

    /// Does something early in a link frame, as far as that can be told: as the driver does.
    fn bracket(&mut self, act: impl FnOnce(&mut LinkSimulation)) -> Bracket {
        let before = extend(self.wall, self.link.read_wall_clock());
        for _ in 0..4 {
            let ticks = self.told().map_or(0, |told| told.ticks_until_early(1));
            if ticks == 0 {
                break;
            }
            self.link.sleep(ticks * 125 / 3);
        }
        let earliest = self.told();
        act(&mut self.link);
        let latest = self.told();
        self.wall = extend(before, self.link.read_wall_clock());
        let bracket = Bracket { before, after: self.wall };
        match (earliest, latest) {
            (Some(earliest), Some(latest)) => bracket.around_write(earliest, latest),
            _ => bracket,
        }
    }

    /// The wall clock by the system's.
    fn told(&self) -> Option<Bracket> {
        self.clock.ticks_at(self.link.now_ns()).filter(|_| self.is_timed)
    }

    /// Compares the clocks until they are known to an eighth of a frame, or of a link frame, as the card does.
    fn compare(&mut self, readings: u64) {
        let tight_ns = 1_000_000_000 / 8 / u64::from(RATES[self.rate].0.max(48_000));
        for _ in 0..readings {
            let before_ns = self.link.now_ns();
            let wall_clock = self.link.read_wall_clock();
            self.clock.observe(before_ns, wall_clock, self.link.now_ns());
            if self.clock.error_ns().is_some_and(|error_ns| error_ns <= tight_ns) {
                break;
            }
        }
    }

    /// A start or resumption; without SSYNC the stream begins some link frames later, which nobody knows.
    fn run(link: &mut LinkSimulation, has_ssync: bool) {
        let later = if has_ssync { 0 } else { link.random(5) };
        link.start(later);
    }

    fn watch(&mut self) {
        let begun = self.wall;
        let mut earlier = (extend(self.wall, self.link.read_wall_clock()), self.link.read_link_position());
        let block = self.cadence.block_frames();
        for _ in 0..256 {
            let before = extend(earlier.0, self.link.read_wall_clock());
            let frames = self.link.read_link_position();
            self.wall = before;
            if frames != earlier.1 {
                self.wall = extend(before, self.link.read_wall_clock());
                if u64::from(frames - earlier.1) <= block {
                    self.tracker.edge(frames.into(), Bracket { before: earlier.0, after: self.wall });
                }
                return;
            }
            if before - begun > 6_000 {
                return;
            }
            earlier = (before, frames);
        }
    }

    fn pause(&mut self) {
        let bracket = self.bracket(LinkSimulation::stop);
        self.link.sleep(30_000);
        let before_ns = self.link.now_ns();
        if self.link.take_fifo_error() {
            self.tracker.lose(self.wall);
        }
        let frames = self.link.read_link_position();
        self.tracker.pause(bracket, Some(frames.into()));
        let wall_clock = self.link.read_wall_clock();
        self.wall = extend(self.wall, wall_clock);
        self.publish(before_ns, wall_clock);
        let published = self.published.expect("published");
        let truth = self.link.true_milliframes(self.link.now_ns());
        let off = (published.frames * 1000).abs_diff(truth);
        let bound = (u128::from(published.error_ns) << 32) * 1000 / u128::from(published.ns_per_frame_q32);
        // A midpoint of whole frames is cut off at half of one.
        assert!(
            u128::from(off) <= bound + 501,
            "SNDDOM_SEED={:#x}: paused, {off} off: {published:?} {:?}",
            self.seed,
            self.tracker
        );
        self.published = None;
        let ns = self.link.random(1_000_000_000);
        self.link.sleep(ns);
        // Whoever waits for longer than the wall clock's wrap loses nothing by it either.
        if self.is_timed {
            let readings = 1 + self.link.random(8);
            self.compare(readings);
        }
        let has_ssync = self.has_ssync;
        let bracket = self.bracket(|link| Self::run(link, has_ssync));
        self.tracker.run(bracket, has_ssync, self.is_on_grid);
        self.start_ticks = None;
    }
}

/// Links that have been simulated, one a rate: their tables are kept.
pub struct Simulations(Vec<Option<LinkSimulation>>);

impl Simulations {
    pub fn new() -> Self {
        Self(vec![None; RATES.len()])
    }
}

/// Runs the schedule of a seed, and adds its errors to those of its rate.
pub fn run(seed: u64, simulations: &mut Simulations, errors: &mut [Errors]) {
    let mut simulation = Simulation {
        format_word: 0x11,
        drift_ppm: 0,
        wall_clock_start: 0,
        step_link_frames: 1,
        buffer_frames: 1 << 31,
        access_ns: 250,
        jitter_ns: 0,
        write_jitter_ns: 0,
        posted_ns: 0,
        seed,
    };
    let mut dice = LinkDice(seed);
    let rate = dice.below(RATES.len() as u64) as usize;
    simulation.format_word = RATES[rate].1;
    simulation.drift_ppm = dice.below(1_001) as i32 - 500;
    // Every other one wraps within seconds.
    let near = if dice.below(2) == 0 { 1 << 32 } else { 1 << 27 };
    // Not before it is first looked at, a millisecond from the start.
    simulation.wall_clock_start = u32::MAX - 30_000 - dice.below(near - 30_001) as u32;
    simulation.step_link_frames = match dice.below(3) {
        0 => 1,
        1 => 1 + dice.below(48),
        _ => 1 + dice.below(480),
    };
    simulation.jitter_ns = [0, 2_000, 100_000][dice.below(3) as usize];
    simulation.access_ns = [100, 250, 2_000][dice.below(3) as usize];
    simulation.write_jitter_ns = simulation.jitter_ns;
    let is_timed = seed.count_ones().is_multiple_of(2);
    if is_timed {
        simulation.write_jitter_ns = [0, simulation.jitter_ns][dice.below(2) as usize];
        simulation.posted_ns = [0, 1_900][dice.below(2) as usize];
    }
    let link = match simulations.0[rate].take() {
        Some(mut link) => {
            link.renew(simulation);
            link
        }
        None => LinkSimulation::new(simulation),
    };
    let has_ssync = dice.below(4) != 0;
    let cadence = Cadence::of(Rate::from_hz(RATES[rate].0).expect("a rate"));
    let nothing = Bracket { before: 0, after: 0 };
    let mut schedule = Schedule {
        link,
        clock: LinkClock::new(),
        tracker: LinkTracker::new(cadence, nothing, false, true),
        cadence,
        rate,
        wall: 0,
        has_ssync,
        // Else nobody has told how often the wall clock has wrapped.
        is_on_grid: dice.below(5) != 0,
        published: None,
        start_ticks: None,
        seed,
        is_plain: false,
        is_timed,
    };
    schedule.is_timed &= schedule.is_on_grid;
    // The controller is up for some time before.
    schedule.link.sleep(1_000_000);
    for _ in 0..2 {
        let before_ns = schedule.link.now_ns();
        let wall_clock = schedule.link.read_wall_clock();
        schedule.clock.observe(before_ns, wall_clock, schedule.link.now_ns());
        let longest = [1_000, 1_000_000_000, 60_000_000_000][dice.below(3) as usize];
        schedule.link.sleep(1_000 + dice.below(longest));
    }
    let wall_clock = schedule.link.read_wall_clock();
    schedule.wall = schedule.clock.extended(wall_clock);
    if schedule.is_timed {
        schedule.compare(1 + dice.below(8));
    }
    let bracket = schedule.bracket(|link| Schedule::run(link, has_ssync));
    schedule.tracker = LinkTracker::new(cadence, bracket, has_ssync, schedule.is_on_grid);
    schedule.watch();

    let longest = [1_330_000, 10_000_000, 99_000_000][dice.below(3) as usize];
    for _ in 0..4 + dice.below(24) {
        schedule.look();
        let now = schedule.link.now_ns();
        let errors = &mut errors[rate];
        schedule.check(now, errors);
        match dice.below(24) {
            0 => schedule.pause(),
            1 => {
                // It is over, and seen to be, before anything else is compared.
                schedule.link.starve(1 + dice.below(40));
                schedule.link.sleep(1_000_000 + dice.below(longest - 1_000_000));
            }
            _ => {
                let wait = 1_000 + dice.below(longest);
                for _ in 0..2 {
                    schedule.check(now + dice.below(wait), errors);
                }
                schedule.link.sleep(wait);
                schedule.check(schedule.link.now_ns(), errors);
            }
        }
    }
    simulations.0[rate] = Some(schedule.link);
}

/// Readings of the clocks at a start, at most: the driver's.
const READINGS_TO_START: u64 = 256;

/// By how much at most, twice each, register accesses in plain schedules take longer than they need.
#[derive(Clone, Copy, Debug)]
pub struct Jitter {
    /// Of readings.
    pub read_ns: u64,
    /// Of writes: the one that starts the stream.
    pub write_ns: u64,
}

/// Jitters of plain schedules.
pub const PLAIN_JITTERS: [Jitter; 4] = [
    Jitter { read_ns: 0, write_ns: 0 },
    Jitter { read_ns: 2_000, write_ns: 2_000 },
    Jitter { read_ns: 100_000, write_ns: 0 },
    Jitter { read_ns: 100_000, write_ns: 100_000 },
];

/// A plain schedule: a start by SSYNC, at least 100 ms after the controller came up, of a stream that loses nothing, whose counter
/// doesn't lie and which is looked at every 10 ms at least, as a control page is written. What is published is compared from the
/// first look on. The write arrives up to a microsecond after the processor has gone on.
pub fn run_plain(seed: u64, jitter: Jitter, simulations: &mut Simulations, errors: &mut [Errors]) {
    let mut dice = LinkDice(seed);
    let rate = dice.below(RATES.len() as u64) as usize;
    let near = if dice.below(2) == 0 { 1 << 32 } else { 1 << 25 };
    let simulation = Simulation {
        format_word: RATES[rate].1,
        drift_ppm: dice.below(1_001) as i32 - 500,
        wall_clock_start: u32::MAX - 30_000 - dice.below(near - 30_001) as u32,
        step_link_frames: [1, 1 + dice.below(48), 1 + dice.below(480)][dice.below(3) as usize],
        buffer_frames: 1 << 31,
        access_ns: [100, 250, 1_000][dice.below(3) as usize],
        jitter_ns: jitter.read_ns,
        write_jitter_ns: jitter.write_ns,
        posted_ns: 1_000,
        seed,
    };
    let link = match simulations.0[rate].take() {
        Some(mut link) => {
            link.renew(simulation);
            link
        }
        None => LinkSimulation::new(simulation),
    };
    let cadence = Cadence::of(Rate::from_hz(RATES[rate].0).expect("a rate"));
    let nothing = Bracket { before: 0, after: 0 };
    let mut schedule = Schedule {
        link,
        clock: LinkClock::new(),
        tracker: LinkTracker::new(cadence, nothing, true, true),
        cadence,
        rate,
        wall: 0,
        has_ssync: true,
        is_on_grid: true,
        published: None,
        start_ticks: None,
        seed,
        is_plain: true,
        is_timed: true,
    };
    schedule.link.sleep(1_000_000);
    schedule.compare(READINGS_TO_START);
    let longest = [1_000_000_000, 60_000_000_000][dice.below(2) as usize];
    schedule.link.sleep(100_000_000 + dice.below(longest));
    schedule.compare(READINGS_TO_START);
    schedule.wall = schedule.clock.extended(schedule.link.read_wall_clock());
    let bracket = schedule.bracket(|link| link.start(0));
    schedule.tracker = LinkTracker::new(cadence, bracket, true, true);
    schedule.watch();
    let mut compare_at_ns = 0;
    for _ in 0..20 {
        if schedule.link.now_ns() >= compare_at_ns {
            schedule.compare(4);
            compare_at_ns = schedule.link.now_ns() + 50_000_000;
        }
        schedule.look();
        let now = schedule.link.now_ns();
        let wait = 1_000 + dice.below(10_000_000);
        schedule.check(now, &mut errors[rate]);
        for _ in 0..3 {
            schedule.check(now + dice.below(wait), &mut errors[rate]);
        }
        schedule.link.sleep(wait);
        schedule.check(schedule.link.now_ns(), &mut errors[rate]);
    }
    simulations.0[rate] = Some(schedule.link);
}

/// What a schedule does, by its seed; the link has dice of its own.
struct LinkDice(u64);

impl LinkDice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % below
    }
}
