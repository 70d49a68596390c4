//! The requests on the rings of a device, and their answers.

use heapless::Vec;
use hyper::{Clock, Hypervisor, Nanos};
use sndif::control_page::SlotState;
use sndif::op::{Operation, Trigger};
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::NothingToAnswer;

use super::{Device, MAX_STREAMS, Slot, publish};
use crate::card::Card;
use crate::control_page::Taken;
use crate::push_within;
use crate::rights::Policy;
use crate::ring_pair::BrokenRing;
use crate::status::{card_status, open_status, stream_status};
use crate::stream::{Stream, StreamError};

/// Refused OPENs per stream that are logged at level info. Without a limit a guest could fill the log.
const REFUSALS_LOGGED: u8 = 16;

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Answers the requests on the ring of stream `index`, up to `budget` of them. A request that waits for the hardware uses up
    /// the budget. More requests may be left when it is used up.
    pub(super) fn serve(
        &mut self,
        index: usize,
        hypervisor: &mut H,
        card: &mut C,
        (clock, now): (&dyn Clock, Nanos),
        budget: &mut usize,
    ) -> Result<(), BrokenRing> {
        while let Some(left) = budget.checked_sub(1) {
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            let Some(line) = &mut slot.line else { return Ok(()) };
            let entry = match line.ring.take() {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    // A request may arrive before the front end sees that it has to notify.
                    if !line.ring.arm() {
                        return Ok(());
                    }
                    // Counts, because a front end could send a request each time.
                    *budget = left;
                    continue;
                }
                Err(_) => return Err(BrokenRing),
            };
            *budget = left;
            // The front end maps its clock to this one, so the time lies between the request and its answer.
            let taken = self.control_page.as_ref().map(|_| clock.now());
            let response = match Request::parse(&entry) {
                Ok(request) => {
                    if waits_for_hardware(&request.body) {
                        *budget = 0;
                    }
                    match request.body {
                        RequestBody::LinkedStart(streams) => {
                            self.start_together(&request, streams, hypervisor, card, now)
                        }
                        _ => answer(&request, slot, hypervisor, card, &self.policy, now),
                    }
                }
                Err(bad) => bad.answer(),
            };
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            if let Some(time) = taken {
                slot.taken = Taken { id: response.id, time };
                if response.operation == Operation::Trigger.code() {
                    // The front end may read the position as soon as it has the answer.
                    slot.stream.look_now(card, now);
                }
                publish(&mut self.control_page, index, slot);
            }
            let Some(line) = &mut slot.line else { return Ok(()) };
            line.ring.answer(&response.emit()).map_err(|NothingToAnswer| BrokenRing)?;
            if line.ring.publish() {
                hypervisor.notify(line.ring_channel);
            }
        }
        Ok(())
    }

    /// Starts the streams with a bit in `streams`: all of them or none.
    fn start_together(
        &mut self,
        request: &Request,
        streams: u32,
        hypervisor: &mut H,
        card: &mut C,
        now: Nanos,
    ) -> Response {
        let is_meant = |index: usize| streams.checked_shr(index as u32).is_some_and(|bits| bits & 1 != 0);
        if streams == 0 || streams.checked_shr(self.slots.len() as u32).is_some_and(|more| more != 0) {
            return request.answer(Status::EINVAL);
        }
        for (_, slot) in self.slots.iter().enumerate().filter(|(index, _)| is_meant(*index)) {
            if !slot.stream.is_permitted(&self.policy) {
                return request.answer(Status::EACCES);
            }
            if slot.stream.state() != SlotState::Open {
                return request.answer(Status::EINVAL);
            }
        }
        let started = {
            let mut meant = Vec::<_, MAX_STREAMS>::new();
            for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
                post_begin(slot, hypervisor);
                if let Some(card_stream) = slot.stream.startable() {
                    push_within(&mut meant, card_stream);
                }
            }
            card.start_together(&mut meant)
        };
        let how = match started {
            Ok(how) => how,
            Err(error) => return request.answer(card_status(error)),
        };
        for (index, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
            slot.stream.note_started();
            if self.control_page.is_some() {
                slot.stream.look_now(card, now);
            }
            publish(&mut self.control_page, index, slot);
        }
        request.answer_started(how)
    }
}

