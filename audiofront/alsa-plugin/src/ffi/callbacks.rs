//! ALSA's callbacks, which only convert arguments and results.
//!
//! alsa-lib calls `prepare`, `sw_params` and `poll_revents` outside its lock, the others inside.
//! [`with`] has its own lock.

use std::ffi::{c_int, c_long, c_uint, c_ulong, c_ushort};
use std::ptr::NonNull;

use rustix::io::Errno;

use super::abi::{
    self, Callbacks, ChannelArea, Ioplug, PollFd, SndPcmHwParams, SndPcmSwParams, snd_pcm_ioplug_mmap_areas,
};
use super::config::{report, report_failure};
use super::memory::{AppFrames, DmaArea};
use super::plugin::{Inner, close as close_plugin, with};
use crate::card::{Failure, Setup};
use crate::limits::format_of;
use crate::pcm::{Application, Ended, PcmState, Readiness};

pub(super) static CALLBACKS: Callbacks = Callbacks {
    start: Some(start),
    stop: Some(stop),
    pointer: Some(pointer),
    transfer: Some(transfer),
    close: Some(close),
    hw_params: Some(hw_params),
    hw_free: Some(hw_free),
    sw_params: Some(sw_params),
    prepare: Some(prepare),
    // alsa-lib drains by `poll` until the pointer has reached the application's.
    drain: None,
    pause: Some(pause),
    resume: None,
    poll_descriptors_count: None,
    poll_descriptors: None,
    poll_revents: Some(poll_revents),
    dump: None,
    delay: Some(delay),
    query_chmaps: None,
    get_chmap: None,
    set_chmap: None,
};

/// # Safety
/// `io` is a live instance.
unsafe fn application(io: *mut Ioplug) -> Application {
    // SAFETY: a live instance, which alsa-lib writes only in this thread or under its lock.
    let state = unsafe { (*io).state };
    // SAFETY: as above.
    let appl_ptr = unsafe { (*io).appl_ptr };
    let state = match state {
        abi::STATE_PREPARED => PcmState::Prepared,
        abi::STATE_RUNNING => PcmState::Running,
        abi::STATE_DRAINING => PcmState::Draining,
        abi::STATE_PAUSED => PcmState::Paused,
        abi::STATE_XRUN => PcmState::Xrun,
        abi::STATE_DISCONNECTED => PcmState::Gone,
        _ => PcmState::Idle,
    };
    // It wraps at the boundary, above 2^61 frames: never in practice.
    Application { state, appl_frames: appl_ptr }
}

/// # Safety
/// `io` is a live instance.
unsafe fn set_state(io: *mut Ioplug, state: c_uint) {
    // SAFETY: a live instance, whose state the plug-in may change.
    unsafe { abi::snd_pcm_ioplug_set_state(io, state) };
}

fn status(result: Result<(), c_int>) -> c_int {
    result.map_or_else(|error| error, |()| 0)
}

unsafe extern "C" fn start(io: *mut Ioplug) -> c_int {
    // SAFETY: alsa-lib's instance.
    let appl_frames = unsafe { application(io) }.appl_frames;
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, |inner| inner.pcm.start(appl_frames)) })
}

unsafe extern "C" fn stop(io: *mut Ioplug) -> c_int {
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, |inner| inner.pcm.stop()) })
}

unsafe extern "C" fn pause(io: *mut Ioplug, enable: c_int) -> c_int {
    // SAFETY: alsa-lib's instance.
    let appl_frames = unsafe { application(io) }.appl_frames;
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, |inner| inner.pcm.pause(enable != 0, appl_frames)) })
}

unsafe extern "C" fn pointer(io: *mut Ioplug) -> c_long {
    // SAFETY: alsa-lib's instance.
    let application = unsafe { application(io) };
    // SAFETY: alsa-lib's instance.
    let ended = match unsafe { with(io, |inner| Ok(inner.pcm.pointer(application))) } {
        Ok(Ok(frames)) => return c_long::try_from(frames).unwrap_or(c_long::MAX),
        Ok(Err(ended)) => ended,
        Err(error) => return error.into(),
    };
    match ended {
        Ended::Xrun => (-Errno::PIPE.raw_os_error()).into(),
        Ended::Gone(failure) => {
            // alsa-lib treats a negative pointer as an xrun, and the program would retry forever.
            // SAFETY: alsa-lib's instance.
            unsafe { gone(io, &failure) };
            // SAFETY: alsa-lib's instance. Its own pointer moves nothing.
            let same = unsafe { (*io).hw_ptr };
            c_long::try_from(same).unwrap_or(c_long::MAX)
        }
    }
}

/// # Safety
/// `io` is a live instance.
unsafe fn gone(io: *mut Ioplug, failure: &Failure) {
    report_failure(failure);
    // SAFETY: a live instance.
    unsafe { set_state(io, abi::STATE_DISCONNECTED) };
}

