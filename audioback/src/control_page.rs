//! The control page of a card: its contents and their times. [`sndif::control_page`] has the layout.
//!
//! A slot is written at each look at its stream, after each of its requests, and at its close. A running stream is looked
//! at least every 10 ms. All streams of all devices share these times, so any number of streams costs one wake-up in 10 ms.
//!
//! The page is never read, so a front end that writes to it harms only itself.

use hyper::{DomainId, GrantRef, Hypervisor, MapError, Nanos, SharedPage};
use sndif::control_page::{ControlWriter, REFRESH_INTERVAL_NS, Slot, SlotState};
use sndif::state::XenbusState;

use crate::card::LinkPosition;

/// The last request from a stream's ring, and the time when it was taken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) id: u16,
    pub(crate) time: Nanos,
}

/// A device's control page, mapped.
pub(crate) struct ControlPage<P> {
    writer: ControlWriter<P>,
}

impl<P: SharedPage> ControlPage<P> {
    /// Maps the granted page and writes `streams` closed streams into it.
    pub(crate) fn map<H: Hypervisor<Page = P>>(
        hypervisor: &mut H,
        guest: DomainId,
        grant: GrantRef,
        streams: usize,
        generation: u64,
    ) -> Result<Self, MapError> {
        let page = hypervisor.map_page(guest, grant)?;
        Ok(Self { writer: ControlWriter::attach(page, streams, generation) })
    }

    /// Writes the slot of stream `index`.
    pub(crate) fn write(&mut self, index: usize, slot: Slot, taken: Taken) {
        let slot = Slot { echo_id: taken.id.into(), echo_time_ns: taken.time.0, ..slot };
        self.writer.write(index, &slot);
    }

    /// Writes `streams` closed streams and a closed device, and unmaps the page.
    pub(crate) fn unmap<H: Hypervisor<Page = P>>(mut self, hypervisor: &mut H, streams: usize) {
        (0..streams).for_each(|index| self.writer.write(index, &Slot::default()));
        self.writer.set_state(XenbusState::Closed);
        hypervisor.unmap_page(self.writer.into_page());
    }
}

/// A slot with this state and position.
pub(crate) fn slot(state: SlotState, link: Option<&LinkPosition>) -> Slot {
    let Some(link) = link else { return Slot { state, ..Slot::default() } };
    Slot {
        state,
        link_frames: link.link_frames,
        time_ns: link.time.0,
        ns_per_frame_q32: link.ns_per_frame_q32,
        error_ns: link.error_ns,
        generation: link.generation,
        dma_lead_frames: link.dma_lead_frames,
        codec_delay_frames: link.codec_delay_frames,
        start_time_ns: link.start_time.0,
        start_wall_ticks: link.start_wall_ticks,
        cadence: link.cadence,
        lock: Some(link.lock),
        source: Some(link.source),
        ..Slot::default()
    }
}

/// The next time after `now` when the slots of all running streams are written.
pub(crate) const fn next_refresh(now: Nanos) -> Nanos {
    let since = now.0 % REFRESH_INTERVAL_NS;
    Nanos(now.0.saturating_add(REFRESH_INTERVAL_NS.saturating_sub(since)))
}
