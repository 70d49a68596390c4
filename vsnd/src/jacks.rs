//! The card's jacks that report plugs, and what was published of them.

use alloc::boxed::Box;

use audioback::card::{Card, PortIndex};

use crate::port_name::PortName;
use crate::ports::Ports;

/// A jack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jack {
    port: PortIndex,
    pub(crate) name: PortName,
    pub(crate) is_plugged: bool,
    /// The state is published, or is being published.
    is_published: bool,
}

/// The card's jacks that report plugs.
#[derive(Debug)]
pub(crate) struct Jacks(Box<[Jack]>);

impl Jacks {
    /// The jacks as they are now, none of them published.
    pub(crate) fn new<B, C: Card<B>>(ports: &Ports, card: &C) -> Self {
        let jacks = ports.indexes().filter_map(|port| {
            let (name, is_plugged) = (ports.name(port)?, card.is_plugged(port)?);
            Some(Jack { port, name, is_plugged, is_published: false })
        });
        Self(jacks.collect())
    }

    /// Reads all jacks: those that have changed are to be published.
    pub(crate) fn update<B, C: Card<B>>(&mut self, card: &C) {
        for jack in self.0.iter_mut() {
            if let Some(is_plugged) = card.is_plugged(jack.port).filter(|now| *now != jack.is_plugged) {
                jack.is_plugged = is_plugged;
                jack.is_published = false;
            }
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Jack> {
        self.0.get(index)
    }

    /// The index of the first jack that is to be published.
    pub(crate) fn first_unpublished(&self) -> Option<usize> {
        self.0.iter().position(|jack| !jack.is_published)
    }

    pub(crate) fn set_published(&mut self, index: usize, is_published: bool) {
        if let Some(jack) = self.0.get_mut(index) {
            jack.is_published = is_published;
        }
    }
}
