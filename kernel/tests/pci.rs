//! BARs, capability lists and what is known of controllers, good and hostile.

use std::cell::RefCell;

use proptest::prelude::*;
use snd_hda::stream::PositionChoice;
use snd_hda::{ControllerTraits, SyncRegister};
use snddom_kernel::memory::range::PhysRange;
use snddom_kernel::pci::bar::{self, BarError, BarKind};
use snddom_kernel::pci::{capability, known};

const WINDOW: PhysRange = PhysRange { start: 0xf000_0000, end: 0xfc00_0000 };

#[test]
fn kinds_are_told_apart_and_reserved_ones_refused() {
    assert_eq!(bar::kind(0xfebd_4000), Ok(BarKind::Memory32));
    assert_eq!(bar::kind(0xfebd_4004), Ok(BarKind::Memory64));
    assert_eq!(bar::kind(0xfebd_400c), Ok(BarKind::Memory64));
    assert_eq!(bar::kind(0xc001), Err(BarError::IoSpace));
    assert_eq!(bar::kind(0xfebd_4002), Err(BarError::ReservedType));
    assert_eq!(bar::kind(0xfebd_4006), Err(BarError::ReservedType));
}

#[test]
fn sizes_are_read_as_the_specification_says() {
    assert_eq!(bar::size_bytes(BarKind::Memory32, 0xffff_c000, 0), Ok(0x4000));
    assert_eq!(bar::size_bytes(BarKind::Memory64, 0xffff_c004, u32::MAX), Ok(0x4000));
    assert_eq!(bar::size_bytes(BarKind::Memory64, 0x0000_0004, 0xffff_fffe), Ok(1 << 33));
    assert_eq!(bar::size_bytes(BarKind::Memory32, 0, 0), Err(BarError::Unimplemented));
    assert_eq!(bar::size_bytes(BarKind::Memory64, 4, 0), Err(BarError::Unimplemented));
    assert_eq!(bar::size_bytes(BarKind::Memory32, 0xfff0_c000, 0), Err(BarError::Malformed));
    assert_eq!(bar::size_bytes(BarKind::Memory64, 0xffff_c004, 0), Err(BarError::Malformed));
}

#[test]
fn a_place_is_found_below_what_is_in_the_way() {
    assert_eq!(bar::place(0x4000, WINDOW, &[]), Some(0xfbff_c000));
    let in_the_way = [
        PhysRange { start: 0xfbff_0000, end: 0x1_0000_0000 },
        PhysRange { start: 0xfbfe_8000, end: 0xfbfe_d000 },
    ];
    assert_eq!(bar::place(0x4000, WINDOW, &in_the_way), Some(0xfbfe_4000));
    assert_eq!(bar::place(0x4000, WINDOW, &[WINDOW]), None);
    assert_eq!(bar::place(0x1000_0000, WINDOW, &[]), None);
    assert_eq!(bar::place(0x3000, WINDOW, &[]), None);
    assert_eq!(bar::place(1 << 63, WINDOW, &[]), None);
}

#[test]
fn a_capability_is_found_by_its_identity() {
    let read = |offset: u8| match offset {
        0x50 => 0x0000_6001,
        0x60 => 0x0080_7005,
        0x70 => 0x0000_0010,
        other => panic!("read at {other:#x}"),
    };
    assert_eq!(capability::find(capability::POWER_MANAGEMENT, 0x50, read), Some(0x50));
    assert_eq!(capability::find(capability::MSI, 0x53, read), Some(0x60));
    assert_eq!(capability::find(capability::PCI_EXPRESS, 0x50, read), Some(0x70));
    assert_eq!(capability::find(0x11, 0x50, read), None);
    assert_eq!(capability::find(capability::MSI, 0, read), None);
}

#[test]
fn no_snoop_is_taken_away_and_nothing_else_changes() {
    // As at reset: No Snoop and Relaxed Ordering may be used; some errors were seen.
    assert_eq!(capability::without_no_snoop(0x000f_2810), 0x2010);
    assert_eq!(capability::without_no_snoop(0x0000_2010), 0x2010);
}

#[test]
fn a_list_in_circles_ends() {
    assert_eq!(capability::find(capability::MSI, 0x50, |_| 0x0000_5000), None);
    assert_eq!(capability::find(capability::MSI, 0x50, |_| 0x0000_3c00), None);
}

/// Applies what is known of a controller to its configuration space; `keeps` are the bits that take a value, by byte.
fn set_up(id: (u16, u16), space: &RefCell<[u8; 256]>, keeps: u8) -> Vec<bool> {
    let apply = |setting: &known::Setting| {
        let write = |offset: u8, value: u8| {
            let byte = &mut space.borrow_mut()[usize::from(offset)];
            *byte = *byte & !keeps | value & keeps;
        };
        setting.apply(|offset| space.borrow()[usize::from(offset)], write)
    };
    known::find(id).settings.iter().map(apply).collect()
}

/// The bytes that differ.
fn changed(space: &[u8; 256], fill: u8) -> Vec<(usize, u8)> {
    space.iter().copied().enumerate().filter(|(_, byte)| *byte != fill).collect()
}

