//! Each invariant can break: the bench notices, and cuts the scenario down to what broke it.

use audiofront::{GrantAccess, Transport};
use hyper::{DomainId, EventChannel, Hypervisor};

use crate::act::{Act, Sabotage};
use crate::draw::scenario;
use crate::good::Told;
use crate::ignored;
use crate::run::run;
use crate::shrink::shrink;
use crate::toolstack::DRIVER;
use crate::world::{DESCRIPTORS, World};

impl World<'_> {
    pub fn sabotage(&mut self, sabotage: Sabotage) {
        let hypervisor = &self.ground.hypervisor;
        let mut back = hypervisor.back_end(DRIVER);
        match sabotage {
            Sabotage::LosesFrames => {
                let streams = self.good_descriptors();
                let streams = (0..DESCRIPTORS).filter(|stream| streams >> stream & 1 != 0);
                streams.for_each(|stream| self.model.starve(stream.into(), 960));
            }
            Sabotage::UnmapsUnderDma => {
                let memory = self.model.memory();
                self.owners.borrow().keys().for_each(|page| memory.forbid_dma(*page));
            }
            Sabotage::KeepsMapped => {
                let mut front = hypervisor.front_end(DomainId(11), DRIVER, 9);
                let page = front.grant_page(GrantAccess::ReadWrite).expect("a page");
                ignored(back.map_page(DomainId(11), page.grant), "it is mapped until somebody unmaps it");
            }
            Sabotage::UsesForeignChannel => {
                let port = hypervisor.front_end(DomainId(11), DRIVER, 9).open_channel().expect("a port");
                back.unbind(EventChannel(port.0));
            }
            Sabotage::HidesRights => {
                self.settings.insert("guest/11/may-play".into(), "0");
            }
            Sabotage::Chatters => (0..200).for_each(|_| log::warn!("the same once more")),
            Sabotage::Dawdles | Sabotage::IsRestless | Sabotage::Refuses | Sabotage::Panics => {
                self.notes.borrow_mut().sabotage = Some(sabotage);
            }
            Sabotage::Lies => {
                let at_ns = self.model.now_ns();
                for told in self.good.iter_mut().filter_map(|good| Some((good.last_told?, &mut good.told))) {
                    let (last, told) = told;
                    told.push(Told { at_ns, frames: last + 4_800 });
                }
            }
        }
    }
}

/// Acts of a scenario before the one that breaks an invariant.
const BEFORE: usize = 40;

/// Asserts that a sabotage breaks this invariant, and that few acts are left of a scenario with it.
fn assert_noticed(sabotage: Sabotage, invariant: &str) {
    let mut acts = vec![
        Act::Begin { good: 0, buffer_ms: 100, period_ms: 10 },
        Act::Begin { good: 2, buffer_ms: 100, period_ms: 10 },
        Act::Pass { us: 150_000 },
    ];
    // Nothing that excuses what follows.
    let is_harmless = |act: &Act| {
        matches!(
            act,
            Act::Pass { .. }
                | Act::Attach { .. }
                | Act::FrontUp { .. }
                | Act::Ask { .. }
                | Act::Scribble { .. }
        )
    };
    let clean = scenario(1, BEFORE).into_iter().filter(is_harmless);
    acts.extend(clean);
    acts.extend([
        Act::Sabotage(sabotage),
        Act::Begin { good: 1, buffer_ms: 100, period_ms: 10 },
        Act::Pass { us: 1_200_000 },
    ]);
    let failure = run(1, &acts).failure.expect("it is noticed");
    assert_eq!(failure.invariant, invariant, "{}", failure.detail);
    let (left, failure, _) = shrink(&acts, failure, 200, |acts| run(1, acts).failure);
    assert_eq!(failure.invariant, invariant);
    assert!(left.contains(&Act::Sabotage(sabotage)), "{left:?}");
    assert!(left.len() <= 4, "{left:#?}");
}

#[test]
fn a_lost_frame_is_noticed() {
    assert_noticed(Sabotage::LosesFrames, "no frame is lost");
}

#[test]
fn dma_outside_of_what_is_mapped_is_noticed() {
    assert_noticed(Sabotage::UnmapsUnderDma, "the hardware's rules hold");
}

#[test]
fn a_page_that_stays_mapped_is_noticed() {
    assert_noticed(Sabotage::KeepsMapped, "nothing is left mapped");
}

#[test]
fn another_domain_s_channel_is_noticed() {
    assert_noticed(Sabotage::UsesForeignChannel, "memory's rules hold");
}

#[test]
fn a_right_that_is_withdrawn_and_used_is_noticed() {
    assert_noticed(Sabotage::HidesRights, "rights hold");
}

#[test]
fn a_flood_of_lines_is_noticed() {
    assert_noticed(Sabotage::Chatters, "the log is short");
}

#[test]
fn a_wrong_position_is_noticed() {
    assert_noticed(Sabotage::Lies, "positions are within their bounds");
}

#[test]
fn a_long_turn_is_noticed() {
    assert_noticed(Sabotage::Dawdles, "a turn is short");
}

#[test]
fn a_loop_that_never_sleeps_is_noticed() {
    assert_noticed(Sabotage::IsRestless, "the loop sleeps");
}

#[test]
fn a_good_guest_that_is_refused_is_noticed() {
    assert_noticed(Sabotage::Refuses, "good guests are served");
}

#[test]
fn a_panic_is_noticed() {
    assert_noticed(Sabotage::Panics, "nothing panics");
}
