//! The control page, byte by byte; readers under writers that never stop, that die, and that lie.

use crate::common::{WatchedPage, page};
use hyper::{PAGE_WORDS, PageWords, SharedPage};
use proptest::prelude::*;
use sndif::control_page::{
    Cadence, ControlReader, ControlWriter, Echo, Header, HeaderError, PositionLock, PositionSource,
    READ_TRIES, ReadError, SLOTS_MAX, Slot, SlotState,
};
use sndif::state::XenbusState;

/// 20 833 1/3 ns, with 32 fractional bits.
const NS_PER_FRAME_48K: u64 = (1_000_000_000 << 32) / 48_000;

fn bytes(page: &PageWords) -> Vec<u8> {
    (0..PAGE_WORDS).flat_map(|word| page.load(word).to_le_bytes()).collect()
}

fn slot() -> Slot {
    Slot {
        state: SlotState::Running,
        link_frames: 0x0102_0304_0506_0708,
        time_ns: 0x1112_1314_1516_1718,
        ns_per_frame_q32: 0x2122_2324_2526_2728,
        error_ns: 0x3132_3334,
        generation: 0x4142_4344,
        dma_lead_frames: 0x5152_5354,
        codec_delay_frames: 0x6162_6364,
        start_time_ns: 0x7172_7374_7576_7778,
        start_wall_ticks: 0x8182_8384_8586_8788,
        xrun_frames: 0x9192_9394_9596_9798,
        appl_frames: 0xa1a2_a3a4_a5a6_a7a8,
        echo_id: 0xb3b4,
        lock: Some(PositionLock::Locked),
        source: Some(PositionSource::Memory),
        echo_time_ns: 0xd1d2_d3d4_d5d6_d7d8,
        cadence: Some(Cadence {
            ticks: 0x0001_e2e3,
            block_frames: 0xe4e5,
            period_blocks: 0x00e7,
            period_link_frames: 0x0280,
        }),
    }
}

#[test]
fn the_header_is_laid_out_byte_by_byte() {
    let page = page();
    let _writer = ControlWriter::attach(&*page, 3, 0x0102_0304_0506_0708);
    let bytes = bytes(&page);
    assert_eq!(bytes[0..4], *b"SNDC");
    assert_eq!(bytes[4..8], [1, 0, 1, 0], "major, minor");
    assert_eq!(bytes[8..12], [3, 0, 0, 0], "slot count");
    assert_eq!(bytes[12..16], [128, 0, 0, 0], "slot size");
    assert_eq!(bytes[16..24], [8, 7, 6, 5, 4, 3, 2, 1], "device generation");
    assert_eq!(bytes[24..28], [4, 0, 0, 0], "Connected");
    assert!(bytes[28..128].iter().all(|byte| *byte == 0), "reserved");
}

#[test]
fn a_slot_is_laid_out_byte_by_byte() {
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 31, 1);
    let before = bytes(&page);
    writer.write(30, &slot());
    let bytes = bytes(&page);
    let at = 128 + 128 * 30;
    assert_eq!(bytes.len(), at + 128, "the last slot ends with the page");
    assert_eq!(bytes[..at], before[..at], "nothing else is written");
    let expected: [(usize, &[u8]); 21] = [
        (4, &[2, 0, 0, 0]),
        (8, &[8, 7, 6, 5, 4, 3, 2, 1]),
        (16, &[0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]),
        (24, &[0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21]),
        (32, &[0x34, 0x33, 0x32, 0x31]),
        (36, &[0x44, 0x43, 0x42, 0x41]),
        (40, &[0x54, 0x53, 0x52, 0x51]),
        (44, &[0x64, 0x63, 0x62, 0x61]),
        (48, &[0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71]),
        (56, &[0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81]),
        (64, &[0x98, 0x97, 0x96, 0x95, 0x94, 0x93, 0x92, 0x91]),
        (72, &[0xa8, 0xa7, 0xa6, 0xa5, 0xa4, 0xa3, 0xa2, 0xa1]),
        (80, &[0xb4, 0xb3, 0, 0]),
        (84, &[2, 0]),
        (86, &[2, 0]),
        (88, &[0xd8, 0xd7, 0xd6, 0xd5, 0xd4, 0xd3, 0xd2, 0xd1]),
        (96, &[0xe3, 0xe2, 0x01, 0]),
        (100, &[0xe5, 0xe4]),
        (102, &[0xe7, 0]),
        (104, &[0x80, 0x02]),
        (106, &[0; 22]),
    ];
    for (offset, field) in expected {
        assert_eq!(bytes[at + offset..at + offset + field.len()], *field, "at {offset}");
    }
    assert_eq!(ControlReader::new(&*page).slot(30), Ok(slot()));
}

