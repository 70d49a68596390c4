//! `/dev/xen/evtchn` (Linux, include/uapi/xen/evtchn.h): event channels of a process. Closing the
//! file closes them.
#![allow(unsafe_code, reason = "leaf: ioctl")]

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

use audiofront::{EventPort, ignored};
use rustix::fs::OFlags;
use rustix::io;
use rustix::ioctl::Opcode;

use super::ioctl::{self, opcode};

/// `IOCTL_EVTCHN_BIND_UNBOUND_PORT`: `u32` remote domain; returns the port.
const BIND_UNBOUND_PORT: Opcode = opcode(b'E', 2, 4);
/// `IOCTL_EVTCHN_UNBIND`: `u32` port.
const UNBIND: Opcode = opcode(b'E', 3, 4);
/// `IOCTL_EVTCHN_NOTIFY`: `u32` port.
const NOTIFY: Opcode = opcode(b'E', 4, 4);

/// Ports per read.
const PORTS_A_READ: usize = 64;

/// The device's file.
#[derive(Debug)]
pub(crate) struct EventChannels(File);

impl EventChannels {
    pub(crate) const PATH: &str = "/dev/xen/evtchn";

    pub(crate) fn open() -> std::io::Result<Self> {
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(Self::PATH).map(Self)
    }

    /// Allocates a port that the domain may bind.
    pub(crate) fn alloc_unbound(&self, domain: u16) -> io::Result<EventPort> {
        self.call(BIND_UNBOUND_PORT, domain.into()).map(EventPort)
    }

    pub(crate) fn close(&self, port: EventPort) -> io::Result<()> {
        self.call(UNBIND, port.0).map(drop)
    }

    pub(crate) fn notify(&self, port: EventPort) -> io::Result<()> {
        self.call(NOTIFY, port.0).map(drop)
    }

    /// Takes all pending events and rearms their ports. Returns the number of events.
    ///
    /// A port stays masked until it is written back. Each port comes once, so this ends.
    pub(crate) fn take(&self) -> io::Result<usize> {
        let mut bytes = [0u8; 4 * PORTS_A_READ];
        let mut taken = 0;
        loop {
            let read = match io::read(&self.0, &mut bytes) {
                Ok(read) => read,
                Err(io::Errno::AGAIN | io::Errno::INTR) => break,
                Err(error) => return Err(error),
            };
            let ports = &bytes[..read];
            // Write ports back one at a time: for a closed port the kernel refuses a whole list.
            for port in ports.chunks_exact(4) {
                ignored(io::write(&self.0, port), "a closed port needs no unmask");
            }
            taken += read / 4;
            if read < bytes.len() {
                break;
            }
        }
        Ok(taken)
    }

    fn call(&self, opcode: Opcode, argument: u32) -> io::Result<u32> {
        let mut words = [u64::from(argument)];
        // SAFETY: each of the three calls reads one little-endian u32 and writes nothing.
        unsafe { ioctl::call(self.0.as_fd(), opcode, &mut words) }
    }
}

impl AsFd for EventChannels {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
