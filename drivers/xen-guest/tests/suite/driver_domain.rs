//! Grants and channels, over a hypervisor in memory that checks ownership.

use audiofront::{GrantAccess, Transport};
use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantRef, Hypervisor, MapError, MappedBuffer, PageAccess,
    RemotePort, SampleMemory, SharedPage,
};
use hypervisor_model::{FrontEnd, HeapMemory, Limits, MemoryHypervisor};
use proptest::prelude::*;
use xen_guest::driver_domain::{DriverDomain, MAX_CHANNELS};
use xen_guest::hypervisor::{Errno, GrantError};
use xen_sys::grant_table as abi;

use crate::support::memory_xen::{BAD_HANDLE, MemoryXen, WINDOW, grants};

const GUEST: DomainId = DomainId(3);
const BACK: DomainId = DomainId(1);

fn home() -> MemoryHypervisor<HeapMemory> {
    MemoryHypervisor::new(HeapMemory::new(600), Limits { grants: 600, ports: 600, streams: 300 })
}

fn domain(home: &MemoryHypervisor<HeapMemory>, slots: u16) -> DriverDomain<MemoryXen<'_>> {
    DriverDomain::new(MemoryXen::new(home, BACK, slots), 4)
}

type Granted<'a> = Vec<audiofront::GrantedPage<<FrontEnd<'a, HeapMemory> as Transport>::Page>>;

fn grant<'a>(front: &mut FrontEnd<'a, HeapMemory>, pages: usize, access: GrantAccess) -> Granted<'a> {
    (0..pages).map(|_| front.grant_page(access).expect("a page")).collect()
}

fn references(granted: &Granted<'_>) -> Vec<GrantRef> {
    granted.iter().map(|page| page.grant).collect()
}

#[test]
fn a_page_is_shared_while_it_is_mapped() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let granted = front.grant_page(GrantAccess::ReadWrite).expect("a page");
    let page = domain.map_page(GUEST, granted.grant).expect("mapped");
    granted.page.store(7, 77);
    assert_eq!(page.load(7), 77);
    page.store(8, 88);
    assert_eq!(granted.page.load(8), 88);
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (1, 7));
    assert_eq!(domain.xen_mut().addresses, [WINDOW]);
    domain.unmap_page(page);
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (0, 8));
    front.revoke_page(granted).expect("nobody has it");
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn a_buffer_is_reached_by_the_controller_page_by_page_in_its_order() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 300);
    for (dma, access) in
        [(DmaAccess::Read, GrantAccess::ReadOnly), (DmaAccess::Write, GrantAccess::ReadWrite)]
    {
        let granted = grant(&mut front, 256, access);
        for (number, page) in granted.iter().enumerate() {
            page.page.store(0, number as u32);
        }
        let calls = domain.xen_mut().map_calls;
        let size_bytes = 256 * 4096 - 100;
        let buffer =
            domain.map_buffer(GUEST, &grants(&references(&granted)), size_bytes, dma).expect("mapped");
        assert_eq!(domain.xen_mut().map_calls - calls, 8, "a hypercall for 32 pages");
        assert_eq!((buffer.size_bytes(), buffer.page_addresses().len()), (size_bytes, 256));
        for (number, address) in buffer.page_addresses().iter().enumerate() {
            assert!(*address >= WINDOW && *address % 4096 == 0);
            let machine = domain.xen_mut().machine_address(*address);
            let words = home.with_memory(|memory| memory.dma(machine, dma)).expect("the controller may");
            assert_eq!(words.load(0), number as u32);
        }
        domain.unmap_buffer(buffer);
        assert_eq!(home.with_memory(|memory| memory.dma_pages()), 0);
        for page in granted {
            front.revoke_page(page).expect("nobody has it");
        }
    }
    assert_eq!((domain.mapped_pages(), home.violation_count()), (0, 0));
}