#[test]
fn states_locks_and_sources_have_their_numbers() {
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 1, 1);
    let states =
        [SlotState::Closed, SlotState::Open, SlotState::Running, SlotState::Paused, SlotState::Failed];
    for (code, state) in (0..).zip(states) {
        writer.write(0, &Slot { state, ..Slot::default() });
        assert_eq!(page.load(33), code);
    }
    let reader = ControlReader::new(&*page);
    for (code, lock) in (0..).zip([None, Some(PositionLock::Coarse), Some(PositionLock::Locked)]) {
        writer.write(0, &Slot { lock, ..Slot::default() });
        assert_eq!(page.load(32 + 21), code);
        assert_eq!(reader.slot(0).map(|slot| slot.lock), Ok(lock));
    }
    let sources =
        [None, Some(PositionSource::Link), Some(PositionSource::Memory), Some(PositionSource::WallClock)];
    for (code, source) in (0..).zip(sources) {
        writer.write(0, &Slot { source, ..Slot::default() });
        assert_eq!(page.load(32 + 21), code << 16);
        assert_eq!(reader.slot(0).map(|slot| slot.source), Ok(source));
    }
}

#[test]
fn a_reader_sees_the_slot_and_the_device_state() {
    let page = page();
    let reader = ControlReader::init(&*page);
    assert_eq!(reader.header(), Err(HeaderError::NotAttached));
    assert_eq!(reader.slot(0), Err(ReadError::Header(HeaderError::NotAttached)));
    let mut writer = ControlWriter::attach(&*page, 2, 7);
    let header = Header { minor: 1, slot_count: 2, generation: 7, state: XenbusState::Connected };
    assert_eq!(reader.header(), Ok(header));
    assert_eq!(reader.slot(0), Ok(Slot::default()));
    writer.write(1, &slot());
    assert_eq!(reader.slot(1), Ok(slot()));
    assert_eq!(reader.slot(0), Ok(Slot::default()), "each its own");
    assert_eq!(reader.slot(2), Err(ReadError::NoSuchSlot));
    writer.write(2, &slot());
    assert_eq!(page.load(128 / 4 * 3), 0, "what has no slot isn't written");
    writer.set_state(XenbusState::Closed);
    assert_eq!(reader.header().map(|header| header.state), Ok(XenbusState::Closed));
}

#[test]
fn more_streams_than_slots_have_none() {
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 40, 1);
    writer.write(SLOTS_MAX, &slot());
    let reader = ControlReader::new(&*page);
    assert_eq!(reader.header().map(|header| header.slot_count), Ok(31));
    assert_eq!(reader.slot(SLOTS_MAX), Err(ReadError::NoSuchSlot));
    assert_eq!(reader.position(SLOTS_MAX), Err(ReadError::NoSuchSlot), "the page ends there");
}

#[test]
fn the_writer_reads_nothing_and_counts_on() {
    let page = WatchedPage::new();
    let mut writer = ControlWriter::attach(&page, 4, 1);
    writer.write(2, &slot());
    let written: Vec<u32> = (96..128).map(|word| page.load(word)).collect();
    let after_one_look = page.most_reads();
    for word in 0..PAGE_WORDS {
        page.store(word, 0xdead_beef);
    }
    writer.write(2, &slot());
    writer.set_state(XenbusState::Closing);
    assert_eq!(page.most_reads(), after_one_look, "no word was read by the writer");
    let again: Vec<u32> = (96..128).map(|word| page.load(word)).collect();
    assert_eq!(again[0], written[0] + 2, "its own count");
    assert_eq!(again[1..24], written[1..24]);
}

#[test]
fn a_read_gives_up_on_a_writer_that_stopped_half_way() {
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 1, 1);
    writer.write(0, &slot());
    page.store(32, page.load(32) + 1);
    assert_eq!(ControlReader::new(&*page).slot(0), Err(ReadError::Busy));
    assert_eq!(ControlReader::new(&*page).position(0), Err(ReadError::Busy));
    let page = WatchedPage::new();
    let _writer = ControlWriter::attach(&page, 1, 1);
    page.store(32, 1);
    assert_eq!(ControlReader::new(&page).slot(0), Err(ReadError::Busy));
    assert_eq!(page.most_reads(), READ_TRIES, "bounded");
}