/// Whether the card may wait for the hardware, for up to 20 ms if that fails, or the hypervisor maps pages for this request only.
/// A ring full of such requests must not delay the positions of other streams.
fn waits_for_hardware(body: &RequestBody) -> bool {
    match body {
        RequestBody::Open(_)
        | RequestBody::Close
        | RequestBody::Trigger(_)
        | RequestBody::LinkedStart(_)
        | RequestBody::SetVolume(_)
        | RequestBody::GetVolume(_)
        | RequestBody::Mute(_)
        | RequestBody::Unmute(_) => true,
        RequestBody::Read(_) | RequestBody::Write(_) | RequestBody::HwParamQuery(_) => false,
    }
}

/// Posts the count at which the next run begins, if the front end does not know it.
fn post_begin<H: Hypervisor, C: Card<H::Buffer>>(slot: &mut Slot<H, C>, hypervisor: &mut H) {
    let Some((events, _)) = slot.stream.events() else { return };
    if let Some(bytes) = events.begin()
        && let Some(line) = &mut slot.line
    {
        line.post(hypervisor, Some(events), bytes);
    }
}

/// Carries out a request for one stream. A position that the front end needs is posted before the answer.
fn answer<H: Hypervisor, C: Card<H::Buffer>>(
    request: &Request,
    slot: &mut Slot<H, C>,
    hypervisor: &mut H,
    card: &mut C,
    policy: &Policy,
    now: Nanos,
) -> Response {
    if request.body == RequestBody::Trigger(Trigger::Start) {
        post_begin(slot, hypervisor);
    }
    let Slot { stream, line, refusals_logged, .. } = slot;
    let mut post = |stream: &mut Stream<H, C>, bytes| {
        if let Some(line) = line {
            line.post(hypervisor, stream.events().map(|(events, _)| events), bytes);
        }
    };
    let outcome =
        |result: Result<(), StreamError>| result.map_or_else(|error| stream_status(&error), |()| Status::OK);
    let status = match &request.body {
        RequestBody::Open(asked) => match stream.open(hypervisor, card, policy, asked) {
            Ok(()) => Status::OK,
            Err(error) => {
                if *refusals_logged < REFUSALS_LOGGED {
                    *refusals_logged = refusals_logged.saturating_add(1);
                    log::info!("OPEN on port {} refused: {error:?}", stream.port().0);
                }
                open_status(&error)
            }
        },
        // `Device::poll` alone decides when the close of a stuck stream is tried again.
        RequestBody::Close if stream.is_stuck() => Status::EIO,
        RequestBody::Close => match stream.close(hypervisor, card) {
            Ok(()) => Status::OK,
            Err(_) => Status::EIO,
        },
        RequestBody::Read(range) | RequestBody::Write(range) => {
            let hinted = stream.hint(card, range);
            // The look moves the pacer's position.
            if hinted.is_ok()
                && stream.look(card, now).is_some()
                && let Some((events, run_bytes)) = stream.events()
                && let Some(bytes) = events.fresh(run_bytes)
            {
                post(stream, bytes);
            }
            outcome(hinted)
        }
        RequestBody::Trigger(trigger) => {
            let done = match trigger {
                Trigger::Start => stream.start(card),
                Trigger::Pause => stream.pause(card),
                Trigger::Resume => stream.resume(card),
                Trigger::Stop => stream.stop(card).map(|last| {
                    if let Some(bytes) = last {
                        post(stream, bytes);
                    }
                }),
            };
            outcome(done)
        }
        RequestBody::HwParamQuery(asked) => {
            let left = stream.query(card, asked);
            if !left.is_empty() {
                return request.answer_hw_params(left);
            }
            Status::EINVAL
        }
        RequestBody::SetVolume(range) => outcome(stream.set_volume(hypervisor, card, range)),
        RequestBody::GetVolume(range) => outcome(stream.get_volume(hypervisor, card, range)),
        RequestBody::Mute(range) => outcome(stream.set_mute(hypervisor, card, range, true)),
        RequestBody::Unmute(range) => outcome(stream.set_mute(hypervisor, card, range, false)),
        // Concerns several streams, so `Device::serve` handles it.
        RequestBody::LinkedStart(_) => Status::EOPNOTSUPP,
    };
    request.answer(status)
}
