//! What this domain tells people about itself, below `snddom/state`: what it found, its devices, their streams.
//!
//! One write at a time and some time between two, so that nobody is kept busy by it: a change is told soon, counters of
//! a running stream once a second. A stream is one line in one node, for a domain may have only so many nodes.

use alloc::boxed::Box;
use core::fmt::{self, Write};

use audioback::card::{Card, PortIndex, StreamParams, VolumeRange};
use audioback::stream::{Activity, Stream, StreamStats};
use heapless::String;
use hyper::{Hypervisor, Nanos};
use sndif::control_page::REFRESH_INTERVAL_NS;
use sndif::state::XenbusState;
use xen_guest::xenstore::{Reply, Request, RequestError, RequestId, Store};

use super::asking::{Answer, Asking};
use super::front_directory::StreamId;
use super::names::{DeviceId, PathText, STATE};
use super::port_name::PortName;

/// Least time between two writes.
const WRITE_INTERVAL_NS: u64 = 100_000_000;

/// How long a stream's counters stay as they were told.
pub(super) const COUNTERS_INTERVAL_NS: u64 = 1_000_000_000;

/// That time or the next one at which streams with a control page are looked at: who wakes then anyhow need not wake twice.
fn on_grid(at: Nanos) -> Nanos {
    Nanos(at.0.div_ceil(REFRESH_INTERVAL_NS).saturating_mul(REFRESH_INTERVAL_NS))
}

/// What there is to say of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamNote {
    port: Option<PortName>,
    activity: Activity,
    params: Option<StreamParams>,
    volume: Option<VolumeRange>,
    stats: StreamStats,
}

impl StreamNote {
    pub(super) fn of<H: Hypervisor, C: Card<H::Buffer>>(
        stream: &Stream<H, C>,
        port: Option<PortName>,
    ) -> Self {
        Self {
            port,
            activity: stream.activity(),
            params: stream.params(),
            volume: stream.volume_range(),
            stats: stream.stats(),
        }
    }

    /// Whether they differ in more than counters.
    pub(super) fn differs_in_kind(&self, other: &Self) -> bool {
        (self.activity, self.params, self.stats.opens) != (other.activity, other.params, other.stats.opens)
    }
}

impl fmt::Display for StreamNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(port) = self.port {
            write!(f, "port={port} ")?;
        }
        let status = match self.activity {
            Activity::Closed => "closed",
            Activity::Open => "open",
            Activity::Running => "running",
            Activity::Paused => "paused",
            Activity::Failed => "failed",
            Activity::Stuck => "stuck",
        };
        write!(f, "status={status}")?;
        if let Some(StreamParams { rate_hz, format, channels }) = self.params {
            write!(f, " rate_hz={rate_hz} format={} channels={channels}", format.name())?;
        }
        if let Some(VolumeRange { min_mdb, max_mdb, step_mdb, can_mute }) = self.volume {
            if step_mdb != 0 {
                write!(f, " volume_mdb={min_mdb}..{max_mdb} step_mdb={step_mdb}")?;
            }
            if can_mute {
                f.write_str(" can_mute")?;
            }
        }
        let StreamStats { frames, xruns, fifo_errors, .. } = self.stats;
        write!(f, " frames={frames} ran_dry={xruns} fifo_errors={fifo_errors}")
    }
}

/// A word for a device's state.
const fn word(state: XenbusState) -> &'static str {
    match state {
        XenbusState::Initialising => "initialising",
        XenbusState::InitWait => "waiting",
        XenbusState::Initialised => "initialised",
        XenbusState::Connected => "connected",
        XenbusState::Closing => "closing",
        XenbusState::Closed => "closed",
        XenbusState::Reconfiguring => "reconfiguring",
        XenbusState::Reconfigured => "reconfigured",
    }
}

/// Something about a device that is to be told, or was.
#[derive(Clone, Copy, Debug)]
pub(super) enum News {
    /// Its state.
    State(XenbusState),
    /// The stream of that index, as the guest numbers it, and what there is to say of it.
    Stream(usize, StreamId, StreamNote),
}

/// When a device has something to tell.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewsDue {
    /// Now.
    Now(News),
    /// Then.
    At(Nanos),
    /// Not before something happens.
    Never,
}

/// Octets of the longest report.
const REPORT_BYTES: usize = 384;

/// A jack, and whether something is plugged into it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jack {
    pub(super) port: PortIndex,
    pub(super) name: PortName,
    pub(super) is_plugged: bool,
    /// Told, or being told.
    pub(super) is_told: bool,
}

#[derive(Clone, Copy, Debug)]
enum Telling {
    Report,
    Fact,
    /// The jack in this place.
    Jack(usize),
    News(DeviceId, News),
}

/// Who tells.
#[derive(Debug)]
pub(super) struct Teller {
    /// Names below [`STATE`] and values, told once.
    facts: Box<[(Box<str>, Box<str>)]>,
    facts_told: usize,
    jacks: Box<[Jack]>,
    /// What was asked for, and isn't told yet.
    report: Option<String<REPORT_BYTES>>,
    asking: Asking,
    telling: Telling,
    /// No write before that.
    not_before: Nanos,
    /// xenstored has refused: nothing is told until there is a reason to try again.
    is_refused: bool,
}

impl Teller {
    pub(super) fn new(facts: &[(&str, &str)], jacks: Box<[Jack]>) -> Self {
        Self {
            facts: facts.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            facts_told: 0,
            jacks,
            report: None,
            asking: Asking::default(),
            telling: Telling::Fact,
            not_before: Nanos(0),
            is_refused: false,
        }
    }

    /// Tells this once, before all else.
    pub(super) fn report(&mut self, report: fmt::Arguments<'_>) {
        let mut text = String::new();
        // The longest fits.
        let _ = text.write_fmt(report);
        self.report = Some(text);
    }

