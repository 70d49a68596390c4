//! A guest that does what it likes: rings, directories and nodes by hand.

use audiofront::{EventPort, GrantAccess, GrantedPage, Transport};
use hyper::{DomainId, SharedPage};
use hypervisor_model::hda_pages::Pages;
use hypervisor_model::{DomainPage, FrontEnd, MemoryHypervisor};
use sndif::Direction::{self, Capture, Playback};
use sndif::format::SampleFormat;
use sndif::hw_params::HwParams;
use sndif::op::Trigger;
use sndif::page_directory::write_directory;
use sndif::request::{OpenParams, Range, Request, RequestBody};
use sndif::ring::FrontRing;
use xenstored_model::Stored;

use crate::act::Asked;
use crate::random::Random;
use crate::toolstack::{DRIVER, front_path};

type Granted<'w> = GrantedPage<DomainPage<'w, Pages>>;

/// A stream in a card's directory: its direction and its port.
type StreamAt = (Direction, &'static str);

/// Cards of hostile guests.
pub const LAYOUTS: [&[StreamAt]; crate::draw::LAYOUTS as usize] = [
    &[(Playback, "output-2")],
    &[(Playback, "output-2"), (Capture, "input-2")],
    &[(Playback, "output-0"), (Playback, "output-1"), (Capture, "input-0")],
    &[(Playback, "output-3"), (Capture, "input-3")],
    &[(Capture, "monitor-2"), (Capture, "monitor-0"), (Playback, "output-2")],
    &[(Playback, "output-3"), (Playback, "output-1"), (Playback, "output-2")],
];

/// Pages of the largest buffer that it opens.
const BUFFER_PAGES: usize = 16;

/// Pages of a stream: ring, events, directory, buffer.
const PAGES_OF_STREAM: usize = 3 + BUFFER_PAGES;

const RATES_HZ: [u32; 8] = [0, 8_000, 44_100, 48_000, 48_000, 48_000, 96_000, 192_001];

struct HandStream<'w> {
    direction: Direction,
    port: &'static str,
    ring: FrontRing<DomainPage<'w, Pages>>,
    ports: [EventPort; 2],
    /// The pages of the directory and the buffer, in the guest's list.
    directory: usize,
}

impl HandStream<'_> {
    /// Whether it plays where good guests do.
    fn is_heard_by_good(&self) -> bool {
        self.direction == Playback && self.port.ends_with("-2")
    }
}

/// A hostile guest.
pub struct Hostile<'w> {
    /// Counts its domains.
    number: u8,
    pub domain: DomainId,
    transport: FrontEnd<'w, Pages>,
    pub layout: usize,
    streams: Vec<HandStream<'w>>,
    /// All pages that it has granted. `None`: it has taken this one back.
    pages: Vec<Option<Granted<'w>>>,
    next_id: u16,
}

/// Pages of domains that are gone. The hypervisor keeps them until they are unmapped.
#[derive(Default)]
pub struct Graves<'w>(Vec<(FrontEnd<'w, Pages>, Granted<'w>)>);