/// A page on which the back end writes a slot anew each time that the reader has loaded a word of it.
struct Restless {
    words: Box<PageWords>,
    left: std::cell::Cell<u32>,
}

impl SharedPage for Restless {
    fn load(&self, word: usize) -> u32 {
        let value = self.words.load(word);
        if word == 40 && self.left.get() > 0 {
            self.left.set(self.left.get() - 1);
            self.words.store(32, self.words.load(32).wrapping_add(2));
        }
        value
    }

    fn store(&self, word: usize, value: u32) {
        self.words.store(word, value);
    }

    fn fence(&self) {
        self.words.fence();
    }
}

#[test]
fn a_slot_that_changes_during_a_read_is_read_again() {
    let restless = Restless { words: page(), left: 0.into() };
    ControlWriter::attach(&restless, 1, 1).write(0, &slot());
    let reader = ControlReader::new(&restless);
    restless.left.set(1);
    assert_eq!(reader.slot_once(0), Err(ReadError::Busy));
    restless.left.set(READ_TRIES - 1);
    assert_eq!(reader.slot(0), Ok(slot()));
    restless.left.set(u32::MAX);
    assert_eq!(reader.slot(0), Err(ReadError::Busy));
}

#[test]
fn an_invalid_header_is_refused_with_its_defect() {
    let page = page();
    let reader = ControlReader::new(&*page);
    let with = |word: usize, value: u32| {
        let _writer = ControlWriter::attach(&*page, 1, 1);
        page.store(word, value);
        assert_eq!(reader.slot(0), Err(ReadError::Header(reader.header().unwrap_err())));
        reader.header().unwrap_err()
    };
    assert_eq!(with(0, 1), HeaderError::Magic(1));
    assert_eq!(with(1, 2), HeaderError::Major(2));
    assert_eq!(with(2, 32), HeaderError::SlotCount(32));
    assert_eq!(with(2, u32::MAX), HeaderError::SlotCount(u32::MAX));
    assert_eq!(with(3, 64), HeaderError::SlotBytes(64));
    assert_eq!(with(6, 0), HeaderError::State(0));
    assert_eq!(with(6, 0x104), HeaderError::State(0x104));
    let _writer = ControlWriter::attach(&*page, 1, 1);
    page.store(1, 0x0007_0001);
    assert_eq!(reader.header().map(|header| header.minor), Ok(7), "a later minor version can be read");
    page.store(33, 5);
    assert_eq!(reader.slot(0), Err(ReadError::State(5)));
    page.store(33, 0);
    page.store(32 + 21, 0x0004_0003);
    assert_eq!(
        reader.slot(0).map(|slot| (slot.lock, slot.source)),
        Ok((None, None)),
        "not known here: no claim"
    );
}

fn running() -> Slot {
    Slot {
        state: SlotState::Running,
        link_frames: 480_000,
        time_ns: 20_000_000_000,
        ns_per_frame_q32: NS_PER_FRAME_48K,
        lock: Some(PositionLock::Locked),
        ..Slot::default()
    }
}

#[test]
fn frames_advance_at_the_measured_rate() {
    let slot = running();
    let at = |now| slot.frames_at(now).unwrap();
    assert_eq!(at(20_000_000_000), 480_000);
    assert_eq!(at(20_000_020_833), 480_000);
    assert_eq!(at(20_000_020_834), 480_001);
    assert_eq!(at(20_010_000_001), 480_480);
    assert_eq!(at(21_000_000_001), 528_000);
    assert_eq!(at(3_620_000_000_001), 480_000 + 48_000 * 3_600, "an hour on: more than 2^32 ns");
    assert_eq!(at(20_000_000_000 + (1 << 32)), 480_000 + 206_158, "2^32 ns");
    assert_eq!(at(19_000_000_000 - 1), 480_000 - 48_000, "backwards");
    assert_eq!(at(0), 0, "not below frame 0");
    assert_eq!(
        at(u64::MAX),
        480_000 + 885_443_714_578_058 + 3,
        "584 years on, less 20 s: rounding makes 3 frames"
    );
}

