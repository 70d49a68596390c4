//! The way of commands: how many are on the link at once, and how long they may wait.

use heapless::Deque;

use super::absence::{Absences, CODECS};
use super::rings::{Response, Rings, stop_rings};
use super::{Command, CommandError, CommandLink, NoResponse, Unsolicited};
use crate::deadline::{Deadline, Patience, wait_for};
use crate::dma::DmaRegion;
use crate::registers::Registers;
use crate::spec::registers as reg;
use crate::spec::verbs::CodecAddress;
use crate::timer::Timer;

/// Unsolicited responses kept until the caller takes them.
const UNSOLICITED_MAX: usize = 16;
/// Commands that wait for their responses at once. The link carries one in a frame, and the response comes two frames later.
const POSTED_MAX: usize = 8;

/// A codec answers two link frames later (21 us each). At bring-up it may still wake.
const ANSWER_AT_BRING_UP: Patience = Patience::new(50_000, 10);
/// Later everybody waits with the driver.
const ANSWER: Patience = Patience::new(2_000, 10);
/// An earlier immediate command leaves the interface within a few link frames.
const INTERFACE_FREE: Patience = Patience::new(500, 10);

/// Time in which all commands of bring-up are sent, in microseconds.
///
/// The largest codec needs thousands, a fraction of a second.
const BRING_UP_US: u32 = 3_000_000;
/// Time in which an operation sends its commands, in microseconds. The last one waits for its response after that.
const OPERATION_US: u32 = 2_500;
/// The same without rings: each command waits for its response before the next one is sent.
const OPERATION_WITHOUT_RINGS_US: u32 = 6_000;
/// Responses to some commands at once that come within this time, in microseconds, are not late.
const USUAL_US: u32 = 300;
/// A codec whose responses are later than that by so much in all, in microseconds, while operations follow each other,
/// is left alone.
const SLOW_US: u16 = 1_250;
/// Operations that begin within this time after the first one follow each other, in microseconds.
const FOLLOW_US: u32 = 20_000;

/// How long commands may wait.
struct Budget {
    began_ns: u64,
    /// No command is sent that long after the begin.
    length_us: u32,
    /// For one response.
    answer: Patience,
    /// A command was sent, or refused, since the begin.
    has_sent: bool,
    /// Begin of the first of the operations that follow each other.
    first_ns: u64,
    /// By how much the responses of each codec were late since then, in microseconds.
    late_us: [u16; CODECS],
}

impl Budget {
    fn of_bring_up(now_ns: u64) -> Self {
        Self {
            began_ns: now_ns,
            length_us: BRING_UP_US,
            answer: ANSWER_AT_BRING_UP,
            has_sent: false,
            first_ns: now_ns,
            late_us: [0; CODECS],
        }
    }

    /// Begins the time of an operation. What was late counts on if others have just been.
    fn begin_operation(&mut self, now_ns: u64, has_rings: bool) {
        self.began_ns = now_ns;
        self.length_us = if has_rings { OPERATION_US } else { OPERATION_WITHOUT_RINGS_US };
        self.answer = ANSWER;
        self.has_sent = false;
        if now_ns.saturating_sub(self.first_ns) / 1_000 >= FOLLOW_US.into() {
            self.first_ns = now_ns;
            self.late_us = [0; CODECS];
        }
    }

    /// Counts a wait for a codec's responses.
    fn note(&mut self, codec: CodecAddress, waited_us: u32) {
        if let Some(late_us) = self.late_us.get_mut(usize::from(codec.get())) {
            let more_us = u16::try_from(waited_us.saturating_sub(USUAL_US)).unwrap_or(u16::MAX);
            *late_us = late_us.saturating_add(more_us);
        }
    }

    /// Whether a codec was too late too often. It is said once.
    fn take_slow(&mut self, codec: CodecAddress) -> bool {
        let Some(late_us) = self.late_us.get_mut(usize::from(codec.get())) else { return false };
        let is_slow = *late_us > SLOW_US && self.length_us != BRING_UP_US;
        if is_slow {
            *late_us = 0;
        }
        is_slow
    }
}

/// A [`CommandLink`] that uses the controller's rings or immediate registers.
pub(crate) struct CommandPort<R: Registers, D: Timer, G: DmaRegion> {
    registers: R,
    timer: D,
    rings: Option<Rings<G>>,
    budget: Budget,
    absences: Absences,
    /// Commands of one codec without a response, the oldest first.
    posted: Deque<Command, POSTED_MAX>,
    /// The latest response to a command of `posted`.
    answer: u32,
    unsolicited: Deque<Unsolicited, UNSOLICITED_MAX>,
    unsolicited_lost: u32,
}

