//! Who may do what with a page: each rule, kept and broken.

use audiofront::{EventPort, GrantAccess, GrantedPage, StillMapped, Transport};
use hyper::{
    BindError, DmaAccess, DomainId, EventChannel, GrantList, GrantRef, Hypervisor, MapError, MappedBuffer,
    PageAccess, RemotePort, SharedPage,
};
use hypervisor_model::{
    BackEnd, DomainPage, FIRST_GRANT, FrontEnd, HeapMemory, Limits, MemoryHypervisor, Rule, Violation,
};
use proptest::prelude::*;
use sndif::nodes::TransportNodes;

const DRIVER: DomainId = DomainId(1);
const OTHER_DRIVER: DomainId = DomainId(2);
const GUEST: DomainId = DomainId(5);
const OTHER_GUEST: DomainId = DomainId(6);

type Home = MemoryHypervisor<HeapMemory>;

fn home() -> Home {
    MemoryHypervisor::new(HeapMemory::new(64), Limits { grants: 64, ports: 8, streams: 2 })
}

fn ends(home: &Home) -> (FrontEnd<'_, HeapMemory>, BackEnd<'_, HeapMemory>) {
    (home.front_end(GUEST, DRIVER, 0), home.back_end(DRIVER))
}

fn grants(references: &[GrantRef]) -> GrantList {
    GrantList::from_slice(references).unwrap()
}

/// The only violation so far is this one.
fn assert_violation(home: &Home, by: DomainId, rule: Rule, grant: GrantRef) {
    assert_eq!(home.violation_count(), 1);
    assert_eq!(home.violations()[..], [Violation { by, rule, grant }]);
}

#[test]
fn both_ends_of_a_mapping_see_the_same_words() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    assert!(granted.grant.0 >= FIRST_GRANT);
    let mapped = back.map_page(GUEST, granted.grant).unwrap();
    granted.page.store(3, 42);
    assert_eq!(mapped.load(3), 42);
    mapped.store(1_023, 7);
    assert_eq!(granted.page.load(1_023), 7);
    assert_eq!((home.granted_pages(), home.mapped_pages()), (1, 1));
    back.unmap_page(mapped);
    front.revoke_page(granted).unwrap();
    assert_eq!((home.granted_pages(), home.mapped_pages(), home.violation_count()), (0, 0, 0));
}

#[test]
fn a_grant_that_nobody_made_cant_be_mapped() {
    for reference in [0, 1, FIRST_GRANT - 1, FIRST_GRANT, FIRST_GRANT + 63, FIRST_GRANT + 64, u32::MAX] {
        let home = home();
        let (_, mut back) = ends(&home);
        let reference = GrantRef(reference);
        assert_eq!(back.map_page(GUEST, reference).err(), Some(MapError::NotGranted(reference)));
        assert_violation(&home, DRIVER, Rule::MappedUngranted, reference);
    }
}

#[test]
fn a_grant_to_another_domain_cant_be_mapped() {
    let home = home();
    let (mut front, _) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let refused = home.back_end(OTHER_DRIVER).map_page(GUEST, granted.grant);
    assert_eq!(refused.err(), Some(MapError::NotGranted(granted.grant)));
    assert_violation(&home, OTHER_DRIVER, Rule::MappedUngranted, granted.grant);
}

#[test]
fn a_guest_cant_lend_another_guests_page() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    // The other guest names the reference as if it were its own.
    let refused = back.map_page(OTHER_GUEST, granted.grant);
    assert_eq!(refused.err(), Some(MapError::NotGranted(granted.grant)));
    assert_violation(&home, DRIVER, Rule::MappedUngranted, granted.grant);
}

#[test]
fn an_ended_grant_cant_be_mapped() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let reference = granted.grant;
    front.revoke_page(granted).unwrap();
    assert_eq!(back.map_page(GUEST, reference).err(), Some(MapError::NotGranted(reference)));
    assert_violation(&home, DRIVER, Rule::MappedUngranted, reference);
}