#[test]
fn frames_of_a_stopped_stream_stand_still() {
    for state in [SlotState::Open, SlotState::Paused, SlotState::Failed] {
        assert_eq!(Slot { state, ..running() }.frames_at(30_000_000_000), Some(480_000));
    }
    assert_eq!(Slot { lock: None, ..running() }.frames_at(30_000_000_000), None, "no position");
    assert_eq!(Slot { ns_per_frame_q32: 0, ..running() }.frames_at(30_000_000_000), None);
    assert_eq!(Slot::default().frames_at(1), None);
}

/// A second has 48,000 link frames by the link's clock; here the system's says the same.
const NS_PER_3_LINK_FRAMES: u64 = 62_500;

#[test]
fn the_cadence_follows_the_link_exactly() {
    // The specification's pattern for 44.1 kHz: so many link frames that carry a block, then one that doesn't.
    let pattern = [12, 11, 11, 12, 11, 11, 12, 11, 11, 12, 11, 11, 11];
    let carries: Vec<bool> =
        pattern.into_iter().flat_map(|run| (0..run).map(|_| true).chain([false])).collect();
    assert_eq!((carries.len(), carries.iter().filter(|carries| **carries).count()), (160, 147));
    for block_frames in [1u16, 2, 4] {
        let rate_hz = 44_100 * u64::from(block_frames);
        let line_ahead = f64::from(block_frames) * 159.0 / 320.0;
        for ticks in [0u32, 250, 6_000, 6_100, 40_123, 79_999] {
            let cadence = Cadence { ticks, block_frames, period_blocks: 147, period_link_frames: 160 };
            let slot = Slot {
                ns_per_frame_q32: (1_000_000_000 << 32) / rate_hz,
                cadence: Some(cadence),
                ..running()
            };
            let period_ns = f64::from(ticks) * 1000.0 / 24.0;
            let line = period_ns * rate_hz as f64 / 1e9 + line_ahead;
            let mut travelled = 0.0;
            for (link_frame, carries) in (0..).zip(carries.iter().cycle().take(480)) {
                let begins_ns = NS_PER_3_LINK_FRAMES as f64 * f64::from(link_frame) / 3.0;
                // At its beginning, in its middle, and shortly before its end; before and after the pair.
                for part in [0.0, 0.5, 0.99] {
                    let since_ns = begins_ns + part * NS_PER_3_LINK_FRAMES as f64 / 3.0 - period_ns;
                    let now_ns = (20_000_000_000.0 + since_ns).round() as u64;
                    let carried = slot.carried_q16_at(now_ns).unwrap() as f64 / 65_536.0;
                    let of_block = if *carries { f64::from(block_frames) * part } else { 0.0 };
                    let expected = 480_000.0 + travelled + of_block - line;
                    assert!(
                        (carried - expected).abs() < 0.002,
                        "{block_frames}, {ticks}: {carried}, not {expected}"
                    );
                    let by_line = slot.frames_at(now_ns).unwrap() as f64;
                    assert!(
                        (carried - by_line).abs() <= line_ahead + 1.0,
                        "{carried}, by the line {by_line}"
                    );
                }
                travelled += if *carries { f64::from(block_frames) } else { 0.0 };
            }
        }
    }
}

#[test]
fn without_a_cadence_the_position_is_a_straight_line() {
    let slot = running();
    assert_eq!(slot.carried_q16_at(20_000_010_416), Some(480_000 << 16 | 32_765));
    assert_eq!(slot.carried_q16_at(19_999_989_584), Some(479_999 << 16 | 32_770));
    assert_eq!(slot.carried_q16_at(0), Some(0));
    let cadence = Cadence { ticks: 0, block_frames: 2, period_blocks: 147, period_link_frames: 160 };
    let later = 3_620_000_000_001;
    let followed = Slot { cadence: Some(cadence), ..slot };
    assert_eq!(followed.carried_q16_at(later), slot.carried_q16_at(later), "too long after the pair");
    assert_eq!(Slot { state: SlotState::Paused, ..followed }.carried_q16_at(later), Some(480_000 << 16));
    assert_eq!(Slot { lock: None, ..slot }.carried_q16_at(1), None);
    assert_eq!(Slot { ns_per_frame_q32: 0, ..followed }.carried_q16_at(20_000_000_000), None);
}

