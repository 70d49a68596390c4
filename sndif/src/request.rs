//! Requests, front end to back end (sndif.h, "Requests").

use core::error::Error;
use core::fmt;

use crate::entry::{self, ENTRY_BYTES, Entry};
use crate::format::SampleFormat;
use crate::hw_params::HwParams;
use crate::op::{LinkedStart, Operation, Trigger};
use crate::response::{Response, ResponseBody, Status};
use hyper::GrantRef;

/// A well-formed request of a front end. Its values are claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The front end's number, which the answer repeats.
    pub id: u16,
    /// The operation.
    pub body: RequestBody,
}

/// An operation and its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// Open the stream.
    Open(OpenParams),
    /// Close the stream.
    Close,
    /// Capture: the front end is about to read this range.
    Read(Range),
    /// Playback: the front end wrote this range.
    Write(Range),
    /// Set the volumes in this range: one i32 per channel, in units of 0.001 dB.
    SetVolume(Range),
    /// Write the volumes into this range: one i32 per channel, in units of 0.001 dB.
    GetVolume(Range),
    /// Mute channels by this range: one byte per channel, non-zero to mute.
    Mute(Range),
    /// Unmute channels by this range: one byte per channel, non-zero to unmute.
    Unmute(Range),
    /// Change the running state.
    Trigger(Trigger),
    /// Narrow the configuration space.
    HwParamQuery(HwParams),
    /// Start streams together: an extension of sndif. Bit `k` stands for the card's `k`-th stream in xenstore.
    ///
    /// The u32 at byte 8 goes over any ring of the card, and one answer comes back on that ring. All the streams must be
    /// open and stopped. On an error none of them starts.
    LinkedStart(u32),
}

/// The parameters of OPEN (`struct xensnd_open_req`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenParams {
    /// Frame rate in Hz.
    pub rate_hz: u32,
    /// Format of one sample.
    pub format: SampleFormat,
    /// Samples in a frame.
    pub channels: u8,
    /// Size of the buffer, in bytes.
    pub buffer_bytes: u32,
    /// First page of the page directory.
    pub directory: GrantRef,
    /// Bytes between two CUR_POS events; 0 disables them.
    pub period_bytes: u32,
}

/// A claimed part of the shared buffer (`struct xensnd_rw_req`); it may lie outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Bytes from the start of the buffer.
    pub offset_bytes: u32,
    /// Bytes in the range.
    pub length_bytes: u32,
}

/// A malformed request, with the fields that its answer repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// The front end's number.
    pub id: u16,
    /// The operation's code.
    pub operation: u8,
    /// The defect.
    pub why: BadRequestReason,
}

/// The defect of a malformed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadRequestReason {
    /// The protocol has no operation with this code.
    UnknownOperation,
    /// OPEN with a sample format outside the protocol.
    UnknownFormat(u8),
    /// TRIGGER of a type outside the protocol.
    UnknownTrigger(u8),
}

impl Request {
    /// Reads a request from a private copy of a ring entry.
    ///
    /// Reserved bytes are ignored. sndif.h wants them 0, but Linux's front end builds requests in the slots of old
    /// responses and keeps their bytes.
    ///
    /// # Errors
    /// See [`BadRequestReason`].
    pub fn parse(entry: &Entry) -> Result<Self, BadRequest> {
        let id = entry::get_u16(entry, 0);
        let operation = entry::get_u8(entry, 2);
        let bad = |why| BadRequest { id, operation, why };

        let range =
            || Range { offset_bytes: entry::get_u32(entry, 8), length_bytes: entry::get_u32(entry, 12) };
        let body = match Operation::from_code(operation).ok_or(bad(BadRequestReason::UnknownOperation))? {
            Operation::Open => {
                let format = entry::get_u8(entry, 12);
                RequestBody::Open(OpenParams {
                    rate_hz: entry::get_u32(entry, 8),
                    format: SampleFormat::from_code(format)
                        .ok_or(bad(BadRequestReason::UnknownFormat(format)))?,
                    channels: entry::get_u8(entry, 13),
                    buffer_bytes: entry::get_u32(entry, 16),
                    directory: GrantRef(entry::get_u32(entry, 20)),
                    period_bytes: entry::get_u32(entry, 24),
                })
            }
            Operation::Close => RequestBody::Close,
            Operation::Read => RequestBody::Read(range()),
            Operation::Write => RequestBody::Write(range()),
            Operation::SetVolume => RequestBody::SetVolume(range()),
            Operation::GetVolume => RequestBody::GetVolume(range()),
            Operation::Mute => RequestBody::Mute(range()),
            Operation::Unmute => RequestBody::Unmute(range()),
            Operation::Trigger => {
                let code = entry::get_u8(entry, 8);
                RequestBody::Trigger(
                    Trigger::from_code(code).ok_or(bad(BadRequestReason::UnknownTrigger(code)))?,
                )
            }
            Operation::HwParamQuery => RequestBody::HwParamQuery(HwParams::parse(entry)),
            Operation::LinkedStart => RequestBody::LinkedStart(entry::get_u32(entry, 8)),
        };
        Ok(Self { id, body })
    }