unsafe extern "C" fn transfer(
    io: *mut Ioplug,
    areas: *const ChannelArea,
    offset_frames: c_ulong,
    frames: c_ulong,
) -> c_long {
    // SAFETY: alsa-lib's instance.
    let application = unsafe { application(io) };
    // SAFETY: alsa-lib's areas. Only interleaved access is offered, so the first channel's samples
    // begin the frames.
    let area = unsafe { areas.read() };
    let step_bytes = area.step as usize / 8;
    let from = area.first as usize / 8 + offset_frames as usize * step_bytes;
    let Some(first) = NonNull::new(area.addr.cast::<u8>()) else {
        return (-Errno::FAULT.raw_os_error()).into();
    };
    // SAFETY: the area extends from its start to the last of these frames.
    let first = unsafe { first.add(from) };
    // SAFETY: the frames belong to the application until this callback returns.
    let app_frames = unsafe { AppFrames::new(first, frames as usize * step_bytes) };
    let body = |inner: &mut Inner| {
        if inner.view.is_none() {
            inner.pcm.transfer(application.appl_frames, app_frames);
        }
        // A program that reads by mmap sees frames here and reports later how many it took.
        let moves = !inner.mapped || inner.pcm.direction().is_playback();
        inner.pcm.rearm(application.appl_frames + if moves { frames } else { 0 })
    };
    // SAFETY: alsa-lib's instance.
    match unsafe { with(io, body) } {
        Ok(()) => c_long::try_from(frames).unwrap_or(c_long::MAX),
        Err(error) => error.into(),
    }
}

unsafe extern "C" fn close(io: *mut Ioplug) -> c_int {
    // SAFETY: alsa-lib's instance, in its last callback.
    unsafe { close_plugin(io) };
    0
}

/// # Safety
/// `io` is a live instance.
unsafe fn setup(io: *mut Ioplug) -> Result<Setup, Failure> {
    let refused =
        || Failure::new(Errno::INVAL, "ALSA's library has chosen a configuration that wasn't offered");
    // SAFETY: a live instance, just filled in by alsa-lib.
    let io = unsafe { &*io };
    let format = format_of(io.format).ok_or_else(refused)?;
    let sample_bytes = format.bytes_per_sample().ok_or_else(refused)?;
    let at_least_one =
        |frames: c_ulong| u32::try_from(frames).ok().filter(|frames| *frames > 0).ok_or_else(refused);
    Ok(Setup {
        format,
        frame_bytes: sample_bytes.checked_mul(io.channels).filter(|bytes| *bytes > 0).ok_or_else(refused)?,
        channels: u8::try_from(io.channels).map_err(|_| refused())?,
        rate_hz: io.rate,
        period_frames: at_least_one(io.period_size)?,
        buffer_frames: at_least_one(io.buffer_size)?,
    })
}

unsafe extern "C" fn hw_params(io: *mut Ioplug, params: *mut SndPcmHwParams) -> c_int {
    // SAFETY: alsa-lib's instance.
    let setup = unsafe { setup(io) };
    // SAFETY: alsa-lib's instance.
    let access = unsafe { (*io).access };
    let mapped = access == abi::ACCESS_MMAP_INTERLEAVED;
    let body = |inner: &mut Inner| {
        inner.view = None;
        inner.mapped = mapped;
        inner.pcm.open(setup?)
    };
    // SAFETY: alsa-lib's instance.
    if let Err(error) = unsafe { with(io, body) } {
        return error;
    }
    // Mapped memory needs its own pages, so that `prepare` can replace them with the buffer's
    // pages. A library without such memory ignores this, and samples are then copied.
    if mapped {
        // SAFETY: alsa-lib's instance.
        let pcm = unsafe { (*io).pcm };
        // SAFETY: alsa-lib's own handle and parameters.
        unsafe { abi::snd_pcm_hw_params_set_export_buffer(pcm, params, 1) };
    }
    // SAFETY: alsa-lib's instance. Its mmap areas need this flag. Programs that write and read
    // don't use areas, which would add a copy.
    unsafe { (*io).mmap_rw = mapped.into() };
    // SAFETY: alsa-lib's instance.
    unsafe { abi::snd_pcm_ioplug_reinit_status(io) }
}

unsafe extern "C" fn hw_free(io: *mut Ioplug) -> c_int {
    let body = |inner: &mut Inner| {
        // Drop the application's view first, because `close` ends the grants. alsa-lib has already
        // detached its memory and ignored that it was gone.
        inner.view = None;
        inner.pcm.close()
    };
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, body) })
}