impl Graves<'_> {
    /// Frees pages that aren't mapped any more.
    pub fn tidy(&mut self) {
        for (mut transport, page) in std::mem::take(&mut self.0) {
            if let Err(still) = transport.revoke_page(page) {
                self.0.push((transport, still.0));
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'w> Hostile<'w> {
    pub fn new(number: u8, life: u16, hypervisor: &'w MemoryHypervisor<Pages>) -> Self {
        let domain = DomainId(100 * (u16::from(number) + 1) + life % 90);
        Self {
            number,
            domain,
            transport: hypervisor.front_end(domain, DRIVER, 0),
            layout: 0,
            streams: Vec::new(),
            pages: Vec::new(),
            next_id: 0,
        }
    }

    fn grant(&mut self) -> Option<usize> {
        let page = self.transport.grant_page(GrantAccess::ReadWrite)?;
        self.pages.push(Some(page));
        Some(self.pages.len() - 1)
    }

    fn page(&self, index: usize) -> Option<&Granted<'w>> {
        self.pages.get(index)?.as_ref()
    }

    /// Gives up its driver's pages and ports, as a guest's kernel does at its end.
    pub fn drop_driver(&mut self, hypervisor: &'w MemoryHypervisor<Pages>, graves: &mut Graves<'w>) {
        for stream in self.streams.drain(..) {
            for port in stream.ports {
                self.transport.close_channel(port);
            }
        }
        for page in self.pages.drain(..).flatten() {
            graves.0.push((hypervisor.front_end(self.domain, DRIVER, 0), page));
        }
        graves.tidy();
    }

    /// Makes rings and publishes them.
    pub fn front_up(
        &mut self,
        hypervisor: &'w MemoryHypervisor<Pages>,
        graves: &mut Graves<'w>,
        stored: &mut Stored<'_>,
    ) {
        self.drop_driver(hypervisor, graves);
        for (index, (direction, port)) in LAYOUTS[self.layout].iter().enumerate() {
            if self.stream_up(index, *direction, port, stored).is_none() {
                return;
            }
        }
        stored.set(&format!("{}/state", front_path(self.domain.0)), "3");
    }

    fn stream_up(
        &mut self,
        index: usize,
        direction: Direction,
        port: &'static str,
        stored: &mut Stored<'_>,
    ) -> Option<()> {
        let (ring, events) = (self.grant()?, self.grant()?);
        let ports = [self.transport.open_channel()?, self.transport.open_channel()?];
        let directory = self.grant()?;
        for _ in 0..BUFFER_PAGES {
            self.grant()?;
        }
        let refs = [ring, events].map(|page| self.page(page).map_or(0, |page| page.grant.0));
        for (node, value) in [
            ("ring-ref", refs[0]),
            ("evt-ring-ref", refs[1]),
            ("event-channel", ports[0].0),
            ("evt-event-channel", ports[1].0),
        ] {
            stored.set(&format!("{}/0/{index}/{node}", front_path(self.domain.0)), &value.to_string());
        }
        let ring = FrontRing::init(self.page(ring)?.page.clone());
        self.streams.push(HandStream { direction, port, ring, ports, directory });
        Some(())
    }

    /// Sends a request so many times, and takes the answers that are there.
    pub fn ask(&mut self, stream: u8, asked: Asked, times: u8) {
        let at = usize::from(stream);
        if at >= self.streams.len() {
            return;
        }
        let entry = match self.body(at, asked) {
            Ok(body) => {
                self.next_id = self.next_id.wrapping_add(1);
                Request { id: self.next_id, body }.emit()
            }
            Err(seed) => {
                let mut random = Random::new(seed);
                std::array::from_fn(|_| random.next() as u8)
            }
        };
        let stream = &mut self.streams[at];
        for _ in 0..times {
            while let Ok(Some(_)) = stream.ring.take() {}
            if stream.ring.push(&entry).is_err() {
                break;
            }
        }
        if stream.ring.publish() {
            self.transport.notify(stream.ports[0]);
        }
    }

    /// The request, or the seed of an entry of noise.
    fn body(&mut self, at: usize, asked: Asked) -> Result<RequestBody, u64> {
        let range = |offset_bytes, length_bytes| Range { offset_bytes, length_bytes };
        Ok(match asked {
            Asked::Open { .. } => self.open(at, asked).unwrap_or(RequestBody::Close),
            Asked::Close => RequestBody::Close,
            Asked::Start => RequestBody::Trigger(Trigger::Start),
            Asked::Stop => RequestBody::Trigger(Trigger::Stop),
            Asked::Pause => RequestBody::Trigger(Trigger::Pause),
            Asked::Resume => RequestBody::Trigger(Trigger::Resume),
            Asked::LinkedStart(streams) => RequestBody::LinkedStart(streams),
            Asked::Write(offset, length) => RequestBody::Write(range(offset, length)),
            Asked::Read(offset, length) => RequestBody::Read(range(offset, length)),
            Asked::SetVolume(offset, length) => RequestBody::SetVolume(range(offset, length)),
            // It would be heard: the volumes are written among the samples.
            Asked::GetVolume(..) if self.streams[at].is_heard_by_good() => {
                RequestBody::HwParamQuery(HwParams::ANY)
            }
            Asked::GetVolume(offset, length) => RequestBody::GetVolume(range(offset, length)),
            Asked::Mute(offset, length) => RequestBody::Mute(range(offset, length)),
            Asked::Unmute(offset, length) => RequestBody::Unmute(range(offset, length)),
            Asked::Query => RequestBody::HwParamQuery(HwParams::ANY),
            Asked::Noise(seed) => return Err(seed),
        })
    }

    /// An OPEN with a buffer of its own pages. Where good guests are heard it has their shape and says nothing on their sides.
    fn open(&mut self, at: usize, asked: Asked) -> Option<RequestBody> {
        let Asked::Open { format, rate, channels, pages, period, bytes_less } = asked else { return None };
        let HandStream { directory, port, direction, .. } = &self.streams[at];
        let (directory, is_shared, direction) = (*directory, port.ends_with("-2"), *direction);
        let mut rate_hz = RATES_HZ[usize::from(rate) % RATES_HZ.len()];
        let mut format = SampleFormat::all().nth(format.into())?;
        let mut channels = if channels > 8 { 2 } else { channels };
        if is_shared {
            (rate_hz, channels) = (48_000, 4);
            if format != SampleFormat::S16Le {
                format = SampleFormat::S32Le;
            }
        }
        let grants: Vec<_> = (directory + 1..=directory + BUFFER_PAGES)
            .map(|page| self.page(page).map_or(hyper::GrantRef::NONE, |page| page.grant))
            .collect();
        let first = self.page(directory)?;
        write_directory(&[(&first.page, first.grant)], grants.into_iter()).ok()?;
        if direction == Playback {
            self.fill(directory);
        }
        let frame_bytes = format.bytes_per_sample().unwrap_or(1) * u32::from(channels).max(1);
        let bytes = (u32::from(pages.min(BUFFER_PAGES as u8)) * 4_096).saturating_sub(bytes_less.into());
        let buffer_bytes = if is_shared { bytes / frame_bytes * frame_bytes } else { bytes };
        Some(RequestBody::Open(OpenParams {
            rate_hz,
            format,
            channels,
            buffer_bytes,
            directory: first.grant,
            period_bytes: period,
        }))
    }

    /// Samples that are heard on the last two sides of four alone, in 16 bits and in 32.
    fn fill(&self, directory: usize) {
        for page in directory + 1..=directory + BUFFER_PAGES {
            let Some(page) = self.page(page) else { continue };
            for word in 0..1_024 {
                page.page.store(word, if word % 4 == 3 { 0x0100_0000 >> (8 * self.number) } else { 0 });
            }
        }
    }

    /// Writes a word of a page. Where good guests are heard, samples and the list of pages stay as they are.
    pub fn scribble(&self, page: u8, word: u16, value: u32) {
        let index = usize::from(page);
        let stream = self.streams.get(index / PAGES_OF_STREAM);
        if stream.is_some_and(HandStream::is_heard_by_good) && index % PAGES_OF_STREAM > 1 {
            return;
        }
        if let Some(page) = self.page(index) {
            page.page.store(word.into(), value);
        }
    }

    pub fn notify(&mut self, stream: u8, times: u8) {
        let Some(stream) = self.streams.get(usize::from(stream)) else { return };
        for port in stream.ports.into_iter().cycle().take(times.into()) {
            self.transport.notify(port);
        }
    }

    pub fn revoke(&mut self, page: u8) {
        let Some(place) = self.pages.get_mut(usize::from(page)) else { return };
        if let Some(page) = place.take()
            && let Err(still) = self.transport.revoke_page(page)
        {
            *place = Some(still.0);
        }
    }
}