#[test]
fn a_page_granted_to_be_read_cant_be_written() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadOnly).unwrap();
    let list = grants(&[granted.grant]);
    assert_eq!(back.map_page(GUEST, granted.grant).err(), Some(MapError::NotGranted(granted.grant)));
    let written = back.map_buffer(GUEST, &list, 4_096, DmaAccess::Write);
    assert_eq!(written.err(), Some(MapError::NotGranted(granted.grant)));
    assert_eq!(home.violation_count(), 2);
    let buffer = back.map_buffer(GUEST, &list, 4_096, DmaAccess::Read).unwrap();
    let address = buffer.page_addresses()[0];
    assert_eq!(home.with_memory(|memory| memory.dma_allowed(address)), Some(DmaAccess::Read));
    assert!(home.with_memory(|memory| memory.dma(address, DmaAccess::Write)).is_none());
}

#[test]
fn a_grant_cant_be_mapped_twice() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let _mapped = back.map_page(GUEST, granted.grant).unwrap();
    assert_eq!(back.map_page(GUEST, granted.grant).err(), Some(MapError::AlreadyMapped(granted.grant)));
    assert_violation(&home, DRIVER, Rule::MappedTwice, granted.grant);
}

#[test]
fn a_mapping_cant_be_ended_twice() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let mapped = back.map_page(GUEST, granted.grant).unwrap();
    back.unmap_page(mapped.clone());
    assert_eq!(home.violation_count(), 0);
    back.unmap_page(mapped);
    assert_violation(&home, DRIVER, Rule::UnmappedTwice, granted.grant);
}

#[test]
fn an_old_handle_doesnt_end_a_new_mapping() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let old = back.map_page(GUEST, granted.grant).unwrap();
    back.unmap_page(old.clone());
    let new = back.map_page(GUEST, granted.grant).unwrap();
    back.unmap_page(old);
    assert_violation(&home, DRIVER, Rule::UnmappedTwice, granted.grant);
    new.store(0, 1);
    assert_eq!((granted.page.load(0), home.mapped_pages()), (1, 1));
}

#[test]
fn a_page_cant_be_touched_after_it_was_unmapped() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    granted.page.store(0, 11);
    let mapped = back.map_page(GUEST, granted.grant).unwrap();
    let kept = mapped.clone();
    back.unmap_page(mapped);
    assert_eq!(kept.load(0), 0, "it reads nothing");
    assert_violation(&home, DRIVER, Rule::TouchedAfterUnmap, granted.grant);
    kept.store(0, 99);
    assert_eq!(granted.page.load(0), 11, "and writes nothing");
    assert_eq!(home.violation_count(), 2);
    // Not even through a mapping made since.
    let _mapped = back.map_page(GUEST, granted.grant).unwrap();
    assert_eq!(kept.load(0), 0);
    assert_eq!(home.violation_count(), 3);
}

#[test]
fn a_grant_cant_be_ended_while_it_is_mapped() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let mapped = back.map_page(GUEST, granted.grant).unwrap();
    let Err(StillMapped(granted)) = front.revoke_page(granted) else { panic!("revoked") };
    assert_violation(&home, GUEST, Rule::RevokedWhileMapped, granted.grant);
    mapped.store(0, 5);
    assert_eq!(granted.page.load(0), 5, "both go on using it");
    back.unmap_page(mapped);
    front.revoke_page(granted).unwrap();
    assert_eq!((home.granted_pages(), home.violation_count()), (0, 1));
}

#[test]
fn a_page_cant_be_touched_after_its_grant_was_ended() {
    let home = home();
    let (mut front, _) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    granted.page.store(0, 5);
    let (kept, reference) = (granted.page.clone(), granted.grant);
    front.revoke_page(granted).unwrap();
    assert_eq!(kept.load(0), 0);
    assert_violation(&home, GUEST, Rule::TouchedAfterRevoke, reference);
}