#[test]
fn samples_are_copied_out_of_each_buffer_and_into_one_that_is_recorded_to() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let cases =
        [(DmaAccess::Read, GrantAccess::ReadOnly, false), (DmaAccess::Write, GrantAccess::ReadWrite, true)];
    for (dma, access, is_written) in cases {
        let granted = grant(&mut front, 2, access);
        granted[0].page.store(1023, 0x0403_0201);
        granted[1].page.store(0, 0x0807_0605);
        let size_bytes = 2 * 4096 - 100;
        let buffer =
            domain.map_buffer(GUEST, &grants(&references(&granted)), size_bytes, dma).expect("mapped");
        let mut copy = [0; 6];
        buffer.read(4093, &mut copy);
        assert_eq!(copy, [2, 3, 4, 5, 6, 7], "across the pages");
        buffer.write(4092, &[9; 8]);
        let seen = [granted[0].page.load(1023), granted[1].page.load(0)];
        assert_eq!(seen, if is_written { [0x0909_0909; 2] } else { [0x0403_0201, 0x0807_0605] });
        let mut beyond = [1; 4];
        buffer.read(size_bytes, &mut beyond);
        assert_eq!(beyond, [0; 4]);
        domain.unmap_buffer(buffer);
        for page in granted {
            front.revoke_page(page).expect("nobody has it");
        }
    }
    // A list that was used for recording and is used for playback now is not written to.
    assert_eq!((domain.mapped_pages(), home.violation_count()), (0, 0));
}

#[test]
fn a_grant_mapped_already_is_refused_before_xen_hears_of_it() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let granted = grant(&mut front, 3, GrantAccess::ReadWrite);
    let [a, b, c] = references(&granted)[..] else { panic!("three") };
    let page = domain.map_page(GUEST, a).expect("mapped");
    assert_eq!(domain.map_page(GUEST, a).unwrap_err(), MapError::AlreadyMapped(a));
    let within = domain.map_buffer(GUEST, &grants(&[b, c, b]), 3 * 4096, DmaAccess::Read);
    assert_eq!(within.unwrap_err(), MapError::AlreadyMapped(b));
    let across = domain.map_buffer(GUEST, &grants(&[b, a]), 2 * 4096, DmaAccess::Read);
    assert_eq!(across.unwrap_err(), MapError::AlreadyMapped(a));
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (1, 7));
    domain.unmap_page(page);
    let page = domain.map_page(GUEST, a).expect("free again");
    domain.unmap_page(page);
    // The same number of another guest's is another grant.
    let mut other = home.front_end(DomainId(4), BACK, 0);
    let theirs = other.grant_page(GrantAccess::ReadWrite).expect("a page");
    let page = domain.map_page(DomainId(4), theirs.grant).expect("mapped");
    domain.unmap_page(page);
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn all_of_a_buffer_or_nothing() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 300);
    let granted = grant(&mut front, 70, GrantAccess::ReadOnly);
    for bad in [0, 31, 32, 40, 69] {
        let mut list = references(&granted);
        list[bad] = GrantRef(9_999);
        let refused = domain.map_buffer(GUEST, &grants(&list), 70 * 4096, DmaAccess::Read);
        assert_eq!(refused.unwrap_err(), MapError::NotGranted(GrantRef(9_999)), "{bad}");
        assert_eq!((domain.mapped_pages(), domain.free_slots(), home.mapped_pages()), (0, 300, 0));
    }
    // Granted for reading, wanted for writing.
    let list = references(&granted);
    let refused = domain.map_buffer(GUEST, &grants(&list), 70 * 4096, DmaAccess::Write);
    assert_eq!(refused.unwrap_err(), MapError::NotGranted(list[0]));
    assert_eq!((domain.mapped_pages(), home.mapped_pages()), (0, 0));
    // The stock of lists has lost none.
    let four: Vec<_> = (0..4)
        .map(|part| {
            let part = &list[part * 10..part * 10 + 10];
            domain.map_buffer(GUEST, &grants(part), 10 * 4096, DmaAccess::Read).expect("mapped")
        })
        .collect();
    let fifth = domain.map_buffer(GUEST, &grants(&list[50..51]), 4096, DmaAccess::Read);
    assert_eq!(fifth.unwrap_err(), MapError::NoRoom);
    four.into_iter().for_each(|buffer| domain.unmap_buffer(buffer));
    assert_eq!((domain.mapped_pages(), home.mapped_pages()), (0, 0));
}

