//! A card over the model that keeps some of its calls for the test.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use audioback::card::{
    Card, CardError, CardSettings, LinkedStart, MAX_PORT_SETUPS, MAX_RATES, OpenFailure, Port, PortIndex,
    PortLabel, PortMode, PortPeaks, PortSet, PortState, StillRunning, StreamParams, StreamPosition, Trim,
    VolumeRange,
};
use hyper::{Hypervisor, MappedBuffer, Nanos};
use hypervisor_model::BackEnd;
use hypervisor_model::hda_pages::Pages;
use snd_hda_model::Model;
use sndif::format::FormatSet;

use super::models::{ModelCard, card};

/// The calls that a card has had.
#[derive(Clone, Default)]
pub struct CardWatch {
    /// The settings that were applied.
    pub settings: Rc<RefCell<Vec<CardSettings>>>,
    /// The trims that streams were given.
    pub trims: Rc<RefCell<Vec<Trim>>>,
    /// Polls that have reported plugs.
    pub plugs: Rc<Cell<u32>>,
    /// Polls of which the card was told that its interrupt had come.
    pub interrupts: Rc<Cell<u32>>,
    /// The time of the next poll that the card asks for, if the test wants one.
    pub next_due: Rc<Cell<Option<Nanos>>>,
    /// The states of the first ports, if the test wants some.
    pub port_states: Rc<Cell<[Option<PortState>; 2]>>,
    /// The peaks of the first ports that have some. While a port has, it is measured when asked for.
    pub peaks: Rc<Cell<[Option<PortPeaks>; 2]>>,
    /// Measurements that began.
    pub measurements: Rc<Cell<u32>>,
    /// The card loses its last port when it is configured next, which no card may.
    pub loses_port: Rc<Cell<bool>>,
}

/// The rates of ports that aren't direct.
const ALL_RATES_HZ: [u32; MAX_RATES] =
    [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000, 0];

/// The volume of ports that aren't direct.
const MIXED_VOLUME: VolumeRange = VolumeRange { min_mdb: -100_000, max_mdb: 0, step_mdb: 1, can_mute: true };

/// Ports that aren't direct offer all formats and rates. No stream of other formats than the model's can be opened.
pub struct WatchedCard {
    card: ModelCard,
    ports: Vec<Port>,
    /// The last port is a monitor.
    has_monitor: bool,
    watch: CardWatch,
}

impl WatchedCard {
    pub fn new(model: &Model, has_monitor: bool) -> (Self, CardWatch) {
        let watch = CardWatch::default();
        // Tests of allocations don't count the test's own.
        watch.settings.borrow_mut().reserve(64);
        watch.trims.borrow_mut().reserve(64);
        let card = card(model);
        let mut ports = Vec::new();
        fill_in(&mut ports, &card, has_monitor);
        (Self { card, ports, has_monitor, watch: watch.clone() }, watch)
    }
}

