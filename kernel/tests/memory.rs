//! Frames, page tables and pools, planned on the host.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use hyper::PAGE_WORDS;
use hypervisor_model::PageMemory;
use proptest::prelude::*;
use snd_hda::dma::{DmaMemory, DmaRegion};
use snddom_kernel::bare::guest_pages::{GuestPages, scattered};
use snddom_kernel::memory::PAGE_BYTES;
use snddom_kernel::memory::dma::DmaArena;
use snddom_kernel::memory::frames::FrameAllocator;
use snddom_kernel::memory::page_table::{ADDRESS_LIMIT, Access, MapError, PageTable, TableMemory};
use snddom_kernel::memory::range::PhysRange;

const fn range(start: u64, end: u64) -> PhysRange {
    PhysRange { start, end }
}

/// Tables in a map, with an end to how many there are.
#[derive(Default)]
struct Tables {
    tables: HashMap<u64, [u64; 512]>,
    room: usize,
}

impl Tables {
    fn with_room(room: usize) -> Self {
        Self { room, ..Self::default() }
    }

    /// The rights at an address, as the processor finds them.
    fn access(&self, root: u64, address: u64) -> Option<Access> {
        let mut table = root;
        for shift in [39, 30, 21, 12] {
            let entry = self.read(table, (address >> shift) as usize & 511);
            if entry & 1 == 0 {
                return None;
            }
            if shift == 12 || entry & 1 << 7 != 0 {
                let kinds = [
                    (Access::ReadExecute, 0x1),
                    (Access::Read, 0x8000_0000_0000_0001),
                    (Access::ReadWrite, 0x8000_0000_0000_0003),
                    (Access::Device, 0x8000_0000_0000_001b),
                ];
                let found = kinds.into_iter().find(|(_, bits)| *bits == entry & 0x8000_0000_0000_001b);
                return Some(found.expect("the bits of a kind").0);
            }
            table = entry & 0x000f_ffff_ffff_f000;
        }
        None
    }
}

impl TableMemory for Tables {
    fn allocate_table(&mut self) -> Option<u64> {
        if self.tables.len() == self.room {
            return None;
        }
        let address = 0x10_0000 + self.tables.len() as u64 * PAGE_BYTES;
        self.tables.insert(address, [0; 512]);
        Some(address)
    }

    fn read(&self, table: u64, index: usize) -> u64 {
        self.tables[&table][index]
    }

    fn write(&mut self, table: u64, index: usize, entry: u64) {
        self.tables.get_mut(&table).expect("a table that was allocated")[index] = entry;
    }
}

#[test]
fn each_kind_of_page_has_the_bits_that_the_processor_wants() {
    let mut tables = Tables::with_room(16);
    let mut table = PageTable::new(&mut tables).expect("room");
    let kinds = [
        (Access::ReadExecute, 0x1),
        (Access::Read, 0x8000_0000_0000_0001),
        (Access::ReadWrite, 0x8000_0000_0000_0003),
        (Access::Device, 0x8000_0000_0000_001b),
    ];
    for (page, (access, _)) in (0x40_0000u64..).step_by(0x1000).zip(kinds) {
        table.map(&mut tables, range(page, page + 0x1000), access).expect("free");
        assert_eq!(tables.access(table.root(), page), Some(access));
    }
    // Root, pointers, directory, table, in the order in which they were needed.
    let leaf = tables.tables[&(0x10_0000 + 3 * PAGE_BYTES)];
    for (index, (_, bits)) in kinds.iter().enumerate() {
        assert_eq!(leaf[index], (0x40_0000 + index as u64 * 0x1000) | bits);
    }
    assert_eq!(leaf[4], 0);
}

#[test]
fn large_pages_are_used_where_they_fit() {
    let mut tables = Tables::with_room(8);
    let mut table = PageTable::new(&mut tables).expect("room");
    table.map(&mut tables, range(0x1f_f000, 0x80_1000), Access::ReadWrite).expect("free");
    let directory = tables.tables[&(0x10_0000 + 2 * PAGE_BYTES)];
    for (index, address) in [(1, 0x20_0000u64), (2, 0x40_0000), (3, 0x60_0000)] {
        assert_eq!(directory[index], address | 0x8000_0000_0000_0083);
    }
    // Root, pointers, directory, and one table at each end.
    assert_eq!(tables.tables.len(), 5);
    assert_eq!(tables.access(table.root(), 0x1f_e000), None);
    assert_eq!(tables.access(table.root(), 0x1f_f000), Some(Access::ReadWrite));
    assert_eq!(tables.access(table.root(), 0x80_0fff), Some(Access::ReadWrite));
    assert_eq!(tables.access(table.root(), 0x80_1000), None);
}