#[test]
fn sizes_that_do_not_match_are_refused() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let list = references(&grant(&mut front, 2, GrantAccess::ReadOnly));
    for (list, size_bytes) in [(&list[..], 4096), (&list[..], 8193), (&list[..0], 0)] {
        let refused = domain.map_buffer(GUEST, &grants(list), size_bytes, DmaAccess::Read);
        assert_eq!(refused.unwrap_err(), MapError::NoRoom);
    }
    assert_eq!(domain.xen_mut().map_calls, 0);
}

#[test]
fn a_full_window_is_no_guests_fault_and_heals() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 3);
    let list = references(&grant(&mut front, 4, GrantAccess::ReadWrite));
    let refused = domain.map_buffer(GUEST, &grants(&list), 4 * 4096, DmaAccess::Read);
    assert_eq!(refused.unwrap_err(), MapError::NoRoom);
    let buffer = domain.map_buffer(GUEST, &grants(&list[..3]), 3 * 4096, DmaAccess::Read).expect("room");
    assert_eq!(domain.map_page(GUEST, list[3]).unwrap_err(), MapError::NoRoom);
    domain.unmap_buffer(buffer);
    let page = domain.map_page(GUEST, list[3]).expect("room");
    domain.unmap_page(page);
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn what_xen_can_not_do_at_the_moment_is_tried_again_but_not_for_ever() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let list = references(&grant(&mut front, 3, GrantAccess::ReadOnly));
    domain.xen_mut().map_script = [None, Some(GrantError::AGAIN), None, Some(GrantError::AGAIN)].into();
    let buffer = domain.map_buffer(GUEST, &grants(&list), 3 * 4096, DmaAccess::Read).expect("the third time");
    assert_eq!(domain.xen_mut().map_calls, 3);
    domain.unmap_buffer(buffer);
    domain.xen_mut().map_script = [Some(GrantError::AGAIN); 100].into();
    let refused = domain.map_buffer(GUEST, &grants(&list[..1]), 4096, DmaAccess::Read);
    assert_eq!(refused.unwrap_err(), MapError::NotGranted(list[0]));
    assert_eq!(domain.xen_mut().map_calls, 7);
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (0, 8));
}

#[test]
fn each_status_has_its_meaning_and_its_blame() {
    assert_eq!(GrantError::check(0), Ok(()));
    let guest = [-1, -2, -3, -8, -9, -12];
    for status in -20..=5i16 {
        if status == 0 {
            continue;
        }
        let error = GrantError::check(status).expect_err("a failure");
        let is_guests = guest.contains(&status);
        assert_eq!(error.is_guests_fault(), is_guests, "{status}: {error}");
        let home = home();
        let mut front = home.front_end(GUEST, BACK, 0);
        let mut domain = domain(&home, 8);
        let granted = front.grant_page(GrantAccess::ReadWrite).expect("a page").grant;
        domain.xen_mut().map_script = [Some(error); 10].into();
        let expected = if is_guests { MapError::NotGranted(granted) } else { MapError::NoRoom };
        assert_eq!(domain.map_page(GUEST, granted).unwrap_err(), expected);
        assert_eq!(domain.free_slots(), 8);
    }
    assert_eq!(GrantError::check(-99), Err(GrantError::Status(-99)));
    assert_eq!(GrantError::Status(-99).to_string(), "status -99");
    assert!(!GrantError::Hypercall(Errno::EFAULT).is_guests_fault());
}

