//! The two listeners that the emulator calls (its ui/dbus-display1.xml describes the interfaces).
//!
//! One thread reads both connections. The emulator sends from one thread of its own, too, and waits for the answer to
//! each Read: so before a Read is answered, all that was played before it is here already. That order is what makes a
//! room the same in every run.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use zbus::zvariant::LE;
use zbus::zvariant::serialized::{Context as Encoding, Data};

use super::heard::Heard;
use super::wire::{Answer, Call, Wire};
use super::{Microphone, Traffic};
use crate::ignored;
use crate::wav::FRAME_BYTES;

/// What the emulator says about a stream when it opens it: id, bits, signed, float, rate, channels, bytes a frame and a
/// second, big endian.
type StreamFormat = (u64, u8, bool, bool, u32, u8, u32, u32, bool);

/// Both listeners.
pub(super) struct Listeners {
    output: Wire,
    input: Wire,
    heard: Heard,
    rate_hz: u32,
    traffic: Arc<Mutex<Traffic>>,
}

impl Listeners {
    pub(super) fn new(
        output: UnixStream,
        input: UnixStream,
        microphone: Microphone,
        rate_hz: u32,
        traffic: Arc<Mutex<Traffic>>,
    ) -> Result<Listeners> {
        let heard = Heard::new(microphone, rate_hz);
        Ok(Listeners { output: Wire::new(output)?, input: Wire::new(input)?, heard, rate_hz, traffic })
    }

    /// Serves until the emulator hangs up.
    pub(super) fn serve(mut self) {
        while self.serve_what_came().is_ok() {
            let mut waiting =
                [&self.output, &self.input].map(|wire| PollFd::new(wire.stream(), PollFlags::IN));
            ignored(poll(&mut waiting, None), "after a signal the next round polls again");
        }
    }

    fn serve_what_came(&mut self) -> Result<()> {
        loop {
            while let Some(call) = self.output.next_call()? {
                let answer = self.output_called(&call);
                self.output.answer(&call, answer)?;
            }
            let Some(call) = self.input.next_call()? else { return Ok(()) };
            // Calls on the output that came meanwhile.
            while let Some(call) = self.output.next_call()? {
                let answer = self.output_called(&call);
                self.output.answer(&call, answer)?;
            }
            let answer = self.input_called(&call);
            self.input.answer(&call, answer)?;
        }
    }

    fn output_called(&mut self, call: &Call) -> Answer {
        match call.member.as_str() {
            "Write" => match bytes(&call.body) {
                Ok(bytes) => {
                    self.heard.played(bytes.len() / FRAME_BYTES);
                    lock(&self.traffic).played.extend(bytes);
                    Answer::Done
                }
                Err(error) => self.complain(&format!("{error:#}")),
            },
            "SetEnabled" => {
                self.heard.output_enabled(enabled(&call.body));
                Answer::Done
            }
            _ => self.either_called(call),
        }
    }

    fn input_called(&mut self, call: &Call) -> Answer {
        match call.member.as_str() {
            "Read" => {
                match call.body.get(8..16).and_then(|size| size.try_into().ok()).map(u64::from_le_bytes) {
                    Some(size) => {
                        let mut traffic = lock(&self.traffic);
                        Answer::Bytes(self.heard.read(&mut traffic, size / FRAME_BYTES as u64))
                    }
                    None => self.complain("a Read that can't be read"),
                }
            }
            "SetEnabled" => {
                self.heard.input_enabled(enabled(&call.body));
                Answer::Done
            }
            _ => self.either_called(call),
        }
    }

    fn either_called(&mut self, call: &Call) -> Answer {
        match call.member.as_str() {
            "Init" => match Data::new(call.body.as_slice(), Encoding::new_dbus(LE, 0)).deserialize() {
                Ok((format, _)) => self.judge(format),
                Err(error) => self.complain(&format!("an Init that can't be read: {error}")),
            },
            "Fini" | "SetVolume" => Answer::Done,
            "GetAll" => Answer::NoProperties,
            _ => Answer::Unknown,
        }
    }

    /// Complains when it isn't stereo of signed 16 bits at the rate that was asked for: then bytes would be converted.
    fn judge(&self, format: StreamFormat) -> Answer {
        let (_, bits, signed, float, rate, channels, _, _, big_endian) = format;
        let ours = (bits, signed, float, channels, big_endian) == (16, true, false, 2, false);
        if ours && rate == self.rate_hz {
            return Answer::Done;
        }
        self.complain(&format!(
            "the emulator opened a stream of {channels} channels, {bits} bits, {rate} Hz (signed {signed}, float {float}, big \
             endian {big_endian}), not stereo, 16 bits, {} Hz",
            self.rate_hz
        ))
    }

    fn complain(&self, what: &str) -> Answer {
        lock(&self.traffic).complaint.get_or_insert_with(|| what.to_owned());
        Answer::Done
    }
}

fn lock(traffic: &Mutex<Traffic>) -> MutexGuard<'_, Traffic> {
    traffic.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The second argument of a Write: its bytes. By hand, for there are many.
fn bytes(body: &[u8]) -> Result<&[u8]> {
    let length = body.get(8..12).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
    let bytes = length.and_then(|length| body.get(12..)?.get(..length as usize));
    let bytes = bytes.context("a Write that can't be read")?;
    ensure!(bytes.len() % FRAME_BYTES == 0, "a Write of {} bytes, which are no whole frames", bytes.len());
    Ok(bytes)
}

/// The second argument of a SetEnabled.
fn enabled(body: &[u8]) -> bool {
    body.get(8).is_some_and(|byte| *byte != 0)
}