unsafe extern "C" fn sw_params(io: *mut Ioplug, params: *mut SndPcmSwParams) -> c_int {
    let (mut avail_min, mut stop_threshold) = (0, 0);
    // SAFETY: alsa-lib's parameters; the result's place is ours.
    let first = unsafe { abi::snd_pcm_sw_params_get_avail_min(params, &mut avail_min) };
    // SAFETY: as above.
    let second = unsafe { abi::snd_pcm_sw_params_get_stop_threshold(params, &mut stop_threshold) };
    if first < 0 || second < 0 {
        return first.min(second);
    }
    let body = |inner: &mut Inner| {
        inner.pcm.thresholds(avail_min, stop_threshold);
        Ok(())
    };
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, body) })
}

unsafe extern "C" fn prepare(io: *mut Ioplug) -> c_int {
    let body = |inner: &mut Inner| {
        if inner.mapped && inner.view.is_none() {
            // SAFETY: alsa-lib's instance, inside its callback.
            inner.view = unsafe { show_buffer(io, inner) };
        }
        inner.pcm.prepare()
    };
    // SAFETY: alsa-lib's instance.
    status(unsafe { with(io, body) })
}

/// Replaces the memory that alsa-lib mapped for the application with the buffer's pages. The
/// application then writes directly into the buffer, and `transfer` copies nothing.
///
/// # Safety
/// `io` is a live instance.
unsafe fn show_buffer(io: *mut Ioplug, inner: &Inner) -> Option<DmaArea> {
    let (memory, length_bytes) = inner.pcm.memory()?;
    // SAFETY: alsa-lib's instance.
    let areas = unsafe { snd_pcm_ioplug_mmap_areas(io) };
    if areas.is_null() {
        return None;
    }
    // SAFETY: alsa-lib's areas, one per channel.
    let area = unsafe { areas.read() };
    let place = NonNull::new(area.addr.cast::<u8>()).filter(|_| area.first == 0)?;
    // SAFETY: an application that maps an "exported" plug-in buffer gets System V shared memory
    // (snd_pcm_mmap). It has the buffer's size in whole pages. alsa-lib detaches it by address,
    // ignores its absence, and only then calls `hw_free`, which drops this value.
    match unsafe { DmaArea::map_over(memory, length_bytes, place) } {
        Ok(area) => Some(area),
        Err(errno) => {
            report(&format!("the buffer can't be mapped for the program, so there will be a copy ({errno})"));
            None
        }
    }
}

unsafe extern "C" fn poll_revents(
    io: *mut Ioplug,
    _files: *mut PollFd,
    _count: c_uint,
    revents: *mut c_ushort,
) -> c_int {
    // SAFETY: alsa-lib's instance.
    let application = unsafe { application(io) };
    let body = |inner: &mut Inner| {
        let direction = if inner.pcm.direction().is_playback() { abi::POLLOUT } else { abi::POLLIN };
        Ok((inner.pcm.readiness(application)?, direction))
    };
    // SAFETY: alsa-lib's instance.
    let (readiness, direction) = match unsafe { with(io, body) } {
        Ok(result) => result,
        Err(error) => return error,
    };
    let events = match readiness {
        Readiness::NotYet => 0,
        Readiness::Ready => direction,
        Readiness::Stopped => direction | abi::POLLERR,
        Readiness::Xrun => {
            // SAFETY: alsa-lib's instance.
            unsafe { set_state(io, abi::STATE_XRUN) };
            direction | abi::POLLERR
        }
        Readiness::Gone => {
            // SAFETY: alsa-lib's instance.
            unsafe { set_state(io, abi::STATE_DISCONNECTED) };
            direction | abi::POLLERR
        }
    };
    // SAFETY: alsa-lib's place for the result.
    unsafe { revents.write(events) };
    0
}

unsafe extern "C" fn delay(io: *mut Ioplug, delay: *mut c_long) -> c_int {
    // SAFETY: alsa-lib's instance.
    let application = unsafe { application(io) };
    match application.state {
        PcmState::Xrun => return -Errno::PIPE.raw_os_error(),
        PcmState::Gone => return -Errno::NODEV.raw_os_error(),
        _ => {}
    }
    // SAFETY: alsa-lib's instance.
    match unsafe { with(io, |inner| Ok(inner.pcm.delay(application))) } {
        Ok(Ok(frames)) => {
            // SAFETY: alsa-lib's place for the result.
            unsafe { delay.write(frames) };
            0
        }
        Ok(Err(Ended::Xrun)) => {
            // SAFETY: alsa-lib's instance.
            unsafe { set_state(io, abi::STATE_XRUN) };
            -Errno::PIPE.raw_os_error()
        }
        Ok(Err(Ended::Gone(failure))) => {
            // SAFETY: alsa-lib's instance.
            unsafe { gone(io, &failure) };
            -Errno::NODEV.raw_os_error()
        }
        Err(error) => error,
    }
}