    /// The request in wire format; reserved bytes are 0.
    pub fn emit(&self) -> Entry {
        let mut entry = [0; ENTRY_BYTES];
        entry::put(&mut entry, 0, self.id.to_le_bytes());
        entry::put(&mut entry, 2, [self.operation().code()]);
        match &self.body {
            RequestBody::Open(open) => {
                entry::put(&mut entry, 8, open.rate_hz.to_le_bytes());
                entry::put(&mut entry, 12, [open.format.code(), open.channels]);
                entry::put(&mut entry, 16, open.buffer_bytes.to_le_bytes());
                entry::put(&mut entry, 20, open.directory.0.to_le_bytes());
                entry::put(&mut entry, 24, open.period_bytes.to_le_bytes());
            }
            RequestBody::Close => {}
            RequestBody::Read(range)
            | RequestBody::Write(range)
            | RequestBody::SetVolume(range)
            | RequestBody::GetVolume(range)
            | RequestBody::Mute(range)
            | RequestBody::Unmute(range) => {
                entry::put(&mut entry, 8, range.offset_bytes.to_le_bytes());
                entry::put(&mut entry, 12, range.length_bytes.to_le_bytes());
            }
            RequestBody::Trigger(trigger) => entry::put(&mut entry, 8, [trigger.code()]),
            RequestBody::HwParamQuery(params) => params.emit(&mut entry),
            RequestBody::LinkedStart(streams) => entry::put(&mut entry, 8, streams.to_le_bytes()),
        }
        entry
    }

    /// The operation of this request.
    pub const fn operation(&self) -> Operation {
        match self.body {
            RequestBody::Open(_) => Operation::Open,
            RequestBody::Close => Operation::Close,
            RequestBody::Read(_) => Operation::Read,
            RequestBody::Write(_) => Operation::Write,
            RequestBody::SetVolume(_) => Operation::SetVolume,
            RequestBody::GetVolume(_) => Operation::GetVolume,
            RequestBody::Mute(_) => Operation::Mute,
            RequestBody::Unmute(_) => Operation::Unmute,
            RequestBody::Trigger(_) => Operation::Trigger,
            RequestBody::HwParamQuery(_) => Operation::HwParamQuery,
            RequestBody::LinkedStart(_) => Operation::LinkedStart,
        }
    }

    /// An answer with a status only.
    pub const fn answer(&self, status: Status) -> Response {
        Response { id: self.id, operation: self.operation().code(), status, body: ResponseBody::None }
    }

    /// The answer to HW_PARAM_QUERY with the configurations that remain.
    pub const fn answer_hw_params(&self, params: HwParams) -> Response {
        self.answer_with(ResponseBody::HwParams(params))
    }

    /// The answer to a successful linked start.
    pub const fn answer_started(&self, how: LinkedStart) -> Response {
        self.answer_with(ResponseBody::Started(how))
    }

    const fn answer_with(&self, body: ResponseBody) -> Response {
        Response { id: self.id, operation: self.operation().code(), status: Status::OK, body }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            BadRequestReason::UnknownOperation => write!(f, "operation {} is unknown", self.operation),
            BadRequestReason::UnknownFormat(code) => write!(f, "sample format {code} is unknown"),
            BadRequestReason::UnknownTrigger(code) => write!(f, "trigger type {code} is unknown"),
        }
    }
}

impl Error for BadRequest {}

impl BadRequest {
    /// The protocol's answer: not supported, or invalid.
    pub const fn answer(&self) -> Response {
        let status = match self.why {
            BadRequestReason::UnknownOperation => Status::EOPNOTSUPP,
            BadRequestReason::UnknownFormat(_) | BadRequestReason::UnknownTrigger(_) => Status::EINVAL,
        };
        Response { id: self.id, operation: self.operation, status, body: ResponseBody::None }
    }
}
