//! A driver domain with everything around it, to which acts happen, in a time of its own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use hyper::{DomainId, Nanos};
use hypervisor_model::MemoryHypervisor;
use hypervisor_model::hda_pages::Pages;
use snd_hda_model::{Faults, Model};
use vsnd::{Due, Vsnd};
use xen_guest::xenstore::Store;
use xen_sys::xs_wire::StoreRing;
use xenstored_model::Stored;

use crate::act::{Act, Sabotage, StoreFault};
use crate::card::{ModelClock, Notes, NotingCard};
use crate::draw::HOSTILE;
use crate::good::{Good, SPECS, Wish};
use crate::hostile::{Graves, Hostile, LAYOUTS};
use crate::hypervisor::{NotingHypervisor, Owners};
use crate::judge::{Failure, Judge};
use crate::random::Random;
use crate::toolstack::{self, DRIVER};

pub const MS: u64 = 1_000_000;

/// The time after an act.
pub const ACT_US: u32 = 50;

/// What a turn of the loop costs beside the time of its registers.
const TURN_NS: u64 = 5_000;

/// The longest sleep: then the loop looks for the controller's interrupt.
const SLICE_NS: u64 = MS;

/// Stream descriptors of the controller.
pub const DESCRIPTORS: u8 = 9;

/// What the administrator has written before anything happens.
const SETTINGS: [(&str, &str); 5] = [
    // Good guests' samples are compared bit by bit.
    ("port/output-2/rate", "48000"),
    ("port/input-2/rate", "48000"),
    // Rights of their own, so that what the administrator does to all others isn't theirs.
    ("guest/11/may-play", "1"),
    ("guest/12/may-play", "1"),
    ("guest/13/may-record", "1"),
];

/// The domain's connection with the hypervisor and xenstored.
pub struct Ground {
    pub hypervisor: MemoryHypervisor<Pages>,
    pub page: StoreRing,
}

impl Ground {
    pub fn new(model: &Model) -> Self {
        let limits = hypervisor_model::Limits { grants: 4_000, ports: 200, streams: 64 };
        Self { hypervisor: MemoryHypervisor::new(Pages(model.memory()), limits), page: StoreRing::default() }
    }
}

/// Switches of xenstored that this bench handles itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreState {
    pub is_late: bool,
    /// Answers were lost, perhaps those that named a transaction.
    pub has_lost_answers: bool,
}

/// Everything.
pub struct World<'w> {
    pub model: &'w Model,
    pub ground: &'w Ground,
    pub stored: Stored<'w>,
    /// What the administrator has written below `snddom`.
    pub settings: BTreeMap<String, &'static str>,
    vsnd: Vsnd<'w, NotingHypervisor<'w>, NotingCard>,
    pub owners: Owners,
    pub notes: Rc<RefCell<Notes>>,
    pub good: Vec<Good<'w>>,
    hostile: Vec<Hostile<'w>>,
    lives: Vec<u16>,
    graves: Graves<'w>,
    pub store: StoreState,
    pub judge: Judge,
    due: Due,
    was_interrupting: bool,
    /// Calls of `poll`.
    pub turns: u64,
}

