//! Opens, starts, stops and closes in a loop, with garbage between and in the fields.

use std::time::{Duration, Instant};

use anyhow::Result;
use hyper::GrantRef;
use sndif::format::SampleFormat;
use sndif::hw_params::HwParams;
use sndif::op::Trigger;
use sndif::request::{OpenParams, Range, RequestBody};
use sndif::response::Status;

use crate::card::Card;
use crate::chance::Chance;
use crate::connection::Connection;
use crate::stream::Stream;

const TIME: Duration = Duration::from_millis(400);

/// Buffer sizes of good OPENs: whole pages, a part of one, frames that end in the middle of nothing.
const BUFFERS: [u32; 5] = [65_536, 16_384, 4_096, 7_680, 3_840];

pub(super) fn deed(card: &mut Card, kept: &mut Option<Connection>) -> Result<()> {
    let Some(connection) = Connection::of(card, kept)? else { return Ok(()) };
    let begun = Instant::now();
    while begun.elapsed() < TIME {
        let (transport, stream) = connection.any(card);
        let buffer_bytes = BUFFERS[card.chance.below(BUFFERS.len())];
        let directory = stream.grant_buffer(transport, buffer_bytes)?;
        let mut open = Stream::good_open(directory, buffer_bytes);
        let is_good = card.chance.is_once_in(2);
        if !is_good {
            spoil(&mut card.chance, &mut open);
        }
        // A page of another kind isn't silent.
        if stream.is_quiet && open.directory != directory {
            open.directory.0 |= 1 << 31;
        }
        let opened = stream.ask(transport, RequestBody::Open(open)).is_some_and(Status::is_ok);
        card.tally.add(if opened { "opened" } else { "not_opened" }, 1);
        for _ in 0..card.chance.below(8) {
            let body = request(&mut card.chance);
            let Some(status) = stream.ask(transport, body) else {
                card.tally.add("unanswered", 1);
                return Ok(());
            };
            let is_start = matches!(body, RequestBody::Trigger(Trigger::Start));
            if is_start && status.is_ok() {
                card.tally.add("started", 1);
            }
            card.tally.add("requests", 1);
        }
        // Or the next OPEN finds it open.
        if card.chance.is_once_in(2) {
            stream.ask(transport, RequestBody::Close);
        }
    }
    Ok(())
}

/// Makes one or more fields of an OPEN odd.
fn spoil(chance: &mut Chance, open: &mut OpenParams) {
    for _ in 0..=chance.below(3) {
        match chance.below(6) {
            0 => open.rate_hz = chance.odd_number(),
            // Zeros are silence in each of these.
            1 => open.format = [SampleFormat::S8, SampleFormat::S32Le, SampleFormat::F64Le][chance.below(3)],
            2 => open.channels = chance.word() as u8,
            3 => open.buffer_bytes = chance.odd_number(),
            4 => open.directory = GrantRef(chance.odd_number()),
            _ => open.period_bytes = chance.odd_number(),
        }
    }
}

/// Any request but OPEN, mostly with odd fields.
fn request(chance: &mut Chance) -> RequestBody {
    let range = Range { offset_bytes: chance.odd_number(), length_bytes: chance.odd_number() };
    match chance.below(12) {
        0..4 => RequestBody::Trigger(Trigger::Start),
        4 => RequestBody::Trigger([Trigger::Stop, Trigger::Pause, Trigger::Resume][chance.below(3)]),
        5 => RequestBody::Write(range),
        6 => RequestBody::Read(range),
        // Good ones: a value for each of two channels.
        7 => RequestBody::SetVolume(Range { offset_bytes: 0, length_bytes: 8 }),
        8 => RequestBody::GetVolume(Range { offset_bytes: 0, length_bytes: 8 }),
        9 => RequestBody::Mute(range),
        10 => RequestBody::HwParamQuery(HwParams::ANY),
        _ => RequestBody::LinkedStart(chance.odd_number()),
    }
}
