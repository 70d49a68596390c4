//! A driver domain with everything around it, in one thread and in a time of its own.

use std::collections::BTreeMap;

use audioback::card::CardSettings;
use hyper::{DomainId, Nanos};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{Limits, MemoryHypervisor};
use snd_hda_model::Model;
use vsnd::{Due, Vsnd};
use xen_guest::xenstore::Store;
use xen_sys::xs_wire::StoreRing;
use xenstored_model::Stored;

use super::logs;
use super::models::{ModelClock, duplex};
use super::player::Player;
use super::throttled::Throttled;
use super::watched_card::{CardWatch, WatchedCard};

pub const DRIVER: DomainId = DomainId(5);
pub const MS: u64 = 1_000_000;

/// What a driver domain publishes about itself.
const INFO: &[(&str, &str)] = &[("version", "1.2.3"), ("codec/0", "a duplex codec")];

pub type World = MemoryHypervisor<Pages>;

pub type TestVsnd = Vsnd<'static, Throttled, WatchedCard>;

/// A driver domain, its hardware, its hypervisor and its xenstored.
pub struct Rig {
    pub model: Model,
    pub world: &'static World,
    pub stored: Stored<'static>,
    pub vsnd: TestVsnd,
    pub players: BTreeMap<u32, Player>,
    pub next_player: u32,
    pub due: Due,
    /// Calls of `poll`.
    pub polls: u64,
    /// xenstored runs only when the test says so.
    pub stored_is_held: bool,
    /// The page that connects this domain with xenstored.
    pub page: &'static StoreRing,
    /// The calls that the card has had.
    pub card: CardWatch,
    is_interrupted: bool,
    is_started: bool,
}

impl Rig {
    /// A driver domain with one codec, which may write its status.
    pub fn new() -> Self {
        Self::with(duplex())
    }

    pub fn with(model: Model) -> Self {
        let mut rig = Self::unstarted(model);
        rig.start();
        rig
    }

    /// A driver domain that publishes this about itself.
    pub fn with_info(model: Model, info: &[(&str, &str)]) -> Self {
        let mut rig = Self::made(model, info, false);
        rig.start();
        rig
    }

    /// A driver domain that is still booting.
    pub fn unstarted(model: Model) -> Self {
        Self::made(model, INFO, false)
    }

    /// A driver domain whose card's last port is a monitor.
    pub fn with_monitor(model: Model) -> Self {
        let mut rig = Self::unstarted_with_monitor(model);
        rig.start();
        rig
    }

    /// The same, still booting.
    pub fn unstarted_with_monitor(model: Model) -> Self {
        Self::made(model, INFO, true)
    }

    fn made(model: Model, info: &[(&str, &str)], has_monitor: bool) -> Self {
        logs::collect();
        logs::take_warnings();
        let world: &'static World =
            Box::leak(Box::new(MemoryHypervisor::new(Pages(model.memory()), Limits::for_streams(130))));
        let page: &'static StoreRing = Box::leak(Box::default());
        let mut stored = Stored::new(page);
        stored.home = format!("/local/domain/{}", DRIVER.0);
        // xl makes the guests' home directories unreadable for this domain.
        stored.hidden = (1..100)
            .filter(|guest| *guest != DRIVER.0)
            .map(|guest| format!("/local/domain/{guest}"))
            .collect();
        stored.may_write =
            Some(vec!["snddom/state".into(), "control/shutdown".into(), "backend/vsnd".into()]);
        let (card, watch) = WatchedCard::new(&model, has_monitor);
        let info = info.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let hypervisor = Throttled::new(world.back_end(DRIVER));
        let vsnd = Vsnd::new(Store::attach(page), DRIVER, hypervisor, card, info);
        let due = Due { next: None, notify_store: false, store_may_wait: false };
        Self {
            model,
            world,
            stored,
            vsnd,
            players: BTreeMap::new(),
            next_player: 0,
            due,
            polls: 0,
            stored_is_held: false,
            page,
            card: watch,
            is_interrupted: false,
            is_started: false,
        }
    }

    pub fn start(&mut self) {
        self.is_started = true;
        self.settle();
    }

    pub fn now(&self) -> Nanos {
        Nanos(self.model.now_ns())
    }