#[test]
fn a_mapping_that_xen_does_not_end_is_never_used_again() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 3);
    let list = references(&grant(&mut front, 3, GrantAccess::ReadOnly));
    let buffer = domain.map_buffer(GUEST, &grants(&list), 3 * 4096, DmaAccess::Read).expect("mapped");
    domain.xen_mut().unmap_script = [None, Some(BAD_HANDLE)].into();
    domain.unmap_buffer(buffer);
    // The others are free; the slot and the grant of this one are not.
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (0, 2));
    let again = domain.map_buffer(GUEST, &grants(&list[1..2]), 4096, DmaAccess::Read);
    assert_eq!(again.unwrap_err(), MapError::AlreadyMapped(list[1]));
    let rest = domain.map_buffer(GUEST, &grants(&[list[0], list[2]]), 8192, DmaAccess::Read).expect("mapped");
    domain.unmap_buffer(rest);
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn a_page_of_a_buffer_is_mapped_once_more_elsewhere_and_not_left_so() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 5);
    let granted = grant(&mut front, 3, GrantAccess::ReadWrite);
    let list = references(&granted);
    for dma in [DmaAccess::Read, DmaAccess::Write] {
        let buffer = domain.map_buffer(GUEST, &grants(&list), 3 * 4096, dma).expect("mapped");
        granted[1].page.store(9, 99);
        let read = domain.with_buffer_page(&buffer, 1, PageAccess::ReadOnly, |page| {
            let seen = page.load(9);
            page.store(9, 1);
            seen
        });
        assert_eq!(read, Ok(99));
        assert_eq!(granted[1].page.load(9), 99, "mapped to be read");
        domain
            .with_buffer_page(&buffer, 1, PageAccess::ReadWrite, |page| page.store(9, 100))
            .expect("granted for that");
        assert_eq!(granted[1].page.load(9), 100);
        // The controller has never heard of the other address, and may do with the buffer's what it might before.
        let other = domain.xen_mut().addresses.last().expect("one");
        assert!(!buffer.page_addresses().contains(other));
        let machine = domain.xen_mut().machine_address(buffer.page_addresses()[1]);
        assert_eq!(home.with_memory(|memory| memory.dma_allowed(machine)), Some(dma));
        assert_eq!((domain.mapped_pages(), domain.free_slots()), (3, 2));
        // The grant is still known to be mapped.
        assert_eq!(domain.map_page(GUEST, list[1]).unwrap_err(), MapError::AlreadyMapped(list[1]));
        domain.unmap_buffer(buffer);
        assert_eq!((domain.mapped_pages(), domain.free_slots(), home.mapped_pages()), (0, 5, 0));
    }
    assert_eq!(home.violation_count(), 2, "the two writes into what was mapped to be read");
}

#[test]
fn a_page_of_a_buffer_that_can_not_be_mapped_once_more_is_not_seen() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 4);
    let list = references(&grant(&mut front, 3, GrantAccess::ReadOnly));
    let buffer = domain.map_buffer(GUEST, &grants(&list), 3 * 4096, DmaAccess::Read).expect("mapped");
    fn never(_: &dyn SharedPage) {
        panic!("there is nothing to see");
    }
    let (read, written) = (PageAccess::ReadOnly, PageAccess::ReadWrite);
    assert_eq!(domain.with_buffer_page(&buffer, 3, read, never), Err(MapError::NoRoom), "no such page");
    let refused = domain.with_buffer_page(&buffer, 2, written, never);
    assert_eq!(refused, Err(MapError::NotGranted(list[2])));
    let other = front.grant_page(GrantAccess::ReadWrite).expect("a page").grant;
    let page = domain.map_page(GUEST, other).expect("the last slot");
    assert_eq!(domain.with_buffer_page(&buffer, 0, read, never), Err(MapError::NoRoom), "no slot");
    domain.unmap_page(page);
    domain.with_buffer_page(&buffer, 0, read, |_| ()).expect("a slot");
    // One that Xen doesn't end: the slot is lost, and the buffer itself is none the worse.
    domain.xen_mut().unmap_script = [Some(BAD_HANDLE)].into();
    domain.with_buffer_page(&buffer, 0, read, |_| ()).expect("seen all the same");
    assert_eq!((domain.mapped_pages(), domain.free_slots()), (3, 0));
    domain.unmap_buffer(buffer);
    assert_eq!((domain.mapped_pages(), domain.free_slots(), home.mapped_pages()), (0, 3, 0));
}