#[test]
fn each_vendors_registers_are_set_and_nothing_else() {
    let intel_old: &[_] = &[(0x44, 0xf8)];
    let intel: &[_] = &[(0x44, 0xf8), (0x79, 0xf7)];
    let ati: &[_] = &[(0x42, 0xfa)];
    let cases = [
        ((0x8086, 0x2668), 0xff, intel_old),
        ((0x8086, 0x3a6e), 0xff, intel_old),
        ((0x8086, 0x8c20), 0xff, intel),
        ((0x8086, 0x811b), 0xff, intel),
        ((0x8086, 0xffff), 0xff, intel),
        ((0x1002, 0x4383), 0xff, ati),
        ((0x1022, 0x1457), 0xff, ati),
        ((0x1002, 0xaa98), 0xff, &[] as &[_]),
        ((0x10de, 0x03f0), 0x00, &[(0x4c, 0x01), (0x4d, 0x01), (0x4e, 0x0f)]),
        ((0x1234, 0x5678), 0xff, &[]),
    ];
    for (id, fill, expected) in cases {
        let space = RefCell::new([fill; 256]);
        assert!(set_up(id, &space, 0xff).into_iter().all(|taken| taken), "{id:x?}");
        assert_eq!(changed(&space.borrow(), fill), expected, "{id:x?}");
        // Once more: all is as it should be, and nothing is written.
        assert!(set_up(id, &space, 0).into_iter().all(|taken| taken), "{id:x?}");
    }
}

#[test]
fn what_does_not_take_is_told() {
    let space = RefCell::new([0xff; 256]);
    assert_eq!(set_up((0x8086, 0x8c20), &space, 0x01), [false, false]);
    assert_eq!(set_up((0x8086, 0x8c20), &space, 0xff), [true, true]);
}

#[test]
fn the_driver_is_told_what_registers_do_not_say() {
    let plain = ControllerTraits::default();
    let specified = ControllerTraits { sync_register: SyncRegister::Specified, ..plain };
    let by_link = ControllerTraits { positions: PositionChoice::Link, ..plain };
    let bits = |address_bits, traits| ControllerTraits { address_bits, ..traits };
    let cases = [
        ((0x8086, 0x293e), ControllerTraits { sync_register: SyncRegister::Old, ..plain }, true),
        ((0x8086, 0xa348), specified, true),
        ((0x8086, 0x160c), ControllerTraits { positions: PositionChoice::Link, ..specified }, true),
        ((0x1002, 0x437b), bits(32, by_link), true),
        ((0x1002, 0xaae0), bits(40, by_link), true),
        ((0x1022, 0x15e3), bits(40, by_link), true),
        ((0x1022, 0x0001), bits(40, by_link), true),
        ((0x10de, 0x0ac0), bits(40, plain), false),
        ((0x1106, 0x3288), by_link, true),
        ((0x1106, 0x9170), plain, true),
        ((0x1102, 0x0012), bits(32, by_link), false),
        ((0x1102, 0x0009), bits(32, by_link), true),
        ((0x6549, 0x1200), bits(32, plain), true),
        ((0x13f6, 0x5011), by_link, false),
        ((0xffff, 0xffff), plain, true),
    ];
    for (id, traits, has_msi) in cases {
        let known = known::find(id);
        assert_eq!((known.traits, known.has_msi), (traits, has_msi), "{id:x?} {known}");
    }
}

proptest! {
    #[test]
    fn a_place_is_aligned_inside_and_free(
        size_log2 in 12u32..27,
        occupied in proptest::collection::vec((0xef00_0000u64..0xfd00_0000, 0u64..0x100_0000), 0..20),
    ) {
        let occupied: Vec<_> =
            occupied.iter().map(|&(start, size)| PhysRange { start, end: start + size }).collect();
        let size = 1u64 << size_log2;
        let free = |start: u64| {
            let candidate = PhysRange { start, end: start + size };
            !occupied.iter().any(|range| range.overlaps(candidate))
        };
        match bar::place(size, WINDOW, &occupied) {
            Some(start) => {
                prop_assert!(start.is_multiple_of(size));
                prop_assert!(start >= WINDOW.start && start + size <= WINDOW.end);
                prop_assert!(free(start));
            }
            None => {
                let mut start = WINDOW.start.next_multiple_of(size);
                while start + size <= WINDOW.end {
                    prop_assert!(!free(start), "{start:#x} was free");
                    start += size;
                }
            }
        }
    }

    #[test]
    fn no_readback_makes_sizing_panic(low: u32, high: u32) {
        for kind in [BarKind::Memory32, BarKind::Memory64] {
            if let Ok(size) = bar::size_bytes(kind, low, high) {
                prop_assert!(size.is_power_of_two() && size >= 16);
            }
        }
        let _ = bar::kind(low);
    }

    #[test]
    fn any_list_ends(words in proptest::collection::vec(any::<u32>(), 64), pointer: u8, id: u8) {
        if let Some(offset) = capability::find(id, pointer, |offset| words[usize::from(offset / 4)]) {
            prop_assert!(offset >= 0x40 && offset % 4 == 0);
            prop_assert_eq!(words[usize::from(offset / 4)] as u8, id);
        }
    }

    #[test]
    fn whatever_the_registers_held_neighbours_stay(vendor: u16, device: u16, fill: u8, row in 0..6_usize) {
        let id = ([0x8086, 0x1002, 0x1022, 0x10de, 0x1106, vendor][row], device);
        let space = RefCell::new([fill; 256]);
        prop_assert!(set_up(id, &space, 0xff).into_iter().all(|taken| taken));
        let settings = known::find(id).settings;
        for (offset, byte) in changed(&space.borrow(), fill) {
            let setting = settings.iter().find(|setting| usize::from(setting.offset) == offset);
            let mask = setting.map_or(0, |setting| setting.mask);
            prop_assert_eq!(byte & !mask, fill & !mask);
        }
        prop_assert!((32..=64).contains(&known::find(id).traits.address_bits));
    }
}