#[test]
fn what_is_mapped_stays_as_it_is() {
    let mut tables = Tables::with_room(16);
    let mut table = PageTable::new(&mut tables).expect("room");
    table.map(&mut tables, range(0x10_0000, 0x10_4000), Access::ReadExecute).expect("free");
    let again = table.map(&mut tables, range(0x10_3000, 0x10_5000), Access::ReadWrite);
    assert_eq!(again, Err(MapError::AlreadyMapped(0x10_3000)));
    assert_eq!(tables.access(table.root(), 0x10_3000), Some(Access::ReadExecute));
    // A large page can't be put over small ones, nor a small one into a large one.
    let over = table.map(&mut tables, range(0, 0x20_0000), Access::ReadWrite);
    assert_eq!(over, Err(MapError::AlreadyMapped(0x10_0000)));
    table.map(&mut tables, range(0x20_0000, 0x40_0000), Access::ReadWrite).expect("free");
    let into = table.map(&mut tables, range(0x30_0000, 0x30_1000), Access::ReadExecute);
    assert_eq!(into, Err(MapError::AlreadyMapped(0x30_0000)));
}

#[test]
fn bad_ranges_and_lack_of_frames_are_errors() {
    let mut tables = Tables::with_room(2);
    let mut table = PageTable::new(&mut tables).expect("room");
    for bad in [range(1, 0x1000), range(0, 0x1001), range(ADDRESS_LIMIT - 0x1000, ADDRESS_LIMIT + 0x1000)] {
        assert_eq!(table.map(&mut tables, bad, Access::Read), Err(MapError::BadRange(bad)));
    }
    assert_eq!(table.map(&mut tables, range(0, 0x1000), Access::Read), Err(MapError::OutOfFrames));
    assert!(PageTable::new(&mut Tables::with_room(0)).is_none());
}

