//! The requests on the rings of a device, and their answers.

use heapless::Vec;
use hyper::{Clock, Hypervisor, Nanos};
use sndif::op::{Operation, Trigger};
use sndif::request::{Request, RequestBody};
use sndif::response::{Response, Status};
use sndif::ring::NothingToAnswer;

use super::{Device, Held, MAX_STREAMS, OpenWait, Slot, publish};
use crate::card::{Card, PortIndex};
use crate::control_page::Taken;
use crate::push_within;
use crate::resources::Resources;
use crate::rights::Policy;
use crate::ring_pair::BrokenRing;
use crate::status::{card_status, open_status, stream_status};
use crate::stream::{OpenError, Stream, StreamError};
use crate::turn_work::Budget;

/// Refused OPENs per stream that are logged at level info. Without a limit a guest could fill the log.
const REFUSALS_LOGGED: u8 = 16;

/// The longest wait of an OPEN for the card's moment. Turns that come late may miss it again and again.
const OPEN_WAIT_NS: u64 = 40_000_000;

/// The terms of an OPEN.
struct Terms<'a> {
    policy: &'a Policy,
    /// What the guest may hold besides its other streams.
    room: Resources,
    /// A port that is taken now stays so.
    is_last_try: bool,
}

/// An OPEN has found its port taken. Its answer follows after idle streams have given way.
struct PortAwaited;

impl<H: Hypervisor, C: Card<H::Buffer>> Device<H, C> {
    /// Answers the requests on the ring of stream `index`, up to `budget` of them. More requests may be left when it is used up.
    pub(super) fn serve(
        &mut self,
        index: usize,
        hypervisor: &mut H,
        card: &mut C,
        (clock, now): (&dyn Clock, Nanos),
        budget: &mut Budget<'_>,
    ) -> Result<(), BrokenRing> {
        while let Some(left) = budget.requests.checked_sub(1) {
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            let Some(line) = &mut slot.line else { return Ok(()) };
            let (parsed, has_waited, wait) = match slot.held.take() {
                Some(Held { request, has_waited, open }) => (Ok(request), has_waited, open),
                None => match line.ring.take() {
                    Ok(Some(entry)) => {
                        hypervisor.note_request(line.ring_channel);
                        (Request::parse(&entry), false, None)
                    }
                    Ok(None) => {
                        // A request may arrive before the front end sees that it has to notify.
                        if !line.ring.arm() {
                            return Ok(());
                        }
                        // Counts, because a front end could send a request each time.
                        budget.requests = left;
                        continue;
                    }
                    Err(_) => return Err(BrokenRing),
                },
            };
            budget.requests = left;
            if let Ok(request @ Request { body: RequestBody::Open(_), .. }) = parsed
                && slot.stream.is_permitted(&self.policy)
                && !budget.turn.is_used_up()
                && let Some(open) = open_wait(slot.stream.port(), card, wait, now)
            {
                slot.held = Some(Held { request, has_waited, open: Some(open) });
                return Ok(());
            }
            if let Ok(request) = parsed
                && waits_for_hardware(&request.body)
            {
                budget.requests = 0;
                if !budget.turn.take_heavy() {
                    slot.held = Some(Held { request, has_waited, open: wait });
                    return Ok(());
                }
            }
            // The front end maps its clock to this one, so the time lies between the request and its answer.
            let taken = self.control_page.as_ref().map(|_| clock.now());
            let response = match parsed {
                Ok(request @ Request { body: RequestBody::LinkedStart(streams), .. }) => {
                    self.start_together(&request, streams, hypervisor, card, now)
                }
                Ok(request) => {
                    let opens = matches!(request.body, RequestBody::Open(_));
                    let room = if opens { self.room_of(index) } else { Resources::default() };
                    let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
                    let terms = Terms { policy: &self.policy, room, is_last_try: has_waited };
                    match answer(&request, slot, hypervisor, card, &terms, now) {
                        Ok(response) => response,
                        Err(PortAwaited) => {
                            self.awaited = Some(slot.stream.port());
                            slot.held = Some(Held { request, has_waited: true, open: wait });
                            return Ok(());
                        }
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

    /// What the guest may hold for stream `index`, besides all others.
    fn room_of(&self, index: usize) -> Resources {
        let others = self.slots.iter().enumerate().filter(|(other, _)| *other != index);
        let held = others.map(|(_, slot)| slot.stream.holdings());
        self.allowed.minus(held.fold(self.connection_holdings(), Resources::plus))
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
        for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
            if !slot.stream.is_permitted(&self.policy) {
                return request.answer(Status::EACCES);
            }
            if let Err(error) = slot.stream.startable() {
                return request.answer(stream_status(&error));
            }
        }
        let started = {
            let mut meant = Vec::<_, MAX_STREAMS>::new();
            for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, _)| is_meant(*index)) {
                post_begin(slot, hypervisor);
                if let Ok(card_stream) = slot.stream.startable() {
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
            slot.idle_since = None;
            if self.control_page.is_some() {
                slot.stream.look_now(card, now);
            }
            publish(&mut self.control_page, index, slot);
        }
        request.answer_started(how)
    }
}

/// How an OPEN of a port waits on, if it is too early. `None`: it is done now.
fn open_wait<B, C: Card<B>>(
    port: PortIndex,
    card: &mut C,
    before: Option<OpenWait>,
    now: Nanos,
) -> Option<OpenWait> {
    let since = before.map_or(now, |wait| wait.since);
    if now.0.saturating_sub(since.0) >= OPEN_WAIT_NS {
        return None;
    }
    // The card is asked again when the moment has come.
    let due = before.map(|wait| wait.due).filter(|due| *due > now).unwrap_or_else(|| card.open_due(port));
    (due > now).then_some(OpenWait { due, since })
}

/// Whether the card may wait for the hardware, or the hypervisor maps pages for this request only.
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
///
/// # Errors
/// If the answer has to wait.
fn answer<H: Hypervisor, C: Card<H::Buffer>>(
    request: &Request,
    slot: &mut Slot<H, C>,
    hypervisor: &mut H,
    card: &mut C,
    terms: &Terms<'_>,
    now: Nanos,
) -> Result<Response, PortAwaited> {
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
        RequestBody::Open(asked) => match stream.open(hypervisor, card, (terms.policy, &terms.room), asked) {
            Ok(()) => Status::OK,
            Err(OpenError::PortTaken) if !terms.is_last_try => return Err(PortAwaited),
            Err(error) => {
                if *refusals_logged < REFUSALS_LOGGED {
                    *refusals_logged = refusals_logged.saturating_add(1);
                    log_refusal(stream, &error);
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
                return Ok(request.answer_hw_params(left));
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
    Ok(request.answer(status))
}

fn log_refusal<H: Hypervisor, C: Card<H::Buffer>>(stream: &Stream<H, C>, error: &OpenError) {
    let (guest, port) = (stream.guest().0, stream.port().0);
    match error {
        OpenError::OverLimit(resource) => {
            log::info!(
                "domain {guest}: OPEN on port {port} refused: the guest has reached its limit of {resource}"
            );
        }
        error => log::info!("domain {guest}: OPEN on port {port} refused: {error:?}"),
    }
}
