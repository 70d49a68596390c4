//! A stream that the card below plays or records from the guest's own pages.

use audioback::card::{Card, CardError, PortIndex, PortSet, StreamParams, Trim, VolumeRange};

use crate::voice::State;

/// A direct stream, and what its voice must know after a hand-over.
#[derive(Debug)]
pub(crate) struct Direct<S> {
    pub(crate) port: PortIndex,
    pub(crate) params: StreamParams,
    pub(crate) stream: S,
    pub(crate) state: State,
    pub(crate) is_link_wanted: bool,
    pub(crate) period_frames: u32,
    pub(crate) written_bytes: Option<u64>,
    /// The ports that its owner may use.
    pub(crate) reach: PortSet,
    /// Channels whose mute the guest has set, a bit each.
    pub(crate) muted: u16,
    /// The guest has set a volume or a mute.
    pub(crate) has_level: bool,
    /// It was paused since its start.
    pub(crate) was_paused: bool,
    /// The administrator's gains: the stream's own, and its port's.
    pub(crate) trims: [Trim; 2],
    /// Whether the amplifiers are muted for the administrator. `None`: some didn't answer.
    pub(crate) trim_mute: Option<bool>,
    /// The guest's volumes by channel, where the amplifiers have another for the administrator.
    pub(crate) levels: [Option<i32>; 8],
}

impl<S> Direct<S> {
    pub(crate) fn new(port: PortIndex, params: StreamParams, stream: S) -> Self {
        Self {
            port,
            params,
            stream,
            state: State::Ready,
            is_link_wanted: true,
            period_frames: 0,
            written_bytes: None,
            reach: PortSet::NONE,
            muted: 0,
            has_level: false,
            was_paused: false,
            trims: [Trim::default(); 2],
            trim_mute: Some(false),
            levels: [None; 8],
        }
    }

    /// Whether it can go on as a voice without a gap: it runs since its start, at the volume that a bus has, too.
    pub(crate) fn can_join(&self) -> bool {
        let has_level = self.has_level || self.trims != [Trim::default(); 2];
        self.state == State::Running && !self.was_paused && !has_level
    }

    pub(crate) fn trim(&self) -> Trim {
        let [own, ports] = self.trims;
        own.and(ports)
    }

    /// Whether it must not run: the administrator has muted it, and the amplifiers can't, or haven't said that they have.
    pub(crate) fn is_barred(&self) -> bool {
        self.trim().is_muted && self.trim_mute != Some(true)
    }

    /// Whether the guest has muted a channel.
    fn is_muted(&self, channel: u8) -> bool {
        self.muted & bit(channel) != 0
    }

    /// The guest's volume of a channel.
    pub(crate) fn volume<B, C: Card<B, Stream = S>>(&self, card: &C, channel: u8) -> Result<i32, CardError> {
        match self.levels.get(usize::from(channel)) {
            Some(Some(level)) => Ok(*level),
            _ => card.volume(&self.stream, channel),
        }
    }

    /// Sets the guest's volume of a channel.
    pub(crate) fn set_volume<B, C: Card<B, Stream = S>>(
        &mut self,
        card: &mut C,
        channel: u8,
        mdb: i32,
    ) -> Result<(), CardError> {
        self.has_level = true;
        match self.range(card) {
            Some(range) if self.trim().mdb != 0 => {
                self.set_level(card, &range, channel, nearest(&range, mdb))
            }
            _ => card.set_volume(&mut self.stream, channel, mdb),
        }
    }

    /// Mutes a channel for the guest, or ends that.
    pub(crate) fn set_mute<B, C: Card<B, Stream = S>>(
        &mut self,
        card: &mut C,
        channel: u8,
        is_muted: bool,
    ) -> Result<(), CardError> {
        self.has_level = true;
        let is_silent = is_muted || self.trim().is_muted;
        let set = card.set_mute(&mut self.stream, channel, is_silent);
        if is_kept(set) {
            self.muted = if is_muted { self.muted | bit(channel) } else { self.muted & !bit(channel) };
        }
        set
    }