impl<R: Registers, D: Timer, G: DmaRegion> CommandPort<R, D, G> {
    /// Sets up the rings, for bring-up. Without memory for them, or if they don't start, the immediate registers
    /// serve.
    pub(crate) fn new(registers: R, timer: D, rings: Option<Rings<G>>) -> Self {
        let mut port = Self {
            registers,
            timer,
            rings: None,
            budget: Budget::of_bring_up(0),
            absences: Absences::default(),
            posted: Deque::new(),
            answer: 0,
            unsolicited: Deque::new(),
            unsolicited_lost: 0,
        };
        port.adopt(rings);
        port.begin_bring_up();
        port
    }

    /// Restarts after the controller has lost all state, for another bring-up.
    pub(crate) fn restart(&mut self) {
        self.unsolicited.clear();
        self.posted.clear();
        self.absences.forget();
        let rings = self.rings.take();
        self.adopt(rings);
        self.begin_bring_up();
    }

    fn begin_bring_up(&mut self) {
        self.budget = Budget::of_bring_up(self.timer.now_ns());
    }

    /// Begins the time of another operation: everybody waits for it.
    pub(crate) fn begin_operation(&mut self) {
        self.budget.begin_operation(self.timer.now_ns(), self.rings.is_some());
    }

    fn adopt(&mut self, rings: Option<Rings<G>>) {
        let Some(mut rings) = rings else { return };
        match rings.start(&mut self.registers, &mut self.timer) {
            Ok(()) => self.rings = Some(rings),
            Err(deadline) => {
                log::warn!("command rings don't start ({deadline}); immediate commands instead");
                self.give_up(Some(rings));
            }
        }
    }

    pub(crate) fn uses_rings(&self) -> bool {
        self.rings.is_some()
    }

    /// Stops using the rings. Codecs that did not answer through them get another chance.
    pub(crate) fn use_immediate(&mut self) {
        self.posted.clear();
        self.absences.forget();
        let rings = self.rings.take();
        self.give_up(rings);
    }

    fn give_up(&mut self, rings: Option<Rings<G>>) {
        if !stop_rings(&mut self.registers, &mut self.timer) {
            // Their DMA may still write, so the memory is kept forever.
            core::mem::forget(rings);
        }
    }

    /// When a codec is asked again, on the timer's clock. `None`: at once.
    pub(crate) fn absent_until_ns(&self, codec: CodecAddress) -> Option<u64> {
        let now_ns = self.timer.now_ns();
        Some(now_ns.saturating_add(self.absences.left_ns(codec, now_ns)?))
    }

    /// Leaves a codec alone for a while.
    fn leave_alone(&mut self, codec: CodecAddress) {
        let for_ms = self.absences.begin(codec, self.timer.now_ns());
        log::warn!("codec {} is left alone for {for_ms} ms", codec.get());
    }

    /// Takes all entries of the RIRB: keeps unsolicited responses, and counts those to commands that wait for one. Returns
    /// false when the controller is gone.
    pub(crate) fn drain(&mut self) -> bool {
        let Self { rings: Some(rings), registers, posted, answer, unsolicited, unsolicited_lost, .. } = self
        else {
            return true;
        };
        rings.drain(registers, &mut |Response { codec, is_unsolicited, word }| {
            if is_unsolicited {
                if unsolicited.push_back(Unsolicited { codec, response: word }).is_err() {
                    *unsolicited_lost = unsolicited_lost.saturating_add(1);
                }
            } else if posted.front().is_some_and(|command| command.codec == codec) {
                posted.pop_front();
                *answer = word;
            } else {
                log::debug!("codec {} answers late: {word:#x}", codec.get());
            }
        })
    }

    /// Refuses a command for which there is no time.
    fn admit(&mut self, command: Command) -> Result<(), CommandError> {
        // Before an operation's first command: within one its own time is the limit.
        if !core::mem::replace(&mut self.budget.has_sent, true) && self.budget.take_slow(command.codec) {
            self.leave_alone(command.codec);
        }
        let now_ns = self.timer.now_ns();
        if let Some(left_ns) = self.absences.left_ns(command.codec, now_ns) {
            let again_us = u32::try_from(left_ns / 1_000).unwrap_or(u32::MAX);
            return Err(command.failed(NoResponse::Absent { again_us }));
        }
        let waited_us = self.since_us(self.budget.began_ns);
        if waited_us < self.budget.length_us {
            return Ok(());
        }
        if self.budget.take_slow(command.codec) {
            self.leave_alone(command.codec);
        }
        Err(command.failed(NoResponse::NotSent { waited_us }))
    }

