//! Fills the request ring with rubbish as fast as it is emptied, and sends events without end.

use std::time::{Duration, Instant};

use anyhow::Result;
use audiofront::Transport;
use hyper::SharedPage;
use sndif::ring::RING_ENTRIES;
use sndif::{ENTRY_BYTES, Entry};

use crate::card::Card;
use crate::connection::Connection;

const TIME: Duration = Duration::from_millis(400);

/// Codes of operations, two of which don't exist.
const OPERATIONS: [u8; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0x80, 0xff];

/// Events of one burst.
const BURST: u64 = 256;

pub(super) fn deed(card: &mut Card, kept: &mut Option<Connection>) -> Result<()> {
    let Some(connection) = Connection::of(card, kept)? else { return Ok(()) };
    // A stream runs meanwhile, where one can.
    let (transport, stream) = connection.any(card);
    stream.play(transport, 16_384)?;
    let begun = Instant::now();
    let transport = &mut connection.transport;
    while begun.elapsed() < TIME {
        for stream in &mut connection.streams {
            let room = RING_ENTRIES.saturating_sub(stream.unanswered());
            for _ in 0..room {
                stream.put(&rubbish(card));
            }
            stream.publish(transport);
            card.tally.add("rubbish", room.into());
        }
    }
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let stream = card.chance.below(connection.streams.len());
        let stream = &connection.streams[stream];
        // What the front end has taken of events that never were.
        stream.event_page.page.store(0, card.chance.odd_number());
        for _ in 0..BURST {
            transport.notify(stream.ring_channel);
            transport.notify(stream.event_channel);
        }
        card.tally.add("events", 2 * BURST);
    }
    for stream in &mut connection.streams {
        if stream.wait_for_room(0).is_none() {
            card.tally.add("unanswered", 1);
        }
    }
    Ok(())
}

/// An entry of any bytes, with an operation that is mostly known.
fn rubbish(card: &mut Card) -> Entry {
    let mut entry: Entry = [0; ENTRY_BYTES];
    for word in entry.as_chunks_mut().0 {
        *word = card.chance.odd_number().to_le_bytes();
    }
    entry[2] = OPERATIONS[card.chance.below(OPERATIONS.len())];
    entry
}