#[test]
fn a_grant_cant_be_ended_twice() {
    let home = home();
    let (mut front, _) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let (page, grant) = (granted.page.clone(), granted.grant);
    front.revoke_page(granted).unwrap();
    assert!(front.revoke_page(GrantedPage { page, grant }).is_ok(), "no page is lost by it");
    assert_violation(&home, GUEST, Rule::RevokedTwice, grant);
}

#[test]
fn an_old_handle_doesnt_end_a_new_grant() {
    let home = MemoryHypervisor::new(HeapMemory::new(1), Limits { grants: 1, ports: 4, streams: 1 });
    let (mut front, _) = ends(&home);
    let first = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let (page, grant) = (first.page.clone(), first.grant);
    front.revoke_page(first).unwrap();
    let second = front.grant_page(GrantAccess::ReadWrite).unwrap();
    assert_eq!(second.grant, grant, "the same reference again");
    let _ = front.revoke_page(GrantedPage { page, grant });
    assert_violation(&home, GUEST, Rule::RevokedTwice, grant);
    second.page.store(0, 3);
    assert_eq!((second.page.load(0), home.granted_pages()), (3, 1));
}

#[test]
fn a_page_used_again_is_zeroed_and_old_handles_dont_reach_it() {
    let home = MemoryHypervisor::new(HeapMemory::new(1), Limits { grants: 4, ports: 4, streams: 1 });
    let (mut front, _) = ends(&home);
    let first = front.grant_page(GrantAccess::ReadWrite).unwrap();
    (0..1_024).for_each(|word| first.page.store(word, 0xaaaa_5555));
    let (kept, address) = (first.page.clone(), first.page.device_address());
    front.revoke_page(first).unwrap();
    let second = front.grant_page(GrantAccess::ReadWrite).unwrap();
    assert_eq!((second.page.device_address(), kept.device_address()), (address, None));
    assert!((0..1_024).all(|word| second.page.load(word) == 0));
    kept.store(0, 1);
    assert_eq!(second.page.load(0), 0);
    assert_violation(&home, GUEST, Rule::TouchedAfterRevoke, second.grant);
}

#[test]
fn a_buffer_can_be_reached_by_dma_while_it_is_mapped_and_only_then() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let pages: Vec<_> = (0..5).map(|_| front.grant_page(GrantAccess::ReadWrite).unwrap()).collect();
    let dma_pages = || home.with_memory(|memory| memory.dma_pages());
    // In the order that the guest says, not in that of memory.
    let order = [3, 0, 4, 1, 2];
    let list = grants(&order.map(|index: usize| pages[index].grant));
    assert_eq!(dma_pages(), 0);
    let buffer = back.map_buffer(GUEST, &list, 4 * 4_096 + 1, DmaAccess::Write).unwrap();
    assert_eq!(buffer.page_addresses(), order.map(|index| pages[index].page.device_address().unwrap()));
    assert_eq!((buffer.size_bytes(), dma_pages(), home.mapped_pages()), (4 * 4_096 + 1, 5, 5));
    assert!(buffer.page_addresses().windows(2).all(|pair| pair[0].abs_diff(pair[1]) != 4_096));
    // The buffer goes with it: to unmap it twice doesn't compile.
    back.unmap_buffer(buffer);
    assert_eq!((dma_pages(), home.mapped_pages(), home.violation_count()), (0, 0, 0));
}

#[test]
fn a_buffer_is_not_to_be_unmapped_while_the_controller_runs_over_it() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted: Vec<_> = (0..2).map(|_| front.grant_page(GrantAccess::ReadWrite).unwrap()).collect();
    let list = grants(&[granted[0].grant, granted[1].grant]);
    let buffer = back.map_buffer(GUEST, &list, 8_192, DmaAccess::Read).unwrap();
    let second = buffer.page_addresses()[1];
    home.with_memory(|memory| memory.set_dma_under_way(second, true));
    back.unmap_buffer(buffer);
    assert_violation(&home, DRIVER, Rule::UnmappedUnderDma, granted[1].grant);
    home.with_memory(|memory| memory.set_dma_under_way(second, false));
    let buffer = back.map_buffer(GUEST, &list, 8_192, DmaAccess::Read).unwrap();
    back.unmap_buffer(buffer);
    assert_eq!(home.violation_count(), 1);
}