#[test]
fn an_invalid_cadence_is_none() {
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 1, 1);
    let good = Cadence { ticks: 79_999, block_frames: 2, period_blocks: 147, period_link_frames: 160 };
    let cases = [
        (good, true),
        (Cadence { block_frames: 0, ..good }, false),
        (Cadence { period_blocks: 0, ..good }, false),
        (Cadence { period_blocks: 161, ..good }, false),
        (Cadence { period_link_frames: 0, ..good }, false),
        (Cadence { ticks: 80_000, ..good }, false),
    ];
    for (cadence, makes_sense) in cases {
        writer.write(0, &Slot { cadence: Some(cadence), ..running() });
        let read = ControlReader::new(&*page).slot(0).unwrap();
        assert_eq!(read.cadence, makes_sense.then_some(cadence), "{cadence:?}");
    }
}

#[test]
fn a_frame_has_a_time() {
    let slot = running();
    assert_eq!(slot.time_of(480_000), Some(20_000_000_000));
    assert_eq!(slot.time_of(480_003), Some(20_000_062_499), "62,500 less the fixed point's rounding");
    assert_eq!(slot.time_of(432_000), Some(19_000_000_001));
    assert_eq!(slot.time_of(0), Some(10_000_000_001));
    assert_eq!(slot.time_of(u64::MAX), Some(u64::MAX));
    assert_eq!(Slot { time_ns: 1, ..slot }.time_of(0), Some(0));
    assert_eq!(Slot { lock: None, ..slot }.time_of(0), None);
}

#[test]
fn the_distance_of_two_starts_is_exact() {
    let starts = |ticks| Slot { start_wall_ticks: ticks, ..running() };
    let (playback, capture) = (starts(1_000_000), starts(1_240_000));
    assert_eq!(playback.start_distance_ticks(&capture), 240_000);
    assert_eq!(playback.start_distance_frames(&capture, 48_000), 480, "500 ticks a frame");
    assert_eq!(capture.start_distance_frames(&playback, 48_000), -480);
    assert_eq!(playback.start_distance_frames(&capture, 44_100), 441);
    assert_eq!(playback.start_distance_frames(&playback, 48_000), 0);
    let rounded = [(-251, -1), (-250, 0), (-249, 0), (249, 0), (250, 1), (749, 1), (750, 2)];
    for (ticks, frames) in rounded {
        let other = starts(1_000_000u64.wrapping_add_signed(ticks));
        assert_eq!(playback.start_distance_frames(&other, 48_000), frames, "{ticks} ticks");
    }
    assert_eq!(starts(u64::MAX).start_distance_frames(&starts(499), 48_000), 1, "over the wrap");
    assert_eq!(starts(0).start_distance_frames(&starts(1 << 63), u32::MAX), i64::MIN);
}

#[test]
fn an_echo_follows_the_first_request_taken() {
    assert_eq!(Slot::default().echo(), None);
    let slot = Slot { echo_id: 7, echo_time_ns: 1_000, ..Slot::default() };
    assert_eq!(slot.echo(), Some(Echo { id: 7, time_ns: 1_000 }));
    assert_eq!(Slot { echo_id: 0x1_0000, ..slot }.echo(), None, "no request has such an id");
}

/// What the short way of reading has of a slot.
fn position_of(slot: Slot) -> Slot {
    let Slot { state, link_frames, time_ns, ns_per_frame_q32, error_ns, generation, lock, .. } = slot;
    Slot { state, link_frames, time_ns, ns_per_frame_q32, error_ns, generation, lock, ..Slot::default() }
}

/// A slot in which each field follows from `number`.
fn numbered(number: u32) -> Slot {
    let wide = u64::from(number) << 32 | u64::from(number);
    Slot {
        state: if number.is_multiple_of(2) { SlotState::Running } else { SlotState::Paused },
        link_frames: wide,
        time_ns: wide,
        ns_per_frame_q32: wide,
        error_ns: number,
        generation: number,
        dma_lead_frames: number,
        codec_delay_frames: number,
        start_time_ns: wide,
        start_wall_ticks: wide,
        xrun_frames: wide,
        appl_frames: wide,
        echo_id: number,
        lock: Some(PositionLock::Locked),
        source: Some(PositionSource::Link),
        echo_time_ns: wide,
        cadence: Some(Cadence {
            ticks: number % 320_000,
            block_frames: number as u16 | 1,
            period_blocks: 147,
            period_link_frames: 640,
        }),
    }
}