    /// One call, as the image's loop makes it.
    pub fn poll(&mut self) {
        let is_interrupted = std::mem::take(&mut self.is_interrupted);
        self.has_event();
        self.vsnd.hypervisor_mut().take_all();
        self.due = self.vsnd.poll(&ModelClock(self.model.delay()), is_interrupted);
        self.polls += 1;
        let now = self.now();
        let throttled = self.vsnd.hypervisor_mut().throttle(now);
        self.due.next = [self.due.next, throttled].into_iter().flatten().min();
        self.poll_players();
        if self.due.notify_store && !self.stored_is_held {
            self.stored.run();
        }
        self.model.refill_access_budget(100_000);
    }

    /// Whether an event ends this domain's sleep.
    pub fn has_event(&mut self) -> bool {
        let hypervisor = self.vsnd.hypervisor_mut();
        std::iter::from_fn(|| self.world.take_pending(DRIVER)).for_each(|channel| hypervisor.raise(channel));
        hypervisor.any_pending()
    }

    /// A turn, if an event or the time makes one due.
    pub fn turn_if_due(&mut self) {
        if self.has_event() || self.due.next.is_some_and(|next| next <= self.now()) {
            self.poll();
        }
    }

    /// Puts a plug into a jack, or pulls it out: the controller's interrupt comes.
    pub fn plug(&mut self, pin: u8, is_plugged: bool) {
        self.model.plug(0, pin, is_plugged);
        // A response takes two link frames.
        self.model.advance_ns(MS);
        self.is_interrupted = true;
        let before = self.card.plugs.get();
        self.settle();
        assert_eq!(self.card.plugs.get(), before + 1, "plugs that the card has reported");
    }

    /// Polls until nothing is due at this time. The driver's waits take a little time.
    pub fn settle(&mut self) {
        if !self.is_started {
            return;
        }
        for _ in 0..20_000 {
            self.poll();
            for guest in 1..100 {
                if guest != DRIVER.0 {
                    while self.world.take_pending(DomainId(guest)).is_some() {}
                }
            }
            let has_more = self.due.next.is_some_and(|next| next <= self.now());
            let waits = !self.stored_is_held && (self.due.notify_store || self.stored.has_sent());
            if !self.has_event() && !has_more && !waits {
                return;
            }
        }
        panic!("it never settles: {:?} at {:?}", self.due, self.now());
    }

    /// Lets time pass, sleeping as the image does: until the deadline that was asked for.
    pub fn advance(&mut self, ns: u64) {
        self.is_started = true;
        let end = self.now().0 + ns;
        if !self.stored_is_held {
            self.stored.run();
        }
        self.settle();
        while self.now().0 < end {
            let next = self.due.next.map_or(end, |next| next.0.min(end));
            self.model.advance_ns(next.saturating_sub(self.now().0).max(1));
            self.settle();
        }
    }

    /// Lets time pass while xenstored is held.
    pub fn advance_held(&mut self, ns: u64) {
        assert!(self.stored_is_held);
        self.advance(ns);
    }

    /// Lets time pass until a condition holds, at most for five seconds.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.until_within(what, 5_000, is_so);
    }

    /// Lets time pass until a condition holds, at most for so many milliseconds.
    pub fn until_within(&mut self, what: &str, ms: u64, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..ms {
            if is_so(self) {
                return;
            }
            self.advance(MS);
        }
        panic!("{what}: not within {ms} ms; the log: {:?}", logs::take_warnings());
    }

    /// Lets xenstored answer and report changes, and this domain react.
    pub fn wake(&mut self) {
        self.stored.run();
        self.settle();
    }

    /// The settings that were applied to the card since the last call.
    pub fn applied(&self) -> Vec<CardSettings> {
        self.card.settings.take()
    }

    /// Whether a stream of the controller runs.
    pub fn is_running(&self) -> bool {
        (0..8).any(|stream| self.model.dma_running(stream))
    }

    /// Asserts that nothing is mapped, and that all rules were kept.
    pub fn assert_nothing_is_left(&self) {
        assert_eq!(self.world.mapped_pages(), 0, "mapped pages");
        self.assert_rules_were_kept();
    }

    /// Asserts that no rule of the hypervisor, of xenstored or of the hardware was broken.
    pub fn assert_rules_were_kept(&self) {
        assert_eq!(self.world.violations().as_slice(), []);
        assert_eq!(self.stored.open_transactions(), 0, "open transactions");
        self.model.assert_clean();
    }
}