#[test]
fn a_ring_page_is_no_business_of_the_controllers() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let granted = front.grant_page(GrantAccess::ReadWrite).unwrap();
    let _mapped = back.map_page(GUEST, granted.grant).unwrap();
    assert_eq!(home.with_memory(|memory| memory.dma_pages()), 0);
}

#[test]
fn a_buffer_is_mapped_whole_or_not_at_all() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let pages: Vec<_> = (0..3).map(|_| front.grant_page(GrantAccess::ReadOnly).unwrap()).collect();
    let [a, b, c] = [0, 1, 2].map(|index| pages[index].grant);
    let nothing_mapped = || home.mapped_pages() == 0 && home.with_memory(|memory| memory.dma_pages()) == 0;
    let missing = GrantRef(c.0 + 1);
    let twice = back.map_buffer(GUEST, &grants(&[a, b, a]), 3 * 4_096, DmaAccess::Read);
    assert_eq!(twice.err(), Some(MapError::AlreadyMapped(a)));
    assert!(nothing_mapped());
    let none = back.map_buffer(GUEST, &grants(&[a, b, missing]), 3 * 4_096, DmaAccess::Read);
    assert_eq!(none.err(), Some(MapError::NotGranted(missing)));
    assert!(nothing_mapped());
    assert!(back.map_buffer(GUEST, &grants(&[a, b, c]), 3 * 4_096, DmaAccess::Read).is_ok());
}

#[test]
fn a_buffers_size_must_fit_its_pages() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let pages: Vec<_> = (0..2).map(|_| front.grant_page(GrantAccess::ReadOnly).unwrap().grant).collect();
    for size_bytes in [0, 4_096, 2 * 4_096 + 1, u32::MAX] {
        assert!(back.map_buffer(GUEST, &grants(&pages), size_bytes, DmaAccess::Read).is_err());
    }
    assert!(back.map_buffer(GUEST, &grants(&[]), 0, DmaAccess::Read).is_err());
    assert_eq!(home.violation_count(), 5);
    assert!(home.violations().iter().all(|violation| violation.rule == Rule::BadBufferSize));
    assert!(back.map_buffer(GUEST, &grants(&pages), 4_097, DmaAccess::Read).is_ok());
}

#[test]
fn memory_and_grants_run_out_without_harm() {
    let home = MemoryHypervisor::new(HeapMemory::new(2), Limits { grants: 8, ports: 4, streams: 1 });
    let (mut front, _) = ends(&home);
    let granted: Vec<_> = std::iter::from_fn(|| front.grant_page(GrantAccess::ReadWrite)).collect();
    assert_eq!(granted.len(), 2);
    let home = MemoryHypervisor::new(HeapMemory::new(8), Limits { grants: 2, ports: 4, streams: 1 });
    let (mut front, _) = ends(&home);
    let mut granted: Vec<_> = std::iter::from_fn(|| front.grant_page(GrantAccess::ReadWrite)).collect();
    assert_eq!(granted.len(), 2);
    front.revoke_page(granted.pop().unwrap()).unwrap();
    assert!(front.grant_page(GrantAccess::ReadWrite).is_some());
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn violations_are_kept_up_to_a_bound_and_counted_beyond() {
    let home = home();
    let (_, mut back) = ends(&home);
    for _ in 0..100 {
        assert!(back.map_page(GUEST, GrantRef(9)).is_err());
    }
    assert_eq!((home.violation_count(), home.violations().len()), (100, hypervisor_model::KEPT_VIOLATIONS));
}

#[test]
fn an_event_arrives_at_the_other_end_once() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let port = front.open_channel().unwrap();
    let channel = back.bind(GUEST, RemotePort(port.0)).unwrap();
    assert_ne!(channel.0, port.0, "each domain has its own numbers");
    assert_eq!(home.take_pending(DRIVER), Some(channel), "pending as soon as it is bound");
    assert_eq!((home.take_pending(DRIVER), home.take_pending(GUEST)), (None, None));
    front.notify(port);
    front.notify(port);
    assert!(home.has_pending(DRIVER) && !home.has_pending(GUEST));
    assert_eq!(home.take_pending(DRIVER), Some(channel));
    assert_eq!(home.take_pending(DRIVER), None, "two events before a look are one");
    back.notify(channel);
    assert_eq!(home.take_pending(GUEST), Some(EventChannel(port.0)));
    assert_eq!(home.violation_count(), 0);
}