    /// Tells of jacks that aren't as they were told.
    pub(super) fn tell_jacks(&mut self, is_plugged: impl Fn(PortIndex) -> Option<bool>) {
        for jack in self.jacks.iter_mut() {
            if let Some(now) = is_plugged(jack.port).filter(|now| *now != jack.is_plugged) {
                jack.is_plugged = now;
                jack.is_told = false;
            }
        }
    }

    /// What refused may allow now.
    pub(super) fn try_again(&mut self) {
        self.is_refused = false;
    }

    /// Tells what is due: a fact, a jack, or what `news` finds. Returns when it is to be called again.
    pub(super) fn drive(
        &mut self,
        store: &mut Store<'_>,
        now: Nanos,
        news: impl FnOnce() -> Option<Result<(DeviceId, News), Nanos>>,
    ) -> Option<Nanos> {
        if self.is_refused || self.asking.awaits() {
            return None;
        }
        let fact = self.facts.get(self.facts_told);
        let jack = self.jacks.iter().position(|jack| !jack.is_told).map(Telling::Jack);
        // Whoever wears a jack out doesn't keep devices from being told of: then it's their turn.
        let was_jack = matches!(self.telling, Telling::Jack(_));
        let telling = match (&self.report, fact, jack) {
            (Some(_), ..) => Telling::Report,
            (None, Some(_), _) => Telling::Fact,
            (None, None, Some(jack)) if !was_jack => jack,
            (None, None, jack) => match (news(), jack) {
                (Some(Ok((device, news))), _) => Telling::News(device, news),
                (_, Some(jack)) => jack,
                (later, None) => return Some(on_grid(later?.err()?.max(self.not_before))),
            },
        };
        if now < self.not_before {
            return Some(on_grid(self.not_before));
        }
        if !self.asking.may_ask(now) {
            return self.asking.due(now);
        }
        let mut line = String::<256>::new();
        let (path, value) = match (telling, fact) {
            (Telling::Report, _) => {
                (PathText::new(format_args!("{STATE}/report")), self.report.as_deref().unwrap_or_default())
            }
            (Telling::Fact, Some((name, value))) => {
                (PathText::new(format_args!("{STATE}/{name}")), value.as_ref())
            }
            (Telling::Fact, None) => return None,
            (Telling::Jack(at), _) => {
                let jack = self.jacks.get(at)?;
                let path = PathText::new(format_args!("{STATE}/port/{}/jack", jack.name));
                (path, if jack.is_plugged { "plugged" } else { "unplugged" })
            }
            (Telling::News(device, News::State(state)), _) => (device.told_directory(), word(state)),
            (Telling::News(device, News::Stream(_, StreamId { pcm, stream }, note)), _) => {
                // The longest has some 220 octets.
                let _ = write!(line, "{note}");
                (PathText::new(format_args!("{}/{pcm}-{stream}", device.told_directory())), line.as_str())
            }
        };
        let asked = path.path().and_then(|path| self.asking.ask(store, Request::Write(path, value), now));
        match asked {
            Ok(true) => {
                self.telling = telling;
                self.set_jack_told(true);
                self.not_before = Nanos(now.0.saturating_add(WRITE_INTERVAL_NS));
            }
            Ok(false) => {}
            Err(bad) => {
                // Only a fact can have a name or a value that doesn't fit.
                log::error!("{path}: can't be told: {bad:?}");
                self.facts_told = self.facts_told.saturating_add(1);
            }
        }
        None
    }

    /// Notes of the jack that is being told of, if one is, whether it needs no telling.
    fn set_jack_told(&mut self, is_told: bool) {
        if let Telling::Jack(at) = self.telling
            && let Some(jack) = self.jacks.get_mut(at)
        {
            jack.is_told = is_told;
        }
    }

    /// Whether xenstored has yet to say that something was told.
    pub(super) fn is_telling(&self) -> bool {
        self.asking.awaits()
    }

    /// The device that is being told of.
    pub(super) fn telling(&self) -> Option<DeviceId> {
        match self.telling {
            Telling::News(device, _) if self.asking.awaits() => Some(device),
            _ => None,
        }
    }

    /// Takes note of an answer, if it is for this one. `Some(Some(..))`: this was told.
    pub(super) fn hear(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
        now: Nanos,
    ) -> Option<Option<(DeviceId, News)>> {
        let answer = self.asking.hear(id, result, now)?;
        if matches!(answer, Answer::Missing | Answer::Denied | Answer::Lost(_)) {
            self.set_jack_told(false);
        }
        match answer {
            Answer::Done(_) => match self.telling {
                Telling::Jack(_) => {}
                Telling::Report => self.report = None,
                Telling::Fact => self.facts_told = self.facts_told.saturating_add(1),
                Telling::News(device, news) => return Some(Some((device, news))),
            },
            Answer::Missing | Answer::Denied => {
                log::info!("{STATE}: not for this domain to write; nothing is told there");
                self.is_refused = true;
            }
            Answer::Refused(refusal) => match self.telling {
                Telling::Report => {
                    log::warn!("{STATE}: xenstored says {refusal:?} to a report; it is left out");
                    self.report = None;
                }
                Telling::Fact => {
                    log::warn!("{STATE}: xenstored says {refusal:?} to a fact; it is left out");
                    self.facts_told = self.facts_told.saturating_add(1);
                }
                Telling::Jack(_) | Telling::News(..) => {
                    log::warn!("{STATE}: xenstored says {refusal:?}; nothing more is told there");
                    self.is_refused = true;
                }
            },
            Answer::Lost(error) => log::warn!("{STATE}: {error}; trying again"),
        }
        Some(None)
    }
}
