//! Work without a system call, as the kernel enforces.
#![allow(unsafe_code, reason = "leaf: seccomp has no safe name")]

use std::sync::OnceLock;
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use audiofront::ignored;

/// Byte at which `struct seccomp_data` has the system call's number (linux/seccomp.h).
const NUMBER_OFFSET: u32 = 0;

/// Does `work` in a thread of its own in which every system call but the last, the thread's exit, ends the process with
/// SIGSYS. What `work` returns must not need to be dropped.
pub(crate) fn run<T: Copy + Send + Sync + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    // The caller polls a place for the result, because waking a thread takes a system call.
    let place: &'static OnceLock<Result<T>> = Box::leak(Box::default());
    thread::Builder::new()
        .spawn(move || {
            ignored(place.set(allow_only_exit().map(|()| work())), "this thread alone sets it, and once");
            // Not by returning: that gives the stack back, by system calls.
            // SAFETY: `exit` ends this thread alone; it holds no lock, and nothing on its stack needs to be dropped.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        })
        .context("a thread for the measurement")?;
    loop {
        match place.get() {
            Some(Ok(result)) => return Ok(*result),
            Some(Err(error)) => bail!("system calls can't be forbidden: {error:#}"),
            None => thread::yield_now(),
        }
    }
}

/// From now on this thread may end, and nothing else.
fn allow_only_exit() -> Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut program = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, NUMBER_OFFSET),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_exit as u32,
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: PR_SET_NO_NEW_PRIVS reads no memory.
    let unprivileged = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    ensure!(unprivileged == 0, "PR_SET_NO_NEW_PRIVS: {}", std::io::Error::last_os_error());
    // SAFETY: the kernel reads the program, which is there until it returns, and writes nothing.
    let filtered =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    ensure!(filtered == 0, "PR_SET_SECCOMP: {}", std::io::Error::last_os_error());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_without_system_calls_is_done() {
        assert_eq!(super::run(|| (0..1_000u64).sum::<u64>()).unwrap(), 499_500);
    }
}