    /// Sets the administrator's gains, by the amplifiers as far as they reach.
    ///
    /// # Errors
    /// They can't do it for all channels.
    pub(crate) fn set_trims<B, C: Card<B, Stream = S>>(
        &mut self,
        card: &mut C,
        trims: [Trim; 2],
    ) -> Result<(), CardError> {
        self.trims = trims;
        let trim = self.trim();
        let range =
            self.range(card).unwrap_or(VolumeRange { min_mdb: 0, max_mdb: 0, step_mdb: 0, can_mute: false });
        // The mute comes first: it matters more.
        let muted = self.set_trim_mute(card, &range, trim.is_muted);
        // All are read before one is set: channels may share an amplifier.
        let levels: [_; 8] = core::array::from_fn(|channel| self.volume(card, channel as u8));
        let mut done = muted;
        for (channel, level) in (0..self.params.channels).zip(levels) {
            let is_away = self.levels.get(usize::from(channel)).is_some_and(Option::is_some);
            if trim.mdb == 0 && !is_away {
                continue;
            }
            let set = match level {
                Ok(_) if range.step_mdb == 0 => Err(CardError::Unsupported),
                level => level.and_then(|level| self.set_level(card, &range, channel, level)),
            };
            // An amplifier that didn't answer keeps the others from nothing.
            done = done.and(set);
        }
        done
    }

    fn set_trim_mute<B, C: Card<B, Stream = S>>(
        &mut self,
        card: &mut C,
        range: &VolumeRange,
        is_muted: bool,
    ) -> Result<(), CardError> {
        if self.trim_mute == Some(is_muted) {
            return Ok(());
        }
        if !range.can_mute {
            return Err(CardError::Unsupported);
        }
        let mut done = Ok(());
        for channel in 0..self.params.channels {
            let is_muted = is_muted || self.is_muted(channel);
            done = done.and(card.set_mute(&mut self.stream, channel, is_muted));
        }
        self.trim_mute = done.is_ok().then_some(is_muted);
        done
    }

    /// Sets the amplifier of a channel to the guest's volume with the administrator's gain.
    fn set_level<B, C: Card<B, Stream = S>>(
        &mut self,
        card: &mut C,
        range: &VolumeRange,
        channel: u8,
        level: i32,
    ) -> Result<(), CardError> {
        let trim_mdb = self.trim().mdb;
        let mdb = level.saturating_add(trim_mdb).min(range.max_mdb).max(range.min_mdb);
        let set = card.set_volume(&mut self.stream, channel, mdb);
        if is_kept(set)
            && let Some(kept) = self.levels.get_mut(usize::from(channel))
        {
            *kept = Some(level).filter(|_| trim_mdb != 0);
        }
        set
    }

    fn range<B, C: Card<B, Stream = S>>(&self, card: &C) -> Option<VolumeRange> {
        card.ports().get(usize::from(self.port.0))?.volume
    }
}

/// Whether the amplifiers have the level now, or once they answer.
fn is_kept(set: Result<(), CardError>) -> bool {
    set != Err(CardError::Unsupported)
}

const fn bit(channel: u8) -> u16 {
    match 1u16.checked_shl(channel as u32) {
        Some(bit) => bit,
        None => 0,
    }
}

/// The volume next to `mdb` in a range with steps, as the card takes it.
fn nearest(range: &VolumeRange, mdb: i32) -> i32 {
    let Ok(step) = i32::try_from(range.step_mdb) else { return range.min_mdb };
    let above = mdb.min(range.max_mdb).saturating_sub(range.min_mdb).max(0).saturating_add(step / 2);
    let steps = above.checked_div(step).unwrap_or_default();
    range.min_mdb.saturating_add(steps.saturating_mul(step)).min(range.max_mdb)
}
