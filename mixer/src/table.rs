//! Fixed places for streams, and the handles to them.

use alloc::boxed::Box;

use crate::direct::Direct;
use crate::voice::Voice;

/// An open stream of a [`Mixer`](crate::Mixer): a place in its table.
#[derive(Debug)]
pub struct MixerStream {
    place: u16,
    generation: u32,
}

/// A place that is free.
#[derive(Debug)]
pub(crate) struct Vacant(u16);

/// The content of a place.
#[allow(clippy::large_enum_variant, reason = "a stream stays in its place of the table")]
#[derive(Debug)]
pub(crate) enum Content<S, B> {
    Free,
    Direct(Direct<S>),
    Voice(Voice<B>),
    /// The card below has kept the buffer.
    Lost,
}

#[derive(Debug)]
struct Place<S, B> {
    /// Counted up when the place becomes free, so that an old handle leads nowhere.
    generation: u32,
    content: Content<S, B>,
}

/// All open streams.
#[derive(Debug)]
pub(crate) struct Table<S, B> {
    places: Box<[Place<S, B>]>,
}

impl<S, B> Table<S, B> {
    pub(crate) fn new(places: u16) -> Self {
        let places = (0..places).map(|_| Place { generation: 0, content: Content::Free });
        Self { places: places.collect() }
    }

    /// A place for one more stream.
    pub(crate) fn vacant(&self) -> Option<Vacant> {
        let index = self.contents().position(|content| matches!(content, Content::Free))?;
        u16::try_from(index).ok().map(Vacant)
    }

    /// Fills a place.
    pub(crate) fn put(&mut self, Vacant(place): Vacant, content: Content<S, B>) -> MixerStream {
        let mut generation = 0;
        if let Some(free) = self.places.get_mut(usize::from(place)) {
            free.content = content;
            generation = free.generation;
        }
        MixerStream { place, generation }
    }

    /// Empties the place of a stream.
    pub(crate) fn take(&mut self, stream: &MixerStream) -> Option<Content<S, B>> {
        let place = self.place_mut(stream)?;
        place.generation = place.generation.wrapping_add(1);
        Some(core::mem::replace(&mut place.content, Content::Free))
    }

    /// Changes the content of a stream's place. Returns the one before, if the handle leads to it.
    pub(crate) fn replace(&mut self, stream: &MixerStream, content: Content<S, B>) -> Option<Content<S, B>> {
        let place = self.place_mut(stream)?;
        Some(core::mem::replace(&mut place.content, content))
    }

    /// Changes the content of a place.
    pub(crate) fn set(&mut self, place: usize, content: Content<S, B>) {
        if let Some(place) = self.places.get_mut(place) {
            place.content = content;
        }
    }

    fn place_mut(&mut self, stream: &MixerStream) -> Option<&mut Place<S, B>> {
        let place = self.places.get_mut(usize::from(stream.place))?;
        (place.generation == stream.generation).then_some(place)
    }

    pub(crate) fn get(&self, stream: &MixerStream) -> Option<&Content<S, B>> {
        let place = self.places.get(usize::from(stream.place))?;
        (place.generation == stream.generation).then_some(&place.content)
    }

    pub(crate) fn get_mut(&mut self, stream: &MixerStream) -> Option<&mut Content<S, B>> {
        self.place_mut(stream).map(|place| &mut place.content)
    }

    pub(crate) fn contents(&self) -> impl Iterator<Item = &Content<S, B>> {
        self.places.iter().map(|place| &place.content)
    }

    pub(crate) fn contents_mut(&mut self) -> impl Iterator<Item = &mut Content<S, B>> {
        self.places.iter_mut().map(|place| &mut place.content)
    }

    pub(crate) fn voices(&self) -> impl Iterator<Item = &Voice<B>> {
        self.contents().filter_map(|content| match content {
            Content::Voice(voice) => Some(voice),
            _ => None,
        })
    }

    pub(crate) fn voices_mut(&mut self) -> impl Iterator<Item = &mut Voice<B>> {
        self.contents_mut().filter_map(|content| match content {
            Content::Voice(voice) => Some(voice),
            _ => None,
        })
    }

    pub(crate) fn voice_mut(&mut self, stream: &MixerStream) -> Option<&mut Voice<B>> {
        match self.get_mut(stream) {
            Some(Content::Voice(voice)) => Some(voice),
            _ => None,
        }
    }

    pub(crate) fn voice(&self, stream: &MixerStream) -> Option<&Voice<B>> {
        match self.get(stream) {
            Some(Content::Voice(voice)) => Some(voice),
            _ => None,
        }
    }
}

impl MixerStream {
    /// Its place, once it is empty.
    pub(crate) fn vacated(&self) -> Vacant {
        Vacant(self.place)
    }

    /// The place in the table.
    pub(crate) fn index(&self) -> usize {
        self.place.into()
    }
}
