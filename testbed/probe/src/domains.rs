//! Xen's figures of each domain: `XEN_DOMCTL_getdomaininfo` (domctl.h), through Linux's privcmd driver (privcmd.h).
#![allow(unsafe_code, reason = "leaf: one ioctl that passes a hypercall on")]

use std::fs::File;
use std::os::fd::AsFd;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl};

/// `IOCTL_PRIVCMD_HYPERCALL`: `_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))`.
const PRIVCMD_HYPERCALL: Opcode = 0x30_50_00;

/// `__HYPERVISOR_domctl`.
const DOMCTL: u64 = 36;

/// `XEN_DOMCTL_getdomaininfo`: of the first domain whose number isn't less than what is asked for.
const GET_DOMAIN_INFO: u32 = 5;

/// `XEN_DOMCTL_INTERFACE_VERSION` of Xen 4.17. Xen refuses another one (EACCES).
const INTERFACE_VERSION: u32 = 0x15;

/// `struct privcmd_hypercall`.
#[repr(C)]
struct PrivcmdHypercall {
    op: u64,
    arg: [u64; 5],
}

/// `struct xen_domctl` with `struct xen_domctl_getdomaininfo` in its union of 128 bytes.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct GetDomainInfo {
    cmd: u32,
    interface_version: u32,
    domain: u16,
    pad: [u16; 3],
    info_domain: u16,
    info_pad: u16,
    flags: u32,
    tot_pages: u64,
    max_pages: u64,
    outstanding_pages: u64,
    shr_pages: u64,
    paged_pages: u64,
    shared_info_frame: u64,
    cpu_time_ns: u64,
    rest: [u64; 8],
}
const _: () = assert!(size_of::<GetDomainInfo>() == 16 + 128);
const _: () = assert!(std::mem::offset_of!(GetDomainInfo, cpu_time_ns) == 16 + 56);

/// Asks Xen; `None` when there is no domain of that number or a higher one.
fn info(privcmd: impl AsFd, domain: u16) -> Result<Option<GetDomainInfo>> {
    let mut request = GetDomainInfo {
        cmd: GET_DOMAIN_INFO,
        interface_version: INTERFACE_VERSION,
        domain,
        ..GetDomainInfo::default()
    };
    let mut call =
        PrivcmdHypercall { op: DOMCTL, arg: [(&raw mut request).expose_provenance() as u64, 0, 0, 0, 0] };
    // SAFETY: the opcode is the driver's for this structure, which it reads.
    let operation = unsafe { Updater::<PRIVCMD_HYPERCALL, PrivcmdHypercall>::new(&mut call) };
    // SAFETY: the driver passes the hypercall on; Xen reads and writes `request` by its address, all of its 144 bytes at
    // most, and nothing else of this process.
    match unsafe { ioctl(privcmd, operation) } {
        Ok(()) => Ok(Some(request)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(error).context("Xen refuses XEN_DOMCTL_getdomaininfo of Xen 4.17"),
    }
}

/// `at_ns=...` by the monotonic clock, then `domN_cpu_ns=... domN_pages=...` for each domain.
pub(crate) fn line() -> Result<String> {
    let path = "/dev/xen/privcmd";
    let privcmd = File::options().read(true).write(true).open(path).context(path)?;
    let mut words = vec![format!("at_ns={}", crate::now_ns())];
    let mut next = Some(0_u16);
    while let Some(domain) = next
        && let Some(found) = info(&privcmd, domain)?
    {
        let GetDomainInfo { info_domain, cpu_time_ns, tot_pages, .. } = found;
        words.push(format!("dom{info_domain}_cpu_ns={cpu_time_ns} dom{info_domain}_pages={tot_pages}"));
        next = info_domain.checked_add(1);
    }
    Ok(words.join(" "))
}