#[test]
fn no_torn_slot_is_taken_while_a_thread_writes() {
    const WRITINGS: u32 = 200_000;
    let page = page();
    let mut writer = ControlWriter::attach(&*page, 2, 1);
    writer.write(1, &numbered(0));
    std::thread::scope(|scope| {
        let reader = ControlReader::new(&*page);
        scope.spawn(move || (1..=WRITINGS).for_each(|number| writer.write(1, &numbered(number))));
        let (mut last, mut distinct) = (0, 0u32);
        while last < WRITINGS {
            match reader.slot(1) {
                Ok(slot) => {
                    assert_eq!(slot, numbered(slot.error_ns), "torn");
                    assert!(slot.error_ns >= last, "backwards");
                    distinct += u32::from(slot.error_ns != last);
                    last = slot.error_ns;
                }
                Err(ReadError::Busy) => {}
                Err(other) => panic!("{other:?}"),
            }
            match reader.position(1) {
                Ok(position) => {
                    assert_eq!(position, position_of(numbered(position.error_ns)), "torn");
                    assert!(position.error_ns >= last, "backwards");
                }
                Err(error) => assert_eq!(error, ReadError::Busy),
            }
        }
        assert!(distinct >= 1);
    });
}

proptest! {
    /// Anything at all on the page: each read ends, and whatever comes of it can be computed with.
    #[test]
    fn hostile_back(
        words in prop::collection::vec(any::<u32>(), PAGE_WORDS),
        is_attached: bool,
        looks in prop::collection::vec((0usize..40, any::<u64>(), any::<u32>()), 1..20),
    ) {
        let page = page();
        words.iter().zip(0..).for_each(|(value, word)| page.store(word, *value));
        if is_attached {
            // A header that passes, and slots that may.
            let _writer = ControlWriter::attach(&*page, 0, 1);
            page.store(2, 31);
            for slot in 1..32 {
                page.store(32 * slot, words[32 * slot] & !1);
                page.store(32 * slot + 1, words[32 * slot + 1] % 6);
            }
        }
        let reader = ControlReader::new(&*page);
        let mut before = Slot::default();
        for (index, number, rate_hz) in looks {
            let read = reader.slot(index);
            prop_assert!(is_attached || read.is_err());
            if let Ok(position) = reader.position(index) {
                let _ = (position.frames_at(number), position.time_of(number));
            }
            if let Ok(slot) = read {
                let _ = (slot.frames_at(number), slot.time_of(number), slot.echo());
                let _ = (slot.carried_q16_at(number), slot.carried_q16_at(slot.time_ns ^ number >> 24));
                let _ = slot.start_distance_frames(&before, rate_hz);
                before = slot;
            }
        }
    }

    /// `frames_at` is the formula of its documentation, and `time_of` its inverse.
    #[test]
    fn the_formula_holds(
        link_frames in 0u64..1 << 50,
        time_ns in 0u64..1 << 60,
        rate_hz in 1u64..768_000,
        span_ns in prop_oneof![0u64..20_000_000, 0u64..1 << 59],
    ) {
        let ns_per_frame_q32 = (1_000_000_000 << 32) / rate_hz;
        let slot = Slot { link_frames, time_ns, ns_per_frame_q32, ..running() };
        let expected = (u128::from(span_ns) << 32) / u128::from(ns_per_frame_q32);
        let frames = slot.frames_at(time_ns + span_ns).unwrap();
        prop_assert_eq!(u128::from(frames), u128::from(link_frames) + expected);
        let time = slot.time_of(frames).unwrap();
        let later = slot.time_of(frames + 1).unwrap();
        prop_assert!(time <= time_ns + span_ns && time_ns + span_ns <= later, "{} {}", time, later);
    }

    /// Whatever is written is read, from any slot.
    #[test]
    fn a_written_slot_is_read_back(index in 0usize..31, number: u32, fields: [u64; 4]) {
        let page = page();
        let mut writer = ControlWriter::attach(&*page, 31, fields[0]);
        let [link_frames, time_ns, start_wall_ticks, appl_frames] = fields;
        let slot = Slot { link_frames, time_ns, start_wall_ticks, appl_frames, ..numbered(number) };
        writer.write(index, &slot);
        let reader = ControlReader::new(&*page);
        prop_assert_eq!(reader.slot(index), Ok(slot));
        prop_assert_eq!(reader.position(index), Ok(position_of(slot)));
        prop_assert_eq!(reader.header().map(|header| header.generation), Ok(fields[0]));
    }
}
