//! Volume and mute, whose values pass through the buffer beside the samples.
//!
//! The protocol places them in the stream's buffer, where the request says. So a piece of the
//! buffer is lent while the request is under way, and the answer restores its content. It is the
//! piece just behind the position, which the controller reaches last.

use hyper::SharedPage;
use sndif::request::{Range, RequestBody};
use sndif::response::Status;

use super::StreamFront;
use super::shared::{Lent, MAX_VOLUME_CHANNELS, VolumeBytes};
use crate::buffer::Buffer;
use crate::error::{RequestError, VolumeError, ignored};
use crate::transport::Transport;

impl<T: Transport> StreamFront<T> {
    /// Requests a volume for each channel, in steps of 0.001 dB; 0 is 0 dB. The back end takes the
    /// nearest value. Only one of this, [`volume`](Self::volume), [`mute`](Self::mute) and
    /// [`unmute`](Self::unmute) can be under way per stream.
    ///
    /// Until the answer arrives, a few bytes just behind the position hold no samples.
    /// [`fill`](Self::fill) and [`take`](Self::take) skip them. A program that writes or reads in
    /// place must skip them itself.
    ///
    /// # Errors
    /// The request isn't sent. If the path has no amplifiers, the answer is
    /// [`EOPNOTSUPP`](Status::EOPNOTSUPP).
    pub fn set_volume(&mut self, volumes_mdb: &[i32]) -> Result<u16, VolumeError> {
        let values = volumes_mdb.iter().map(|mdb| mdb.to_le_bytes());
        self.adjust(values, RequestBody::SetVolume)
    }

    /// Requests the volume of each channel. After a successful answer [`volumes`](Self::volumes)
    /// returns it.
    ///
    /// The values arrive in the buffer. By default a playback stream's buffer is granted for
    /// reading only, and the answer is an error: see
    /// [`let_volume_be_told`](Self::let_volume_be_told).
    ///
    /// # Errors
    /// The request isn't sent.
    pub fn volume(&mut self) -> Result<u16, VolumeError> {
        self.adjust((0..self.channels()).map(|_| [0; 4]), RequestBody::GetVolume)
    }

    /// The result of the last successful [`volume`](Self::volume), for each channel; empty before.
    pub fn volumes(&self) -> &[i32] {
        &self.volumes
    }

    /// Grants a playback stream's pages for writing too, from the next [`open`](Self::open) on. The
    /// back end can then answer [`volume`](Self::volume).
    pub fn let_volume_be_told(&mut self) {
        self.volume_can_be_told = true;
    }

    /// Requests to mute these channels; the others stay unchanged.
    ///
    /// # Errors
    /// The request isn't sent. If the path can't be muted, the answer is
    /// [`EOPNOTSUPP`](Status::EOPNOTSUPP).
    pub fn mute(&mut self, channels: &[bool]) -> Result<u16, VolumeError> {
        self.adjust(channels.iter().map(|is_meant| [u8::from(*is_meant)]), RequestBody::Mute)
    }

    /// Requests to unmute these channels; the others stay unchanged.
    ///
    /// # Errors
    /// As [`mute`](Self::mute).
    pub fn unmute(&mut self, channels: &[bool]) -> Result<u16, VolumeError> {
        self.adjust(channels.iter().map(|is_meant| [u8::from(*is_meant)]), RequestBody::Unmute)
    }

    /// Puts a value for each channel into the buffer, and sends a request that names the place.
    fn adjust<const N: usize>(
        &mut self,
        values: impl ExactSizeIterator<Item = [u8; N]>,
        body: fn(Range) -> RequestBody,
    ) -> Result<u16, VolumeError> {
        // STOP's answer silences the whole buffer.
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

    /// Ends the loan after a volume request is answered.
    pub(super) fn adjusted(&mut self, id: u16, body: &RequestBody, status: Status) {
        let Some(shared) = &mut self.shared else { return };
        let Some(Lent { start_bytes, saved, .. }) = shared.take_back(id) else { return };
        // Otherwise the position has passed the piece, and newer data lies there.
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

/// The last piece of `length` bytes behind a position that starts at a word and doesn't wrap: its
/// next position, and its range. `None`: the buffer is too small.
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
