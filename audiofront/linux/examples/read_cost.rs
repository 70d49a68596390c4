//! What it costs to read a position, natively and without Xen: a control page in this process's own memory, with a running
//! stream on it.
//!
//! ```text
//! cargo run --profile tool -p audiofront-linux --example read_cost
//! valgrind --tool=callgrind --toggle-collect='*measured*' target/tool/examples/read_cost 1000
//! ```
//!
//! The first argument is the number of reads. In a guest, with the real page: `audiofront read-cost`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use audiofront::{
    ClockMap, ControlPage, EventPort, GrantAccess, GrantedPage, PublishFailed, StillMapped, Transport,
};
use audiofront_linux::{Clock, PositionReader};
use hyper::{GrantRef, PAGE_WORDS, PageWords};
use sndif::control_page::{ControlWriter, PositionLock, PositionSource, Slot, SlotState};
use sndif::nodes::TransportNodes;

/// Grants its one page, which nobody else ever sees.
struct Alone(&'static PageWords);

impl Transport for Alone {
    type Page = &'static PageWords;

    fn grant_page(&mut self, _: GrantAccess) -> Option<GrantedPage<Self::Page>> {
        Some(GrantedPage { page: self.0, grant: GrantRef(1) })
    }
    fn revoke_page(&mut self, _: GrantedPage<Self::Page>) -> Result<(), StillMapped<Self::Page>> {
        Ok(())
    }
    fn open_channel(&mut self) -> Option<EventPort> {
        None
    }
    fn close_channel(&mut self, _: EventPort) {}
    fn notify(&mut self, _: EventPort) {}
    fn publish(&mut self, _: &TransportNodes) -> Result<(), PublishFailed> {
        Ok(())
    }
    fn publish_control_page(&mut self, _: GrantRef) -> Result<(), PublishFailed> {
        Ok(())
    }
}

#[inline(never)]
fn measured_now(reader: &PositionReader<&'static PageWords>, reads: u64) -> u64 {
    (0..reads).fold(0, |last, _| match black_box(reader).now() {
        Ok(Some(position)) => position.at.frames,
        _ => last,
    })
}

#[inline(never)]
fn measured_frames(reader: &PositionReader<&'static PageWords>, reads: u64) -> u64 {
    (0..reads).fold(0, |last, _| match black_box(reader).frames() {
        Ok(Some(frames)) => frames.frames,
        _ => last,
    })
}

#[inline(never)]
fn measured_slot(reader: &PositionReader<&'static PageWords>, reads: u64) -> u64 {
    (0..reads).fold(0, |last, _| black_box(reader).slot().map_or(last, |slot| slot.link_frames))
}

#[inline(never)]
fn measured_clock(reader: &PositionReader<&'static PageWords>, reads: u64) -> u64 {
    (0..reads).fold(0, |_, _| black_box(reader).clock().now_ns())
}

#[inline(never)]
fn measured_system(reader: &PositionReader<&'static PageWords>, reads: u64) -> u64 {
    (0..reads).fold(0, |_, read| black_box(reader).clock().to_system(read).map_or(0, |time| time.time_ns))
}

fn main() {
    let reads = std::env::args().nth(1).and_then(|reads| reads.parse().ok()).unwrap_or(10_000_000);
    let clock = Arc::new(Clock::new());
    let page: &'static PageWords = Box::leak(Box::new([const { AtomicU32::new(0) }; PAGE_WORDS]));
    let Ok(control) = ControlPage::connect(&mut Alone(page)) else { return };
    let mut writer = ControlWriter::attach(page, 2, 1);
    let mut map = ClockMap::new();
    let now_ns = clock.now_ns();
    let _ = map.add(now_ns, now_ns + 5_000, now_ns + 1_000_000);
    clock.publish(&map, now_ns);
    let slot = Slot {
        state: SlotState::Running,
        link_frames: 48_000,
        time_ns: now_ns + 1_000_000,
        ns_per_frame_q32: (1_000_000_000 << 32) / 48_000,
        error_ns: 1_000,
        lock: Some(PositionLock::Locked),
        source: Some(PositionSource::Link),
        ..Slot::default()
    };
    writer.write(1, &slot);
    let reader = PositionReader::new(Arc::new(control), 1, clock.clone());
    for (name, measured) in [
        ("slot", measured_slot as fn(&_, _) -> _),
        ("clock", measured_clock),
        ("system time", measured_system),
        ("position, with its slot", measured_now),
        ("position, frames alone", measured_frames),
    ] {
        let before_ns = clock.now_ns();
        let last = measured(&reader, reads);
        let each_ns = (clock.now_ns() - before_ns) as f64 / reads as f64;
        println!("{name}: {each_ns:.1} ns a read, {reads} reads, the last at frame {last}");
    }
}