#[test]
fn only_the_domain_a_channel_was_made_for_can_bind_it_and_only_once() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let port = front.open_channel().unwrap();
    assert!(home.back_end(OTHER_DRIVER).bind(GUEST, RemotePort(port.0)).is_err());
    assert!(back.bind(OTHER_GUEST, RemotePort(port.0)).is_err());
    for wrong in [0, port.0 + 1, u32::MAX] {
        assert_eq!(back.bind(GUEST, RemotePort(wrong)), Err(BindError::NotOffered(RemotePort(wrong))));
    }
    assert!(back.bind(GUEST, RemotePort(port.0)).is_ok());
    assert!(back.bind(GUEST, RemotePort(port.0)).is_err());
}

#[test]
fn an_event_to_a_channel_that_is_gone_is_lost() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let port = front.open_channel().unwrap();
    front.notify(port);
    let channel = back.bind(GUEST, RemotePort(port.0)).unwrap();
    while home.take_pending(DRIVER).is_some() {}
    front.close_channel(port);
    back.notify(channel);
    assert!(!home.has_pending(GUEST));
    assert_eq!(home.violation_count(), 0);
    back.unbind(channel);
    back.unbind(channel);
    assert_violation(&home, DRIVER, Rule::ForeignChannel, GrantRef::NONE);
}

#[test]
fn a_channel_is_its_owners_alone() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let port = front.open_channel().unwrap();
    back.bind(GUEST, RemotePort(port.0)).unwrap();
    back.notify(EventChannel(port.0));
    home.front_end(OTHER_GUEST, DRIVER, 0).close_channel(port);
    front.notify(EventPort(77));
    assert_eq!(home.violation_count(), 3);
    assert!(home.violations().iter().all(|violation| violation.rule == Rule::ForeignChannel));
}

#[test]
fn published_nodes_are_found_by_guest_and_stream() {
    let home = home();
    let nodes = |number| TransportNodes {
        ring_ref: GrantRef(number),
        event_channel: number,
        evt_ring_ref: GrantRef(number),
        evt_event_channel: number,
    };
    home.front_end(GUEST, DRIVER, 0).publish(&nodes(1)).unwrap();
    home.front_end(GUEST, DRIVER, 1).publish(&nodes(2)).unwrap();
    assert!(home.front_end(OTHER_GUEST, DRIVER, 0).publish(&nodes(3)).is_err(), "no room");
    home.front_end(GUEST, DRIVER, 0).publish(&nodes(4)).unwrap();
    assert_eq!(home.published(GUEST, 0), Some(nodes(4)));
    assert_eq!(home.published(GUEST, 1), Some(nodes(2)));
    assert_eq!(home.published(OTHER_GUEST, 0), None);
}