impl<'w> World<'w> {
    /// A driver domain that is up, with all good guests' cards attached.
    pub fn new(model: &'w Model, ground: &'w Ground) -> Self {
        crate::logs::begin();
        let mut stored = Stored::new(&ground.page);
        stored.keeps_requests = false;
        stored.home = format!("/local/domain/{}", DRIVER.0);
        stored.may_write =
            Some(vec!["snddom/state".into(), "control/shutdown".into(), "backend/vsnd".into()]);
        let settings = BTreeMap::from(SETTINGS.map(|(node, value)| (node.to_owned(), value)));
        for (node, value) in &settings {
            stored.set(&format!("snddom/{node}"), value);
        }
        let owners = Owners::default();
        let notes = Rc::new(RefCell::new(Notes::default()));
        let card = NotingCard::new(model, Rc::clone(&owners), Rc::clone(&notes));
        let back = ground.hypervisor.back_end(DRIVER);
        let hypervisor = NotingHypervisor { back, owners: Rc::clone(&owners) };
        let vsnd = Vsnd::new(Store::attach(&ground.page), DRIVER, hypervisor, card, Vec::new());
        let hostile = (0..HOSTILE).map(|number| Hostile::new(number, 0, &ground.hypervisor));
        let mut world = Self {
            model,
            ground,
            stored,
            settings,
            vsnd,
            owners,
            notes,
            good: SPECS.iter().map(Good::new).collect(),
            hostile: hostile.collect(),
            lives: vec![0; HOSTILE.into()],
            graves: Graves::default(),
            store: StoreState::default(),
            judge: Judge::new(model.now_ns()),
            due: Due { next: None, notify_store: false, store_may_wait: false },
            was_interrupting: false,
            turns: 0,
        };
        for spec in &SPECS {
            toolstack::attach(&mut world.stored, spec.domain, [(spec.direction, spec.port)].into_iter());
        }
        world.advance(20 * MS);
        world
    }

    pub fn now_ns(&self) -> u64 {
        self.model.now_ns()
    }

    /// The value of a node below `snddom`, as the administrator has written it.
    pub fn setting(&self, node: &str) -> Option<&str> {
        self.settings.get(node).copied()
    }

