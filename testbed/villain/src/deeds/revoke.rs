//! Ends grants that are in use, or that were promised, and hands over references to what it doesn't own.
//!
//! The guest's kernel keeps a page that is mapped elsewhere, and ends its grant once it isn't. A kernel that is hostile could
//! not free it either: Xen counts the mapping.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use audiofront::{GrantAccess, Transport};
use audiofront_linux::LinuxTransport;
use hyper::{GrantRef, SharedPage};
use sndif::op::Trigger;
use sndif::request::{Range, Request, RequestBody};
use sndif::response::Status;

use crate::card::Card;
use crate::connection::Connection;
use crate::stream::Stream;

const BUFFER_BYTES: u32 = 65_536;

/// Time for which a stream runs on what was revoked.
const RUNS_ON: Duration = Duration::from_millis(60);

/// References in a directory page.
const MOST_REFERENCES: usize = 1_023;

/// No grant table is so large that it has a reference with this bit.
const NO_REFERENCE: u32 = 1 << 31;

pub(super) fn deed(card: &mut Card, kept: &mut Option<Connection>) -> Result<()> {
    for act in [in_mid_stream, before_open, of_another_domain, in_circles, in_flight] {
        let Some(connection) = Connection::of(card, kept)? else { return Ok(()) };
        let (transport, stream) = connection.any(card);
        act(card, transport, stream)?;
    }
    Ok(())
}

/// Revokes the directory and parts of the buffer, then all of it, while the stream runs.
fn in_mid_stream(card: &mut Card, transport: &mut LinuxTransport, stream: &mut Stream) -> Result<()> {
    if !stream.play(transport, BUFFER_BYTES)? {
        card.tally.add("not_started", 1);
        return Ok(());
    }
    stream.directory.clear();
    while !stream.buffer.is_empty() {
        for _ in 0..=stream.buffer.len() / 2 {
            let page = card.chance.below(stream.buffer.len());
            transport.revoke_page(stream.buffer.swap_remove(page)).ok();
            card.tally.add("revoked_in_use", 1);
        }
        sleep(RUNS_ON);
        stream.ask(transport, RequestBody::Write(Range { offset_bytes: 0, length_bytes: BUFFER_BYTES }));
        stream.ask(transport, RequestBody::SetVolume(Range { offset_bytes: 0, length_bytes: 8 }));
    }
    if card.chance.is_once_in(2) {
        stream.ask(transport, RequestBody::Trigger(Trigger::Stop));
        stream.ask(transport, RequestBody::Trigger(Trigger::Start));
        sleep(RUNS_ON);
    }
    stream.ask(transport, RequestBody::Close);
    Ok(())
}

/// Opens with a buffer of which all, a page or the directory is revoked. It can succeed where another villain of this guest
/// has got the references meanwhile.
fn before_open(card: &mut Card, transport: &mut LinuxTransport, stream: &mut Stream) -> Result<()> {
    let directory = stream.grant_buffer(transport, BUFFER_BYTES)?;
    match card.chance.below(3) {
        0 => stream.buffer.clear(),
        1 => drop(stream.buffer.pop()),
        _ => stream.directory.clear(),
    }
    open(card, transport, stream, directory, "opened_by_references_of_others");
    Ok(())
}

/// Opens with a page that is granted to dom0, or read-only where it is to be written.
fn of_another_domain(card: &mut Card, transport: &mut LinuxTransport, stream: &mut Stream) -> Result<()> {
    let mut to_dom0 = LinuxTransport::to_domain(0)?;
    let directory = stream.grant_buffer(transport, BUFFER_BYTES)?;
    let page = if stream.is_capture && card.chance.is_once_in(2) {
        transport.grant_page(GrantAccess::ReadOnly)
    } else {
        to_dom0.grant_page(GrantAccess::ReadWrite)
    };
    let page = page.context("no page")?;
    stream.directory[0].page.store(1 + card.chance.below(stream.buffer.len()), page.grant.0);
    open(card, transport, stream, directory, "opened_by_bad_grants");
    Ok(())
}

/// Opens with a directory whose next page is itself, and that lists one page again and again, or its own ring.
fn in_circles(card: &mut Card, transport: &mut LinuxTransport, stream: &mut Stream) -> Result<()> {
    let directory = stream.grant_buffer(transport, BUFFER_BYTES)?;
    // Requests would be heard, or the ring be recorded into.
    let is_own_ring = !stream.is_quiet && card.chance.is_once_in(6);
    let listed = if is_own_ring { stream.ring.grant.0 } else { stream.buffer[0].grant.0 };
    let page = &stream.directory[0].page;
    page.store(0, directory.0);
    for word in 1..=MOST_REFERENCES {
        page.store(word, listed);
    }
    // As large as one page can list, which is more than is allowed; or as large as is allowed.
    let buffer_bytes = if card.chance.is_once_in(2) { u32::MAX } else { BUFFER_BYTES };
    let open = RequestBody::Open(Stream::good_open(directory, buffer_bytes));
    if stream.ask(transport, open).is_some_and(Status::is_ok) {
        card.tally.add("opened_in_circles", 1);
        stream.ask(transport, RequestBody::Trigger(Trigger::Start));
        sleep(RUNS_ON);
        stream.ask(transport, RequestBody::Close);
    }
    Ok(())
}

/// Sends OPEN, START and CLOSE at once, and revokes all while they are under way.
fn in_flight(card: &mut Card, transport: &mut LinuxTransport, stream: &mut Stream) -> Result<()> {
    for _ in 0..8 {
        let directory = stream.grant_buffer(transport, BUFFER_BYTES)?;
        for body in [
            RequestBody::Open(Stream::good_open(directory, BUFFER_BYTES)),
            RequestBody::Trigger(Trigger::Start),
            RequestBody::Close,
        ] {
            stream.put(&Request { id: 0, body }.emit());
        }
        stream.publish(transport);
        for word in 0..=MOST_REFERENCES {
            stream.directory[0].page.store(word, card.chance.word() | NO_REFERENCE);
        }
        stream.directory.clear();
        stream.buffer.clear();
        card.tally.add("revoked_in_flight", 1);
        if stream.wait_for_room(0).is_none() {
            card.tally.add("unanswered", 1);
            break;
        }
    }
    Ok(())
}

/// Opens with what the back end can't map, and counts under this name where it does.
fn open(
    card: &mut Card,
    transport: &mut LinuxTransport,
    stream: &mut Stream,
    directory: GrantRef,
    as_success: &'static str,
) {
    let open = RequestBody::Open(Stream::good_open(directory, BUFFER_BYTES));
    let is_open = stream.ask(transport, open).is_some_and(Status::is_ok);
    card.tally.add(if is_open { as_success } else { "refused" }, 1);
}