proptest! {
    #[test]
    fn exactly_what_was_mapped_is_mapped(
        pieces in proptest::collection::vec((0u64..2048, 1u64..1100, 0usize..4), 1..6),
        probes in proptest::collection::vec(0u64..4000, 64),
    ) {
        let kinds = [Access::ReadExecute, Access::Read, Access::ReadWrite, Access::Device];
        let mut tables = Tables::with_room(64);
        let mut table = PageTable::new(&mut tables).expect("room");
        let mut expected = HashMap::new();
        for (start, count, kind) in pieces {
            if (start..start + count).any(|page| expected.contains_key(&page)) {
                continue;
            }
            let bytes = range(start * PAGE_BYTES, (start + count) * PAGE_BYTES);
            table.map(&mut tables, bytes, kinds[kind]).expect("free");
            expected.extend((start..start + count).map(|page| (page, kinds[kind])));
        }
        for page in probes {
            prop_assert_eq!(tables.access(table.root(), page * PAGE_BYTES + 7), expected.get(&page).copied());
        }
    }

    #[test]
    fn frames_are_handed_out_once_and_never_where_they_are_taken(
        ram in proptest::collection::vec((0u64..0x40_0000, 0u64..0x10_0000), 1..5),
        taken in proptest::collection::vec((0u64..0x40_0000, 0u64..0x8_0000), 0..5),
        counts in proptest::collection::vec(1u64..40, 1..60),
    ) {
        let ram: Vec<_> = ram.iter().map(|&(start, size)| range(start, start + size)).collect();
        let taken: Vec<_> = taken.iter().map(|&(start, size)| range(start, start + size)).collect();
        let mut frames = FrameAllocator::new(ram.iter().copied(), &taken).expect("few pieces");
        let mut seen = HashSet::new();
        let mut free_bytes = frames.free_bytes();
        for count in counts {
            let Some(start) = frames.allocate(count) else { continue };
            prop_assert!(start.is_multiple_of(PAGE_BYTES));
            free_bytes -= count * PAGE_BYTES;
            prop_assert_eq!(frames.free_bytes(), free_bytes);
            for frame in (start..start + count * PAGE_BYTES).step_by(PAGE_BYTES as usize) {
                let frame = range(frame, frame + PAGE_BYTES);
                prop_assert!(seen.insert(frame.start), "handed out twice: {:#x}", frame.start);
                prop_assert!(!taken.iter().any(|range| range.overlaps(frame)));
                prop_assert!(ram.iter().any(|range| range.start <= frame.start && frame.end <= range.end));
            }
        }
    }

    #[test]
    fn scattering_visits_each_page_once(count in 1usize..1500) {
        let places: Vec<_> = (0..count).map(|index| scattered(index, count).expect("inside")).collect();
        let distinct: HashSet<_> = places.iter().copied().collect();
        prop_assert_eq!(distinct.len(), count);
        prop_assert!(places.iter().all(|&place| place < count));
        prop_assert_eq!(scattered(count, count), None);
        if count > 6 {
            prop_assert!(places.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
        }
    }

    #[test]
    fn pieces_of_dma_memory_are_apart_aligned_and_zero(
        wishes in proptest::collection::vec((1usize..5000, 0u32..13), 1..20),
    ) {
        let words: Vec<AtomicU32> = (0..8192).map(|_| AtomicU32::new(0xdead_beef)).collect();
        let mut arena = DmaArena::new(Vec::leak(words), 0x12_3000);
        let mut last_end = 0x12_3000;
        for (size_bytes, align_log2) in wishes {
            let align_bytes = 1usize << align_log2;
            let Some(mut piece) = arena.allocate(size_bytes, align_bytes) else { continue };
            prop_assert_eq!(piece.size_bytes(), size_bytes);
            prop_assert!(piece.device_address().is_multiple_of(align_bytes as u64));
            prop_assert!(piece.device_address() >= last_end);
            last_end = piece.device_address() + size_bytes as u64;
            prop_assert!(last_end <= 0x12_3000 + 8192 * 4);
            for offset in (0..size_bytes).step_by(4) {
                prop_assert_eq!(piece.read_u32(offset), 0);
                piece.write_u32(offset, 0x55aa_55aa);
            }
        }
    }
}

#[test]
fn frames_named_twice_are_handed_out_once() {
    let ram = [range(0x10_0000, 0x10_8000), range(0x10_4000, 0x10_c000)];
    let mut frames = FrameAllocator::new(ram.into_iter(), &[]).expect("few pieces");
    assert_eq!(frames.free_bytes(), 0xc000);
    let longest = frames.allocate_longest(100).expect("something is free");
    assert_eq!(longest.size_bytes(), 0x8000);
    assert_eq!(frames.allocate(0), None);
    assert_eq!(frames.allocate(u64::MAX), None);
}

#[test]
fn a_clone_of_a_dma_piece_is_the_same_memory() {
    let words: Vec<AtomicU32> = (0..1024).map(|_| AtomicU32::new(1)).collect();
    let mut arena = DmaArena::new(Vec::leak(words), 0x8000);
    let mut piece = arena.allocate(256, 128).expect("room");
    let twin = piece.clone();
    piece.write_u32(252, 7);
    assert_eq!(twin.read_u32(252), 7);
    // Outside of it: nothing is read, nothing is written.
    piece.write_u32(256, 9);
    assert_eq!(twin.read_u32(256), 0);
    assert!(arena.allocate(16, 3).is_none());
    assert!(arena.allocate(16, 8192).is_none());
    assert!(arena.allocate(0, 4).is_none());
    assert!(arena.allocate(usize::MAX, 4).is_none());
}

#[test]
fn guest_pages_are_zeroed_and_know_their_address() {
    let words: Vec<AtomicU32> = (0..16 * PAGE_WORDS).map(|word| AtomicU32::new(word as u32)).collect();
    let words: &'static [AtomicU32] = Vec::leak(words);
    let base = words.as_ptr() as u64;
    let mut pool = GuestPages::new(words, base);
    assert_eq!(pool.page_count(), 16);
    let (mut last, mut taken) = (None, 0);
    while let Some((address, words)) = pool.allocate() {
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        assert_eq!(words.as_ptr() as u64, address);
        if let Some(last) = last {
            assert!(address.abs_diff(last) > PAGE_BYTES);
        }
        last = Some(address);
        taken += 1;
    }
    assert_eq!(taken, 16);
}