    /// One turn of the image's loop, and of all guests. Returns why the next one is due at once.
    fn turn(&mut self) -> Option<&'static str> {
        let before = self.now_ns();
        let is_interrupted = self.model.interrupt_pending();
        self.notes.borrow_mut().longest = (0, "");
        self.due = self.vsnd.poll(&ModelClock(self.model.delay()), is_interrupted);
        self.turns += 1;
        if self.notes.borrow().has_lost_state {
            self.judge.on_lost(self.now_ns());
        }
        let dawdles_ns = match self.notes.borrow().sabotage {
            Some(Sabotage::Dawdles) => 6 * MS,
            // Fewer turns show it as well.
            Some(Sabotage::IsRestless) => MS / 2,
            _ => 0,
        };
        self.model.advance_ns(dawdles_ns);
        let took = self.now_ns() - before;
        self.judge.on_turn(took, self.notes.borrow().longest, self.now_ns());
        while self.vsnd.take_change().is_some_and(|change| {
            if let vsnd::Change::Report(number) = change {
                self.vsnd.report(format_args!("number={number}"));
            }
            true
        }) {}
        self.model.advance_ns(TURN_NS);
        // Bring-up after a loss of power looks for 3 s at most, every 10 us.
        self.model.refill_access_budget(2_000_000);
        let now_ns = self.now_ns();
        let hypervisor = &self.ground.hypervisor;
        for good in &mut self.good {
            good.poll(now_ns, hypervisor, &mut self.stored);
        }
        if !self.store.is_late {
            self.stored.run();
        }
        let is_pending = std::iter::from_fn(|| hypervisor.take_pending(DRIVER)).count() > 0;
        for guest in
            SPECS.iter().map(|spec| DomainId(spec.domain)).chain(self.hostile.iter().map(|h| h.domain))
        {
            while hypervisor.take_pending(guest).is_some() {}
        }
        let wakes_for_store = self.stored.has_sent() && !self.due.store_may_wait;
        let is_interrupting = self.model.interrupt_pending();
        let rises = is_interrupting && !self.was_interrupting;
        self.was_interrupting = is_interrupting;
        let is_due = self.due.next.is_some_and(|next| next <= Nanos(now_ns));
        let causes = [
            (is_pending, "an event"),
            (wakes_for_store, "xenstored"),
            (rises, "the controller"),
            (is_due, "a due time"),
        ];
        causes.into_iter().find(|(is_it, _)| *is_it).map(|(_, cause)| cause)
    }

    /// Lets time pass, sleeping as the image does.
    pub fn advance(&mut self, ns: u64) {
        let end = self.now_ns() + ns;
        loop {
            let cause = self.turn();
            self.judge.on_loop(cause, self.now_ns());
            if cause.is_some() && self.now_ns() < end {
                continue;
            }
            let now_ns = self.now_ns();
            if now_ns >= end {
                return;
            }
            let next = self.due.next.map_or(end, |next| next.0).min(end).min(now_ns + SLICE_NS);
            self.model.advance_ns(next.saturating_sub(now_ns).max(1_000));
        }
    }

    /// Something happens, and then the loop has its turns.
    pub fn apply(&mut self, act: &Act) {
        let pause_ns = match act {
            Act::Pass { us } => u64::from(*us) * 1_000,
            _ => {
                self.happen(act);
                u64::from(ACT_US) * 1_000
            }
        };
        self.advance(pause_ns);
        crate::invariants::check(self);
    }

    fn happen(&mut self, act: &Act) {
        // All but what guests do on their rings.
        let is_quiet = matches!(
            act,
            Act::Pass { .. }
                | Act::Ask { .. }
                | Act::Scribble { .. }
                | Act::Notify { .. }
                | Act::Revoke { .. }
        );
        if !is_quiet {
            self.judge.on_event();
        }
        let hypervisor = &self.ground.hypervisor;
        match act {
            Act::Pass { .. } => {}
            Act::Begin { good, buffer_ms, period_ms } => {
                let good = &mut self.good[usize::from(*good)];
                good.wish.get_or_insert(Wish { buffer_ms: *buffer_ms, period_ms: *period_ms });
            }
            Act::End { good } => self.good[usize::from(*good)].wish = None,
            Act::Pause { good, is_paused } => self.good[usize::from(*good)].wants_pause = *is_paused,
            Act::Leave { good } => self.good[usize::from(*good)].leave(),
            Act::Attach { hostile, layout } => {
                let hostile = &mut self.hostile[usize::from(*hostile)];
                if !self.stored.exists(&toolstack::back_path(hostile.domain.0)) {
                    hostile.drop_driver(hypervisor, &mut self.graves);
                    hostile.layout = usize::from(*layout);
                    toolstack::attach(
                        &mut self.stored,
                        hostile.domain.0,
                        LAYOUTS[hostile.layout].iter().copied(),
                    );
                }
            }
            Act::Detach { hostile } => {
                toolstack::detach(&mut self.stored, self.hostile[usize::from(*hostile)].domain.0);
            }
            Act::Die { hostile } => self.die(usize::from(*hostile)),
            Act::FrontUp { hostile } => {
                self.hostile[usize::from(*hostile)].front_up(hypervisor, &mut self.graves, &mut self.stored);
            }
            Act::Write { hostile, node, value } => {
                let guest = self.hostile[usize::from(*hostile)].domain.0;
                self.stored.set(&format!("{}/{node}", toolstack::front_path(guest)), value);
            }
            Act::Remove { hostile, node } => {
                let guest = self.hostile[usize::from(*hostile)].domain.0;
                self.stored.remove(&format!("{}/{node}", toolstack::front_path(guest)));
            }
            Act::Ask { hostile, stream, asked, times } => {
                self.hostile[usize::from(*hostile)].ask(*stream, *asked, *times);
            }
            Act::Scribble { hostile, page, word, value } => {
                self.hostile[usize::from(*hostile)].scribble(*page, *word, *value);
            }
            Act::Notify { hostile, stream, times } => {
                self.hostile[usize::from(*hostile)].notify(*stream, *times);
            }
            Act::Revoke { hostile, page } => self.hostile[usize::from(*hostile)].revoke(*page),
            Act::Set { node, value } => {
                if node.contains("may-") {
                    self.judge.on_rights(self.now_ns());
                }
                let path = format!("snddom/{node}");
                match value {
                    Some(value) => {
                        self.stored.set(&path, value);
                        self.settings.insert(node.clone(), value);
                    }
                    None => {
                        self.stored.remove(&path);
                        self.settings.remove(node);
                    }
                }
            }
            Act::Plug { pin, is_in } => self.model.plug(0, *pin, *is_in),
            Act::Fault { fault, is_on } => self.set_fault(*fault, *is_on),
            Act::Blow(blow) => self.blow(*blow),
            Act::PowerCycle => self.power_cycle(),
            Act::Store { fault, is_on } => self.set_store(*fault, *is_on),
            Act::Answers { order } => {
                let mut random = Random::new(*order);
                self.stored.release_answers(|left| random.below(left as u64) as usize);
            }
            Act::LoseAnswers { count } => {
                self.judge.on_store_trouble(self.now_ns());
                self.stored.loses_answers = (*count).into();
                self.store.has_lost_answers = true;
            }
            Act::Conflicts { count } => self.stored.conflicts = (*count).into(),
            Act::Sabotage(sabotage) => self.sabotage(*sabotage),
        }
    }

    /// A hostile guest's domain is destroyed: its nodes and ports go, and its pages once they aren't mapped any more.
    fn die(&mut self, number: usize) {
        let hypervisor = &self.ground.hypervisor;
        let guest = self.hostile[number].domain.0;
        self.stored.remove(&format!("/local/domain/{guest}"));
        toolstack::detach(&mut self.stored, guest);
        self.hostile[number].drop_driver(hypervisor, &mut self.graves);
        self.stored.hidden.retain(|home| *home != format!("/local/domain/{guest}"));
        self.lives[number] += 1;
        self.hostile[number] = Hostile::new(number as u8, self.lives[number], hypervisor);
    }

    fn set_store(&mut self, fault: StoreFault, is_on: bool) {
        match fault {
            StoreFault::Late => self.store.is_late = is_on,
            StoreFault::HoldsAnswers => self.stored.holds_answers = is_on,
            StoreFault::Silent => self.stored.silent = is_on,
            StoreFault::Refuses => self.stored.refuses = is_on.then_some("EIO"),
            StoreFault::Garbles => self.stored.garbles = is_on,
        }
        self.judge.on_store_trouble(self.now_ns());
    }

    /// Whether xenstored is as it should be.
    pub fn store_is_well(&self) -> bool {
        let stored = &self.stored;
        !(self.store.is_late
            || stored.holds_answers
            || stored.silent
            || stored.garbles
            || stored.refuses.is_some()
            || stored.loses_answers > 0)
    }

    /// All is well again, all guests go, and nothing may be left.
    pub fn end(&mut self) {
        let was_cut_off = self.faults().cut_off;
        self.model.edit_faults(|faults| *faults = Faults::default());
        self.judge.on_faults(&Faults::default(), self.now_ns());
        if was_cut_off {
            self.power_cycle();
        }
        for fault in [
            StoreFault::Late,
            StoreFault::HoldsAnswers,
            StoreFault::Silent,
            StoreFault::Refuses,
            StoreFault::Garbles,
        ] {
            self.set_store(fault, false);
        }
        (self.stored.loses_answers, self.stored.conflicts) = (0, 0);
        // Retries have waits that double.
        self.advance(100 * MS);
        crate::invariants::check(self);
        for number in 0..self.hostile.len() {
            self.die(number);
        }
        for good in &mut self.good {
            if let Some(run) = &mut good.run {
                run.is_ending = true;
            }
            toolstack::detach(&mut self.stored, good.spec.domain);
        }
        for _ in 0..600 {
            self.advance(100 * MS);
            self.graves.tidy();
            let is_attached = self.stored.exists("backend/vsnd");
            if !is_attached && self.graves.is_empty() && self.ground.hypervisor.mapped_pages() == 0 {
                break;
            }
        }
        // A bus lingers for a second.
        self.advance(1_200 * MS);
        for good in &mut self.good {
            good.wrongs.clear();
            good.disconnect();
        }
        crate::invariants::check_end(self);
    }

    pub fn are_graves_empty(&self) -> bool {
        self.graves.is_empty()
    }

    pub fn failure(&mut self) -> Option<Failure> {
        self.judge.failure()
    }
}
