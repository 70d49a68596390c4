//! One opened PCM.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use audiofront::ignored;
use rustix::io::Errno;

use super::abi::{self, Ioplug};
use super::callbacks::CALLBACKS;
use super::config;
use super::memory::DmaArea;
use crate::card::{Direction, Failure, Stream};
use crate::limits::{Constraint, Constraints};
use crate::pcm::Pcm;
use crate::settings::Settings;

/// Creates the stream of a PCM definition.
pub type Opener = fn(&Settings, Direction) -> Result<Box<dyn Stream>, Failure>;

/// The state that callbacks use.
pub(super) struct Inner {
    pub(super) pcm: Pcm,
    /// Whether the application maps the buffer.
    pub(super) mapped: bool,
    /// The application's view, if it is the buffer itself.
    pub(super) view: Option<DmaArea>,
}

/// One opened PCM. ALSA holds its address from `snd_pcm_ioplug_create` until the callback `close`.
pub(super) struct Plugin {
    io: Ioplug,
    inner: Mutex<Inner>,
}

/// Runs a callback's body. Bodies run one at a time, and no panic leaves them.
///
/// # Safety
/// `io` belongs to a [`Plugin`].
pub(super) unsafe fn with<R>(
    io: *mut Ioplug,
    body: impl FnOnce(&mut Inner) -> Result<R, Failure>,
) -> Result<R, c_int> {
    // SAFETY: set at creation and never changed.
    let plugin = unsafe { (*io).private_data }.cast::<Plugin>();
    // SAFETY: it lives until `close`. No reference to `io`, which ALSA writes, is made.
    let inner = unsafe { &(*plugin).inner };
    let run = || {
        // After a panic, already caught and reported, at worst the pointers are wrong.
        let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
        body(&mut inner)
    };
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(failure)) => Err(config::report_failure(&failure)),
        Err(_) => Err(-Errno::IO.raw_os_error()),
    }
}

/// Ends a PCM. No pointer to it is valid afterwards.
///
/// # Safety
/// `io` belongs to a [`Plugin`], and this is the last callback.
pub(super) unsafe fn close(io: *mut Ioplug) {
    // SAFETY: as in `with`.
    let plugin = unsafe { (*io).private_data }.cast::<Plugin>();
    let drop_it = || {
        // SAFETY: it came from `Box::into_raw`, and no callback follows.
        drop(unsafe { Box::from_raw(plugin) });
    };
    ignored(catch_unwind(AssertUnwindSafe(drop_it)), "a panic has printed its own message");
}

/// Opens a PCM; alsa-lib calls it through [`plugin_entry`](crate::plugin_entry). Returns 0 or a
/// negative error number.
///
/// # Safety
/// The arguments, except `_root`, are alsa-lib's.
pub unsafe fn open(
    opener: Opener,
    pcm: *mut *mut c_void,
    name: *const c_char,
    config: *mut c_void,
    stream: c_uint,
    mode: c_int,
) -> c_int {
    let make = || {
        let direction = match stream {
            abi::STREAM_PLAYBACK => Direction::Playback,
            abi::STREAM_CAPTURE => Direction::Capture,
            _ => return Err(Failure::new(Errno::INVAL, "a PCM plays or captures")),
        };
        // SAFETY: alsa-lib's definition of this PCM, a compound node.
        let fields = unsafe { config::fields(config.cast()) };
        let stream = opener(&Settings::from_fields(fields)?, direction)?;
        let constraints = Constraints::of(stream.limits()).ok_or_else(|| {
            let message = format!(
                "the {direction} stream can't be opened with anything: see its sample-rates, \
                sample-formats, channels and buffer-size in the domain's file"
            );
            Failure::new(Errno::INVAL, message)
        })?;
        // SAFETY: alsa-lib's name, a string or null.
        let handle = unsafe { create(stream, direction, &constraints, name, mode) }?;
        // SAFETY: alsa-lib's place for the result.
        unsafe { pcm.write(handle) };
        Ok(())
    };
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(Ok(())) => 0,
        Ok(Err(failure)) => config::report_failure(&failure),
        Err(_) => -Errno::IO.raw_os_error(),
    }
}