proptest! {
    /// Any order of granting, mapping, unmapping and revoking: what may be reached is what a simple count says.
    #[test]
    fn the_table_agrees_with_a_simple_count(steps in prop::collection::vec((0u8..5, 0usize..8), 1..80)) {
        struct Entry<'a> {
            granted: Option<GrantedPage<DomainPage<'a, HeapMemory>>>,
            mapped: Option<hypervisor_model::MappedPages>,
        }
        // One buffer more than there are pages in this play, so that a second mapping is refused for what it is.
        let home = MemoryHypervisor::new(HeapMemory::new(64), Limits { grants: 64, ports: 8, streams: 9 });
        let (mut front, mut back) = ends(&home);
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut expected_violations = 0;
        for (step, index) in steps {
            if step == 0 && entries.len() < 8 {
                let granted = front.grant_page(GrantAccess::ReadOnly);
                prop_assert!(granted.is_some());
                entries.push(Entry { granted, mapped: None });
            }
            let count = entries.len().max(1);
            match (step, entries.get_mut(index % count)) {
                (1 | 2, Some(entry)) => {
                    let Some(granted) = &entry.granted else { continue };
                    let mapped = back.map_buffer(GUEST, &grants(&[granted.grant]), 4_096, DmaAccess::Read);
                    prop_assert_eq!(mapped.is_ok(), entry.mapped.is_none());
                    match mapped {
                        Ok(mapped) => entry.mapped = Some(mapped),
                        Err(_) => expected_violations += 1,
                    }
                }
                (3, Some(entry)) => {
                    if let Some(mapped) = entry.mapped.take() {
                        back.unmap_buffer(mapped);
                    }
                }
                (4, Some(entry)) => {
                    let Some(granted) = entry.granted.take() else { continue };
                    match front.revoke_page(granted) {
                        Ok(()) => prop_assert!(entry.mapped.is_none()),
                        Err(StillMapped(granted)) => {
                            prop_assert!(entry.mapped.is_some());
                            entry.granted = Some(granted);
                            expected_violations += 1;
                        }
                    }
                }
                _ => {}
            }
            let mapped = entries.iter().filter(|entry| entry.mapped.is_some()).count();
            prop_assert_eq!(home.granted_pages(), entries.iter().filter(|entry| entry.granted.is_some()).count());
            prop_assert_eq!(home.mapped_pages(), mapped);
            prop_assert_eq!(home.with_memory(|memory| memory.dma_pages()), mapped);
            prop_assert_eq!(home.violation_count(), expected_violations);
        }
    }
}

#[test]
fn a_buffers_page_is_seen_for_as_long_as_the_call_lasts_and_as_it_was_asked_for() {
    let home = home();
    let (mut front, mut back) = ends(&home);
    let (read, written) = (PageAccess::ReadOnly, PageAccess::ReadWrite);
    let pages: Vec<_> = [GrantAccess::ReadWrite, GrantAccess::ReadOnly]
        .into_iter()
        .map(|access| front.grant_page(access).unwrap())
        .collect();
    let list = grants(&[pages[0].grant, pages[1].grant]);
    let buffer = back.map_buffer(GUEST, &list, 8_192, DmaAccess::Read).unwrap();
    pages[0].page.store(3, 33);
    pages[1].page.store(3, 44);
    for (page, access, expected) in [(0, read, 33), (0, written, 33), (1, read, 44)] {
        assert_eq!(back.with_buffer_page(&buffer, page, access, |page| page.load(3)), Ok(expected));
    }
    back.with_buffer_page(&buffer, 0, written, |page| page.store(3, 55)).unwrap();
    assert_eq!(pages[0].page.load(3), 55);
    let address = buffer.page_addresses()[0];
    assert_eq!(home.with_memory(|memory| memory.dma_allowed(address)), Some(DmaAccess::Read));
    assert_eq!(home.violation_count(), 0);

    fn never(_: &dyn SharedPage) {
        panic!("there is nothing to see");
    }
    assert_eq!(back.with_buffer_page(&buffer, 2, read, never), Err(MapError::NoRoom));
    assert_eq!(back.with_buffer_page(&buffer, 1, written, never), Err(MapError::NotGranted(pages[1].grant)));
    assert_violation(&home, DRIVER, Rule::MappedUngranted, pages[1].grant);
    back.with_buffer_page(&buffer, 0, read, |page| page.store(3, 66)).unwrap();
    assert_eq!(pages[0].page.load(3), 55, "what is mapped for reading isn't written");
    assert_eq!(home.violations().last().map(|violation| violation.rule), Some(Rule::WroteReadOnly));
    back.unmap_buffer(buffer);
    assert_eq!(back.map_again(GUEST, pages[0].grant, read).err(), Some(MapError::NotGranted(pages[0].grant)));
}