/// Fills in the card's own ports. Behind a whole set of ports with settings, two more outputs follow.
fn fill_in(ports: &mut Vec<Port>, card: &ModelCard, has_monitor: bool) {
    ports.clear();
    ports.extend_from_slice(Card::<<BackEnd<'static, Pages> as Hypervisor>::Buffer>::ports(card));
    if ports.len() == MAX_PORT_SETUPS {
        ports.extend_from_within(..2);
    }
    if has_monitor && let Some(last) = ports.last_mut() {
        last.is_monitor = true;
    }
}

impl<B: MappedBuffer> Card<B> for WatchedCard {
    type Stream = <ModelCard as Card<B>>::Stream;

    fn configure(&mut self, settings: &CardSettings) {
        self.watch.settings.borrow_mut().push(*settings);
        Card::<B>::configure(&mut self.card, settings);
        fill_in(&mut self.ports, &self.card, self.has_monitor);
        for (port, setup) in self.ports.iter_mut().zip(settings.ports) {
            if setup.mode != PortMode::Direct {
                port.formats = FormatSet::ALL;
                port.rates_hz = ALL_RATES_HZ;
                port.volume = Some(MIXED_VOLUME);
            }
        }
        if self.watch.loses_port.get() {
            self.ports.pop();
        }
    }

    fn poll(&mut self, now: Nanos, is_interrupted: bool) -> bool {
        let is_changed = Card::<B>::poll(&mut self.card, now, is_interrupted);
        let watch = &self.watch;
        watch.plugs.set(watch.plugs.get() + u32::from(is_changed));
        watch.interrupts.set(watch.interrupts.get() + u32::from(is_interrupted));
        is_changed
    }

    fn next_due(&self) -> Option<Nanos> {
        self.watch.next_due.get().or(Card::<B>::next_due(&self.card))
    }

    fn has_lost_state(&mut self) -> bool {
        Card::<B>::has_lost_state(&mut self.card)
    }

    fn restore(&mut self) -> Result<(), CardError> {
        Card::<B>::restore(&mut self.card)
    }

    fn ports(&self) -> &[Port] {
        &self.ports
    }

    fn port_name(&self, port: PortIndex) -> Option<PortLabel> {
        Card::<B>::port_name(&self.card, port)
    }

    fn is_plugged(&self, port: PortIndex) -> Option<bool> {
        Card::<B>::is_plugged(&self.card, port)
    }

    fn port_state(&self, port: PortIndex) -> Option<PortState> {
        self.watch.port_states.get().get(usize::from(port.0)).copied().flatten()
    }

    fn measure_peaks(&mut self, port: PortIndex) -> bool {
        self.watch.measurements.set(self.watch.measurements.get() + 1);
        Card::<B>::take_peaks(self, port).is_some()
    }

    fn take_peaks(&mut self, port: PortIndex) -> Option<PortPeaks> {
        self.watch.peaks.get().get(usize::from(port.0)).copied().flatten()
    }

    fn supports(&self, port: PortIndex, params: &StreamParams) -> bool {
        let is_shared =
            self.ports.get(usize::from(port.0)).is_some_and(|port| port.formats == FormatSet::ALL);
        is_shared || Card::<B>::supports(&self.card, port, params)
    }

    fn is_free(&self, port: PortIndex) -> bool {
        Card::<B>::is_free(&self.card, port)
    }

    fn open_due(&mut self, port: PortIndex) -> Nanos {
        Card::<B>::open_due(&mut self.card, port)
    }

    fn open(
        &mut self,
        port: PortIndex,
        params: &StreamParams,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>> {
        self.card.open(port, params, buffer)
    }

    fn open_beside(
        &mut self,
        other: &Self::Stream,
        buffer: B,
    ) -> Result<Self::Stream, OpenFailure<B, Self::Stream>> {
        self.card.open_beside(other, buffer)
    }

    fn beside_due(&mut self, other: &mut Self::Stream) -> Nanos {
        Card::<B>::beside_due(&mut self.card, other)
    }

    fn start_beside(&mut self, other: &mut Self::Stream, beside: &mut Self::Stream) -> Result<(), CardError> {
        Card::<B>::start_beside(&mut self.card, other, beside)
    }

    fn take_port(&mut self, from: &mut Self::Stream, to: &mut Self::Stream) -> Result<(), CardError> {
        Card::<B>::take_port(&mut self.card, from, to)
    }

    fn set_reach(&mut self, stream: &mut Self::Stream, ports: PortSet) {
        Card::<B>::set_reach(&mut self.card, stream, ports);
    }

    fn set_link_wanted(&mut self, stream: &mut Self::Stream, is_wanted: bool) {
        Card::<B>::set_link_wanted(&mut self.card, stream, is_wanted);
    }

    fn set_period(&mut self, stream: &mut Self::Stream, period_frames: u32) {
        Card::<B>::set_period(&mut self.card, stream, period_frames);
    }

    fn note_written(&mut self, stream: &mut Self::Stream, bytes: u64) -> u64 {
        Card::<B>::note_written(&mut self.card, stream, bytes)
    }

    fn buffer<'a>(&'a self, stream: &'a Self::Stream) -> Option<&'a B> {
        self.card.buffer(stream)
    }

    fn set_volume(&mut self, stream: &mut Self::Stream, channel: u8, mdb: i32) -> Result<(), CardError> {
        Card::<B>::set_volume(&mut self.card, stream, channel, mdb)
    }

    fn volume(&self, stream: &Self::Stream, channel: u8) -> Result<i32, CardError> {
        Card::<B>::volume(&self.card, stream, channel)
    }

    fn set_mute(&mut self, stream: &mut Self::Stream, channel: u8, is_muted: bool) -> Result<(), CardError> {
        Card::<B>::set_mute(&mut self.card, stream, channel, is_muted)
    }

    fn set_trim(&mut self, _: &mut Self::Stream, trim: Trim) {
        self.watch.trims.borrow_mut().push(trim);
    }

    fn start(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        Card::<B>::start(&mut self.card, stream)
    }

    fn start_together(&mut self, streams: &mut [&mut Self::Stream]) -> Result<LinkedStart, CardError> {
        Card::<B>::start_together(&mut self.card, streams)
    }

    fn pause(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        Card::<B>::pause(&mut self.card, stream)
    }

    fn resume(&mut self, stream: &mut Self::Stream) -> Result<(), CardError> {
        Card::<B>::resume(&mut self.card, stream)
    }

    fn stop(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError> {
        Card::<B>::stop(&mut self.card, stream)
    }

    fn position(&mut self, stream: &mut Self::Stream) -> Result<StreamPosition, CardError> {
        Card::<B>::position(&mut self.card, stream)
    }

    fn close(&mut self, stream: Self::Stream) -> Result<B, StillRunning<Self::Stream>> {
        self.card.close(stream)
    }
}