#[test]
fn channels_are_bound_used_and_closed() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let port = front.open_channel().expect("a port");
    let channel = domain.bind(GUEST, RemotePort(port.0)).expect("bound");
    domain.notify(channel);
    assert!(home.has_pending(GUEST));
    domain.unbind(channel);
    // A second time it may be somebody else's.
    domain.unbind(channel);
    assert_eq!(home.violation_count(), 0);
    let nowhere = RemotePort(599);
    assert_eq!(domain.bind(GUEST, nowhere), Err(BindError::NotOffered(nowhere)));
}

#[test]
fn no_more_channels_than_there_is_room_for() {
    let home = home();
    let mut front = home.front_end(GUEST, BACK, 0);
    let mut domain = domain(&home, 8);
    let mut bind = |domain: &mut DriverDomain<_>| {
        let port = RemotePort(front.open_channel().expect("a port").0);
        domain.bind(GUEST, port)
    };
    let channels: Vec<EventChannel> = (0..MAX_CHANNELS).map(|_| bind(&mut domain).expect("bound")).collect();
    assert!(bind(&mut domain).is_err());
    domain.unbind(channels[5]);
    assert!(bind(&mut domain).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any order of mapping and unmapping, good and bad: nothing is leaked, nothing is mapped twice.
    #[test]
    fn slots_are_neither_lost_nor_shared(
        steps in prop::collection::vec((any::<bool>(), 0usize..24, 1usize..40, any::<u8>()), 1..60),
    ) {
        let home = home();
        let mut front = home.front_end(GUEST, BACK, 0);
        let mut domain = domain(&home, 40);
        let list = references(&grant(&mut front, 60, GrantAccess::ReadOnly));
        let mut held = Vec::new();
        for (map, from, count, failing) in steps {
            if map {
                let part = &list[from..(from + count).min(list.len())];
                if failing < 40 {
                    domain.xen_mut().map_script = (0..failing).map(|_| None).chain([Some(GrantError::Status(abi::GNTST_BAD_PAGE))]).collect();
                }
                let size_bytes = part.len() as u32 * 4096;
                if let Ok(buffer) = domain.map_buffer(GUEST, &grants(part), size_bytes, DmaAccess::Read) {
                    held.push(buffer);
                }
                domain.xen_mut().map_script.clear();
            } else if !held.is_empty() {
                domain.unmap_buffer(held.remove(from % held.len()));
            }
            let pages: usize = held.iter().map(|buffer| buffer.page_addresses().len()).sum();
            prop_assert_eq!(domain.mapped_pages(), pages);
            prop_assert_eq!(domain.free_slots(), 40 - pages);
            prop_assert_eq!(home.mapped_pages(), pages);
            let mut addresses: Vec<u64> =
                held.iter().flat_map(|buffer| buffer.page_addresses().iter().copied()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            prop_assert_eq!(addresses.len(), pages);
        }
        prop_assert_eq!(home.violation_count(), 0);
    }

    /// Grants whose numbers are multiples of 16 apart, so that they meet in a hash table of 16 chains: one that is mapped is
    /// known to be.
    #[test]
    fn every_mapped_grant_is_found(steps in prop::collection::vec((any::<bool>(), 0usize..14), 1..200)) {
        let home = home();
        let mut front = home.front_end(GUEST, BACK, 0);
        let mut domain = domain(&home, 10);
        let all = references(&grant(&mut front, 14 * 16, GrantAccess::ReadWrite));
        let list: Vec<GrantRef> = all.into_iter().step_by(16).collect();
        let mut held: Vec<(GrantRef, _)> = Vec::new();
        for (map, index) in steps {
            let wanted = list[index];
            if map {
                let expected = match held.iter().any(|(grant, _)| *grant == wanted) {
                    true => Some(MapError::AlreadyMapped(wanted)),
                    false => (held.len() == 10).then_some(MapError::NoRoom),
                };
                match domain.map_page(GUEST, wanted) {
                    Ok(page) => {
                        prop_assert_eq!(expected, None);
                        held.push((wanted, page));
                    }
                    Err(error) => prop_assert_eq!(expected, Some(error)),
                }
            } else if !held.is_empty() {
                domain.unmap_page(held.remove(index % held.len()).1);
            }
        }
        prop_assert_eq!(home.violation_count(), 0);
    }
}
