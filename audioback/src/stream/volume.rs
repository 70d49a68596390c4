//! Volume and mute with the amplifiers of the stream's path. Samples stay as they are.
//!
//! The request names a range of the stream's buffer with one value per channel (sndif.h, "Request set/get volume", "Request
//! mute/unmute"). Its pages are mapped a second time while the values are copied.

use hyper::{Hypervisor, PAGE_SIZE_BYTES, PageAccess, SharedPage};
use sndif::request::Range;

use super::Stream;
use super::error::StreamError;
use super::run::OpenStream;
use crate::card::{Card, CardError, VolumeRange};

/// Channels of a stream (HDA specification 1.0a, 3.7.1 "Stream Format Structure").
const MAX_CHANNELS: usize = 16;

/// The values in the buffer, and the direction of the copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Values {
    /// An i32 for each channel, for the card.
    Volumes,
    /// The same, from the card.
    VolumesOut,
    /// A byte for each channel, for the card.
    Mutes,
}

impl<H: Hypervisor, C: Card<H::Buffer>> Stream<H, C> {
    /// The abilities of the amplifiers on its path.
    pub fn volume_range(&self) -> Option<VolumeRange> {
        self.volume
    }

    /// Sets each channel to the volume next to its value in `range` of the buffer.
    pub fn set_volume(&mut self, hypervisor: &mut H, card: &mut C, range: &Range) -> Result<(), StreamError> {
        let (can, open) = self.adjustable(|can| can.step_mdb != 0)?;
        let (mut values, channels) = ([0; MAX_CHANNELS], open.plan.params.channels);
        exchange(hypervisor, card, open, range, Values::Volumes, &mut values)?;
        for (channel, mdb) in (0..channels).zip(values) {
            let mdb = mdb.max(can.min_mdb).min(can.max_mdb);
            card.set_volume(&mut open.card_stream, channel, mdb).map_err(on_amplifier)?;
        }
        Ok(())
    }

    /// Puts each channel's volume into `range` of the buffer.
    pub fn get_volume(&mut self, hypervisor: &mut H, card: &mut C, range: &Range) -> Result<(), StreamError> {
        let (_, open) = self.adjustable(|can| can.step_mdb != 0)?;
        let (mut values, channels) = ([0; MAX_CHANNELS], open.plan.params.channels);
        for (channel, mdb) in (0..channels).zip(&mut values) {
            *mdb = card.volume(&open.card_stream, channel).map_err(on_amplifier)?;
        }
        exchange(hypervisor, card, open, range, Values::VolumesOut, &mut values)
    }

    /// Mutes the channels whose byte in `range` of the buffer is not 0, or ends their mute. Other channels stay as they are.
    pub fn set_mute(
        &mut self,
        hypervisor: &mut H,
        card: &mut C,
        range: &Range,
        is_muted: bool,
    ) -> Result<(), StreamError> {
        let (_, open) = self.adjustable(|can| can.can_mute)?;
        let (mut values, channels) = ([0; MAX_CHANNELS], open.plan.params.channels);
        exchange(hypervisor, card, open, range, Values::Mutes, &mut values)?;
        for (channel, _) in (0..channels).zip(values).filter(|(_, is_meant)| *is_meant != 0) {
            card.set_mute(&mut open.card_stream, channel, is_muted).map_err(on_amplifier)?;
        }
        Ok(())
    }

    /// The open stream, if its path has an amplifier for it.
    fn adjustable(
        &mut self,
        does: impl Fn(&VolumeRange) -> bool,
    ) -> Result<(VolumeRange, &mut OpenStream<C::Stream>), StreamError> {
        let can = self.volume.filter(does).ok_or(StreamError::NoAmplifier)?;
        Ok((can, self.open_stream_mut().ok_or(StreamError::BadRange)?))
    }
}

const fn on_amplifier(error: CardError) -> StreamError {
    match error {
        CardError::Unsupported => StreamError::NoAmplifier,
        error => StreamError::Card(error),
    }
}

/// Checks `range` and copies its values, each word once, to or from the first places of `values`. If the second of two pages
/// cannot be mapped then the values of the first are copied.
fn exchange<H: Hypervisor, C: Card<H::Buffer>>(
    hypervisor: &mut H,
    card: &C,
    open: &OpenStream<C::Stream>,
    range: &Range,
    what: Values,
    values: &mut [i32; MAX_CHANNELS],
) -> Result<(), StreamError> {
    let buffer = card.buffer(&open.card_stream).ok_or(StreamError::NoAmplifier)?;
    let value_bytes = if what == Values::Mutes { 1u32 } else { 4 };
    let end = range.offset_bytes.checked_add(range.length_bytes).ok_or(StreamError::BadRange)?;
    let values = values.get_mut(..usize::from(open.plan.params.channels)).ok_or(StreamError::BadRange)?;
    // An aligned value does not cross a word.
    if Some(range.length_bytes) != value_bytes.checked_mul(values.len() as u32)
        || end > open.plan.buffer_bytes
        || !range.offset_bytes.is_multiple_of(value_bytes)
    {
        return Err(StreamError::BadRange);
    }
    let access = if what == Values::VolumesOut { PageAccess::ReadWrite } else { PageAccess::ReadOnly };
    let (first, last) = (range.offset_bytes as usize, end.saturating_sub(1) as usize);
    // At most two.
    for page in first / PAGE_SIZE_BYTES..=last / PAGE_SIZE_BYTES {
        let act = |shared: &dyn SharedPage| {
            for (at, value) in (first..).step_by(value_bytes as usize).zip(&mut *values) {
                if at / PAGE_SIZE_BYTES != page {
                    continue;
                }
                let word = at % PAGE_SIZE_BYTES / 4;
                match what {
                    Values::Volumes => *value = shared.load(word).cast_signed(),
                    Values::VolumesOut => shared.store(word, value.cast_unsigned()),
                    Values::Mutes => {
                        let bytes = shared.load(word).to_le_bytes();
                        *value = bytes.get(at % 4).copied().unwrap_or(0).into();
                    }
                }
            }
        };
        hypervisor.with_buffer_page(buffer, page, access, act).map_err(StreamError::Map)?;
    }
    Ok(())
}