/// # Safety
/// `name` is null or a string.
unsafe fn create(
    stream: Box<dyn Stream>,
    direction: Direction,
    constraints: &Constraints,
    name: *const c_char,
    mode: c_int,
) -> Result<*mut c_void, Failure> {
    let poll_fd = stream.wake_file().as_raw_fd();
    let inner = Inner { pcm: Pcm::new(stream, direction), mapped: false, view: None };
    let plugin = Box::into_raw(Box::new(Plugin {
        io: Ioplug {
            version: abi::IOPLUG_VERSION,
            name: NAME.as_ptr(),
            // Not monotonic by default: ALSA can't report that to programs that ask
            // (`snd_pcm_hw_params_is_monotonic`). Programs can set
            // `snd_pcm_sw_params_set_tstamp_type` instead.
            flags: abi::FLAG_BOUNDARY_WA,
            poll_fd,
            poll_events: abi::POLLIN.into(),
            mmap_rw: 0,
            callback: &CALLBACKS,
            private_data: ptr::null_mut(),
            pcm: ptr::null_mut(),
            stream: 0,
            state: 0,
            appl_ptr: 0,
            hw_ptr: 0,
            nonblock: 0,
            access: 0,
            format: 0,
            channels: 0,
            rate: 0,
            period_size: 0,
            buffer_size: 0,
        },
        inner: Mutex::new(inner),
    }));
    // SAFETY: just created.
    let io = unsafe { &raw mut (*plugin).io };
    // SAFETY: just created; no other thread has it yet.
    unsafe { (*io).private_data = plugin.cast() };
    let alsa_direction = if direction.is_playback() { abi::STREAM_PLAYBACK } else { abi::STREAM_CAPTURE };
    // SAFETY: filled in as pcm_ioplug.h requires. `name` comes from alsa-lib.
    let created = unsafe { abi::snd_pcm_ioplug_create(io, name, alsa_direction, mode) };
    if created < 0 {
        // SAFETY: alsa-lib hasn't taken ownership.
        drop(unsafe { Box::from_raw(plugin) });
        return Err(refused("snd_pcm_ioplug_create", created));
    }
    let access = Constraint::List(vec![abi::ACCESS_MMAP_INTERLEAVED, abi::ACCESS_RW_INTERLEAVED]);
    for (kind, constraint) in [
        (abi::HW_ACCESS, &access),
        (abi::HW_FORMAT, &constraints.formats),
        (abi::HW_CHANNELS, &constraints.channels),
        (abi::HW_RATE, &constraints.rates),
        (abi::HW_PERIOD_BYTES, &constraints.period_bytes),
        (abi::HW_BUFFER_BYTES, &constraints.buffer_bytes),
        (abi::HW_PERIODS, &constraints.periods),
    ] {
        let set = match constraint {
            Constraint::List(values) => {
                let count = c_uint::try_from(values.len()).unwrap_or(c_uint::MAX);
                // SAFETY: a created instance; the call copies the list.
                unsafe { abi::snd_pcm_ioplug_set_param_list(io, kind, count, values.as_ptr()) }
            }
            Constraint::Range(min, max) => {
                // SAFETY: a created instance.
                unsafe { abi::snd_pcm_ioplug_set_param_minmax(io, kind, *min, *max) }
            }
        };
        if set < 0 {
            // SAFETY: a created instance; its callback `close` frees it.
            unsafe { abi::snd_pcm_ioplug_delete(io) };
            return Err(refused("a constraint", set));
        }
    }
    // SAFETY: a created instance.
    Ok(unsafe { (*io).pcm }.cast())
}

const NAME: &CStr = c"snddom: a sound card behind Xen, by its own pages";

fn refused(what: &str, error: c_int) -> Failure {
    let errno = Errno::from_raw_os_error(error.saturating_neg());
    Failure::new(errno, format!("ALSA's library refused {what}: is it older than 1.1?"))
}