    /// Waits until no more than `left` commands wait for their responses. All of them have the time of one.
    fn wait(&mut self, left: usize) -> Result<(), CommandError> {
        let Some(&oldest) = self.posted.front().filter(|_| self.posted.len() > left) else { return Ok(()) };
        let (patience, began_ns) = (self.budget.answer, self.timer.now_ns());
        // Most of a wait is sleep between looks. What is much longer was the platform's.
        let (mut looks_left, mut looked_us) = (patience.looks(), 0_u32);
        loop {
            // Before the look: time that the platform takes away makes no response late.
            let waited_us = self.since_us(began_ns);
            let is_there = self.drain();
            let Some(&oldest) = self.posted.front().filter(|_| self.posted.len() > left) else {
                self.note_answer(oldest.codec, waited_us.min(looked_us));
                return Ok(());
            };
            looked_us = looked_us.saturating_add(patience.poll_us.saturating_mul(4));
            if !is_there || looks_left == 0 || waited_us >= patience.deadline_us {
                self.posted.clear();
                let missing = self.rings.as_ref().map(|rings| rings.missing(&mut self.registers, waited_us));
                self.leave_alone(oldest.codec);
                return Err(oldest.failed(NoResponse::Late(missing.unwrap_or(Deadline::NEVER))));
            }
            looks_left = looks_left.saturating_sub(1);
            self.timer.delay_us(patience.poll_us);
        }
    }

    fn note_answer(&mut self, codec: CodecAddress, waited_us: u32) {
        self.absences.note_answer(codec, self.timer.now_ns());
        self.budget.note(codec, waited_us);
    }

    /// Microseconds since then.
    fn since_us(&self, then_ns: u64) -> u32 {
        u32::try_from(self.timer.now_ns().saturating_sub(then_ns) / 1_000).unwrap_or(u32::MAX)
    }

    fn through_rings(&mut self, command: Command) -> Result<(), CommandError> {
        let room = self.rings.as_ref().map_or(1, Rings::room).clamp(1, POSTED_MAX);
        self.wait(room.saturating_sub(1))?;
        if self.posted.is_empty() {
            // An earlier response doesn't answer this command.
            self.drain();
        }
        if let Some(rings) = &mut self.rings {
            rings.push(&mut self.registers, command.verb.command(command.codec, command.node));
            // There is room.
            let _ = self.posted.push_back(command);
        }
        Ok(())
    }

    fn immediately(&mut self, command: Command) -> Result<(), CommandError> {
        let began_ns = self.timer.now_ns();
        let (r, timer) = (&mut self.registers, &mut self.timer);
        let (busy, valid) = (u32::from(reg::ICIS_BUSY), u32::from(reg::ICIS_VALID));
        let mut answered = wait_for(r, timer, reg::ICIS, busy, 0, INTERFACE_FREE);
        if answered.is_ok() {
            reg::ICIS.write(r, reg::ICIS_VALID);
            reg::ICOI.write(r, command.verb.command(command.codec, command.node));
            reg::ICIS.write(r, reg::ICIS_BUSY);
            answered = wait_for(r, timer, reg::ICIS, busy | valid, valid, self.budget.answer);
        }
        if let Err(deadline) = answered {
            // Cancel the command so that the next one finds the interface free (3.4.3).
            reg::ICIS.write(r, 0);
            self.leave_alone(command.codec);
            return Err(command.failed(NoResponse::Late(deadline)));
        }
        self.answer = reg::ICII.read(r);
        let waited_us = self.since_us(began_ns);
        self.note_answer(command.codec, waited_us);
        Ok(())
    }
}

impl<R: Registers, D: Timer, G: DmaRegion> CommandLink for CommandPort<R, D, G> {
    fn send(&mut self, command: Command) -> Result<u32, CommandError> {
        self.post(command)?;
        self.finish()?;
        Ok(self.answer)
    }

    fn post(&mut self, command: Command) -> Result<(), CommandError> {
        if self.posted.front().is_some_and(|other| other.codec != command.codec) {
            // Whoever sent them has waited for them, and knows.
            let _ = self.wait(0);
        }
        self.admit(command)?;
        if self.rings.is_some() { self.through_rings(command) } else { self.immediately(command) }
    }

    fn finish(&mut self) -> Result<(), CommandError> {
        self.wait(0)
    }

    fn is_absent(&self, codec: CodecAddress) -> bool {
        self.absent_until_ns(codec).is_some()
    }

    fn sleep_us(&mut self, us: u32) {
        self.timer.delay_us(us);
    }

    fn take_unsolicited(&mut self) -> Option<Unsolicited> {
        self.unsolicited.pop_front()
    }

    fn unsolicited_lost(&self) -> u32 {
        self.unsolicited_lost
    }
}

impl<R: Registers, D: Timer, G: DmaRegion> Drop for CommandPort<R, D, G> {
    /// Dropping this drops the rings' memory. If their DMA isn't over, the memory is kept forever.
    fn drop(&mut self) {
        if self.rings.is_some() {
            self.use_immediate();
        }
    }
}
