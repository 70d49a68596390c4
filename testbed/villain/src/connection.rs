//! A connection to the back end, made step by step.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use audiofront::{GrantAccess, GrantedPage, Transport};
use audiofront_linux::{LinuxTransport, Page};
use sndif::nodes;
use sndif::state::XenbusState;

use crate::card::Card;
use crate::stream::Stream;

/// Steps of coming up, at each of which a front end can die: the pages are granted, the first stream's nodes are written,
/// all nodes are, the state is Initialised, the back end is Connected, so is the front end.
pub(crate) const STEPS: u32 = 6;

/// Rings, pages and channels.
pub(crate) struct Connection {
    pub(crate) transport: LinuxTransport,
    pub(crate) streams: Vec<Stream>,
    _control_page: GrantedPage<Page>,
}

impl Connection {
    /// Comes up. `None`: the back end doesn't connect. `at_step` is called at each step.
    pub(crate) fn make(card: &mut Card, at_step: impl Fn(u32)) -> Result<Option<Self>> {
        if !card.make_ready()? {
            return Ok(None);
        }
        card.show(XenbusState::Initialising)?;
        let mut transport = LinuxTransport::to_domain(card.back_end)?;
        let mut streams = Vec::new();
        for stream in card.streams.clone() {
            streams.push(Stream::new(&mut transport, &card.unique_id(&stream))?);
        }
        let control_page = transport.grant_page(GrantAccess::ReadWrite).context("no page for control")?;
        at_step(0);
        for (directory, stream) in card.streams.clone().iter().zip(&streams) {
            for (node, value) in [
                (nodes::RING_REF, stream.ring.grant.0),
                (nodes::EVENT_CHANNEL, stream.ring_channel.0),
                (nodes::EVT_RING_REF, stream.event_page.grant.0),
                (nodes::EVT_EVENT_CHANNEL, stream.event_channel.0),
            ] {
                card.write(&format!("{directory}/{node}"), value.to_string())?;
            }
            at_step(1);
        }
        card.write(nodes::CONTROL_PAGE_REF, control_page.grant.0.to_string())?;
        at_step(2);
        card.show(XenbusState::Initialised)?;
        at_step(3);
        if !card.is_connected()? {
            card.tally.add("not_connected", 1);
            return Ok(None);
        }
        card.tally.add("connected", 1);
        at_step(4);
        card.show(XenbusState::Connected)?;
        at_step(5);
        Ok(Some(Self { transport, streams, _control_page: control_page }))
    }

    /// The connection, made anew where the back end has ended it. `None`: the back end doesn't connect.
    pub(crate) fn of<'a>(card: &mut Card, kept: &'a mut Option<Self>) -> Result<Option<&'a mut Self>> {
        if kept.is_none() || card.back_state()? != Some(XenbusState::Connected) {
            if kept.take().is_some() {
                card.tally.add("thrown_out", 1);
            }
            *kept = Self::make(card, |_| {})?;
            if kept.is_none() {
                sleep(Duration::from_millis(50));
            }
        }
        Ok(kept.as_mut())
    }

    /// One of its streams, and what they share.
    pub(crate) fn any(&mut self, card: &mut Card) -> (&mut LinuxTransport, &mut Stream) {
        let stream = card.chance.below(self.streams.len());
        (&mut self.transport, &mut self.streams[stream])
    }
}
