//! Ends connections by what no front end may do, until the back end has enough of it.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;
use audiofront::{GrantAccess, Transport};
use sndif::nodes;
use sndif::state::XenbusState;

use crate::card::Card;
use crate::connection::Connection;

/// Time in which the back end sees it.
const SEEN_WITHIN: Duration = Duration::from_millis(150);

pub(super) fn deed(card: &mut Card, kept: &mut Option<Connection>) -> Result<()> {
    if card.chance.is_once_in(5) {
        *kept = None;
        return announce_rubbish(card);
    }
    let Some(connection) = Connection::of(card, kept)? else { return Ok(()) };
    let (transport, stream) = connection.any(card);
    // Whatever breaks breaks in mid-stream.
    stream.play(transport, 16_384)?;
    let produced = stream.produced();
    match card.chance.below(5) {
        // More than a ring ahead; back behind what was taken; far off.
        0 => stream.claim(produced.wrapping_add(33)),
        1 => stream.claim(produced.wrapping_sub(1)),
        2 => stream.claim(produced ^ card.chance.word() | 1 << 31),
        // Without the channels the back end isn't woken, and can't wake.
        3 => {
            transport.close_channel(stream.ring_channel);
            transport.close_channel(stream.event_channel);
        }
        // The ring's own page.
        _ => {
            if let Some(other) = transport.grant_page(GrantAccess::ReadWrite) {
                transport.revoke_page(std::mem::replace(&mut stream.ring, other)).ok();
            }
        }
    }
    transport.notify(stream.ring_channel);
    transport.notify(stream.event_channel);
    sleep(SEEN_WITHIN);
    if card.back_state()? != Some(XenbusState::Connected) {
        card.tally.add("broken", 1);
    }
    *kept = None;
    Ok(())
}

/// Says that it has published its rings, and has not.
fn announce_rubbish(card: &mut Card) -> Result<()> {
    if !card.make_ready()? {
        return Ok(());
    }
    card.show(XenbusState::Initialising)?;
    for stream in card.streams.clone() {
        for node in [nodes::RING_REF, nodes::EVENT_CHANNEL, nodes::EVT_RING_REF, nodes::EVT_EVENT_CHANNEL] {
            let number = card.chance.odd_number();
            card.write(&format!("{stream}/{node}"), number.to_string())?;
        }
    }
    card.show(XenbusState::Initialised)?;
    let is_connected = card.is_connected()?;
    card.tally.add(if is_connected { "connected_to_rubbish" } else { "rubbish_refused" }, 1);
    Ok(())
}
