//! Volume and mute: their values go through the buffer, beside the samples.
//!
//! The protocol has them in the stream's buffer, at a place that the request names. So a piece of the buffer is lent for as long
//! as the request is under way, and what lay there comes back with the answer. It is the piece right behind the position, which
//! the controller comes to last.

use hyper::SharedPage;
use sndif::request::{Range, RequestBody};
use sndif::response::Status;

use super::StreamFront;
use super::shared::{Lent, MAX_VOLUME_CHANNELS, VolumeBytes};
use crate::buffer::Buffer;
use crate::error::{RequestError, VolumeError, ignored};
use crate::transport::Transport;

impl<T: Transport> StreamFront<T> {
    /// Asks for a volume for each channel, in steps of 0.001 dB, 0 being 0 dB: the back end takes what comes nearest. One such
    /// request of a stream, or [`volume`](Self::volume), [`mute`](Self::mute) or [`unmute`](Self::unmute), can be under way.
    ///
    /// Until its answer has come a few bytes right behind the position aren't the samples' own: [`fill`](Self::fill) and
    /// [`take`](Self::take) leave them out. A program that writes or reads in place must leave them out itself.
    ///
    /// # Errors
    /// When it isn't sent. Where the path has no amplifiers the answer says [`EOPNOTSUPP`](Status::EOPNOTSUPP).
    pub fn set_volume(&mut self, volumes_mdb: &[i32]) -> Result<u16, VolumeError> {
        let values = volumes_mdb.iter().map(|mdb| mdb.to_le_bytes());
        self.adjust(values, RequestBody::SetVolume)
    }

    /// Asks for the volume of each channel. [`volumes`](Self::volumes) has it when the answer has come, if that says OK.
    ///
    /// The values come in the buffer. That of a playback stream is granted for reading only, and then the answer is an error:
    /// see [`let_volume_be_told`](Self::let_volume_be_told).
    ///
    /// # Errors
    /// When it isn't sent.
    pub fn volume(&mut self) -> Result<u16, VolumeError> {
        self.adjust((0..self.channels()).map(|_| [0; 4]), RequestBody::GetVolume)
    }

    /// What the last [`volume`](Self::volume) that went well has found, for each channel; empty before.
    pub fn volumes(&self) -> &[i32] {
        &self.volumes
    }

    /// From the next [`open`](Self::open) on, grants the pages of a playback stream for writing, too, so that the back end can
    /// answer [`volume`](Self::volume).
    pub fn let_volume_be_told(&mut self) {
        self.volume_can_be_told = true;
    }

    /// Asks for these channels to be muted; the others stay as they are.
    ///
    /// # Errors
    /// When it isn't sent. Where the path can't be muted the answer says [`EOPNOTSUPP`](Status::EOPNOTSUPP).
    pub fn mute(&mut self, channels: &[bool]) -> Result<u16, VolumeError> {
        self.adjust(channels.iter().map(|is_meant| [u8::from(*is_meant)]), RequestBody::Mute)
    }

    /// Asks for these channels not to be muted any more; the others stay as they are.
    ///
    /// # Errors
    /// As [`mute`](Self::mute).
    pub fn unmute(&mut self, channels: &[bool]) -> Result<u16, VolumeError> {
        self.adjust(channels.iter().map(|is_meant| [u8::from(*is_meant)]), RequestBody::Unmute)
    }

    /// Puts a value for each channel into the buffer and sends a request that names the place.
    fn adjust<const N: usize>(
        &mut self,
        values: impl ExactSizeIterator<Item = [u8; N]>,
        body: fn(Range) -> RequestBody,
    ) -> Result<u16, VolumeError> {
        // STOP's answer silences the buffer, whatever lies there.
        if self.stopping {
            return Err(VolumeError::UnderWay);
        }
        let not_open = VolumeError::Request(RequestError::WrongState(self.state));
        let shared = self.shared.as_ref().ok_or(not_open)?;
        if shared.is_lent() {
            return Err(VolumeError::UnderWay);
        }
        if values.len() != usize::from(shared.channels()) || values.len() > MAX_VOLUME_CHANNELS {
            return Err(VolumeError::Channels);
        }
        let mut bytes = VolumeBytes::new();
        for value in values {
            ignored(bytes.extend_from_slice(&value), "there is room for MAX_VOLUME_CHANNELS values");
        }
        let (start_bytes, range) =
            behind(shared.buffer(), self.position_bytes, bytes.len()).ok_or(VolumeError::Channels)?;
        let mut saved = bytes.clone();
        shared.buffer().read(start_bytes, &mut saved);
        shared.buffer().write(start_bytes, &bytes);
        let sent = self.send_open(body(range));
        if let Some(shared) = &mut self.shared {
            match sent {
                Ok(id) => shared.lend(Lent { id, start_bytes, saved }),
                Err(_) => shared.buffer().write(start_bytes, &saved),
            }
        }
        sent.map_err(VolumeError::Request)
    }

    /// A volume request was answered: its piece of the buffer is the samples' again.
    pub(super) fn adjusted(&mut self, id: u16, body: &RequestBody, status: Status) {
        let Some(shared) = &mut self.shared else { return };
        let Some(Lent { start_bytes, saved, .. }) = shared.take_back(id) else { return };
        // Else the position has passed the piece, and what lies there is newer.
        let is_ahead = self.position_bytes <= start_bytes;
        if matches!(body, RequestBody::GetVolume(_)) && status.is_ok() && is_ahead {
            let mut bytes = saved.clone();
            shared.buffer().read(start_bytes, &mut bytes);
            self.volumes = bytes.as_chunks().0.iter().map(|mdb| i32::from_le_bytes(*mdb)).collect();
        }
        if is_ahead {
            shared.buffer().write(start_bytes, &saved);
        }
    }
}

/// The last piece of `length` bytes behind a position that begins at a word and doesn't go round the buffer's end: where the
/// controller comes to it, and its range. `None`: the buffer is too small for it.
fn behind<P: SharedPage>(buffer: &Buffer<P>, position_bytes: u64, length: usize) -> Option<(u64, Range)> {
    let length_bytes = u32::try_from(length).ok()?;
    let at = buffer.offset_of(position_bytes);
    let lap_bytes = position_bytes.checked_sub(at.into())?;
    let size_bytes = buffer.size_bytes();
    let (end, lap_bytes) = if at < length_bytes {
        (size_bytes, lap_bytes)
    } else {
        (at, lap_bytes.checked_add(size_bytes.into())?)
    };
    let offset_bytes = end.checked_sub(length_bytes)? & !3;
    let start_bytes = lap_bytes.checked_add(offset_bytes.into())?;
    (start_bytes >= position_bytes).then_some((start_bytes, Range { offset_bytes, length_bytes }))
}
