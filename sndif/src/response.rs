//! Responses, back end to front end (sndif.h, "Responses").

use crate::entry::{self, ENTRY_BYTES, Entry};
use crate::hw_params::HwParams;
use crate::op::{Operation, StartedTogether};

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The request's number.
    pub id: u16,
    /// The request's operation, by its code: an unknown one is echoed too.
    pub operation: u8,
    /// How it went.
    pub status: Status,
    /// What belongs to it.
    pub body: ResponseBody,
}

/// What an answer carries besides its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// Nothing.
    None,
    /// HW_PARAM_QUERY, when it went well: the configurations that are left.
    HwParams(HwParams),
    /// Linked start, when it went well: how. Byte 8, the rest reserved.
    Started(StartedTogether),
}

impl Response {
    /// Reads a response from a private copy of a ring entry. Every entry is one.
    pub fn parse(entry: &Entry) -> Self {
        let operation = entry::get_u8(entry, 2);
        let status = Status(i32::from_le_bytes(entry::bytes(entry, 4)));
        Self {
            id: entry::get_u16(entry, 0),
            operation,
            status,
            body: match Operation::from_code(operation).filter(|_| status.is_ok()) {
                Some(Operation::HwParamQuery) => ResponseBody::HwParams(HwParams::parse(entry)),
                Some(Operation::LinkedStart) => {
                    ResponseBody::Started(StartedTogether::from_code(entry::get_u8(entry, 8)))
                }
                _ => ResponseBody::None,
            },
        }
    }

    /// The response as it goes into the ring; unused bytes are 0.
    pub fn emit(&self) -> Entry {
        let mut entry = [0; ENTRY_BYTES];
        entry::put(&mut entry, 0, self.id.to_le_bytes());
        entry::put(&mut entry, 2, [self.operation]);
        entry::put(&mut entry, 4, self.status.0.to_le_bytes());
        match &self.body {
            ResponseBody::None => {}
            ResponseBody::HwParams(params) => params.emit(&mut entry),
            ResponseBody::Started(how) => entry::put(&mut entry, 8, [how.code()]),
        }
        entry
    }
}

/// How a request went: 0, or minus one of Xen's error numbers (sndif.h, "STATUS RETURN CODES"; numbers from
/// xen/include/public/errno.h, equal to Linux's).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

impl Status {
    /// Done.
    pub const OK: Self = Self(0);
    /// Not permitted.
    pub const EPERM: Self = Self(-1);
    /// No such thing.
    pub const ENOENT: Self = Self(-2);
    /// The hardware failed.
    pub const EIO: Self = Self(-5);
    /// Not now.
    pub const EAGAIN: Self = Self(-11);
    /// Out of memory, or of some other store.
    pub const ENOMEM: Self = Self(-12);
    /// This guest may not.
    pub const EACCES: Self = Self(-13);
    /// A page that can't be reached.
    pub const EFAULT: Self = Self(-14);
    /// Somebody else has it.
    pub const EBUSY: Self = Self(-16);
    /// No such device.
    pub const ENODEV: Self = Self(-19);
    /// The request makes no sense, or not in this state.
    pub const EINVAL: Self = Self(-22);
    /// No room.
    pub const ENOSPC: Self = Self(-28);
    /// Out of range.
    pub const ERANGE: Self = Self(-34);
    /// Not supported.
    pub const EOPNOTSUPP: Self = Self(-95);
    /// It took too long.
    pub const ETIMEDOUT: Self = Self(-110);

    /// Whether it went well.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}
