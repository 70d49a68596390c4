//! Responses, back end to front end (sndif.h, "Responses").

use crate::entry::{self, ENTRY_BYTES, Entry};
use crate::hw_params::HwParams;
use crate::op::{LinkedStart, Operation};

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The request's number.
    pub id: u16,
    /// The code of the request's operation, which may be unknown.
    pub operation: u8,
    /// The result.
    pub status: Status,
    /// The values besides the status.
    pub body: ResponseBody,
}

/// The values of an answer besides its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// Nothing.
    None,
    /// A successful HW_PARAM_QUERY: the configurations that remain.
    HwParams(HwParams),
    /// A successful linked start: its result in byte 8. The other bytes are reserved.
    Started(LinkedStart),
}

impl Response {
    /// Reads a response from a private copy of a ring entry. Every entry is a valid response.
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
                    ResponseBody::Started(LinkedStart::from_code(entry::get_u8(entry, 8)))
                }
                _ => ResponseBody::None,
            },
        }
    }

    /// The response in wire format; unused bytes are 0.
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

/// The result of a request: 0, or the negative of an error number (sndif.h, "STATUS RETURN CODES").
///
/// The numbers are those of Xen's errno.h, which are Linux's too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status(pub i32);

impl Status {
    /// Success.
    pub const OK: Self = Self(0);
    /// Not permitted.
    pub const EPERM: Self = Self(-1);
    /// No such object.
    pub const ENOENT: Self = Self(-2);
    /// The hardware failed.
    pub const EIO: Self = Self(-5);
    /// Not possible now.
    pub const EAGAIN: Self = Self(-11);
    /// Out of memory or another resource.
    pub const ENOMEM: Self = Self(-12);
    /// The guest lacks the right.
    pub const EACCES: Self = Self(-13);
    /// An unreachable page.
    pub const EFAULT: Self = Self(-14);
    /// In use by another client.
    pub const EBUSY: Self = Self(-16);
    /// No such device.
    pub const ENODEV: Self = Self(-19);
    /// Invalid request, or invalid in this state.
    pub const EINVAL: Self = Self(-22);
    /// No space left.
    pub const ENOSPC: Self = Self(-28);
    /// Out of range.
    pub const ERANGE: Self = Self(-34);
    /// Not supported.
    pub const EOPNOTSUPP: Self = Self(-95);
    /// Timed out.
    pub const ETIMEDOUT: Self = Self(-110);

    /// Whether the request succeeded.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}
